"""The calls of bulk import: take a file in, tell how far its job is, give back the rows that failed (6.1, 6.2)."""

from collections.abc import Mapping
from typing import Any

from tandem_emulators.marketo.call import Call, as_integer
from tandem_emulators.marketo.delimited import CSV_HEADERS, checked_format
from tandem_emulators.marketo.envelope import FileReply, Reply
from tandem_emulators.marketo.errors import (
    ApiError,
    HttpError,
    field_not_found,
    field_not_supported,
    invalid,
    missing_parameter,
)
from tandem_emulators.marketo.import_jobs import ImportJobs, JobState
from tandem_emulators.marketo.import_rows import LeadImporter
from tandem_emulators.marketo.multipart import malformed, parse_parts
from tandem_emulators.marketo.subscription import Handler, Subscription

FILE_BYTES_MAX = 10_000_000
LEADS = "leads"


def make_jobs(subscription: Subscription) -> ImportJobs:
    return ImportJobs(
        subscription,
        {LEADS: lambda target, options: LeadImporter(subscription, options["lookupField"], options["listId"])},
    )


class Upload:
    """The parameters of an import, from query and form alike, and its file."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._parts = parse_parts(call.content_type, call.raw_body)
        if "file" not in self._parts:
            raise malformed()
        self.content = self._parts["file"].content
        if len(self.content) > FILE_BYTES_MAX:
            raise HttpError(413, "Request Entity Too Large")

    def text(self, name: str) -> str | None:
        part = self._parts.get(name)
        return self._call.text(name) or (part.content.decode("utf-8", "replace").strip() or None if part else None)

    def required(self, name: str) -> str:
        value = self.text(name)
        if value is None:
            raise missing_parameter(name)
        return value

    def format(self) -> str:
        return checked_format(self.required("format"))


def handlers(jobs: ImportJobs) -> dict[str, Handler]:
    def import_leads(subscription: Subscription, call: Call) -> Reply:
        upload = Upload(call)
        options = {"lookupField": _lookup_field(subscription, upload), "listId": _list_id(subscription, upload)}
        _check_partition(subscription, upload)
        number = jobs.add(LEADS, "", upload.format(), options, upload.content, call.now_s)
        return Reply([{"batchId": number, "importId": str(number), "status": "Queued"}])

    def lead_status(subscription: Subscription, call: Call) -> Reply:
        return Reply([_shown(_state(jobs, LEADS, "", call), "numOfLeadsProcessed")])

    def rejected(column: str) -> Handler:
        return lambda subscription, call: _rejected(jobs, column, LEADS, "", call)

    return {
        "bulk.leads.import": import_leads,
        "bulk.leads.import.status": lead_status,
        "bulk.leads.import.failures": rejected("failures"),
        "bulk.leads.import.warnings": rejected("warnings"),
    }


def _lookup_field(subscription: Subscription, upload: Upload) -> str:
    name = upload.text("lookupField") or "email"
    if subscription.fields.is_searchable(name) and name != "leadPartitionId":
        return name
    raise field_not_supported(name) if subscription.fields.find_exact(name) else field_not_found(name)


def _list_id(subscription: Subscription, upload: Upload) -> int | None:
    stated = upload.text("listId")
    if stated is None:
        return None
    number = as_integer(stated)
    if subscription.store.one("SELECT 1 FROM list WHERE id = ?", (number,)) is None:
        raise invalid(f"Invalid value for field 'listId' and value '{stated}'")
    return number


def _check_partition(subscription: Subscription, upload: Upload) -> None:
    name = upload.text("partitionName")
    if name is not None:
        subscription.partitions.get(name)


def _state(jobs: ImportJobs, family: str, target: str, call: Call) -> JobState:
    found = jobs.state(family, target, call.path_integer("batchId"), call.now_s)
    if found is None:
        raise ApiError("1013", "Object not found")
    return found


def _shown(state: JobState, counted: str) -> Mapping[str, Any]:
    head: dict[str, Any] = {"batchId": state.id, "importId": str(state.id), "status": state.status}
    if state.status == "Queued":
        return head
    head |= {
        counted: state.tally.imported,
        "numOfRowsFailed": state.tally.failed,
        "numOfRowsWithWarning": state.tally.warned,
    }
    return head | {"message": state.tally.message()} if state.status == "Complete" else head


def _rejected(jobs: ImportJobs, column: str, family: str, target: str, call: Call) -> FileReply:
    content = jobs.rejected_rows(column, family, target, call.path_integer("batchId"), call.now_s)
    if content is None:
        raise HttpError(404, "Not Found")
    return FileReply(content, headers=dict(CSV_HEADERS))
