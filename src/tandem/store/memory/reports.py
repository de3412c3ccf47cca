"""What people see: runs, conflicts, holds, and how each entity stands."""

from collections.abc import Iterable, Sequence
from itertools import islice

from tandem.core.record import Entity, Link, LinkStatus, RecordKey, Side
from tandem.ports import ConflictRow, EntityStatus, HoldRow, JournalRow, RunSummary
from tandem.store.memory.part import MemoryPart


class MemoryReports(MemoryPart):
    def save_run(self, run: RunSummary) -> None:
        self._writable().runs[run.run_id] = run

    def load_runs(self, limit: int) -> Sequence[RunSummary]:
        return sorted(self.state.runs.values(), key=lambda run: run.started_at, reverse=True)[:limit]

    def load_conflicts(self, limit: int, *, only_open: bool = False) -> Sequence[ConflictRow]:
        rows = (
            ConflictRow(number, noted.at, *self._ends(noted.link), noted.conflict, noted.is_open)
            for number, noted in reversed(self.state.conflicts.items())
            if noted.is_open or not only_open
        )
        return list(islice(rows, limit))

    def load_holds(self, limit: int) -> Sequence[HoldRow]:
        rows = [
            HoldRow(*self._ends(number), held.field, held.reason, held.since)
            for number, holds in self.state.holds.items()
            for held in holds.values()
        ]
        return sorted(rows, key=lambda row: row.since, reverse=True)[:limit]

    def load_rejected(self, limit: int) -> Sequence[JournalRow]:
        return [self._row(number) for number in sorted(self._parked_rows(), reverse=True)[:limit]]

    def _parked_rows(self) -> set[int]:
        """Rejected rows of which something is still held."""
        return {held.journal for holds in self.state.holds.values() for held in holds.values() if held.journal}

    def load_status(self) -> Sequence[EntityStatus]:
        entities = {stored.crm_entity for stored in self.state.links.values()} | self._pairs.keys()
        entities |= {self._entity_of(key) for key in self.state.inbox}
        return [self._status_of(entity) for entity in sorted(entities)]

    def _entity_of(self, key: RecordKey) -> Entity:
        """The crm entity an inbox row counts for; that of an unlinked marketing row is not known."""
        number = None if key.side is Side.CRM else self.state.live.get(key)
        return key.entity if number is None else self.state.links[number].crm_entity

    def _status_of(self, entity: Entity) -> EntityStatus:
        state = self.state
        links = {number: stored.link for number, stored in state.links.items() if stored.crm_entity == entity}
        statuses = [link.status for link in links.values()]
        return EntityStatus(
            crm_entity=entity,
            linked=statuses.count(LinkStatus.LIVE),
            pending=statuses.count(LinkStatus.PENDING),
            tombstoned=statuses.count(LinkStatus.TOMBSTONE),
            waiting=sum(self._entity_of(key) == entity for key in state.inbox) + len(links.keys() & state.due.keys()),
            open_actions=sum(state.journal[number].link in links for number in state.open_rows),
            rejected=sum(state.journal[number].link in links for number in self._parked_rows()),
            held=sum(len(state.holds.get(number, {})) for number in links),
            conflicts=sum(noted.link in links for noted in state.conflicts.values()),
        )

    def iter_links(self, crm_entity: Entity) -> Iterable[Link]:
        for number, stored in list(self.state.links.items()):
            if stored.crm_entity == crm_entity:
                yield self._link(number)

    def count_linked(self, marketing_entities: Sequence[Entity]) -> int:
        return sum(key.side is Side.MARKETING and key.entity in marketing_entities for key in self.state.live)
