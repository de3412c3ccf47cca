"""A plan is committed: links, journal rows, holds and conflicts, and the inbox rows that it used up."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from tandem.core.errors import StoreError
from tandem.core.mapping import Winner
from tandem.core.plan import Action, LinkPlan, Plan
from tandem.core.record import Link, LinkNumber, LinkStatus, ReadNumber
from tandem.ports import JournalRow, JournalState
from tandem.store import rules
from tandem.store.memory import matches
from tandem.store.memory.follows import note_follows
from tandem.store.memory.links import MemoryLinks
from tandem.store.memory.state import Noted
from tandem.store.rules import Recorded


class MemoryPlans(MemoryLinks):
    def commit_plan(self, plan: Plan, run_id: str, now: datetime) -> Sequence[JournalRow]:
        self._writable()
        self._check_ends_are_unique(plan)
        numbers = self._save_links(plan)
        rows: list[JournalRow] = []
        for number, planned in zip(numbers, plan.links, strict=True):
            self._save_rest(number, planned, now)
            rows += [self._open_row(number, planned, action) for action in planned.actions]
        for number, planned in zip(numbers, plan.links, strict=True):
            self._save_waits(number, planned)
            note_follows(self.state, number, planned)
        for planned in plan.links:
            if planned.crm and planned.moved:
                self._wake_followers(planned.crm, planned.moved)
        self._use_up(plan, now)
        return rows

    def _check_ends_are_unique(self, plan: Plan) -> None:
        """Nothing has changed yet: a plan that would give a record two live links is refused as a whole."""
        moved = [link for link in plan.links if link.changes_link or link.link is None]
        replaced = {link.link for link in moved}
        taken = {key for key, number in self.state.live.items() if number not in replaced}
        for link in moved:
            for key in (link.crm, link.marketing):
                if key and link.status is not LinkStatus.TOMBSTONE:
                    if key in taken:
                        raise StoreError("A record would be part of two links; nothing of this plan was stored.")
                    taken.add(key)

    def _save_links(self, plan: Plan) -> list[LinkNumber]:
        """Every link's number; ends that an existing link gives up are free before another takes them."""
        changed = [link.link for link in plan.links if link.link is not None and link.changes_link]
        for number in changed:
            self._drop_ends(number)
        return [self._save_link(link) for link in plan.links]

    def _save_link(self, planned: LinkPlan) -> LinkNumber:
        state, number = self.state, planned.link
        if number is not None:
            state.due.pop(number, None)
        if number is not None and not planned.changes_link:
            return number
        known = state.links[number].link if number is not None else None
        link = Link(
            number=known.number if known else LinkNumber(len(state.links) + 1),
            crm=planned.crm,
            marketing=planned.marketing,
            base=planned.base,
            status=planned.status,
            crm_version=planned.crm_version,
            crm_written=known.crm_written if known else ReadNumber(0),
            marketing_written=known.marketing_written if known else ReadNumber(0),
        )
        self._put_link(link, planned.crm_entity)
        self._wake(link)
        return link.number

    def _save_rest(self, number: LinkNumber, planned: LinkPlan, now: datetime) -> None:
        state = self.state
        state.aliases.update(dict.fromkeys(planned.aliases, number))
        state.holds[number] = rules.holds_after_plan(state.holds.get(number, {}), planned.holds, now)
        matches.note_question(state.questions, number, planned, now)
        for confirmed in planned.confirmed:
            state.journal[confirmed] = replace(state.journal[confirmed], is_confirmed=True)
            state.unconfirmed.discard(confirmed)
        known = [
            Recorded(key, noted.conflict, noted.is_open)
            for key, noted in state.conflicts.items()
            if noted.link == number
        ]
        over, fresh = rules.conflicts_after_plan(known, planned)
        for key in over:
            state.conflicts[key].is_open = False
        for conflict in fresh:
            noted = Noted(now, number, conflict, conflict.winner is Winner.HOLD)
            state.conflicts[len(state.conflicts) + 1] = noted

    def _save_waits(self, number: LinkNumber, planned: LinkPlan) -> None:
        """A parent that was linked since the plan was made is not waited for: the link is due again at once."""
        keys = set(planned.waits_for)
        there = {key for key in keys if self._is_live(key)}
        self.state.waits[number] = keys - there
        if there:
            self._make_due(number)

    def _open_row(self, link: LinkNumber, planned: LinkPlan, action: Action) -> JournalRow:
        row = JournalRow(
            number=len(self.state.journal) + 1,
            link=link,
            crm_entity=planned.crm_entity,
            action=action,
            state=JournalState.INTENDED,
            crm=planned.crm,
            marketing=planned.marketing,
        )
        self._put_row(row)
        return row

    def _use_up(self, plan: Plan, now: datetime) -> None:
        inbox = self.state.inbox
        for ref in [*plan.ignored, *(ref for link in plan.links for ref in link.consumed)]:
            if ref.key in inbox and inbox[ref.key].state.read_number == ref.read_number:
                del inbox[ref.key]
        for ref, seconds in plan.deferred:
            if ref.key in inbox and inbox[ref.key].state.read_number == ref.read_number:
                inbox[ref.key].not_before = now + timedelta(seconds=seconds)
