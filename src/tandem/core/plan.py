"""A plan is data: what was decided for each link, field by field, with the reasons. Applying it decides nothing.

``LinkPlan`` holds everything decided for one link: the ends it will have, the base as far as both sides agree now, at
most one action per side, and what could not be decided. ``tandem plan`` prints these same objects.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from tandem.core.mapping import Winner
from tandem.core.record import (
    Base,
    Entity,
    LinkNumber,
    LinkStatus,
    ReadNumber,
    RecordId,
    RecordKey,
    Side,
    Unknown,
    Value,
    Version,
)


class ActionKind(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    MERGE = "merge"


MERGED: Final = "@merged"
"""What a refused merge is remembered under, with the survivor: the same merge is not sent again by itself."""


@dataclass(frozen=True, slots=True)
class FieldWrite:
    """One field of an action. ``pair`` is the pair's name, ``source`` the other side's value that ``after`` stands for:
    once the write is done, (source, after) is the pair's base."""

    pair: str
    field: str
    before: Value
    after: Value
    source: Value
    reason: str


@dataclass(frozen=True, slots=True)
class Action:
    """One call's worth of work on one record.

    ``id`` is None for a create whose id the side gives. ``version`` is what an update or a delete was planned against
    (crm only). A delete's ``writes`` keep what the record held; so do a merge's, whose record goes into ``survivor``,
    with those values behind them that the survivor is given before.
    ``lookup`` is the field a create must not find taken.
    """

    side: Side
    entity: Entity
    kind: ActionKind
    id: RecordId | None
    writes: tuple[FieldWrite, ...]
    version: Version | None = None
    lookup: str | None = None
    survivor: RecordId | None = None


class ConflictKind(StrEnum):
    BOTH_CHANGED = "both changed"
    FIRST_LINK = "first link"
    ONE_WAY = "changed on the receiving side"
    OPT_OUT = "opt-out weakened"
    OVERTAKEN = "overtaken write"
    DELETED = "deleted and edited"
    MERGED = "merged and edited"
    NARROWED = "narrowed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Conflict:
    """Both values of a field on which the sides disagreed, and who prevailed (HOLD: nobody yet)."""

    kind: ConflictKind
    field: str
    base_crm: Value | Unknown
    base_marketing: Value | Unknown
    crm: Value
    marketing: Value
    winner: Winner
    reason: str


@dataclass(frozen=True, slots=True)
class Hold:
    """A field (or, with ``field`` None, a record) that is left alone on both sides until its cause ends or a person
    decides."""

    field: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Follow:
    """What a record shows of another one: the pair `pair` of the crm record `parent`, or a column of its table; its
    place in marketing with an empty name. When that moves, the record is due."""

    parent: RecordKey
    pair: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A person who may be a record's counterpart; ``modified_at`` as Marketo gave it."""

    id: RecordId
    modified_at: str | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """Which of the candidates a record is, for a person to decide. ``cause`` groups such questions.

    ``is_settled``: it was decided, and the decision stands until the record is linked; what is stored stays."""

    cause: str
    candidates: tuple[Candidate, ...] = ()
    is_settled: bool = False


@dataclass(frozen=True, slots=True)
class InboxRef:
    """An inbox row a plan used up: it goes with the plan's commit unless a newer reading has replaced it."""

    key: RecordKey
    read_number: ReadNumber


@dataclass(frozen=True, slots=True)
class LinkPlan:
    """What was decided for one link.

    ``link`` is None where the link is new. ``aliases`` are further records that belong to this link (the lead a
    contact came from). ``crm_version`` is the version for which ``base.crm`` holds, None when that is not known.
    ``waits_for`` are parents (accounts, users) named by a field and not linked yet: the link is due once they are.
    ``confirmed`` are journal numbers whose write was seen to have arrived. ``revisit_s``: a field cannot be judged yet,
    so the inbox rows stay and are looked at again after so long. ``is_deletion``: an end is gone and this is where the
    link first says so; the guard counts these.
    """

    title: str
    crm_entity: Entity
    link: LinkNumber | None
    crm: RecordKey | None
    marketing: RecordKey | None
    status: LinkStatus
    base: Base
    crm_version: Version | None = None
    actions: tuple[Action, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    holds: tuple[Hold, ...] = ()
    aliases: tuple[RecordKey, ...] = ()
    waits_for: tuple[RecordKey, ...] = ()
    confirmed: tuple[int, ...] = ()
    consumed: tuple[InboxRef, ...] = ()
    revisit_s: float | None = None
    is_deletion: bool = False
    follows: tuple[Follow, ...] | None = None
    """None where the mapping shows nothing of other records."""
    moved: tuple[str, ...] = ()
    """What others may show of it and is another one with this plan: pairs by their agreed value, columns by the row."""
    moved_at: ReadNumber | None = None
    """The number of the reading that showed it."""
    question: Question | None = None
    changes_link: bool = True
    """False where nothing about the link, its base or its version changed: only the inbox rows go."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The decided work of one batch. ``ignored`` are readings that call for nothing (a person known only to Marketo);
    ``deferred`` are those that must be looked at again after ``seconds``."""

    links: tuple[LinkPlan, ...] = ()
    ignored: tuple[InboxRef, ...] = ()
    deferred: tuple[tuple[InboxRef, float], ...] = ()

    @property
    def is_empty(self) -> bool:
        """No action on either side."""
        return not any(link.actions for link in self.links)

    def iter_actions(self) -> Iterator[tuple[LinkPlan, Action]]:
        for link in self.links:
            for action in link.actions:
                yield link, action


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts of a plan or a pass."""

    creates: dict[str, int] = field(default_factory=dict)
    updates: dict[str, int] = field(default_factory=dict)
    fields: int = 0
    links: int = 0
    conflicts: int = 0
    holds: int = 0
