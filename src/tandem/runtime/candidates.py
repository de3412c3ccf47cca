"""Who an unlinked record may already be on the other side.

A crm record is looked for by its key and by its dedupe key, and so are the other records that want the same person; a
person whom policy would make a record of is looked for in crm.
"""

from collections import defaultdict
from collections.abc import Sequence

from tandem.core.dedupe import crm_dedupe_key, dedupe_pairs, marketing_dedupe_key, search_value_in
from tandem.core.keys import crm_key, search_value
from tandem.core.mapping import EntityMapping
from tandem.core.match import Contender, fold
from tandem.core.record import (
    CONTACT,
    LEAD,
    Entity,
    LinkStatus,
    Side,
    State,
    Value,
)
from tandem.core.subject import is_outside
from tandem.runtime.engine import Engine
from tandem.runtime.extract import search_keys, to_state
from tandem.runtime.work import Work


async def find_candidates(engine: Engine, marketing_entity: Entity, works: Sequence[Work], *, in_inbox: bool) -> None:
    unlinked = [w for w in works if w.is_unlinked_crm and (w.origin is None or w.origin.marketing is None)]
    unlinked = [
        w for w in unlinked if not is_outside(engine.mappings[w.crm_entity], engine.policies[w.crm_entity], w.crm)
    ]
    by_inbox = [work for work in unlinked if in_inbox and work.link is None]
    by_call = [work for work in unlinked if not in_inbox or work.link is not None]
    if by_inbox:
        _attach(engine, marketing_entity, by_inbox, *_look_up(engine, marketing_entity, by_inbox))
    if by_call:
        sought = [_sought_in_marketing(engine, work) for work in by_call if _dedupe_key(engine, work)]
        found = await find_in_marketing(engine, marketing_entity, wanted_keys(engine, by_call), sought)
        _attach(engine, marketing_entity, by_call, *found)
    _find_rivals(engine, unlinked)


def _sought_in_marketing(engine: Engine, work: Work) -> Value:
    return search_value_in(Side.MARKETING, engine.mappings[work.crm_entity], work.crm.values) if work.crm else None


def _find_rivals(engine: Engine, works: Sequence[Work]) -> None:
    """Other crm records that wait under the same dedupe key, where somebody in marketing is free to be one of them."""
    wanted: dict[str, list[Work]] = defaultdict(list)
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


def wanted_keys(engine: Engine, works: Sequence[Work]) -> list[str]:
    """The crm keys under which the records of `works` would be known to marketing."""
    sought = [_search_value(engine.mappings[work.crm_entity], work) for work in works]
    return list(dict.fromkeys(str(value) for value in sought if value is not None))


def _search_value(mapping: EntityMapping, work: Work) -> Value:
    return search_value(mapping, work.key_values or work.crm.values, work.crm.key.id) if work.crm else None


def _dedupe_key(engine: Engine, work: Work) -> str | None:
    return crm_dedupe_key(engine.mappings[work.crm_entity], work.crm.values) if work.crm else None


def _look_up(engine: Engine, marketing_entity: Entity, works: Sequence[Work]) -> tuple[list[State], list[State]]:
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
    engine: Engine, entity: Entity, works: Sequence[Work], by_key: Sequence[State], by_dedupe: Sequence[State]
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


async def find_in_crm(engine: Engine, works: Sequence[Work]) -> None:
    """Before a person becomes a record in Dynamics: one that carries a crm key, or whose e-mail a lead or contact has,
    is known there already. That record's own claim links them; nothing is created."""
    unlinked = [
        w for w in works if w.is_unlinked_marketing and (w.asked or engine.policies[w.crm_entity].create_in_crm)
    ]
    by_key: dict[str, list[Work]] = defaultdict(list)
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


async def _mark_known(engine: Engine, entity: Entity, by_key: dict[str, list[Work]]) -> None:
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
