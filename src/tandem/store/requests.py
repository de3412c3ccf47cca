"""Requests from outside: taken in beside the lease, carried out under it.

Taking one in checks no fence: whoever answers the call need not be the worker that holds the sync, and a new row can
harm nobody's work.
"""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.engine import Row

from tandem.core.record import RecordId
from tandem.core.requests import Ask, Deed, Request, RequestState, is_repeat
from tandem.store.tables import IS_REQUEST_OPEN, leases, requests
from tandem.store.transaction import Transaction

_COLUMNS = tuple(column for column in requests.c if column.name != "sync_id")


def take(tx: Transaction, ask: Ask, now: datetime) -> Request:
    """The request that `ask` is, stored: the earlier one where it is that one once more."""
    tx.connection.execute(select(leases.c.fence).where(leases.c.sync_id == tx.sync).with_for_update())  # one at a time
    earlier = _latest(tx, ask.idempotency_key)
    if earlier is not None and is_repeat(earlier, ask, now):
        return earlier
    values = {
        "key": ask.idempotency_key,
        "deed": ask.deed.value,
        "person": ask.person,
        "arguments": json.dumps(dict(ask.arguments), ensure_ascii=False),
        "origin": ask.origin,
        "asked_at": now,
        "state": RequestState.WAITING.value,
    }
    inserted = requests.insert().values(sync_id=tx.sync, **values).returning(*_COLUMNS)
    return _request(tx.connection.execute(inserted).one())


def save(tx: Transaction, request: Request) -> None:
    values = {
        "state": request.state.value,
        "sent_at": request.sent_at,
        "finished_at": request.finished_at,
        "said": request.said,
        "before": request.before,
        "after": request.after,
    }
    is_it = (requests.c.sync_id == tx.sync) & (requests.c.number == request.number)
    tx.connection.execute(update(requests).where(is_it).values(values))


def load_open(tx: Transaction) -> list[Request]:
    """Oldest first."""
    rows = select(*_COLUMNS).where(requests.c.sync_id == tx.sync, IS_REQUEST_OPEN).order_by(requests.c.number)
    return [_request(row) for row in tx.connection.execute(rows)]


def load(tx: Transaction, limit: int) -> list[Request]:
    """Newest first."""
    rows = select(*_COLUMNS).where(requests.c.sync_id == tx.sync).order_by(requests.c.number.desc()).limit(limit)
    return [_request(row) for row in tx.connection.execute(rows)]


def drop_before(tx: Transaction, at: datetime) -> None:
    """Forget what ended before `at`."""
    is_old = (requests.c.sync_id == tx.sync) & (requests.c.finished_at < at)
    tx.connection.execute(requests.delete().where(is_old))


def _latest(tx: Transaction, key: str) -> Request | None:
    rows = select(*_COLUMNS).where(requests.c.sync_id == tx.sync, requests.c.key == key)
    row = tx.connection.execute(rows.order_by(requests.c.number.desc()).limit(1)).one_or_none()
    return _request(row) if row is not None else None


def _request(row: Row[Any]) -> Request:
    values: dict[str, Any] = dict(row._mapping)
    return Request(
        **{
            **values,
            "deed": Deed(values["deed"]),
            "person": RecordId(values["person"]),
            "arguments": json.loads(values["arguments"]),
            "state": RequestState(values["state"]),
        }
    )
