"""What a merge joined: for a record that was merged away, the survivor, its link and what that has on the other side.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from tandem.core.record import LinkNumber, LinkStatus, RecordId, RecordKey, State
from tandem.core.subject import Merge
from tandem.runtime.engine import Engine
from tandem.runtime.extract import read_by_id

_CHAIN_MAX: Final = 25
"""A chain longer than this is taken to end here, as is a circle, which only reactivated losers can make."""


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
