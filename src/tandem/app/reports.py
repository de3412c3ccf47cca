"""What commands and queries answer: plain data that the command line prints and ``--json`` encodes as it is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from tandem.core.record import Value
from tandem.ports import Budget


@dataclass(frozen=True, slots=True)
class Progress:
    """News from a running pass. ``phase`` is ``read``, ``plan`` or ``apply``; ``done`` and ``expected`` count records
    (``expected`` None while nobody knows); ``calls`` counts the HTTP calls of both sides so far."""

    phase: str
    entity: str
    done: int
    expected: int | None = None
    calls: int = 0


Observer = Callable[[Progress], None]


def named_pair(name: str) -> str:
    """A pair of fields by both names, or by one where they are the same."""
    crm, _, marketing = name.partition("|")
    return crm if marketing in ("", crm) else f"{crm} and {marketing}"


@dataclass(frozen=True, slots=True)
class AccessLine:
    side: str
    what: str
    is_ok: bool
    remedy: str = ""
    is_required: bool = True


@dataclass(frozen=True, slots=True)
class LeftOutField:
    """A field pair the mapping cannot carry today, why, and what an admin can do about it."""

    entity: str
    crm_field: str
    marketing_field: str
    reason: str
    remedy: str
    is_permission: bool = False
    """Whether a right of Tandem's own user is what is missing (N80)."""


@dataclass(frozen=True, slots=True)
class CheckReport:
    access: tuple[AccessLine, ...]
    fields_to_create: tuple[str, ...]
    left_out: tuple[LeftOutField, ...]

    @property
    def is_ok(self) -> bool:
        return all(line.is_ok for line in self.access if line.is_required)


@dataclass(frozen=True, slots=True)
class NewFieldLine:
    """A field that one side lacks. ``is_key``: with an alternate key, or as dedupe field; ``link`` is what it names."""

    side: str
    entity: str
    name: str
    label: str
    native_type: str
    is_key: bool
    link: str | None


@dataclass(frozen=True, slots=True)
class NewObjectLine:
    name: str
    label: str
    fields: tuple[NewFieldLine, ...]


@dataclass(frozen=True, slots=True)
class SchemaReport:
    """What is missing for the mapping (``is_done`` false), or what was made."""

    is_done: bool
    fields: tuple[NewFieldLine, ...]
    objects: tuple[NewObjectLine, ...]
    untracked: tuple[str, ...] = ()
    """Dynamics tables that could tell their changes and do not; once done, those that now do."""


@dataclass(frozen=True, slots=True)
class PlannedField:
    field: str
    target: str
    base: Value
    crm: Value
    marketing: Value
    after: Value
    reason: str


@dataclass(frozen=True, slots=True)
class PlannedAction:
    side: str
    kind: str
    entity: str
    crm_id: str | None
    marketing_id: str | None
    fields: tuple[PlannedField, ...]


@dataclass(frozen=True, slots=True)
class PlannedConflict:
    kind: str
    entity: str
    crm_id: str | None
    marketing_id: str | None
    field: str
    crm: Value
    marketing: Value
    winner: str
    reason: str


@dataclass(frozen=True, slots=True)
class PeopleLine:
    """How many people Marketo holds, and how many it may before Tandem makes no more; `is_default`: nobody has named
    the number."""

    present: int
    ceiling: int
    is_default: bool


@dataclass(frozen=True, slots=True)
class PlanReport:
    """What the next pass would write. ``actions`` is cut at ``limit``; ``counts`` counts all of them
    (``crm.update.contact`` and so on). ``calls`` and ``seconds`` are estimates of what applying takes."""

    counts: dict[str, int]
    first_link_fields: dict[str, int]
    actions: tuple[PlannedAction, ...]
    conflicts: tuple[PlannedConflict, ...]
    holds: tuple[str, ...]
    fields_to_create: tuple[str, ...]
    calls: int
    seconds: float
    people: PeopleLine | None = None
    pilot: str | None = None
    side_effects: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not self.counts


@dataclass(frozen=True, slots=True)
class SyncReport:
    """One pass. ``counts``: ``read.crm.contact``, ``applied.marketing.create.person``, ``rejected``, ``conflicts``,
    ``held`` ...; ``guard`` holds the guard's questions where actions wait for a person."""

    run_id: str
    is_first_copy: bool
    seconds: float
    counts: dict[str, int]
    crm_calls: int
    marketing_calls: int
    records: int
    guard: tuple[str, ...] = ()

    @property
    def writes(self) -> int:
        return _writes(self.counts)

    @property
    def calls_per_1000_records(self) -> float:
        return 1000 * (self.crm_calls + self.marketing_calls) / self.records if self.records else 0.0


@dataclass(frozen=True, slots=True)
class PauseLine:
    """``what`` is a table, or ``everything``."""

    what: str
    since: datetime
    who: str
    why: str


@dataclass(frozen=True, slots=True)
class PauseReport:
    """What is paused now, and what was resumed just now."""

    pauses: tuple[PauseLine, ...]
    resumed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Backlog:
    """Records that wait to be planned, and since when the oldest of them does."""

    count: int = 0
    oldest_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class EntityLine:
    """``inserts`` and ``updates`` wait: new to the other side, or known there. ``last_hour`` counts the writes
    acknowledged within sixty minutes, ``full_hour`` those of the last full hour of the clock."""

    entity: str
    linked: int
    pending: int
    tombstoned: int
    waiting: int
    open_actions: int
    rejected: int
    held: int
    conflicts: int
    inserts: Backlog = Backlog()
    updates: Backlog = Backlog()
    last_hour: int = 0
    full_hour: int = 0


@dataclass(frozen=True, slots=True)
class AskedFields:
    """One line of what was asked: these pairs of a table, filled from `giver` (``crm`` or ``marketing``)."""

    entity: str
    pairs: tuple[str, ...]
    giver: str


@dataclass(frozen=True, slots=True)
class BackfillReport:
    asked: tuple[AskedFields, ...]


@dataclass(frozen=True, slots=True)
class FillingLine:
    """One side's table that is being read anew. ``phase`` is ``reading``, ``filling`` or ``done``; ``done`` of
    ``expected`` records are worked off (read, while it is reading); ``expected`` None while nobody knows."""

    side: str
    entity: str
    pairs: tuple[str, ...]
    reason: str
    phase: str
    done: int
    expected: int | None
    since: datetime
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class QuarantineLine:
    """A pair that was mapped and cannot be carried since then; the rest of its table goes on."""

    entity: str
    crm_field: str
    marketing_field: str
    since: datetime
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class PilotLine:
    """Who alone takes part since when; ``waiting`` records wait for the first pass of the whole sync."""

    text: str
    since: datetime
    waiting: int


@dataclass(frozen=True, slots=True)
class OutsideLine:
    entity: str
    crm_id: str | None
    marketing_id: str | None
    field: str | None
    since: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class OutsideReport:
    """Linked records that a filter keeps out: ``count`` of them, ``paused`` the oldest."""

    count: int
    paused: tuple[OutsideLine, ...]


@dataclass(frozen=True, slots=True)
class StatusReport:
    """``lag_s`` is the age of the older of the two sides' watermarks at the last pass, ``budget`` how Marketo's day
    stood then; None before the first. ``full_hour_at`` is when the last full hour of the clock began."""

    entities: tuple[EntityLine, ...]
    last_pass_at: datetime | None
    last_pass_seconds: float | None
    last_error: str | None
    lag_s: float | None
    holds: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()
    budget: Budget | None = None
    pauses: tuple[PauseLine, ...] = ()
    filling: tuple[FillingLine, ...] = ()
    quarantined: tuple[QuarantineLine, ...] = ()
    settings_trouble: str | None = None
    """Why a running process does not take over the settings file as it is now."""
    notices_unsent_since: datetime | None = None
    full_hour_at: datetime | None = None
    outside: int = 0
    """Linked records that a filter keeps out, wholly or with some fields."""
    pilot: PilotLine | None = None


@dataclass(frozen=True, slots=True)
class ErrorLine:
    """A write that a side refused and that waits: ``direction`` is where it goes, ``message`` holds no value."""

    entity: str
    crm_id: str | None
    marketing_id: str | None
    operation: str
    direction: str
    code: str
    message: str
    fields: tuple[str, ...]
    since: datetime | None
    meaning: str
    remedy: str


@dataclass(frozen=True, slots=True)
class RetryReport:
    """How many records are planned again with the next pass."""

    records: int


@dataclass(frozen=True, slots=True)
class ConflictLine:
    at: datetime
    kind: str
    crm_entity: str
    crm_id: str | None
    marketing_id: str | None
    field: str
    crm: Value
    marketing: Value
    winner: str
    is_open: bool
    reason: str
    number: int = 0


@dataclass(frozen=True, slots=True)
class Difference:
    kind: str
    entity: str
    crm_id: str | None
    marketing_id: str | None
    field: str | None
    detail: str


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """``compared`` counts records per crm entity; ``unread`` names what could not be read; ``differences`` are the
    first of ``difference_count``."""

    compared: dict[str, int]
    differences: tuple[Difference, ...]
    difference_count: int
    unread: tuple[str, ...]
    crm_calls: int
    marketing_calls: int
    seconds: float

    @property
    def is_clean(self) -> bool:
        return self.difference_count == 0 and not self.unread


@dataclass(frozen=True, slots=True)
class RepairReport:
    """What `tandem verify --repair` did. ``found`` differences at first; ``counts`` of the passes that repaired, with
    the guard's questions where actions wait for a person; ``verified``: the comparison behind it."""

    found: int
    counts: dict[str, int]
    guard: tuple[str, ...]
    verified: VerifyReport

    @property
    def writes(self) -> int:
        return _writes(self.counts)

    @property
    def is_clean(self) -> bool:
        return self.verified.is_clean and not self.guard


@dataclass(frozen=True, slots=True)
class MatchGroupLine:
    """Held matches of one cause and one number of people who match."""

    cause: str
    people: int
    count: int
    decided: int


@dataclass(frozen=True, slots=True)
class MatchLine:
    match: int
    entity: str
    crm_id: str
    cause: str
    people: tuple[str, ...]
    since: datetime
    decision: str | None


@dataclass(frozen=True, slots=True)
class MatchReport:
    groups: tuple[MatchGroupLine, ...]
    matches: tuple[MatchLine, ...]


@dataclass(frozen=True, slots=True)
class SettleReport:
    """``effect`` counts records by what becomes of them with the next pass; ``undecided`` are those that the rule
    cannot tell apart."""

    effect: dict[str, int]
    undecided: int
    sample: tuple[MatchLine, ...]
    is_applied: bool


def _writes(counts: Mapping[str, int]) -> int:
    return sum(count for name, count in counts.items() if name.startswith("applied."))
