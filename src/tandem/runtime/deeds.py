"""What a request does to a record that is in Dynamics: first looked at, then done.

``prepare`` reads and decides; what it gives back is either the news that nothing is left to do, or one step with what
the record was before. Each step may be taken twice.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from tandem.core.errors import RejectedError
from tandem.core.record import SALESPERSON, Entity, RecordId, RecordKey, Side
from tandem.core.requests import Deed, Request, RequestState, derived_id
from tandem.ports import Campaign, Desk, MemberList, Task
from tandem.runtime.engine import Engine

DUE_DAYS: Final = 5
"""When a task is due unless the request says otherwise (N57)."""


@dataclass(frozen=True, slots=True)
class Settled:
    """Nothing is left to do."""

    said: str


@dataclass(frozen=True, slots=True)
class Step:
    """`act` gives False where the record moved since it was looked at: nothing was done then."""

    before: str
    after: str
    said: str
    act: Callable[[], Awaitable[bool]]


async def prepare(engine: Engine, request: Request, record: RecordKey) -> Settled | Step:
    """Raises: RejectedError, with the reason why it cannot be done."""
    match request.deed:
        case Deed.CHANGE_OWNER:
            return await _change_owner(engine, request, record)
        case Deed.CREATE_TASK:
            return await _create_task(engine, request, record)
        case Deed.ADD_TO_CAMPAIGN:
            return await _add_to_campaign(engine, request, record)
        case Deed.REMOVE_FROM_CAMPAIGN:
            return await _remove_from_campaign(engine, request, record)
        case Deed.SYNC_PERSON:
            return Settled(f"exists already: {record.entity} {record.id}")


def refused(text: str, deed: Deed) -> RejectedError:
    return RejectedError(text, side=Side.CRM, operation=deed.value, code="request")


def desk_of(engine: Engine) -> Desk:
    assert engine.desk is not None, "a sync that takes requests has a desk"
    return engine.desk


async def find_owner(engine: Engine, request: Request) -> RecordKey:
    """A user by e-mail address or id, a team by id, or whoever Marketo's sales person of this number is.

    Raises: RejectedError.
    """
    who = (request.text("owner") or "").strip()
    if who.isdecimal():
        link = engine.store.find_links(Side.MARKETING, SALESPERSON, [RecordId(who)]).get(RecordId(who))
        who = link.crm.id if link is not None and link.crm is not None else ""
    found = await desk_of(engine).find_owner(who) if who else None
    if found is None:
        text = "No enabled user or team is meant by owner: give a user's e-mail address, a GUID or a sales person's id."
        raise refused(text, request.deed)
    return found


async def _change_owner(engine: Engine, request: Request, record: RecordKey) -> Settled | Step:
    desk, owner = desk_of(engine), await find_owner(engine, request)
    present, version = await desk.fetch_owner(record)
    if present is None:
        raise refused(f"The {record.entity} is not in Dynamics any more.", request.deed)
    if present == owner.id:
        return Settled(f"assigned to {owner.entity} {owner.id}")
    if request.state is RequestState.SENT and present != request.before:
        raise refused("Somebody assigned the record to another owner meanwhile, who stays.", request.deed)

    async def act() -> bool:
        return await desk.assign(record, owner, version)

    return Step(present, owner.id, f"assigned to {owner.entity} {owner.id}", act)


async def _create_task(engine: Engine, request: Request, record: RecordKey) -> Settled | Step:
    desk = desk_of(engine)
    number = derived_id(engine.settings.sync_id, "task", request.key, request.asked_at.isoformat())
    task = Task(
        id=number,
        regarding=record,
        subject=request.text("subject") or "",
        description=request.text("description"),
        due_at=request.asked_at + timedelta(days=float(request.arguments.get("due_days") or DUE_DAYS)),
        status=request.text("status"),
        owner=await find_owner(engine, request) if request.text("owner") else None,
    )
    said = f"task {number} created"
    if await desk.has_task(number):
        return Settled(said)

    async def act() -> bool:
        await desk.create_task(task)
        return True

    return Step("no task", f"task {number}", said, act)


# --- campaigns


def own_list(engine: Engine, campaign: RecordId, entity: Entity) -> MemberList:
    """The one list of a campaign that we fill with leads, or with contacts: made once and used again (N50)."""
    return MemberList(derived_id(engine.settings.sync_id, "list", entity, campaign), entity)


async def find_campaign(engine: Engine, request: Request) -> Campaign:
    """Raises: RejectedError where there is none of that name, or none that is active (N54)."""
    campaign = await desk_of(engine).find_campaign((request.text("campaign") or "").strip())
    if campaign is None:
        raise refused("Dynamics has no campaign of this id or name, or several of the name.", request.deed)
    if not campaign.is_active:
        raise refused("The campaign is not active in Dynamics: activate it there, and ask again.", request.deed)
    return campaign


async def _add_to_campaign(engine: Engine, request: Request, record: RecordKey) -> Settled | Step:
    missing, step = await prepare_adds(engine, request, [record])
    return step if missing else Settled(step.said)


async def prepare_adds(
    engine: Engine, request: Request, records: Sequence[RecordKey]
) -> tuple[Collection[RecordKey], Step]:
    """Which of `records`, all of one entity, are no members of the request's campaign yet, and the step that adds them.

    Raises: RejectedError.
    """
    desk, campaign = desk_of(engine), await find_campaign(engine, request)
    own = own_list(engine, campaign.id, records[0].entity)
    there = next((list_ for list_ in await desk.fetch_lists(campaign.id) if list_.id == own.id), None)
    members = await desk.fetch_members(own.id, [record.id for record in records]) if there is not None else set()
    missing = {record for record in records if record.id not in members}
    if missing and there is not None and not there.is_open:
        raise refused("Tandem's list of this campaign is locked or inactive in Dynamics: open it.", request.deed)

    async def act() -> bool:
        if there is None:
            await desk.ensure_list(campaign.id, own, list_name(own.entity, campaign.id))
        await desk.add_members(own, sorted(record.id for record in missing))
        return True

    said = f"member of campaign {campaign.id}"
    return missing, Step("no member", f"member of list {own.id}", said, act)


def list_name(entity: Entity, campaign: RecordId) -> str:
    return f"Tandem-{entity}s-{campaign}"


async def _remove_from_campaign(engine: Engine, request: Request, record: RecordKey) -> Settled | Step:
    """Ours alone, unless the request says ``others`` (N52)."""
    desk, campaign = desk_of(engine), await find_campaign(engine, request)
    own = own_list(engine, campaign.id, record.entity)
    lists = [list_ for list_ in await desk.fetch_lists(campaign.id) if list_.entity == record.entity and list_.is_open]
    chosen = [list_ for list_ in lists if request.arguments.get("others") or list_.id == own.id]
    holding = [list_ for list_ in chosen if await desk.fetch_members(list_.id, [record.id])]
    said = f"no member of campaign {campaign.id}"
    if not holding:
        return Settled(said)

    async def act() -> bool:
        for list_ in holding:
            await desk.remove_member(list_, record.id)
        return True

    return Step(f"member of {_named(holding)}", "no member", said, act)


def _named(lists: Sequence[MemberList]) -> str:
    return ", ".join(f"list {list_.id}" for list_ in lists)
