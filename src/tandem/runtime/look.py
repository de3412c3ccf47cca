"""Completes claims: whatever a claim lacks of either side is read now, so that the plan never assumes.

The look of an unlinked record is by key and by e-mail; during a first copy the marketing side is in the inbox already
and the look is a look-up.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from tandem.core.decisions import Decision, parse_decision
from tandem.core.dedupe import crm_dedupe_key, dedupe_pairs, marketing_dedupe_key, search_value_in
from tandem.core.keys import crm_key, search_value
from tandem.core.mapping import EntityMapping
from tandem.core.match import Contender, derived_crm_id, fold
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
    RecordId,
    RecordKey,
    Side,
    State,
    Unknown,
    Value,
    Values,
)
from tandem.core.requests import Asked
from tandem.core.subject import Merge, SentWrite, Subject, is_outside
from tandem.ports import Claim
from tandem.runtime.engine import Engine
from tandem.runtime.extract import read_by_id, search_keys, to_state
from tandem.runtime.merged import find_merges, survivors_of_links
from tandem.runtime.parents import find_named, named


@dataclass(slots=True)
class _Work:
    """One claim on its way to a subject."""

    claim: Claim
    crm_entity: Entity
    crm: State | None = None
    marketing: State | None = None
    found_by_key: list[State] = field(default_factory=list)
    found_by_dedupe: list[State] = field(default_factory=list)
    linked_ids: Mapping[RecordId, Link] = field(default_factory=dict)
    crm_is_taken: bool = False
    origin: Link | None = None
    superseded: bool = False
    is_blocked: bool = False
    merge: Merge | None = None
    rivals: list[Contender] = field(default_factory=list)
    decision: Decision | None = None
    asked: Asked | None = None
    buried: Link | None = None
    is_made_anew: bool = False
    key_values: Values | None = None
    """The crm record's values with its parents named as Marketo does, where its key is made of them."""

    @property
    def link(self) -> Link | None:
        return self.claim.link

    @property
    def needs_reading(self) -> bool:
        is_closed = self.link is not None and self.link.status is LinkStatus.TOMBSTONE
        return not is_closed and not self.superseded

    @property
    def is_unlinked_crm(self) -> bool:
        has_end = self.link is not None and self.link.marketing is not None and not self.is_made_anew
        return self.crm is not None and self.crm.is_present and not has_end and not self.superseded

    @property
    def is_unlinked_marketing(self) -> bool:
        return self.crm is None and self.marketing is not None and self.marketing.is_present and not self.superseded


async def look(engine: Engine, marketing_entity: Entity, claims: Sequence[Claim], *, in_inbox: bool) -> list[Subject]:
    """Subjects for `claims`, in their order. `in_inbox`: unlinked marketing records are looked up in the inbox."""
    works = [_begin(engine, marketing_entity, claim) for claim in claims]
    await _read_ends(engine, marketing_entity, works)
    await _follow_merges(engine, marketing_entity, works)
    _note_decisions(engine, works)
    await _note_merges(engine, works)
    await _find_origins(engine, marketing_entity, works)
    _note_what_is_made_anew(engine, works)
    _name_key_parts(engine, works)
    await _find_candidates(engine, marketing_entity, works, in_inbox=in_inbox)
    await _find_in_crm(engine, works)
    watermark = engine.store.load_watermark(Side.MARKETING, marketing_entity)
    has_feed = engine.marketing.has_feed(marketing_entity)
    lag = timedelta(seconds=engine.settings.feed_lag_s)

    def is_complete(work: _Work) -> bool:
        if not has_feed or work.marketing is None or not work.claim.written:
            return True
        return watermark is not None and watermark - lag >= engine.read_before(work.marketing.read_number)

    return [_to_subject(engine, work, is_complete(work)) for work in works]


def _begin(engine: Engine, marketing_entity: Entity, claim: Claim) -> _Work:
    key = claim.crm.key if claim.crm else claim.link.crm if claim.link else None
    asked = _asked_of(engine, claim)
    if asked and asked.resurrect and _is_buried(claim):
        return _Work(replace(claim, link=None), asked.entity, asked=asked, buried=claim.link)
    created = asked.entity if asked else _entity_created_in_crm(engine, marketing_entity)
    is_alias = claim.alias_of is not None
    return _Work(claim, key.entity if key else created, superseded=is_alias, asked=asked)


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


async def _read_ends(engine: Engine, marketing_entity: Entity, works: Sequence[_Work]) -> None:
    wanted: dict[tuple[Side, Entity], dict[RecordId, list[_Work]]] = defaultdict(lambda: defaultdict(list))
    for work in works:
        for side in Side:
            state = work.claim.crm if side is Side.CRM else work.claim.marketing
            if state is not None and (_is_usable(state, work.link) or not work.needs_reading):
                _set_end(work, side, state)
            elif side is Side.CRM and (known := _known_crm(engine, work)):
                work.crm = known
            elif work.needs_reading and (key := _key_to_read(engine, work, side, marketing_entity)):
                wanted[side, key.entity][key.id].append(work)
    for (side, entity), by_id in wanted.items():
        for state in await read_by_id(engine, side, entity, list(by_id)):
            for work in by_id[state.key.id]:
                _set_end(work, side, _with_survivor(state, work))


def _known_crm(engine: Engine, work: _Work) -> State | None:
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


def _key_to_read(engine: Engine, work: _Work, side: Side, marketing_entity: Entity) -> RecordKey | None:
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


def _with_survivor(state: State, work: _Work) -> State:
    """The reading, with what the feed knew of a merge."""
    told = work.claim.marketing
    return replace(state, merged_into=told.merged_into) if told is not None and not state.is_present else state


def _set_end(work: _Work, side: Side, state: State) -> None:
    if side is Side.MARKETING:
        work.marketing = state
    elif state.is_present or work.link is None or work.link.crm is not None:
        work.crm = state


async def _follow_merges(engine: Engine, marketing_entity: Entity, works: Sequence[_Work]) -> None:
    """A linked person that was merged into one that no link knows: the link follows to the survivor."""
    merged = {w.marketing.merged_into: w for w in works if w.link and w.marketing and w.marketing.merged_into}
    if not merged:
        return
    linked = engine.store.find_links(Side.MARKETING, marketing_entity, [id_ for id_ in merged if id_])
    free = [id_ for id_ in merged if id_ and id_ not in linked]
    for state in await read_by_id(engine, Side.MARKETING, marketing_entity, free):
        if state.is_present:
            merged[state.key.id].marketing = state
    await _follow_chains(engine, marketing_entity, [merged[id_] for id_ in free])


async def _follow_chains(engine: Engine, marketing_entity: Entity, works: Sequence[_Work]) -> None:
    """A survivor that was merged away as well: whoever carries the record's key by now is at the end of the chain."""
    lost = {w.link.crm.id: w for w in works if w.link and w.link.crm and w.marketing and not w.marketing.is_present}
    if not lost:
        return
    found, _ = await find_in_marketing(engine, marketing_entity, list(lost), [])
    linked = engine.store.find_links(Side.MARKETING, marketing_entity, [state.key.id for state in found])
    for state in found:
        key = search_keys(engine, marketing_entity, [state])[state.key.id][0]
        if state.key.id not in linked and key in lost:
            lost[RecordId(key)].marketing = state


def _note_decisions(engine: Engine, works: Sequence[_Work]) -> None:
    known = engine.store.load_decisions([work.link.number for work in works if work.link is not None])
    for work in works if known else ():
        if work.link is not None and work.link.number in known:
            work.decision = parse_decision(known[work.link.number])


async def _note_merges(engine: Engine, works: Sequence[_Work]) -> None:
    """Records whose end was merged into another one; and those that wait until such a one has handed its link over."""
    for entity in (CONTACT, LEAD):
        merged = [w for w in works if w.crm is not None and w.crm.key.entity == entity and w.crm.merged_into]
        for work in merged:
            work.superseded = work.superseded or work.link is None
        await _find_survivors(engine, [(w, w.crm) for w in merged if w.crm is not None and w.needs_reading])
    _wait_for_losers(engine, [work for work in works if work.crm is not None and work.link is None])
    _wait_while_followed(works)
    gone = [(w, w.marketing) for w in works if w.link is not None and w.marketing and w.marketing.merged_into]
    await _find_survivors(
        engine, [(w, state) for w, state in gone if not state.is_present and w.merge is None and w.needs_reading]
    )


async def _find_survivors(engine: Engine, merged: Sequence[tuple[_Work, State]]) -> None:
    found = await find_merges(engine, [state for _, state in merged])
    for work, state in merged:
        work.merge = found[state.key]


def _wait_for_losers(engine: Engine, works: Sequence[_Work]) -> None:
    """The survivor of a merge is not made in marketing while the loser's link has not been handed over to it."""
    by_key = {work.crm.key: work for work in works if work.crm is not None and work.crm.key.entity in (LEAD, CONTACT)}
    for key in survivors_of_links(engine, by_key):
        by_key[key].is_blocked = True


def _wait_while_followed(works: Sequence[_Work]) -> None:
    """A survivor whose own link has no person yet is spoken for by the loser that hands its link over."""
    over = {w.merge.link.number for w in works if w.merge and w.merge.link and w.merge.link.marketing is None}
    for work in works:
        if work.link is not None and work.link.number in over:
            work.is_blocked = True


def _note_what_is_made_anew(engine: Engine, works: Sequence[_Work]) -> None:
    """A link whose marketing end is gone and is to be made again looks for one like a record that never had it."""
    for work in works:
        wants = engine.policies[work.crm_entity].deleted_in_marketing is DeleteRule.RECREATE
        gone = work.marketing
        work.is_made_anew = wants and gone is not None and not gone.is_present and gone.merged_into is None


def _name_key_parts(engine: Engine, works: Sequence[_Work]) -> None:
    """A key that names a person names it as Marketo does (``core.keys``)."""
    keyed = [work for work in works if engine.mappings[work.crm_entity].key_parts and work.crm and work.crm.is_present]
    rows = [(engine.mappings[work.crm_entity], work.crm.values) for work in keyed if work.crm]
    parents = find_named(engine, rows)
    for work in keyed:
        assert work.crm is not None
        work.key_values = named(engine.mappings[work.crm_entity], work.crm.values, parents)


# --- contacts and the leads they came from


async def _find_origins(engine: Engine, marketing_entity: Entity, works: Sequence[_Work]) -> None:
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


def _block_open_origins(engine: Engine, works: Sequence[_Work]) -> None:
    """A lead that is being created, or whose write is undecided, cannot be taken over yet."""
    if any(work.origin for work in works):
        busy = {row.link for row in engine.store.load_open_rows()}
        for work in works:
            work.is_blocked = work.origin is not None and work.origin.number in busy


def _supersede(works: Sequence[_Work], born: Iterable[RecordId]) -> None:
    """A lead whose contact is here too is the same person: the contact's claim speaks for both."""
    leads = set(born)
    for work in works:
        key = work.claim.crm.key if work.claim.crm else work.link.crm if work.link else None
        if key is not None and key.entity == LEAD and key.id in leads:
            work.superseded = True


async def _read_origins(engine: Engine, marketing_entity: Entity, works: Sequence[_Work]) -> None:
    by_id = {work.origin.marketing.id: work for work in works if work.origin and work.origin.marketing}
    for state in await read_by_id(engine, Side.MARKETING, marketing_entity, list(by_id)):
        by_id[state.key.id].marketing = state


# --- who an unlinked crm record already is in marketing


async def _find_candidates(engine: Engine, marketing_entity: Entity, works: Sequence[_Work], *, in_inbox: bool) -> None:
    unlinked = [w for w in works if w.is_unlinked_crm and (w.origin is None or w.origin.marketing is None)]
    unlinked = [
        w for w in unlinked if not is_outside(engine.mappings[w.crm_entity], engine.policies[w.crm_entity], w.crm)
    ]
    by_inbox = [work for work in unlinked if in_inbox and work.link is None]
    by_call = [work for work in unlinked if work not in by_inbox] if len(by_inbox) < len(unlinked) else []
    if by_inbox:
        _attach(engine, marketing_entity, by_inbox, *_look_up(engine, marketing_entity, by_inbox))
    if by_call:
        sought = [_sought_in_marketing(engine, work) for work in by_call if _dedupe_key(engine, work)]
        found = await find_in_marketing(engine, marketing_entity, wanted_keys(engine, by_call), sought)
        _attach(engine, marketing_entity, by_call, *found)
    _find_rivals(engine, unlinked)


def _sought_in_marketing(engine: Engine, work: _Work) -> Value:
    return search_value_in(Side.MARKETING, engine.mappings[work.crm_entity], work.crm.values) if work.crm else None


def _find_rivals(engine: Engine, works: Sequence[_Work]) -> None:
    """Other crm records that wait under the same dedupe key, where somebody in marketing is free to be one of them."""
    wanted: dict[str, list[_Work]] = defaultdict(list)
    for work in works:
        if any(state.key.id not in work.linked_ids for state in work.found_by_dedupe) and not work.found_by_key:
            wanted[_dedupe_key(engine, work) or ""].append(work)
    for entity in [entity for entity in (CONTACT, LEAD) if wanted and entity in engine.mappings]:
        mapping = engine.mappings[entity]
        waiting = engine.store.find_inbox(entity, "dedupe_key", wanted, Side.CRM)
        linked = engine.store.find_links(Side.CRM, entity, [state.key.id for state in waiting])
        for state in waiting:
            if _is_rival(engine, state) and state.key.id not in linked:
                for work in wanted[crm_dedupe_key(mapping, state.values) or ""]:
                    if work.crm is not None and not _is_same_person(engine, work.crm, state):
                        work.rivals.append(Contender(mapping, state))


def _is_rival(engine: Engine, state: State) -> bool:
    is_out = is_outside(engine.mappings[state.key.entity], engine.policies[state.key.entity], state)
    return state.is_present and state.merged_into is None and not is_out


def _is_same_person(engine: Engine, one: State, other: State) -> bool:
    """One record, or a lead and the contact it became."""
    origins = [
        fold(engine.mappings[CONTACT].crm_value(state.values, "originatingleadid"))
        for state in (one, other)
        if state.key.entity == CONTACT
    ]
    return one.key == other.key or one.key.id in origins or other.key.id in origins


def wanted_keys(engine: Engine, works: Sequence[_Work]) -> list[str]:
    """The crm keys under which the records of `works` would be known to marketing."""
    sought = [_search_value(engine.mappings[work.crm_entity], work) for work in works]
    return list(dict.fromkeys(str(value) for value in sought if value is not None))


def _search_value(mapping: EntityMapping, work: _Work) -> Value:
    return search_value(mapping, work.key_values or work.crm.values, work.crm.key.id) if work.crm else None


def _dedupe_key(engine: Engine, work: _Work) -> str | None:
    return crm_dedupe_key(engine.mappings[work.crm_entity], work.crm.values) if work.crm else None


def _look_up(engine: Engine, marketing_entity: Entity, works: Sequence[_Work]) -> tuple[list[State], list[State]]:
    dedupes = [key for work in works if (key := _dedupe_key(engine, work))]
    store = engine.store
    return (
        list(store.find_inbox(marketing_entity, "crm_key", wanted_keys(engine, works))),
        list(store.find_inbox(marketing_entity, "dedupe_key", dedupes)),
    )


async def find_in_marketing(
    engine: Engine, marketing_entity: Entity, keys: Sequence[str], sought: Sequence[Value]
) -> tuple[list[State], list[State]]:
    """Marketing records by crm key, and by the first field of the dedupe key, read now."""
    mapping = engine.mapping_of(marketing_entity)
    by_key = await _find(engine, marketing_entity, mapping.key_field, keys)
    by_dedupe = await _find(engine, marketing_entity, mapping.dedupe_fields[0], sought) if mapping.dedupe_fields else []
    return by_key, by_dedupe


async def _find(engine: Engine, entity: Entity, by: str, values: Sequence[Value]) -> list[State]:
    if not values:
        return []
    number = engine.begin_read()
    fields = engine.fields_of(Side.MARKETING, entity)
    readings = await engine.marketing.find_records(entity, fields, by, values)
    return [to_state(Side.MARKETING, entity, reading, number) for reading in readings]


def _attach(
    engine: Engine, entity: Entity, works: Sequence[_Work], by_key: Sequence[State], by_dedupe: Sequence[State]
) -> None:
    keys, dedupes = _index(engine, entity, by_key, 0), _index(engine, entity, by_dedupe, 1)
    found = {state.key.id for state in (*by_key, *by_dedupe)}
    linked = engine.store.find_links(Side.MARKETING, entity, found)
    live = {id_: link for id_, link in linked.items() if link.status is not LinkStatus.TOMBSTONE}
    for work in works:
        assert work.crm is not None
        mapping, crm = engine.mappings[work.crm_entity], work.crm
        work.found_by_key = keys.get(crm_key(mapping, work.key_values or crm.values, crm.key.id) or "", [])
        work.found_by_dedupe = dedupes.get(_dedupe_key(engine, work) or "", [])
        work.linked_ids = live


def _index(engine: Engine, entity: Entity, states: Sequence[State], place: int) -> dict[str, list[State]]:
    index: dict[str, list[State]] = defaultdict(list)
    keys = search_keys(engine, entity, states)
    for state in states:
        if state.is_present and (text := keys[state.key.id][place]):
            index[text].append(state)
    return index


# --- whether an unlinked marketing person is known to crm


async def _find_in_crm(engine: Engine, works: Sequence[_Work]) -> None:
    """Before a person becomes a record in Dynamics: one that carries a crm key, or whose e-mail a lead or contact has,
    is known there already. That record's own claim links them; nothing is created."""
    unlinked = [
        w for w in works if w.is_unlinked_marketing and (w.asked or engine.policies[w.crm_entity].create_in_crm)
    ]
    by_key: dict[str, list[_Work]] = defaultdict(list)
    for work in unlinked:
        assert work.marketing is not None
        mapping = engine.mappings[work.crm_entity]
        carried = fold(mapping.marketing_value(work.marketing.values, mapping.key_field))
        gone = work.buried.crm.id if work.buried and work.buried.crm else None
        work.crm_is_taken = carried is not None and carried != gone
        key = marketing_dedupe_key(mapping, work.marketing.values)
        if key and not work.crm_is_taken:
            by_key[key].append(work)
    for entity in (LEAD, CONTACT):
        await _mark_known(engine, entity, by_key)


async def _mark_known(engine: Engine, entity: Entity, by_key: dict[str, list[_Work]]) -> None:
    mapping = engine.mappings.get(entity)
    pairs = dedupe_pairs(mapping) if mapping else ()
    if mapping is None or not pairs or not by_key:
        return
    people = [work.marketing for works in by_key.values() for work in works if work.marketing is not None]
    sought = dict.fromkeys(search_value_in(Side.CRM, mapping, person.values) for person in people)
    columns = engine.fields_of(Side.CRM, entity)
    for reading in await engine.crm.find_records(entity, columns, pairs[0].crm, list(sought)):
        for work in by_key.get(crm_dedupe_key(mapping, reading.values) or "", []):
            work.crm_is_taken = True


# --- the result


def _owner(work: _Work, id_: RecordId) -> RecordKey | None:
    """The crm record that another link gives a marketing record to."""
    return work.linked_ids[id_].crm if id_ in work.linked_ids else None


def _to_subject(engine: Engine, work: _Work, is_complete: bool) -> Subject:
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
