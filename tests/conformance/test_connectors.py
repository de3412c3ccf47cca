"""One contract, three connectors: the memory connector for both sides, Dynamics and Marketo over their emulators."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.conformance.connector_contract import ConnectorContract
from tests.conformance.connector_world import (
    ConnectorWorld,
    DynamicsWorld,
    MarketoWorld,
    MemoryCrmWorld,
    MemoryMarketingWorld,
)
from tests.connectors.dynamics import emulator as dataverse
from tests.connectors.marketo import emulator as marketo


@pytest.fixture(scope="module")
def dataverse_emulator() -> Iterator[dataverse.Emulator]:
    with dataverse.running(300) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def marketo_emulator() -> Iterator[marketo.Emulator]:
    with marketo.running(700, "--limits", "off", "--set", "activity_lag_s=0") as emulator:
        yield emulator


class TestMemoryCrm(ConnectorContract):
    @pytest.fixture
    def world(self) -> ConnectorWorld:
        return MemoryCrmWorld(people=10)


class TestMemoryMarketing(ConnectorContract):
    @pytest.fixture
    def world(self) -> ConnectorWorld:
        return MemoryMarketingWorld(people=10)


class TestDynamics(ConnectorContract):
    @pytest.fixture
    async def world(self, dataverse_emulator: dataverse.Emulator) -> AsyncIterator[ConnectorWorld]:
        world = DynamicsWorld(dataverse_emulator)
        yield world
        world.recover()
        await world.connector.close()


class TestMarketo(ConnectorContract):
    @pytest.fixture
    async def world(self, marketo_emulator: marketo.Emulator) -> AsyncIterator[ConnectorWorld]:
        world = MarketoWorld(marketo_emulator)
        yield world
        world.recover()
        await world.connector.close()
