"""The lease of a pass, kept part by part: whoever works keeps it, and it outlives every call that is under way."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tandem.ports import Clock, Lease, Store

_SPARE = 0.9
"""A lease that has this share of its time left is not renewed yet, which spares a write of the store."""


@dataclass
class HeldLease:
    """`expires_at` is None while no pass is under way: a plan alone reads without the lease."""

    store: Store
    clock: Clock
    lease_s: float
    expires_at: datetime | None = None
    _calls: list[datetime] = field(default_factory=list)
    """When each call that is under way has ended at the latest."""

    def begin(self, lease: Lease) -> None:
        self.expires_at = lease.expires_at

    def end(self) -> None:
        self.expires_at = None

    def keep(self) -> None:
        """What takes long calls this between its parts, so that no other worker takes the sync for abandoned.

        Raises:
            LeaseLostError: another worker has taken it over.
        """
        if self.expires_at is not None:
            self._renew()

    @contextmanager
    def during_call(self, lasts_s: float) -> Iterator[None]:
        """A call starts only under a lease that outlives it, and nobody shortens that while it is under way.

        Raises:
            LeaseLostError: there is no lease, or another worker has taken it over.
        """
        ends_at = self.clock.now() + timedelta(seconds=lasts_s)
        self._calls.append(ends_at)
        try:
            self._renew()
            yield
        finally:
            self._calls.remove(ends_at)

    def _renew(self) -> None:
        """A lease that a long call has left behind is shortened again, as it would hold up whoever follows a crash."""
        now = self.clock.now()
        until = max([now + timedelta(seconds=self.lease_s), *self._calls])
        least = max([now + timedelta(seconds=self.lease_s * _SPARE), *self._calls])
        if self.expires_at is None or not least <= self.expires_at <= until:
            self.expires_at = self.store.renew_lease((until - now).total_seconds(), now).expires_at
