"""What is claimed, and what is known of it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice

from tandem.core.record import Entity, Lane, Link, LinkNumber, RecordId, RecordKey, Side, State, Value
from tandem.ports import Claim, JournalRow
from tandem.store import claims
from tandem.store.memory.feeds import MemoryFeeds


class MemoryClaims(MemoryFeeds):
    def claim(
        self,
        marketing_entity: Entity,
        crm_entities: Sequence[Entity],
        limit: int,
        now: datetime,
        *,
        slowest: Lane = Lane.SLOW,
    ) -> Sequence[Claim]:
        return claims.collect(self, marketing_entity, crm_entities, limit, now, slowest)

    def find_lanes(self, marketing_entity: Entity, crm_entities: Sequence[Entity]) -> Sequence[Lane]:
        return list(Lane)

    def load_waiting(self, side: Side, entity: Entity, lane: Lane, limit: int, now: datetime) -> Sequence[State]:
        blocked = self._blocked_keys()
        rows = (
            self._state_of(row)
            for key, row in self.state.inbox.items()
            if key.side is side
            and key.entity == entity
            and row.lane is lane
            and key not in blocked
            and (row.not_before is None or row.not_before <= now)
        )
        return list(islice(rows, limit))

    def _blocked_links(self) -> set[LinkNumber]:
        return {self.state.journal[number].link for number in self.state.open_rows}

    def _blocked_keys(self) -> set[RecordKey]:
        links = self._blocked_links()
        ends = {key for number in links for key in self._ends(number) if key}
        return ends | {alias for alias, number in self.state.aliases.items() if number in links}

    def load_due(self, crm_entities: Sequence[Entity], lane: Lane, limit: int) -> Sequence[Link]:
        blocked = self._blocked_links()
        numbers = (
            number
            for number, due_lane in self.state.due.items()
            if due_lane is lane and number not in blocked and self.state.links[number].crm_entity in crm_entities
        )
        return [self._link(number) for number in islice(numbers, limit)]

    def load_states(self, keys: Iterable[RecordKey]) -> Mapping[RecordKey, State]:
        return {key: self._state_of(row) for key in keys if (row := self.state.inbox.get(key))}

    def load_unconfirmed(self, links: Sequence[LinkNumber]) -> Mapping[LinkNumber, Sequence[JournalRow]]:
        found: dict[LinkNumber, list[JournalRow]] = {}
        for number in sorted(self.state.unconfirmed):
            row = self._row(number)
            if row.link in links:
                found.setdefault(row.link, []).append(row)
        return found

    def load_rejected_values(self, links: Sequence[LinkNumber]) -> Mapping[LinkNumber, Mapping[str, Value]]:
        found: dict[LinkNumber, dict[str, Value]] = {}
        for number in links:
            for held in self.state.holds.get(number, {}).values():
                if held.rejected:
                    found.setdefault(number, {}).update(held.rejected)
        return found

    def find_links(self, side: Side, entity: Entity, ids: Iterable[RecordId]) -> Mapping[RecordId, Link]:
        found: dict[RecordId, Link] = {}
        for id_ in ids:
            number = self._link_of(RecordKey(side, entity, id_))
            if number is not None:
                found[id_] = self._link(number)
        return found

    def _link_of(self, key: RecordKey) -> LinkNumber | None:
        for index in (self.state.live, self.state.aliases, self.state.dead):
            if key in index:
                return index[key]
        return None

    def find_inbox(
        self, entity: Entity, by: str, values: Iterable[str], side: Side = Side.MARKETING
    ) -> Sequence[State]:
        assert by in ("crm_key", "dedupe_key"), by
        wanted = set(values)
        return [
            self._state_of(row)
            for key, row in self.state.inbox.items()
            if key.side is side and key.entity == entity and getattr(row, by) in wanted
        ]

    def find_losers(self, survivors: Iterable[RecordKey]) -> Sequence[State]:
        wanted = {(key.side, key.entity, key.id) for key in survivors}
        rows = [(key, row) for key, row in self.state.inbox.items() if row.state.merged_into]
        return [self._state_of(row) for key, row in rows if (key.side, key.entity, row.state.merged_into) in wanted]

    def load_links(self, numbers: Iterable[LinkNumber]) -> Mapping[LinkNumber, Link]:
        return {number: self._link(number) for number in numbers if number in self.state.links}
