"""The body of a write, read into stored columns, related rows to make, and rows to link.

Unknown properties, wrong types and lookups set by the wrong name are refused with the service's texts; columns
that are read-only are ignored, as the service ignores them (sheet section 5.1).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.keys import resolve_key
from tandem_emulators.dataverse.navigation import Navigation, ToOne, find_navigation
from tandem_emulators.dataverse.schema import Column, Schema, Table
from tandem_emulators.dataverse.store import Store
from tandem_emulators.dataverse.values import store_value

_BIND = "@odata.bind"
REFERENCE = re.compile(r"(?:https?://[^/]+)?(?:/?api/data/v9\.\d/)?/?(\w+)\((.*)\)$")
_NOT_JSON = "Unable to read data from the stream: the content is not a JSON object."


@dataclass(frozen=True, slots=True)
class Nested:
    """A related row to create: the navigation property it stands under, its table and its own body."""

    navigation: Navigation
    table: Table
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Link:
    """A row that exists, to be put into a collection of the new one."""

    navigation: Navigation
    record_id: str


@dataclass(slots=True)
class Payload:
    """`parents` are made before the row, since it points to them; `children` after it; `links` last.

    `targets` are the tables that the row is going to point to by what the body says.
    """

    columns: dict[str, Any] = field(default_factory=dict)
    targets: list[Table] = field(default_factory=list)
    parents: list[Nested] = field(default_factory=list)
    children: list[Nested] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)


@dataclass(slots=True)
class PayloadReader:
    """`references` are the rows made earlier in the same change set, by `$` and their Content-ID."""

    schema: Schema
    store: Store
    empty_is_null: bool = True
    ignores_read_only: bool = True
    references: Mapping[str, str] = field(default_factory=dict)

    def read(self, table: Table, body: Mapping[str, Any], *, creating: bool) -> Payload:
        payload = Payload()
        for name, value in body.items():
            if "@" not in name:
                self._property(table, name, value, creating, payload)
            elif name.endswith(_BIND):
                self._bind(table, name.removesuffix(_BIND), value, creating, payload)
            elif not name.startswith("@") and name.split("@")[0] not in body:
                self._require_known(table, name.split("@")[0])
        return payload

    def _require_known(self, table: Table, name: str) -> None:
        """An annotation alone says nothing, but it must be one of a declared property."""
        if name not in table.properties and name not in table.navigation:
            raise errors.undeclared_property(table.set_name, name)

    def _property(self, table: Table, name: str, value: Any, creating: bool, payload: Payload) -> None:
        column = table.properties.get(name)
        if column is None:
            self._navigation(table, name, value, creating, payload)
            return
        if column.is_lookup:
            raise errors.lookup_by_column(table.set_name)
        stored = store_value(table, column, value)
        is_key_of_new = creating and name == table.key
        if is_key_of_new or self._is_writable(table, column, creating):
            payload.columns[column.name] = None if self.empty_is_null and stored == "" else stored

    def _is_writable(self, table: Table, column: Column, creating: bool) -> bool:
        """The primary key in the body of an update says nothing new, so nobody minds it."""
        if column.is_writable(creating=creating):
            return True
        if not self.ignores_read_only and column.name != table.key:
            raise (errors.read_only_on_create if creating else errors.read_only_on_update)(column.property_name)
        return False

    # Navigation properties with a value: null clears a lookup, objects are rows to create.

    def _navigation(self, table: Table, name: str, value: Any, creating: bool, payload: Payload) -> None:
        found = find_navigation(self.schema, table, name)
        if found is None:
            raise errors.unknown_property(table.set_name, name, table.edm_name)
        if isinstance(found, ToOne):
            self._to_one(table, found, value, creating, payload)
            return
        bodies = [_object(table, name, each) for each in (value if isinstance(value, list) else [value])]
        if not creating:
            raise errors.deep_update(table.set_name, name)
        payload.children += [Nested(found, found.target, body) for body in bodies]

    def _to_one(self, table: Table, found: ToOne, value: Any, creating: bool, payload: Payload) -> None:
        if value is None:
            self._bind(table, found.name, None, creating, payload)
            return
        body = _object(table, found.name, value)
        if not creating:
            raise errors.deep_update(table.set_name, found.name)
        if found.column.is_writable(creating=True):
            payload.parents.append(Nested(found, self._target(table, found, body), body))

    def _target(self, table: Table, found: ToOne, body: Mapping[str, Any]) -> Table:
        """The table of a nested row: the only one, or the one that its `@odata.type` names."""
        wanted = str(body.get("@odata.type", "")).rpartition(".")[2] or found.target.name
        for target in found.targets:
            if target.name == wanted:
                return target
        raise errors.wrong_target(table.set_name, found.name, [target.name for target in found.targets], wanted)

    # References to rows that exist.

    def _bind(self, table: Table, name: str, value: Any, creating: bool, payload: Payload) -> None:
        found = find_navigation(self.schema, table, name)
        if found is None:
            raise errors.undeclared_property(table.set_name, name)
        if not isinstance(found, ToOne):
            self._bind_collection(table, found, value, creating, payload)
            return
        if not self._is_writable(table, found.column, creating):
            return
        if value is None:
            self.point(table, found.column, None, None, payload.columns)
            return
        target, record_id = self.resolve(table.set_name, value)
        names = [each.name for each in found.targets]
        if target.name not in names:
            raise errors.wrong_target(table.set_name, name, names, target.name)
        payload.targets.append(target)
        self.point(table, found.column, target.name, record_id, payload.columns)

    def _bind_collection(self, table: Table, found: Navigation, value: Any, creating: bool, payload: Payload) -> None:
        if not isinstance(value, list):
            text = f"The value of '{found.name}{_BIND}' must be an array, since '{found.name}' is a collection."
            raise errors.payload_error(table.set_name, text)
        if not creating:
            raise errors.deep_update(table.set_name, found.name)
        for each in value:
            target, record_id = self.resolve(table.set_name, each)
            if target is not found.target:
                raise errors.wrong_target(table.set_name, found.name, [found.target.name], target.name)
            payload.links.append(Link(found, record_id))

    def resolve(self, set_name: str, value: Any) -> tuple[Table, str]:
        """The row that a bind value or a reference URL names; it must exist."""
        if not isinstance(value, str):
            raise errors.payload_error(set_name, f"The value of an annotation must be a URL, not '{value}'.")
        if value.startswith("$"):
            value = self._reference(value)
        found = REFERENCE.search(value)
        target = self.schema.by_set.get(found[1]) if found else None
        if found is None or target is None:
            raise errors.segment_not_found(found[1] if found else value[:100])
        record_id = resolve_key(self.store, target, found[2]).require(target)
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


def _object(table: Table, name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        shown = str(value)[:100]
        raise errors.payload_error(table.set_name, f"The value of '{name}' must be an object, not '{shown}'.")
    return value


def decode_body(set_name: str, body: bytes) -> dict[str, Any]:
    if not body.strip():
        raise errors.payload_error(set_name, _NOT_JSON)
    try:
        decoded = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError) as error:
        raise errors.payload_error(set_name, _NOT_JSON) from error
    return decoded
