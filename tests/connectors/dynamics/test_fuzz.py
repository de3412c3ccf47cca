"""Whatever the service answers, only errors of the tree come out, soon, and a write is never called undone too early.

Real answers are recorded once from the emulator. Then each example replays them with one answer spoilt: another status,
other headers, a body that is cut, changed in one place, or something else altogether.
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from tandem.connectors.dynamics.connector import DynamicsConnector
from tandem.connectors.http import Call, Response
from tandem.core.errors import TandemError, TransientError
from tandem.core.plan import ActionKind
from tandem.core.record import CONTACT, RecordId
from tandem.core.schema import NewField
from tandem.ports import Write
from tests.connectors.dynamics.emulator import Emulator, running
from tests.connectors.fake_clock import FakeClock

CALLS_MAX: Final = 2_000
FIELDS: Final = ["@id", "lastname", "modifiedon", "birthdate", "gendercode", "parentcustomerid", "donotphone"]
CREATED: Final = [RecordId(str(uuid4())) for _ in range(3)]

Work = Callable[[DynamicsConnector], Awaitable[Any]]


async def _pages(connector: DynamicsConnector) -> None:
    pages = [page async for page in connector.fetch_changes(CONTACT, None, FIELDS)]
    _ = [page async for page in connector.fetch_changes(CONTACT, pages[-1].cursor, FIELDS)]


async def _write(connector: DynamicsConnector, kind: ActionKind, count: int) -> None:
    values = {"lastname": "Fuzz", "fax": "1"} if kind is ActionKind.CREATE else {"fax": "2"}
    writes = [Write(kind, id_, values) for id_ in CREATED[:count]]
    assert len(await connector.write(CONTACT, writes)) == count


WORK: Final[Mapping[str, Work]] = {
    "identity": lambda connector: connector.fetch_identity(),
    "schema": lambda connector: connector.fetch_schema(CONTACT),
    "has": lambda connector: connector.has_entity(CONTACT),
    "pages": _pages,
    "records": lambda connector: connector.fetch_records(CONTACT, FIELDS, CREATED),
    "find": lambda connector: connector.find_records(CONTACT, FIELDS, "lastname", ["Fuzz"]),
    "check": lambda connector: connector.check_access([CONTACT]),
    "columns": lambda connector: connector.create_fields(CONTACT, [NewField("new_fuzz", "F", "String", is_key=True)]),
    "create": lambda connector: _write(connector, ActionKind.CREATE, 1),
    "creates": lambda connector: _write(connector, ActionKind.CREATE, 3),
    "update": lambda connector: _write(connector, ActionKind.UPDATE, 3),
    "own": lambda connector: _write(connector, ActionKind.UPDATE, 2),
    "delete": lambda connector: _write(connector, ActionKind.DELETE, 3),
}
WRITING: Final = ("create", "creates", "update", "own", "delete")

Answer = tuple[bool, Response]
"""Whether it is the answer to a write, and the answer."""

Recorded = tuple[Emulator, Mapping[str, Sequence[Answer]]]


@dataclass
class Transport:
    """In the place of ``HttpClient._send``: recorded answers in their order, spoilt from one place on, or only there;
    the last one for ever."""

    answers: Sequence[Answer]
    spoilt: int
    spoil: Callable[[Response], Response]
    is_once: bool = False
    given: list[Answer] = field(default_factory=list)

    async def send(self, call: Call, *_: Any) -> Response:
        assert len(self.given) < CALLS_MAX, "it does not come to an end"
        place = min(len(self.given), len(self.answers) - 1)
        answer = self.answers[place][1]
        if place == self.spoilt or (place > self.spoilt and not self.is_once):
            answer = self.spoil(answer)
        self.given.append((call.is_write, answer))
        return answer


class Recorder:
    def __init__(self, connector: DynamicsConnector) -> None:
        self.answers: list[Answer] = []
        self._send = connector._http._send
        setattr(connector._http, "_send", self.send)  # noqa: B010 - mypy

    async def send(self, call: Call, *rest: Any) -> Response:
        response = await self._send(call, *rest)
        self.answers.append((call.is_write, replace(response, headers=CIMultiDict(response.headers))))
        return response


def _connect(emulator: Emulator, clock: FakeClock, *, own: bool) -> DynamicsConnector:
    names = ("url", "tenant_id", "client_id", "client_secret", "authority")
    facts = {name: emulator.first_line[name] for name in names}
    return DynamicsConnector(**facts, clock=clock, page_size=5, own_columns={CONTACT: ["fax"]} if own else {})


@pytest.fixture(scope="module")
def recorded() -> Iterator[Recorded]:
    with running(20, "--set", "key_index_s=0") as emulator:

        async def record() -> dict[str, list[Answer]]:
            found = {}
            for name, work in WORK.items():
                connector = _connect(emulator, FakeClock(), own=name == "own")
                recorder = Recorder(connector)
                if name == "creates":
                    emulator.delete("contact", CREATED[0])
                await work(connector)
                await connector.close()
                found[name] = recorder.answers
            return found

        yield emulator, asyncio.run(record())


STATUSES: Final = (
    *(200, 201, 204, 206, 301, 304),
    *(400, 401, 403, 404, 405, 409, 412, 413, 418, 429),
    *(500, 501, 502, 503, 504),
)
HEADERS: Final = (
    "Retry-After",
    "Content-Type",
    "x-ms-dop-hint",
    "x-ms-ratelimit-burst-remaining-xrm-requests",
    "x-ms-ratelimit-time-remaining-xrm-requests",
    "x-ms-service-request-id",
)
_TEXTS: Final = st.sampled_from(
    ["", "0", "5", "61", "-1", "1e400", "nan", "inf", "²", "9" * 400, "1,2,3", "soon", "text/html", "multipart/mixed"]
)
_JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4) | st.just("value"), inner, max_size=2)
    ),
    max_leaves=4,
)
_SCALAR: Final = re.compile(rb':\s?("[^"]*"|-?[0-9.]+|null|true|false)')
_WORD: Final = re.compile(rb"[A-Za-z0-9_@.]+")


@st.composite
def spoilers(draw: st.DrawFn) -> Callable[[Response], Response]:
    status = draw(st.none() | st.sampled_from(STATUSES))
    headers = draw(st.dictionaries(st.sampled_from(HEADERS), _TEXTS, max_size=2))
    body = draw(bodies())

    def spoil(answer: Response) -> Response:
        kept = {
            name: value for name, value in answer.headers.items() if name.lower() not in {h.lower() for h in headers}
        }
        return Response(status or answer.status, kept | headers, body(answer.body))

    return spoil


@st.composite
def bodies(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    place, other = draw(st.integers(0, 1 << 30)), draw(_JSON)
    text = json.dumps(other).encode()
    match draw(st.sampled_from(["same", "json", "bytes", "cut", "scalar", "word", "status"])):
        case "same":
            return lambda body: body
        case "json":
            return lambda body: text
        case "bytes":
            noise = draw(st.binary(max_size=40))
            return lambda body: noise
        case "cut":
            return lambda body: body[: place % (len(body) + 1)]
        case "scalar":
            return lambda body: _changed(_SCALAR, body, place, b":" + text)
        case "word":
            return lambda body: _changed(_WORD, body, place, text)
        case _:
            status = str(draw(st.sampled_from(STATUSES))).encode()
            return lambda body: re.sub(rb"HTTP/1\.1 \d+", b"HTTP/1.1 " + status, body)


def _changed(pattern: re.Pattern[bytes], body: bytes, place: int, by: bytes) -> bytes:
    found = list(pattern.finditer(body))
    if not found:
        return by
    one = found[place % len(found)]
    return body[: one.start()] + by + body[one.end() :]


class Tokens:
    async def token(self) -> str:
        return "token"

    def invalidate(self) -> None: ...


def _retry_after_429(answer: Response) -> Response:
    return Response(429, {"Retry-After": "9" * 400}, b"")


def _gateway_with_wait(answer: Response) -> Response:
    return Response(504, {"Retry-After": "5"}, b"")


def _odd_time(answer: Response) -> Response:
    return replace(answer, body=re.sub(rb'("modifiedon":)"[^"]*"', rb'\1"0001-01-01T00:00:00+23:59"', answer.body))


def _as_it_was(answer: Response) -> Response:
    return answer


async def replay(emulator: Emulator, name: str, transport: Transport) -> None:
    connector = _connect(emulator, FakeClock(), own=name == "own")
    setattr(connector._http, "_send", transport.send)  # noqa: B010 - mypy
    setattr(connector._http, "_tokens", Tokens())  # noqa: B010 - mypy
    await WORK[name](connector)


@pytest.mark.parametrize("name", sorted(WORK))
async def test_what_was_recorded_can_be_replayed(recorded: Recorded, name: str) -> None:
    emulator, answers = recorded
    transport = Transport(answers[name], 0, _as_it_was)
    await replay(emulator, name, transport)
    assert len(transport.given) == len(answers[name])


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(sorted(WORK)), place=st.integers(0, 6), spoil=spoilers(), is_once=st.booleans())
@example(name="creates", place=1, spoil=_retry_after_429, is_once=True)
@example(name="update", place=1, spoil=_gateway_with_wait, is_once=False)
@example(name="pages", place=2, spoil=_odd_time, is_once=True)
def test_only_errors_of_the_tree_come_out(
    recorded: Recorded, name: str, place: int, spoil: Callable[[Response], Response], is_once: bool
) -> None:
    emulator, answers = recorded
    transport = Transport(answers[name], min(place, len(answers[name]) - 1), spoil, is_once)
    try:
        asyncio.run(replay(emulator, name, transport))
    except TransientError:
        told_undone = name in WRITING
    except TandemError:
        told_undone = False
    else:
        told_undone = False
    assert not told_undone or _surely_not_written(transport.given)


def _surely_not_written(given: Sequence[Answer]) -> bool:
    """Every write call was refused before it began, or each of its parts was."""
    return all(_refused(answer) for is_write, answer in given if is_write)


def _refused(answer: Response) -> bool:
    waits = answer.status == 429 or (answer.status == 503 and answer.retry_after_s is not None)
    return waits or (answer.status in (200, 202) and not re.search(rb"HTTP/1\.1 [^45]", answer.body))
