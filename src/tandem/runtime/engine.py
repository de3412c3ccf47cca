"""What every step of a pass works with: both connectors, the store, the clock and the compiled rules."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from tandem.core.guard import Rails
from tandem.core.mapping import EntityMapping
from tandem.core.memberships import CampaignRule, CreationRule
from tandem.core.pilot import Pilot
from tandem.core.policy import EntityPolicy
from tandem.core.record import (
    ACCOUNT,
    COMPANY,
    CONNECTION,
    CONTACT,
    LEAD,
    OPPORTUNITY,
    OPPORTUNITY_CUSTOMER,
    OPPORTUNITY_ROLE,
    PERSON,
    SALESPERSON,
    TEAM,
    USER,
    Entity,
    ReadNumber,
    RecordId,
    Side,
)
from tandem.core.requests import Asked
from tandem.ports import Clock, Connector, Desk, IdSource, Rosters, Store
from tandem.runtime.lease import HeldLease

UNBOUNDED = 2**62

_STAGES: tuple[tuple[Entity, tuple[Entity, ...]], ...] = (
    (SALESPERSON, (USER, TEAM)),
    (COMPANY, (ACCOUNT,)),
    (PERSON, (CONTACT, LEAD)),
    (OPPORTUNITY, (OPPORTUNITY,)),
    (OPPORTUNITY_ROLE, (OPPORTUNITY_CUSTOMER, CONNECTION)),
)


@dataclass(frozen=True, slots=True)
class PassSettings:
    """``feed_lag_s``: how long after a change its record may still be missing from the marketing feed.
    ``claim_size``: links planned at once; it bounds the memory of a pass and fills the calls that may be under way at
    once. ``claim_size_when_scarce``: the same while Marketo's calls will not last the day, so that many records may
    share an import. ``slow_pages`` and ``slow_rounds``: how much of a backfill one pass may read, and work off, so that
    the next one comes soon. ``settle_wait_s``: how long a pass may wait at its end for undecided writes to settle (0:
    the next pass looks again). ``sweep_interval_s``: how often ids are compared where a feed tells no deletions;
    ``compare_interval_s``: how often Marketo's objects are read where edits there are put back."""

    sync_id: str
    feed_lag_s: float = 10.0
    claim_size: int = 3_000
    claim_size_when_scarce: int = 12_000
    slow_pages: int = 20
    slow_rounds: int = 4
    max_parallel_writes: int = 16
    settle_wait_s: float = 0.0
    sweep_interval_s: float = 900.0
    compare_interval_s: float = 86_400.0
    lease_s: float = 120.0
    history_days: float = 90.0
    rails: Rails = field(default_factory=Rails)
    has_people_ceiling: bool = False
    max_people: int | None = None
    """How many people Marketo may hold; with None and a ceiling, a tenth more than at the first full read."""


@dataclass(frozen=True, slots=True)
class News:
    """What an observer is told: `phase` is read, plan or apply."""

    phase: str
    entity: str
    done: int
    expected: int | None = None


@dataclass
class Engine:
    crm: Connector
    marketing: Connector
    store: Store
    clock: Clock
    ids: IdSource
    mappings: Mapping[Entity, EntityMapping]
    policies: Mapping[Entity, EntityPolicy]
    settings: PassSettings
    tell: Callable[[News], None] = lambda news: None
    holder: str = "tandem"
    is_gone: Callable[[str], bool] = lambda holder: False
    """Whether the named lease holder is known to be dead, so that its lease need not be waited for."""
    desk: Desk | None = None
    rosters: Rosters | None = None
    campaigns: Sequence[CampaignRule] = ()
    creations: Sequence[CreationRule] = ()
    asked: dict[RecordId, Asked] = field(default_factory=dict)
    """What open requests ask of people, by Marketo's id."""
    pilot: Pilot | None = None
    """Who alone takes part; None in the whole sync."""
    schemas_seen_at: datetime | None = None
    """When the sides' fields were last compared with the mappings."""
    forgot_at: datetime | None = None
    """When what has grown old was last dropped from the store."""
    _marks: "Marks" = field(default_factory=list)

    @cached_property
    def lease(self) -> HeldLease:
        return HeldLease(self.store, self.clock, self.settings.lease_s)

    @cached_property
    def stages(self) -> tuple[tuple[Entity, tuple[Entity, ...]], ...]:
        """The order of a pass, marketing entity and crm entities: parents before children, and contacts before the
        leads they came from. Custom objects come last, in the order of the settings."""
        known = [(target, tuple(e for e in entities if e in self.mappings)) for target, entities in _STAGES]
        standard = {entity for _, entities in _STAGES for entity in entities}
        custom = [(m.marketing_entity, (entity,)) for entity, m in self.mappings.items() if entity not in standard]
        return tuple((target, entities) for target, entities in [*known, *custom] if entities)

    @property
    def claim_size(self) -> int:
        budget = self.marketing.budget
        is_scarce = budget is not None and budget.lasts_until is not None
        return self.settings.claim_size_when_scarce if is_scarce else self.settings.claim_size

    def connector(self, side: Side) -> Connector:
        return self.crm if side is Side.CRM else self.marketing

    def mapping_of(self, marketing_entity: Entity, crm_entity: Entity | None = None) -> EntityMapping:
        """The mapping of `crm_entity`, or the first one that feeds `marketing_entity`."""
        if crm_entity is not None:
            return self.mappings[crm_entity]
        return next(m for m in self.mappings.values() if m.marketing_entity == marketing_entity)

    def fields_of(self, side: Side, entity: Entity) -> tuple[str, ...]:
        """The shape of `entity`'s states. Leads and contacts share the person's: every mapped field once, in order."""
        if side is Side.CRM:
            return self.mappings[entity].crm_fields
        return self.mapping_of(entity).marketing_fields

    def begin_read(self) -> ReadNumber:
        return self.store.next_read_number()

    def mark_time(self) -> None:
        """Remember, across restarts too, that every reading with a lower number than the next had ended by now."""
        if not self._marks:
            self._marks = load_marks(self.store)
        self._marks = [*_thinned(self._marks), (self.begin_read(), self.clock.now())]
        self.store.save_setting(_MARKS, _render_marks(self._marks))

    def read_before(self, number: ReadNumber) -> datetime:
        """A time by which the reading under `number` had ended."""
        return next((at for mark, at in self._marks if mark > number), self.clock.now())


_MARKS = "read_numbers"
_MARKS_KEPT = 50
_OLDER_MARKS_KEPT = 400
"""One an hour, so that what waits for two weeks still says since when."""

Marks = list[tuple[ReadNumber, datetime]]


def load_marks(store: Store) -> Marks:
    """When passes began, by the read number of that moment, oldest first."""
    pairs = (line.split(" ", 1) for line in (store.load_setting(_MARKS) or "").splitlines())
    return [(ReadNumber(int(number)), datetime.fromisoformat(at)) for number, at in pairs]


def read_after(marks: Marks, number: ReadNumber) -> datetime | None:
    """A time by which the reading under `number` had not begun: the beginning of its pass. None where nobody knows."""
    return next((at for mark, at in reversed(marks) if mark <= number), None)


def _thinned(marks: Marks) -> Marks:
    older: Marks = []
    for mark in marks[:-_MARKS_KEPT]:
        if not older or mark[1] - older[-1][1] >= timedelta(hours=1):
            older.append(mark)
    return [*older[-_OLDER_MARKS_KEPT:], *marks[-_MARKS_KEPT:]]


def _render_marks(marks: Marks) -> str:
    return "\n".join(f"{number} {at.isoformat()}" for number, at in marks)
