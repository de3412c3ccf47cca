"""One record, carried now: found by whatever a person has at hand, planned, shown, and carried by a pass of its own.

A person known only to Marketo becomes a request like that of a flow step. Any other record is put in front of all
waiting work; while another process holds the sync, that process carries it.
"""

import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final
from urllib.parse import parse_qs, urlsplit

from tandem.app.build import Setup, opened
from tandem.app.passing import make_pass
from tandem.app.planning import planned_action
from tandem.app.reports import Observer, PlannedAction
from tandem.app.request_reports import Outcome, PushReport, Wish
from tandem.app.requests import end_at_once, read_ask
from tandem.config.model import Config
from tandem.core.errors import ConfigError, LeaseLostError
from tandem.core.plan import LinkPlan, Plan
from tandem.core.record import CONTACT, LEAD, PERSON, Entity, Lane, Link, LinkStatus, RecordId, RecordKey, Side
from tandem.core.requests import Deed, Request, RequestState
from tandem.ports import Claim
from tandem.runtime.engine import Engine
from tandem.runtime.extract import read_by_id
from tandem.runtime.foresight import Prospect, foresee
from tandem.runtime.sync_pass import plan_claims

_PASSES_MAX: Final = 3
"""A record that was made is read back, and what Dynamics made of it goes to Marketo."""

ELSEWHERE_S: Final = 60.0
"""How long a push waits for another process that holds the sync."""

_GUID: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


async def push(config: Config, wish: Wish, observer: Observer | None = None) -> PushReport:
    """Raises: ConfigError, where no record or several are meant."""
    async with opened(config, observer, creates_fields=True) as setup:
        engine = setup.engine
        key = await _find_record(engine, wish.record.strip())
        link = _link_of(engine, key)
        is_linked = link is not None and link.status is LinkStatus.LIVE
        if key.side is Side.MARKETING and (wish.force or not is_linked):
            return await _push_person(setup, config, key, wish)
        if wish.force:
            raise ConfigError("--force carries a person's values to Dynamics: name the person by e-mail or Marketo id.")
        return await _push_record(setup, key, link)


# --- a person that is asked for


async def _push_person(setup: Setup, config: Config, key: RecordKey, wish: Wish) -> PushReport:
    engine = setup.engine
    fields = {
        "id": key.id,
        "as": wish.as_,
        "owner": wish.owner,
        "account": wish.account,
        "force": wish.force,
        "resurrect": wish.resurrect,
    }
    ask = read_ask(Deed.SYNC_PERSON, fields, account=config.webhooks.account, origin="push")
    request = engine.store.take_request(ask, engine.clock.now())
    foresight = await foresee(engine, request)
    actions = _actions(engine, foresight.plan)
    if foresight.prospect in (Prospect.REFUSED, Prospect.NOTHING, Prospect.EXISTS):
        end_at_once(engine, request, foresight)
        outcome: Outcome = "refused" if foresight.prospect is Prospect.REFUSED else "nothing to do"
        return PushReport(_named(key), outcome, foresight.reason)
    await _carry(setup, lambda: _is_open(engine, request))
    ended = _again(engine, request)
    if ended.state.is_open:
        return PushReport(_named(key), "waiting", "stored; a later pass carries it", actions)
    if ended.state is RequestState.REFUSED:
        return PushReport(_named(key), "refused", ended.said or "", actions)
    await _push_record(setup, key, _link_of(engine, key))  # Marketo learns what the record is called in Dynamics
    return PushReport(_named(key), "done", ended.said or "", actions)


def _again(engine: Engine, request: Request) -> Request:
    return next(known for known in engine.store.load_requests(1_000) if known.number == request.number)


def _is_open(engine: Engine, request: Request) -> bool:
    return any(known.number == request.number for known in engine.store.load_open_requests())


# --- any other record


async def _push_record(setup: Setup, key: RecordKey, link: Link | None) -> PushReport:
    engine = setup.engine
    target = key.entity if key.side is Side.MARKETING else engine.mappings[key.entity].marketing_entity
    claim = await _claim(engine, key, link)
    plan = await plan_claims(engine, target, [claim])
    if plan.is_empty:
        return PushReport(_named(key), "nothing to do", _why_nothing(plan.links))
    for _ in range(_PASSES_MAX):
        _put_in_front(engine, await _claim(engine, key, _link_of(engine, key)))
        await _carry(setup, lambda: _waits(engine, target, key))
        left = await plan_claims(engine, target, [await _claim(engine, key, _link_of(engine, key))])
        if left.is_empty:
            return PushReport(_named(key), "done", "carried", _actions(engine, plan))
    reason = "a later pass carries the rest; see tandem status"
    return PushReport(_named(key), "waiting", reason, _actions(engine, plan))


def _link_of(engine: Engine, key: RecordKey) -> Link | None:
    return engine.store.find_links(key.side, key.entity, [key.id]).get(key.id)


async def _claim(engine: Engine, key: RecordKey, link: Link | None) -> Claim:
    """With both sides read now, but for a record that is new."""
    if link is not None:
        return Claim(link=link, crm=None, marketing=None)
    (state,) = await read_by_id(engine, key.side, key.entity, [key.id])
    return Claim(link=None, crm=state, marketing=None)


def _put_in_front(engine: Engine, claim: Claim) -> None:
    if claim.link is not None:
        engine.store.make_due([claim.link.number], lane=Lane.HOT)
    elif claim.crm is not None:
        key = claim.crm.key
        engine.store.save_page(
            key.side, key.entity, [claim.crm], [], None, complete_until=None, search={}, lane=Lane.HOT
        )


def _waits(engine: Engine, target: Entity, key: RecordKey) -> bool:
    entities = next((entities for entity, entities in engine.stages if entity == target), ())
    claims = engine.store.claim(target, entities, engine.claim_size, engine.clock.now(), slowest=Lane.HOT)
    ends = (claim.link.end(key.side) if claim.link else claim.crm.key if claim.crm else None for claim in claims)
    return key in ends


def _why_nothing(links: Sequence[LinkPlan]) -> str:
    held = [hold.reason for link in links for hold in link.holds]
    return f"held: {held[0]}" if held else "both sides agree, or no rule carries it"


# --- both


async def _carry(setup: Setup, is_waiting: Callable[[], bool]) -> None:
    """By a pass of our own, or by that of the process that holds the sync."""
    try:
        await make_pass(setup)
        return
    except LeaseLostError:
        clock = setup.engine.clock
    until = clock.now() + timedelta(seconds=ELSEWHERE_S)
    while is_waiting() and clock.now() < until:
        await clock.sleep(0.5)


def _actions(engine: Engine, plan: Plan) -> tuple[PlannedAction, ...]:
    return tuple(planned_action(engine.mappings[link.crm_entity], link, action) for link, action in plan.iter_actions())


def _named(key: RecordKey) -> str:
    return f"{key.entity} {key.id}"


# --- what is meant


async def _find_record(engine: Engine, text: str) -> RecordKey:
    if text.isdecimal():
        return RecordKey(Side.MARKETING, PERSON, RecordId(str(int(text))))
    if guid := _guid_in(text):
        return await _find_in_crm(engine, guid, _table_in(text))
    if "@" in text and "/" not in text:
        return await _find_by_email(engine, text)
    raise ConfigError("A record is named by its GUID or address in Dynamics, or by an e-mail address or id in Marketo.")


def _guid_in(text: str) -> str | None:
    """Of an address its parameter ``id``, else the last GUID in it."""
    given = parse_qs(urlsplit(text).query).get("id", [text])[0]
    found = _GUID.findall(given)
    return found[-1].lower() if found else None


def _table_in(text: str) -> str | None:
    return parse_qs(urlsplit(text).query).get("etn", [None])[0]


async def _find_in_crm(engine: Engine, guid: str, table: str | None) -> RecordKey:
    for entity in engine.mappings:
        if table in (None, str(entity)):
            (state,) = await read_by_id(engine, Side.CRM, entity, [RecordId(guid)])
            if state.is_present:
                return state.key
    raise ConfigError("No record of a synced table in Dynamics has this id.")


async def _find_by_email(engine: Engine, email: str) -> RecordKey:
    """The one person, else the one lead or contact.

    Raises: ConfigError, with the ids where there are several.
    """
    people = await engine.marketing.find_records(PERSON, (), "email", [email])
    found = [RecordKey(Side.MARKETING, PERSON, reading.id) for reading in people]
    for entity in [] if found else [e for e in (CONTACT, LEAD) if e in engine.mappings]:
        readings = await engine.crm.find_records(entity, ("emailaddress1",), "emailaddress1", [email])
        found += [RecordKey(Side.CRM, entity, reading.id) for reading in readings]
    if len(found) == 1:
        return found[0]
    if not found:
        raise ConfigError("Nobody has this e-mail address, in Marketo or as a lead or contact in Dynamics.")
    raise ConfigError(f"Several records have this e-mail address: name one of {', '.join(map(_named, found))}.")
