"""The memory store's backfills."""

from collections.abc import Sequence
from dataclasses import replace

from tandem.core.backfill import Backfill
from tandem.core.record import Entity, Lane, Side
from tandem.store.memory.part import MemoryPart


class MemoryBackfills(MemoryPart):
    def save_backfill(self, backfill: Backfill) -> int:
        kept = self._writable().backfills
        number = backfill.number or len(kept) + 1
        kept[number] = replace(backfill, number=number)
        return number

    def load_backfills(self, limit: int, *, only_open: bool = False) -> Sequence[Backfill]:
        kept = [backfill for backfill in self.state.backfills.values() if backfill.is_open or not only_open]
        return kept[::-1][:limit]

    def count_waiting(self, side: Side, entity: Entity, lane: Lane) -> int:
        rows = self.state.inbox.values()
        return sum(row.lane is lane and (row.state.key.side, row.state.key.entity) == (side, entity) for row in rows)
