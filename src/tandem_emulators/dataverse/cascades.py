"""What a deletion, an assignment or a merge of a row does to the rows that point to it.

The relationship says it: Cascade does the same to them, RemoveLink clears their lookup, Restrict refuses. Reparenting
only shares access further down, which nobody can see here (sheet sections 5.3, 5.8, 5.10).
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.relationships import Relationship
from tandem_emulators.dataverse.schema import Table
from tandem_emulators.dataverse.security import Caller
from tandem_emulators.dataverse.store import Row

if TYPE_CHECKING:
    from tandem_emulators.dataverse.writing import Writer

_OPEN = 0


class Cascades:
    def __init__(self, writer: "Writer") -> None:
        self._writer = writer
        self._going: set[str] = set()

    def release_children(self, caller: Caller, table: Table, record_id: str) -> None:
        """Before a row goes: its children go too, lose their link, or forbid it. Rows may hang on each other."""
        if record_id in self._going:
            return
        self._going.add(record_id)
        try:
            self._release_children(caller, table, record_id)
            self._remove_pairs(caller, table, record_id)
        finally:
            self._going.discard(record_id)

    def _release_children(self, caller: Caller, table: Table, record_id: str) -> None:
        for relation in self._writer.schema.children_of(table):
            for child, child_id in self._children(table, record_id, relation):
                match relation.on_delete:
                    case "Cascade":
                        self._writer.remove(caller, child, child_id)
                    case "Restrict":
                        raise errors.restricted_delete()
                    case "RemoveLink":
                        self._point(caller, child, child_id, relation, None, None)

    def _remove_pairs(self, caller: Caller, table: Table, record_id: str) -> None:
        for pairs in self._writer.schema.associations.get(table.name, {}).values():
            self._remove_pairs_of(caller, self._writer.schema.tables[pairs.intersect], pairs.column, record_id)

    def _remove_pairs_of(self, caller: Caller, intersect: Table, column: str, record_id: str) -> None:
        sql = f'SELECT "{intersect.key}" FROM "{intersect.name}" WHERE "{column}" = ?'
        for (pair_id,) in self._writer.store.connection.execute(sql, (record_id,)).fetchall():
            self._writer.remove(caller, intersect, pair_id)

    def assign_children(
        self, caller: Caller, table: Table, record_id: str, former: Row, owner: Mapping[str, Any]
    ) -> None:
        """After a row has a new owner: its children follow, all of them or those that the relationship names."""
        for relation in self._writer.schema.children_of(table):
            if relation.on_assign not in ("Cascade", "Active", "UserOwned"):
                continue
            for child, child_id in self._children(table, record_id, relation):
                row = self._writer.store.find(child, child_id)
                if row is not None and child.is_user_owned and _follows(relation.on_assign, row, former, owner):
                    self._writer.write(caller, child, row, dict(owner))

    def move_children(self, caller: Caller, table: Table, winner_id: str, loser_id: str) -> None:
        """The loser's children point to the winner where the relationship has Merge = Cascade.

        The rows of its own address columns are part of the loser, and stay.
        """
        staying = set(self._writer.store.values_of(table, loser_id, table.key, *table.address_id_columns).values())
        for relation in self._writer.schema.children_of(table):
            if relation.on_merge != "Cascade":
                continue
            for child, child_id in self._children(table, loser_id, relation):
                if (child is table and child_id == winner_id) or child_id in staying:
                    continue
                if self._is_paired_already(child, child_id, relation, winner_id):
                    self._writer.remove(caller, child, child_id)
                else:
                    self._point(caller, child, child_id, relation, table.name, winner_id)

    def _is_paired_already(self, child: Table, child_id: str, relation: Relationship, winner_id: str) -> bool:
        """Whether the winner stands in the same pair, say in the same marketing list, and needs no second one."""
        for pairs in self._writer.schema.associations.get(relation.parent, {}).values():
            if pairs.intersect == child.name and pairs.column == relation.column:
                sql = (
                    f'SELECT 1 FROM "{child.name}" AS a JOIN "{child.name}" AS b USING ("{pairs.other_column}") '
                    f'WHERE a."{child.key}" = ? AND b."{pairs.column}" = ?'
                )
                found = self._writer.store.connection.execute(sql, (child_id, winner_id)).fetchone()
                return found is not None
        return False

    def _children(self, table: Table, record_id: str, relation: Relationship) -> Iterator[tuple[Table, str]]:
        child = self._writer.schema.tables[relation.child]
        for child_id in self._writer.store.children(child, relation.column, record_id, table.name):
            if child is not table or child_id != record_id:
                yield child, child_id

    def _point(
        self,
        caller: Caller,
        child: Table,
        child_id: str,
        relation: Relationship,
        target: str | None,
        target_id: str | None,
    ) -> None:
        row = self._writer.store.find(child, child_id)
        if row is None:
            return
        changes: dict[str, Any] = {}
        self._writer.payload().point(child, child.columns[relation.column], target, target_id, changes)
        self._writer.write(caller, child, row, changes)


def _follows(rule: str, row: Row, former: Row, owner: Mapping[str, Any]) -> bool:
    if row.get("ownerid") == owner["ownerid"]:
        return False
    match rule:
        case "Active":
            return row.get("statecode") in (None, _OPEN)
        case "UserOwned":
            return row.get("ownerid") == former.get("ownerid")
    return True
