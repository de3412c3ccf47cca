"""Tandem's state of one sync."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from tandem.core.backfill import Backfill
from tandem.core.plan import Action, Plan
from tandem.core.record import (
    ChangeRecord,
    Cursor,
    Entity,
    Lane,
    Link,
    LinkNumber,
    ReadNumber,
    RecordId,
    RecordKey,
    Side,
    State,
)
from tandem.core.requests import Ask, Request
from tandem.core.settled import Settled
from tandem.ports.stored import (
    BacklogRow,
    Claim,
    ConflictRow,
    EntityStatus,
    HoldRow,
    JournalRow,
    Lease,
    MatchGroup,
    MatchRow,
    Outcome,
    RunSummary,
    SyncedRow,
)


class Store(Protocol):
    """Tandem's state of one sync. Every method is one transaction; none is held across a network call.

    All writes check the lease's fencing number and raise LeaseLostError when another holder has taken over.
    Methods are synchronous: the embedded store answers in microseconds.
    """

    def close(self) -> None: ...

    # lease
    def acquire_lease(self, holder: str, ttl_s: float, now: datetime) -> Lease | None:
        """The lease, or None while another holder's has not expired. Raises the fence; later writes carry it."""

    def renew_lease(self, ttl_s: float, now: datetime) -> Lease:
        """Raises LeaseLostError."""

    def release_lease(self) -> None: ...

    def load_lease(self) -> Lease | None:
        """Whoever's lease it is; None when nobody holds it."""

    # settings of the sync, small texts
    def load_setting(self, name: str) -> str | None: ...

    def save_setting(self, name: str, value: str) -> None: ...

    # shapes
    def use_mappings(
        self, pairs: Mapping[Entity, Sequence[str]], fields: Mapping[tuple[Side, Entity], Sequence[str]]
    ) -> None:
        """Declare the pair names of each crm entity (the places of a Base) and the shape of each entity's states.

        Bases stored under another order or set of pairs are reordered on load, new pairs UNKNOWN. Inbox rows stored
        under another shape are returned as ``SUSPECT`` so that they are read again.
        """

    # extract
    def next_read_number(self) -> ReadNumber: ...

    def load_cursor(self, side: Side, entity: Entity) -> Cursor | None: ...

    def load_watermark(self, side: Side, entity: Entity) -> datetime | None: ...

    def known_guids(self, guids: Iterable[str]) -> set[str]: ...

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
        """States into the inbox and the cursor forward, one transaction; returns how many rows were new or newer.

        A state with a lower read number than the stored one is dropped. ``search`` gives (crm key, dedupe key) of
        marketing states, both lower case, for ``find_inbox``. `cursor` None leaves the cursor where it is. A row that
        waits in a more urgent lane than `lane` stays there; in a less urgent one, it moves up with a newer state.
        """

    def load_known_until(self, keys: Iterable[RecordKey]) -> Mapping[RecordKey, datetime]:
        """Of inbox rows: the watermark when the row first came. Up to then nothing had happened to the record that was
        not planned."""

    def count_inbox(self, side: Side, entity: Entity) -> int:
        """Present records that wait in the inbox, deferred or not."""

    def wake_inbox(self) -> None:
        """Deferred rows are looked at with the next claim."""

    def count_made(self, side: Side, entity: Entity, after: int) -> int:
        """Creates on `side` that happened or may happen, of journal rows behind the number `after`."""

    def last_journal_number(self) -> int:
        """0 when there is none."""

    def find_awaited(self, keys: Iterable[RecordKey]) -> set[RecordKey]:
        """Those of `keys` that a link waits for."""

    def settle_conflict(self, number: int, side: Side, now: datetime) -> bool:
        """A person decides for the value of `side`; the link is due. False where the conflict is over or no choice."""

    def load_settled(self, since: datetime) -> Mapping[LinkNumber, Sequence[Settled]]:
        """Decisions made since then, those that were carried too."""

    def load_paused(self, limit: int) -> Sequence[HoldRow]:
        """Holds of records and fields that a filter keeps out, the oldest first."""

    def count_paused(self) -> int:
        """How many records a filter keeps out, wholly or with some fields."""

    def reset_cursor(self, side: Side, entity: Entity) -> None:
        """Forget the cursor: the next extract is a full read."""

    def save_backfill(self, backfill: Backfill) -> int:
        """Its number: a new one where it has none yet, else the stored one takes these values."""

    def load_backfills(self, limit: int, *, only_open: bool = False) -> Sequence[Backfill]:
        """Newest first."""

    def count_waiting(self, side: Side, entity: Entity, lane: Lane) -> int:
        """Inbox rows of one lane, deferred ones too."""

    def find_unseen(self, side: Side, entity: Entity, since: ReadNumber) -> Sequence[RecordId]:
        """Ends of live links on `side` that have no inbox row with a read number of `since` or higher: what a full read
        that began then did not bring."""

    def drop_records_before(self, at: datetime) -> None:
        """Forget change records older than `at`."""

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
        """Up to `limit` pieces of work, lane by lane down to `slowest`; in each crm rows first (in the order of
        `crm_entities`, then of arrival), then marketing rows, then links that are due. A claim takes both sides' rows.
        Links with an open journal row and rows deferred past `now` are left out. Reading only: nothing is marked, the
        lease makes it exclusive."""

    def find_links(self, side: Side, entity: Entity, ids: Iterable[RecordId]) -> Mapping[RecordId, Link]:
        """Links by one end, aliases followed, tombstoned links included where no live one exists."""

    def find_inbox(
        self, entity: Entity, by: str, values: Iterable[str], side: Side = Side.MARKETING
    ) -> Sequence[State]:
        """States waiting in the inbox by ``crm_key`` or ``dedupe_key`` (lower case)."""

    def find_losers(self, survivors: Iterable[RecordKey]) -> Sequence[State]:
        """Readings waiting in the inbox of records that were merged into one of these."""

    def load_links(self, numbers: Iterable[LinkNumber]) -> Mapping[LinkNumber, Link]: ...

    # plan and apply
    def commit_plan(self, plan: Plan, run_id: str, now: datetime) -> Sequence[JournalRow]:
        """Links, bases, aliases, conflicts and holds of `plan`, its actions as ``intended`` journal rows, and its
        inbox rows away (unless a newer reading replaced them), in one transaction. A link's earlier holds are replaced
        by the plan's. Returns the journal rows in the order of the actions."""

    def mark_sent(self, numbers: Sequence[int], now: datetime) -> None: ...

    def record_outcomes(self, outcomes: Sequence[Outcome], now: datetime) -> None:
        """Outcomes with link ends, bases and versions, one transaction.

        DONE sets the end a create gave, each written pair's base to (source, after or answered), crm_version to the
        given one (None: unknown), and the side's written number to a fresh read number; the link becomes live when
        both ends exist, and links waiting for this record become due. REJECTED holds the written fields with the
        error and remembers the rejected source values. WITHDRAWN makes the link due.
        """

    def load_open_rows(self) -> Sequence[JournalRow]:
        """Rows that are intended, sent or unknown, oldest first."""

    def load_done_actions(self, links: Iterable[LinkNumber], since: datetime) -> Mapping[LinkNumber, Sequence[Action]]:
        """What was done on each link since then, oldest first; links without any are left out."""

    def load_records(self, keys: Iterable[RecordKey], since: datetime) -> Sequence[ChangeRecord]: ...

    def make_due(self, links: Iterable[LinkNumber], *, lane: Lane = Lane.NORMAL) -> None:
        """A link that is due already keeps its place, and the more urgent of the two lanes."""

    def count_linked(self, marketing_entities: Sequence[Entity]) -> int:
        """Links with a record of these in marketing, without tombstones: what a pass may ask each time."""

    # matches that wait for a person
    def load_decisions(self, numbers: Iterable[LinkNumber]) -> Mapping[LinkNumber, str]:
        """What was decided about these links' matches."""

    def decide_matches(self, decisions: Mapping[LinkNumber, str | None], now: datetime) -> None:
        """The decision stays with the match, and the link is due: the next plan honours it. It needs no lease."""

    def load_matches(
        self,
        limit: int,
        *,
        cause: str | None = None,
        size: int | None = None,
        only_open: bool = False,
        after: LinkNumber | None = None,
    ) -> Sequence[MatchRow]:
        """By link number, those behind `after`."""

    def count_matches(self) -> Sequence[MatchGroup]:
        """By cause and number of candidates."""

    # requests from outside
    def take_request(self, ask: Ask, now: datetime) -> Request:
        """Store `ask`, or find the request that it repeats. It needs no lease: whoever answers the call need not be
        the worker that holds the sync."""

    def save_request(self, request: Request) -> None:
        """How far it has come."""

    def load_open_requests(self) -> Sequence[Request]:
        """Oldest first."""

    def load_requests(self, limit: int) -> Sequence[Request]:
        """Newest first."""

    def drop_requests_before(self, at: datetime) -> None:
        """Forget requests that ended before `at`."""

    def drop_history_before(self, at: datetime) -> None:
        """Forget journal rows and passes that ended before `at`; what something held stands on stays."""

    def forget_base(self, pairs: Mapping[LinkNumber, Sequence[str]]) -> None:
        """Make these links due, and the base of the named pairs unknown: they are decided as on the first link."""

    # runs and what people see
    def save_run(self, run: RunSummary) -> None: ...

    def load_runs(self, limit: int) -> Sequence[RunSummary]: ...

    def load_status(self) -> Sequence[EntityStatus]: ...

    def load_conflicts(self, limit: int, *, only_open: bool = False) -> Sequence[ConflictRow]: ...

    def load_holds(self, limit: int) -> Sequence[HoldRow]: ...

    def load_rejected(self, limit: int) -> Sequence[JournalRow]: ...

    def retry_rejected(self, links: Iterable[LinkNumber]) -> int:
        """Forget what was refused of these links, and make them due: what is still to be written is planned again.
        How many had anything refused."""

    def load_backlog(self) -> Sequence[BacklogRow]:
        """What waits, by entity, inserts behind updates; entities without anything are left out."""

    def load_synced(self, since: datetime, until: datetime) -> Sequence[SyncedRow]:
        """What was written from `since` to before `until`, by entity, side and kind."""

    def iter_links(self, crm_entity: Entity) -> Iterable[Link]:
        """All links of an entity, lazily (for verify)."""

    def highest_marketing_id(self, entity: Entity) -> int:
        """The highest numeric id seen in links and inbox; 0 when none."""
