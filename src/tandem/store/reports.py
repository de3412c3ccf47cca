"""What people see of the store: runs, counts, conflicts and holds."""

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import and_, distinct, func, select

from tandem.core.record import Entity, LinkStatus, RecordKey, Side
from tandem.ports import ConflictRow, EntityStatus, HoldRow, RunSummary
from tandem.store import codec
from tandem.store.tables import IS_DUE, IS_NOT_TOMBSTONE, IS_OPEN, conflicts, holds, inbox, journal, links, runs
from tandem.store.transaction import Transaction

_ENDS = (links.c.crm_entity, links.c.crm_id, links.c.marketing_entity, links.c.marketing_id)


# --- runs --------------------------------------------------------------------------------------------------------


def save_run(tx: Transaction, run: RunSummary) -> None:
    values = {
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "counts": json.dumps(dict(run.counts)),
        "error": run.error,
    }
    statement = tx.insert(runs).values(sync_id=tx.sync, run_id=run.run_id, **values)
    statement = statement.on_conflict_do_update(index_elements=[runs.c.sync_id, runs.c.run_id], set_=values)
    tx.connection.execute(statement)


def load_runs(tx: Transaction, limit: int) -> list[RunSummary]:
    """Newest first."""
    rows = select(runs.c.run_id, runs.c.started_at, runs.c.finished_at, runs.c.counts, runs.c.error)
    rows = rows.where(runs.c.sync_id == tx.sync).order_by(runs.c.started_at.desc()).limit(limit)
    return [
        RunSummary(run_id, started_at, finished_at, json.loads(counts), error)
        for run_id, started_at, finished_at, counts, error in tx.connection.execute(rows)
    ]


# --- conflicts and holds -----------------------------------------------------------------------------------------


def load_conflicts(tx: Transaction, limit: int, *, only_open: bool) -> list[ConflictRow]:
    """Newest first."""
    c = conflicts.c
    rows = (
        select(c.number, c.at, c.is_open, c.kind, c.field, c["values"], c.winner, c.reason, *_ENDS)
        .join(links, links.c.number == c.link)
        .where(c.sync_id == tx.sync, *([c.is_open] if only_open else []))
        .order_by(c.number.desc())
        .limit(limit)
    )
    return [
        ConflictRow(row[0], row[1], *_ends_of(row[8:]), codec.decode_conflict(*row[3:8]), row[2])
        for row in tx.connection.execute(rows)
    ]


def load_holds(tx: Transaction, limit: int) -> list[HoldRow]:
    """Newest first."""
    c = holds.c
    return load_holds_where(tx, c.sync_id == tx.sync, c.since.desc(), c.number.desc(), limit=limit)


def load_holds_where(tx: Transaction, condition: Any, *order: Any, limit: int) -> list[HoldRow]:
    c = holds.c
    rows = select(c.field, c.reason, c.since, *_ENDS).join(links, links.c.number == c.link)
    rows = rows.where(condition).order_by(*order).limit(limit)
    return [HoldRow(*_ends_of(row[3:]), row[0], row[1], row[2]) for row in tx.connection.execute(rows)]


def _ends_of(row: Any) -> tuple[RecordKey | None, RecordKey | None]:
    crm_entity, crm_id, marketing_entity, marketing_id = row
    crm = RecordKey(Side.CRM, crm_entity, crm_id) if crm_id is not None else None
    return crm, RecordKey(Side.MARKETING, marketing_entity, marketing_id) if marketing_id is not None else None


# --- counts ------------------------------------------------------------------------------------------------------


def load_status(tx: Transaction, declared: Iterable[Entity]) -> list[EntityStatus]:
    """One line an entity, by name. Marketing rows count for the entity they are linked as; those that are linked with
    nothing yet have a line of their own, under the marketing entity's name."""
    linked = {status: _count_links(tx, links.c.status == status.value) for status in LinkStatus}
    waiting = [_count_inbox(tx), _count_links(tx, IS_DUE)]
    open_actions = _count_of(tx, journal, IS_OPEN)
    held, noted = _count_of(tx, holds), _count_of(tx, conflicts)
    rejected = _count_rejected(tx)
    entities = {*declared, *(entity for counts in (*linked.values(), *waiting) for entity in counts)}
    return [
        EntityStatus(
            crm_entity=entity,
            linked=linked[LinkStatus.LIVE].get(entity, 0),
            pending=linked[LinkStatus.PENDING].get(entity, 0),
            tombstoned=linked[LinkStatus.TOMBSTONE].get(entity, 0),
            waiting=sum(counts.get(entity, 0) for counts in waiting),
            open_actions=open_actions.get(entity, 0),
            rejected=rejected.get(entity, 0),
            held=held.get(entity, 0),
            conflicts=noted.get(entity, 0),
        )
        for entity in sorted(entities)
    ]


def _count_links(tx: Transaction, condition: Any) -> dict[Entity, int]:
    rows = select(links.c.crm_entity, func.count()).where(links.c.sync_id == tx.sync, condition)
    return _counts(tx.connection.execute(rows.group_by(links.c.crm_entity)))


def _count_of(tx: Transaction, table: Any, *conditions: Any) -> dict[Entity, int]:
    """Rows of a table that hangs on links."""
    rows = select(links.c.crm_entity, func.count()).join(table, table.c.link == links.c.number)
    rows = rows.where(table.c.sync_id == tx.sync, *conditions).group_by(links.c.crm_entity)
    return _counts(tx.connection.execute(rows))


def _count_rejected(tx: Transaction) -> dict[Entity, int]:
    rows = select(links.c.crm_entity, func.count(distinct(holds.c.journal))).join(holds, holds.c.link == links.c.number)
    rows = rows.where(holds.c.sync_id == tx.sync, holds.c.journal.is_not(None)).group_by(links.c.crm_entity)
    return _counts(tx.connection.execute(rows))


def _count_inbox(tx: Transaction) -> dict[Entity, int]:
    is_linked = and_(
        inbox.c.side == Side.MARKETING.value,
        links.c.sync_id == inbox.c.sync_id,
        links.c.marketing_entity == inbox.c.entity,
        links.c.marketing_id == inbox.c.record_id,
        IS_NOT_TOMBSTONE,
    )
    counted_for = func.coalesce(links.c.crm_entity, inbox.c.entity)
    rows = select(counted_for, func.count()).select_from(inbox.outerjoin(links, is_linked))
    return _counts(tx.connection.execute(rows.where(inbox.c.sync_id == tx.sync).group_by(counted_for)))


def _counts(rows: Iterable[Any]) -> dict[Entity, int]:
    return {row[0]: row[1] for row in rows}
