"""Settles what a crash or a lost response left undecided, before its link is claimed again.

An action that was never sent is withdrawn. One that was sent may still land until the endpoint's own timeout has
passed; after that the present state tells, so it is withdrawn too and planned again: a create is found by its key, an
update that landed reads back as equal. One case needs more than the present state: a Marketo update that landed and was
edited back at once. Its change record proves that it landed, so it is done, and the edit after it is an edit.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from tandem.core.plan import ActionKind
from tandem.core.record import ChangeRecord, RecordKey, Side
from tandem.core.values import shows
from tandem.ports import JournalRow, JournalState, Outcome
from tandem.runtime.engine import Engine


def settle(engine: Engine) -> int:
    """Decide every open journal row that can be decided; returns how many stay open."""
    rows = engine.store.load_open_rows()
    outcomes = [outcome for row in rows if (outcome := _settle_row(engine, row)) is not None]
    if outcomes:
        engine.store.record_outcomes(outcomes, engine.clock.now())
    return len(rows) - len(outcomes)


def settles_at(engine: Engine, row: JournalRow) -> datetime | None:
    """The time from which the row can be decided; None when it was never sent. A Marketo row waits for the feed too."""
    if row.sent_at is None:
        return None
    wait = engine.connector(row.action.side).settle_s(row.action.entity)
    return row.sent_at + timedelta(seconds=wait)


def _settle_row(engine: Engine, row: JournalRow) -> Outcome | None:
    due = settles_at(engine, row)
    if due is None or row.state is JournalState.INTENDED:
        return Outcome(row.number, JournalState.WITHDRAWN)
    if engine.clock.now() < due:
        return None
    if row.action.side is Side.MARKETING and not _feed_has_passed(engine, row, due):
        return None
    if _has_landed(engine, row):
        return Outcome(row.number, JournalState.DONE, id=row.action.id)
    return Outcome(row.number, JournalState.WITHDRAWN)


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
    times = [at for row in rows if (at := settles_at(engine, row)) is not None]
    return min(times, default=None)
