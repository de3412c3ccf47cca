"""Navigation properties: from a row to the row its lookup points to, or to the rows that point to it."""

from dataclasses import dataclass

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.schema import Column, Schema, Table


@dataclass(frozen=True, slots=True)
class ToOne:
    """By a lookup of this row; an owner may be of several tables."""

    name: str
    column: Column
    targets: tuple[Table, ...]

    @property
    def target(self) -> Table:
        return self.targets[0]


@dataclass(frozen=True, slots=True)
class ToMany:
    """By a lookup of the other rows."""

    name: str
    target: Table
    column: Column


@dataclass(frozen=True, slots=True)
class Through:
    """By a table of pairs; `near` names this row in it, `far` the other."""

    name: str
    target: Table
    pairs: Table
    near: str
    far: str


Navigation = ToOne | ToMany | Through


def find_navigation(schema: Schema, table: Table, name: str) -> Navigation | None:
    found = table.navigation.get(name)
    if found is not None:
        targets = tuple(schema.tables[target] for target in found[1] if target in schema.tables)
        return ToOne(name, found[0], targets) if targets else None
    pairs = schema.associations.get(table.name, {}).get(name)
    if pairs is not None and {pairs.other, pairs.intersect} <= schema.tables.keys():
        return Through(
            name, schema.tables[pairs.other], schema.tables[pairs.intersect], pairs.column, pairs.other_column
        )
    for relation in schema.children_of(table):
        if relation.collection == name:
            child = schema.tables[relation.child]
            return ToMany(name, child, child.columns[relation.column])
    return None


def get_navigation(schema: Schema, table: Table, name: str) -> Navigation:
    found = find_navigation(schema, table, name)
    if found is None:
        raise errors.no_property(name, table.edm_name)
    return found
