"""Answers to the feed that the emulator does not give: a scripted service in its place."""

from typing import Any

import msgspec
import pytest

from tandem.connectors.dynamics.client import DynamicsClient
from tandem.connectors.dynamics.feed import ChangeFeed
from tandem.connectors.dynamics.schema import Column, Table
from tandem.connectors.http import HttpClient, Response
from tandem.connectors.pacing import Pacer
from tandem.core.errors import RejectedError
from tandem.core.record import CONTACT, Cursor, Presence, Side
from tandem.core.schema import FieldKind
from tandem.ports import Page
from tests.connectors.fake_clock import FakeClock

ROOT = "https://contoso.crm.dynamics.com/api/data/v9.2"
LAST_NAME = Column("lastname", "Last Name", "String", FieldKind.TEXT, True, True, True)
TABLE = Table(CONTACT, "contacts", "contactid", True, {"lastname": LAST_NAME})


class ScriptedService(DynamicsClient):
    """Answers each path with the body scripted for it; another path is refused, as the service does."""

    def __init__(self, answers: dict[str, Any]) -> None:
        clock = FakeClock()
        super().__init__(HttpClient(Side.CRM, ROOT, None, Pacer(clock), clock))
        self.answers = answers
        self.asked: list[tuple[str, str]] = []

    async def get(self, operation: str, path: str, *, prefer: str = "") -> Response:
        self.asked.append((path, prefer))
        if path not in self.answers:
            raise RejectedError("refused", side=Side.CRM, operation=operation, code="404")
        answer = self.answers[path]
        return Response(200, {}, answer if isinstance(answer, bytes) else msgspec.json.encode(answer))


async def read(service: ScriptedService, cursor: Cursor | None = None) -> list[Page]:
    feed = ChangeFeed(service, FakeClock(), TABLE, ["lastname"], page_size=5000)
    return [page async for page in feed.pages(cursor)]


def a_row(record_id: str, name: str) -> dict[str, str]:
    return {"@odata.etag": 'W/"1"', "contactid": record_id, "lastname": name}


FIRST = "contacts?$select=lastname"
NEXT = "/api/data/v9.2/contacts?$select=lastname&$skiptoken=%3Ccookie%20a=%22%2522%22"
DELTA = "/api/data/v9.2/contacts?$select=lastname&$deltatoken=919042%2108%2f22%2f2017"
LATER = "/api/data/v9.2/contacts?$select=lastname&$deltatoken=919058%2108%2f22%2f2017"
HOST = "https://contoso.crm.dynamics.com"
ANSWERS = {
    "contacts/$count": b"\xef\xbb\xbf2",
    FIRST: {"value": [a_row("1", "Li")], "@odata.nextLink": HOST + NEXT},
    NEXT: {"value": [a_row("2", "Wu")], "@odata.deltaLink": HOST + DELTA},
    DELTA: {"value": [], "@odata.deltaLink": HOST + LATER},
}


async def test_links_are_followed_as_they_came_and_the_page_size_is_asked_for_each_time() -> None:
    service = ScriptedService(ANSWERS)
    pages = await read(service)
    tracking = "odata.track-changes,odata.maxpagesize=5000"
    assert service.asked == [
        ("contacts/$count", ""),
        (FIRST, tracking),
        (NEXT, tracking),
        (DELTA, "odata.maxpagesize=5000"),
    ]
    assert [page.rows_expected for page in pages] == [2, 2, None]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"contacts/$count": b"4999"}, 4999),
        ({"contacts/$count": b"5000"}, None),
        ({}, None),
        (
            {
                "contacts/$count": b"5000",
                "RetrieveTotalRecordCount(EntityNames=@p1)?@p1=%5B%22contact%22%5D": {
                    "EntityRecordCountCollection": {
                        "Count": 1,
                        "IsReadOnly": False,
                        "Keys": ["contact"],
                        "Values": [70123],
                    }
                },
            },
            70123,
        ),
    ],
)
async def test_how_many_there_are_is_told_only_where_it_is_known(answers: dict[str, Any], expected: int | None) -> None:
    rest = {path: body for path, body in ANSWERS.items() if path != "contacts/$count"}
    pages = await read(ScriptedService(rest | answers))
    assert pages[0].rows_expected == expected


async def test_a_page_without_any_link_is_an_error_and_not_the_end() -> None:
    """Annotations once made the delta link disappear: going on would lose the place in the feed."""
    service = ScriptedService(ANSWERS | {NEXT: {"value": []}})
    with pytest.raises(RejectedError, match="neither"):
        await read(service)


async def test_a_delta_row_that_lacks_a_column_is_read_by_id() -> None:
    changed = {"value": [{"contactid": "1"}, a_row("2", "Wu")], "@odata.deltaLink": HOST + LATER}
    service = ScriptedService(ANSWERS)
    cursor = (await read(service))[1].cursor
    (page,) = await read(ScriptedService({DELTA: changed}), cursor)
    assert [(r.id, r.presence) for r in page.readings] == [("1", Presence.SUSPECT), ("2", Presence.PRESENT)]


UNTRACKED = Table(
    CONTACT,
    "contacts",
    "contactid",
    False,
    {"lastname": LAST_NAME, "modifiedon": Column("modifiedon", "", "DateTime", FieldKind.DATETIME, True, False, False)},
)
SWEEP = "contacts?$select=lastname,modifiedon&$orderby=modifiedon%20asc,contactid%20asc"
AT = "2026-03-04T12:00:00Z"
OVERLAP = f"{SWEEP}&$filter=modifiedon%20ge%202026-03-04T11:59:00Z"
NEXT_OF_SWEEP = "/api/data/v9.2/contacts?$skiptoken=2"


def modified_rows(first: int, count: int, name: str = "Li") -> list[dict[str, str]]:
    return [a_row(f"{number:05d}", name) | {"modifiedon": AT} for number in range(first, first + count)]


class TestAfterAnImport:
    """More rows were modified in the newest minute than a cursor remembers one by one: each sweep brings them again."""

    async def sweep(self, service: ScriptedService, cursor: Cursor | None) -> list[Page]:
        feed = ChangeFeed(service, FakeClock(), UNTRACKED, ["lastname"], page_size=5000)
        return [page async for page in feed.pages(cursor)]

    async def settled(self, service: ScriptedService) -> Cursor:
        """The full read, and the first sweep after it, which brings everybody once more."""
        full = await self.sweep(service, None)
        first = await self.sweep(service, full[-1].cursor)
        assert sum(len(page.readings) for page in first) == 2200
        return first[-1].cursor

    @pytest.fixture
    def service(self) -> ScriptedService:
        first = {"value": modified_rows(0, 1100), "@odata.nextLink": HOST + NEXT_OF_SWEEP}
        rest = {"value": modified_rows(1100, 1100)}
        return ScriptedService({SWEEP: first, OVERLAP: first, NEXT_OF_SWEEP: rest})

    async def test_a_sweep_that_comes_again_byte_for_byte_tells_of_nobody(self, service: ScriptedService) -> None:
        cursor = await self.settled(service)
        for _ in range(3):
            pages = await self.sweep(service, cursor)
            assert [len(page.readings) for page in pages] == [0, 0]
            assert [page.is_last for page in pages] == [False, True]
            cursor = pages[-1].cursor

    async def test_it_goes_on_from_the_middle(self, service: ScriptedService) -> None:
        cursor = await self.settled(service)
        middle = (await self.sweep(service, cursor))[0].cursor
        (rest,) = await self.sweep(service, middle)
        assert not rest.readings
        assert rest.is_last

    async def test_one_changed_row_brings_its_page_and_no_other(self, service: ScriptedService) -> None:
        cursor = await self.settled(service)
        service.answers[NEXT_OF_SWEEP] = {"value": [*modified_rows(1100, 1099), *modified_rows(2199, 1, "Wu")]}
        pages = await self.sweep(service, cursor)
        assert [len(page.readings) for page in pages] == [0, 1100]
        assert ("Wu",) in {reading.values for reading in pages[1].readings}
        service.answers[NEXT_OF_SWEEP] = {"value": modified_rows(1100, 1100)}
        pages = await self.sweep(service, pages[-1].cursor)
        assert [len(page.readings) for page in pages] == [0, 1100]
