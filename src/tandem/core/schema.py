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
    targets: Sequence[str] = ()
    is_searchable: bool = False
    is_secured: bool = False
    """Shown as empty to callers without a right of their own to this field (Dataverse column security)."""


@dataclass(frozen=True, slots=True)
class EntitySchema:
    entity: Entity
    fields: Mapping[str, FieldInfo]


@dataclass(frozen=True, slots=True)
class NewField:
    """A marketing person field that the mapping needs and the instance lacks."""

    name: str
    label: str
    native_type: str
