"""What a side says of its own fields, as far as a mapping needs it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from tandem.core.record import Entity


class FieldKind(StrEnum):
    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    CHOICE = "choice"
    CHOICES = "choices"
    """Several values of one choice."""
    REFERENCE = "reference"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """One field of a side's schema. ``choices`` maps a choice's value to its label; ``native_type`` is the side's own
    word for the type; ``max_length`` in characters."""

    name: str
    label: str
    kind: FieldKind
    native_type: str
    is_readable: bool = True
    is_writable: bool = True
    max_length: int | None = None
    choices: Mapping[int, str] = field(default_factory=dict)
    languages: Mapping[int, Mapping[int, str]] = field(default_factory=dict)
    """``choices`` in each language that the labels are told in, by its LCID."""
    is_zoneless: bool = False
    """A time without a zone: what the clock on the wall shows, wherever it is read."""
    is_computed: bool = False
    """The side computes it; that it has another value is not told as a change of the record."""
    targets: Sequence[str] = ()
    is_searchable: bool = False
    is_secured: bool = False
    """Shown as empty to callers without a right of their own to this field (Dataverse column security)."""
    shows: tuple[tuple[Entity, str], ...] = ()
    """Of a path: the columns of other tables, one of which it shows for each record."""

    def is_like(self, other: "FieldInfo") -> bool:
        """Whether a pair made with the other one fits this one too. A column that was closed to us in between would
        read as empty, so what we may read counts as well."""
        return (self.kind, self.native_type, self.max_length, self.choices, self.languages) == (
            other.kind,
            other.native_type,
            other.max_length,
            other.choices,
            other.languages,
        ) and (self.is_readable, self.is_secured) == (other.is_readable, other.is_secured)


@dataclass(frozen=True, slots=True)
class EntitySchema:
    """``is_tracked`` is False for a table that could tell its changes and does not."""

    entity: Entity
    fields: Mapping[str, FieldInfo]
    is_tracked: bool = True


@dataclass(frozen=True, slots=True)
class FieldLink:
    """Where a custom object's field points to: an object and its field that holds the same value."""

    entity: Entity
    field: str


@dataclass(frozen=True, slots=True)
class NewField:
    """A field that the mapping needs and a side lacks; ``native_type`` is that side's own word for the type.

    ``is_key``: no two records share its value: an alternate key in Dynamics, a dedupe field of a Marketo custom object.
    """

    name: str
    label: str
    native_type: str
    max_length: int | None = None
    is_key: bool = False
    link: FieldLink | None = None


@dataclass(frozen=True, slots=True)
class NewObject:
    """A Marketo custom object type that the mapping needs and the subscription lacks."""

    name: Entity
    label: str
    plural_label: str
    fields: tuple[NewField, ...]
