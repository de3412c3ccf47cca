"""A running emulator for each test; `crm` has an organisation without people, `start` takes options of its own."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.contract.dataverse.client import Running

Start = Callable[..., Running]


@pytest.fixture
def start() -> Iterator[Start]:
    running: list[Running] = []

    def begin(**options: Any) -> Running:
        emulator = Running(**options)
        running.append(emulator)
        assert emulator.sign_in().status == 200
        return emulator

    yield begin
    for emulator in running:
        emulator.close()


@pytest.fixture
def crm(start: Start) -> Running:
    return start()
