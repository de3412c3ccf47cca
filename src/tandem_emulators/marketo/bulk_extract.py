"""The calls of bulk extract, the same for every family: create, enqueue, status, file, cancel, list (6.3)."""

import re
from collections.abc import Mapping
from typing import Any

from tandem_emulators.marketo.call import Call
from tandem_emulators.marketo.delimited import CSV_HEADERS, checked_format
from tandem_emulators.marketo.envelope import FileReply, Reply
from tandem_emulators.marketo.errors import ApiError, HttpError, invalid, missing_parameter
from tandem_emulators.marketo.extract_jobs import ExportJob, ExportJobs
from tandem_emulators.marketo.extract_members import MemberExtract, ObjectExtract
from tandem_emulators.marketo.extract_rows import ActivityExtract, Extract, LeadExtract
from tandem_emulators.marketo.people import iso
from tandem_emulators.marketo.subscription import Handler, Subscription

STATUSES = {"created", "queued", "processing", "cancelled", "canceled", "completed", "failed"}
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def make_jobs(subscription: Subscription) -> ExportJobs:
    families: dict[str, Extract] = {
        "leads": LeadExtract(subscription),
        "activities": ActivityExtract(subscription),
        "programmembers": MemberExtract(subscription),
        "customobjects": ObjectExtract(subscription),
    }
    return ExportJobs(subscription, families)


class ExtractCalls:
    """The six calls, with the jobs they speak of."""

    def __init__(self, jobs: ExportJobs) -> None:
        self._jobs = jobs

    def create(self, subscription: Subscription, call: Call) -> Reply:
        body = call.body()
        job = self._jobs.create(
            family=_family(call),
            target=_target(call),
            user=call.user,
            format_name=checked_format(str(body.get("format") or "CSV")).upper(),
            fields=_fields(body),
            headers=_headers(body),
            filter_=_filter(body),
            now_s=call.now_s,
        )
        return Reply([_shown(job, call.now_s)])

    def enqueue(self, subscription: Subscription, call: Call) -> Reply:
        return Reply([_shown(self._jobs.enqueue(self._job(call), call.now_s), call.now_s)])

    def cancel(self, subscription: Subscription, call: Call) -> Reply:
        return Reply([_shown(self._jobs.cancel(self._job(call), call.now_s), call.now_s)])

    def status(self, subscription: Subscription, call: Call) -> Reply:
        job = self._job(call)
        return Reply([_shown(job, self._jobs.told_at_s(job, call.now_s))])

    def file(self, subscription: Subscription, call: Call) -> FileReply:
        job = self._find(call)
        content = self._jobs.file(job, call.now_s) if job else None
        if content is None:
            raise HttpError(404, "Not Found")
        return _ranged(content, call.headers.get("range"))

    def list(self, subscription: Subscription, call: Call) -> Reply:
        wanted = {_spelled(name) for name in call.texts("status")}
        after, mark = subscription.position(call.text("nextPageToken"), "exports", call.operation.name, sorted(wanted))
        found = self._jobs.recent(_family(call), _target(call), call.user, call.now_s)
        shown = [
            (job.number, _shown(job, self._jobs.told_at_s(job, call.now_s))) for job in found if job.number > after
        ]
        chosen = [each for each in shown if not wanted or each[1]["status"].lower() in wanted]
        size = call.batch_size()
        page, token = subscription.page(chosen[: size + 1], size, mark, lambda each: each[0])
        return Reply([job for _, job in page], token)

    def _job(self, call: Call) -> ExportJob:
        job = self._find(call)
        if job is None:
            raise ApiError("1013", "Object not found")
        return job

    def _find(self, call: Call) -> ExportJob | None:
        return self._jobs.find(_family(call), _target(call), call.user, call.path["exportId"], call.now_s)


def handlers(jobs: ExportJobs) -> dict[str, Handler]:
    calls = ExtractCalls(jobs)
    named: dict[str, Handler] = {
        "create": calls.create,
        "enqueue": calls.enqueue,
        "cancel": calls.cancel,
        "status": calls.status,
        "file": calls.file,
        "list": calls.list,
    }
    families = ("leads", "activities", "customobjects", "programmembers")
    return {f"bulk.{family}.export.{name}": handler for family in families for name, handler in named.items()}


def _family(call: Call) -> str:
    return call.operation.name.split(".")[1]


def _target(call: Call) -> str:
    return call.path.get("apiName", "")


def _fields(body: Mapping[str, Any]) -> list[str] | None:
    """Absent and null are one: a client that names no fields sends null."""
    fields = body.get("fields")
    if fields is None or (isinstance(fields, list) and all(isinstance(name, str) for name in fields)):
        return fields
    raise invalid("Invalid value for field 'fields'")


def _headers(body: Mapping[str, Any]) -> dict[str, str]:
    headers = body.get("columnHeaderNames") or {}
    if not isinstance(headers, dict) or not all(isinstance(text, str) for text in headers.values()):
        raise invalid("Invalid value for field 'columnHeaderNames'")
    return headers


def _filter(body: Mapping[str, Any]) -> dict[str, Any]:
    filter_ = body.get("filter")
    if not filter_:
        raise missing_parameter("filter")
    if not isinstance(filter_, dict):
        raise invalid("Invalid value for field 'filter'")
    return filter_


def _spelled(status: str) -> str:
    """Both spellings of cancelled are accepted, in any case (6.3, 11)."""
    name = status.lower()
    if name not in STATUSES:
        raise invalid(f"Invalid value for field 'status' and value '{status}'")
    return "cancelled" if name == "canceled" else name


def _shown(job: ExportJob, at_s: float) -> dict[str, Any]:
    """A job as of a moment: what has not happened by then is left out."""
    status = job.status(at_s)
    shown: dict[str, Any] = {
        "exportId": job.id,
        "format": job.format,
        "status": status,
        "createdAt": iso(int(job.created_s)),
    }
    if job.queued_s is not None:
        shown["queuedAt"] = iso(int(job.queued_s))
    if status in ("Processing", "Completed", "Failed") and job.start_s is not None:
        shown["startedAt"] = iso(int(job.start_s))
    if status == "Failed":
        shown["errorMsg"] = job.error
    if status == "Completed" and job.finish_s is not None:
        shown |= {
            "finishedAt": iso(int(job.finish_s)),
            "numberOfRecords": job.records,
            "fileSize": job.size,
            "fileChecksum": job.checksum,
        }
    return shown


def _ranged(content: bytes, stated: str | None) -> FileReply:
    """The whole file, or the range that was asked for; what is no range of bytes is not regarded (RFC 9110)."""
    headers = {**CSV_HEADERS, "accept-ranges": "bytes"}
    found = _RANGE.fullmatch(stated.strip()) if stated else None
    if found is None or found.groups() == ("", ""):
        return FileReply(content, headers=headers)
    first, last = found.groups()
    start = int(first) if first else max(0, len(content) - int(last))
    end = min(int(last) if first and last else len(content) - 1, len(content) - 1)
    if start > end:
        return FileReply(b"", 416, {**headers, "content-range": f"bytes */{len(content)}"})
    return FileReply(content[start : end + 1], 206, {**headers, "content-range": f"bytes {start}-{end}/{len(content)}"})
