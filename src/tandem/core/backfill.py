"""A backfill: a read of many records beside the live feed, whose rows wait in the slow lane.

It is due when a table or a pair of fields is new, when a feed was forgotten, or when a person asks for one. It has two
parts: the records are read into the inbox, a bounded number of pages each pass, then worked off there.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from tandem.core.record import Cursor, Entity, ReadNumber, Side


class Since(StrEnum):
    CREATED = "created"
    UPDATED = "updated"


@dataclass(frozen=True, slots=True)
class Span:
    """Records made or changed in a range of time; None leaves that end open."""

    by: Since
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Backfill:
    """One side's entity being read anew. ``number`` is 0 until the store gives one.

    ``pairs`` are the names of the pairs it is for (none: all of them). ``giver``: the side whose value goes over where
    the two sides of these pairs differ and neither has changed since the base; None where only a missing base is
    filled. ``span``: only these records. ``began`` is the read number at which it began, None before; ``is_read``: all
    rows are in the inbox; ``expected`` how many the side said there are.
    """

    side: Side
    entity: Entity
    reason: str
    asked_at: datetime
    pairs: tuple[str, ...] = field(default=())
    giver: Side | None = None
    span: Span | None = None
    number: int = 0
    began: ReadNumber | None = None
    cursor: Cursor | None = None
    read: int = 0
    expected: int | None = None
    is_read: bool = False
    finished_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        return self.finished_at is None

    @property
    def name(self) -> str:
        return f"{self.side} {self.entity}"
