"""The real clock and the real ids: the only place that reads them."""

import asyncio
import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4


@dataclass(frozen=True, slots=True)
class SystemClock:
    """All of them are one: connectors with equal clocks share their sign-in."""

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - this is the system clock

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass(frozen=True, slots=True)
class RandomIds:
    def new_id(self) -> str:
        return uuid4().hex


def holder_name() -> str:
    """Who holds a lease: this process, told apart from others here and elsewhere."""
    return f"{socket.gethostname()}/{os.getpid()}/{uuid4().hex}"


def is_holder_gone(holder: str) -> bool:
    """Whether the holder was a process of this machine that no longer runs: its lease need not be waited for."""
    host, _, rest = holder.partition("/")
    pid, _, _ = rest.partition("/")
    if host != socket.gethostname() or not pid.isdigit() or int(pid) == os.getpid():
        return False
    with suppress(PermissionError):
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            return True
    return False
