"""What a database would hold, in plain dictionaries."""

from dataclasses import dataclass, field
from datetime import datetime

from tandem.core.backfill import Backfill
from tandem.core.plan import Candidate, Conflict
from tandem.core.record import ChangeRecord, Cursor, Entity, Lane, Link, LinkNumber, ReadNumber, RecordKey, Side, State
from tandem.core.requests import Request
from tandem.ports import JournalRow, Lease, RunSummary
from tandem.store.rules import Held, Names

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


@dataclass(slots=True)
class Asked:
    """One question by its link, with the decision."""

    cause: str
    candidates: tuple[Candidate, ...]
    since: datetime
    decision: str | None = None
    decided_at: datetime | None = None


Questions = dict[LinkNumber, Asked]


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
    questions: Questions = field(default_factory=dict)
    runs: dict[str, RunSummary] = field(default_factory=dict)
    requests: dict[int, Request] = field(default_factory=dict)
    backfills: dict[int, Backfill] = field(default_factory=dict)
