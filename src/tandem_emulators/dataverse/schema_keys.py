"""Alternate keys: defining them, and the asynchronous job that builds their index on the emulator's clock.

A key is Pending, then InProgress, then Active, or Failed where rows already share its values. `keys` reads and
enforces the active ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tandem_emulators.dataverse import errors, schema_errors
from tandem_emulators.dataverse.definitions import check_name, parse_label
from tandem_emulators.dataverse.schema import Table
from tandem_emulators.dataverse.schema_changes import SchemaChanges
from tandem_emulators.dataverse.settings import Settings
from tandem_emulators.dataverse.table_parts import stable_id
from tandem_emulators.kit.clock import Clock

Key = dict[str, Any]

KEYS_MAX = 10
COLUMNS_MAX = 16
BYTES_MAX = 900
_TYPES = frozenset({"String", "Integer", "Decimal", "DateTime", "Lookup", "Picklist"})
_BYTES = {"Decimal": 17, "DateTime": 8, "Integer": 4, "Picklist": 4, "Lookup": 16}
_BUILDING = ("Pending", "InProgress")


@dataclass
class KeyBuilder:
    changes: SchemaChanges
    clock: Clock
    settings: Settings
    # The version of the schema up to which every index is known to be built.
    _done_with: int = field(default=0, init=False)

    def create(self, table: Table, body: Mapping[str, Any]) -> Key:
        name = check_name(body.get("SchemaName"), "EntityKey")
        keys = table.metadata.get("Keys", [])
        if any(key["LogicalName"] == name.lower() for key in keys):
            raise schema_errors.key_exists(name, table.name)
        columns = self._checked_columns(table, body.get("KeyAttributes"))
        if any(sorted(key["KeyAttributes"]) == sorted(columns) for key in keys):
            raise schema_errors.key_columns_exist()
        if len(keys) >= KEYS_MAX:
            raise schema_errors.bad_key(f"An entity can have at most {KEYS_MAX} entity keys.")
        key = {
            "LogicalName": name.lower(),
            "SchemaName": name,
            "MetadataId": stable_id("key", table.name, name.lower(), str(self.changes.store.version)),
            "DisplayName": parse_label(body.get("DisplayName")) or name,
            "KeyAttributes": columns,
            **self._new_job(),
        }
        self.changes.replace(table, Keys=[*keys, key])
        return key

    def _new_job(self) -> Key:
        return {"EntityKeyIndexStatus": "Pending", "RequestedAt": self.clock.timestamp()}

    def _checked_columns(self, table: Table, given: Any) -> list[str]:
        if not isinstance(given, list) or not given or len(set(map(str, given))) != len(given):
            raise schema_errors.bad_key("KeyAttributes must name at least one attribute, each once.")
        if len(given) > COLUMNS_MAX:
            raise schema_errors.bad_key(f"An entity key can have at most {COLUMNS_MAX} attributes.")
        size = 0
        for name in given:
            column = table.columns.get(str(name))
            if column is None:
                raise schema_errors.bad_key(f"Attribute {name} does not exist on entity {table.name}.")
            if column.type not in _TYPES or column.metadata.get("IsSecured"):
                raise schema_errors.bad_key(f"Attribute {name} of type {column.type} cannot be part of an entity key.")
            size += _BYTES.get(column.type) or 2 * int(column.metadata.get("MaxLength") or 0)
        if size > BYTES_MAX:
            raise schema_errors.bad_key(f"The entity key is {size} bytes long; the limit is {BYTES_MAX}.")
        return [str(name) for name in given]

    def delete(self, table: Table, key: Key) -> None:
        self.changes.replace(table, Keys=[one for one in table.metadata["Keys"] if one is not key])
        self.changes.store.drop_key_index(table, key["LogicalName"])
        self.changes.deleted("EntityKey", key["MetadataId"])

    def reactivate(self, table_name: Any, key_name: Any) -> None:
        table = self.changes.schema.tables.get(str(table_name))
        if table is None:
            raise errors.no_table(str(table_name))
        key = self.find(table, "LogicalName", str(key_name))
        if key["EntityKeyIndexStatus"] != "Failed":
            raise schema_errors.key_not_failed()
        self._set(table, key, {**key, **self._new_job()})

    def find(self, table: Table, name: str, value: str) -> Key:
        for key in table.metadata.get("Keys", ()):
            if str(key.get(name, "")).lower() == value.lower():
                found: Key = key
                return found
        raise errors.ODataError(404, "0x80060888", f"Could not find an entity key {value} on {table.name}.")

    def _set(self, table: Table, key: Key, changed: Key) -> Table:
        """The status of an index is no change of the table: its delta tokens live on."""
        keys = [changed if one is key else one for one in table.metadata["Keys"]]
        new = Table({**table.metadata, "Keys": keys}, table.shadows)
        self.changes.put_quietly(new)
        return new

    # The job.

    def advance(self) -> None:
        """Bring every index that is being built to where the clock says it is. Cheap when there is none."""
        if self._done_with == self.changes.schema.version:
            return
        is_building = False
        for table in list(self.changes.schema.tables.values()):
            current = table
            for key in table.metadata.get("Keys", ()):
                if key["EntityKeyIndexStatus"] in _BUILDING:
                    status = self._status(current, key)
                    is_building |= status in _BUILDING
                    if status != key["EntityKeyIndexStatus"]:
                        current = self._set(current, key, {**key, "EntityKeyIndexStatus": status})
        self._done_with = 0 if is_building else self.changes.schema.version

    def _status(self, table: Table, key: Key) -> str:
        waited_s = self.clock.timestamp() - key.get("RequestedAt", 0.0)
        if waited_s < self.settings.key_index_s / 2:
            return "Pending"
        if waited_s < self.settings.key_index_s:
            return "InProgress"
        return "Failed" if self._has_duplicates(table, key["KeyAttributes"]) else "Active"

    def _has_duplicates(self, table: Table, columns: list[str]) -> bool:
        names = ", ".join(f'"{name}" COLLATE NOCASE' for name in columns)
        filled = " AND ".join(f'"{name}" IS NOT NULL' for name in columns)
        sql = f'SELECT 1 FROM "{table.name}" WHERE {filled} GROUP BY {names} HAVING count(*) > 1 LIMIT 1'
        return self.changes.store.connection.execute(sql).fetchone() is not None
