"""Emulators to talk to.

`crm` is a running one for each test, without people, and `start` takes options of its own. `org` is in process and
shared by the tests of a module: for those that look only at rows of their own.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.contract.dataverse.client import InProcess, Running

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


@pytest.fixture
def fresh() -> Iterator[InProcess]:
    """In process too, and of one test alone: for those that look at all there is."""
    emulator = InProcess()
    assert emulator.sign_in().status == 200
    yield emulator
    emulator.close()


@pytest.fixture(scope="module")
def org() -> Iterator[InProcess]:
    emulator = InProcess()
    assert emulator.sign_in().status == 200
    yield emulator
    emulator.close()
