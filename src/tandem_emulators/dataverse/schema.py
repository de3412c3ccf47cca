"""Tables as their metadata says they are. There is no code for any one table: a table added later is metadata.

A column has two names: the one it is stored and described under, and the one it has as a property of a row
(`_ownerid_value` for the lookup `ownerid`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from tandem_emulators.dataverse.relationships import Association, Relationship, associations, one_to_many

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
    "MultiSelectPicklist": "Edm.String",
    "File": "Edm.Guid",
}

# Of the columns called required, the service fills all others by itself.
_TYPES_TO_BRING = frozenset({"String", "Memo", "Picklist", "Lookup", "Customer"})
_FILLED_BY_SERVICE = frozenset({"componentstate", "solutionid", "uniquename"})
PRIVILEGE_TYPES = ("Create", "Read", "Write", "Delete", "Assign", "Share", "Append", "AppendTo")


BASE_LANGUAGE = 1033
"""The organisation's own; labels of other languages stand beside it where language packs are installed."""


def base_text(label: Any) -> str:
    """A label's text: a plain one, or that of the base language."""
    if isinstance(label, Mapping):
        return str(label.get(str(BASE_LANGUAGE)) or next(iter(label.values()), ""))
    return str(label or "")


@dataclass(frozen=True)
class Column:
    """`metadata` is the attribute as the data file has it; the rest is what reading and writing need of it."""

    metadata: Mapping[str, Any]

    @cached_property
    def name(self) -> str:
        return str(self.metadata["LogicalName"])

    @cached_property
    def type(self) -> str:
        """What the column holds; some kinds are "virtual" to AttributeType and go by AttributeTypeName."""
        named = str(self.metadata.get("AttributeTypeName", "")).removesuffix("Type")
        return named if named in ("MultiSelectPicklist", "File") else str(self.metadata["AttributeType"])

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
        name = self.metadata.get("TypeColumn")
        return str(name) if name else None

    @cached_property
    def options(self) -> Mapping[int, str]:
        option_set = self.metadata.get("OptionSet") or {}
        return {int(option["Value"]): base_text(option.get("Label")) for option in option_set.get("Options", ())}

    @cached_property
    def default(self) -> int | None:
        """The value of a choice or yes/no column that nobody set."""
        if self.type == "Boolean":
            return int(bool(self.metadata.get("DefaultValue", False)))
        value = self.metadata.get("DefaultFormValue", -1)
        return int(value) if self.type == "Picklist" and value in self.options else None

    def is_writable(self, *, creating: bool) -> bool:
        return bool(self.metadata.get("IsValidForCreate" if creating else "IsValidForUpdate", True))


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
        """A table of pairs has no name; its key stands in."""
        return str(self.metadata["PrimaryNameAttribute"] or self.key)

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
    def is_intersect(self) -> bool:
        """Whether its rows are pairs, written by associating and not by POST."""
        return bool(self.metadata.get("IsIntersect", False))

    @cached_property
    def address_id_columns(self) -> tuple[str, ...]:
        """Where a row keeps the ids of its address rows."""
        names = (f"address{number}_addressid" for number in (1, 2, 3))
        return tuple(name for name in names if name in self.stored)

    @cached_property
    def required(self) -> Mapping[str, tuple[str, ...]]:
        """Required level -> columns that a new row must bring, since nothing else fills them."""
        found: dict[str, list[str]] = {}
        for name, column in self.stored.items():
            is_filled = name in self.defaults or name in _FILLED_BY_SERVICE
            if column.type in _TYPES_TO_BRING and column.is_writable(creating=True) and not is_filled:
                found.setdefault(str(column.metadata.get("RequiredLevel")), []).append(name)
        return {level: tuple(names) for level, names in found.items()}

    @cached_property
    def is_tracked(self) -> bool:
        return bool(self.metadata.get("ChangeTrackingEnabled", False))

    @cached_property
    def is_user_owned(self) -> bool:
        return "ownerid" in self.stored and not self.is_principal

    @cached_property
    def is_principal(self) -> bool:
        """Whether its rows own others: users and teams, whose `ownerid` is their own id."""
        return "ownerid" in self.columns and self.columns["ownerid"].type == "Uniqueidentifier"

    @cached_property
    def privileges(self) -> dict[str, tuple[str, str]]:
        """Privilege type -> its name and id."""
        described = {p["PrivilegeType"]: (p["Name"], p["PrivilegeId"]) for p in self.metadata.get("Privileges", ())}
        stem = self.metadata.get("PrivilegeName", self.metadata["SchemaName"])
        made = {kind: f"prv{kind}{stem}" for kind in PRIVILEGE_TYPES}
        return described or {kind: (name, str(uuid5(NAMESPACE_URL, name))) for kind, name in made.items()}


def global_option_sets(tables: Iterable[Table]) -> dict[str, Mapping[str, Any]]:
    """The choices that several columns may share, by name."""
    found = [column.metadata.get("OptionSet") or {} for table in tables for column in table.columns.values()]
    return {option_set["Name"]: option_set for option_set in found if option_set.get("IsGlobal")}


class Schema:
    """The tables that are served now. `version` counts the changes; a change swaps a table, it never edits one."""

    def __init__(self, tables: list[Table]) -> None:
        self._standard = tuple(tables)
        self.tables = {table.name: table for table in tables}
        self.option_sets = global_option_sets(tables)
        self.by_set = {table.set_name: table for table in tables}
        self.version = 1

    def start_over(self) -> None:
        """Back to the tables it was made of; the version still goes on."""
        self.go_back_to(Schema(list(self._standard)))

    def copy(self) -> "Schema":
        """The schema as it is now, which later changes do not touch."""
        made = Schema([])
        made.go_back_to(self)
        made.version = self.version
        return made

    def go_back_to(self, former: "Schema") -> None:
        """To what a copy has kept; the version goes on, so that nobody takes it for what it was in between."""
        self.tables = dict(former.tables)
        self.by_set = dict(former.by_set)
        self.option_sets = dict(former.option_sets)
        self._changed()

    def put(self, table: Table) -> None:
        """Add a table, or let it take the place of the one with its name."""
        former = self.tables.get(table.name)
        if former is not None:
            del self.by_set[former.set_name]
        self.tables[table.name] = table
        self.by_set[table.set_name] = table
        self._changed()

    def remove(self, table: Table) -> None:
        del self.tables[table.name]
        del self.by_set[table.set_name]
        self._changed()

    def _changed(self) -> None:
        self.version += 1
        for name in ("relationships", "associations", "_by_parent"):
            self.__dict__.pop(name, None)

    @cached_property
    def relationships(self) -> tuple[Relationship, ...]:
        """Between tables that are served here."""
        return tuple(one_to_many(self.tables))

    def children_of(self, table: Table) -> list[Relationship]:
        return self._by_parent.get(table.name, [])

    @cached_property
    def _by_parent(self) -> dict[str, list[Relationship]]:
        found: dict[str, list[Relationship]] = {}
        for relation in self.relationships:
            found.setdefault(relation.parent, []).append(relation)
        return found

    @cached_property
    def associations(self) -> dict[str, dict[str, Association]]:
        """Table -> navigation property -> the association, from both ends."""
        found: dict[str, dict[str, Association]] = {}
        for name, association in associations(self.tables):
            found.setdefault(name, {})[association.navigation] = association
        return found
