"""Memberships seen from leads, and the superseded call that moves members by lead (3.2, 3.8)."""

from collections.abc import Mapping
from typing import Any

from tandem_emulators.marketo.call import Call, as_integer
from tandem_emulators.marketo.envelope import Reply
from tandem_emulators.marketo.errors import ApiError, SkipError, invalid
from tandem_emulators.marketo.lead_end import input_ids
from tandem_emulators.marketo.lead_read import filter_values, render, requested_fields
from tandem_emulators.marketo.people import iso
from tandem_emulators.marketo.program_calls import instant, lead_id_of, program_of, writer_of
from tandem_emulators.marketo.program_writer import ProgramWriter
from tandem_emulators.marketo.programs import NOT_IN_PROGRAM, Member, Program, Status
from tandem_emulators.marketo.subscription import Handler, Subscription


def change_status(subscription: Subscription, call: Call) -> Reply:
    """The superseded call: members only, any status of the channel, and out of the program with its name."""
    program, body = program_of(subscription, call), call.body()
    name = body.get("status")
    if not isinstance(name, str) or not name:
        raise invalid("status not specified")
    ids = input_ids(call)
    subscription.counters.written(len(ids))
    writer = writer_of(subscription, call, "changeLeadProgramStatus", program)
    members = subscription.programs.members(program.id, [number for number in ids if isinstance(number, int)])
    results = [_changed(subscription, writer, program, members, number, name) for number in ids]
    writer.flush()
    return Reply(results)


def _changed(
    subscription: Subscription,
    writer: ProgramWriter,
    program: Program,
    members: Mapping[int, Member],
    number: int | SkipError,
    name: str,
) -> dict[str, Any]:
    try:
        lead_id = lead_id_of(subscription, number) if isinstance(number, int) else number
        if isinstance(lead_id, SkipError):
            raise lead_id
        if lead_id not in members:
            raise SkipError("1037", "Lead not in program")
        if name == NOT_IN_PROGRAM:
            writer.leave(members[lead_id])
        else:
            writer.progress(lead_id, members[lead_id], _status(program, name))
    except SkipError as skip:
        return skip.as_result(**({"id": number} if isinstance(number, int) else {}))
    return {"id": number, "status": "updated"}


def _status(program: Program, name: str) -> Status:
    found = program.find_status(name)
    if found is None:
        raise SkipError("1025", "Program status not found")
    return found


def leads_of_program(subscription: Subscription, call: Call) -> Reply:
    program = program_of(subscription, call)
    names = [name for name in call.texts("fields") if name != "membership"]
    shown = requested_fields(subscription, names)
    after, mark = subscription.position(call.text("nextPageToken"), "programLeads", program.id, shown)
    size = call.batch_size()
    found = list(subscription.programs.members_after(program.id, after, size + 1))
    page, token = subscription.page(found, size, mark, lambda member: member.id)
    leads = subscription.leads.load([member.lead_id for member in page])
    views = render(subscription, [leads[member.lead_id] for member in page], shown)
    results = [
        view | {"membership": _membership(program, member) | {"progressionStatusType": member.status}}
        for view, member in zip(views, page, strict=True)
    ]
    return Reply(results, token)


def programs_of_lead(subscription: Subscription, call: Call) -> Reply:
    lead_id = _path_lead(subscription, call)
    wanted = _program_ids(call)
    first, last = updated_between(call)
    after, mark = subscription.position(call.text("nextPageToken"), "programMembership", lead_id, wanted, first, last)
    members = [
        member
        for member in subscription.programs.memberships(lead_id)
        if member.program_id > after
        and (wanted is None or member.program_id in wanted)
        and first <= member.updated_s <= last
    ]
    size = call.batch_size()
    page, token = subscription.page(members[: size + 1], size, mark, lambda member: member.program_id)
    programs = {member.program_id: subscription.programs.get(member.program_id) for member in page}
    shown = [_membership(programs[member.program_id], member) for member in page]
    return Reply(shown, token, token is not None)


def _program_ids(call: Call) -> list[int] | None:
    name = call.text("filterType")
    if name is None:
        return None
    if name != "programId":
        raise invalid(f"Invalid filterType '{name}'")
    return sorted({as_integer(value) for value in filter_values(call)})


def updated_between(call: Call) -> tuple[int, int]:
    """`earliestUpdatedAt` and `latestUpdatedAt`, both inclusive, in seconds."""
    first, last = call.text("earliestUpdatedAt"), call.text("latestUpdatedAt")
    return (
        instant("earliestUpdatedAt", first) if first is not None else 0,
        instant("latestUpdatedAt", last) if last is not None else 2**62,
    )


def _membership(program: Program, member: Member) -> dict[str, Any]:
    values = member.values
    shown = {
        "id": program.id,
        "progressionStatus": member.status,
        "isExhausted": bool(values.get("isExhausted")),
        "acquiredBy": bool(values.get("acquiredBy")),
        "reachedSuccess": bool(values.get("reachedSuccess")),
        "membershipDate": iso(member.created_s),
        "updatedAt": iso(member.updated_s),
    }
    if program.is_engagement:
        shown |= {"stream": values.get("trackName"), "nurtureCadence": values.get("nurtureCadence")}
    return shown


def _path_lead(subscription: Subscription, call: Call) -> int:
    lead_id = call.path_integer("leadId")
    if lead_id not in subscription.leads.find("id", [lead_id]):
        raise ApiError("1004", "Lead not found")
    return lead_id


def smart_campaigns_of_lead(subscription: Subscription, call: Call) -> Reply:
    lead_id, span = _path_lead(subscription, call), updated_between(call)
    after, mark = subscription.position(call.text("nextPageToken"), "smartCampaignMembership", lead_id, *span)
    size = call.batch_size()
    found = subscription.campaigns.of_lead(lead_id, span, after, size + 1)
    page, token = subscription.page(found, size, mark, lambda each: each[0])
    shown = [{"smartCampaignId": number, "createdAt": iso(made), "updatedAt": iso(kept)} for number, made, kept in page]
    return Reply(shown, token, token is not None)


HANDLERS: dict[str, Handler] = {
    "programs.leads": leads_of_program,
    "programs.leads.status": change_status,
    "leads.programmembership": programs_of_lead,
    "leads.smartcampaignmembership": smart_campaigns_of_lead,
}
