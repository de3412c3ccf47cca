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

    def release_children(self, caller: Caller, table: Table, record_id: str) -> None:
        """Before a row goes: its children go too, lose their link, or forbid it."""
        for relation in self._writer.schema.children_of(table):
            for child, child_id in self._children(table, record_id, relation):
                match relation.on_delete:
                    case "Cascade":
                        self._writer.remove(caller, child, child_id)
                    case "Restrict":
                        raise errors.restricted_delete()
                    case "RemoveLink":
                        self._point(caller, child, child_id, relation, None, None)

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
        """The loser's children point to the winner where the relationship has Merge = Cascade."""
        for relation in self._writer.schema.children_of(table):
            if relation.on_merge != "Cascade":
                continue
            for child, child_id in self._children(table, loser_id, relation):
                if child is not table or child_id != winner_id:
                    self._point(caller, child, child_id, relation, table.name, winner_id)

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
