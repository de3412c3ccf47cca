"""Everybody by ranges of ids and by files: the same people with the same values, wherever one was interrupted."""

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, cast

import msgspec
import pytest

from tandem.connectors.marketo.budget import DayLedger
from tandem.connectors.marketo.client import MarketoClient
from tandem.connectors.marketo.connector import MarketoConnector
from tandem.connectors.marketo.extract import end_of_records, rows_of_file
from tandem.connectors.marketo.full_read import FullRead, Way
from tandem.connectors.marketo.wire import Envelope, RowReader, UnreadableError
from tandem.core.record import PERSON, Cursor, RecordId, Value, Values
from tandem.core.schema import FieldKind
from tandem.ports import Page
from tests.connectors.fake_clock import FakeClock
from tests.connectors.marketo.conftest import Connect
from tests.connectors.marketo.emulator import Emulator, running

FIELDS = [
    *("email", "firstName", "lastName", "phone", "unsubscribed", "leadScore", "annualRevenue", "company"),
    *("createdAt", "dateOfBirth", "mktoPersonNotes", "id"),
]
PART = 1_500


ODD: dict[str, Any] = {
    "email": "odd@files.example",
    "lastName": 'O\'Neil, "Jr"',
    "mktoPersonNotes": 'a "b"\r\nc,\n"',
    "leadScore": -3,
}


def a_person(number: int) -> dict[str, Any]:
    return {
        "email": f"person{number}@files.example",
        "firstName": "Zoë" if number % 3 else None,
        "lastName": f"Person {number}",
        "unsubscribed": number % 2 == 0,
        "leadScore": number or None,
        "annualRevenue": None,
        "dateOfBirth": "1980-02-29" if number % 5 == 0 else None,
    }


@pytest.fixture(scope="module")
def emulator_of_module() -> Iterator[Emulator]:
    """People of three months: three windows."""
    with running(0, "--limits", "off", "--set", "activity_lag_s=0") as emulator:
        for month in range(3):
            for number in range(20):
                values = a_person(20 * month + number)
                emulator.control("people/create", {"entity": "person", "values": values})
            emulator.control("clock", {"advance_s": 33 * 86_400})
        emulator.control("people/create", {"entity": "person", "values": ODD})
        yield emulator


async def collect(pages: AsyncIterator[Page]) -> list[Page]:
    return [page async for page in pages]


async def everyone(connector: MarketoConnector, cursor: Cursor | None = None) -> list[Page]:
    pages = await collect(connector.fetch_changes(PERSON, cursor, FIELDS))
    assert [page.is_last for page in pages] == [False] * (len(pages) - 1) + [True]
    return [page for page in pages if page.is_full_read]


def values_of(pages: list[Page]) -> dict[RecordId, Values]:
    return {reading.id: reading.values for page in pages for reading in page.readings}


@pytest.fixture
def by_files(connect: Connect, emulator: Emulator) -> MarketoConnector:
    emulator.control("counters/reset", {})
    return connect(full_read=Way.FILES, extract_part_bytes=PART)


@pytest.fixture
def by_ranges(connect: Connect) -> MarketoConnector:
    return connect(full_read=Way.RANGES)


def requests(emulator: Emulator, operation: str) -> int:
    found: int = emulator.counters()["requests"].get(operation, 0)
    return found


async def test_both_ways_bring_the_same_people_with_the_same_values(
    by_files: MarketoConnector, by_ranges: MarketoConnector, emulator: Emulator
) -> None:
    files = await everyone(by_files)
    assert requests(emulator, "bulk.leads.export.file") > 1
    ranges = await everyone(by_ranges)
    assert values_of(files) == values_of(ranges)
    assert len(values_of(files)) == len(emulator.records("person"))
    assert {type(value) for values in values_of(files).values() for value in values} >= {str, int, bool, type(None)}


async def test_files_go_on_behind_each_of_their_pages(by_files: MarketoConnector) -> None:
    pages = await everyone(by_files)
    told = [len(page.readings) for page in pages if page.readings]
    assert len(told) > 1
    parts = [place for place, page in enumerate(pages, start=1) if page.readings]
    for place in (parts[0], parts[len(parts) // 2], parts[-1]):
        rest = values_of(await everyone(by_files, pages[place - 1].cursor))
        assert rest == values_of(pages[place:])


async def test_while_a_file_is_made_empty_pages_keep_its_place(by_files: MarketoConnector, emulator: Emulator) -> None:
    emulator.settings(export_run_s=200)
    pages = await everyone(by_files)
    waiting = [page for page in pages if not page.readings]
    assert len(waiting) >= 3
    made = requests(emulator, "bulk.leads.export.create")
    await everyone(by_files, waiting[1].cursor)
    assert requests(emulator, "bulk.leads.export.create") == 2 * made - 2


async def test_a_file_that_is_gone_is_made_once_more(by_files: MarketoConnector, emulator: Emulator) -> None:
    emulator.fault("bulk.leads.export.file", "status", status=404)
    pages = await everyone(by_files)
    assert requests(emulator, "bulk.leads.export.create") > 2
    assert len(values_of(pages)) == len(emulator.records("person"))


@pytest.mark.parametrize(
    ("operation", "fault"),
    [
        ("bulk.leads.export.file", {"action": "status", "status": 404}),
        ("bulk.leads.export.create", {"action": "body", "body": {"code": "603"}}),
        ("bulk.leads.export.create", {"action": "body", "body": {"code": "1035"}}),
        ("bulk.leads.export.status", {"action": "body", "body": {"code": "1013"}}),
        ("bulk.leads.export.status", {"action": "body", "body": {"success": True, "result": [{"status": "Failed"}]}}),
        (
            "bulk.leads.export.enqueue",
            {
                "action": "body",
                "body": {
                    "requestId": "1#1",
                    "success": False,
                    "errors": [{"code": "1029", "message": "Export daily quota 500MB exceeded."}],
                },
            },
        ),
    ],
)
async def test_where_files_come_to_nothing_everybody_is_read_by_ranges(
    by_files: MarketoConnector, emulator: Emulator, operation: str, fault: dict[str, object]
) -> None:
    emulator.fault(operation, times=None, **fault)  # type: ignore[arg-type]
    pages = await everyone(by_files)
    assert len(values_of(pages)) == len(emulator.records("person"))
    assert requests(emulator, "leads.query") > 0


async def test_a_queue_full_of_others_jobs_is_waited_for(by_files: MarketoConnector, emulator: Emulator) -> None:
    emulator.fault("bulk.leads.export.enqueue", "body", body={"code": "1029"}, times=12)
    pages = await everyone(by_files)
    assert requests(emulator, "bulk.leads.export.file") > 1
    assert len(values_of(pages)) == len(emulator.records("person"))


async def test_a_small_subscription_is_read_by_ranges(connect: Connect, emulator: Emulator) -> None:
    emulator.control("counters/reset", {})
    await everyone(connect())
    assert requests(emulator, "bulk.leads.export.create") == 0


class PeopleFrom:
    """A subscription whose first people are gone: `first` is the lowest id that is left, one person for each id."""

    def __init__(self, first: int) -> None:
        self.first = first
        self.calls = 0

    async def query(self, operation: str, path: str, params: Mapping[str, str]) -> Envelope:
        self.calls += 1
        ids = [int(id_) for id_ in params["filterValues"].split(",")]
        rows = [{"id": id_, "createdAt": f"{2000 + id_ // 300}-01-01T00:00:00Z"} for id_ in ids if id_ >= self.first]
        return Envelope(success=True, result=msgspec.Raw(msgspec.json.encode(rows)))


@pytest.mark.parametrize(
    ("first", "year"), [(1, 1999), (650, 2001), (901, 2002), (29_999, 2098), (50_000, None), (90_001, None)]
)
async def test_files_begin_before_the_first_person_that_is_left(first: int, year: int | None) -> None:
    people = PeopleFrom(first)
    clock = FakeClock()
    full_read = FullRead(
        cast(MarketoClient, people),
        clock,
        DayLedger(clock, share=1_000),
        way=Way.FILES,
        ranges_at_once=5,
        calls_per_s=2.5,
        bytes_a_day=0,
        part_bytes=1,
    )
    found = await full_read._find_first_creation(90_000)
    assert (found.year if found else None) == year
    assert people.calls <= 100


@pytest.mark.parametrize(
    ("cell", "kind", "value"),
    [
        ("null", FieldKind.TEXT, None),
        ("", FieldKind.TEXT, None),
        ("Null", FieldKind.TEXT, "Null"),
        ("-12", FieldKind.INTEGER, -12),
        ("12.50", FieldKind.NUMBER, 12.5),
        ("12", FieldKind.NUMBER, 12),
        ("null", FieldKind.NUMBER, None),
        ("1", FieldKind.BOOLEAN, True),
        ("null", FieldKind.BOOLEAN, False),
        ("2026-03-01T12:00:00Z", FieldKind.DATETIME, "2026-03-01T12:00:00Z"),
        ("2026-03-01", FieldKind.DATE, "2026-03-01"),
    ],
)
def test_a_cell_is_a_value_of_its_fields_type(cell: str, kind: FieldKind, value: Value) -> None:
    rows = RowReader(["field"], {"field": kind})
    [reading] = rows_of_file(rows, f"7,{cell}\n".encode(), has_header=False)
    assert (reading.id, reading.values) == ("7", (value,))


def test_a_file_that_is_none_is_unreadable() -> None:
    with pytest.raises(UnreadableError):
        rows_of_file(RowReader(["score"], {"score": FieldKind.INTEGER}), b"7,Ann\n", has_header=False)


@pytest.mark.parametrize(
    ("part", "end"),
    [
        (b"1,a\n2,b\n3,", 8),
        (b'1,a\n2,"b\nc"\n3,"d\n', 12),
        (b'1,"a""\n""b"\r\n2,"c', 13),
        (b"1,a", 0),
        (b'1,"a\nb', 0),
        (b"", 0),
    ],
)
def test_a_part_ends_behind_its_last_whole_record(part: bytes, end: int) -> None:
    assert end_of_records(part) == end


async def test_months_without_anybody_may_have_no_header_either(by_files: MarketoConnector, emulator: Emulator) -> None:
    """The documentation says nothing of a file without rows; it is no reason to give files up."""
    emulator.control("clock", {"advance_s": 70 * 86_400})
    emulator.settings(export_empty_header=False)
    pages = await everyone(by_files)
    assert len(values_of(pages)) == len(emulator.records("person"))
    assert requests(emulator, "leads.query") == 1  # a look for the first person, and no range
