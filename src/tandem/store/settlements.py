"""What people decided about conflicts lately."""

from datetime import datetime

from sqlalchemy import select, update

from tandem.core.record import LinkNumber, Side
from tandem.core.settled import SETTLEABLE, Settled
from tandem.store import codec
from tandem.store import links as link_queries
from tandem.store.tables import IS_SETTLED, conflicts
from tandem.store.transaction import Transaction


def settle(tx: Transaction, number: int, side: Side, now: datetime) -> bool:
    c = conflicts.c
    kinds = [kind.value for kind in SETTLEABLE]
    is_it = (c.sync_id == tx.sync, c.number == number, c.is_open, c.kind.in_(kinds))
    link = tx.connection.execute(select(c.link).where(*is_it)).scalar_one_or_none()
    if link is None:
        return False
    tx.connection.execute(update(conflicts).where(*is_it).values(settled=side.value, settled_at=now))
    link_queries.make_due(tx, [link])
    return True


def load(tx: Transaction, since: datetime) -> dict[LinkNumber, list[Settled]]:
    c = conflicts.c
    rows = select(c.link, c.settled, c.kind, c.field, c["values"], c.winner, c.reason)
    found: dict[LinkNumber, list[Settled]] = {}
    for link, side, *parts in tx.connection.execute(
        rows.where(c.sync_id == tx.sync, IS_SETTLED, c.settled_at >= since)
    ):
        found.setdefault(link, []).append(Settled(codec.decode_conflict(*parts), Side(side)))
    return found
