"""The memory store's view of what waits, what was done when, and what is to be tried again."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from tandem.core.plan import ActionKind
from tandem.core.record import Entity, Link, LinkNumber, ReadNumber, RecordKey, Side
from tandem.ports import BacklogRow, JournalState, SyncedRow
from tandem.store import rules
from tandem.store.memory.part import MemoryPart


class MemoryBacklog(MemoryPart):
    def load_backlog(self) -> Sequence[BacklogRow]:
        found: dict[tuple[Entity, bool], list[ReadNumber]] = {}
        for key, row in self.state.inbox.items():
            found.setdefault(self._kind_of(key), []).append(row.first_read)
        for number, due in self.state.due_numbers.items():
            if number in self.state.due:
                stored = self.state.links[number]
                found.setdefault((stored.crm_entity, _lacks_an_end(stored.link)), []).append(due)
        return [BacklogRow(*kind, len(numbers), min(numbers)) for kind, numbers in sorted(found.items())]

    def _kind_of(self, key: RecordKey) -> tuple[Entity, bool]:
        number = self.state.live.get(key)
        if number is None:
            return key.entity, True
        stored = self.state.links[number]
        return key.entity if key.side is Side.CRM else stored.crm_entity, _lacks_an_end(stored.link)

    def load_synced(self, since: datetime, until: datetime) -> Sequence[SyncedRow]:
        done = [row for row in self.state.journal.values() if row.state is JournalState.DONE and row.finished_at]
        counts: Counter[tuple[Entity, Side, ActionKind]] = Counter(
            (row.crm_entity, row.action.side, row.action.kind)
            for row in done
            if row.finished_at and since <= row.finished_at < until
        )
        return [SyncedRow(*kind, count) for kind, count in sorted(counts.items())]

    def forget_base(self, pairs: Mapping[LinkNumber, Sequence[str]]) -> None:
        state = self._writable()
        for number, names in pairs.items():
            stored = state.links[number]
            state.links[number] = replace(stored, link=rules.forgotten(stored.link, stored.names, names))
            self._make_due(number)

    def retry_rejected(self, links: Iterable[LinkNumber]) -> int:
        state = self._writable()
        again = []
        for number in dict.fromkeys(links):
            kept = {field: held for field, held in state.holds.get(number, {}).items() if held.journal is None}
            if len(kept) < len(state.holds.get(number, {})):
                state.holds[number] = kept
                again.append(number)
        for number in again:
            self._make_due(number)
        return len(again)


def _lacks_an_end(link: Link) -> bool:
    return link.crm is None or link.marketing is None
