"""The memory store's answers about filters, pilots and the ceiling of people."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from tandem.core.plan import ActionKind
from tandem.core.record import Entity, LinkNumber, RecordKey, Side
from tandem.core.settled import SETTLEABLE, Settled
from tandem.ports import HoldRow, JournalState
from tandem.store.memory.part import MemoryPart
from tandem.store.rules import Held
from tandem.store.scope import PAUSED

_UNDONE = (JournalState.REJECTED, JournalState.WITHDRAWN)


class MemoryScope(MemoryPart):
    def load_known_until(self, keys: Iterable[RecordKey]) -> Mapping[RecordKey, datetime]:
        inbox = self.state.inbox
        return {key: at for key in keys if (row := inbox.get(key)) and (at := row.known_until)}

    def count_inbox(self, side: Side, entity: Entity) -> int:
        rows = self.state.inbox.items()
        return sum(key.side is side and key.entity == entity and row.state.is_present for key, row in rows)

    def wake_inbox(self) -> None:
        for row in self._writable().inbox.values():
            row.not_before = None

    def count_made(self, side: Side, entity: Entity, after: int) -> int:
        made = [row for row in self.state.journal.values() if row.number > after and row.state not in _UNDONE]
        of_kind = [row.action for row in made if row.action.kind is ActionKind.CREATE]
        return sum(action.side is side and action.entity == entity for action in of_kind)

    def last_journal_number(self) -> int:
        return max(self.state.journal, default=0)

    def find_awaited(self, keys: Iterable[RecordKey]) -> set[RecordKey]:
        return set(keys) & {key for waits in self.state.waits.values() for key in waits}

    def settle_conflict(self, number: int, side: Side, now: datetime) -> bool:
        noted = self._writable().conflicts.get(number)
        if noted is None or not noted.is_open or noted.conflict.kind not in SETTLEABLE:
            return False
        noted.settled, noted.settled_at = side, now
        self._make_due(noted.link)
        return True

    def load_settled(self, since: datetime) -> Mapping[LinkNumber, Sequence[Settled]]:
        found: dict[LinkNumber, list[Settled]] = {}
        for noted in self.state.conflicts.values():
            if noted.settled is not None and noted.settled_at is not None and noted.settled_at >= since:
                found.setdefault(noted.link, []).append(Settled(noted.conflict, noted.settled))
        return found

    def load_paused(self, limit: int) -> Sequence[HoldRow]:
        found = []
        for number, held in sorted(self._paused(), key=lambda pair: pair[1].since):
            link = self.state.links[number].link
            found.append(HoldRow(link.crm, link.marketing, held.field, held.reason, held.since))
        return found[:limit]

    def count_paused(self) -> int:
        return len({number for number, _ in self._paused()})

    def _paused(self) -> list[tuple[LinkNumber, Held]]:
        kept = self.state.holds.items()
        return [
            (number, held) for number, of_link in kept for held in of_link.values() if held.reason.startswith(PAUSED)
        ]
