"""Records as the core sees them: a key, a version and the values of the mapped fields.

Both sides are treated alike. A record's values are a tuple whose places are given by the *shape* of its entity: the
field names, in order, that the mapping asked the side for. Past the connectors nothing knows a JSON key.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Final, NewType, TypeAlias

Entity = NewType("Entity", str)
"""A kind of thing on one side: ``lead``, ``contact``, ``account``, ``systemuser`` on the crm side,
``person``, ``company``, ``salesperson`` on the marketing side."""

RecordId = NewType("RecordId", str)
"""The side's own id of a record: a GUID (lower case, no braces) or Marketo's integer, as text."""

Version = NewType("Version", str)
"""The side's own opaque mark of a record's revision (Dataverse's ETag); Marketo has none."""

Cursor = NewType("Cursor", str)
"""An opaque place in a change feed, or in the middle of a full read."""

ReadNumber = NewType("ReadNumber", int)
"""Taken from the store before a read begins; of two readings of one record the higher one is the newer."""

LinkNumber = NewType("LinkNumber", int)

Value: TypeAlias = str | int | float | bool | None
"""Empty is ``None``; an empty string never passes a connector. Times are ``YYYY-MM-DDThh:mm:ssZ``."""

Values: TypeAlias = tuple[Value, ...]


class Side(StrEnum):
    CRM = "crm"
    MARKETING = "marketing"

    @property
    def other(self) -> "Side":
        return Side.MARKETING if self is Side.CRM else Side.CRM


class Lane(IntEnum):
    """How urgent work is. Lanes order claims, they do not run side by side: what somebody waits for comes before the
    day's changes, and those before a backfill."""

    HOT = 0
    NORMAL = 1
    SLOW = 2


LEAD: Final = Entity("lead")
CONTACT: Final = Entity("contact")
ACCOUNT: Final = Entity("account")
USER: Final = Entity("systemuser")
TEAM: Final = Entity("team")
OPPORTUNITY: Final = Entity("opportunity")
"""On both sides."""
CONNECTION: Final = Entity("connection")
"""A stakeholder of an opportunity: a connection of it with a lead or a contact."""
OPPORTUNITY_CUSTOMER: Final = Entity("opportunitycustomer")
"""An opportunity's potential customer, where it is a contact."""
PERSON: Final = Entity("person")
COMPANY: Final = Entity("company")
SALESPERSON: Final = Entity("salesperson")
OPPORTUNITY_ROLE: Final = Entity("opportunityrole")


@dataclass(frozen=True, slots=True, order=True)
class RecordKey:
    side: Side
    entity: Entity
    id: RecordId


class Presence(StrEnum):
    PRESENT = "present"
    SUSPECT = "suspect"
    """Reported as deleted or merged, or missing where it should be: read it by id before anything is done."""
    GONE = "gone"
    """Read by id and not found."""


@dataclass(frozen=True, slots=True)
class State:
    """One reading of one record, or the news that it is gone.

    ``values`` follow the shape of the entity; they are empty unless ``presence`` is ``PRESENT``.
    ``merged_into`` names the survivor where the feed told of a merge.
    """

    key: RecordKey
    read_number: ReadNumber
    values: Values = ()
    version: Version | None = None
    presence: Presence = Presence.PRESENT
    merged_into: RecordId | None = None

    @property
    def is_present(self) -> bool:
        return self.presence is Presence.PRESENT


@dataclass(frozen=True, slots=True)
class ChangeRecord:
    """What a side's log says of one change. It tells *that* and *who*, never reliably *to what*: values in Marketo's
    change records are display strings (marketo-rest 5.3). ``field`` is None for news of the whole record (New Lead)."""

    guid: str
    key: RecordKey
    at: datetime
    field: str | None = None
    old: str | None = None
    new: str | None = None
    source: str | None = None


class Unknown:
    """The one value that stands for "no base for this field yet"; absent, empty and unknown are three things."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()

Half: TypeAlias = tuple[Value | Unknown, ...]


@dataclass(frozen=True, slots=True)
class Base:
    """What each side held when they last agreed: two halves, one place for each field pair of the mapping.

    A place is UNKNOWN in both halves or in neither.
    """

    crm: Half
    marketing: Half

    @staticmethod
    def unknown(size: int) -> "Base":
        return Base((UNKNOWN,) * size, (UNKNOWN,) * size)

    def replaced(self, pairs: "dict[int, tuple[Value, Value]]") -> "Base":
        """This base with the places of `pairs` set to (crm value, marketing value)."""
        if not pairs:
            return self
        crm, marketing = list(self.crm), list(self.marketing)
        for place, (crm_value, marketing_value) in pairs.items():
            crm[place], marketing[place] = crm_value, marketing_value
        return Base(tuple(crm), tuple(marketing))


class LinkStatus(StrEnum):
    PENDING = "pending"
    """One end exists; the other is being created, or its creation was rejected."""
    LIVE = "live"
    TOMBSTONE = "tombstone"
    """An end was deleted. The link stays and blocks matching to the dead id."""


@dataclass(frozen=True, slots=True)
class Link:
    """The ids of one thing on both sides, with the base of its merge.

    ``crm_version`` is the version at which the base's crm half was read; None when it is not known to stand for it.
    ``crm_written`` and ``marketing_written`` are read numbers taken when our last write to that side finished: a
    reading with a lower number began before it and is not used.
    """

    number: LinkNumber
    crm: RecordKey | None
    marketing: RecordKey | None
    base: Base
    status: LinkStatus = LinkStatus.LIVE
    crm_version: Version | None = None
    crm_written: ReadNumber = ReadNumber(0)
    marketing_written: ReadNumber = ReadNumber(0)

    def end(self, side: Side) -> RecordKey | None:
        return self.crm if side is Side.CRM else self.marketing

    def written(self, side: Side) -> ReadNumber:
        return self.crm_written if side is Side.CRM else self.marketing_written
