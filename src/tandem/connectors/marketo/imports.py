"""Many writes as one file: bulk import, and its outcome row by row.

An import can only upsert and a blank cell may or may not clear, so a file holds what is safe in it: updates by ``id``
that write the same fields, none of them empty, and creates by a key of ours that was looked for right before and that
nobody carries. Whatever else was handed over goes by sync calls.

A file tells only which rows failed. The others are done; the ids of created people are read by their key. What cannot
be learned (the answer to the upload, the job's state, its failures) leaves the outcome of all rows unknown.
"""

import csv
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from tandem.connectors.marketo.client import MarketoClient
from tandem.connectors.marketo.costs import FILE_MAX, POLL_S, ImportEstimate
from tandem.connectors.marketo.errors import result_of_row
from tandem.connectors.marketo.partitions import fields_of, partition_of
from tandem.connectors.marketo.reader import find_records
from tandem.connectors.marketo.wire import RowReader, UnreadableError, WireImport, render_multipart
from tandem.connectors.marketo.writer import KeysInFlight, Writer, key_of
from tandem.core.errors import RejectedError, RemoteError, TransientError, UnknownOutcomeError
from tandem.core.plan import ActionKind
from tandem.core.record import PERSON, RecordId, Side, Value
from tandem.ports import Clock, Stale, Taken, Write, WriteResult, Written

PATH: Final = "/bulk/v1/leads"
OPERATION: Final = "bulk.leads.import"
FIRST_POLL_S: Final = 5.0
NOT_OUR_KEYS: Final = frozenset({None, "email"})
"""A file upserts: people are never created by one with an address as their key."""

FAILURE_COLUMN: Final = "Import Failure Reason"

_Results = dict[int, WriteResult]
"""By the place of the write."""


class Importer:
    def __init__(
        self,
        client: MarketoClient,
        clock: Clock,
        writer: Writer,
        estimate: ImportEstimate,
        keys: KeysInFlight,
        *,
        rows_min: int,
        patience_s: float,
    ) -> None:
        self._rows_min = rows_min
        self._client = client
        self._clock = clock
        self._writer = writer
        self._estimate = estimate
        self._keys = keys
        self._patience_s = patience_s

    async def write(self, writes: Sequence[Write], labels: Mapping[str, str]) -> list[WriteResult]:
        """`labels` are the names of fields by their labels, for the reasons of failed rows."""
        places = fit_for_file(writes, self._rows_min)
        results = await self._write_file(writes, places, labels) if places else {}
        rest = [place for place in range(len(writes)) if place not in results]
        written = await self._writer.write_many(PERSON, [writes[place] for place in rest], may_raise=not results)
        results |= dict(zip(rest, written, strict=True))
        return [results[place] for place in range(len(writes))]

    async def _write_file(self, writes: Sequence[Write], places: Sequence[int], labels: Mapping[str, str]) -> _Results:
        """The fates of the rows that went into a file; none where Marketo takes no file now."""
        first = writes[places[0]]
        if first.kind is ActionKind.UPDATE:
            return await self._import(writes, places, "id", labels)
        assert first.lookup is not None
        keys = {place: key for place in places if (key := key_of(PERSON, writes[place])) is not None}
        async with self._keys.held(set(keys.values())):
            taken = await self._find(first.lookup, [writes[place].values[first.lookup] for place in places])
            free = [place for place in places if keys[place][2] not in taken]
            results: _Results = {place: Taken() for place in places if keys[place][2] in taken}
            if free:
                results |= await self._import(writes, free, first.lookup, labels)
            return results

    async def _import(
        self, writes: Sequence[Write], places: Sequence[int], lookup: str, labels: Mapping[str, str]
    ) -> _Results:
        body, count = render_file([writes[place] for place in places], lookup)
        sent, unsent = places[:count], places[count:]
        self._estimate.note_rows(count, len(body))
        began = self._clock.now()
        try:
            number = await self._upload(body, lookup, partition_of(writes))
        except (TransientError, RejectedError):  # ten jobs wait (1016), or no imports here: nothing was written
            return {}
        try:
            job = await self._finish(number, began, count)
            failures = await self._fetch_failures(number, job, lookup)
            made = await self._fetch_made(writes, sent, lookup, failures)
        except UnknownOutcomeError:
            raise
        except RemoteError as error:
            raise _unknown(f"its job cannot be followed ({error.code})") from error
        self._estimate.note_job(count, (self._clock.now() - began).total_seconds())
        kind = writes[places[0]].kind
        results: _Results = {place: Stale() for place in unsent}
        for place in sent:
            key = file_key(writes[place], lookup)
            results[place] = result_of_row(kind, failures[key], labels) if key in failures else Written(made[key])
        return results

    async def _upload(self, body: bytes, lookup: str, partition: str | None) -> int:
        content_type, multipart = render_multipart("people.csv", body)
        params = {"format": "csv", "lookupField": lookup} | ({"partitionName": partition} if partition else {})
        answer = await self._client.upload(OPERATION, f"{PATH}.json", params, content_type, multipart)
        jobs = answer.rows(WireImport)
        if not jobs:
            raise _unknown("its answer names no job")
        return jobs[0].batch_id

    async def _finish(self, number: int, began: datetime, count: int) -> WireImport:
        """The job once it is over, looked at more and more seldom."""
        deadline, wait_s = began + timedelta(seconds=self._patience_s), FIRST_POLL_S
        while self._clock.now() < deadline:
            await self._clock.sleep(wait_s)
            wait_s = min(POLL_S, wait_s * 1.5)
            job = await self._look(number)
            if job is not None and job.status.lower() == "complete":
                if count not in (job.processed, job.processed + job.failed):
                    raise _unknown(f"its job tells of {job.processed} of {count} rows")
                return job
            if job is not None and job.status.lower() == "failed":
                raise _unknown("its job failed as a whole")
        raise _unknown(f"its job was not done within {self._patience_s:.0f} s")

    async def _look(self, number: int) -> WireImport | None:
        try:
            answer = await self._client.get(f"{OPERATION}.status", f"{PATH}/batch/{number}.json")
        except TransientError:  # the job goes on without us
            return None
        return next(iter(answer.rows(WireImport)), None)

    async def _fetch_failures(self, number: int, job: WireImport, lookup: str) -> dict[str, str]:
        """The reason of each failed row by its key."""
        if not job.failed:
            return {}
        file = await self._client.download(f"{OPERATION}.failures", f"{PATH}/batch/{number}/failures.json")
        failures = parse_failures(file or b"", lookup)
        if len(failures) != job.failed:
            raise _unknown(f"its job tells of {job.failed} failed rows, its file of {len(failures)}")
        return failures

    async def _fetch_made(
        self, writes: Sequence[Write], places: Sequence[int], lookup: str, failures: Mapping[str, str]
    ) -> dict[str, RecordId]:
        """The ids of the rows that did not fail, by key."""
        done = [place for place in places if file_key(writes[place], lookup) not in failures]
        if lookup == "id":
            return {file_key(writes[place], lookup): _id_of(writes[place]) for place in done}
        made = await self._find(lookup, [writes[place].values[lookup] for place in done])
        if missing := sum(file_key(writes[place], lookup) not in made for place in done):
            raise _unknown(f"{missing} of its people are not found by {lookup}")
        return made

    async def _find(self, field: str, values: Sequence[Value]) -> dict[str, RecordId]:
        """Who carries which of the keys; the lowest id where several do."""
        found = await find_records(self._client, PERSON, RowReader([field], {}), field, values)
        ordered = sorted(found, key=lambda reading: int(reading.id), reverse=True)
        return {_folded(reading.values[0]): reading.id for reading in ordered}


def fit_for_file(writes: Sequence[Write], rows_min: int) -> list[int]:
    """The places of the writes that one file can hold; none where fewer than `rows_min` would go into it."""
    if writes[0].kind is ActionKind.CREATE:
        lookup = writes[0].lookup
        if lookup in NOT_OUR_KEYS:
            return []
        places = [place for place, write in enumerate(writes) if lookup and write.values.get(lookup) is not None]
        keys = {_folded(writes[place].values[lookup or ""]) for place in places}
        return places if len(keys) == len(places) >= rows_min else []
    groups: dict[frozenset[str], list[int]] = defaultdict(list)
    for place, write in enumerate(writes):
        if None not in write.values.values():
            groups[frozenset(write.values)].append(place)
    largest = max(groups.values(), key=len, default=[])
    return largest if len(largest) >= rows_min else []


def render_file(writes: Sequence[Write], lookup: str) -> tuple[bytes, int]:
    """The file, and how many of the writes, from the first, are in it."""
    fields = list(dict.fromkeys(name for write in writes for name in fields_of(write) if name != lookup))
    count = len(writes)
    while True:
        text = io.StringIO()
        rows = csv.writer(text)
        rows.writerow([lookup, *fields])
        for write in writes[:count]:
            key = write.id if lookup == "id" else write.values[lookup]
            rows.writerow([key, *[_cell(value) for value in map(write.values.get, fields)]])
        body = text.getvalue().encode()
        if len(body) <= FILE_MAX:
            return body, count
        count = max(1, count * FILE_MAX // len(body) - 1)


def _cell(value: Value) -> Value:
    """As the file shows it: None is a blank cell."""
    return "true" if value is True else "false" if value is False else value


def parse_failures(body: bytes, lookup: str) -> dict[str, str]:
    """Raises UnreadableError."""
    rows = csv.DictReader(io.StringIO(body.decode("utf-8-sig", "replace"), newline=""))
    try:
        return {_folded(row[lookup]): row.get(FAILURE_COLUMN) or "" for row in rows if row.get(lookup)}
    except csv.Error as error:
        raise UnreadableError from error


def file_key(write: Write, lookup: str) -> str:
    return _folded(write.id if lookup == "id" else write.values[lookup])


def _id_of(write: Write) -> RecordId:
    assert write.id is not None, "an update names its record"
    return write.id


def _folded(value: Value) -> str:
    return str(value).strip().lower()


def _unknown(text: str) -> UnknownOutcomeError:
    return UnknownOutcomeError(
        f"What became of a bulk import to Marketo is not known: {text}.", side=Side.MARKETING, operation=OPERATION
    )
