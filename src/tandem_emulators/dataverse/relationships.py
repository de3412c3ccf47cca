"""How tables hang together: one-to-many by a lookup, many-to-many by a table of pairs.

A relationship is kept in the metadata of the table that stores it: the lookup's own table, or the table of pairs.
What the other side shows of it is worked out here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tandem_emulators.dataverse.schema import Table


@dataclass(frozen=True, slots=True)
class Relationship:
    """A row of `child` points to a row of `parent` by `column`; the cascades are what happens to the child.

    `navigation` is the child's property, `collection` the parent's.
    """

    parent: str
    child: str
    column: str
    navigation: str
    collection: str
    on_delete: str
    on_merge: str
    on_assign: str
    name: str


@dataclass(frozen=True, slots=True)
class Association:
    """Many to many, seen from one of the two tables: rows of `intersect` hold the ids of both in these columns."""

    navigation: str
    intersect: str
    column: str
    other: str
    other_column: str
    name: str


def one_to_many(tables: Mapping[str, "Table"]) -> Iterator[Relationship]:
    """Between tables that are served; a lookup to an owner counts once for each kind of owner."""
    for table in tables.values():
        for described in table.metadata.get("ManyToOneRelationships", ()):
            column = table.columns.get(described["ReferencingAttribute"])
            if column is None:
                continue
            is_owner = described["ReferencedEntity"] == "owner"
            for parent in column.targets if is_owner else (described["ReferencedEntity"],):
                if parent in tables:
                    yield _relationship(parent, described)


def _relationship(parent: str, described: Mapping[str, Any]) -> Relationship:
    cascade = described.get("Cascade") or {}
    return Relationship(
        parent=parent,
        child=described["ReferencingEntity"],
        column=described["ReferencingAttribute"],
        navigation=described["ReferencingEntityNavigationPropertyName"],
        collection=described["ReferencedEntityNavigationPropertyName"],
        on_delete=cascade.get("Delete", "RemoveLink"),
        on_merge=cascade.get("Merge", "NoCascade"),
        on_assign=cascade.get("Assign", "NoCascade"),
        name=described["SchemaName"],
    )


def associations(tables: Mapping[str, "Table"]) -> Iterator[tuple[str, Association]]:
    """Each association from both of its ends, with the table at that end."""
    for table in tables.values():
        for described in table.metadata.get("ManyToManyRelationships", ()):
            for own, other in ((1, 2), (2, 1)):
                yield described[f"Entity{own}LogicalName"], _association(described, own, other)


def _association(described: Mapping[str, Any], own: int, other: int) -> Association:
    return Association(
        navigation=described[f"Entity{own}NavigationPropertyName"],
        intersect=described["IntersectEntityName"],
        column=described[f"Entity{own}IntersectAttribute"],
        other=described[f"Entity{other}LogicalName"],
        other_column=described[f"Entity{other}IntersectAttribute"],
        name=described["SchemaName"],
    )
