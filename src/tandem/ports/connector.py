"""One side over its API, and what passes between it and the runtime."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeAlias

from msgspec import Struct

from tandem.core.backfill import Span
from tandem.core.permissions import Feature
from tandem.core.plan import ActionKind
from tandem.core.record import (
    ChangeRecord,
    Cursor,
    Entity,
    Presence,
    RecordId,
    Side,
    Value,
    Values,
    Version,
)
from tandem.core.schema import EntitySchema, NewField, NewObject


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

    async def fetch_schema(self, entity: Entity, paths: Collection[str] = ()) -> EntitySchema:
        """With those of `paths` (``lookup.field``) that lead to a field, read-only, by these names. Crm side only."""

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

        A field named ``lookup.field`` is one of the record that the lookup leads to, ``lookup.@name`` what that is
        called, and ``lookup.@id`` its id, also with more behind it: what is made of that is the caller's business.
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

    def settle_s(self, entity: Entity, together: int = 1, kind: ActionKind = ActionKind.UPDATE) -> float:
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
