"""What a request will come to, said before it is done: the same look and the same plan that the pass will make.

Nothing is written on either side.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from tandem.core.errors import RejectedError
from tandem.core.plan import Action, ActionKind, Plan
from tandem.core.record import PERSON, Link, LinkStatus, RecordKey, Side
from tandem.core.requests import Deed, Request
from tandem.ports import Claim
from tandem.runtime.asking import asked_of
from tandem.runtime.deeds import Settled, prepare, refused
from tandem.runtime.engine import Engine
from tandem.runtime.extract import read_by_id
from tandem.runtime.requests import DELETED, KNOWN, NOT_THERE, find_people, is_there, live_record
from tandem.runtime.sync_pass import plan_claims


class Prospect(StrEnum):
    CREATED = "will be created"
    CARRIED = "will be carried"
    DONE = "will be done"
    EXISTS = "exists already"
    NOTHING = "nothing to do"
    ACCEPTED = "accepted"
    """It is stored, and could not be looked into in time."""
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Foresight:
    """`record` is the person's record in Dynamics, as it is or as it will be."""

    prospect: Prospect
    reason: str
    record: RecordKey | None = None
    plan: Plan = field(default_factory=Plan)


async def foresee(engine: Engine, request: Request) -> Foresight:
    link = find_people(engine, [request]).get(request.person)
    try:
        if record := live_record(link):
            return await _of_record(engine, request, record, link)
        if not request.deed.needs_a_record:
            return Foresight(Prospect.NOTHING, NOT_THERE)
        is_buried = link is not None and link.status is LinkStatus.TOMBSTONE
        if is_buried and not request.arguments.get("resurrect"):
            raise refused(DELETED, request.deed)
        return await _of_stranger(engine, request, link)
    except RejectedError as error:
        return Foresight(Prospect.REFUSED, str(error))


async def _of_record(engine: Engine, request: Request, record: RecordKey, link: Link | None) -> Foresight:
    step = await prepare(engine, request, record)
    if request.deed is Deed.SYNC_PERSON and request.arguments.get("force"):
        plan = await _plan(engine, request, Claim(link=link, crm=None, marketing=None))
        prospect = Prospect.NOTHING if plan.is_empty else Prospect.CARRIED
        return Foresight(prospect, "the person's present values", record, plan)
    if request.deed is Deed.SYNC_PERSON and not await is_there(engine, record):
        if not request.arguments.get("resurrect"):
            raise refused(DELETED, request.deed)
        return Foresight(Prospect.CREATED, "anew, once the deletion has been carried over")
    if request.deed is Deed.SYNC_PERSON:
        return Foresight(Prospect.EXISTS, f"{record.entity} {record.id}", record)
    if isinstance(step, Settled):
        return Foresight(Prospect.NOTHING, step.said, record)
    return Foresight(Prospect.DONE, step.said, record)


async def _of_stranger(engine: Engine, request: Request, link: Link | None) -> Foresight:
    """Somebody who is not linked: made first, unless Dynamics knows them."""
    (state,) = await read_by_id(engine, Side.MARKETING, PERSON, [request.person])
    if not state.is_present:
        raise refused("Marketo has no person of this id: it was merged or deleted.", request.deed)
    plan = await _plan(engine, request, Claim(link=link, crm=None, marketing=state))
    made = next((action for _, action in plan.iter_actions() if _creates(action)), None)
    if made is None:
        raise refused(KNOWN, request.deed)
    assert made.id is not None, "a record in Dynamics is created under an id of ours"
    record = RecordKey(Side.CRM, made.entity, made.id)
    said = f"as a {made.entity}" if request.deed is Deed.SYNC_PERSON else f"as a {made.entity}, then {request.deed}"
    return Foresight(Prospect.CREATED, said, record, plan)


def _creates(action: Action) -> bool:
    return action.side is Side.CRM and action.kind is ActionKind.CREATE


async def _plan(engine: Engine, request: Request, claim: Claim) -> Plan:
    """As the pass will plan it: with what is asked of this person, for the moment of the look."""
    known = engine.asked.get(request.person)
    asked = await asked_of(engine, request, claim.marketing)
    engine.asked[request.person] = known.with_also(asked) if known else asked
    try:
        return await plan_claims(engine, PERSON, [claim])
    finally:
        if known is None:
            engine.asked.pop(request.person, None)
        else:
            engine.asked[request.person] = known
