"""How values cross: one small transform for each pair of types, chosen once from both sides' schemas.

A transform never rounds or guesses: what the other side has no spelling for raises NotExpressibleError, and the field
is held. The message says why and never shows the value. Only a text may be cut to what fits, and that is told.
The law ``to_marketing(to_crm(to_marketing(v))) == to_marketing(v)`` holds wherever the three steps are defined.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from enum import StrEnum
from math import isfinite
from typing import Final

from tandem.core.choices import Choice, ChoiceNumber, Choices, UnknownLabel
from tandem.core.mapping import NotExpressibleError, Transform
from tandem.core.moments import Moment
from tandem.core.record import Side, Value
from tandem.core.schema import FieldInfo, FieldKind
from tandem.core.spelling import cut, fitting, text_of

INTEGER_MAX: Final = 2**31 - 1
"""Both sides keep whole numbers in 32 bits (Dataverse's Integer; presumed of Marketo, marketo-rest 8)."""

TEXT_AREA_BYTES: Final = 30_000
"""A Marketo text area is limited in bytes, and describe gives it no length (marketo-rest 8)."""

_ADDRESS: Final = re.compile(r"[!-~]+@[!-~]+")


@dataclass(frozen=True, slots=True)
class Identity:
    """Both sides spell it alike."""

    def to_marketing(self, value: Value) -> Value:
        return value

    def to_crm(self, value: Value) -> Value:
        return value


@dataclass(frozen=True, slots=True)
class Text:
    """Text, up to what each side takes. Where ``cuts``, what is too long goes over as far as it fits, and the other
    side keeps all of it; where not (a phone number, an address of a page), it is held."""

    crm_max: int | None = None
    marketing_max: int | None = None
    marketing_max_bytes: int | None = None
    cuts: bool = False

    def to_marketing(self, value: Value) -> Value:
        text = text_of(value)
        if self.cuts:
            return cut(text, self.marketing_max, self.marketing_max_bytes) or None if text else None
        text = fitting(text, self.marketing_max)
        if text and self.marketing_max_bytes and len(text.encode()) > self.marketing_max_bytes:
            raise NotExpressibleError(f"the text is longer than the {self.marketing_max_bytes} bytes the field takes")
        return text

    def to_crm(self, value: Value) -> Value:
        text = text_of(value)
        if self.cuts:
            return cut(text, self.crm_max, None) or None if text else None
        return fitting(text, self.crm_max)

    def narrows(self, value: Value, to: Side) -> bool:
        """Whether less of `value` arrives on side `to`."""
        if not self.cuts or not isinstance(value, str):
            return False
        return (self.to_crm(value) if to is Side.CRM else self.to_marketing(value)) != (value or None)


@dataclass(frozen=True, slots=True)
class Email:
    """An address. Marketo takes ASCII only (marketo-rest 8), so an internationalised one stays in Dynamics."""

    crm_max: int | None = None
    marketing_max: int | None = None

    def to_marketing(self, value: Value) -> Value:
        text = fitting(text_of(value), self.marketing_max)
        if text is not None and not text.isascii():
            raise NotExpressibleError("Marketo takes e-mail addresses in ASCII only")
        if text is not None and not _ADDRESS.fullmatch(text):
            raise NotExpressibleError("Marketo refuses what does not look like an e-mail address")
        return text

    def to_crm(self, value: Value) -> Value:
        return fitting(text_of(value), self.crm_max)


@dataclass(frozen=True, slots=True)
class YesNo:
    """Marketo's booleans are never empty: empty is false there (marketo-rest 8)."""

    def to_marketing(self, value: Value) -> Value:
        return _boolean(value)

    def to_crm(self, value: Value) -> Value:
        return _boolean(value)


@dataclass(frozen=True, slots=True)
class Opposite:
    """Yes on one side is no on the other (``transform = "opposite"``)."""

    def to_marketing(self, value: Value) -> Value:
        return not _boolean(value)

    def to_crm(self, value: Value) -> Value:
        return not _boolean(value)


@dataclass(frozen=True, slots=True)
class Number:
    """A number on both sides; ``*_whole`` where that side keeps no fraction."""

    crm_whole: bool = False
    marketing_whole: bool = False

    def to_marketing(self, value: Value) -> Value:
        return _number(value, whole=self.marketing_whole)

    def to_crm(self, value: Value) -> Value:
        return _number(value, whole=self.crm_whole)


@dataclass(frozen=True, slots=True)
class Reference:
    """The GUID of another record; Marketo holds it as text."""

    marketing_max: int | None = None

    def to_marketing(self, value: Value) -> Value:
        return fitting(_guid(value), self.marketing_max)

    def to_crm(self, value: Value) -> Value:
        return _guid(value)


@dataclass(frozen=True, slots=True)
class Unpairable:
    """No transform joins these two types; the reason is a clause for an operator."""

    reason: str


class TooLong(StrEnum):
    """What becomes of a text that the other side has no room for."""

    CUT = "cut"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Ways:
    """What an operator may say about how a pair crosses; unset, the types decide.

    ``language``: the LCID whose labels a choice goes by; ``by_number``: by its number instead. ``zone``: where a time
    is a date. ``cuts``: a text that is too long is cut to what fits.
    """

    language: int | None = None
    by_number: bool = False
    unknown_label: UnknownLabel = UnknownLabel.HOLD
    zone: tzinfo = UTC
    cuts: bool = True


def transform_for(crm: FieldInfo, marketing: FieldInfo, ways: Ways | None = None) -> Transform | Unpairable:
    """The transform of this pair, from the two fields' types."""
    ways = ways or Ways()
    if crm.native_type in UNSUPPORTED:
        return Unpairable(UNSUPPORTED[crm.native_type])
    match crm.kind, marketing.kind:
        case FieldKind.TEXT, FieldKind.TEXT:
            return _text_transform(crm, marketing, ways)
        case ((FieldKind.CHOICE | FieldKind.CHOICES), FieldKind.TEXT):
            return _choice_transform(crm, marketing, ways)
        case FieldKind.BOOLEAN, FieldKind.BOOLEAN:
            return YesNo()
        case ((FieldKind.INTEGER | FieldKind.NUMBER), (FieldKind.INTEGER | FieldKind.NUMBER)):
            return Number(crm.kind is FieldKind.INTEGER, marketing.kind is FieldKind.INTEGER)
        case FieldKind.CHOICE, FieldKind.INTEGER:
            return Number(crm_whole=True, marketing_whole=True)
        case ((FieldKind.DATE | FieldKind.DATETIME), (FieldKind.DATE | FieldKind.DATETIME)):
            crm_is_date, marketing_is_date = crm.kind is FieldKind.DATE, marketing.kind is FieldKind.DATE
            return Moment(crm_is_date, marketing_is_date, UTC if crm.is_zoneless else ways.zone)
        case FieldKind.REFERENCE, FieldKind.TEXT:
            return Reference(marketing.max_length)
        case _:
            return Unpairable(f"Dynamics holds {_NOUNS[crm.kind]}, Marketo {_NOUNS[marketing.kind]}")


UNSUPPORTED: Final[Mapping[str, str]] = {
    "File": "a file is read and written block by block, and no Marketo field holds one",
    "Image": "an image is bytes, and no Marketo field holds them; its address would need a sign-in",
    "PartyList": "a list of parties (from, to, cc) belongs to an activity, and no Marketo field holds several records",
    "CalendarRules": "calendar rules are records of their own",
    "ManagedProperty": "a managed property tells of a solution, not of the record",
    "EntityName": "the name of a table tells what a lookup leads to, not what the record holds",
    "Virtual": "a virtual column is shown by Dynamics and stored nowhere",
}
"""Why a kind of Dynamics column is not carried, in the words of an operator."""


_NOUNS: Final[Mapping[FieldKind, str]] = {
    FieldKind.TEXT: "a text",
    FieldKind.INTEGER: "a whole number",
    FieldKind.NUMBER: "a number",
    FieldKind.BOOLEAN: "yes or no",
    FieldKind.DATE: "a date",
    FieldKind.DATETIME: "a time",
    FieldKind.CHOICE: "a choice",
    FieldKind.CHOICES: "a choice of several",
    FieldKind.REFERENCE: "a reference",
    FieldKind.OTHER: "a type that cannot be carried",
}


_PROSE: Final = frozenset({"string", "text", "textarea"})
"""Marketo's types of which a part still says something."""


def _text_transform(crm: FieldInfo, marketing: FieldInfo, ways: Ways) -> Transform:
    if marketing.native_type == "email":
        return Email(crm.max_length, marketing.max_length)
    is_area = marketing.native_type in ("text", "textarea") and marketing.max_length is None
    cuts = ways.cuts and marketing.native_type in _PROSE
    return Text(crm.max_length, marketing.max_length, TEXT_AREA_BYTES if is_area else None, cuts)


def _choice_transform(crm: FieldInfo, marketing: FieldInfo, ways: Ways) -> Transform | Unpairable:
    if ways.by_number and crm.kind is FieldKind.CHOICE:
        return ChoiceNumber(frozenset(crm.choices), marketing.max_length, ways.unknown_label)
    labels = dict(crm.choices) if ways.language is None else dict(crm.languages.get(ways.language, {}))
    if not labels:
        where = f" in language {ways.language}" if ways.language else ""
        return Unpairable(f"the labels of the choice cannot be read{where}")
    kind = Choice if crm.kind is FieldKind.CHOICE else Choices
    return kind(labels, marketing.max_length, unknown=ways.unknown_label)


def _boolean(value: Value) -> bool:
    if value is None or isinstance(value, bool):
        return bool(value)
    raise NotExpressibleError("the value is neither yes nor no")


def _number(value: Value, *, whole: bool) -> int | float | None:
    if value is None:
        return None
    if isinstance(value, bool | str) or not isfinite(value):
        raise NotExpressibleError("the value is not a number")
    if not whole:
        return value
    if value != int(value):
        raise NotExpressibleError("the field takes whole numbers only")
    if not -INTEGER_MAX - 1 <= value <= INTEGER_MAX:
        raise NotExpressibleError("the number is larger than the field takes")
    return int(value)


def _guid(value: Value) -> str | None:
    text = text_of(value)
    return text.lower() if text else None
