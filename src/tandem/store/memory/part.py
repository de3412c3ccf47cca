"""What the parts of the memory store stand on: its state, and the few things that all of them do with it."""

from collections.abc import Iterable
from dataclasses import replace

from tandem.core.errors import LeaseLostError
from tandem.core.record import Entity, Lane, Link, LinkNumber, ReadNumber, RecordKey
from tandem.ports import JournalRow
from tandem.store import rules
from tandem.store.memory.state import Feed, MemoryState
from tandem.store.rules import Names


class MemoryPart:
    """A part of ``MemoryStore``, in a module of its own."""

    def __init__(self, state: MemoryState | None = None) -> None:
        self.state = state if state is not None else MemoryState()
        self._fence: int | None = None
        self._pairs: dict[Entity, Names] = {}
        self._fields: dict[Feed, Names] = {}

    def _writable(self) -> MemoryState:
        if self._fence is not None and self._fence != self.state.fence:
            raise LeaseLostError("Another worker holds this sync now; nothing was written.")
        return self.state

    def make_due(self, links: Iterable[LinkNumber], *, lane: Lane = Lane.NORMAL) -> None:
        self._writable()
        for number in links:
            self._make_due(number, lane)

    def _make_due(self, number: LinkNumber, lane: Lane = Lane.NORMAL) -> None:
        if number not in self.state.due:
            self.state.due_numbers[number] = ReadNumber(self.state.read_number)
        self.state.due[number] = min(lane, self.state.due.get(number, lane))

    def _ends(self, number: LinkNumber) -> tuple[RecordKey | None, RecordKey | None]:
        link = self.state.links[number].link
        return link.crm, link.marketing

    def _link(self, number: LinkNumber) -> Link:
        stored = self.state.links[number]
        return rules.reshaped(stored.link, stored.names, self._pairs.get(stored.crm_entity, stored.names))

    def _row(self, number: int) -> JournalRow:
        row = self.state.journal[number]
        crm, marketing = self._ends(row.link)
        return replace(row, crm=crm, marketing=marketing)

    def _put_row(self, row: JournalRow) -> None:
        self.state.journal[row.number] = row
        (self.state.open_rows.add if row.state.is_open else self.state.open_rows.discard)(row.number)
