"""Everyone by files: bulk extracts of the people created in windows of 30 days, two jobs at once (marketo-rest 6.3).

A file is read in parts; a part ends behind the last whole record in it, and its page's cursor begins there. While a job
runs, empty pages are told, one a minute, so that whoever reads can keep what it has. A job that fails or a file that is
gone is made once more; after that, or where the day's volume is used up or the role has no right to it, everybody is
read by ranges of ids from the start: a person who comes twice does no harm.
"""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from tandem.connectors.marketo.client import MarketoClient
from tandem.connectors.marketo.costs import EXTRACT_POLL_S, EXTRACTS_AT_ONCE
from tandem.connectors.marketo.errors import TOO_MANY_JOBS
from tandem.connectors.marketo.place import ExtractPlace, Place
from tandem.connectors.marketo.wire import RowReader, UnreadableError, WireExport, as_datetime, render_json, render_time
from tandem.core.errors import AccessError, RejectedError, TransientError
from tandem.core.record import RecordId, Value
from tandem.core.schema import FieldKind
from tandem.ports import Clock, Page, Reading

PATH: Final = "/bulk/v1/leads/export"
OPERATION: Final = "bulk.leads.export"
WINDOW: Final = timedelta(days=30)
"""A filter takes 31 at most, both ends included."""

POLLS_MAX: Final = 120
"""Two hours of waiting for one file are enough."""

FAILURES_MAX: Final = 2

EXTRACTABLE: Final = frozenset(FieldKind) - {FieldKind.OTHER, FieldKind.REFERENCE}
"""Formulas are not exported; how references look in a file is not known."""


class ExtractReader:
    def __init__(self, client: MarketoClient, clock: Clock, *, part_bytes: int) -> None:
        self._client = client
        self._clock = clock
        self._part_bytes = part_bytes

    async def next_page(self, place: Place, rows: RowReader) -> tuple[Page, Place]:
        assert place.extract is not None
        try:
            return await self._next_page(place, place.extract, rows)
        except (RejectedError, AccessError, UnreadableError):
            return _turn_to_ranges(place)
        except TransientError as error:
            if error.code != TOO_MANY_JOBS:
                raise
            return await self._wait(place, place.extract)

    async def _next_page(self, place: Place, extract: ExtractPlace, rows: RowReader) -> tuple[Page, Place]:
        extract = await self._with_jobs(extract, rows)
        job = await self._look(extract.jobs[0])
        match job.status.lower():
            case "completed" if job.number_of_records == 0:
                behind = msgspec.structs.replace(place, extract=_next_window(extract))
                return full_page([], behind), behind
            case "completed":
                return await self._read_part(place, extract, job, rows)
            case "created" | "queued" | "processing":
                return await self._wait(place, extract)
        return _begin_window_again(place, extract)

    async def _with_jobs(self, extract: ExtractPlace, rows: RowReader) -> ExtractPlace:
        """The place with a job for this window and for the ones after it."""
        jobs = list(extract.jobs)
        ahead = min(EXTRACTS_AT_ONCE, _windows(extract) - extract.window)
        while len(jobs) < ahead:
            jobs.append(await self._create_job(extract, extract.window + len(jobs), rows))
        return msgspec.structs.replace(extract, jobs=tuple(jobs))

    async def _create_job(self, extract: ExtractPlace, window: int, rows: RowReader) -> str:
        start = datetime.fromtimestamp(extract.since, UTC) + window * WINDOW
        end = min(start + WINDOW, datetime.fromtimestamp(extract.until, UTC))
        body = {
            "fields": list(dict.fromkeys(["id", *rows.fields])),
            "format": "CSV",
            "filter": {"createdAt": {"startAt": render_time(start), "endAt": render_time(end)}},
        }
        answer = await self._client.ask(f"{OPERATION}.create", f"{PATH}/create.json", render_json(body))
        job = answer.only(WireExport)
        await self._client.ask(f"{OPERATION}.enqueue", f"{PATH}/{job.export_id}/enqueue.json", b"")
        return job.export_id

    async def _look(self, export_id: str) -> WireExport:
        answer = await self._client.get(f"{OPERATION}.status", f"{PATH}/{export_id}/status.json")
        return next(iter(answer.rows(WireExport)), WireExport(status="Failed"))

    async def _wait(self, place: Place, extract: ExtractPlace) -> tuple[Page, Place]:
        if extract.polls >= POLLS_MAX:
            return _turn_to_ranges(place)
        await self._clock.sleep(EXTRACT_POLL_S)
        behind = msgspec.structs.replace(place, extract=msgspec.structs.replace(extract, polls=extract.polls + 1))
        return full_page([], behind), behind

    async def _read_part(
        self, place: Place, extract: ExtractPlace, job: WireExport, rows: RowReader
    ) -> tuple[Page, Place]:
        size, offset = self._part_bytes, extract.offset
        while True:
            part = await self._client.download(
                f"{OPERATION}.file", f"{PATH}/{extract.jobs[0]}/file.json", start=offset, size=size
            )
            if part is None or offset + len(part) > job.file_size:
                return _begin_window_again(place, extract)
            is_end = offset + len(part) >= job.file_size
            whole = part if is_end else part[: end_of_records(part)]
            if whole or is_end:
                break
            size *= 2  # a record longer than a part
        readings = rows_of_file(rows, whole, has_header=offset == 0)
        behind = msgspec.structs.replace(
            place, extract=_next_window(extract) if is_end else _further(extract, offset + len(whole))
        )
        return full_page(readings, behind), behind


def full_page(readings: Sequence[Reading], behind: Place) -> Page:
    return Page(
        readings=readings,
        cursor=behind.as_cursor(),
        is_last=False,
        is_full_read=True,
        rows_expected=behind.highest,
    )


def can_be_extracted(rows: RowReader) -> bool:
    return all(kind in EXTRACTABLE for kind in rows.kinds)


def end_of_records(part: bytes) -> int:
    """Where the last record that is whole ends: at a line's end that stands in no quotes; 0 where none does."""
    end = part.rfind(b"\n")
    while end >= 0 and part.count(b'"', 0, end) % 2:
        end = part.rfind(b"\n", 0, end)
    return end + 1


def rows_of_file(rows: RowReader, part: bytes, *, has_header: bool) -> list[Reading]:
    """The readings of a part; the columns come in the order in which they were asked for.

    Raises:
        UnreadableError: it is no such file.
    """
    try:
        return _rows_of_file(rows, part, has_header)
    except (ValueError, csv.Error) as error:
        raise UnreadableError from error


def _rows_of_file(rows: RowReader, part: bytes, has_header: bool) -> list[Reading]:
    names = list(dict.fromkeys(["id", *rows.fields]))
    readers = [_CELLS.get(kind, _text) for kind in rows.kinds]
    columns = [names.index(name) for name in rows.fields]
    lines = csv.reader(io.StringIO(part.decode("utf-8-sig", "replace").replace("\0", ""), newline=""))
    if has_header:
        next(lines, None)
    return [
        Reading(
            RecordId(cells[0]),
            tuple([read(cells[column]) for read, column in zip(readers, columns, strict=True)]),
        )
        for cells in lines
        if len(cells) == len(names)
    ]


def _text(cell: str) -> Value:
    """Empty is the text ``null``; a person of that very name cannot be told from one without a name."""
    return None if cell in ("null", "") else cell


def _number(cell: str) -> Value:
    if cell in ("null", ""):
        return None
    return float(cell) if not cell.lstrip("-").isdigit() else int(cell)


def _boolean(cell: str) -> Value:
    return cell.lower() in ("true", "1")


def _datetime(cell: str) -> Value:
    return as_datetime(_text(cell))


_CELLS: Final[Mapping[FieldKind, Callable[[str], Value]]] = {
    FieldKind.INTEGER: _number,
    FieldKind.NUMBER: _number,
    FieldKind.BOOLEAN: _boolean,
    FieldKind.DATETIME: _datetime,
}


def _windows(extract: ExtractPlace) -> int:
    days = timedelta(seconds=extract.until - extract.since)
    return max(1, -(-days // WINDOW))


def _next_window(extract: ExtractPlace) -> ExtractPlace | None:
    window = extract.window + 1
    if window >= _windows(extract):
        return None
    return ExtractPlace(since=extract.since, until=extract.until, window=window, jobs=extract.jobs[1:])


def _further(extract: ExtractPlace, offset: int) -> ExtractPlace:
    return msgspec.structs.replace(extract, offset=offset, polls=0)


def _begin_window_again(place: Place, extract: ExtractPlace) -> tuple[Page, Place]:
    if extract.failures + 1 >= FAILURES_MAX:
        return _turn_to_ranges(place)
    again = msgspec.structs.replace(extract, jobs=(), offset=0, polls=0, failures=extract.failures + 1)
    behind = msgspec.structs.replace(place, extract=again)
    return full_page([], behind), behind


def _turn_to_ranges(place: Place) -> tuple[Page, Place]:
    behind = msgspec.structs.replace(place, extract=None, next=1)
    return full_page([], behind), behind
