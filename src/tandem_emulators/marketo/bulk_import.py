"""The calls of bulk import: take a file in, tell how far its job is, give back the rows that failed (6.1, 6.2)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
from tandem_emulators.marketo.import_members import MemberImporter, ObjectImporter
from tandem_emulators.marketo.import_rows import LeadImporter
from tandem_emulators.marketo.multipart import malformed, parse_parts
from tandem_emulators.marketo.subscription import Handler, Subscription

FILE_BYTES_MAX = 10_000_000


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


@dataclass(frozen=True, slots=True)
class Family:
    """What differs between the imports: options to keep with the job, and the words of its answers."""

    read_options: Callable[[Subscription, Call, Upload], dict[str, Any]]
    counted: str
    has_import_id: bool


def make_jobs(subscription: Subscription) -> ImportJobs:
    return ImportJobs(
        subscription,
        {
            "leads": lambda target, options: LeadImporter(
                subscription, options["lookupField"], options["listId"], options["partitionName"]
            ),
            "programmembers": lambda target, options: MemberImporter(
                subscription, options["programId"], options["status"]
            ),
            "customobjects": lambda target, options: ObjectImporter(
                subscription, subscription.custom_objects.records(target)
            ),
        },
    )


def handlers(jobs: ImportJobs) -> dict[str, Handler]:
    def take_in(subscription: Subscription, call: Call) -> Reply:
        upload, family = Upload(call), _name(call)
        format_name = checked_format(upload.required("format"))
        options = FAMILIES[family].read_options(subscription, call, upload)
        number = jobs.add(family, _target(call), format_name, options, upload.content, call.now_s)
        return Reply([_head(call, number, "Queued")])

    def status(subscription: Subscription, call: Call) -> Reply:
        state = jobs.state(_name(call), _target(call), call.path_integer("batchId"), call.now_s)
        if state is None:
            raise ApiError("1013", "Object not found")
        return Reply([_shown(call, state)])

    def rejected(column: str) -> Handler:
        return lambda subscription, call: _rejected(jobs, column, call)

    calls: dict[str, Handler] = {
        "import": take_in,
        "import.status": status,
        "import.failures": rejected("failures"),
        "import.warnings": rejected("warnings"),
    }
    return {f"bulk.{family}.{name}": handler for family in FAMILIES for name, handler in calls.items()}


def _lead_options(subscription: Subscription, call: Call, upload: Upload) -> dict[str, Any]:
    partition = upload.text("partitionName")
    if partition is not None:
        subscription.partitions.get(partition)
    return {
        "lookupField": _lookup_field(subscription, upload),
        "listId": _list_id(subscription, upload),
        "partitionName": partition,
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


def _member_options(subscription: Subscription, call: Call, upload: Upload) -> dict[str, Any]:
    program = subscription.programs.get(call.path_integer("programId"))
    status = upload.required("programMemberStatus")
    if program.find_status(status) is None:
        raise invalid(f"Invalid value for field 'programMemberStatus' and value '{status}'")
    return {"programId": program.id, "status": status}


def _object_options(subscription: Subscription, call: Call, upload: Upload) -> dict[str, Any]:
    if subscription.custom_objects.records(_target(call)).kind.crm_managed:
        raise ApiError("1018", "CRM Enabled")
    return {}


FAMILIES = {
    "leads": Family(_lead_options, "numOfLeadsProcessed", has_import_id=True),
    "programmembers": Family(_member_options, "numOfLeadsProcessed", has_import_id=True),
    "customobjects": Family(_object_options, "numOfObjectsProcessed", has_import_id=False),
}


def _name(call: Call) -> str:
    return call.operation.name.split(".")[1]


def _target(call: Call) -> str:
    return call.path.get("apiName", "")


def _head(call: Call, number: int, status: str) -> dict[str, Any]:
    head: dict[str, Any] = {"batchId": number}
    if FAMILIES[_name(call)].has_import_id:
        head["importId"] = str(number)
    head["status"] = status
    return head | {"objectApiName": _target(call)} if _target(call) else head


def _shown(call: Call, state: JobState) -> Mapping[str, Any]:
    """What has not begun has nothing to count, and what goes on has no message yet."""
    shown = _head(call, state.id, state.status)
    if _target(call):
        shown["operation"] = "import"
    if state.status == "Queued":
        return shown
    shown |= {
        FAMILIES[_name(call)].counted: state.tally.imported,
        "numOfRowsFailed": state.tally.failed,
        "numOfRowsWithWarning": state.tally.warned,
    }
    if state.status in ("Complete", "Failed"):
        shown["message"] = state.tally.message()
        if _target(call):
            shown["importTime"] = f"{state.seconds} second(s)"
    return shown


def _rejected(jobs: ImportJobs, column: str, call: Call) -> FileReply:
    content = jobs.rejected_rows(column, _name(call), _target(call), call.path_integer("batchId"), call.now_s)
    if content is None:
        raise HttpError(404, "Not Found")
    return FileReply(content, headers=dict(CSV_HEADERS))
