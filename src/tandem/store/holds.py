"""Holds and conflicts: what waits for its cause to end or for a person, and both values of what was decided."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import and_, delete, insert, select, update

from tandem.core.mapping import Winner
from tandem.core.plan import Conflict, LinkPlan
from tandem.core.record import LinkNumber, Value
from tandem.store import codec, rules
from tandem.store.rules import Held, Recorded
from tandem.store.tables import conflicts, holds
from tandem.store.transaction import Transaction, in_chunks


def load_holds(tx: Transaction, numbers: Iterable[LinkNumber]) -> dict[LinkNumber, dict[str | None, Held]]:
    found: dict[LinkNumber, dict[str | None, Held]] = {}
    c = holds.c
    for chunk in in_chunks(numbers):
        rows = select(c.link, c.field, c.reason, c.since, c.rejected, c.journal)
        for link, field, reason, since, rejected, journal in tx.connection.execute(
            rows.where(c.sync_id == tx.sync, c.link.in_(chunk)).order_by(c.number)
        ):
            held = Held(field, reason, since, codec.decode_by_name(rejected), journal)
            found.setdefault(link, {})[field] = held
    return found


def load_rejected_values(tx: Transaction, numbers: Sequence[LinkNumber]) -> dict[LinkNumber, Mapping[str, Value]]:
    found: dict[LinkNumber, Mapping[str, Value]] = {}
    for number, held in load_holds(tx, numbers).items():
        values = {pair: value for hold in held.values() for pair, value in (hold.rejected or {}).items()}
        if values:
            found[number] = values
    return found


def replace_holds(tx: Transaction, held: Mapping[LinkNumber, Mapping[str | None, Held]]) -> None:
    for chunk in in_chunks(held):
        tx.connection.execute(delete(holds).where(holds.c.sync_id == tx.sync, holds.c.link.in_(chunk)))
    rows = [
        {
            "sync_id": tx.sync,
            "link": number,
            "field": hold.field,
            "reason": hold.reason,
            "since": hold.since,
            "rejected": codec.encode_by_name(hold.rejected),
            "journal": hold.journal,
        }
        for number, by_field in held.items()
        for hold in by_field.values()
    ]
    if rows:
        tx.connection.execute(insert(holds), rows)


def forget_rejections(tx: Transaction, numbers: Iterable[LinkNumber]) -> list[LinkNumber]:
    """The links of which anything had been refused; other holds stay."""
    found: list[LinkNumber] = []
    for chunk in in_chunks(dict.fromkeys(numbers)):
        is_it = and_(holds.c.sync_id == tx.sync, holds.c.link.in_(chunk), holds.c.journal.is_not(None))
        found += dict.fromkeys(tx.connection.execute(select(holds.c.link).where(is_it)).scalars())
        tx.connection.execute(delete(holds).where(is_it))
    return found


def plan_holds(tx: Transaction, planned: Sequence[tuple[LinkNumber, LinkPlan]], now: datetime) -> None:
    known = load_holds(tx, [number for number, _ in planned])
    after = {number: rules.holds_after_plan(known.get(number, {}), plan.holds, now) for number, plan in planned}
    replace_holds(tx, {number: held for number, held in after.items() if held != known.get(number, {})})


def plan_conflicts(tx: Transaction, planned: Sequence[tuple[LinkNumber, LinkPlan]], run_id: str, now: datetime) -> None:
    known = _load_conflicts(tx, [number for number, _ in planned])
    over: list[int] = []
    fresh: list[tuple[LinkNumber, Conflict]] = []
    for number, plan in planned:
        ended, found = rules.conflicts_after_plan(known.get(number, []), plan)
        over += ended
        fresh += [(number, conflict) for conflict in found]
    for chunk in in_chunks(over):
        is_it = and_(conflicts.c.sync_id == tx.sync, conflicts.c.number.in_(chunk))
        tx.connection.execute(update(conflicts).where(is_it).values(is_open=False))
    _insert_conflicts(tx, fresh, run_id, now)


def _load_conflicts(tx: Transaction, numbers: Iterable[LinkNumber]) -> dict[LinkNumber, list[Recorded]]:
    """Oldest first."""
    c = conflicts.c
    found: dict[LinkNumber, list[Recorded]] = {}
    for chunk in in_chunks(numbers):
        rows = select(c.link, c.number, c.is_open, c.kind, c.field, c["values"], c.winner, c.reason)
        rows = rows.where(c.sync_id == tx.sync, c.link.in_(chunk)).order_by(c.number)
        for link, number, is_open, *parts in tx.connection.execute(rows):
            found.setdefault(link, []).append(Recorded(number, codec.decode_conflict(*parts), is_open))
    return found


def _insert_conflicts(
    tx: Transaction, fresh: Sequence[tuple[LinkNumber, Conflict]], run_id: str, now: datetime
) -> None:
    rows = [
        {
            "sync_id": tx.sync,
            "link": number,
            "run_id": run_id,
            "at": now,
            "kind": conflict.kind.value,
            "field": conflict.field,
            "values": codec.encode_conflict_values(conflict),
            "winner": conflict.winner.value,
            "reason": conflict.reason,
            "is_open": conflict.winner is Winner.HOLD,
        }
        for number, conflict in fresh
    ]
    if rows:
        tx.connection.execute(insert(conflicts), rows)
