"""Values between JSON and the store, by column type; and which of them the service refuses.

Stored forms: text as it is, yes/no as 0 and 1, choices and numbers as numbers, GUIDs in lower case, times as
`2023-04-07T21:59:01Z`, days as `2019-05-01`.
"""

import math
import re
from datetime import UTC, date, datetime
from typing import Any

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.schema import Column, Table

_GUID = re.compile(r"\{?([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})\}?")
_INT32 = 2**31
# How many options of a multi-select choice one row may have.
OPTIONS_MAX = 150


def parse_guid(text: str) -> str | None:
    """Upper case, quotes and braces are accepted, as the service accepts them in keys and filters."""
    found = _GUID.fullmatch(text.strip("'"))
    return found[1].lower() if found else None


def render_time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> str | None:
    """With an offset it is converted, without one it is taken as UTC; parts of a second are dropped."""
    if not re.match(r"\d{4}-\d\d-\d\d", text):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return render_time(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None


def parse_day(text: str) -> str | None:
    try:
        return date.fromisoformat(text[:10]).isoformat() if re.fullmatch(r"\d{4}-\d\d-\d\d(T.*)?", text) else None
    except ValueError:
        return None


def store_value(table: Table, column: Column, value: Any) -> Any:
    """The stored form of a JSON value, or the refusal that the service would answer with."""
    if value is None:
        return None
    stored = _converters[column.type](table, column, value)
    if stored is None:
        raise errors.cannot_convert(table.set_name, _shown(value), column.edm_type)
    return stored


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)[:100]


def _text(table: Table, column: Column, value: Any) -> Any:
    if not isinstance(value, str):
        return None
    length_max = column.metadata.get("MaxLength")
    if length_max is not None and len(value.encode("utf-16-le", "surrogatepass")) // 2 > length_max:
        raise errors.too_long(table.name, column.name, length_max)
    return value


def _integer(table: Table, column: Column, value: Any) -> Any:
    if not isinstance(value, int) or isinstance(value, bool) or not -_INT32 <= value < _INT32:
        return None
    low, high = column.metadata.get("MinValue"), column.metadata.get("MaxValue")
    if (low is not None and value < low) or (high is not None and value > high):
        raise errors.integer_out_of_range()
    return value


def _big_integer(table: Table, column: Column, value: Any) -> Any:
    return value if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63 else None


def _option(table: Table, column: Column, value: Any) -> Any:
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    if column.options and value not in column.options:
        raise errors.option_out_of_range()
    return value


def _number(table: Table, column: Column, value: Any) -> Any:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return None
    low, high = column.metadata.get("MinValue"), column.metadata.get("MaxValue")
    if (low is not None and value < low) or (high is not None and value > high):
        raise errors.decimal_out_of_range()
    precision = column.metadata.get("Precision")
    return round(float(value), precision) if precision is not None else float(value)


def _yes_no(table: Table, column: Column, value: Any) -> Any:
    return int(value) if isinstance(value, bool) else None


def _moment(table: Table, column: Column, value: Any) -> Any:
    if not isinstance(value, str):
        return None
    parsed = parse_day(value) if column.is_date_only else parse_time(value)
    if parsed is not None and parsed < "1753":
        raise errors.date_out_of_range()
    return parsed


def _guid(table: Table, column: Column, value: Any) -> Any:
    return parse_guid(value) if isinstance(value, str) else None


def _options(table: Table, column: Column, value: Any) -> Any:
    """Several choices: one text of numbers with commas between them."""
    if not isinstance(value, str) or not re.fullmatch(r"\s*(?:-?\d+\s*(?:,\s*-?\d+\s*)*)?", value):
        return None
    numbers = sorted({int(part) for part in value.split(",") if part.strip()})
    if len(numbers) > OPTIONS_MAX or not set(numbers) <= set(column.options):
        raise errors.option_out_of_range()
    return ",".join(map(str, numbers))


_converters = {
    "String": _text,
    "Memo": _text,
    "EntityName": _text,
    "Integer": _integer,
    "BigInt": _big_integer,
    "Picklist": _option,
    "State": _option,
    "Status": _option,
    "Decimal": _number,
    "Money": _number,
    "Double": _number,
    "Boolean": _yes_no,
    "DateTime": _moment,
    "Uniqueidentifier": _guid,
    "Lookup": _guid,
    "Customer": _guid,
    "Owner": _guid,
    "MultiSelectPicklist": _options,
    "File": _guid,
}
