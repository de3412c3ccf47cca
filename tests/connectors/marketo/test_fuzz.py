"""Whatever comes back: only errors of ours come out, nothing hangs, and a write that may have happened is never called
undone."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tandem.connectors.http import Call, Response
from tandem.connectors.marketo.connector import MarketoConnector
from tandem.core.errors import RejectedError, RemoteError, TransientError
from tandem.core.plan import ActionKind
from tandem.core.record import COMPANY, PERSON, Entity, RecordId
from tandem.core.schema import EntitySchema, FieldInfo, FieldKind, FieldLink, NewField, NewObject
from tandem.ports import Write
from tests.connectors.fake_clock import FakeClock

FIELDS: Final = {
    "email": FieldKind.TEXT,
    "leadScore": FieldKind.INTEGER,
    "unsubscribed": FieldKind.BOOLEAN,
    "createdAt": FieldKind.DATETIME,
    "annualRevenue": FieldKind.NUMBER,
}
CALLS_MAX: Final = 400
"""So many calls for one piece of work are a hang."""

texts = st.text(max_size=8) | st.sampled_from(["2026-03-04T12:00:00Z", "7", "null", "2026-13-99", "1005", "Complete"])
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
members = st.sampled_from(
    [
        *("id", "status", "reasons", "marketoGUID", "leadId", "activityDate", "activityTypeId", "fields", "attributes"),
        *("name", "batchId", "exportId", "fileSize", "numOfLeadsProcessed", "numOfRowsFailed", "apiName", "state"),
        *("createdAt", "primaryAttributeValueId", "searchableFields", "users", "dataType"),
    ]
)
rows = st.dictionaries(members, values, max_size=6)
envelopes = st.fixed_dictionaries(
    {"success": st.booleans() | values},
    optional={
        "requestId": texts | values,
        "result": st.lists(rows, max_size=3) | values,
        "errors": st.lists(st.fixed_dictionaries({"code": texts, "message": texts}), max_size=2) | values,
        "nextPageToken": texts | st.none(),
        "moreResult": st.booleans() | values,
    },
)
good_envelopes = st.fixed_dictionaries(
    {"success": st.just(True), "result": st.lists(rows, max_size=3)}, optional={"moreResult": st.just(False)}
)


@st.composite
def cut(draw: st.DrawFn) -> bytes:
    body = json.dumps(draw(envelopes), allow_nan=True).encode()
    return body[: draw(st.integers(0, len(body)))]


bodies = st.one_of(
    st.binary(max_size=40),
    envelopes.map(lambda body: json.dumps(body).encode()),
    good_envelopes.map(lambda body: json.dumps(body).encode()),
    cut(),
)
answers = st.tuples(st.sampled_from([200, 200, 200, 200, 206, 204, 302, 401, 404, 413, 416, 500, 502, 503]), bodies)


class Transport:
    """Gives the drawn answers in turn, the last one for ever; remembers whether a write was sent."""

    def __init__(self, drawn: list[tuple[int, bytes]]) -> None:
        self._drawn = drawn
        self.calls = 0
        self.may_have_written = False
        self.is_called_undone = False

    async def send(self, call: Call, *_: Any) -> Response:
        self.calls += 1
        assert self.calls < CALLS_MAX, "it hangs"
        status, body = self._drawn[min(self.calls, len(self._drawn)) - 1]
        self.may_have_written |= call.is_write and _may_have_written(status, body)
        await asyncio.sleep(0)
        return Response(status, {}, body)


def _may_have_written(status: int, body: bytes) -> bool:
    """What an honest reader must hold possible: everything but a clear refusal of the whole call."""
    if status in (401, 413, 414) or 300 <= status < 500:
        return False
    try:
        envelope = json.loads(body)
    except ValueError:
        return True
    errors = envelope.get("errors") if isinstance(envelope, dict) and envelope.get("success") is False else None
    code = errors[0].get("code") if isinstance(errors, list) and errors and isinstance(errors[0], dict) else ""
    return not (isinstance(code, str) and code.isdigit() and len(code) in (3, 4) and code[0] in "167" and code != "604")


def a_connector(transport: Transport) -> MarketoConnector:
    connector = MarketoConnector(
        url="https://fuzz.example",
        client_id="c",
        client_secret="s",
        clock=FakeClock(),
        daily_share=100_000,
        import_rows_min=2,
        import_settle_s=600,
    )
    connector._client._http._send = transport.send  # type: ignore[method-assign,assignment]
    connector._client.tokens.token = _token  # type: ignore[method-assign]
    connector._client.tokens.scope = _token  # type: ignore[method-assign]
    infos = {name: FieldInfo(name, name, kind, "string") for name, kind in FIELDS.items()}
    connector._schemas[PERSON] = (connector._clock.now(), EntitySchema(PERSON, infos))
    connector._schemas[COMPANY] = (connector._clock.now(), EntitySchema(COMPANY, infos))
    return connector


async def _token() -> str:
    return "token"


def run(drawn: list[tuple[int, bytes]], work: Callable[[MarketoConnector], Awaitable[Any]]) -> Transport:
    transport = Transport(drawn)

    async def go() -> None:
        connector = a_connector(transport)
        try:
            await work(connector)
        except (TransientError, RejectedError):
            transport.is_called_undone = True
        except RemoteError:
            pass
        finally:
            await connector.close()

    asyncio.run(asyncio.wait_for(go(), 20))
    return transport


async def read_changes(connector: MarketoConnector) -> None:
    pages = 0
    async for _ in connector.fetch_changes(PERSON, None, list(FIELDS)):
        pages += 1
        if pages == 20:
            return


READS: Final[dict[str, Callable[[MarketoConnector], Awaitable[Any]]]] = {
    "changes": read_changes,
    "records": lambda c: c.fetch_records(PERSON, list(FIELDS), [RecordId("1")]),
    "companies": lambda c: c.find_records(COMPANY, list(FIELDS), "email", ["x"]),
    "schema": lambda c: c.fetch_schema(Entity("car")),
    "check": lambda c: c.check_access([PERSON, Entity("car")]),
    "has": lambda c: c.has_entity(Entity("car")),
}
NEW_CAR: Final = NewObject(
    Entity("car"), "Car", "Cars", (NewField("owner", "Owner", "link", link=FieldLink(PERSON, "id")),)
)
CHANGES_OF_SCHEMA: Final[dict[str, Callable[[MarketoConnector], Awaitable[Any]]]] = {
    "fields": lambda c: c.create_fields(PERSON, [NewField("x", "X", "string")]),
    "object": lambda c: c.create_object(NEW_CAR),
}
UPDATES: Final = [Write(ActionKind.UPDATE, RecordId(str(n)), {"email": f"{n}@x.example"}) for n in range(1, 302)]
CREATES: Final = [Write(ActionKind.CREATE, None, {"key": f"k{n}"}, lookup="key") for n in range(301)]
WRITES: Final[dict[str, Callable[[MarketoConnector], Awaitable[Any]]]] = {
    "update": lambda c: c.write(PERSON, UPDATES[:2]),
    "create": lambda c: c.write(PERSON, CREATES[:2]),
    "company": lambda c: c.write(COMPANY, UPDATES[:1]),
    "update by file": lambda c: c.write(PERSON, UPDATES),
    "create by file": lambda c: c.write(PERSON, CREATES),
}

fuzzed = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("work", [*READS.values(), *CHANGES_OF_SCHEMA.values()], ids=[*READS, *CHANGES_OF_SCHEMA])
@fuzzed
@given(drawn=st.lists(answers, min_size=1, max_size=6))
def test_any_answer_is_survived(
    work: Callable[[MarketoConnector], Awaitable[Any]], drawn: list[tuple[int, bytes]]
) -> None:
    run(drawn, work)


@pytest.mark.parametrize("work", WRITES.values(), ids=WRITES)
@fuzzed
@given(drawn=st.lists(answers, min_size=1, max_size=6))
def test_a_write_that_may_have_happened_is_never_called_undone(
    work: Callable[[MarketoConnector], Awaitable[Any]], drawn: list[tuple[int, bytes]]
) -> None:
    transport = run(drawn, work)
    assert not (transport.may_have_written and transport.is_called_undone)
