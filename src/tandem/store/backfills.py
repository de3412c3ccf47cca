"""Backfills: what is being read anew, how far it has come, and the last ones that came to their end."""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update

from tandem.core.backfill import Backfill, Since, Span
from tandem.core.record import Entity, Side
from tandem.store.tables import backfills
from tandem.store.transaction import Transaction


def save(tx: Transaction, backfill: Backfill) -> int:
    """Its number, a new one where it has none."""
    values = _values_of(backfill)
    if backfill.number:
        is_it = (backfills.c.sync_id == tx.sync) & (backfills.c.number == backfill.number)
        tx.connection.execute(update(backfills).where(is_it).values(values))
        return backfill.number
    added = insert(backfills).values(sync_id=tx.sync, **values).returning(backfills.c.number)
    return int(tx.connection.execute(added).scalar_one())


def load(tx: Transaction, limit: int, *, only_open: bool) -> list[Backfill]:
    """Newest first."""
    rows = select(backfills).where(backfills.c.sync_id == tx.sync)
    if only_open:
        rows = rows.where(backfills.c.finished_at.is_(None))
    rows = rows.order_by(backfills.c.number.desc()).limit(limit)
    return [_backfill_of(row) for row in tx.connection.execute(rows)]


def _values_of(backfill: Backfill) -> dict[str, Any]:
    return {
        "side": backfill.side.value,
        "entity": backfill.entity,
        "reason": backfill.reason,
        "asked_at": backfill.asked_at,
        "pairs": json.dumps(backfill.pairs),
        "giver": backfill.giver.value if backfill.giver else None,
        "span": _render_span(backfill.span),
        "began": backfill.began,
        "cursor": backfill.cursor,
        "read_count": backfill.read,
        "expected": backfill.expected,
        "is_read": backfill.is_read,
        "finished_at": backfill.finished_at,
    }


def _backfill_of(row: Any) -> Backfill:
    return Backfill(
        side=Side(row.side),
        entity=Entity(row.entity),
        reason=row.reason,
        asked_at=row.asked_at,
        pairs=tuple(json.loads(row.pairs)),
        giver=Side(row.giver) if row.giver else None,
        span=_parse_span(row.span),
        number=row.number,
        began=row.began,
        cursor=row.cursor,
        read=row.read_count,
        expected=row.expected,
        is_read=row.is_read,
        finished_at=row.finished_at,
    )


def _render_span(span: Span | None) -> str | None:
    if span is None:
        return None
    return json.dumps([span.by.value, *(at.isoformat() if at else None for at in (span.since, span.until))])


def _parse_span(text: str | None) -> Span | None:
    if text is None:
        return None
    by, *ends = json.loads(text)
    since, until = (datetime.fromisoformat(end) if end else None for end in ends)
    return Span(Since(by), since, until)
