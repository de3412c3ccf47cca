"""Keys in a URL: `(guid)`, `(accountid=guid)`, or the columns of an alternate key, `(a='1',b=2)`.

An alternate key is usable once its index is active. Text is compared without regard to case, as in any other search.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.schema import Column, Table
from tandem_emulators.dataverse.store import Store
from tandem_emulators.dataverse.values import parse_day, parse_guid, parse_time

_PART = re.compile(r"\s*(\w+)\s*=\s*('(?:[^']|'')*'|[^',]*)\s*(?:,|$)")
# ASP.NET refuses a path with one of these, however it was encoded.
_DANGEROUS = re.compile(r"[<>*%&:\\?+/]")


@dataclass(frozen=True, slots=True)
class RowKey:
    """The row that a URL names: its id, or None if there is none. `values` are those of an alternate key."""

    record_id: str | None
    values: Mapping[str, Any] = field(default_factory=dict)

    def require(self, table: Table) -> str:
        if self.record_id is None:
            raise errors.no_such_key(table.name)
        return self.record_id


def resolve_key(store: Store, table: Table, text: str, *, is_in_path: bool = True) -> RowKey:
    """The id stands as it was given: whether there is such a row is for the reader or writer to say.

    A key in a body may hold what none in a path can.
    """
    record_id = parse_guid(text.strip())
    if record_id is not None:
        return RowKey(record_id)
    given = _parts(table, text)
    if set(given) == {table.key}:
        record_id = parse_guid(given[table.key])
        if record_id is None:
            raise errors.key_not_valid(table.edm_name)
        return RowKey(record_id)
    values = _key_values(table, given, is_in_path)
    return RowKey(find_by_values(store, table, values), values)


def find_by_values(store: Store, table: Table, values: Mapping[str, Any]) -> str | None:
    """The one row with these stored values; two rows can hold them only while a key's index is being built."""
    tests = " AND ".join(f'"{name}" = ? COLLATE NOCASE' for name in values)
    sql = f'SELECT "{table.key}" FROM "{table.name}" WHERE {tests} LIMIT 2'
    found = store.connection.execute(sql, tuple(values.values())).fetchall()
    if len(found) > 1:
        raise errors.several_for_key(table.name, ", ".join(values))
    return str(found[0][0]) if found else None


def _parts(table: Table, text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    position = 0
    while position < len(text):
        part = _PART.match(text, position)
        if part is None or part[1] in found:
            raise errors.key_not_valid(table.edm_name)
        found[part[1]] = part[2]
        position = part.end()
    if not found:
        raise errors.key_not_valid(table.edm_name)
    return found


def _key_values(table: Table, given: Mapping[str, str], is_in_path: bool) -> dict[str, Any]:
    columns = {name: table.properties.get(name) for name in given}
    names = {column.name for column in columns.values() if column is not None}
    for key in table.metadata.get("Keys") or ():
        if set(key["KeyAttributes"]) == names and len(names) == len(given):
            if key.get("EntityKeyIndexStatus", "Active") != "Active":
                raise errors.key_not_defined(table.name)
            found = ((name, column) for name, column in columns.items() if column is not None)
            return {column.name: _value(table, column, given[name], is_in_path) for name, column in found}
    raise errors.key_not_valid(table.edm_name)


def _value(table: Table, column: Column, text: str, is_in_path: bool) -> Any:
    quoted = text.startswith("'")
    inner = text[1:-1].replace("''", "'") if quoted else text
    if is_in_path and _DANGEROUS.search(inner) and column.edm_type == "Edm.String":
        raise errors.dangerous_path(_DANGEROUS.findall(inner)[0])
    value = _stored(column, inner, quoted=quoted)
    if value is None:
        raise errors.key_not_valid(table.edm_name)
    return value


def _stored(column: Column, text: str, *, quoted: bool) -> Any:
    match column.edm_type:
        case "Edm.String":
            return text if quoted else None
        case "Edm.Guid":
            return parse_guid(text)
        case "Edm.DateTimeOffset":
            return parse_time(text)
        case "Edm.Date":
            return parse_day(text)
        case "Edm.Int32" | "Edm.Int64":
            return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else None
        case "Edm.Decimal" | "Edm.Double":
            return float(text) if re.fullmatch(r"-?[0-9]{1,18}(\.[0-9]{1,18})?", text) else None
    return None
