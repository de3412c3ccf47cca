"""Recording outcomes: each row's fate, with what it does to its link, in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tandem.core.following import moved_by
from tandem.core.record import Entity, Link, LinkNumber, LinkStatus, Presence, ReadNumber, RecordKey, State
from tandem.ports import JournalRow, JournalState, Outcome
from tandem.store import feeds, follows, holds, journal, links, rules
from tandem.store.rules import Held
from tandem.store.transaction import Transaction


@dataclass(slots=True)
class _Batch:
    """What a batch of outcomes changes, gathered before it is written. Rows of one link build on each other."""

    written: ReadNumber
    now: datetime
    links: dict[LinkNumber, Link]
    holds: dict[LinkNumber, dict[str | None, Held]]
    entities: dict[LinkNumber, Entity] = field(default_factory=dict)
    held: set[LinkNumber] = field(default_factory=set)
    due: list[LinkNumber] = field(default_factory=list)
    fates: list[dict[str, Any]] = field(default_factory=list)
    suspects: list[State] = field(default_factory=list)
    moved: dict[RecordKey, set[str]] = field(default_factory=dict)


def record(tx: Transaction, outcomes: Sequence[Outcome], now: datetime) -> None:
    """A row that is finished already keeps its first outcome: recording twice does no harm."""
    rows = journal.load_rows(tx, [outcome.number for outcome in outcomes])
    numbers = [row.link for row in rows.values()]
    before = links.load_links(tx, numbers)
    batch = _Batch(tx.next_read_number(), now, dict(before), holds.load_holds(tx, numbers))
    for outcome in outcomes:
        row = rows[outcome.number]
        if row.state.is_open:
            _gather(tx, batch, row, outcome)
    _write(tx, batch, before)


def _gather(tx: Transaction, batch: _Batch, row: JournalRow, outcome: Outcome) -> None:
    match outcome.state:
        case JournalState.DONE:
            names = tx.names_of(tx.shapes.pairs[row.crm_entity])
            batch.links[row.link] = rules.done(batch.links[row.link], row, outcome, names, batch.written)
            batch.entities[row.link] = row.crm_entity
            if crm := batch.links[row.link].crm:
                batch.moved.setdefault(crm, set()).update(moved_by(row.action))
            batch.due.extend([row.link] if row.action.kind in rules.ENDING else [])
        case JournalState.REJECTED:
            known = batch.holds.get(row.link, {})
            batch.holds[row.link] = rules.holds_after_rejection(known, row, outcome, batch.now)
            batch.held.add(row.link)
            batch.due.extend([row.link] if outcome.parked else [])
        case JournalState.WITHDRAWN:
            batch.due.append(row.link)
        case _:
            assert outcome.state is JournalState.UNKNOWN, f"{outcome.state} is not an outcome"
    batch.fates.append(_fate_of(row, outcome, batch.now))
    key = rules.key_of(row)
    if outcome.suspect and key:
        batch.suspects.append(State(key, batch.written, presence=Presence.SUSPECT))


def _fate_of(row: JournalRow, outcome: Outcome, now: datetime) -> dict[str, Any]:
    is_done = outcome.state is JournalState.DONE
    given = outcome.id if is_done else None
    return {
        "b_number": row.number,
        "record_id": row.action.id if row.action.id is not None else given,
        "state": outcome.state.value,
        "error": outcome.error,
        "finished_at": None if outcome.state.is_open else now,
        "confirmed_at": now if is_done and rules.is_confirmed(row, outcome) else None,
    }


def _write(tx: Transaction, batch: _Batch, before: dict[LinkNumber, Link]) -> None:
    journal.save_fates(tx, batch.fates)
    changed = [batch.links[number] for number in batch.entities]
    links.save_outcomes(tx, [(batch.entities[link.number], link) for link in changed], batch.now)
    feeds.note_ids(tx, [link.marketing for link in changed])
    is_live = LinkStatus.LIVE
    links.wake(tx, [link for link in changed if link.status is is_live and before[link.number].status is not is_live])
    follows.wake(tx, batch.moved)
    holds.replace_holds(tx, {number: batch.holds[number] for number in batch.held})
    links.make_due(tx, dict.fromkeys(batch.due))
    feeds.save_states(tx, batch.suspects, {})
