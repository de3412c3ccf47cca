"""Whatever comes back: only errors of ours come out, nothing hangs, and a write that may have happened is never called
undone."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from yarl import URL

from tandem.connectors.http import Call, Response
from tandem.connectors.marketo.connector import MarketoConnector
from tandem.connectors.marketo.full_read import Way
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
        *(
            "Import Failure Reason",
            "name",
            "batchId",
            "exportId",
            "fileSize",
            "numOfLeadsProcessed",
            "numOfRowsFailed",
            "apiName",
            "state",
        ),
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


Answer = tuple[int, bytes]


class Transport:
    """Answers as Marketo would, but for the drawn answers in their turns (None is an honest one); where `for_ever`, the
    last of them stands for all that follow. Remembers whether a write may have happened."""

    def __init__(self, drawn: list[Answer | None], *, for_ever: bool) -> None:
        self._drawn = drawn
        self._for_ever = for_ever
        self.calls = 0
        self.may_have_written = False
        self.is_called_undone = False

    async def send(self, call: Call, method: str, url: URL, headers: object, body: bytes | None, *_: Any) -> Response:
        self.calls += 1
        assert self.calls < CALLS_MAX, "it hangs"
        place = min(self.calls, len(self._drawn)) if self._for_ever else self.calls
        drawn = self._drawn[place - 1] if place <= len(self._drawn) else None
        status, content = drawn or (200, honest(call.operation, body or b""))
        self.may_have_written |= call.is_write and call.operation in RECORDS and _may_have_written(status, content)
        await asyncio.sleep(0)
        return Response(status, {}, content)


RECORDS: Final = frozenset({"leads.sync", "companies.sync", "leads.delete", "bulk.leads.import"})
"""Calls that write records; the probe of a failing Marketo writes none, but looks like one."""


FILE_ROW: Final = b"1,a@x.example,null,true,2026-03-01T12:00:00Z,1.5\n"


def honest(operation: str, body: bytes) -> bytes:
    if operation in ("leads.sync", "companies.sync"):
        records = json.loads(body)["input"]
        return envelope([{"id": record.get("id", n), "status": "updated"} for n, record in enumerate(records, start=1)])
    if operation == "leads.query":
        return envelope([{"id": 1, "email": "1@x.example", "key": "k1", "createdAt": "2026-03-01T12:00:00Z"}])
    if operation == "bulk.leads.import.failures":
        return b"id,Import Failure Reason\r\n1,Lead not found\r\n"
    if operation == "bulk.leads.export.file":
        return b"id,email,leadScore,unsubscribed,createdAt,annualRevenue\n" + FILE_ROW
    return HONEST.get(operation, envelope([]))


def envelope(result: list[dict[str, Any]], **more: Any) -> bytes:
    return json.dumps({"requestId": "1#2", "result": result, "success": True, **more}).encode()


_ACTIVITY: Final = {"marketoGUID": "1", "leadId": 1, "activityDate": "2026-03-01T12:00:00Z"}
HONEST: Final = {
    "leads.delete": envelope([{"id": 1, "status": "deleted"}]),
    "activities.pagingtoken": envelope([], nextPageToken="AAAA"),
    "activities.query": envelope([{**_ACTIVITY, "activityTypeId": 12}], nextPageToken="BBBB", moreResult=False),
    "activities.leadchanges": envelope(
        [{**_ACTIVITY, "activityTypeId": 13, "fields": [{"name": "email", "newValue": "a", "oldValue": None}]}],
        nextPageToken="BBBB",
        moreResult=False,
    ),
    "activities.deletedleads": envelope([{**_ACTIVITY, "activityTypeId": 37}], nextPageToken="BBBB", moreResult=False),
    "bulk.leads.import": envelope([{"batchId": 7, "importId": "7", "status": "Queued"}]),
    "bulk.leads.import.status": envelope(
        [{"batchId": 7, "status": "Complete", "numOfLeadsProcessed": 300, "numOfRowsFailed": 1}]
    ),
    "bulk.leads.export.create": envelope([{"exportId": "x", "status": "Created"}]),
    "bulk.leads.export.status": envelope([{"exportId": "x", "status": "Completed", "fileSize": 56 + len(FILE_ROW)}]),
    "customobjects.list": envelope([{"name": "car"}]),
    "customobjects.describe": envelope([{"fields": [{"name": "owner"}], "searchableFields": [["owner"]]}]),
    "customobjects.schema.list": envelope([{"apiName": "car", "state": "draft", "fields": []}]),
    "customobjects.schema.describe": envelope([{"apiName": "car", "state": "draft", "fields": [{"name": "vin"}]}]),
    "customobjects.schema.linkable": envelope([{"name": "lead", "fields": [{"name": "Id", "displayName": "Id"}]}]),
    "leads.fields.list": envelope([{"name": "email"}], moreResult=False),
}


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


def a_connector(transport: Transport, way: Way) -> MarketoConnector:
    connector = MarketoConnector(
        url="https://fuzz.example",
        client_id="c",
        client_secret="s",
        clock=FakeClock(),
        daily_share=100_000,
        import_rows_min=2,
        import_settle_s=600,
        full_read=way,
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


Work = Callable[[MarketoConnector], Awaitable[Any]]


def run(drawn: list[Answer | None], work: Work, *, for_ever: bool, way: Way = Way.RANGES) -> Transport:
    transport = Transport(drawn, for_ever=for_ever)

    async def go() -> None:
        connector = a_connector(transport, way)
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


READS: Final[dict[str, Work]] = {
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
CHANGES_OF_SCHEMA: Final[dict[str, Work]] = {
    "fields": lambda c: c.create_fields(PERSON, [NewField("x", "X", "string")]),
    "object": lambda c: c.create_object(NEW_CAR),
}
UPDATES: Final = [Write(ActionKind.UPDATE, RecordId(str(n)), {"email": f"{n}@x.example"}) for n in range(1, 302)]
CREATES: Final = [Write(ActionKind.CREATE, None, {"key": f"k{n}"}, lookup="key") for n in range(2, 303)]
WRITES: Final[dict[str, Work]] = {
    "update": lambda c: c.write(PERSON, UPDATES[:2]),
    "create": lambda c: c.write(PERSON, CREATES[:2]),
    "company": lambda c: c.write(COMPANY, UPDATES[:1]),
    "delete": lambda c: c.write(PERSON, [Write(ActionKind.DELETE, RecordId("1"), {})]),
    "update by file": lambda c: c.write(PERSON, UPDATES),
    "create by file": lambda c: c.write(PERSON, CREATES),
}

fuzzed = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])


drawn_answers = st.lists(st.none() | answers, min_size=1, max_size=8)


@pytest.mark.parametrize("work", [*READS.values(), *CHANGES_OF_SCHEMA.values()], ids=[*READS, *CHANGES_OF_SCHEMA])
@fuzzed
@given(drawn=drawn_answers, for_ever=st.booleans())
def test_any_answer_is_survived(work: Work, drawn: list[Answer | None], for_ever: bool) -> None:
    run(drawn, work, for_ever=for_ever)


@fuzzed
@given(drawn=drawn_answers, for_ever=st.booleans())
def test_any_answer_is_survived_while_files_are_read(drawn: list[Answer | None], for_ever: bool) -> None:
    run(drawn, read_changes, for_ever=for_ever, way=Way.FILES)


@pytest.mark.parametrize("work", WRITES.values(), ids=WRITES)
@fuzzed
@given(drawn=drawn_answers, for_ever=st.booleans())
def test_a_write_that_may_have_happened_is_never_called_undone(
    work: Work, drawn: list[Answer | None], for_ever: bool
) -> None:
    transport = run(drawn, work, for_ever=for_ever)
    assert not (transport.may_have_written and transport.is_called_undone)


@pytest.mark.parametrize("work", [*READS.values(), *CHANGES_OF_SCHEMA.values(), *WRITES.values()])
def test_honest_answers_alone_are_no_obstacle(work: Work) -> None:
    transport = run([], work, for_ever=False)
    assert not transport.is_called_undone
    assert 1 <= transport.calls < 30
