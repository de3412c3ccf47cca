"""The emulator's clock: real time plus an offset, or standing still, as the control API says.

Everything that has a time in an emulator (row times, token expiry, quota windows) reads this clock, so a test can
age a token by an hour without waiting for it.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime


class Clock:
    def __init__(self) -> None:
        self._offset_s = 0.0
        self._frozen_at: float | None = None

    def timestamp(self) -> float:
        """Seconds since 1970, UTC."""
        return self._frozen_at if self._frozen_at is not None else time.time() + self._offset_s

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.timestamp(), UTC)

    @property
    def is_frozen(self) -> bool:
        return self._frozen_at is not None

    def set(self, moment: datetime) -> None:
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        self._offset_s = aware.timestamp() - time.time()
        if self._frozen_at is not None:
            self._frozen_at = aware.timestamp()

    def advance(self, seconds: float) -> None:
        self._offset_s += seconds
        if self._frozen_at is not None:
            self._frozen_at += seconds

    @contextmanager
    def standing_at(self, timestamp: float) -> Iterator[None]:
        """Let it be that moment while something is carried out that was due then."""
        frozen_at, self._frozen_at = self._frozen_at, timestamp
        try:
            yield
        finally:
            self._frozen_at = frozen_at

    def freeze(self, frozen: bool) -> None:
        """Stop at the present moment, or run on from the moment at which it stood."""
        if frozen and self._frozen_at is None:
            self._frozen_at = time.time() + self._offset_s
        elif not frozen and self._frozen_at is not None:
            self._offset_s = self._frozen_at - time.time()
            self._frozen_at = None
