"""The lease of a sync and its fence: the number that tells a worker it has been replaced."""

from datetime import datetime, timedelta

from sqlalchemy import select, update

from tandem.core.errors import LeaseLostError
from tandem.ports import Lease
from tandem.store.tables import leases
from tandem.store.transaction import Transaction


def check_fence(tx: Transaction, fence: int) -> None:
    """Whoever takes the lease over waits for the transactions that have passed this check: it locks the lease's row
    where the database has such locks (SQLite has one writer at a time anyway)."""
    stored = tx.connection.execute(
        select(leases.c.fence).where(leases.c.sync_id == tx.sync).with_for_update(read=True)
    ).scalar_one()
    if stored != fence:
        raise LeaseLostError("Another worker holds this sync now; nothing was written.")


def acquire(tx: Transaction, holder: str, ttl_s: float, now: datetime) -> Lease | None:
    known = tx.connection.execute(
        select(leases.c.holder, leases.c.fence, leases.c.expires_at)
        .where(leases.c.sync_id == tx.sync)
        .with_for_update()
    ).one()
    if known.holder != holder and known.expires_at is not None and known.expires_at > now:
        return None
    lease = Lease(holder, known.fence + 1, now + timedelta(seconds=ttl_s))
    _save(tx, lease.holder, lease.fence, lease.expires_at)
    return lease


def renew(tx: Transaction, ttl_s: float, now: datetime) -> Lease:
    """The caller has checked the fence."""
    known = tx.connection.execute(select(leases.c.holder, leases.c.fence).where(leases.c.sync_id == tx.sync)).one()
    if known.holder is None:
        raise LeaseLostError("The lease was given back: acquire it again.")
    lease = Lease(known.holder, known.fence, now + timedelta(seconds=ttl_s))
    _save(tx, lease.holder, lease.fence, lease.expires_at)
    return lease


def load(tx: Transaction) -> Lease | None:
    c = leases.c
    known = tx.connection.execute(select(c.holder, c.fence, c.expires_at).where(c.sync_id == tx.sync)).one()
    return None if known.holder is None else Lease(known.holder, known.fence, known.expires_at)


def release(tx: Transaction, fence: int) -> None:
    """Nothing happens where somebody else holds the lease."""
    is_ours = (leases.c.sync_id == tx.sync) & (leases.c.fence == fence)
    tx.connection.execute(update(leases).where(is_ours).values(holder=None, expires_at=None))


def _save(tx: Transaction, holder: str, fence: int, expires_at: datetime) -> None:
    values = {"holder": holder, "fence": fence, "expires_at": expires_at}
    tx.connection.execute(update(leases).where(leases.c.sync_id == tx.sync).values(values))
