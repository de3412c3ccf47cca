"""SQLite, the embedded default: one file, written by one transaction at a time, read beside it (WAL)."""

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.dialects.sqlite import insert

from tandem.core.errors import ConfigError

__all__ = ["insert", "lock_schema", "open_engine"]

BUSY_TIMEOUT_MS = 10_000
# FULL costs an fsync a transaction (measured: 0.6 ms instead of 0.2), and a transaction is a page or a batch of calls.
# NORMAL could lose the last ones in a power cut: a journal row that says `intended` although its call began is the one
# thing a restart cannot see.
PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
    "PRAGMA cache_size = -65536",
)


def open_engine(url: URL) -> Engine:
    _check_file(url)
    engine = create_engine(url, hide_parameters=True)
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def lock_schema(connection: Connection) -> None:
    """Nothing to do: a transaction that writes has the file to itself from its beginning."""


def _check_file(url: URL) -> None:
    name = url.database
    if not name or name == ":memory:":
        raise ConfigError("The store's URL names no file: give it one, as in sqlite:///tandem.db.")
    if not Path(name).absolute().parent.is_dir():
        raise ConfigError(f"The folder of the store's file {name} does not exist: make it, or name another file.")


def _set_up(connection: sqlite3.Connection, record: Any) -> None:
    # The driver's own idea of when a transaction begins is off: _begin says it.
    connection.isolation_level = None
    for pragma in PRAGMAS:
        connection.execute(pragma)


def _begin(connection: Connection) -> None:
    """A writer takes its lock at once: one that read first could only fail when somebody else wrote meanwhile."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
