"""Extract jobs over the emulator's clock: created, queued, at work, and a file for a week (6.3).

Two work at once, out of one queue for all families. What a file holds is what there was when its job began. The
status is told as of a moment that moves on only once a minute.
"""

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from tandem_emulators.marketo.delimited import render_rows
from tandem_emulators.marketo.errors import ApiError
from tandem_emulators.marketo.extract_rows import Extract, Filter
from tandem_emulators.marketo.limits import day_start_s, local_day, midnight_zone
from tandem_emulators.marketo.subscription import Subscription

AT_WORK_MAX = 2
QUEUED_MAX = 10
FILE_KEPT_S = 7 * 86_400
STATUS_KEPT_S = 30 * 86_400
LISTED_S = 7 * 86_400
_TABLE = """
CREATE TABLE IF NOT EXISTS export_job (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
    family TEXT NOT NULL, target TEXT NOT NULL, user TEXT NOT NULL, format TEXT NOT NULL, request TEXT NOT NULL,
    created_s REAL NOT NULL, queued_s REAL, start_s REAL, finish_s REAL, cancelled INTEGER NOT NULL DEFAULT 0,
    records INTEGER, size INTEGER, checksum TEXT, error TEXT, file BLOB);
CREATE INDEX IF NOT EXISTS export_job_finish ON export_job (finish_s);
"""
_COLUMNS = """number, id, family, target, user, format, created_s, queued_s, start_s, finish_s, cancelled, records,
    size, checksum, error"""


class Order(msgspec.Struct, frozen=True):
    """What a job is to write: columns, the names they have in the file, and which records."""

    fields: list[str]
    header: list[str]
    filter: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ExportJob:
    number: int
    id: str
    family: str
    target: str
    user: str
    format: str
    created_s: float
    queued_s: float | None
    start_s: float | None
    finish_s: float | None
    cancelled: int
    records: int | None
    size: int | None
    checksum: str | None
    error: str | None

    def status(self, at_s: float) -> str:
        if self.cancelled:
            return "Cancelled"
        if self.queued_s is None or self.start_s is None or self.finish_s is None:
            return "Created"
        if at_s < self.start_s:
            return "Queued"
        if self.error is not None:
            return "Failed"
        return "Processing" if at_s < self.finish_s else "Completed"


class ExportJobs:
    def __init__(self, subscription: Subscription, families: Mapping[str, Extract]) -> None:
        self._subscription = subscription
        self._store = subscription.store
        self._families = families
        self._store.db.executescript(_TABLE)
        self._next_start_s = self._find_next_start()

    def create(
        self,
        *,
        family: str,
        target: str,
        user: str,
        format_name: str,
        fields: Sequence[str] | None,
        headers: Mapping[str, str],
        filter_: Filter,
        now_s: float,
    ) -> ExportJob:
        columns = self._families[family].check(target, fields, filter_)
        self._check_quota(now_s)
        order = Order(columns, [headers.get(name, name) for name in columns], dict(filter_))
        number = self._store.number("SELECT max(number) FROM export_job") + 1
        job_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"export/{number}/{now_s}"))
        self._store.run(
            "INSERT INTO export_job (id, family, target, user, format, request, created_s)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (job_id, family, target, user, format_name, msgspec.json.encode(order).decode(), now_s),
        )
        return self._get(job_id)

    def enqueue(self, job: ExportJob, now_s: float) -> ExportJob:
        """Put a created job into the queue.

        Raises:
            ApiError: 1029, it is in there already, the queue is full, or the day's volume is used up.
        """
        if job.queued_s is not None:
            raise ApiError("1029", "Job already queued")
        self._check_quota(now_s)
        waiting = "SELECT count(*) FROM export_job WHERE finish_s > ? AND NOT cancelled"
        if self._store.number(waiting, (now_s,)) >= QUEUED_MAX:
            raise ApiError("1029", "Too many jobs in queue")
        self._store.run("UPDATE export_job SET queued_s = ? WHERE id = ?", (now_s, job.id))
        self._plan(now_s)
        return self._get(job.id)

    def cancel(self, job: ExportJob, now_s: float) -> ExportJob:
        """A job that has begun goes on to its end, whoever cancels it."""
        if job.start_s is None or now_s < job.start_s:
            self._store.run(
                "UPDATE export_job SET cancelled = 1, start_s = NULL, finish_s = NULL WHERE id = ?", (job.id,)
            )
            self._plan(now_s)
        return self._get(job.id)

    def find(self, family: str, target: str, user: str, job_id: str, now_s: float) -> ExportJob | None:
        """Another user's job is none."""
        row = self._store.one(
            f"SELECT {_COLUMNS} FROM export_job WHERE id = ? AND family = ? AND target = ? AND user = ?"
            " AND coalesce(finish_s, created_s) > ?",
            (job_id, family, target, user, now_s - STATUS_KEPT_S),
        )
        return ExportJob(*row) if row else None

    def recent(self, family: str, target: str, user: str, now_s: float) -> list[ExportJob]:
        rows = self._store.rows(
            f"SELECT {_COLUMNS} FROM export_job WHERE family = ? AND target = ? AND user = ? AND created_s > ?"
            " ORDER BY number",
            (family, target, user, now_s - LISTED_S),
        )
        return [ExportJob(*row) for row in rows]

    def file(self, job: ExportJob, now_s: float) -> bytes | None:
        """None before the job is complete, and when the file is too old to be kept."""
        if job.error is not None or job.finish_s is None or not job.finish_s <= now_s < job.finish_s + FILE_KEPT_S:
            return None
        row = self._store.one("SELECT file FROM export_job WHERE id = ?", (job.id,))
        assert row is not None
        content: bytes = row[0]
        return content

    def told_at_s(self, job: ExportJob, now_s: float) -> float:
        """The moment as of which the status is told."""
        step_s = self._subscription.settings.export_status_refresh_s
        if job.queued_s is None or step_s <= 0:
            return now_s
        return job.queued_s + (now_s - job.queued_s) // step_s * step_s

    def catch_up(self, now_s: float) -> None:
        """Write the files of the jobs that have begun, from the data as it is before anything else happens."""
        while self._next_start_s is not None and self._next_start_s <= now_s:
            with self._store.transaction():
                self._write_next()
            self._next_start_s = self._find_next_start()

    def _write_next(self) -> None:
        row = self._store.one(
            "SELECT id, family, target, format, request, start_s FROM export_job"
            " WHERE start_s IS NOT NULL AND file IS NULL ORDER BY start_s, number"
        )
        assert row is not None
        job_id, family, target, format_name, request, start_s = row
        order = msgspec.json.decode(request, type=Order)
        try:
            rows = list(self._families[family].rows(target, order.fields, order.filter, start_s))
        except ApiError as error:  # the list or the object it was made for is gone
            self._store.run("UPDATE export_job SET error = ?, file = '' WHERE id = ?", (error.message, job_id))
            return
        self._subscription.counters.read(len(rows))
        has_header = bool(rows) or self._subscription.settings.export_empty_header
        content = render_rows([order.header, *rows] if has_header else [], format_name.lower())
        checksum = "sha256:" + hashlib.sha256(content).hexdigest()
        self._store.run(
            "UPDATE export_job SET records = ?, size = ?, checksum = ?, file = ? WHERE id = ?",
            (len(rows), len(content), checksum, content, job_id),
        )

    def _find_next_start(self) -> float | None:
        row = self._store.one("SELECT min(start_s) FROM export_job WHERE start_s IS NOT NULL AND file IS NULL")
        return row[0] if row else None

    def _plan(self, now_s: float) -> None:
        """Give every waiting job its start and end: in order, as soon as one of the two workers is free."""
        settings = self._subscription.settings
        begun = "SELECT finish_s FROM export_job WHERE start_s <= ? AND finish_s > ? ORDER BY finish_s"
        free_s = [until_s for (until_s,) in self._store.rows(begun, (now_s, now_s))]
        free_s = [0.0] * (AT_WORK_MAX - len(free_s)) + free_s
        waiting = (
            "SELECT id, queued_s FROM export_job WHERE queued_s IS NOT NULL AND NOT cancelled"
            " AND (start_s IS NULL OR start_s > ?) ORDER BY queued_s, number"
        )
        for job_id, queued_s in list(self._store.rows(waiting, (now_s,))):
            free_s.sort()
            start_s = max(queued_s + settings.export_start_s, free_s[0])
            free_s[0] = start_s + settings.export_run_s
            self._store.run(
                "UPDATE export_job SET start_s = ?, finish_s = ? WHERE id = ?", (start_s, free_s[0], job_id)
            )
        self._next_start_s = self._find_next_start()

    def _check_quota(self, now_s: float) -> None:
        settings = self._subscription.settings
        quota, zone = settings.export_quota_bytes, midnight_zone(settings)
        since_s = day_start_s(local_day(now_s, zone), zone)
        used = self._store.number("SELECT sum(size) FROM export_job WHERE finish_s BETWEEN ? AND ?", (since_s, now_s))
        if used >= quota:
            raise ApiError("1029", f"Export daily quota {quota // 1_000_000}MB exceeded.")

    def _get(self, job_id: str) -> ExportJob:
        row = self._store.one(f"SELECT {_COLUMNS} FROM export_job WHERE id = ?", (job_id,))
        assert row is not None, job_id
        return ExportJob(*row)
