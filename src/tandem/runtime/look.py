"""Completes claims: whatever a claim lacks of either side is read now, so that the plan never assumes.

The look of an unlinked record is by key and by e-mail; during a first copy the marketing side is in the inbox already
and the look is a look-up.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from tandem.core.decisions import parse_decision
from tandem.core.match import derived_crm_id, fold
from tandem.core.plan import ActionKind, InboxRef
from tandem.core.policy import DeleteRule
from tandem.core.record import (
    CONTACT,
    LEAD,
    PERSON,
    UNKNOWN,
    Entity,
    Link,
    LinkStatus,
    ReadNumber,
    RecordId,
    RecordKey,
    Side,
    State,
    Unknown,
    Value,
)
from tandem.core.requests import Asked
from tandem.core.subject import SentWrite, Subject, is_outside
from tandem.ports import Claim
from tandem.runtime.candidates import find_candidates, find_in_crm
from tandem.runtime.engine import Engine
from tandem.runtime.extract import read_by_id
from tandem.runtime.merged import follow_merges, note_merges
from tandem.runtime.parents import find_named, named
from tandem.runtime.shown import read_again_before
from tandem.runtime.work import Work


async def look(engine: Engine, marketing_entity: Entity, claims: Sequence[Claim], *, in_inbox: bool) -> list[Subject]:
    """Subjects for `claims`, in their order. `in_inbox`: unlinked marketing records are looked up in the inbox."""
    works = [_begin(engine, marketing_entity, claim) for claim in claims]
    await _read_ends(engine, works)
    await follow_merges(engine, marketing_entity, works)
    _note_decisions(engine, works)
    await note_merges(engine, works)
    await _find_origins(engine, marketing_entity, works)
    _note_what_is_made_anew(engine, works)
    _name_key_parts(engine, works)
    await find_candidates(engine, marketing_entity, works, in_inbox=in_inbox)
    await find_in_crm(engine, works)
    watermark = engine.store.load_watermark(Side.MARKETING, marketing_entity)
    has_feed = engine.marketing.has_feed(marketing_entity)
    lag = timedelta(seconds=engine.settings.feed_lag_s)

    def is_complete(work: Work) -> bool:
        if not has_feed or work.marketing is None or not work.claim.written:
            return True
        return watermark is not None and watermark - lag >= engine.read_before(work.marketing.read_number)

    return [_to_subject(engine, work, is_complete(work)) for work in works]


def _begin(engine: Engine, marketing_entity: Entity, claim: Claim) -> Work:
    key = claim.crm.key if claim.crm else claim.link.crm if claim.link else None
    asked = _asked_of(engine, claim)
    if asked and asked.resurrect and _is_buried(claim):
        return Work(replace(claim, link=None), asked.entity, asked=asked, buried=claim.link)
    created = asked.entity if asked else _entity_created_in_crm(engine, marketing_entity)
    is_alias = claim.alias_of is not None
    return Work(claim, key.entity if key else created, superseded=is_alias, asked=asked)


def _is_buried(claim: Claim) -> bool:
    """The record in Dynamics was deleted, and its person is still there."""
    return claim.link is not None and claim.link.status is LinkStatus.TOMBSTONE and claim.crm is None


def _asked_of(engine: Engine, claim: Claim) -> Asked | None:
    key = claim.marketing.key if claim.marketing else claim.link.marketing if claim.link else None
    return engine.asked.get(key.id) if key is not None and key.entity == PERSON else None


def _entity_created_in_crm(engine: Engine, marketing_entity: Entity) -> Entity:
    """The crm entity a marketing record without a crm end would become."""
    for entity, mapping in engine.mappings.items():
        if mapping.marketing_entity == marketing_entity and engine.policies[entity].create_in_crm == entity:
            return entity
    return engine.mapping_of(marketing_entity).crm_entity


# --- both ends


async def _read_ends(engine: Engine, works: Sequence[Work]) -> None:
    """Both ends of each work. An end of marketing's is no write that the version of the base would guard: what crm
    edited meanwhile would be lost without a word, so then it is read after all."""
    wanted: list[tuple[RecordKey, Work]] = []
    marks = read_again_before(engine)
    for work in works:
        for side in Side:
            state = work.claim.crm if side is Side.CRM else work.claim.marketing
            is_usable = state is not None and _is_usable(state, work.link) and not _shows_less(state, marks)
            if state is not None and (is_usable or not work.needs_reading):
                _set_end(work, side, state)
            elif side is Side.CRM and (known := _known_crm(engine, work)):
                work.crm, work.crm_is_base = known, True
            elif work.needs_reading and (key := _key_to_read(engine, work, side)):
                wanted.append((key, work))
    await _read(engine, wanted)
    ended = [work for work in works if work.crm_is_base and work.marketing and not work.marketing.is_present]
    await _read(engine, [(work.crm.key, work) for work in ended if work.crm is not None])
    for work in ended:
        work.crm_is_base = False


async def _read(engine: Engine, wanted: Iterable[tuple[RecordKey, Work]]) -> None:
    by_key: dict[tuple[Side, Entity], dict[RecordId, list[Work]]] = defaultdict(lambda: defaultdict(list))
    for key, work in wanted:
        by_key[key.side, key.entity][key.id].append(work)
    for (side, entity), by_id in by_key.items():
        for state in await read_by_id(engine, side, entity, list(by_id)):
            for work in by_id[state.key.id]:
                _set_end(work, side, _with_survivor(state, work))


def _known_crm(engine: Engine, work: Work) -> State | None:
    """The crm record as the base has it, where the version we saw still stands for the base: every write is guarded by
    that version, so no call is needed to know more. A link that is due has just been found to be otherwise."""
    link, told = work.link, work.claim.marketing
    if link is None or link.crm is None or told is None or work.claim.crm is not None or not work.needs_reading:
        return None
    if link.status is not LinkStatus.LIVE or link.crm_version is None or UNKNOWN in link.base.crm:
        return None
    mapping, chosen = engine.mappings[link.crm.entity], engine.policies[link.crm.entity].filter
    if chosen is not None and not set(chosen.fields) <= {pair.crm for pair in mapping.pairs}:
        return None
    values: dict[int, Value] = {}
    for place, value in zip(mapping.crm_places, link.base.crm, strict=True):
        assert not isinstance(value, Unknown)
        values[place] = value
    shape = tuple(values.get(place) for place in range(len(mapping.crm_fields)))
    return State(link.crm, told.read_number, shape, link.crm_version)


def _is_usable(state: State, link: Link | None) -> bool:
    """A suspicion is read by id; so is a state whose read began before our last write to that record finished."""
    return state.is_present and (link is None or state.read_number > link.written(state.key.side))


def _shows_less(state: State, marks: Mapping[Entity, ReadNumber]) -> bool:
    """Whether what it shows of another record has moved since."""
    return state.key.side is Side.CRM and state.read_number < marks.get(state.key.entity, 0)


def _key_to_read(engine: Engine, work: Work, side: Side) -> RecordKey | None:
    state = work.claim.crm if side is Side.CRM else work.claim.marketing
    if state is not None:
        return state.key
    if work.link is None:
        return None
    end = work.link.end(side)
    if end is None and side is Side.CRM and work.link.marketing is not None:
        made = derived_crm_id(engine.settings.sync_id, work.link.marketing.id)
        return RecordKey(Side.CRM, work.crm_entity, made)
    return end


def _with_survivor(state: State, work: Work) -> State:
    """The reading, with what the feed knew of a merge."""
    told = work.claim.marketing
    return replace(state, merged_into=told.merged_into) if told is not None and not state.is_present else state


def _set_end(work: Work, side: Side, state: State) -> None:
    if side is Side.MARKETING:
        work.marketing = state
    elif state.is_present or work.link is None or work.link.crm is not None:
        work.crm = state


def _note_decisions(engine: Engine, works: Sequence[Work]) -> None:
    known = engine.store.load_decisions([work.link.number for work in works if work.link is not None])
    for work in works if known else ():
        if work.link is not None and work.link.number in known:
            work.decision = parse_decision(known[work.link.number])


def _note_what_is_made_anew(engine: Engine, works: Sequence[Work]) -> None:
    """A link whose marketing end is gone and is to be made again looks for one like a record that never had it."""
    for work in works:
        wants = engine.policies[work.crm_entity].deleted_in_marketing is DeleteRule.RECREATE
        gone = work.marketing
        work.is_made_anew = wants and gone is not None and not gone.is_present and gone.merged_into is None


def _name_key_parts(engine: Engine, works: Sequence[Work]) -> None:
    """A key that names a person names it as Marketo does (``core.keys``)."""
    keyed = [work for work in works if engine.mappings[work.crm_entity].key_parts and work.crm and work.crm.is_present]
    rows = [(engine.mappings[work.crm_entity], work.crm.values) for work in keyed if work.crm]
    parents = find_named(engine, rows)
    for work in keyed:
        assert work.crm is not None
        work.key_values = named(engine.mappings[work.crm_entity], work.crm.values, parents)


# --- contacts and the leads they came from


async def _find_origins(engine: Engine, marketing_entity: Entity, works: Sequence[Work]) -> None:
    if CONTACT not in engine.mappings or LEAD not in engine.mappings:
        return
    mapping = engine.mappings[CONTACT]
    born = {
        RecordId(lead_id): work
        for work in works
        if work.crm is not None and work.crm.is_present and work.crm.key.entity == CONTACT
        if not is_outside(mapping, engine.policies[CONTACT], work.crm)
        if (lead_id := fold(mapping.crm_value(work.crm.values, "originatingleadid")))
    }
    links = engine.store.find_links(Side.CRM, LEAD, born)
    for lead_id, work in born.items():
        link = links.get(lead_id)
        is_leads = link is not None and link.crm is not None and link.crm.entity == LEAD
        if work.link is None and link is not None and is_leads and (link.marketing or not _is_tombstone(link)):
            work.origin = link
    _block_open_origins(engine, works)
    _supersede(works, born)
    await _read_origins(engine, marketing_entity, [work for work in works if work.origin])


def _is_tombstone(link: Link) -> bool:
    return link.status is LinkStatus.TOMBSTONE


def _block_open_origins(engine: Engine, works: Sequence[Work]) -> None:
    """A lead that is being created, or whose write is undecided, cannot be taken over yet."""
    if any(work.origin for work in works):
        busy = {row.link for row in engine.store.load_open_rows()}
        for work in works:
            work.is_blocked = work.origin is not None and work.origin.number in busy


def _supersede(works: Sequence[Work], born: Iterable[RecordId]) -> None:
    """A lead whose contact is here too is the same person: the contact's claim speaks for both."""
    leads = set(born)
    for work in works:
        key = work.claim.crm.key if work.claim.crm else work.link.crm if work.link else None
        if key is not None and key.entity == LEAD and key.id in leads:
            work.superseded = True


async def _read_origins(engine: Engine, marketing_entity: Entity, works: Sequence[Work]) -> None:
    by_id = {work.origin.marketing.id: work for work in works if work.origin and work.origin.marketing}
    for state in await read_by_id(engine, Side.MARKETING, marketing_entity, list(by_id)):
        by_id[state.key.id].marketing = state


# --- the result


def _owner(work: Work, id_: RecordId) -> RecordKey | None:
    """The crm record that another link gives a marketing record to."""
    return work.linked_ids[id_].crm if id_ in work.linked_ids else None


def _to_subject(engine: Engine, work: Work, is_complete: bool) -> Subject:
    claim, mapping = work.claim, engine.mappings[work.crm_entity]
    found = {state.key.id: state for state in (*work.found_by_key, *work.found_by_dedupe)}
    free = tuple(state for id_, state in found.items() if id_ not in work.linked_ids)
    is_taken = any(
        state.key.id in work.linked_ids or mapping.marketing_value(state.values, mapping.key_field)
        for state in work.found_by_dedupe
    )
    return Subject(
        crm_entity=work.crm_entity,
        link=work.link,
        crm=work.crm,
        crm_is_base=work.crm_is_base,
        marketing=work.marketing,
        candidates=free,
        dedupe_taken=is_taken or work.crm_is_taken,
        key_owner=next((owner for s in work.found_by_key if (owner := _owner(work, s.key.id))), None),
        origin=work.origin,
        superseded=work.superseded,
        is_blocked=work.is_blocked,
        merge=work.merge,
        rivals=tuple(work.rivals),
        decision=work.decision,
        sent=tuple(
            SentWrite(row.number, row.action.kind is ActionKind.CREATE, row.action.writes) for row in claim.written
        ),
        records=claim.records,
        rejected=claim.rejected,
        is_complete=is_complete,
        asked=work.asked,
        refs=tuple(InboxRef(s.key, s.read_number) for s in (claim.crm, claim.marketing) if s is not None),
    )
