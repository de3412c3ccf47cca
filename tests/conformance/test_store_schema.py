"""The migrations make exactly the tables of ``tables.py``, on both databases; a newer schema is refused."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, text

from tandem.core.errors import ConfigError, SchemaVersionError
from tandem.store import open_store
from tandem.store.tables import metadata
from tests.postgresql_server import PostgresqlServer

SQLITE_DDL = "SELECT type, tbl_name, name, sql FROM sqlite_master WHERE name <> 'alembic_version' AND sql IS NOT NULL"
POSTGRESQL_DDL = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'"


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'state.db'}"


def differences(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection), metadata))


def test_sqlite_has_the_tables_as_written(sqlite_url: str) -> None:
    open_store(sqlite_url, "main").close()
    migrated, written = create_engine(sqlite_url), create_engine("sqlite://")
    with migrated.connect() as first, written.connect() as second:
        metadata.create_all(second)
        assert differences(first) == []
        assert indexes(first, SQLITE_DDL) == indexes(second, SQLITE_DDL)
    migrated.dispose()
    written.dispose()


def test_postgresql_has_the_tables_as_written(postgresql_server: PostgresqlServer) -> None:
    url, other = postgresql_server.create_database(), postgresql_server.create_database()
    open_store(url, "main").close()
    migrated, written = create_engine(url), create_engine(other)
    with migrated.connect() as first, written.connect() as second:
        metadata.create_all(second)
        assert differences(first) == []
        assert indexes(first, POSTGRESQL_DDL) == indexes(second, POSTGRESQL_DDL)
    for engine, name in ((migrated, url), (written, other)):
        engine.dispose()
        postgresql_server.drop_database(name)


def indexes(connection: Connection, query: str) -> set[str]:
    """Definitions with their conditions, which ``compare_metadata`` does not look at."""
    rows = [tuple(row) for row in connection.execute(text(query))]
    return {str(row[-1]) for row in rows if "INDEX" in str(row[-1])}


def test_opening_again_keeps_what_is_there(sqlite_url: str) -> None:
    first = open_store(sqlite_url, "main")
    first.save_setting("name", "value")
    first.close()
    second, other = open_store(sqlite_url, "main"), open_store(sqlite_url, "another sync")
    assert (second.load_setting("name"), other.load_setting("name")) == ("value", None)
    second.close()
    other.close()


def test_a_newer_schema_is_refused_with_what_to_do(sqlite_url: str) -> None:
    open_store(sqlite_url, "main").close()
    engine = create_engine(sqlite_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(SchemaVersionError, match="newer Tandem"):
        open_store(sqlite_url, "main")


def test_a_database_of_another_program_is_left_alone(sqlite_url: str) -> None:
    engine = create_engine(sqlite_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE links (url TEXT)"))
    engine.dispose()
    with pytest.raises(ConfigError, match="cannot be opened"):
        open_store(sqlite_url, "main")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "mysql://somebody@127.0.0.1/tandem",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///no-such-folder/state.db",
        "postgresql+psycopg://somebody:s3cret@127.0.0.1:1/tandem",
        "postgresql+psycopg://127.0.0.1:not-a-port/tandem",
    ],
)
def test_an_unusable_url_is_named_without_its_password(url: str) -> None:
    with pytest.raises(ConfigError, match="store") as caught:
        open_store(url, "main")
    assert "s3cret" not in str(caught.value)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("These are notes, not a database." * 99)
    with pytest.raises(ConfigError, match=r"notes\.txt"):
        open_store(f"sqlite:///{file}", "main")


def test_a_folder_in_place_of_the_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be opened"):
        open_store(f"sqlite:///{tmp_path}", "main")
