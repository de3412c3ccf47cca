"""Tandem's own state of a sync: on SQLite or PostgreSQL by URL, or in memory for tests."""

from types import ModuleType

from sqlalchemy import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from tandem.core.errors import ConfigError
from tandem.ports import Store
from tandem.store import postgresql, sqlite
from tandem.store.schema import upgrade
from tandem.store.sql import SqlStore

__all__ = ["open_store"]

DATABASES: dict[str, ModuleType] = {"sqlite": sqlite, "postgresql+psycopg": postgresql}


def open_store(url: str, sync_name: str) -> Store:
    """The store behind `url`, migrated to this version's schema.

    Raises:
        ConfigError: the URL cannot be used.
        SchemaVersionError: a newer version wrote this store.
    """
    parsed = _parse(url)
    database = DATABASES[parsed.drivername]
    engine = database.open_engine(parsed)
    try:
        _migrate(engine, database, parsed)
        return SqlStore(engine, database.insert, sync_name)
    except BaseException:
        engine.dispose()
        raise


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    if parsed is not None and parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed is None or parsed.drivername not in DATABASES:
        raise ConfigError(
            "The store's URL is of no kind that Tandem knows: "
            "write sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE."
        )
    return parsed


def _migrate(engine: Engine, database: ModuleType, url: URL) -> None:
    try:
        with engine.execution_options(writes=True).begin() as connection:
            database.lock_schema(connection)
            upgrade(connection)
    except DBAPIError as error:
        shown = url.render_as_string(hide_password=True)
        raise ConfigError(f"The store {shown} cannot be opened: {error.orig}") from error
