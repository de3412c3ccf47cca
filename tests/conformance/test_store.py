"""One contract, three stores."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

import pytest

from tandem.ports import Store
from tandem.store import open_store as open_by_url
from tandem.store.memory import MemoryState, MemoryStore
from tests.conformance.store_contract import StoreContract
from tests.conformance.store_world import FIELDS, PAIRS, OpenStore
from tests.postgresql_server import PostgresqlServer

NUMBERS = count(1)


@pytest.fixture
def store(open_store: OpenStore) -> Store:
    return open_store()


@pytest.fixture(scope="session")
def migrated(postgresql_server: PostgresqlServer) -> str:
    """A database for all tests: each has a sync of its own in it, which must be enough to keep them apart."""
    url = postgresql_server.create_database()
    open_by_url(url, "main").close()
    return url


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
    @pytest.fixture
    def open_store(self, migrated: str) -> Iterator[OpenStore]:
        with opened(migrated, sync_name=f"sync {next(NUMBERS)}") as open_one:
            yield open_one


@contextmanager
def opened(url: str, sync_name: str = "main") -> Iterator[OpenStore]:
    """A function that opens stores on `url`; they are closed with the block."""
    with ExitStack() as stack:

        def open_one() -> Store:
            one = open_by_url(url, sync_name)
            stack.callback(one.close)
            return declared(one)

        yield open_one


def declared(store: Store) -> Store:
    store.use_mappings(PAIRS, FIELDS)
    return store
