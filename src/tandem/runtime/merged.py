"""What a merge joined: the survivor of a record that was merged away, its link, and what that has on the other side."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from tandem.core.record import (
    CONTACT,
    LEAD,
    Entity,
    LinkNumber,
    LinkStatus,
    RecordId,
    RecordKey,
    Side,
    State,
)
from tandem.core.subject import Merge
from tandem.runtime.candidates import find_in_marketing
from tandem.runtime.engine import Engine
from tandem.runtime.extract import read_by_id, search_keys
from tandem.runtime.work import Work

_CHAIN_MAX: Final = 25
"""A chain longer than this is taken to end here, as is a circle, which only reactivated losers can make."""


async def follow_merges(engine: Engine, marketing_entity: Entity, works: Sequence[Work]) -> None:
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


async def _follow_chains(engine: Engine, marketing_entity: Entity, works: Sequence[Work]) -> None:
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


async def note_merges(engine: Engine, works: Sequence[Work]) -> None:
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


async def _find_survivors(engine: Engine, merged: Sequence[tuple[Work, State]]) -> None:
    found = await find_merges(engine, [state for _, state in merged])
    for work, state in merged:
        work.merge = found[state.key]


def _wait_for_losers(engine: Engine, works: Sequence[Work]) -> None:
    """The survivor of a merge is not made in marketing while the loser's link has not been handed over to it."""
    by_key = {work.crm.key: work for work in works if work.crm is not None and work.crm.key.entity in (LEAD, CONTACT)}
    for key in survivors_of_links(engine, by_key):
        by_key[key].is_blocked = True


def _wait_while_followed(works: Sequence[Work]) -> None:
    """A survivor whose own link has no person yet is spoken for by the loser that hands its link over."""
    over = {w.merge.link.number for w in works if w.merge and w.merge.link and w.merge.link.marketing is None}
    for work in works:
        if work.link is not None and work.link.number in over:
            work.is_blocked = True


async def find_merges(engine: Engine, losers: Sequence[State]) -> dict[RecordKey, Merge]:
    """`losers` are of one entity, each with the survivor it names. Chains are followed to their end."""
    if not losers:
        return {}
    side, entity = losers[0].key.side, losers[0].key.entity
    ends = await _find_ends(engine, losers)
    links = engine.store.find_links(side, entity, [state.key.id for state in ends.values()])
    live = {id_: link for id_, link in links.items() if link.status is not LinkStatus.TOMBSTONE}
    others = await _read(engine, [key for link in live.values() if (key := link.end(side.other))])
    busy = _busy_links(engine) if live else set()
    found = {}
    for loser in losers:
        survivor = ends[loser.key]
        link = live.get(survivor.key.id)
        counterpart = others.get(key) if link is not None and (key := link.end(side.other)) else None
        found[loser.key] = Merge(survivor, link, counterpart, link is not None and link.number in busy)
    return found


def survivors_of_links(engine: Engine, keys: Iterable[RecordKey]) -> set[RecordKey]:
    """Those of `keys` into which a linked record was merged, as waiting readings tell, over any number of steps."""
    origins = {key: {key} for key in keys}
    found: set[RecordKey] = set()
    for _ in range(_CHAIN_MAX):
        losers = engine.store.find_losers(origins) if origins else []
        linked = _linked(engine, losers)
        steps: dict[RecordKey, set[RecordKey]] = {}
        for state in losers:
            assert state.merged_into is not None, "a loser names its survivor"
            ends = origins[replace(state.key, id=state.merged_into)]
            found |= ends if state.key in linked else set()
            steps.setdefault(state.key, set()).update(ends - found)
        origins = {key: ends for key, ends in steps.items() if ends}
    return found


def _linked(engine: Engine, states: Iterable[State]) -> set[RecordKey]:
    """Keys of those that are themselves the end of a link that has not ended."""
    found: set[RecordKey] = set()
    for side, entity in sorted({(state.key.side, state.key.entity) for state in states}):
        links = engine.store.find_links(side, entity, [state.key.id for state in states if state.key.entity == entity])
        found |= {key for link in links.values() if link.status is not LinkStatus.TOMBSTONE and (key := link.end(side))}
    return found


async def _find_ends(engine: Engine, losers: Sequence[State]) -> dict[RecordKey, State]:
    """The survivor at the end of each loser's chain, as it is now."""
    side, entity = losers[0].key.side, losers[0].key.entity
    ends: dict[RecordKey, State] = {state.key: state for state in losers}
    known: dict[RecordId, State] = {}
    for _ in range(_CHAIN_MAX):
        wanted = {id_ for state in ends.values() if (id_ := state.merged_into) and id_ not in known}
        if not wanted:
            break
        known |= {state.key.id: state for state in await read_by_id(engine, side, entity, sorted(wanted))}
        ends = {key: _step(state, known) for key, state in ends.items()}
    return ends


def _step(state: State, known: dict[RecordId, State]) -> State:
    seen = {state.key.id}
    while state.merged_into in known and state.merged_into not in seen:
        state = known[state.merged_into]
        seen.add(state.key.id)
    return state


async def _read(engine: Engine, keys: Sequence[RecordKey]) -> dict[RecordKey, State]:
    found: dict[RecordKey, State] = {}
    for side, entity in sorted({(key.side, key.entity) for key in keys}):
        ids = [key.id for key in keys if (key.side, key.entity) == (side, entity)]
        found |= {state.key: state for state in await read_by_id(engine, side, entity, ids)}
    return found


def _busy_links(engine: Engine) -> set[LinkNumber]:
    return {row.link for row in engine.store.load_open_rows()}
