"""What the store keeps and hands out, as plain data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from tandem.core.plan import Action, ActionKind, Candidate, Conflict
from tandem.core.record import (
    ChangeRecord,
    Entity,
    Link,
    LinkNumber,
    ReadNumber,
    RecordId,
    RecordKey,
    Side,
    State,
    Value,
    Version,
)


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
