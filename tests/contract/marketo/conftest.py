"""An emulator for each test: `marketo` is empty and in process, `start` serves HTTP and takes options of its own."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.contract.marketo.client import InProcess, Running

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
def marketo() -> Iterator[Running]:
    emulator = InProcess()
    emulator.sign_in()
    yield emulator
    emulator.close()
