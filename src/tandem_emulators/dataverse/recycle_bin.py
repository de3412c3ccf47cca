"""The recycle bin: a deleted row comes back under its old id, for as many days as the switch says.

Off unless `recycle_bin_days` is set. Each row is restored by itself; what pointed to it and lost its link does not
find it again, and a link of its own to a row that is gone is empty (sheet section 5.3).
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.events import RowEvent
from tandem_emulators.dataverse.message import NAMESPACE, MessageCall, Outcome, named_row
from tandem_emulators.dataverse.schema import Table
from tandem_emulators.dataverse.security import Caller
from tandem_emulators.dataverse.store import Row
from tandem_emulators.dataverse.writing import Writer

_A_DAY_S = 86_400.0


class RecycleBin:
    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._run = writer.store.connection.execute

    def _ensure_table(self) -> None:
        """Before each use: another organisation may have been restored over this one."""
        self._run(
            "CREATE TABLE IF NOT EXISTS recycled (entity TEXT NOT NULL, id TEXT NOT NULL, row BLOB NOT NULL, "
            "deleted_s REAL NOT NULL, PRIMARY KEY (entity, id))"
        )

    def notice(self, event: RowEvent) -> None:
        if event.message == "Delete" and self._writer.settings.recycle_bin_days > 0:
            self._ensure_table()
            kept = msgspec.json.encode(dict(event.before))
            values = (event.table.name, event.record_id, kept, self._writer.clock.timestamp())
            self._run("INSERT OR REPLACE INTO recycled VALUES (?, ?, ?, ?)", values)

    def run(self, call: MessageCall) -> Outcome:
        kinds = frozenset({call.table.name}) if call.table is not None else None
        table, record_id = named_row(self._writer.schema, call.body, "Target", kinds)
        self._writer.security.require(call.caller, table, "Create")
        self.restore(call.caller, table, record_id)
        context = f"{call.root}$metadata#{NAMESPACE}RestoreResponse"
        reference = {"@odata.type": f"#{table.edm_name}", table.key: record_id}
        return Outcome({"@odata.context": context, "RestoredRecordRef": reference})

    def restore(self, caller: Caller, table: Table, record_id: str) -> None:
        if self._writer.store.exists(table, record_id):
            raise errors.duplicate_key()
        self._ensure_table()
        days = self._writer.settings.recycle_bin_days
        since_s = self._writer.clock.timestamp() - days * _A_DAY_S
        sql = "SELECT row FROM recycled WHERE entity = ? AND id = ? AND deleted_s >= ?"
        found = self._run(sql, (table.name, record_id, since_s)).fetchone() if days > 0 else None
        if found is None:
            raise errors.does_not_exist(table.name, record_id)
        row = self._without_lost_links(table, msgspec.json.decode(found[0], type=dict[str, Any]))
        self._writer.store.insert(table, row)
        self._run("DELETE FROM recycled WHERE entity = ? AND id = ?", (table.name, record_id))
        self._writer.events.publish("Create", table, record_id, caller, changes=row)

    def _without_lost_links(self, table: Table, kept: Mapping[str, Any]) -> Row:
        row = {name: value for name, value in kept.items() if name in table.stored}
        for relation in self._writer.schema.relationships:
            target_id = row.get(relation.column) if relation.child == table.name else None
            kind = table.columns[relation.column].type_column if target_id is not None else None
            if target_id is None or (kind is not None and row.get(kind) != relation.parent):
                continue
            if not self._writer.store.exists(self._writer.schema.tables[relation.parent], target_id):
                self._writer.payload().point(table, table.columns[relation.column], None, None, row)
        return row
