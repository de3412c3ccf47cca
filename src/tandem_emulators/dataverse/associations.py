"""Putting a row into a collection of another and taking it out: by its lookup, or by a row in the table of pairs."""

from typing import TYPE_CHECKING, Any

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.navigation import Navigation, Through, ToMany
from tandem_emulators.dataverse.schema import Table
from tandem_emulators.dataverse.security import Caller
from tandem_emulators.dataverse.store import Row

if TYPE_CHECKING:
    from tandem_emulators.dataverse.writing import Writer


class Associations:
    def __init__(self, writer: "Writer") -> None:
        self._writer = writer

    def link(self, caller: Caller, table: Table, record_id: str, navigation: Navigation, other_id: str) -> None:
        """`other_id` is a row of the navigation's target. A pair that exists is refused."""
        match navigation:
            case ToMany():
                self._require(caller, navigation.target, table)
                self._point(caller, table, record_id, navigation, other_id, is_linking=True)
            case Through():
                self._require(caller, table, navigation.target)
                if self.pair(navigation, record_id, other_id) is not None:
                    raise errors.duplicate_key()
                self.add_pair(caller, table, record_id, navigation, other_id)

    def unlink(self, caller: Caller, table: Table, record_id: str, navigation: Navigation, other_id: str) -> None:
        """Taking out what is not in a collection of pairs does nothing, as in the service's own SDK."""
        match navigation:
            case ToMany():
                self._require(caller, navigation.target, table)
                self._point(caller, table, record_id, navigation, other_id, is_linking=False)
            case Through():
                self._require(caller, table, navigation.target)
                pair_id = self.pair(navigation, record_id, other_id)
                if pair_id is not None:
                    self._writer.remove(caller, navigation.pairs, pair_id)

    def _require(self, caller: Caller, table: Table, target: Table) -> None:
        self._writer.security.require(caller, table, "Append")
        self._writer.security.require(caller, target, "AppendTo")

    def pair(self, navigation: Through, record_id: str, other_id: str) -> str | None:
        pairs = navigation.pairs
        sql = f'SELECT "{pairs.key}" FROM "{pairs.name}" WHERE "{navigation.near}" = ? AND "{navigation.far}" = ?'
        found = self._writer.store.connection.execute(sql, (record_id, other_id)).fetchone()
        return str(found[0]) if found else None

    def add_pair(self, caller: Caller, table: Table, record_id: str, navigation: Through, other_id: str) -> str:
        columns: Row = {}
        ends = ((navigation.near, table.name, record_id), (navigation.far, navigation.target.name, other_id))
        for name, target, target_id in ends:
            self._writer.payload().point(navigation.pairs, navigation.pairs.columns[name], target, target_id, columns)
        pair_id = self._writer.new_id()
        self._writer.insert(caller, navigation.pairs, pair_id, columns)
        return pair_id

    def _point(
        self, caller: Caller, table: Table, record_id: str, navigation: ToMany, other_id: str, *, is_linking: bool
    ) -> None:
        """A row in a collection points to the row whose collection it is."""
        child, column = navigation.target, navigation.column
        row = self._writer.store.find(child, other_id)
        if row is None or (not is_linking and row.get(column.name) != record_id):
            raise errors.does_not_exist(child.name, other_id)
        changes: dict[str, Any] = {}
        target, target_id = (table.name, record_id) if is_linking else (None, None)
        self._writer.payload().point(child, column, target, target_id, changes)
        self._writer.security.require(caller, child, "Write")
        self._writer.change(caller, child, row, changes)
