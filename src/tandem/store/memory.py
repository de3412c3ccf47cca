"""The store in plain dictionaries: the smallest correct one, for tests and for trying things out.

Several stores over one ``MemoryState`` stand for several processes over one database. Whatever could fail is checked
before anything changes, so that each method is all or nothing here too.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice

from tandem.core.backfill import Backfill
from tandem.core.errors import LeaseLostError, StoreError
from tandem.core.following import moved_by
from tandem.core.mapping import Winner
from tandem.core.plan import Action, ActionKind, Conflict, LinkPlan, Plan
from tandem.core.record import (
    Base,
    ChangeRecord,
    Cursor,
    Entity,
    Lane,
    Link,
    LinkNumber,
    LinkStatus,
    Presence,
    ReadNumber,
    RecordId,
    RecordKey,
    Side,
    State,
    Value,
)
from tandem.core.requests import Request
from tandem.ports import (
    Claim,
    ConflictRow,
    EntityStatus,
    HoldRow,
    JournalRow,
    JournalState,
    Lease,
    MatchGroup,
    MatchRow,
    Outcome,
    RunSummary,
)
from tandem.store import claims, memory_matches, rules
from tandem.store.memory_backfills import MemoryBackfills
from tandem.store.memory_backlog import MemoryBacklog
from tandem.store.memory_follows import find_followers, note_follows
from tandem.store.memory_history import MemoryHistory
from tandem.store.memory_requests import MemoryRequests
from tandem.store.memory_scope import MemoryScope
from tandem.store.rules import Held, Names, Recorded

Feed = tuple[Side, Entity]


@dataclass(slots=True)
class Waiting:
    """One inbox row; its place in the dictionary is its order of arrival."""

    state: State
    shape: Names | None
    first_read: ReadNumber
    crm_key: str | None = None
    dedupe_key: str | None = None
    not_before: datetime | None = None
    lane: Lane = Lane.NORMAL
    known_until: datetime | None = None


@dataclass(slots=True)
class Linked:
    """A link with the crm entity and the pair names that its base follows."""

    link: Link
    crm_entity: Entity
    names: Names


@dataclass(slots=True)
class Noted:
    at: datetime
    link: LinkNumber
    conflict: Conflict
    is_open: bool
    settled: Side | None = None
    settled_at: datetime | None = None


@dataclass
class MemoryState:
    """What a database would hold. ``live`` and ``dead`` find links by an end, ``due`` is in order of becoming due."""

    lease: Lease | None = None
    fence: int = 0
    read_number: int = 0
    settings: dict[str, str] = field(default_factory=dict)
    cursors: dict[Feed, Cursor] = field(default_factory=dict)
    watermarks: dict[Feed, datetime] = field(default_factory=dict)
    highest: dict[Entity, int] = field(default_factory=dict)
    inbox: dict[RecordKey, Waiting] = field(default_factory=dict)
    records: dict[str, ChangeRecord] = field(default_factory=dict)
    links: dict[LinkNumber, Linked] = field(default_factory=dict)
    live: dict[RecordKey, LinkNumber] = field(default_factory=dict)
    dead: dict[RecordKey, LinkNumber] = field(default_factory=dict)
    aliases: dict[RecordKey, LinkNumber] = field(default_factory=dict)
    due: dict[LinkNumber, Lane] = field(default_factory=dict)
    due_numbers: dict[LinkNumber, ReadNumber] = field(default_factory=dict)
    waits: dict[LinkNumber, set[RecordKey]] = field(default_factory=dict)
    follows: dict[LinkNumber, frozenset[tuple[RecordKey, str]]] = field(default_factory=dict)
    journal: dict[int, JournalRow] = field(default_factory=dict)
    open_rows: set[int] = field(default_factory=set)
    unconfirmed: set[int] = field(default_factory=set)
    holds: dict[LinkNumber, dict[str | None, Held]] = field(default_factory=dict)
    conflicts: dict[int, Noted] = field(default_factory=dict)
    questions: memory_matches.Questions = field(default_factory=dict)
    runs: dict[str, RunSummary] = field(default_factory=dict)
    requests: dict[int, Request] = field(default_factory=dict)
    backfills: dict[int, Backfill] = field(default_factory=dict)


class MemoryStore(MemoryBackfills, MemoryBacklog, MemoryHistory, MemoryRequests, MemoryScope):
    def __init__(self, state: MemoryState | None = None) -> None:
        self.state = state if state is not None else MemoryState()
        self._fence: int | None = None
        self._pairs: dict[Entity, Names] = {}
        self._fields: dict[Feed, Names] = {}

    def close(self) -> None:
        """Nothing to close: the state lives as long as somebody holds it."""

    # lease

    def acquire_lease(self, holder: str, ttl_s: float, now: datetime) -> Lease | None:
        known = self.state.lease
        if known and known.holder != holder and known.expires_at > now:
            return None
        self.state.fence += 1
        self._fence = self.state.fence
        self.state.lease = Lease(holder, self._fence, now + timedelta(seconds=ttl_s))
        return self.state.lease

    def renew_lease(self, ttl_s: float, now: datetime) -> Lease:
        lease = self._writable().lease
        if self._fence is None or lease is None:
            raise LeaseLostError("There is no lease to renew: acquire one first.")
        self.state.lease = replace(lease, expires_at=now + timedelta(seconds=ttl_s))
        return self.state.lease

    def release_lease(self) -> None:
        if self._fence is not None and self._fence == self.state.fence:
            self.state.lease = None

    def load_lease(self) -> Lease | None:
        return self.state.lease

    def _writable(self) -> MemoryState:
        if self._fence is not None and self._fence != self.state.fence:
            raise LeaseLostError("Another worker holds this sync now; nothing was written.")
        return self.state

    # settings and shapes

    def load_setting(self, name: str) -> str | None:
        return self.state.settings.get(name)

    def save_setting(self, name: str, value: str) -> None:
        self._writable().settings[name] = value

    def use_mappings(
        self, pairs: Mapping[Entity, Sequence[str]], fields: Mapping[tuple[Side, Entity], Sequence[str]]
    ) -> None:
        self._writable()
        self._pairs |= {entity: tuple(names) for entity, names in pairs.items()}
        self._fields |= {feed: tuple(names) for feed, names in fields.items()}

    # extract

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

    # claim

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

    def _ends(self, number: LinkNumber) -> tuple[RecordKey | None, RecordKey | None]:
        link = self.state.links[number].link
        return link.crm, link.marketing

    def _state_of(self, row: Waiting) -> State:
        wanted = self._fields.get((row.state.key.side, row.state.key.entity))
        return rules.under_shape(row.state, is_current=wanted is None or wanted == row.shape)

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

    def _link(self, number: LinkNumber) -> Link:
        stored = self.state.links[number]
        return rules.reshaped(stored.link, stored.names, self._pairs.get(stored.crm_entity, stored.names))

    # plan

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

    def _put_link(self, link: Link, crm_entity: Entity) -> None:
        names = self._names(crm_entity, link.base)
        self.state.links[link.number] = Linked(link, crm_entity, names)
        index = self.state.dead if link.status is LinkStatus.TOMBSTONE else self.state.live
        index.update({key: link.number for key in (link.crm, link.marketing) if key})
        self._note_ids([link.marketing])

    def _names(self, crm_entity: Entity, base: Base) -> Names:
        names = self._pairs.get(crm_entity)
        assert names is not None, f"use_mappings comes before a link of {crm_entity} is stored"
        assert len(base.crm) == len(base.marketing) == len(names), f"a base of {crm_entity} misses its mapping"
        return names

    def _drop_ends(self, number: LinkNumber) -> None:
        for index in (self.state.live, self.state.dead):
            for key in self._ends(number):
                if key and index.get(key) == number:
                    del index[key]

    def _wake(self, link: Link) -> None:
        """Links waiting for one of these ends are due."""
        if link.status is not LinkStatus.LIVE:
            return
        for waiting, keys in self.state.waits.items():
            if link.crm in keys or link.marketing in keys:
                self._make_due(waiting)
                keys -= {link.crm, link.marketing}

    def _wake_followers(self, parent: RecordKey, pairs: Collection[str]) -> None:
        for number in list(find_followers(self.state, parent, pairs)):
            self._put_link(replace(self._link(number), crm_version=None), self.state.links[number].crm_entity)
            self._make_due(number)

    def _save_rest(self, number: LinkNumber, planned: LinkPlan, now: datetime) -> None:
        state = self.state
        state.aliases.update(dict.fromkeys(planned.aliases, number))
        state.holds[number] = rules.holds_after_plan(state.holds.get(number, {}), planned.holds, now)
        memory_matches.note_question(state.questions, number, planned, now)
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

    def _is_live(self, key: RecordKey) -> bool:
        number = self.state.live.get(key)
        return number is not None and self.state.links[number].link.status is LinkStatus.LIVE

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

    def _put_row(self, row: JournalRow) -> None:
        self.state.journal[row.number] = row
        (self.state.open_rows.add if row.state.is_open else self.state.open_rows.discard)(row.number)

    def _row(self, number: int) -> JournalRow:
        row = self.state.journal[number]
        crm, marketing = self._ends(row.link)
        return replace(row, crm=crm, marketing=marketing)

    def _use_up(self, plan: Plan, now: datetime) -> None:
        inbox = self.state.inbox
        for ref in [*plan.ignored, *(ref for link in plan.links for ref in link.consumed)]:
            if ref.key in inbox and inbox[ref.key].state.read_number == ref.read_number:
                del inbox[ref.key]
        for ref, seconds in plan.deferred:
            if ref.key in inbox and inbox[ref.key].state.read_number == ref.read_number:
                inbox[ref.key].not_before = now + timedelta(seconds=seconds)

    # apply

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

    def load_records(self, keys: Iterable[RecordKey], since: datetime) -> Sequence[ChangeRecord]:
        wanted = set(keys)
        found = [record for record in self.state.records.values() if record.key in wanted and record.at >= since]
        return sorted(found, key=lambda record: record.at)

    def make_due(self, links: Iterable[LinkNumber], *, lane: Lane = Lane.NORMAL) -> None:
        self._writable()
        for number in links:
            self._make_due(number, lane)

    def _make_due(self, number: LinkNumber, lane: Lane = Lane.NORMAL) -> None:
        if number not in self.state.due:
            self.state.due_numbers[number] = ReadNumber(self.state.read_number)
        self.state.due[number] = min(lane, self.state.due.get(number, lane))

    def count_linked(self, marketing_entities: Sequence[Entity]) -> int:
        return sum(key.side is Side.MARKETING and key.entity in marketing_entities for key in self.state.live)

    # matches that wait for a person

    def load_decisions(self, numbers: Iterable[LinkNumber]) -> Mapping[LinkNumber, str]:
        return memory_matches.decisions(self.state.questions, numbers)

    def decide_matches(self, decisions: Mapping[LinkNumber, str | None], now: datetime) -> None:
        memory_matches.decide(self._writable().questions, decisions, now)
        self.make_due(decisions)

    def load_matches(
        self,
        limit: int,
        *,
        cause: str | None = None,
        size: int | None = None,
        only_open: bool = False,
        after: LinkNumber | None = None,
    ) -> Sequence[MatchRow]:
        asked = self.state.questions
        ends = {number: key for number in asked if (key := self.state.links[number].link.crm)}
        return memory_matches.rows(asked, ends, limit, cause=cause, size=size, only_open=only_open, after=after)

    def count_matches(self) -> Sequence[MatchGroup]:
        return memory_matches.groups(self.state.questions)

    # runs and what people see

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

    def highest_marketing_id(self, entity: Entity) -> int:
        return self.state.highest.get(entity, 0)
