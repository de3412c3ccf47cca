"""What a field is, which values it takes, and how a change of it is spoken of (section 8 of the fact sheet).

Stored values are JSON values in one normal form, so that "the same value" is plain equality: a write that changes
nothing is then easy to see. Absent and null are one state; a boolean has none, null writes false.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from tandem_emulators.marketo.errors import SkipError, bad_value

SUBSCRIPTION_ZONE = ZoneInfo("America/Chicago")
TEXT_BYTES_MAX = 30_000
STRING_LENGTH = 255

_EMAIL = re.compile(
    r"[!-?A-~]+@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)+"
)
_INTEGER = re.compile(r"[+-]?\d{1,11}")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?")
_UTC_SECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of one object, as its describe call lists it."""

    id: int
    name: str
    display_name: str
    data_type: str
    length: int | None = None
    read_only: bool = False
    soap_name: str | None = None
    searchable: bool = False
    description: str = ""
    is_hidden: bool = False
    is_html_encoding: bool = True
    is_sensitive: bool = False
    is_custom: bool = False
    is_api_created: bool = False
    company: bool = False

    @property
    def described_type(self) -> str:
        """A score field calls itself an integer (3.1)."""
        return "integer" if self.data_type == "score" else self.data_type


@dataclass(frozen=True, slots=True)
class ValueRules:
    """What the sources are silent about, and that an imported row keeps an address that is none (6.1)."""

    truncates: bool = False
    empty_clears: bool = True
    any_email: bool = False
    trims: bool = False


Converter = Callable[[Any], Any]


def convert(field: Field, value: Any, rules: ValueRules) -> Any:
    """The stored form of a written value; None clears.

    Raises:
        SkipError: 1003, the value does not fit the field.
    """
    if value is None or (value == "" and (rules.empty_clears or field.data_type not in _TEXTUAL)):
        return False if field.data_type == "boolean" else None
    read: Converter = _CONVERTERS.get(field.data_type, _text)
    converted = read(value)
    if converted is None and rules.any_email and field.data_type == "email":
        converted = _text(value)
    if converted is None:
        raise bad_value(field.name, value)
    if isinstance(converted, str) and field.data_type in _TEXTUAL:
        return _fit(field, converted.strip() if rules.trims else converted, rules)
    return converted


def converter(field: Field, rules: ValueRules) -> Converter:
    """`convert` for one field, with a short way for values that are in their stored form already."""

    def slowly(value: Any) -> Any:
        return convert(field, value, rules)

    match field.data_type:
        case "string" | "phone" | "url":
            length = field.length or STRING_LENGTH
            if rules.trims:
                return slowly
            return lambda value: value if type(value) is str and 0 < len(value) <= length else slowly(value)
        case "integer" | "score" | "percent":
            return lambda value: value if type(value) is int and -(2**31) <= value < 2**31 else slowly(value)
        case "boolean":
            return lambda value: value if type(value) is bool else slowly(value)
    return slowly


def _fit(field: Field, text: str, rules: ValueRules) -> str:
    if field.data_type == "text" and field.length is None:
        if len(text.encode()) <= TEXT_BYTES_MAX:
            return text
        shortened = text.encode()[:TEXT_BYTES_MAX].decode(errors="ignore")
    else:
        length = field.length or STRING_LENGTH
        if len(text) <= length:
            return text
        shortened = text[:length]
    if rules.truncates:
        return shortened
    raise SkipError("1003", f"Invalid value for field '{field.name}' and value '{text[:100]}'")


def display(field: Field, value: Any) -> str | None:
    """The text that change records show instead of the value (5.3)."""
    if field.data_type == "boolean":
        return "True" if value else "False"
    if value is None:
        return None
    if field.data_type == "datetime":
        at = parse_datetime(str(value))
        return at.astimezone(SUBSCRIPTION_ZONE).strftime("%Y-%m-%d %H:%M:%S") if at else str(value)
    return f"{value:g}" if isinstance(value, float) and value.is_integer() else str(value)


def parse_datetime(text: str) -> datetime | None:
    """An ISO 8601 instant with a zone; None when it is not one."""
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _text(value: Any) -> str | None:
    match value:
        case str():
            return value
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
    return None


def _email(value: Any) -> str | None:
    return value if isinstance(value, str) and _EMAIL.fullmatch(value) else None


def _integer(value: Any) -> int | None:
    match value:
        case bool():
            return None
        case int():
            number = value
        case float() if value.is_integer():
            number = int(value)
        case str() if _INTEGER.fullmatch(value.strip()):
            number = int(value)
        case _:
            return None
    return number if -(2**31) <= number < 2**31 else None


def _number(value: Any) -> float | None:
    match value:
        case bool():
            return None
        case int() | float():
            number = float(value)
        case str() if _NUMBER.fullmatch(value.strip()):
            number = float(value)
        case _:
            return None
    return number if math.isfinite(number) and abs(number) < 1e18 else None


def _boolean(value: Any) -> bool | None:
    return _BOOLEANS.get(str(value).lower()) if isinstance(value, bool | int | str) else None


def _date(value: Any) -> str | None:
    try:
        return value if isinstance(value, str) and len(value) == 10 and date.fromisoformat(value) else None
    except ValueError:
        return None


def _datetime(value: Any) -> str | None:
    if not isinstance(value, str) or len(value) < 16:
        return None
    at = parse_datetime(value)
    if at is None:
        return None
    return value if _UTC_SECONDS.fullmatch(value) else at.strftime("%Y-%m-%dT%H:%M:%SZ")


_TEXTUAL = frozenset({"string", "text", "email", "phone", "url"})
_CONVERTERS: dict[str, Converter] = {
    "email": _email,
    "integer": _integer,
    "score": _integer,
    "percent": _integer,
    "reference": _integer,
    "float": _number,
    "currency": _number,
    "boolean": _boolean,
    "date": _date,
    "datetime": _datetime,
}
