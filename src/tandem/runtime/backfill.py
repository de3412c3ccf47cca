"""Backfills: reads of many records that go on beside the live feed, a bounded number of pages each pass.

A full read that becomes due after the first copy (a new table, a new pair of fields, a feed that was forgotten) would
keep live edits waiting as long as it takes. So the live feed goes on from a cursor of its own, and the full read has
another one, kept with the backfill; its rows wait in the slow lane until all of them are there (``runtime.lanes``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from tandem.core.backfill import Backfill
from tandem.core.record import Entity, Lane, Side
from tandem.ports import Store
from tandem.runtime.engine import Engine
from tandem.telemetry import get_logger

FIRST_COPY = "first_copy"
"""Setting: ``done`` once a first copy has come to its end; what is read in full from then on waits in the slow lane."""

_RECENT = timedelta(days=1)

SHOWN_MAX = 100
"""More backfills than this are never open at once: one for each side of each table."""

log = get_logger()


def ask(store: Store, wanted: Backfill) -> None:
    """Have `wanted` read. It only adds a row, so that anybody may ask while a pass is at work."""
    store.save_backfill(wanted)
    log.info("backfill.asked", side=str(wanted.side), entity=str(wanted.entity), fields=list(wanted.pairs))


def read_anew(
    store: Store, side: Side, entity: Entity, fields: Sequence[str], known: Sequence[str | bool], now: datetime
) -> None:
    """The shape of a side's states, or who takes part, has changed from `known` (fields, then rules). The feed goes on
    from where it is; a cursor made for other fields says so itself, and ``go_live`` finds another."""
    new = [field for field in fields if field not in known]
    if store.load_setting(FIRST_COPY) is None:
        store.reset_cursor(side, entity)
        return
    reason = f"new: {', '.join(new)}" if new else "the mapping or a filter has changed"
    ask(store, Backfill(side, entity, reason, now))


def join_same_work(store: Store, now: datetime) -> None:
    """What is asked for twice is read once: the later one takes the pairs of the earlier, which is over. It begins
    anew, as rows that have come may lack what is wanted now."""
    kept: dict[tuple[object, ...], Backfill] = {}
    for backfill in [b for b in open_backfills(store) if not b.is_read]:
        work = (backfill.side, backfill.entity, backfill.span, backfill.giver)
        if work in kept:
            joined = _joined(kept[work], backfill)
            store.save_backfill(joined)
            store.save_backfill(replace(kept[work], finished_at=now))
            kept[work] = joined
        else:
            kept[work] = backfill


def _joined(first: Backfill, second: Backfill) -> Backfill:
    reasons = dict.fromkeys([*first.reason.split("; "), second.reason])
    pairs = tuple(dict.fromkeys([*first.pairs, *second.pairs])) if first.pairs and second.pairs else ()
    return replace(second, reason="; ".join(reasons), pairs=pairs, asked_at=first.asked_at)


def open_backfills(store: Store) -> list[Backfill]:
    """Oldest first."""
    return list(store.load_backfills(SHOWN_MAX, only_open=True))[::-1]


async def go_live(engine: Engine, side: Side, entity: Entity, reason: str, since: datetime | None = None) -> None:
    """The feed has no place to go on from: have everything read beside it, and begin with what changed `since`, where
    that is not long ago, or else with what changes from now on."""
    store = engine.store
    known = [(b.side, b.entity) for b in open_backfills(store) if not b.is_read and b.span is None]
    if (side, entity) not in known:
        ask(store, Backfill(side, entity, reason, engine.clock.now()))
    is_recent = since is not None and engine.clock.now() - since < _RECENT
    fields = engine.fields_of(side, entity)
    cursor = await engine.connector(side).fetch_live_cursor(entity, fields, since if is_recent else None)
    store.save_page(side, entity, [], [], cursor, complete_until=None, search={})


def givers(store: Store) -> Mapping[Entity, Mapping[str, Side]]:
    """Whose value goes over in the pairs that are being filled again, by crm entity and name of the pair."""
    found: dict[Entity, dict[str, Side]] = {}
    for backfill in open_backfills(store):
        if backfill.giver is not None:
            found.setdefault(backfill.entity, {}).update(dict.fromkeys(backfill.pairs, backfill.giver))
    return found


def remaining(store: Store, backfill: Backfill) -> int:
    """Rows that were read and are not worked off."""
    return store.count_waiting(backfill.side, backfill.entity, Lane.SLOW)
