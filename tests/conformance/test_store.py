"""One contract, three stores."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tandem.ports import Store
from tandem.store import open_store as open_by_url
from tandem.store.memory import MemoryState, MemoryStore
from tests.conformance.store_contract import StoreContract
from tests.conformance.store_world import FIELDS, PAIRS, OpenStore
from tests.postgresql_server import PostgresqlServer


@pytest.fixture
def store(open_store: OpenStore) -> Store:
    return open_store()


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def open_store(self) -> OpenStore:
        state = MemoryState()
        return lambda: declared(MemoryStore(state))


class TestSqliteStore(StoreContract):
    @pytest.fixture
    def open_store(self, tmp_path: Path) -> Iterator[OpenStore]:
        with opened(f"sqlite:///{tmp_path / 'state.db'}") as open_one:
            yield open_one


class TestPostgresqlStore(StoreContract):
    @pytest.fixture(scope="class")
    def migrated(self, postgresql_server: PostgresqlServer) -> str:
        url = postgresql_server.create_database()
        open_by_url(url, "template").close()
        return make_url(url).database or ""

    @pytest.fixture
    def open_store(self, postgresql_server: PostgresqlServer, migrated: str) -> Iterator[OpenStore]:
        url = postgresql_server.create_database(template=migrated)
        with opened(url) as open_one:
            yield open_one
        postgresql_server.drop_database(url)


@contextmanager
def opened(url: str) -> Iterator[OpenStore]:
    """A function that opens stores on `url`; they are closed with the block."""
    with ExitStack() as stack:

        def open_one() -> Store:
            one = open_by_url(url, "main")
            stack.callback(one.close)
            return declared(one)

        yield open_one


def declared(store: Store) -> Store:
    store.use_mappings(PAIRS, FIELDS)
    return store
