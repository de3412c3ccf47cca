"""Import jobs over the emulator's clock: two at work, first come first served, ten at most (6.1).

A job's start and end are known when it is taken in, from the jobs before it and a speed that is a switch. Its rows
land as its time passes, each at its own moment, so a reader finds half of them half-way. A restart on the same file
begins an unfinished job anew: an import only ever creates or updates.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tandem_emulators.marketo.delimited import parse_rows, render_rows
from tandem_emulators.marketo.errors import ApiError, invalid
from tandem_emulators.marketo.import_rows import Importer, Outcome
from tandem_emulators.marketo.subscription import Subscription

AT_WORK_MAX = 2
JOBS_MAX = 10
KEPT_S = 7 * 86_400
SLICE = 300
_TABLE = """
CREATE TABLE IF NOT EXISTS import_job (id INTEGER PRIMARY KEY AUTOINCREMENT, family TEXT NOT NULL, target TEXT NOT NULL,
    format TEXT NOT NULL, options TEXT NOT NULL, content BLOB NOT NULL, created_s REAL NOT NULL, start_s REAL NOT NULL,
    finish_s REAL NOT NULL, outcome TEXT, failures BLOB, warnings BLOB);
CREATE INDEX IF NOT EXISTS import_job_finish ON import_job (finish_s);
"""


@dataclass(slots=True)
class Tally:
    """How far a job has come."""

    imported: int = 0
    failed: int = 0
    warned: int = 0
    members: int = 0
    error: str | None = None  # what it was given up for

    def message(self) -> str:
        if self.error is not None:
            return self.error
        counted = f"{self.imported} records imported ({self.members} members)"
        if self.failed:
            return f"Import completed with errors, {counted}, {self.failed} failed"
        return f"Import succeeded, {counted}" + (f", {self.warned} warning." if self.warned else "")


@dataclass(frozen=True, slots=True)
class JobState:
    id: int
    status: str
    tally: Tally
    seconds: int


@dataclass(slots=True)
class _Running:
    """A job whose rows are not all written."""

    id: int
    format: str
    start_s: float
    finish_s: float
    header: list[str]
    rows: list[list[str]]
    importer: Importer
    tally: Tally = field(default_factory=Tally)
    done: int = 0
    members: set[int | str] = field(default_factory=set)
    failures: list[list[str]] = field(default_factory=list)
    warnings: list[list[str]] = field(default_factory=list)

    def due(self, now_s: float) -> int:
        if now_s >= self.finish_s:
            return len(self.rows)
        share = (now_s - self.start_s) / (self.finish_s - self.start_s)
        return max(0, int(len(self.rows) * share))

    def moment_s(self) -> float:
        """When the next row lands."""
        return self.start_s + (self.finish_s - self.start_s) * self.done / max(1, len(self.rows))

    def take(self, row: list[str], outcome: Outcome) -> None:
        if outcome.failure is not None:
            self.tally.failed += 1
            self.failures.append([*row, outcome.failure])
            return
        self.tally.imported += 1
        if outcome.member is not None:
            self.members.add(outcome.member)
            self.tally.members = len(self.members)
        if outcome.warning is not None:
            self.tally.warned += 1
            self.warnings.append([*row, outcome.warning])


MakeImporter = Callable[[str, Mapping[str, Any]], Importer]  # of a target and the options of the job


class ImportJobs:
    def __init__(self, subscription: Subscription, families: Mapping[str, MakeImporter]) -> None:
        self._subscription = subscription
        self._store = subscription.store
        self._families = families
        self._store.db.executescript(_TABLE)
        self._running: dict[int, _Running] = {}
        for row in self._store.rows(
            "SELECT id, family, target, format, options, content, start_s, finish_s FROM import_job"
            " WHERE outcome IS NULL ORDER BY id"
        ):
            number, family, target, format_name, options, content, *times = row
            try:
                self._begin(number, family, target, format_name, options, parse_rows(content, format_name), *times)
            except ApiError as error:  # what it imports into is gone
                given_up = Tally(error=f"Import failed: {error.message}")
                self._store.run("UPDATE import_job SET outcome = ? WHERE id = ?", (_stored(given_up), number))

    def add(
        self, family: str, target: str, format_name: str, options: Mapping[str, Any], content: bytes, now_s: float
    ) -> int:
        """Take a file in; the id of its job.

        Raises:
            ApiError: 1003 for a file without a row, 1016 when there are ten jobs, 1019 when one is filling that list.
        """
        rows = parse_rows(content, format_name)
        if len(rows) < 2:
            raise invalid("Empty file")
        self._check_room(options.get("listId"), now_s)
        start_s, finish_s = self._plan(len(rows) - 1, now_s)
        kept = msgspec.json.encode(options).decode()
        number = self._store.run(
            "INSERT INTO import_job (family, target, format, options, content, created_s, start_s, finish_s)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (family, target, format_name, kept, content, now_s, start_s, finish_s),
        )
        self._begin(number, family, target, format_name, kept, rows, start_s, finish_s)
        return number

    def state(self, family: str, target: str, number: int, now_s: float) -> JobState | None:
        row = self._store.one(
            "SELECT start_s, finish_s, outcome FROM import_job"
            " WHERE id = ? AND family = ? AND target = ? AND created_s > ?",
            (number, family, target, now_s - KEPT_S),
        )
        if row is None:
            return None
        start_s, finish_s, outcome = row
        running = self._running.get(number)
        tally = running.tally if running else msgspec.json.decode(outcome, type=Tally)
        status = "Queued" if now_s < start_s else "Importing" if now_s < finish_s else "Complete"
        if tally.error is not None:
            status = "Failed"
        return JobState(number, status, tally, max(1, round(min(now_s, finish_s) - start_s)))

    def rejected_rows(self, column: str, family: str, target: str, number: int, now_s: float) -> bytes | None:
        """The file of failures or of warnings; None when the job has none, or not yet."""
        row = self._store.one(
            f"SELECT {column} FROM import_job WHERE id = ? AND family = ? AND target = ? AND created_s > ?",
            (number, family, target, now_s - KEPT_S),
        )
        return row[0] if row else None

    def catch_up(self, now_s: float) -> None:
        """Write the rows that are due."""
        for job in list(self._running.values()):
            if now_s < job.start_s:
                continue
            try:
                with self._store.transaction():
                    self._advance(job, job.due(now_s))
                    if now_s >= job.finish_s:
                        self._end(job)
            except ApiError as error:  # its list, say, is gone
                job.tally.error = f"Import failed: {error.message}"
                self._end(job)

    def _advance(self, job: _Running, due: int) -> None:
        while job.done < due:
            chosen = job.rows[job.done : min(due, job.done + SLICE)]
            self._subscription.counters.written(len(chosen))
            read = [dict(zip(job.header, row, strict=False)) for row in chosen]
            for row, outcome in zip(chosen, job.importer.write(read, job.moment_s()), strict=True):
                job.take(row, outcome)
            job.done += len(chosen)

    def _end(self, job: _Running) -> None:
        self._store.run(
            "UPDATE import_job SET outcome = ?, failures = ?, warnings = ?, content = '' WHERE id = ?",
            (
                _stored(job.tally),
                _file(job, job.failures, "Import Failure Reason"),
                _file(job, job.warnings, "Import Warning Reason"),
                job.id,
            ),
        )
        del self._running[job.id]

    def _begin(
        self,
        number: int,
        family: str,
        target: str,
        format_name: str,
        options: str,
        content: list[list[str]],
        start_s: float,
        finish_s: float,
    ) -> None:
        header, *rows = content
        importer = self._families[family](target, msgspec.json.decode(options))
        self._running[number] = _Running(number, format_name, start_s, finish_s, header, rows, importer)

    def _check_room(self, list_id: int | None, now_s: float) -> None:
        unfinished = list(
            self._store.rows("SELECT options FROM import_job WHERE finish_s > ?", (now_s,)),
        )
        if len(unfinished) >= JOBS_MAX:
            raise ApiError("1016", f"There are {JOBS_MAX} imports currently being processed. Please try again later")
        busy = {msgspec.json.decode(options).get("listId") for (options,) in unfinished}
        if list_id is not None and list_id in busy:
            raise ApiError("1019", "Import in progress")

    def _plan(self, rows: int, now_s: float) -> tuple[float, float]:
        """Start and end: as soon as one of the two workers is free."""
        settings = self._subscription.settings
        busy = [
            until_s
            for (until_s,) in self._store.rows(
                "SELECT finish_s FROM import_job WHERE finish_s > ? ORDER BY finish_s DESC LIMIT ?",
                (now_s, AT_WORK_MAX),
            )
        ]
        free_s = busy[-1] if len(busy) == AT_WORK_MAX else now_s
        start_s = max(now_s + settings.import_start_s, free_s)
        return start_s, start_s + rows / settings.import_rows_per_s


def _file(job: _Running, rows: list[list[str]], column: str) -> bytes | None:
    return render_rows([[*job.header, column], *rows], job.format) if rows else None


def _stored(tally: Tally) -> str:
    return msgspec.json.encode(tally).decode()
