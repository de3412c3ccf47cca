"""A person decides about a conflict that is held."""

from collections.abc import Sequence

from tandem.app.build import open_state
from tandem.app.system import SystemClock
from tandem.config.model import Config
from tandem.core.errors import ConfigError
from tandem.core.record import Side


def settle(config: Config, numbers: Sequence[int], side: Side) -> int:
    """Let the values of `side` stand for these conflicts, planned with the next pass; how many there are.

    Raises:
        ConfigError: one of them is over, or there is nothing to choose about it.
    """
    store = open_state(config)
    try:
        for number in numbers:
            if not store.settle_conflict(number, side, SystemClock().now()):
                raise ConfigError(
                    f"Conflict {number} does not wait for a choice: it is over, or tells of what has happened."
                    " tandem conflicts list --open shows those that wait."
                )
        return len(numbers)
    finally:
        store.close()
