"""Fields that a mapping needs and Marketo lacks: what they would look like, and who can make them.

The lead field API makes person fields, the custom object API the types of custom objects with their fields; a company
or a sales person gets new fields from an admin only.
"""

from collections.abc import Mapping
from typing import Final

from tandem.core.default_mapping import DefaultMapping, DefaultPair
from tandem.core.record import COMPANY, PERSON
from tandem.core.schema import FieldInfo, FieldKind, FieldLink, NewField

STRING_LENGTH: Final = 255
LINK: Final = "link"
"""The type of a custom object's field that names a person, a company or another object's record."""

_PERSON_TYPES: Final[Mapping[str, FieldKind]] = {
    "boolean": FieldKind.BOOLEAN,
    "currency": FieldKind.NUMBER,
    "date": FieldKind.DATE,
    "datetime": FieldKind.DATETIME,
    "email": FieldKind.TEXT,
    "float": FieldKind.NUMBER,
    "integer": FieldKind.INTEGER,
    "percent": FieldKind.INTEGER,
    "phone": FieldKind.TEXT,
    "score": FieldKind.INTEGER,
    "string": FieldKind.TEXT,
    "url": FieldKind.TEXT,
}
_OBJECT_TYPES: Final[Mapping[str, FieldKind]] = {
    **{name: kind for name, kind in _PERSON_TYPES.items() if name not in ("percent", "score", "url")},
    "text": FieldKind.TEXT,
    LINK: FieldKind.REFERENCE,
}
_TYPE_OF_KIND: Final[Mapping[FieldKind, str]] = {
    FieldKind.INTEGER: "integer",
    FieldKind.NUMBER: "float",
    FieldKind.BOOLEAN: "boolean",
    FieldKind.DATE: "date",
    FieldKind.DATETIME: "datetime",
    FieldKind.CHOICE: "string",
    FieldKind.REFERENCE: "string",
    FieldKind.OTHER: "string",
}
_ADMIN_TYPES: Final[Mapping[str, str]] = {"text": "Text Area", "string": "String", "boolean": "Boolean"}


def field_to_make(default: DefaultMapping, pair: DefaultPair, crm: FieldInfo) -> FieldInfo | None:
    """The missing field as the API would make it; None where it makes none of this kind."""
    native_type = native_type_of(pair, crm)
    types = _PERSON_TYPES if default.marketing_entity == PERSON else _OBJECT_TYPES if default.is_custom else {}
    if native_type not in types:
        return None
    kind = types[native_type]
    length = STRING_LENGTH if kind is FieldKind.TEXT and native_type != "text" else None
    return FieldInfo(pair.marketing, label_of(pair), kind, native_type, max_length=length)


def new_field(default: DefaultMapping, field: FieldInfo, link: FieldLink | None) -> NewField:
    is_key = default.is_custom and field.name == default.key_field
    return NewField(field.name, field.label, field.native_type, is_key=is_key, link=link)


def native_type_of(pair: DefaultPair, crm: FieldInfo) -> str:
    if pair.native_type:
        return pair.native_type
    if crm.kind is FieldKind.TEXT:
        return "string" if crm.max_length is None or crm.max_length <= STRING_LENGTH else "text"
    return _TYPE_OF_KIND[crm.kind]


def label_of(pair: DefaultPair) -> str:
    return pair.label or label_for(pair.marketing)


def label_for(name: str) -> str:
    """A label from an API name: ``favouriteColour`` becomes ``Favourite Colour``."""
    spaced = "".join(f" {letter}" if letter.isupper() else letter for letter in name.replace("_", " "))
    return " ".join(word[:1].upper() + word[1:] for word in spaced.split())


def missing_field(default: DefaultMapping, pair: DefaultPair, crm: FieldInfo) -> tuple[str, str]:
    """Why the pair is left out, and the remedy."""
    name, native_type = pair.marketing, native_type_of(pair, crm)
    kind = {PERSON: "Person", COMPANY: "Company"}.get(default.marketing_entity)
    if kind is None:
        entity = default.marketing_entity
        return f"Marketo's {entity} object has no field {name!r}", "Remove the pair: this object takes no new fields."
    return (
        f"Marketo has no {kind.lower()} field {name!r}, and its API cannot create one of this kind",
        f"Create it in Marketo under Admin > Field Management > New Custom Field: object {kind}, type"
        f" {_ADMIN_TYPES.get(native_type, native_type)}, name {label_of(pair)!r}, API name {name!r}; it is mapped at"
        " the next start.",
    )
