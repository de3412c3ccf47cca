"""``tandem run`` while a side is away: what one side asks for does not keep the other one waiting."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tandem.app import commands
from tandem.config.model import Config
from tandem.core.errors import TransientError
from tandem.core.record import Side


@pytest.mark.parametrize(("asked_s", "pause_s"), [(None, 10.0), (20.0, 20.0), (36_000.0, commands.OTHER_SIDE_S)])
async def test_a_side_that_asks_for_hours_is_not_waited_for(
    asked_s: float | None, pause_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop, pauses = asyncio.Event(), []

    @asynccontextmanager
    async def opened(*_: object, **__: object) -> AsyncIterator[None]:
        yield

    async def away(_: object) -> None:
        raise TransientError("away", side=Side.MARKETING, retry_after_s=asked_s)

    async def wait_for(waiting: Coroutine[Any, Any, object], seconds: float) -> None:
        waiting.close()
        pauses.append(seconds)
        stop.set()

    monkeypatch.setattr(commands, "opened", opened)
    monkeypatch.setattr(commands, "_pass", away)
    monkeypatch.setattr(commands, "asyncio", SimpleNamespace(wait_for=wait_for))
    config = SimpleNamespace(run=SimpleNamespace(pass_interval_s=10.0))
    await commands.run(cast("Config", config), stop, lambda report: None)
    assert pauses == [pause_s]
