"""One emulator for the folder, without faults at the start of each test, and a connector to it."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tandem.connectors.dynamics.connector import DynamicsConnector
from tests.connectors.dynamics.emulator import Emulator, running
from tests.connectors.fake_clock import FakeClock

Connect = Callable[..., DynamicsConnector]


@pytest.fixture(scope="session")
def emulator_process() -> Iterator[Emulator]:
    with running(300) as emulator:
        yield emulator


@pytest.fixture
def emulator(emulator_process: Emulator) -> Iterator[Emulator]:
    yield emulator_process
    emulator_process.control("faults", method="DELETE")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def connect(clock: FakeClock) -> AsyncIterator[Connect]:
    """Makes connectors to an emulator, with other arguments where a test gives them, and closes them."""
    async with AsyncExitStack() as stack:

        def make(emulator: Emulator, **others: Any) -> DynamicsConnector:
            names = ("url", "tenant_id", "client_id", "client_secret", "username", "password", "authority")
            given = {name: emulator.first_line[name] for name in names} | {"clock": clock} | others
            connector = DynamicsConnector(**given)
            stack.push_async_callback(connector.close)
            return connector

        yield make


@pytest.fixture
def connector(connect: Connect, emulator: Emulator) -> DynamicsConnector:
    return connect(emulator)
