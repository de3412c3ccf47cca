"""SQLite as both emulators use it: one connection, explicit transactions, durable enough for a rehearsal."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager


def open_database(path: str | None) -> sqlite3.Connection:
    """A file, or memory when no path is given. Transactions are begun by `transaction`, never by the driver."""
    connection = sqlite3.connect(
        path or ":memory:", isolation_level=None, check_same_thread=False, detect_types=sqlite3.PARSE_COLNAMES
    )
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("PRAGMA temp_store=MEMORY")
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing. Inside another transaction it is a savepoint, so an inner failure can be survived."""
    nested = connection.in_transaction
    connection.execute("SAVEPOINT inner_step" if nested else "BEGIN")
    try:
        yield
    except BaseException:
        if nested:
            connection.execute("ROLLBACK TO inner_step")
            connection.execute("RELEASE inner_step")
        else:
            connection.execute("ROLLBACK")
        raise
    connection.execute("RELEASE inner_step" if nested else "COMMIT")
