"""One emulator for a module's tests; each test finds it without faults and with its switches as they were."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from tandem.connectors.marketo.connector import MarketoConnector
from tests.connectors.marketo.emulator import Emulator, EmulatorClock, running

Connect = Callable[..., MarketoConnector]


@pytest.fixture(scope="module")
def emulator_of_module() -> Iterator[Emulator]:
    with running(60, "--limits", "off", "--set", "activity_lag_s=0") as emulator:
        yield emulator


@pytest.fixture
def emulator(emulator_of_module: Emulator) -> Iterator[Emulator]:
    before = emulator_of_module.control("settings")
    yield emulator_of_module
    emulator_of_module.control("faults", method="DELETE")
    emulator_of_module.settings(**before)
    emulator_of_module.control("privileges", {"grant": emulator_of_module.control("privileges")["revoked"]})


@pytest.fixture
def clock(emulator: Emulator) -> EmulatorClock:
    return EmulatorClock(emulator)


@pytest.fixture
async def connect(emulator: Emulator, clock: EmulatorClock) -> AsyncIterator[Connect]:
    """Makes connectors, and closes them."""
    made: list[MarketoConnector] = []

    def make(**settings: Any) -> MarketoConnector:
        known: dict[str, Any] = {
            "url": emulator.url,
            "client_id": emulator.client_id,
            "client_secret": emulator.client_secret,
            "clock": clock,
            "daily_share": 10_000,
            "munchkin_id": emulator.munchkin_id,
        }
        made.append(MarketoConnector(**known | settings))
        return made[-1]

    yield make
    for connector in made:
        await connector.close()


@pytest.fixture
def connector(connect: Connect) -> MarketoConnector:
    return connect()
