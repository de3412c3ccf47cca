"""The body of a write, read into stored columns.

Unknown properties, wrong types and lookups set by the wrong name are refused with the service's texts; columns
that are read-only are ignored, as the service ignores them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.schema import Column, Schema, Table
from tandem_emulators.dataverse.store import Store
from tandem_emulators.dataverse.values import parse_guid, store_value

_BIND = "@odata.bind"
_REFERENCE = re.compile(r"(?:https?://[^/]+)?(?:/?api/data/v9\.\d/)?/?(\w+)\(([^()]*)\)$")
_NOT_JSON = "Unable to read data from the stream: the content is not a JSON object."


@dataclass(slots=True)
class PayloadReader:
    """`references` are the rows made earlier in the same change set, by `$` and their Content-ID."""

    schema: Schema
    store: Store
    empty_is_null: bool = True
    references: Mapping[str, str] = field(default_factory=dict)

    def read(self, table: Table, body: Mapping[str, Any], *, creating: bool) -> dict[str, Any]:
        changes: dict[str, Any] = {}
        for name, value in body.items():
            if "@" in name:
                if name.endswith(_BIND):
                    self._bind(table, name.removesuffix(_BIND), value, creating, changes)
                elif not name.startswith("@") and name.split("@")[0] not in body:
                    self._require_known(table, name.split("@")[0])
                continue
            self._property(table, name, value, creating, changes)
        return changes

    def _require_known(self, table: Table, name: str) -> None:
        """An annotation alone says nothing, but it must be one of a declared property."""
        if name not in table.properties and name not in table.navigation:
            raise errors.undeclared_property(table.set_name, name)

    def _property(self, table: Table, name: str, value: Any, creating: bool, changes: dict[str, Any]) -> None:
        column = table.properties.get(name)
        if column is None:
            if name in table.navigation:
                if value is not None:
                    raise errors.not_covered("Creating related rows inside a body")
                self._bind(table, name, None, creating, changes)
                return
            raise errors.unknown_property(table.set_name, name, table.edm_name)
        if column.is_lookup:
            raise errors.lookup_by_column(table.set_name)
        stored = store_value(table, column, value)
        is_key_of_new = creating and name == table.key
        if column.is_writable(creating=creating) or is_key_of_new:
            changes[column.name] = None if self.empty_is_null and stored == "" else stored

    def _bind(self, table: Table, name: str, value: Any, creating: bool, changes: dict[str, Any]) -> None:
        found = table.navigation.get(name)
        if found is None:
            raise errors.undeclared_property(table.set_name, name)
        column, targets = found
        if not column.is_writable(creating=creating):
            return
        if value is None:
            self.point(table, column, None, None, changes)
            return
        target, record_id = self.resolve(table.set_name, value)
        if target.name not in targets:
            text = f"The entity reference of '{name}' must be one of {', '.join(targets)}, not {target.name}."
            raise errors.payload_error(table.set_name, text)
        self.point(table, column, target.name, record_id, changes)

    def resolve(self, set_name: str, value: Any) -> tuple[Table, str]:
        """The row that a bind value or a reference URL names; it must exist."""
        if not isinstance(value, str):
            raise errors.payload_error(set_name, f"The value of an annotation must be a URL, not '{value}'.")
        if value.startswith("$"):
            value = self._reference(value)
        found = _REFERENCE.search(value)
        target = self.schema.by_set.get(found[1]) if found else None
        if found is None or target is None:
            raise errors.segment_not_found(found[1] if found else value[:100])
        record_id = parse_guid(found[2])
        if record_id is None:
            raise errors.key_not_valid(target.edm_name)
        if not self.store.exists(target, record_id):
            raise errors.does_not_exist(target.name, record_id)
        return target, record_id

    def _reference(self, value: str) -> str:
        if value not in self.references:
            raise errors.content_id_missing(value)
        return self.references[value]

    def point(
        self, table: Table, column: Column, target: str | None, record_id: str | None, changes: dict[str, Any]
    ) -> None:
        """Set a lookup, the table it points to, and the read-only columns that mirror it by table."""
        changes[column.name] = record_id
        if column.type_column:
            changes[column.type_column] = target
        for shadow_target, shadow in table.shadows.get(column.name, {}).items():
            changes[shadow] = record_id if shadow_target == target else None


def decode_body(set_name: str, body: bytes) -> dict[str, Any]:
    if not body.strip():
        raise errors.payload_error(set_name, _NOT_JSON)
    try:
        decoded = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError) as error:
        raise errors.payload_error(set_name, _NOT_JSON) from error
    return decoded
