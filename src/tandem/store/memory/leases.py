"""Who may write, and the settings that are kept with the state."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from tandem.core.errors import LeaseLostError
from tandem.core.record import Entity, Side
from tandem.ports import Lease
from tandem.store.memory.part import MemoryPart


class MemoryLeases(MemoryPart):
    def acquire_lease(self, holder: str, ttl_s: float, now: datetime) -> Lease | None:
        known = self.state.lease
        if known and known.holder != holder and known.expires_at > now:
            return None
        self.state.fence += 1
        self._fence = self.state.fence
        self.state.lease = Lease(holder, self._fence, now + timedelta(seconds=ttl_s))
        return self.state.lease

    def renew_lease(self, ttl_s: float, now: datetime) -> Lease:
        lease = self._writable().lease
        if self._fence is None or lease is None:
            raise LeaseLostError("There is no lease to renew: acquire one first.")
        self.state.lease = replace(lease, expires_at=now + timedelta(seconds=ttl_s))
        return self.state.lease

    def release_lease(self) -> None:
        if self._fence is not None and self._fence == self.state.fence:
            self.state.lease = None

    def load_lease(self) -> Lease | None:
        return self.state.lease

    def load_setting(self, name: str) -> str | None:
        return self.state.settings.get(name)

    def save_setting(self, name: str, value: str) -> None:
        self._writable().settings[name] = value

    def use_mappings(
        self, pairs: Mapping[Entity, Sequence[str]], fields: Mapping[tuple[Side, Entity], Sequence[str]]
    ) -> None:
        self._writable()
        self._pairs |= {entity: tuple(names) for entity, names in pairs.items()}
        self._fields |= {feed: tuple(names) for feed, names in fields.items()}
