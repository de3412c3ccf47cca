"""The memory store forgets what was done long ago."""

from datetime import datetime

from tandem.store.memory.part import MemoryPart


class MemoryHistory(MemoryPart):
    def drop_history_before(self, at: datetime) -> None:
        state = self._writable()
        standing = {held.journal for fields in state.holds.values() for held in fields.values()}
        for number, row in list(state.journal.items()):
            if row.finished_at is not None and row.finished_at < at and number not in standing:
                del state.journal[number]
        for run_id, run in list(state.runs.items()):
            if run.finished_at is not None and run.finished_at < at:
                del state.runs[run_id]
