"""Under the service's protection limits: nothing is refused where it can be helped, and what is asked for is kept."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tandem.connectors.dynamics.connector import DynamicsConnector
from tandem.core.plan import ActionKind
from tandem.core.record import CONTACT, RecordId
from tandem.ports import Write, Written
from tests.connectors.dynamics.conftest import Connect
from tests.connectors.dynamics.emulator import Emulator, EmulatorClock, running


@pytest.fixture(scope="module")
def busy() -> Iterator[Emulator]:
    with running(20) as emulator:
        yield emulator


@pytest.fixture
async def patient(connect: Connect, busy: Emulator) -> AsyncIterator[DynamicsConnector]:
    """Its clock moves the service's, and the windows are empty."""
    busy.control("clock", {"advance_s": 400})
    yield connect(busy, clock=EmulatorClock(busy))
    busy.control("faults", method="DELETE")


async def look(connector: DynamicsConnector, times: int) -> None:
    await asyncio.gather(*(connector.find_records(CONTACT, ["lastname"], "lastname", ["x"]) for _ in range(times)))


async def test_calls_spread_over_the_web_servers(patient: DynamicsConnector, busy: Emulator) -> None:
    """A cookie that was sent back would tie all of them to one server and its window."""
    with busy.settings(servers=3):
        await look(patient, 12)
        windows: list[dict[str, Any]] = busy.control("limits")["windows"]
    used = {window["server"]: window["requests"] for window in windows}
    assert len([server for server, requests in used.items() if requests >= 3]) == 3


async def test_a_small_limit_is_learnt_and_never_met(patient: DynamicsConnector, busy: Emulator) -> None:
    with busy.settings(requests_limit=30):
        before = busy.control("counters")["requests_total"]
        await look(patient, 70)
        assert busy.control("counters")["requests_total"] - before == patient.calls - 2  # less the sign-in


async def test_the_wait_that_is_asked_for_is_kept_to_the_second(patient: DynamicsConnector, busy: Emulator) -> None:
    await look(patient, 1)
    clock = patient._clock
    assert isinstance(clock, EmulatorClock)
    busy.fault("contacts.list", "status", status=429, headers={"Retry-After": "17"})
    before = clock.now()
    await look(patient, 5)
    assert (clock.now() - before).total_seconds() == 17.0


async def test_parallelism_follows_the_hint(patient: DynamicsConnector, busy: Emulator) -> None:
    with busy.settings(dop_hint=9):
        await look(patient, 1)
    assert patient._pacer.at_once == 9
    with busy.settings(dop_hint=2):
        await look(patient, 1)
    assert patient._pacer.at_once == 2


async def test_writes_under_pressure_all_arrive(patient: DynamicsConnector, busy: Emulator) -> None:
    with busy.settings(limits_window_s=10, requests_limit=4, execution_limit_ms=200):
        writes = [
            [Write(ActionKind.CREATE, RecordId(f"00000000-0000-4000-8000-{call:06d}{n:06d}"), {"lastname": "Busy"})]
            for call in range(10)
            for n in range(2)
        ]
        results = await asyncio.gather(*(patient.write(CONTACT, batch) for batch in writes))
    assert all(isinstance(result, Written) for batch in results for result in batch)
