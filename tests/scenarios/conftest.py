"""One pair of emulators for all the tests of a process that play a story, or begin where one begins."""

from collections.abc import Iterator

import pytest

from tests.scenarios.emulator_pair import Pair, running_pair


@pytest.fixture(scope="session")
def pair() -> Iterator[Pair]:
    with running_pair() as pair:
        yield pair
