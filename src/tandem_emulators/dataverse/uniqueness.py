"""No two rows share an alternate key; a row with an empty column is in no key (sheet section 5.2)."""

from collections.abc import Mapping
from typing import Any

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.errors import ODataError
from tandem_emulators.dataverse.keys import find_by_values
from tandem_emulators.dataverse.schema import Table
from tandem_emulators.dataverse.store import Store


def require_unique(
    store: Store, table: Table, record_id: str, row: Mapping[str, Any], changes: Mapping[str, Any]
) -> None:
    """`row` is the whole row as it will be, `changes` what is written of it."""
    for key in table.metadata.get("Keys") or ():
        if key.get("EntityKeyIndexStatus", "Active") != "Active":
            continue
        values = {name: row.get(name) for name in key["KeyAttributes"]}
        if values.keys().isdisjoint(changes) or None in values.values():
            continue
        if find_by_values(store, table, values) not in (None, record_id):
            raise _violated(table, key)


def _violated(table: Table, key: Mapping[str, Any]) -> ODataError:
    names = [str(table.columns[name].metadata.get("DisplayName") or name) for name in key["KeyAttributes"]]
    return errors.duplicate_entity_key(", ".join(names), str(key.get("DisplayName") or key["SchemaName"]))
