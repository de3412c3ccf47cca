"""Journal rows: what was intended, what was sent, what came of it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, insert, select, update

from tandem.core.plan import Action, ActionKind
from tandem.core.record import Entity, LinkNumber, RecordId, RecordKey, Side
from tandem.ports import JournalRow, JournalState
from tandem.store import codec
from tandem.store.tables import IS_DONE, IS_OPEN, IS_UNCONFIRMED, holds, journal, links
from tandem.store.transaction import Transaction, in_chunks

_ROW = (
    journal.c.number,
    journal.c.link,
    journal.c.crm_entity,
    journal.c.side,
    journal.c.entity,
    journal.c.kind,
    journal.c.record_id,
    journal.c.writes,
    journal.c.version,
    journal.c.lookup,
    journal.c.survivor,
    journal.c.state,
    journal.c.sent_at,
    journal.c.finished_at,
    journal.c.error,
    journal.c.confirmed_at,
    links.c.crm_entity,
    links.c.crm_id,
    links.c.marketing_entity,
    links.c.marketing_id,
)


def _rows(tx: Transaction, *conditions: Any) -> Any:
    joined = select(*_ROW).join(links, links.c.number == journal.c.link)
    return joined.where(journal.c.sync_id == tx.sync, *conditions)


def _row_of(row: Sequence[Any]) -> JournalRow:
    """The row, with the ends its link has today."""
    number, link, crm_entity, side, entity, kind, record_id, writes, version, lookup, survivor, *rest = row
    state, sent_at, finished_at, error, confirmed_at, link_entity, crm_id, marketing_entity, marketing_id = rest
    written = codec.decode_writes(writes)
    action = Action(Side(side), entity, ActionKind(kind), record_id, written, version, lookup, survivor)
    return JournalRow(
        number=number,
        link=link,
        crm_entity=crm_entity,
        action=action,
        state=JournalState(state),
        crm=_key(Side.CRM, link_entity, crm_id),
        marketing=_key(Side.MARKETING, marketing_entity, marketing_id),
        sent_at=sent_at,
        finished_at=finished_at,
        error=error,
        is_confirmed=confirmed_at is not None,
    )


def _key(side: Side, entity: Entity, id_: RecordId | None) -> RecordKey | None:
    return None if id_ is None else RecordKey(side, entity, id_)


def load_open(tx: Transaction) -> list[JournalRow]:
    return [_row_of(row) for row in tx.connection.execute(_rows(tx, IS_OPEN).order_by(journal.c.number))]


def load_rows(tx: Transaction, numbers: Iterable[int]) -> dict[int, JournalRow]:
    found: dict[int, JournalRow] = {}
    for chunk in in_chunks(numbers):
        rows = tx.connection.execute(_rows(tx, journal.c.number.in_(chunk)))
        found |= {row.number: row for row in map(_row_of, rows)}
    return found


def load_unconfirmed(tx: Transaction, numbers: Iterable[LinkNumber]) -> dict[LinkNumber, list[JournalRow]]:
    found: dict[LinkNumber, list[JournalRow]] = {}
    for chunk in in_chunks(numbers):
        rows = _rows(tx, IS_UNCONFIRMED, journal.c.link.in_(chunk)).order_by(journal.c.number)
        for row in map(_row_of, tx.connection.execute(rows)):
            found.setdefault(row.link, []).append(row)
    return found


def load_done_actions(
    tx: Transaction, numbers: Iterable[LinkNumber], since: datetime
) -> dict[LinkNumber, list[Action]]:
    found: dict[LinkNumber, list[Action]] = {}
    is_done = and_(IS_DONE, journal.c.finished_at >= since)
    for chunk in in_chunks(numbers):
        rows = _rows(tx, is_done, journal.c.link.in_(chunk)).order_by(journal.c.number)
        for row in map(_row_of, tx.connection.execute(rows)):
            found.setdefault(row.link, []).append(row.action)
    return found


def load_rejected(tx: Transaction, limit: int) -> list[JournalRow]:
    """Rows of which something is still held, newest first."""
    parked = select(holds.c.journal).where(holds.c.sync_id == tx.sync, holds.c.journal.is_not(None))
    rows = _rows(tx, journal.c.number.in_(parked)).order_by(journal.c.number.desc()).limit(limit)
    return [_row_of(row) for row in tx.connection.execute(rows)]


def insert_rows(
    tx: Transaction, planned: Sequence[tuple[LinkNumber, Entity, Action]], run_id: str, now: datetime
) -> list[int]:
    """Intended rows; their numbers in order."""
    rows = [
        {
            "sync_id": tx.sync,
            "link": link,
            "run_id": run_id,
            "crm_entity": crm_entity,
            "side": action.side.value,
            "entity": action.entity,
            "kind": action.kind.value,
            "record_id": action.id,
            "version": action.version,
            "lookup": action.lookup,
            "survivor": action.survivor,
            "writes": codec.encode_writes(action.writes),
            "state": JournalState.INTENDED.value,
            "created_at": now,
        }
        for link, crm_entity, action in planned
    ]
    if not rows:
        return []
    numbered = insert(journal).returning(journal.c.number, sort_by_parameter_order=True)
    return list(tx.connection.execute(numbered, rows).scalars())


def mark_sent(tx: Transaction, numbers: Iterable[int], now: datetime) -> None:
    for chunk in in_chunks(numbers):
        is_it = and_(journal.c.sync_id == tx.sync, journal.c.number.in_(chunk))
        is_intended = journal.c.state == JournalState.INTENDED.value
        sent = update(journal).where(is_it, is_intended).values(state=JournalState.SENT.value, sent_at=now)
        tx.connection.execute(sent)


def confirm(tx: Transaction, numbers: Iterable[int], now: datetime) -> None:
    for chunk in in_chunks(numbers):
        is_it = and_(journal.c.sync_id == tx.sync, journal.c.number.in_(chunk))
        tx.connection.execute(update(journal).where(is_it).values(confirmed_at=now))


def save_fates(tx: Transaction, fates: Sequence[Mapping[str, Any]]) -> None:
    """Each with ``b_number`` and the columns below."""
    if fates:
        names = ("record_id", "state", "error", "finished_at", "confirmed_at")
        is_it = and_(journal.c.number == bindparam("b_number"), journal.c.sync_id == tx.sync)
        values: dict[str, Any] = {name: bindparam(name) for name in names}
        tx.connection.execute(update(journal).where(is_it).values(**values), list(fates))
