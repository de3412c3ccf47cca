"""PostgreSQL: where it differs from SQLite."""

from sqlalchemy import URL, Connection, Engine, create_engine, text
from sqlalchemy.dialects.postgresql import insert

__all__ = ["insert", "lock_schema", "open_engine"]

# Any number will do, as long as no other program on the database takes the same.
SCHEMA_LOCK = 7_263_301


def open_engine(url: URL) -> Engine:
    return create_engine(url, hide_parameters=True, pool_pre_ping=True)


def lock_schema(connection: Connection) -> None:
    """Two processes that open a store at once migrate it one after the other."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": SCHEMA_LOCK})
