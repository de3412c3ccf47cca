"""Carries out journaled actions: batches, ``sent`` committed before the call, the outcome after it.

Nothing here decides anything. What cannot be done as planned (a stale version, a taken key, a busy side) is withdrawn
and planned again from both sides' present state.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from tandem.core.errors import AccessError, RejectedError, TransientError, UnknownOutcomeError
from tandem.core.partitions import PARTITION
from tandem.core.plan import Action, ActionKind
from tandem.core.record import Entity, Side, Value
from tandem.core.values import same
from tandem.ports import (
    JournalRow,
    JournalState,
    Missing,
    Outcome,
    Refused,
    Stale,
    Taken,
    Write,
    WriteResult,
    Written,
)
from tandem.runtime.candidates import find_in_marketing
from tandem.runtime.confirm import confirmed
from tandem.runtime.engine import Engine, News
from tandem.runtime.extract import search_keys

Counts: TypeAlias = Counter[str]

_Group: TypeAlias = tuple[Side, Entity, ActionKind, str | None, Value]


async def apply(engine: Engine, rows: Sequence[JournalRow]) -> Counts:
    """Apply `rows`; returns counts by ``applied.<side>.<kind>.<entity>``, ``withdrawn``, ``rejected`` and ``unknown``.

    Raises what stopped a side (TransientError, AccessError) once every batch under way has its outcome stored.
    """
    counts: Counts = Counter()
    limit = asyncio.Semaphore(engine.settings.max_parallel_writes)

    async def run(batch: Sequence[JournalRow]) -> None:
        async with limit:
            await _apply_batch(engine, batch, counts)

    results = await asyncio.gather(*(run(batch) for batch in _batches(engine, rows)), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return counts


def _batches(engine: Engine, rows: Sequence[JournalRow]) -> Iterator[Sequence[JournalRow]]:
    """Rows that one call may carry: of one kind, lookup field and partition; creates never share a dedupe key."""
    groups: dict[_Group, list[JournalRow]] = defaultdict(list)
    for row in rows:
        action = row.action
        partition = next((write.after for write in action.writes if write.field == PARTITION), None)
        groups[action.side, action.entity, action.kind, action.lookup, partition].append(row)
    for (side, entity, kind, lookup, _), members in groups.items():
        size = engine.connector(side).batch_size(entity, kind, len(members), lookup)
        for start in range(0, len(members), size):
            yield members[start : start + size]


async def _apply_batch(engine: Engine, batch: Sequence[JournalRow], counts: Counts) -> None:
    if _creates_by_dedupe_key(engine, batch[0].action):
        batch = await _look_again(engine, batch, counts)
    if not batch:
        return
    with engine.lease.during_call(_lasts_s(engine, batch)):
        engine.store.mark_sent([row.number for row in batch], engine.clock.now())
        await _send(engine, batch, counts)


def _creates_by_dedupe_key(engine: Engine, action: Action) -> bool:
    """A create refuses the field it looks up by itself (1005, 1017), so only the other key needs one more look."""
    if action.kind is not ActionKind.CREATE or action.side is not Side.MARKETING:
        return False
    return action.lookup == engine.mapping_of(action.entity).dedupe_field


def _lasts_s(engine: Engine, batch: Sequence[JournalRow]) -> float:
    action = batch[0].action
    return engine.connector(action.side).settle_s(action.entity, len(batch), action.kind)


async def _look_again(engine: Engine, batch: Sequence[JournalRow], counts: Counts) -> Sequence[JournalRow]:
    """The look by crm key, repeated right before the call: a record that somebody carries by now is planned again, and
    who was found waits in the inbox."""
    entity = batch[0].action.entity
    try:
        found, _ = await find_in_marketing(engine, entity, [row.crm.id for row in batch if row.crm], [])
    except (TransientError, AccessError):
        _record(engine, [Outcome(row.number, JournalState.WITHDRAWN) for row in batch], counts, batch)
        raise
    if not found:
        return batch
    search = search_keys(engine, entity, found)
    engine.store.save_page(Side.MARKETING, entity, found, [], None, complete_until=None, search=search)
    taken = {key for key, _ in search.values()}
    exists = [row for row in batch if row.crm and row.crm.id in taken]
    _record(engine, [Outcome(row.number, JournalState.WITHDRAWN) for row in exists], counts, exists)
    return [row for row in batch if row not in exists]


async def _send(engine: Engine, batch: Sequence[JournalRow], counts: Counts) -> None:
    action = batch[0].action
    writes = [to_write(row.action) for row in batch]
    try:
        results = await engine.connector(action.side).write(action.entity, writes)
    except UnknownOutcomeError as error:
        _record(engine, [Outcome(row.number, JournalState.UNKNOWN, error=str(error)) for row in batch], counts, batch)
    except RejectedError as error:
        await _split(engine, batch, error, counts)
    except (TransientError, AccessError):
        _record(engine, [Outcome(row.number, JournalState.WITHDRAWN) for row in batch], counts, batch)
        raise
    else:
        done = [to_outcome(row, result) for row, result in zip(batch, results, strict=True)]
        outcomes, doubtful = await confirmed(engine, batch, done)
        _record(engine, outcomes, counts, batch)
        engine.store.make_due(doubtful)


async def _split(engine: Engine, batch: Sequence[JournalRow], error: RejectedError, counts: Counts) -> None:
    """A call refused as a whole is split by halves until the bad record is alone."""
    if len(batch) == 1:
        text = f"{error.code}: {error}" if error.code else str(error)
        _record(engine, [Outcome(batch[0].number, JournalState.REJECTED, error=text)], counts, batch)
        return
    middle = len(batch) // 2
    for half in (batch[:middle], batch[middle:]):
        with engine.lease.during_call(_lasts_s(engine, half)):
            await _send(engine, half, counts)


def to_write(action: Action) -> Write:
    match action.kind:
        case ActionKind.DELETE:
            values: dict[str, Value] = {}
        case ActionKind.MERGE:
            values = {write.field: write.after for write in action.writes if write.after is not None}
        case _:
            values = {write.field: write.after for write in action.writes}
    return Write(action.kind, action.id, values, action.version, action.lookup, action.survivor)


def to_outcome(row: JournalRow, result: WriteResult) -> Outcome:
    """What one record's answer means for its journal row. A record to delete that is gone already is deleted.

    The version that Dynamics answers is not kept: a plug-in may have changed other columns with the same write, so it
    does not stand for the whole base. The next reading does.
    """
    match result:
        case Written(id_, _, values):
            answered = _answered(row.action, values or {})
            return Outcome(row.number, JournalState.DONE, id=id_, answered=answered)
        case Stale() | Taken():
            return Outcome(row.number, JournalState.WITHDRAWN)
        case Missing() if row.action.kind is ActionKind.DELETE:
            return Outcome(row.number, JournalState.DONE, id=row.action.id)
        case Missing():
            return Outcome(row.number, JournalState.WITHDRAWN, suspect=True)
        case Refused(code, message, field):
            parked = [write.pair for write in row.action.writes if write.field == field]
            return Outcome(row.number, JournalState.REJECTED, error=f"{code}: {message}", parked=parked)


def _answered(action: Action, values: Mapping[str, Value]) -> dict[str, Value]:
    """Values that the target made of what was sent, by pair name, where they differ."""
    return {
        write.pair: values[write.field]
        for write in action.writes
        if write.field in values and not same(values[write.field], write.after)
    }


def _record(engine: Engine, outcomes: Sequence[Outcome], counts: Counts, rows: Sequence[JournalRow]) -> None:
    if not outcomes:
        return
    engine.store.record_outcomes(outcomes, engine.clock.now())
    for outcome, row in zip(outcomes, rows, strict=True):
        action = row.action
        if outcome.state is JournalState.DONE:
            counts[f"applied.{action.side}.{action.kind}.{action.entity}"] += 1
        else:
            counts[outcome.state.value] += 1
    entity = rows[0].action.entity
    engine.tell(News("apply", f"{rows[0].action.side} {entity}", len(rows)))
