"""Who takes part and how many: what filters, a pilot and the ceiling of people ask of the store."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import and_, distinct, func, select, update

from tandem.core.plan import ActionKind
from tandem.core.record import Entity, Presence, RecordKey, Side
from tandem.ports import HoldRow, JournalState
from tandem.store import feeds, reports
from tandem.store.tables import holds, inbox, journal, waits
from tandem.store.transaction import Transaction, in_chunks

PAUSED = "paused:"
"""How the reason of every hold begins that a filter gives (core.endings, core.record_merge)."""


def load_known_until(tx: Transaction, keys: Iterable[RecordKey]) -> dict[RecordKey, datetime]:
    found: dict[RecordKey, datetime] = {}
    c = inbox.c
    for (side, entity), ids in feeds.by_entity(keys).items():
        for chunk in in_chunks(ids):
            is_it = and_(c.sync_id == tx.sync, c.side == side.value, c.entity == entity, c.record_id.in_(chunk))
            rows = select(c.record_id, c.known_until).where(is_it, c.known_until.is_not(None))
            found |= {RecordKey(side, entity, id_): at for id_, at in tx.connection.execute(rows)}
    return found


def count_inbox(tx: Transaction, side: Side, entity: Entity) -> int:
    c = inbox.c
    is_it = and_(c.sync_id == tx.sync, c.side == side.value, c.entity == entity)
    rows = select(func.count()).select_from(inbox).where(is_it, c.presence == Presence.PRESENT.value)
    return int(tx.connection.execute(rows).scalar_one())


def wake_inbox(tx: Transaction) -> None:
    c = inbox.c
    tx.connection.execute(update(inbox).where(c.sync_id == tx.sync, c.not_before.is_not(None)).values(not_before=None))


def count_made(tx: Transaction, side: Side, entity: Entity, after: int) -> int:
    c = journal.c
    undone = (JournalState.REJECTED.value, JournalState.WITHDRAWN.value)
    is_create = and_(c.side == side.value, c.entity == entity, c.kind == ActionKind.CREATE.value)
    rows = select(func.count()).select_from(journal)
    rows = rows.where(c.sync_id == tx.sync, c.number > after, is_create, c.state.not_in(undone))
    return int(tx.connection.execute(rows).scalar_one())


def last_journal_number(tx: Transaction) -> int:
    return tx.connection.execute(select(func.max(journal.c.number)).where(journal.c.sync_id == tx.sync)).scalar() or 0


def find_awaited(tx: Transaction, keys: Iterable[RecordKey]) -> set[RecordKey]:
    found: set[RecordKey] = set()
    c = waits.c
    for (side, entity), ids in feeds.by_entity(keys).items():
        for chunk in in_chunks(ids):
            is_it = and_(c.sync_id == tx.sync, c.side == side.value, c.entity == entity, c.record_id.in_(chunk))
            found |= {
                RecordKey(side, entity, id_)
                for id_ in tx.connection.execute(select(c.record_id).distinct().where(is_it)).scalars()
            }
    return found


def load_paused(tx: Transaction, limit: int) -> list[HoldRow]:
    return reports.load_holds_where(tx, _is_paused(tx), holds.c.since, holds.c.number, limit=limit)


def count_paused(tx: Transaction) -> int:
    return int(tx.connection.execute(select(func.count(distinct(holds.c.link))).where(_is_paused(tx))).scalar_one())


def _is_paused(tx: Transaction) -> Any:
    return and_(holds.c.sync_id == tx.sync, holds.c.reason.startswith(PAUSED, autoescape=True))
