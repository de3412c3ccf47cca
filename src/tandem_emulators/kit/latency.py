"""How long an operation takes before it is carried out: one figure for all, or one for each matching name."""

import asyncio
from fnmatch import fnmatchcase


class Latency:
    def __init__(self, default_ms: float = 0.0) -> None:
        self.default_ms = default_ms
        self.by_operation_ms: dict[str, float] = {}

    def of(self, operation: str) -> float:
        """Seconds. The first pattern that matches wins, in the order in which they were set."""
        for pattern, milliseconds in self.by_operation_ms.items():
            if fnmatchcase(operation, pattern):
                return milliseconds / 1000
        return self.default_ms / 1000

    async def wait(self, operation: str) -> None:
        seconds = self.of(operation)
        if seconds > 0:
            await asyncio.sleep(seconds)

    def as_dict(self) -> dict[str, object]:
        return {"default_ms": self.default_ms, "operations": dict(self.by_operation_ms)}
