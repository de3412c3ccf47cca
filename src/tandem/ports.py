"""What the runtime needs from the outside: Connector, Store, Clock, IdSource.

Implementations are chosen in ``tandem.app.build`` and nowhere else. A new method here gets a case in the contract suite
of its port (``tests/conformance``), which every implementation runs.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeAlias

from msgspec import Struct

from tandem.core.backfill import Backfill, Span
from tandem.core.memberships import Member, Roster
from tandem.core.permissions import Feature
from tandem.core.plan import Action, ActionKind, Candidate, Conflict, Plan
from tandem.core.record import (
    ChangeRecord,
    Cursor,
    Entity,
    Lane,
    Link,
    LinkNumber,
    Presence,
    ReadNumber,
    RecordId,
    RecordKey,
    Side,
    State,
    Value,
    Values,
    Version,
)
from tandem.core.requests import Ask, Request
from tandem.core.schema import EntitySchema, NewField, NewObject
from tandem.core.settled import Settled

# --- time and ids ------------------------------------------------------------------------------------------------


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware, UTC."""

    async def sleep(self, seconds: float) -> None: ...


class IdSource(Protocol):
    def new_id(self) -> str:
        """A fresh random id, for runs and lease holders."""


# --- connectors --------------------------------------------------------------------------------------------------


class Reading(Struct, frozen=True, gc=False):
    """One record as a side answered it. ``values`` follow the fields that were asked for; virtual fields (``@id``,
    ``@type``, ``@deleted``) are filled in by the crm connector too.

    A Struct, because a first copy makes one for every record there is: a frozen dataclass takes eight times as long.
    """

    id: RecordId
    values: Values = ()
    version: Version | None = None
    presence: Presence = Presence.PRESENT
    merged_into: RecordId | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a feed or of a full read, with the cursor to save once it is stored.

    ``readings``: states that came with the page (crm rows; marketing rows of a full read; ``SUSPECT`` for deletions
    and merges). ``touched``: change records whose records must be read by id (marketing changes carry no values).
    ``is_last``: the feed is read to its end for now. ``complete_until``: the time up to which the feed is known to be
    complete (its watermark), None while that is unknown.
    ``is_full_read``: the page belongs to a full read, not to changes. ``rows_expected``: in a full read, how many rows
    the side says there are, where it says so.
    """

    readings: Sequence[Reading]
    cursor: Cursor
    touched: Sequence[ChangeRecord] = ()
    is_last: bool = True
    is_full_read: bool = False
    complete_until: datetime | None = None
    rows_expected: int | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """One thing ``tandem check`` tried: whether it works, and the remedy where it does not."""

    what: str
    is_ok: bool
    remedy: str = ""
    is_required: bool = True


@dataclass(frozen=True, slots=True)
class Budget:
    """How a side's day stands, in calls, where it counts days.

    ``calls_left`` go until the stop line. ``lasts_until`` is when they are used up at the present rate, None where
    they outlast the day, which ends at ``resets_at``.
    """

    calls_used_today: int
    calls_of_others: int
    share: int
    calls_left: int
    rate_per_minute: float
    lasts_until: datetime | None
    resets_at: datetime


@dataclass(frozen=True, slots=True)
class Write:
    """One record of a write call. ``id`` is None for a create whose id the side gives; ``values`` by field name, none
    for a delete; a merge first gives them to ``survivor``, which then takes the record over.
    ``lookup`` is the field whose value must not exist yet (creates in Marketo)."""

    kind: ActionKind
    id: RecordId | None
    values: Mapping[str, Value]
    version: Version | None = None
    lookup: str | None = None
    survivor: RecordId | None = None


class Written(Struct, frozen=True, gc=False):
    """Done. ``values`` is what the side answered, by field name, where it answers (Marketo does not).

    A Struct for the same reason as ``Reading``.
    """

    id: RecordId
    version: Version | None = None
    values: Mapping[str, Value] | None = None


@dataclass(frozen=True, slots=True)
class Stale:
    """The record moved since it was read (412): read again, plan again."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A create found its key taken (1005, 1007, 1017, If-None-Match): look, link, plan again."""


@dataclass(frozen=True, slots=True)
class Missing:
    """The record to update is not there (404, 1004): a suspicion, read it by id."""


@dataclass(frozen=True, slots=True)
class Refused:
    """This record will not pass. ``field`` is the one at fault where the side names it; the message holds no value."""

    code: str
    message: str
    field: str | None = None


WriteResult: TypeAlias = Written | Stale | Taken | Missing | Refused


class Sweep(StrEnum):
    """What a comparison of ids finds that the feed of an entity does not tell."""

    NOTHING = "nothing"
    DELETIONS = "deletions"
    EVERYTHING = "everything"
    """Creations too: rows that come and go, and never change."""


class Connector(Protocol):
    """One side over its API.

    Every method may raise the errors of ``core.errors``: TransientError (after its own retries), AccessError,
    CursorExpiredError; ``write`` alone raises UnknownOutcomeError. Every HTTP call is paced against the side's budget
    and counted in ``calls``.
    """

    @property
    def side(self) -> Side: ...

    @property
    def calls(self) -> int:
        """HTTP calls made so far, token calls included."""

    @property
    def budget(self) -> Budget | None:
        """How our share of the side's day stands; None where the side counts no days."""

    async def close(self) -> None: ...

    async def fetch_identity(self) -> Mapping[str, str]:
        """What pins this side: ``organization_id`` ... or ``munchkin_id``; compared at each start."""

    async def fetch_schema(self, entity: Entity) -> EntitySchema: ...

    async def check_access(self, entities: Sequence[Entity], features: Sequence[Feature] = ()) -> Sequence[Access]:
        """Try what the sync needs, one line each: to read `entities`, and the rights that `features` take. Nothing is
        written; raises only when nothing can be tried."""

    async def has_entity(self, entity: Entity) -> bool:
        """Whether the side has such a table or object at all."""

    async def create_fields(self, entity: Entity, fields: Sequence[NewField]) -> None:
        """Make the fields that are missing of these, with their alternate keys, and return once they can be written.
        One that is there already is left as it is.

        Raises:
            RejectedError: the side takes no new fields of this kind; the text says what to do instead.
        """

    async def create_object(self, new: NewObject) -> None:
        """Make a custom object type with its fields and links, and return once records can be written.

        Raises:
            RejectedError: as for ``create_fields``.
        """

    async def track_changes(self, entity: Entity) -> None:
        """Make the side tell the changes of `entity`, which cannot be taken back. Again does no harm.

        Raises:
            RejectedError: the side does not let this entity be tracked.
        """

    async def sweep_of(self, entity: Entity) -> Sweep:
        """What the feed of `entity` does not tell."""

    def fetch_ids(self, entity: Entity) -> AsyncIterator[Sequence[RecordId]]:
        """The ids of every record there is, page by page."""

    def has_feed(self, entity: Entity) -> bool:
        """Whether the side tells of changes of this entity (Marketo does for persons only)."""

    def fetch_changes(self, entity: Entity, cursor: Cursor | None, fields: Sequence[str]) -> AsyncIterator[Page]:
        """Yield pages from `cursor`, or from the start of a full read (None) and then the changes since it began.

        A field named ``lookup.field`` reads as its lookup: what that leads to is the caller's business.
        Each page's cursor resumes behind it, in the middle of a full read too. A record may come twice; it never goes
        missing. Our own writes come back. Each ``anext`` does its reading inside the call, so that a read number taken
        before it is older than what the page holds. Ends when the feed is read to its end for now; a feed that is not
        due yet yields nothing.

        Raises:
            CursorExpiredError: the side forgot this cursor.
        """

    async def fetch_live_cursor(self, entity: Entity, fields: Sequence[str], since: datetime | None) -> Cursor:
        """A cursor to what changed since then (None: changes from now on), with no full read before it: what keeps live
        edits coming while a backfill reads the rest. Dynamics tells of no deletions from it; the backfill's end finds
        them."""

    def fetch_span(
        self, entity: Entity, cursor: Cursor | None, fields: Sequence[str], span: Span
    ) -> AsyncIterator[Page]:
        """The records of a span of time, as a full read that ends with its last page. Crm side only."""

    async def fetch_records(self, entity: Entity, fields: Sequence[str], ids: Sequence[RecordId]) -> Sequence[Reading]:
        """Each id's present state, ``GONE`` where the side has no such record. Any number of ids."""

    async def find_records(
        self, entity: Entity, fields: Sequence[str], by: str, values: Sequence[Value]
    ) -> Sequence[Reading]:
        """All records whose field `by` has one of `values` (text compares without case). Any number of values."""

    def batch_size(self, entity: Entity, kind: ActionKind, waiting: int = 0, lookup: str | None = None) -> int:
        """How many writes one call takes; more where so many are `waiting` that a file of them costs less."""

    def settle_s(self, entity: Entity, together: int = 1) -> float:
        """How long after the call a write without an answer, of so many `together`, may still land: the endpoint's own
        timeout, or a file's time in the side's queue."""

    async def write(self, entity: Entity, writes: Sequence[Write]) -> Sequence[WriteResult]:
        """At most ``batch_size`` writes of one kind in one HTTP call (a file takes several, and so does a call that is
        all or nothing and has to be split); the results in the order given.

        Raises:
            TransientError: surely nothing was written.
            RejectedError: the whole call will not pass; surely nothing was written.
            UnknownOutcomeError: any of them may have been written.
        """


# --- what people do in Dynamics beside typing into records -------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Task:
    """``status`` is a status reason, by its number or by its label."""

    id: RecordId
    regarding: RecordKey
    subject: str
    description: str | None
    due_at: datetime
    status: str | None = None
    owner: RecordKey | None = None


@dataclass(frozen=True, slots=True)
class Campaign:
    id: RecordId
    name: str
    is_active: bool


@dataclass(frozen=True, slots=True)
class MemberList:
    """A static marketing list of a campaign; its members are all of one entity."""

    id: RecordId
    entity: Entity
    is_open: bool = True
    """Active and not locked."""


class Rosters(Protocol):
    """Who is a member of what in Marketo."""

    def iter_members(self, roster: Roster) -> AsyncIterator[Sequence[Member]]:
        """Page by page. Raises: RejectedError where there is no such list or program."""


class Desk(Protocol):
    """Assigning, tasks and campaigns. Every deed may be done again: the second time finds it done.

    Raises, besides what every connector raises: RejectedError where the side refuses, with its reason;
    UnknownOutcomeError where it may have been done.
    """

    async def find_owner(self, who: str) -> RecordKey | None:
        """The enabled user by id or e-mail address, or the team by id."""

    async def fetch_owner(self, record: RecordKey) -> tuple[RecordId | None, Version | None]:
        """Whose the record is, and its version; None without a record."""

    async def assign(self, record: RecordKey, owner: RecordKey, version: Version | None) -> bool:
        """False where the record moved since `version`."""

    async def has_task(self, id: RecordId) -> bool: ...

    async def create_task(self, task: Task) -> None: ...

    async def find_campaign(self, named: str) -> Campaign | None:
        """By id, or by a name that only one campaign has."""

    async def fetch_lists(self, campaign: RecordId) -> Sequence[MemberList]:
        """The static lists of people of a campaign."""

    async def ensure_list(self, campaign: RecordId, new: MemberList, name: str) -> None:
        """The list, made where it is missing, and part of the campaign."""

    async def fetch_members(self, list_: RecordId, among: Sequence[RecordId] | None = None) -> set[RecordId]:
        """All members, or those `among` some records."""

    async def add_members(self, list_: MemberList, ids: Sequence[RecordId]) -> None: ...

    async def remove_member(self, list_: MemberList, id: RecordId) -> None: ...


# --- the store ---------------------------------------------------------------------------------------------------


class JournalState(StrEnum):
    INTENDED = "intended"
    SENT = "sent"
    UNKNOWN = "unknown"
    DONE = "done"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"

    @property
    def is_open(self) -> bool:
        return self in (JournalState.INTENDED, JournalState.SENT, JournalState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class JournalRow:
    """One action with its fate. ``sent_at`` is set when the call began, ``finished_at`` when its outcome was stored.
    ``is_confirmed``: a later reading (or the side's answer) showed the written values."""

    number: int
    link: LinkNumber
    crm_entity: Entity
    action: Action
    state: JournalState
    crm: RecordKey | None = None
    marketing: RecordKey | None = None
    sent_at: datetime | None = None
    finished_at: datetime | None = None
    error: str | None = None
    is_confirmed: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one journal row.

    ``DONE``: `id`, `version` as the side gave them, `answered` the target's values by pair name where it answered with
    others than were sent. ``REJECTED``: `error`; the pairs in `parked` are held until either side changes them and the
    link is due, so that the rest of the record goes; with none named, all of the row's pairs are held.
    ``WITHDRAWN``: never happened, the link is due and is planned again. ``UNKNOWN``: may have happened.
    """

    number: int
    state: JournalState
    id: RecordId | None = None
    version: Version | None = None
    answered: Mapping[str, Value] = field(default_factory=dict)
    error: str | None = None
    parked: Sequence[str] = ()
    suspect: bool = False
    """The record was not there: read it by id when the link is planned again."""
    is_confirmed: bool = False
    """A reading right after the write showed its values."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Work on one link: both sides' inbox rows, where there are any.

    ``written`` are journal rows of finished marketing writes of this link that no reading has confirmed yet;
    ``records`` the marketing change records of this link since the oldest of those.
    ``held`` maps fields held after a rejection to the value (of the source side) that was rejected.
    """

    link: Link | None
    crm: State | None
    marketing: State | None
    written: tuple[JournalRow, ...] = ()
    records: tuple[ChangeRecord, ...] = ()
    alias_of: LinkNumber | None = None
    rejected: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One pass, as it is stored and shown."""

    run_id: str
    started_at: datetime
    finished_at: datetime | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ConflictRow:
    number: int
    at: datetime
    crm: RecordKey | None
    marketing: RecordKey | None
    conflict: Conflict
    is_open: bool


@dataclass(frozen=True, slots=True)
class HoldRow:
    crm: RecordKey | None
    marketing: RecordKey | None
    field: str | None
    reason: str
    since: datetime


@dataclass(frozen=True, slots=True)
class BacklogRow:
    """Records of one crm entity that wait to be planned: new to the other side (inserts) or known there. ``oldest`` is
    the number of the reading that brought the longest waiting one first."""

    crm_entity: Entity
    is_insert: bool
    count: int
    oldest: ReadNumber


@dataclass(frozen=True, slots=True)
class SyncedRow:
    """How many writes of one kind were acknowledged in a stretch of time."""

    crm_entity: Entity
    side: Side
    kind: ActionKind
    count: int


@dataclass(frozen=True, slots=True)
class MatchRow:
    """A record whose counterpart a person has to choose. ``decision`` is the choice, until the record is linked."""

    link: LinkNumber
    crm: RecordKey
    cause: str
    candidates: tuple[Candidate, ...]
    since: datetime
    decision: str | None = None
    decided_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class MatchGroup:
    """Held matches of one cause and one number of candidates: how many, and how many of them are decided."""

    cause: str
    size: int
    count: int
    decided: int


@dataclass(frozen=True, slots=True)
class EntityStatus:
    """Counts of one crm entity (``tandem status``). ``waiting`` are inbox rows and links that are due."""

    crm_entity: Entity
    linked: int
    pending: int
    tombstoned: int
    waiting: int
    open_actions: int
    rejected: int
    held: int
    conflicts: int


@dataclass(frozen=True, slots=True)
class Lease:
    holder: str
    fence: int
    expires_at: datetime


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
