"""The calls about program members: describe, query, status, data, delete, and memberships seen from leads (3.8)."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from tandem_emulators.marketo.call import Call, as_integer
from tandem_emulators.marketo.envelope import Reply
from tandem_emulators.marketo.errors import ApiError, SkipError, field_not_found, invalid, lead_not_found
from tandem_emulators.marketo.fields import Field, convert
from tandem_emulators.marketo.lead_read import filter_values, lookup_key
from tandem_emulators.marketo.objects import TYPES_SINCE_S
from tandem_emulators.marketo.people import Author, iso
from tandem_emulators.marketo.program_writer import ProgramWriter
from tandem_emulators.marketo.programs import Member, Program
from tandem_emulators.marketo.subscription import Handler, Subscription

DEFAULT_FIELDS = ("acquiredBy", "leadId", "membershipDate", "programId", "reachedSuccess")
RANGE_DAYS_MAX = 7
_NAME = "API Program Membership"


def describe(subscription: Subscription, call: Call) -> Reply:
    """The superseded form: fields only."""
    return Reply([{"name": _NAME, "fields": _described_fields(subscription)}])


def describe2(subscription: Subscription, call: Call) -> Reply:
    searchable = sorted(field.name for field in subscription.programs.fields if _is_searchable(field))
    head = {
        "name": _NAME,
        "description": "Map for API program membership fields",
        "createdAt": iso(TYPES_SINCE_S),
        "updatedAt": iso(TYPES_SINCE_S),
        "dedupeFields": ["leadId", "programId"],
        "searchableFields": [[name] for name in searchable],
    }
    return Reply([head | {"fields": _described_fields(subscription)}])


def _described_fields(subscription: Subscription) -> list[dict[str, Any]]:
    """Read-only ones first, each kind by name; a display name is the name here, as in Adobe's answer."""
    fields = [field for field in subscription.programs.fields if not field.is_hidden]
    return [_described(field) for field in sorted(fields, key=lambda field: (not field.read_only, field.name))]


def _described(field: Field) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": field.name, "displayName": field.name, "dataType": field.described_type}
    if field.length is not None:
        shown["length"] = field.length
    return {**shown, "updateable": not field.read_only, "crmManaged": False}


def _is_searchable(field: Field) -> bool:
    return field.searchable and (not field.is_custom or field.data_type in ("string", "integer"))


def query(subscription: Subscription, call: Call) -> Reply:
    program = program_of(subscription, call)
    name, wanted = _filter(subscription, call, program)
    names = _shown_fields(subscription, call)
    after, mark = subscription.position(call.text("nextPageToken"), "programMembers", program.id, name, names)
    size = call.batch_size()
    found: list[Member] = []
    for member in subscription.programs.members_after(program.id, after):
        if wanted(member):
            found.append(member)
        if len(found) > size:
            break
    page, token = subscription.page(found, size, mark, lambda member: member.id)
    subscription.counters.read(len(page))
    views = [subscription.programs.view(program, member, names) for member in page]
    return Reply([{"seq": seq, **view} for seq, view in enumerate(views)], token, token is not None)


def _filter(subscription: Subscription, call: Call, program: Program) -> tuple[str, Callable[[Member], bool]]:
    name = call.text("filterType")
    if name is None:
        raise invalid("filterType not specified")
    if name == "updatedAt":
        start_s, end_s = _range(call)
        _check_size(subscription, program)
        return f"{start_s}-{end_s}", lambda member: start_s <= member.updated_s <= end_s
    field = subscription.programs.fields.find_exact(name)
    if field is None or not _is_searchable(field):
        raise invalid(f"Invalid filterType '{name}'")
    values = filter_values(call)
    if name == "leadId":
        ids = frozenset(as_integer(value) for value in values)
        return f"leadId {sorted(ids)}", lambda member: member.lead_id in ids
    _check_size(subscription, program)
    keys = frozenset(_key(field, value) for value in values)
    return f"{name} {sorted(keys)}", lambda member: (member.values.get(name) or _nothing(field)) in keys


def _key(field: Field, value: str) -> Any:
    return value.lower() == "true" if field.data_type == "boolean" else lookup_key(field, field.name, value)


def _nothing(field: Field) -> Any:
    return False if field.data_type == "boolean" else None


def _range(call: Call) -> tuple[int, int]:
    start, end = (instant(name, call.required(name)) for name in ("startAt", "endAt"))
    if not start <= end <= start + RANGE_DAYS_MAX * 86_400:
        raise invalid(f"The date range from startAt to endAt must be {RANGE_DAYS_MAX} days or fewer")
    return start, end


def instant(name: str, text: str) -> int:
    try:
        at = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text.strip())
        return int((at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError) as error:
        raise invalid(f"Invalid value for field '{name}' and value '{text}'") from error


def _check_size(subscription: Subscription, program: Program) -> None:
    limit, size = subscription.settings.program_members_max, subscription.programs.count_members(program.id)
    if size > limit:
        raise invalid(f"Total membership size: {size:,} exceeds the limit allowed {limit:,} for the filter")


def _shown_fields(subscription: Subscription, call: Call) -> list[str]:
    names = call.texts("fields")
    for name in names:
        if subscription.programs.fields.find_exact(name) is None:
            raise field_not_found(name)
    return list(dict.fromkeys(names)) or list(DEFAULT_FIELDS)


def sync_status(subscription: Subscription, call: Call) -> Reply:
    """Members move forward, people who are no members become some."""
    program, body = program_of(subscription, call), call.body()
    name = body.get("statusName")
    if not isinstance(name, str) or not name:
        raise invalid("statusName not specified")
    writer = writer_of(subscription, call, "syncProgramMemberStatus", program)
    status = program.find_status(name)

    def move(lead_id: int, raw: Mapping[str, Any], member: Member | None) -> str:
        if status is None:
            raise SkipError("1025", "Program status not found")
        return writer.progress(lead_id, member, status)

    return _each(subscription, call, program, writer, body, move)


def sync_data(subscription: Subscription, call: Call) -> Reply:
    program, body = program_of(subscription, call), call.body()
    writer = writer_of(subscription, call, "syncProgramMemberData", program)

    def write(lead_id: int, raw: Mapping[str, Any], member: Member | None) -> str:
        if member is None:
            raise SkipError("1013", "Membership not found")
        writer.write(member, member_values(subscription, raw))
        return "updated"

    return _each(subscription, call, program, writer, body, write)


def member_values(subscription: Subscription, raw: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a member's own fields in stored form.

    Raises:
        SkipError: a field is unknown, not updateable or does not take its value.
    """
    values: dict[str, Any] = {}
    for name, value in raw.items():
        if name == "leadId":
            continue
        field = subscription.programs.fields.find_exact(name)
        if field is None:
            raise SkipError("1006", f"Field '{name}' not found")
        if field.read_only:
            raise SkipError("1011", f"Field '{name}' not supported")
        values[name] = convert(field, value, subscription.rules())
    return values


def delete(subscription: Subscription, call: Call) -> Reply:
    program, body = program_of(subscription, call), call.body()
    writer = writer_of(subscription, call, "deleteProgramMember", program)

    def leave(lead_id: int, raw: Mapping[str, Any], member: Member | None) -> str:
        if member is None:
            raise SkipError("1037", "Lead not in program")
        writer.leave(member)
        return "deleted"

    return _each(subscription, call, program, writer, body, leave)


def _each(
    subscription: Subscription,
    call: Call,
    program: Program,
    writer: ProgramWriter,
    body: Mapping[str, Any],
    change: Callable[[int, Mapping[str, Any], Member | None], str],
) -> Reply:
    """Answer each record of a batch in its place; a skipped one carries no lead id."""
    records = call.input(body)
    subscription.counters.written(len(records))
    results: list[dict[str, Any]] = []
    for seq, raw in enumerate(records):
        try:
            lead_id = lead_id_of(subscription, raw.get("leadId"))
            status = change(lead_id, raw, subscription.programs.members(program.id, [lead_id]).get(lead_id))
            results.append({"seq": seq, "status": status, "leadId": lead_id})
        except SkipError as skip:
            results.append(skip.as_result(seq=seq))
    writer.flush()
    return Reply(results)


def lead_id_of(subscription: Subscription, value: Any) -> int:
    if value is None:
        raise SkipError("1002", "Missing value for the required parameter 'leadId'")
    try:
        number = as_integer(str(value))
    except ApiError as error:
        raise SkipError(error.code, error.message) from error
    if number not in subscription.leads.find("id", [number]):
        raise lead_not_found()
    return number


def program_of(subscription: Subscription, call: Call) -> Program:
    return subscription.programs.get(call.path_integer("programId"))


def writer_of(subscription: Subscription, call: Call, method: str, program: Program) -> ProgramWriter:
    author: Author = subscription.author(call, method)
    return ProgramWriter(subscription, program, author, call.now_s)


HANDLERS: dict[str, Handler] = {
    "programmembers.describe": describe,
    "programmembers.describe2": describe2,
    "programmembers.query": query,
    "programmembers.status": sync_status,
    "programmembers.sync": sync_data,
    "programmembers.delete": delete,
}
