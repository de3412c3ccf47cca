"""What waits and since when, and what was done when: the queries behind ``tandem status``.

A record that waits keeps the number of the reading that brought it first, however often it is read again. The time of
a reading is not stored; whoever asks knows when passes began.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import and_, case, func, or_, select

from tandem.core.plan import ActionKind
from tandem.core.record import ReadNumber, Side
from tandem.ports import BacklogRow, SyncedRow
from tandem.store.tables import IS_DONE, IS_DUE, IS_NOT_TOMBSTONE, inbox, journal, links
from tandem.store.transaction import Transaction


def load_backlog(tx: Transaction) -> list[BacklogRow]:
    """Inbox rows and due links, by entity and by whether the other side has the record yet."""
    found: dict[tuple[str, bool], list[tuple[int, int]]] = {}
    for query in (_waiting(tx, Side.CRM), _waiting(tx, Side.MARKETING), _due(tx)):
        for entity, is_insert, count, oldest in tx.connection.execute(query):
            found.setdefault((entity, bool(is_insert)), []).append((count, oldest))
    return [
        BacklogRow(
            entity,  # type: ignore[arg-type]  # stored as it was
            is_insert,
            sum(count for count, _ in parts),
            ReadNumber(min(oldest for _, oldest in parts)),
        )
        for (entity, is_insert), parts in sorted(found.items())
    ]


_LACKS_AN_END = case((or_(links.c.crm_id.is_(None), links.c.marketing_id.is_(None)), 1), else_=0)


def _waiting(tx: Transaction, side: Side) -> Any:
    """Rows of the inbox. People linked with nothing count under their own name, as what they will be is not known."""
    end_entity, end_id = links.c[f"{side.value}_entity"], links.c[f"{side.value}_id"]
    is_linked = and_(
        links.c.sync_id == inbox.c.sync_id,
        end_entity == inbox.c.entity,
        end_id == inbox.c.record_id,
        IS_NOT_TOMBSTONE,
    )
    entity = inbox.c.entity if side is Side.CRM else func.coalesce(links.c.crm_entity, inbox.c.entity)
    is_insert = case((links.c.number.is_(None), 1), else_=_LACKS_AN_END)
    rows = select(entity, is_insert, func.count(), func.min(inbox.c.first_read))
    rows = rows.select_from(inbox.outerjoin(links, is_linked))
    return rows.where(inbox.c.sync_id == tx.sync, inbox.c.side == side.value).group_by(entity, is_insert)


def _due(tx: Transaction) -> Any:
    rows = select(links.c.crm_entity, _LACKS_AN_END, func.count(), func.min(links.c.due_number))
    return rows.where(links.c.sync_id == tx.sync, IS_DUE).group_by(links.c.crm_entity, _LACKS_AN_END)


def load_synced(tx: Transaction, since: datetime, until: datetime) -> list[SyncedRow]:
    """What was written and acknowledged from `since` to before `until`."""
    is_it = and_(journal.c.sync_id == tx.sync, journal.c.finished_at >= since, journal.c.finished_at < until, IS_DONE)
    group = (journal.c.crm_entity, journal.c.side, journal.c.kind)
    rows = select(*group, func.count()).where(is_it).group_by(*group).order_by(*group)
    return [
        SyncedRow(entity, Side(side), ActionKind(kind), count)
        for entity, side, kind, count in tx.connection.execute(rows)
    ]
