"""How values cross: one small transform for each pair of types, chosen once from both sides' schemas.

A transform never cuts, rounds or guesses: what the other side has no spelling for raises NotExpressibleError, and the
field is held. The message says why and never shows the value. Each law ``to_marketing(to_crm(to_marketing(v))) ==
to_marketing(v)`` holds wherever the three steps are defined.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Final

from tandem.core.mapping import NotExpressibleError, Transform
from tandem.core.record import Value
from tandem.core.schema import FieldInfo, FieldKind

INTEGER_MAX: Final = 2**31 - 1
"""Both sides keep whole numbers in 32 bits (Dataverse's Integer; presumed of Marketo, marketo-rest 8)."""

TEXT_AREA_BYTES: Final = 30_000
"""A Marketo text area is limited in bytes, and describe gives it no length (marketo-rest 8)."""

_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
_DATETIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
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
    """Text, up to what each side takes. A text that is too long is held, not cut: cutting would lose the rest of it
    on the way back."""

    crm_max: int | None = None
    marketing_max: int | None = None
    marketing_max_bytes: int | None = None

    def to_marketing(self, value: Value) -> Value:
        text = _fitting(_text(value), self.marketing_max)
        if text and self.marketing_max_bytes and len(text.encode()) > self.marketing_max_bytes:
            raise NotExpressibleError(f"the text is longer than the {self.marketing_max_bytes} bytes the field takes")
        return text

    def to_crm(self, value: Value) -> Value:
        return _fitting(_text(value), self.crm_max)


@dataclass(frozen=True, slots=True)
class Email:
    """An address. Marketo takes ASCII only (marketo-rest 8), so an internationalised one stays in Dynamics."""

    crm_max: int | None = None
    marketing_max: int | None = None

    def to_marketing(self, value: Value) -> Value:
        text = _fitting(_text(value), self.marketing_max)
        if text is not None and not text.isascii():
            raise NotExpressibleError("Marketo takes e-mail addresses in ASCII only")
        if text is not None and not _ADDRESS.fullmatch(text):
            raise NotExpressibleError("Marketo refuses what does not look like an e-mail address")
        return text

    def to_crm(self, value: Value) -> Value:
        return _fitting(_text(value), self.crm_max)


@dataclass(frozen=True, slots=True)
class Choice:
    """A choice's number in Dynamics, its label in Marketo, where upper and lower case are one.

    Two values under one label are not guessed apart: such a label does not come back.
    """

    labels: Mapping[int, str]
    marketing_max: int | None = None
    _values: Mapping[str, tuple[int, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        values: dict[str, tuple[int, ...]] = {}
        for value, label in self.labels.items():
            values[label.casefold()] = (*values.get(label.casefold(), ()), value)
        object.__setattr__(self, "_values", values)

    def to_marketing(self, value: Value) -> Value:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not self.labels.get(value):
            raise NotExpressibleError("the choice has no label for this value")
        return _fitting(self.labels[value], self.marketing_max)

    def to_crm(self, value: Value) -> Value:
        label = _text(value)
        if label is None:
            return None
        match self._values.get(label.casefold(), ()):
            case (found,):
                return found
            case ():
                raise NotExpressibleError("the text is none of the choice's labels")
            case _:
                raise NotExpressibleError("several values of the choice have this label")


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
class Moment:
    """A date or a time on each side. A time becomes the date it has in UTC; a date becomes its midnight in UTC."""

    crm_is_date: bool = False
    marketing_is_date: bool = False

    def to_marketing(self, value: Value) -> Value:
        return _moment(_moment(value, is_date=self.crm_is_date), is_date=self.marketing_is_date)

    def to_crm(self, value: Value) -> Value:
        return _moment(_moment(value, is_date=self.marketing_is_date), is_date=self.crm_is_date)


@dataclass(frozen=True, slots=True)
class Reference:
    """The GUID of another record; Marketo holds it as text."""

    marketing_max: int | None = None

    def to_marketing(self, value: Value) -> Value:
        return _fitting(_guid(value), self.marketing_max)

    def to_crm(self, value: Value) -> Value:
        return _guid(value)


@dataclass(frozen=True, slots=True)
class Unpairable:
    """No transform joins these two types; the reason is a clause for an operator."""

    reason: str


def transform_for(crm: FieldInfo, marketing: FieldInfo) -> Transform | Unpairable:
    """The transform of this pair, from the two fields' types."""
    match crm.kind, marketing.kind:
        case FieldKind.TEXT, FieldKind.TEXT:
            return _text_transform(crm, marketing)
        case FieldKind.CHOICE, FieldKind.TEXT:
            if not crm.choices:
                return Unpairable("the labels of the choice cannot be read")
            return Choice(dict(crm.choices), marketing.max_length)
        case FieldKind.BOOLEAN, FieldKind.BOOLEAN:
            return YesNo()
        case ((FieldKind.INTEGER | FieldKind.NUMBER), (FieldKind.INTEGER | FieldKind.NUMBER)):
            return Number(crm.kind is FieldKind.INTEGER, marketing.kind is FieldKind.INTEGER)
        case FieldKind.CHOICE, FieldKind.INTEGER:
            return Number(crm_whole=True, marketing_whole=True)
        case ((FieldKind.DATE | FieldKind.DATETIME), (FieldKind.DATE | FieldKind.DATETIME)):
            return Moment(crm.kind is FieldKind.DATE, marketing.kind is FieldKind.DATE)
        case FieldKind.REFERENCE, FieldKind.TEXT:
            return Reference(marketing.max_length)
        case _:
            return Unpairable(f"Dynamics holds {_NOUNS[crm.kind]}, Marketo {_NOUNS[marketing.kind]}")


_NOUNS: Final[Mapping[FieldKind, str]] = {
    FieldKind.TEXT: "a text",
    FieldKind.INTEGER: "a whole number",
    FieldKind.NUMBER: "a number",
    FieldKind.BOOLEAN: "yes or no",
    FieldKind.DATE: "a date",
    FieldKind.DATETIME: "a time",
    FieldKind.CHOICE: "a choice",
    FieldKind.REFERENCE: "a reference",
    FieldKind.OTHER: "a type that cannot be carried",
}


def _text_transform(crm: FieldInfo, marketing: FieldInfo) -> Transform:
    if marketing.native_type == "email":
        return Email(crm.max_length, marketing.max_length)
    is_area = marketing.native_type in ("text", "textarea") and marketing.max_length is None
    return Text(crm.max_length, marketing.max_length, TEXT_AREA_BYTES if is_area else None)


def _text(value: Value) -> str | None:
    if value is None or isinstance(value, str):
        return value or None
    raise NotExpressibleError("the value is not a text")


def _fitting(text: str | None, longest: int | None) -> str | None:
    if text is not None and longest is not None and len(text) > longest:
        raise NotExpressibleError(f"the text is longer than the {longest} characters the field takes")
    return text


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


def _moment(value: Value, *, is_date: bool) -> str | None:
    match value:
        case None:
            return None
        case str() if _DATETIME.fullmatch(value):
            return value[:10] if is_date else value
        case str() if _DATE.fullmatch(value):
            return value if is_date else f"{value}T00:00:00Z"
        case _:
            raise NotExpressibleError("the value is not a date or time")


def _guid(value: Value) -> str | None:
    text = _text(value)
    return text.lower() if text else None
