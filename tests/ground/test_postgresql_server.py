"""The tests' own PostgreSQL: each test gets a database of its own, and nothing stays behind."""

from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, make_url, text

from tests import postgresql_server as subject
from tests.postgresql_server import PostgresqlServer


def test_a_fresh_database_answers_over_sqlalchemy(postgresql_url: str) -> None:
    engine = create_engine(postgresql_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE people (name text)"))
        connection.execute(text("INSERT INTO people VALUES ('Zoë')"))
        assert connection.execute(text("SELECT name FROM people")).scalar_one() == "Zoë"
    engine.dispose()


def test_two_databases_share_no_table(postgresql_server: PostgresqlServer) -> None:
    first, second = postgresql_server.create_database(), postgresql_server.create_database()
    with connect(first) as connection:
        connection.execute("CREATE TABLE only_in_the_first ()")
    with connect(second) as connection:
        assert connection.execute("SELECT to_regclass('only_in_the_first')").fetchone() == (None,)
    postgresql_server.drop_database(first)
    postgresql_server.drop_database(second)


def test_a_database_can_be_the_template_of_another(postgresql_server: PostgresqlServer) -> None:
    template = postgresql_server.create_database()
    with connect(template) as connection:
        connection.execute("CREATE TABLE migrated ()")
    copy = postgresql_server.create_database(template=make_url(template).database or "")
    with connect(copy) as connection:
        assert connection.execute("SELECT to_regclass('migrated')::text").fetchone() == ("migrated",)
    postgresql_server.drop_database(copy)
    postgresql_server.drop_database(template)


def test_dropping_a_database_cuts_a_forgotten_connection(postgresql_server: PostgresqlServer) -> None:
    url = postgresql_server.create_database()
    forgotten = connect(url)
    postgresql_server.drop_database(url)
    with pytest.raises(psycopg.OperationalError):
        forgotten.execute("SELECT 1")
    forgotten.close()


def test_the_server_listens_on_this_machine_only(postgresql_server: PostgresqlServer) -> None:
    with subject.connect(postgresql_server.port) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("127.0.0.1",)


def test_the_server_and_its_data_go_even_after_a_failure(postgresql_server: PostgresqlServer) -> None:
    seen: list[tuple[int, Path]] = []

    def fail_while_it_runs() -> None:
        with subject.running_server() as server, subject.connect(server.port) as connection:
            (data_folder,) = connection.execute("SHOW data_directory").fetchone() or ("",)
            seen.append((server.port, Path(data_folder)))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_while_it_runs()
    ((port, folder),) = seen
    assert port != postgresql_server.port
    assert not folder.parent.exists()
    with pytest.raises(psycopg.OperationalError):
        subject.connect(port)


def test_without_its_programs_the_reason_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "DEBIAN_FOLDER", Path("nowhere"))
    monkeypatch.setenv("PATH", "nowhere")
    with pytest.raises(subject.PostgresqlMissingError, match="make test"):
        subject.find_programs()


def connect(url: str) -> psycopg.Connection[tuple[object, ...]]:
    plain = make_url(url).set(drivername="postgresql").render_as_string()
    return psycopg.connect(plain, autocommit=True)
