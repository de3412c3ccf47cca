"""What became of the journal's actions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from tandem.core.errors import StoreError
from tandem.core.following import moved_by
from tandem.core.plan import Action, ActionKind
from tandem.core.record import LinkNumber, LinkStatus, Presence, ReadNumber, RecordKey, State
from tandem.ports import JournalRow, JournalState, Outcome
from tandem.store import rules
from tandem.store.memory.links import MemoryLinks


class MemoryOutcomes(MemoryLinks):
    def mark_sent(self, numbers: Sequence[int], now: datetime) -> None:
        self._writable()
        for number in numbers:
            row = self.state.journal[number]
            if row.state is JournalState.INTENDED:
                self._put_row(replace(row, state=JournalState.SENT, sent_at=now))

    def record_outcomes(self, outcomes: Sequence[Outcome], now: datetime) -> None:
        self._check_created_ids(outcomes)
        written = self.next_read_number()
        for outcome in outcomes:
            row = self._row(outcome.number)
            if row.state.is_open:
                self._record(row, outcome, written, now)

    def _check_created_ids(self, outcomes: Sequence[Outcome]) -> None:
        taken = dict(self.state.live)
        for outcome in outcomes:
            row = self.state.journal[outcome.number]
            if outcome.state is JournalState.DONE and outcome.id is not None and row.action.kind is ActionKind.CREATE:
                key = RecordKey(row.action.side, row.action.entity, outcome.id)
                if taken.setdefault(key, row.link) != row.link:
                    raise StoreError("A record would be part of two links; none of these outcomes was stored.")

    def _record(self, row: JournalRow, outcome: Outcome, written: ReadNumber, now: datetime) -> None:
        state, number, key = self.state, row.link, rules.key_of(row)
        finished = None if outcome.state.is_open else now
        row = replace(row, state=outcome.state, finished_at=finished, error=outcome.error)
        match outcome.state:
            case JournalState.DONE:
                row = self._done(row, outcome, written)
            case JournalState.REJECTED:
                holds = state.holds.get(number, {})
                state.holds[number] = rules.holds_after_rejection(holds, row, outcome, now)
                if outcome.parked:
                    self._make_due(number)
            case JournalState.WITHDRAWN:
                self._make_due(number)
            case _:
                assert outcome.state is JournalState.UNKNOWN, f"{outcome.state} is not an outcome"
        self._put_row(row)
        if outcome.suspect and key:
            self._save_state(State(key, written, presence=Presence.SUSPECT))

    def _done(self, row: JournalRow, outcome: Outcome, written: ReadNumber) -> JournalRow:
        entity = self.state.links[row.link].crm_entity
        link = self._link(row.link)
        after = rules.done(link, row, outcome, self._pairs[entity], written)
        self._drop_ends(row.link)
        self._put_link(after, entity)
        if link.status is not LinkStatus.LIVE:
            self._wake(after)
        if after.crm:
            self._wake_followers(after.crm, moved_by(row.action))
        if row.action.kind in rules.ENDING:
            self._make_due(row.link)
        is_confirmed = rules.is_confirmed(row, outcome)
        if not is_confirmed:
            self.state.unconfirmed.add(row.number)
        action = replace(row.action, id=row.action.id or outcome.id)
        return replace(row, action=action, is_confirmed=is_confirmed)

    def load_open_rows(self) -> Sequence[JournalRow]:
        return [self._row(number) for number in sorted(self.state.open_rows)]

    def load_done_actions(self, links: Iterable[LinkNumber], since: datetime) -> Mapping[LinkNumber, Sequence[Action]]:
        wanted = set(links)
        found: dict[LinkNumber, list[Action]] = {}
        for row in self.state.journal.values():
            is_done = row.state is JournalState.DONE and row.finished_at is not None and row.finished_at >= since
            if is_done and row.link in wanted:
                found.setdefault(row.link, []).append(row.action)
        return found
