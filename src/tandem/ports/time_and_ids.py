"""What comes from outside of any side: the time, and ids nobody has had."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware, UTC."""

    async def sleep(self, seconds: float) -> None: ...


class IdSource(Protocol):
    def new_id(self) -> str:
        """A fresh random id, for runs and lease holders."""
