"""Merge: the subordinate's children move to the target, and it is deactivated, pointing to its master.

It runs as the system, so the children show that as who changed them. There is no way back (sheet section 5.8).
"""

from typing import Any

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.errors import ODataError
from tandem_emulators.dataverse.message import MessageCall, Outcome, named_row
from tandem_emulators.dataverse.schema import Table
from tandem_emulators.dataverse.store import Row
from tandem_emulators.dataverse.writing import Writer

MERGEABLE = frozenset({"account", "contact", "lead"})
_INACTIVE = 1
# What a row's place under another one is called, table by table.
_PARENTS = {"account": "parentaccountid", "contact": "parentcustomerid"}


class Merge:
    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def run(self, call: MessageCall) -> Outcome:
        schema = self._writer.schema
        table, target_id = named_row(schema, call.body, "Target", MERGEABLE)
        other, subordinate_id = named_row(schema, call.body, "Subordinate", MERGEABLE)
        if other is not table:
            raise errors.invalid_argument("Target and Subordinate must be of the same type.")
        self._require_rights(call, table)
        if target_id == subordinate_id:
            raise errors.merge_same()
        target, subordinate = self._existing(table, target_id), self._existing(table, subordinate_id)
        if target.get("statecode") or subordinate.get("statecode"):
            raise errors.merge_inactive()
        content = self._update_content(call, table)
        self._require_parents(call, table, target, subordinate)
        self._writer.cascades.move_children(self._writer.system(), table, target_id, subordinate_id)
        self._writer.change(call.caller, table, self._existing(table, target_id), content)
        closed = {"statecode": _INACTIVE, "merged": 1, "masterid": target_id}
        self._writer.change(call.caller, table, self._existing(table, subordinate_id), closed)
        return Outcome()

    def _require_rights(self, call: MessageCall, table: Table) -> None:
        try:
            for kind in ("Read", "Write"):
                self._writer.security.require(call.caller, table, kind)
        except ODataError as error:
            raise errors.merge_refused() from error

    def _existing(self, table: Table, record_id: str) -> Row:
        row = self._writer.store.find(table, record_id)
        if row is None:
            raise errors.does_not_exist(table.name, record_id)
        return row

    def _update_content(self, call: MessageCall, table: Table) -> dict[str, Any]:
        given = call.body.get("UpdateContent")
        if given is None:
            return {}
        if not isinstance(given, dict):
            raise errors.invalid_argument("'UpdateContent' must be an object.")
        columns = {name: value for name, value in given.items() if name != table.key}
        content = self._writer.payload().read(table, columns, creating=False).columns
        self._writer.security.require_columns(call.caller, table, content)
        return content

    def _require_parents(self, call: MessageCall, table: Table, target: Row, subordinate: Row) -> None:
        """A target below its subordinate would end below itself; the rest is checked only when asked for."""
        column = _PARENTS.get(table.name)
        if column is None:
            return
        if self._is_below(table, column, target, str(subordinate[table.key])):
            raise errors.merge_cycle()
        if call.body.get("PerformParentingChecks") is not True:
            return
        if subordinate.get(column) is not None and target.get(column) is None:
            raise errors.merge_loses_parent()
        if subordinate.get(column) != target.get(column):
            raise errors.merge_different_parents()

    def _is_below(self, table: Table, column: str, row: Row, ancestor_id: str) -> bool:
        seen: set[str] = set()
        parent_id = row.get(column)
        while parent_id is not None and parent_id not in seen:
            if parent_id == ancestor_id:
                return True
            seen.add(parent_id)
            parent = self._writer.store.find(table, parent_id)
            parent_id = parent.get(column) if parent else None
        return False
