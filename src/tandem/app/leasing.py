"""The right to change the state from the outside, for a moment: between two passes of whoever works on the sync."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from tandem.app.system import holder_name, is_holder_gone
from tandem.core.errors import LeaseLostError
from tandem.ports import Clock, Store

WAIT_S: Final = 60.0
"""A pass in quiet times takes seconds; a first copy is not worth waiting for."""

_HELD_S: Final = 30.0


@asynccontextmanager
async def leased(store: Store, clock: Clock, wait_s: float = WAIT_S) -> AsyncIterator[None]:
    """
    Raises:
        LeaseLostError: another process goes on working on this sync.
    """
    holder, deadline = holder_name(), clock.now() + timedelta(seconds=wait_s)
    while store.acquire_lease(holder, _HELD_S, clock.now()) is None:
        held = store.load_lease()
        if held is not None and is_holder_gone(held.holder):
            store.acquire_lease(held.holder, _HELD_S, clock.now())
            break
        if clock.now() >= deadline:
            raise LeaseLostError("another process is working on this sync; try again when its pass has ended")
        await clock.sleep(0.2)
    try:
        yield
    finally:
        store.release_lease()
