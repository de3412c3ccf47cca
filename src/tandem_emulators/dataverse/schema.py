"""Tables as their metadata says they are. There is no code for any one table: a table added later is a data file.

A column has two names: the one it is stored and described under, and the one it has as a property of a row
(`_ownerid_value` for the lookup `ownerid`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import resources
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import msgspec

LOOKUP_TYPES = frozenset({"Lookup", "Customer", "Owner"})
OPTION_TYPES = frozenset({"Picklist", "State", "Status"})
EDM_TYPES = {
    "String": "Edm.String",
    "Memo": "Edm.String",
    "Integer": "Edm.Int32",
    "Picklist": "Edm.Int32",
    "State": "Edm.Int32",
    "Status": "Edm.Int32",
    "BigInt": "Edm.Int64",
    "Decimal": "Edm.Decimal",
    "Money": "Edm.Decimal",
    "Double": "Edm.Double",
    "Boolean": "Edm.Boolean",
    "DateTime": "Edm.DateTimeOffset",
    "Uniqueidentifier": "Edm.Guid",
    "EntityName": "Edm.String",
    "Lookup": "Edm.Guid",
    "Customer": "Edm.Guid",
    "Owner": "Edm.Guid",
}

_TABLE_FILES = (
    "lead",
    "contact",
    "account",
    "team",
    "systemuser",
    "businessunit",
    "transactioncurrency",
    "organization",
)
_EXTRA_COLUMNS = {"account": "account.sales-columns", "contact": "contact.sales-columns"}
PRIVILEGE_TYPES = ("Create", "Read", "Write", "Delete", "Assign", "Share", "Append", "AppendTo")


@dataclass(frozen=True)
class Column:
    """`metadata` is the attribute as the data file has it; the rest is what reading and writing need of it."""

    metadata: Mapping[str, Any]

    @cached_property
    def name(self) -> str:
        return str(self.metadata["LogicalName"])

    @cached_property
    def type(self) -> str:
        return str(self.metadata["AttributeType"])

    @cached_property
    def is_lookup(self) -> bool:
        return self.type in LOOKUP_TYPES

    @cached_property
    def property_name(self) -> str:
        return f"_{self.name}_value" if self.is_lookup else self.name

    @cached_property
    def is_stored(self) -> bool:
        return self.type in EDM_TYPES and (self.is_property or self.type == "EntityName")

    @cached_property
    def is_property(self) -> bool:
        return (
            self.type in EDM_TYPES
            and bool(self.metadata.get("IsValidODataAttribute", True))
            and bool(self.metadata.get("IsValidForRead", True))
        )

    @cached_property
    def is_date_only(self) -> bool:
        return bool(self.metadata.get("DateTimeBehavior") == "DateOnly")

    @cached_property
    def edm_type(self) -> str:
        return "Edm.Date" if self.is_date_only else EDM_TYPES[self.type]

    @cached_property
    def targets(self) -> tuple[str, ...]:
        return tuple(self.metadata.get("Targets", ()))

    @cached_property
    def type_column(self) -> str | None:
        """Where a lookup with several targets keeps which of them it points to."""
        return f"{self.name}type" if len(self.targets) > 1 else None

    @cached_property
    def options(self) -> Mapping[int, str]:
        option_set = self.metadata.get("OptionSet") or {}
        return {int(option["Value"]): str(option.get("Label") or "") for option in option_set.get("Options", ())}

    @cached_property
    def default(self) -> int | None:
        """The value of a choice or yes/no column that nobody set."""
        if self.type == "Boolean":
            return int(bool(self.metadata.get("DefaultValue", False)))
        value = self.metadata.get("DefaultFormValue", -1)
        return int(value) if self.type == "Picklist" and value in self.options else None

    def is_writable(self, *, creating: bool) -> bool:
        return bool(self.metadata.get("IsValidForCreate" if creating else "IsValidForUpdate", True))


@dataclass(frozen=True, slots=True)
class Relationship:
    """A row of `child` points to a row of `parent` by `column`; what happens on deletion and so on, to the parent.

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


@dataclass(frozen=True, slots=True)
class Association:
    """Many to many, seen from one of the two tables: rows of `intersect` hold the ids of both in these columns."""

    navigation: str
    intersect: str
    column: str
    other: str
    other_column: str


@dataclass
class Table:
    metadata: Mapping[str, Any]
    shadows: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @cached_property
    def name(self) -> str:
        return str(self.metadata["LogicalName"])

    @cached_property
    def set_name(self) -> str:
        return str(self.metadata["EntitySetName"])

    @cached_property
    def key(self) -> str:
        return str(self.metadata["PrimaryIdAttribute"])

    @cached_property
    def name_column(self) -> str:
        return str(self.metadata["PrimaryNameAttribute"])

    @cached_property
    def edm_name(self) -> str:
        return f"Microsoft.Dynamics.CRM.{self.name}"

    @cached_property
    def columns(self) -> dict[str, Column]:
        return {c["LogicalName"]: Column(c) for c in self.metadata["Attributes"]}

    @cached_property
    def stored(self) -> dict[str, Column]:
        return {name: column for name, column in self.columns.items() if column.is_stored}

    @cached_property
    def properties(self) -> dict[str, Column]:
        return {c.property_name: c for c in self.columns.values() if c.is_property}

    @cached_property
    def navigation(self) -> dict[str, tuple[Column, tuple[str, ...]]]:
        """Navigation property name -> the lookup it sets, and the tables it may point to."""
        found: dict[str, tuple[Column, tuple[str, ...]]] = {}
        for relation in self.metadata.get("ManyToOneRelationships", ()):
            column = self.columns.get(relation["ReferencingAttribute"])
            if column is not None and column.is_lookup:
                several = column.type == "Owner"
                targets = column.targets if several else (relation["ReferencedEntity"],)
                found[relation["ReferencingEntityNavigationPropertyName"]] = (column, targets)
        described = {column.name for column, _ in found.values()} | self.mirrors
        for column in self.columns.values():
            if column.is_lookup and column.name not in described:
                if len(column.targets) == 1 or column.type == "Owner":
                    found[column.name] = (column, column.targets)
                else:
                    found.update({f"{column.name}_{target}": (column, (target,)) for target in column.targets})
        return found

    @cached_property
    def mirrors(self) -> set[str]:
        """Read-only lookups that repeat another one for one of its targets."""
        return {name for by_target in self.shadows.values() for name in by_target.values()}

    @cached_property
    def default_status(self) -> dict[int, int]:
        """State -> the status it takes when none is given. Empty for a table without states."""
        state = self.columns.get("statecode")
        options = (state.metadata.get("OptionSet") or {}).get("Options", ()) if state else ()
        return {int(o["Value"]): int(o["DefaultStatus"]) for o in options if o.get("DefaultStatus") is not None}

    @cached_property
    def state_of_status(self) -> dict[int, int]:
        status = self.columns.get("statuscode")
        options = (status.metadata.get("OptionSet") or {}).get("Options", ()) if status else ()
        return {int(o["Value"]): int(o["State"]) for o in options if "State" in o}

    @cached_property
    def defaults(self) -> dict[str, Any]:
        found: dict[str, Any] = {n: c.default for n, c in self.stored.items() if c.default is not None}
        if self.default_status:
            found |= {"statecode": 0, "statuscode": self.default_status[0]}
        return found

    @cached_property
    def is_tracked(self) -> bool:
        return bool(self.metadata.get("ChangeTrackingEnabled", False))

    @cached_property
    def is_user_owned(self) -> bool:
        return "ownerid" in self.stored

    @cached_property
    def privileges(self) -> dict[str, tuple[str, str]]:
        """Privilege type -> its name and id."""
        described = {p["PrivilegeType"]: (p["Name"], p["PrivilegeId"]) for p in self.metadata.get("Privileges", ())}
        stem = self.metadata.get("PrivilegeName", self.metadata["SchemaName"])
        made = {kind: f"prv{kind}{stem}" for kind in PRIVILEGE_TYPES}
        return described or {kind: (name, str(uuid5(NAMESPACE_URL, name))) for kind, name in made.items()}


class Schema:
    def __init__(self, tables: list[Table]) -> None:
        self.tables = {table.name: table for table in tables}
        self.by_set = {table.set_name: table for table in tables}

    @cached_property
    def relationships(self) -> tuple[Relationship, ...]:
        """Between tables that are served here; a lookup whose relationship is not described loses its link."""
        described = self._described_relationships()
        found = []
        for table in self.tables.values():
            for navigation, (column, targets) in table.navigation.items():
                for target in targets:
                    if target in self.tables:
                        relation = described.get((target, table.name, column.name), {})
                        found.append(_relationship(target, table.name, column.name, navigation, relation))
        return tuple(found)

    def _described_relationships(self) -> dict[tuple[str, str, str], Mapping[str, Any]]:
        return {
            (r["ReferencedEntity"], r["ReferencingEntity"], r["ReferencingAttribute"]): r
            for table in self.tables.values()
            for kind in ("ManyToOneRelationships", "OneToManyRelationships")
            for r in table.metadata.get(kind, ())
            if r.get("Cascade")
        }

    def children_of(self, table: Table) -> list[Relationship]:
        return [relation for relation in self.relationships if relation.parent == table.name]

    @cached_property
    def associations(self) -> dict[str, dict[str, Association]]:
        """Table -> navigation property -> the association, from both ends, where the intersect table is served."""
        found: dict[str, dict[str, Association]] = {}
        for table in self.tables.values():
            for described in table.metadata.get("ManyToManyRelationships", ()):
                if described["IntersectEntityName"] in self.tables:
                    for own, other in ((1, 2), (2, 1)):
                        association = _association(described, own, other)
                        name = described[f"Entity{own}LogicalName"]
                        found.setdefault(name, {})[association.navigation] = association
        return found


def _relationship(parent: str, child: str, column: str, navigation: str, described: Mapping[str, Any]) -> Relationship:
    cascade = described.get("Cascade") or {}
    return Relationship(
        parent,
        child,
        column,
        navigation,
        collection=described.get("ReferencedEntityNavigationPropertyName") or f"{parent}_{child}_{column}",
        on_delete=cascade.get("Delete", "RemoveLink"),
        on_merge=cascade.get("Merge", "NoCascade"),
        on_assign=cascade.get("Assign", "NoCascade"),
    )


def _association(described: Mapping[str, Any], own: int, other: int) -> Association:
    return Association(
        navigation=described[f"Entity{own}NavigationPropertyName"],
        intersect=described["IntersectEntityName"],
        column=described[f"Entity{own}IntersectAttribute"],
        other=described[f"Entity{other}LogicalName"],
        other_column=described[f"Entity{other}IntersectAttribute"],
    )


@cache
def load_schema() -> Schema:
    """The tables of the data files. Nothing changes them, so every organisation in a process shares them."""
    supplement = _read("supplement")
    tables = []
    for name in _TABLE_FILES:
        extra = dict(supplement[name])
        shadows, defaults = extra.pop("shadows", {}), extra.pop("defaults", {})
        metadata = {**_read(name), **extra}
        known = {attribute["LogicalName"] for attribute in metadata["Attributes"]}
        added = _read(_EXTRA_COLUMNS[name])["Attributes"] if name in _EXTRA_COLUMNS else []
        attributes = metadata["Attributes"] + [a for a in added if a["LogicalName"] not in known]
        metadata["Attributes"] = [_with_default(attribute, defaults) for attribute in attributes]
        tables.append(Table(metadata, shadows))
    return Schema(tables)


def _with_default(attribute: dict[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    name = attribute["LogicalName"]
    return {**attribute, "DefaultValue": defaults[name]} if name in defaults else attribute


def _read(name: str) -> Any:
    file = resources.files("tandem_emulators.dataverse").joinpath("data", f"{name}.json")
    return msgspec.json.decode(file.read_bytes())
