"""What was done long ago: forgotten after a while, but for what something held still stands on."""

from datetime import datetime

from sqlalchemy import delete, exists

from tandem.store.tables import holds, journal, runs
from tandem.store.transaction import Transaction


def drop_before(tx: Transaction, at: datetime) -> None:
    """Journal rows that ended before `at`, and passes that did. What is open stays, however old it is."""
    is_held = exists().where(
        holds.c.sync_id == tx.sync, holds.c.link == journal.c.link, holds.c.journal == journal.c.number
    )
    is_old = (journal.c.sync_id == tx.sync) & (journal.c.finished_at < at)
    tx.connection.execute(delete(journal).where(is_old, ~is_held))
    was_run = (runs.c.sync_id == tx.sync) & (runs.c.started_at < at) & (runs.c.finished_at < at)
    tx.connection.execute(delete(runs).where(was_run))
