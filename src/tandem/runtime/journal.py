"""Settles what a crash or a lost response left undecided, before its link is claimed again.

An action that was never sent is withdrawn. One that was sent may still land until the endpoint's own timeout has
passed; after that both sides are asked. A create that landed is found by its key and is done, with what was sent as its
base. An update that landed reads back as equal, so it is withdrawn and planned again; but a Marketo update that landed
and was edited back at once would look as if it had not: its change record proves that it did, so it is done too, and
the edit after it is an edit.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

from tandem.core.keys import written_key
from tandem.core.plan import ActionKind
from tandem.core.record import ChangeRecord, Entity, LinkStatus, RecordId, RecordKey, Side
from tandem.core.values import shows
from tandem.ports import JournalRow, JournalState, Outcome
from tandem.runtime.candidates import find_in_marketing
from tandem.runtime.engine import Engine
from tandem.runtime.extract import read_by_id, search_keys


async def settle(engine: Engine) -> int:
    """Decide every open journal row that can be decided; returns how many stay open."""
    rows = engine.store.load_open_rows()
    together = _sent_together(rows)
    ready = [row for row in rows if _is_ready(engine, row, together)]
    made = await _find_made(engine, [row for row in ready if row.action.kind is ActionKind.CREATE and row.sent_at])
    outcomes = [_outcome(engine, row, made.get(row.number)) for row in ready]
    if outcomes:
        engine.store.record_outcomes(outcomes, engine.clock.now())
    return len(rows) - len(outcomes)


_Call: TypeAlias = tuple[Side, Entity, ActionKind, datetime]


def _sent_together(rows: Sequence[JournalRow]) -> Counter[_Call]:
    """How many of the open rows went out with each call."""
    return Counter(_call(row, row.sent_at) for row in rows if row.sent_at is not None)


def _call(row: JournalRow, sent_at: datetime) -> _Call:
    return row.action.side, row.action.entity, row.action.kind, sent_at


def settles_at(engine: Engine, row: JournalRow, together: Counter[_Call]) -> datetime | None:
    """The time from which the row can be decided; None when it was never sent. A Marketo row waits for the feed too."""
    if row.sent_at is None:
        return None
    side, entity, kind = row.action.side, row.action.entity, row.action.kind
    wait = engine.connector(side).settle_s(entity, together[_call(row, row.sent_at)], kind)
    return row.sent_at + timedelta(seconds=wait)


def _is_ready(engine: Engine, row: JournalRow, together: Counter[_Call]) -> bool:
    due = settles_at(engine, row, together)
    if due is None or row.state is JournalState.INTENDED:
        return True
    if engine.clock.now() < due:
        return False
    return row.action.side is Side.CRM or _feed_has_passed(engine, row, due)


def _outcome(engine: Engine, row: JournalRow, made: RecordId | None) -> Outcome:
    if made is not None:
        return Outcome(row.number, JournalState.DONE, id=made)
    if row.sent_at is not None and _has_landed(engine, row):
        return Outcome(row.number, JournalState.DONE, id=row.action.id)
    return Outcome(row.number, JournalState.WITHDRAWN)


async def _find_made(engine: Engine, rows: Sequence[JournalRow]) -> dict[int, RecordId]:
    """The records that undecided creates made, by journal number; one that another link has is none of ours."""
    made: dict[int, RecordId] = {}
    for entity in dict.fromkeys(row.action.entity for row in rows):
        mine = [row for row in rows if row.action.entity == entity]
        side = mine[0].action.side
        found = await (_made_in_crm(engine, mine) if side is Side.CRM else _made_in_marketing(engine, mine))
        linked = engine.store.find_links(side, entity, found.values())
        for number, id_ in found.items():
            link = linked.get(id_)
            if link is None or link.end(side) is None or link.status is LinkStatus.TOMBSTONE:
                made[number] = id_
    return made


async def _made_in_crm(engine: Engine, rows: Sequence[JournalRow]) -> dict[int, RecordId]:
    numbers = {row.action.id: row.number for row in rows if row.action.id is not None}
    states = await read_by_id(engine, Side.CRM, rows[0].action.entity, list(numbers))
    return {numbers[state.key.id]: state.key.id for state in states if state.is_present}


async def _made_in_marketing(engine: Engine, rows: Sequence[JournalRow]) -> dict[int, RecordId]:
    entity = rows[0].action.entity
    mapping = engine.mapping_of(entity)
    keys = {key: row.number for row in rows if (key := written_key(mapping, row.action.writes))}
    sought = {str(w.after): None for row in rows for w in row.action.writes if w.field == mapping.key_field}
    found, _ = await find_in_marketing(engine, entity, list(sought), [])
    search = search_keys(engine, entity, found)
    return {keys[key]: id_ for id_, (key, _) in search.items() if key in keys}


def _feed_has_passed(engine: Engine, row: JournalRow, due: datetime) -> bool:
    entity = row.action.entity
    if not engine.marketing.has_feed(entity):
        return True
    watermark = engine.store.load_watermark(Side.MARKETING, entity)
    return watermark is not None and watermark - timedelta(seconds=engine.settings.feed_lag_s) >= due


def _has_landed(engine: Engine, row: JournalRow) -> bool:
    """Whether a change record shows a value that this update wrote."""
    action = row.action
    if action.side is not Side.MARKETING or action.kind is not ActionKind.UPDATE or action.id is None:
        return False
    assert row.sent_at is not None
    key = RecordKey(Side.MARKETING, action.entity, action.id)
    records = engine.store.load_records([key], row.sent_at - timedelta(seconds=2))
    return any(_is_ours(row, record) for record in records)


def _is_ours(row: JournalRow, record: ChangeRecord) -> bool:
    return any(
        record.field == write.field and shows(record.new, write.after) and not shows(record.old, write.after)
        for write in row.action.writes
    )


def next_settling(engine: Engine, rows: Sequence[JournalRow]) -> datetime | None:
    """When the first of `rows` can be decided; None without any."""
    together = _sent_together(rows)
    times = [at for row in rows if (at := settles_at(engine, row, together)) is not None]
    return min(times, default=None)
