"""Run one of the application's coroutines from a command, and tell the two kinds of unavailable apart."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tandem.cli.boundary import CannotReachError
from tandem.cli.progress import Watch
from tandem.core.errors import TransientError

Answer = TypeVar("Answer")


def conduct(work: Callable[[Watch], Awaitable[Answer]], *, draws: bool = True) -> Answer:
    """The answer of `work`, which gets the watch to report to.

    Raises:
        CannotReachError: a side was unavailable before the first news of work done.
    """

    async def conducted(watch: Watch) -> Answer:
        return await work(watch)

    with Watch(draws=draws) as watch:
        try:
            return asyncio.run(conducted(watch))
        except TransientError as error:
            if watch.has_started:
                raise
            raise CannotReachError.of(error) from error
