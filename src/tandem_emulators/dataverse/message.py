"""A message: what is done beyond creating, reading, updating and deleting one row, by POST under a name of its own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.schema import Schema, Table
from tandem_emulators.dataverse.security import Caller
from tandem_emulators.dataverse.store import Row
from tandem_emulators.dataverse.terms import Terms
from tandem_emulators.dataverse.values import parse_guid

NAMESPACE = "Microsoft.Dynamics.CRM."
UNBOUND, OF_SET, OF_ROW = "", "set", "row"

Parameters = TypeVar("Parameters")


@dataclass(frozen=True, slots=True)
class MessageCall:
    """`table` is what the message is bound to, if anything, and `record_id` the row, if it is bound to one."""

    caller: Caller
    root: str
    body: Mapping[str, Any]
    terms: Terms = field(default_factory=Terms)
    table: Table | None = None
    record_id: str = ""

    @property
    def bound_table(self) -> Table:
        assert self.table is not None
        return self.table


@dataclass(frozen=True, slots=True)
class Outcome:
    """`body` is what is answered, or nothing; `created` counts rows beyond those that the request itself holds."""

    body: Row | None = None
    created: int = 0


def one_record(body: Mapping[str, Any]) -> int:
    return 1


@dataclass(frozen=True, slots=True)
class Message:
    """`operation` is its name for faults and counters; `tables` are those it can be bound to, empty for all."""

    name: str
    operation: str
    run: Callable[[MessageCall], Outcome]
    binding: str = UNBOUND
    tables: frozenset[str] = frozenset()
    records: Callable[[Mapping[str, Any]], int] = one_record


def convert(body: Mapping[str, Any], kind: type[Parameters]) -> Parameters:
    """The parameters of a message as a struct."""
    try:
        return msgspec.convert(dict(body), kind)
    except msgspec.ValidationError as error:
        raise errors.invalid_argument(f"The parameters are not valid: {error}.") from error


def named_row(
    schema: Schema, body: Mapping[str, Any], name: str, kinds: frozenset[str] | None = None
) -> tuple[Table, str]:
    """The row that a parameter names by `@odata.type` and its key; whether it exists is not looked up."""
    given = body.get(name)
    if not isinstance(given, dict):
        raise errors.invalid_argument(f"Required parameter '{name}' is missing.")
    return row_of(schema, given, name, kinds)


def row_of(
    schema: Schema, given: Mapping[str, Any], name: str, kinds: frozenset[str] | None = None
) -> tuple[Table, str]:
    type_name = str(given.get("@odata.type", "")).lstrip("#").removeprefix(NAMESPACE)
    table = schema.tables.get(type_name) or _only(schema, kinds)
    if table is None or (kinds is not None and table.name not in kinds):
        raise errors.invalid_argument(f"The parameter '{name}' cannot be of type '{type_name}'.")
    record_id = parse_guid(str(given.get(table.key, "")))
    if record_id is None:
        raise errors.invalid_argument(f"'{name}' must have a value for '{table.key}'.")
    return table, record_id


def _only(schema: Schema, kinds: frozenset[str] | None) -> Table | None:
    """Where a parameter has one type, the annotation may be left out."""
    return schema.tables[next(iter(kinds))] if kinds is not None and len(kinds) == 1 else None
