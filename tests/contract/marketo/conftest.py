"""A running emulator for each test; `marketo` is empty, `start` takes options of its own."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.contract.marketo.client import Running

Start = Callable[..., Running]


@pytest.fixture
def start() -> Iterator[Start]:
    running: list[Running] = []

    def begin(**options: Any) -> Running:
        emulator = Running(**options)
        running.append(emulator)
        emulator.sign_in()
        return emulator

    yield begin
    for emulator in running:
        emulator.close()


@pytest.fixture
def marketo(start: Start) -> Running:
    return start()
