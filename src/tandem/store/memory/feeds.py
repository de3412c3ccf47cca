"""What was read of both sides: the inbox, change records, cursors and watermarks."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from tandem.core.record import ChangeRecord, Cursor, Entity, Lane, ReadNumber, RecordId, RecordKey, Side, State
from tandem.store import rules
from tandem.store.memory.part import MemoryPart
from tandem.store.memory.state import Waiting


class MemoryFeeds(MemoryPart):
    def next_read_number(self) -> ReadNumber:
        state = self._writable()
        state.read_number += 1
        return ReadNumber(state.read_number)

    def load_cursor(self, side: Side, entity: Entity) -> Cursor | None:
        return self.state.cursors.get((side, entity))

    def load_watermark(self, side: Side, entity: Entity) -> datetime | None:
        return self.state.watermarks.get((side, entity))

    def known_guids(self, guids: Iterable[str]) -> set[str]:
        return self.state.records.keys() & set(guids)

    def save_page(
        self,
        side: Side,
        entity: Entity,
        states: Sequence[State],
        records: Sequence[ChangeRecord],
        cursor: Cursor | None,
        *,
        complete_until: datetime | None,
        search: Mapping[RecordId, tuple[str | None, str | None]],
        lane: Lane = Lane.NORMAL,
    ) -> int:
        state = self._writable()
        news = rules.newest(states).values()
        saved = [self._save_state(new, *search.get(new.key.id, (None, None)), lane=lane) for new in news]
        for record in records:
            state.records.setdefault(record.guid, record)
        if cursor is not None:
            state.cursors[side, entity] = cursor
        if complete_until is not None:
            state.watermarks[side, entity] = complete_until
        self._note_ids(new.key for new in states)
        return sum(saved)

    def _save_state(
        self, new: State, crm_key: str | None = None, dedupe_key: str | None = None, lane: Lane = Lane.NORMAL
    ) -> bool:
        known = self.state.inbox.get(new.key)
        if known and not rules.replaces(new, known.state):
            return False
        shape = self._fields.get((new.key.side, new.key.entity))
        lane = min(lane, known.lane) if known else lane
        first_read = known.first_read if known else new.read_number
        known_until = known.known_until if known else self.load_watermark(new.key.side, new.key.entity)
        self.state.inbox[new.key] = Waiting(
            new, shape, first_read, crm_key, dedupe_key, lane=lane, known_until=known_until
        )
        return True

    def _note_ids(self, keys: Iterable[RecordKey | None]) -> None:
        for key in keys:
            if key and key.side is Side.MARKETING:
                number = max(self.state.highest.get(key.entity, 0), rules.highest_number([key.id]))
                self.state.highest[key.entity] = number

    def reset_cursor(self, side: Side, entity: Entity) -> None:
        state = self._writable()
        state.cursors.pop((side, entity), None)
        state.watermarks.pop((side, entity), None)

    def find_unseen(self, side: Side, entity: Entity, since: ReadNumber) -> Sequence[RecordId]:
        ends = [key for key in self.state.live if key.side is side and key.entity == entity]
        inbox = self.state.inbox
        return [key.id for key in ends if key not in inbox or inbox[key].state.read_number < since]

    def drop_records_before(self, at: datetime) -> None:
        state = self._writable()
        state.records = {guid: record for guid, record in state.records.items() if record.at >= at}

    def load_records(self, keys: Iterable[RecordKey], since: datetime) -> Sequence[ChangeRecord]:
        wanted = set(keys)
        found = [record for record in self.state.records.values() if record.key in wanted and record.at >= since]
        return sorted(found, key=lambda record: record.at)

    def highest_marketing_id(self, entity: Entity) -> int:
        return self.state.highest.get(entity, 0)

    def _state_of(self, row: Waiting) -> State:
        wanted = self._fields.get((row.state.key.side, row.state.key.entity))
        return rules.under_shape(row.state, is_current=wanted is None or wanted == row.shape)
