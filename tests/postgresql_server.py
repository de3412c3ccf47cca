"""A PostgreSQL server of the tests' own: started on first use, gone with its data when the session ends.

Ask for `postgresql_url` to get an empty database for one test. A suite that wants to migrate only once
takes `postgresql_server` and copies its own template: `server.create_database(template=...)`.
Under pytest-xdist each worker has a server, so that workers share nothing.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import URL, make_url

REQUIRE_VARIABLE = "TANDEM_TESTS_REQUIRE_POSTGRESQL"
DEBIAN_FOLDER = Path("/usr/lib/postgresql")
HOST = "127.0.0.1"
SUPERUSER = "tandem"
START_LIMIT_S = 30.0
HOW_TO_GET_IT = "Run `make test`, which installs it where it may, or install Debian's package postgresql."
# The data lives for one test session: nothing needs to survive a power cut.
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "listen_addresses": HOST,
    "max_connections": "100",
    "log_min_messages": "warning",
}


class PostgresqlMissingError(Exception):
    """The server's programs, or a user that may run them, are not on this machine."""


@dataclass(frozen=True)
class PostgresqlServer:
    port: int
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def url_of(self, database: str) -> str:
        url = URL.create("postgresql+psycopg", username=SUPERUSER, host=HOST, port=self.port, database=database)
        return url.render_as_string()

    def create_database(self, template: str = "template0") -> str:
        """Make a database and answer its SQLAlchemy URL. Nobody may be connected to the template meanwhile."""
        name = f"test_{next(self._numbers)}"
        self._run(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))
        return self.url_of(name)

    def drop_database(self, url: str) -> None:
        """Connections that are still open are cut."""
        name = make_url(url).database or ""
        self._run(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _run(self, statement: sql.Composed) -> None:
        with connect(self.port) as connection:
            connection.execute(statement)


def connect(port: int) -> psycopg.Connection[tuple[Any, ...]]:
    return psycopg.connect(host=HOST, port=port, user=SUPERUSER, dbname="postgres", autocommit=True, connect_timeout=5)


def find_programs() -> Path:
    """The folder of initdb and postgres: Debian's newest version, else what PATH knows."""
    folders = sorted(DEBIAN_FOLDER.glob("*/bin"), key=lambda folder: float(folder.parent.name))
    on_path = shutil.which("initdb")
    folders = folders or ([Path(on_path).resolve().parent] if on_path else [])
    usable = [folder for folder in folders if (folder / "initdb").exists() and (folder / "postgres").exists()]
    if not usable:
        raise PostgresqlMissingError(f"PostgreSQL's programs initdb and postgres were not found. {HOW_TO_GET_IT}")
    return usable[-1]


def unprivileged_user() -> str | None:
    """Whom to run the server as: PostgreSQL refuses root, anyone else runs it as themselves (None)."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    user = next((name for name in ("postgres", "nobody") if name in known), None)
    if user is None:
        raise PostgresqlMissingError("PostgreSQL refuses to run as root, and there is no user postgres or nobody.")
    return user


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_server() -> Iterator[PostgresqlServer]:
    programs, user = find_programs(), unprivileged_user()
    # TMPDIR may be a folder that only root can enter.
    folder = Path(tempfile.mkdtemp(prefix="tandem-postgresql-", dir="/tmp" if user else None))
    try:
        if user is not None:
            shutil.chown(folder, user)
        run_initdb(programs, folder, user)
        with started(programs, folder, user) as port:
            yield PostgresqlServer(port)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run_initdb(programs: Path, folder: Path, user: str | None) -> None:
    options = ["--username", SUPERUSER, "--auth", "trust", "--encoding", "UTF8", "--no-locale", "--no-sync"]
    command = [str(programs / "initdb"), "--pgdata", str(folder / "data"), *options]
    done = subprocess.run(command, user=user, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"initdb failed: {done.stderr.strip()}")


@contextmanager
def started(programs: Path, folder: Path, user: str | None) -> Iterator[int]:
    """Run the server; a port that somebody took between the choice and the start costs another try."""
    for last_try in (False, False, True):
        port = free_port()
        process = start_process(programs, folder, user, port)
        try:
            if is_up(process, port):
                yield port
                return
            if last_try:
                raise RuntimeError(f"PostgreSQL did not start: {(folder / 'log').read_text(errors='replace')[-2000:]}")
        finally:
            stop(process)


def start_process(programs: Path, folder: Path, user: str | None, port: int) -> subprocess.Popen[bytes]:
    # setpriv makes the kernel end the server even when the test process is killed outright.
    leash = ["setpriv", "--pdeathsig", "INT", "--"] if shutil.which("setpriv") else []
    settings = SETTINGS | {"port": str(port), "unix_socket_directories": str(folder)}
    flags = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    with (folder / "log").open("ab") as log:
        command = [*leash, str(programs / "postgres"), "-D", str(folder / "data"), *flags]
        return subprocess.Popen(command, user=user, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def is_up(process: subprocess.Popen[bytes], port: int) -> bool:
    give_up_at = time.monotonic() + START_LIMIT_S
    while process.poll() is None and time.monotonic() < give_up_at:
        try:
            connect(port).close()
        except psycopg.OperationalError:
            time.sleep(0.02)
        else:
            return True
    return False


def stop(process: subprocess.Popen[bytes]) -> None:
    """SIGINT is PostgreSQL's fast shutdown: it cuts what is still connected."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=START_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer]:
    """Skips where PostgreSQL is missing, unless the environment says that these tests must run."""
    try:
        find_programs()
        unprivileged_user()
    except PostgresqlMissingError as missing:
        if os.environ.get(REQUIRE_VARIABLE) == "1":
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(str(missing))
    with running_server() as server:
        yield server


@pytest.fixture
def postgresql_url(postgresql_server: PostgresqlServer) -> Iterator[str]:
    """The SQLAlchemy URL of an empty database that is this test's alone."""
    url = postgresql_server.create_database()
    yield url
    postgresql_server.drop_database(url)
