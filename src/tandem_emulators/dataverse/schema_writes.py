"""Creating, changing and deleting tables and columns.

Only what a customer made can be deleted; standard tables take new columns and changed labels and limits. A change
is published with the request that makes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tandem_emulators.dataverse import errors, schema_errors
from tandem_emulators.dataverse.definitions import (
    check_limits,
    check_name,
    column_changes,
    merge_labels,
    parse_column,
    set_name_of,
    table_changes,
)
from tandem_emulators.dataverse.metadata_render import COLUMN_LABELS, TABLE_LABELS
from tandem_emulators.dataverse.schema import Column, Table
from tandem_emulators.dataverse.schema_changes import SchemaChanges
from tandem_emulators.dataverse.schema_files import complete
from tandem_emulators.dataverse.security import Security
from tandem_emulators.dataverse.table_parts import Attribute, companions, currency_columns, make_table, stable_id

_OWNERSHIPS = {"UserOwned": "UserOwned", "OrganizationOwned": "OrganizationOwned"}
_FIXED_AFTER_CREATION = frozenset({"IsPrimaryName", "Targets", "DateTimeBehavior"})


@dataclass
class SchemaWriter:
    changes: SchemaChanges
    security: Security

    # Tables.

    def create_table(self, body: Mapping[str, Any]) -> Table:
        schema_name = check_name(body.get("SchemaName"), "Entity")
        if schema_name.lower() in self.changes.schema.tables:
            raise schema_errors.table_exists()
        columns = self._columns_of_new(schema_name.lower(), body.get("Attributes"))
        primary = self._primary_name(schema_name, columns)
        if any(column["AttributeType"] == "Money" for column in columns):
            columns += currency_columns()
        ownership = _OWNERSHIPS.get(str(body.get("OwnershipType", "UserOwned")))
        if ownership is None:
            raise schema_errors.bad_definition(f"OwnershipType '{body.get('OwnershipType')}' is not valid.")
        set_name = str(body.get("EntitySetName") or set_name_of(schema_name.lower()))
        if set_name in self.changes.schema.by_set:
            raise schema_errors.set_exists(set_name)
        metadata = make_table(
            schema_name,
            set_name=set_name,
            code=self.changes.next_code(),
            ownership=ownership,
            name_column=primary,
            columns=columns,
            **{"ChangeTrackingEnabled": False, **table_changes(body)},
            IsCustomEntity=True,
            IsManaged=False,
            MetadataId=stable_id("table", schema_name.lower(), str(self.changes.store.version)),
        )
        complete(metadata, {}, [])
        table = Table(metadata)
        self.changes.put(table)
        self.security.grant_all(table)
        return table

    def _columns_of_new(self, table: str, given: Any) -> list[Attribute]:
        found: dict[str, Attribute] = {}
        for body in given if isinstance(given, list) else ():
            if not isinstance(body, dict):
                raise schema_errors.bad_definition("Attributes must be objects.")
            column = parse_column(table, body, self.changes.schema.option_sets)
            if column["LogicalName"] in found or column["LogicalName"] == f"{table}id":
                raise schema_errors.column_exists()
            found[column["LogicalName"]] = column
        return list(found.values())

    def _primary_name(self, table: str, columns: list[Attribute]) -> str:
        named = [c for c in columns if c.get("IsPrimaryName") and c["AttributeType"] == "String"]
        if not named:
            raise schema_errors.no_primary_name(table)
        if len(named) > 1:
            raise schema_errors.second_primary_name(named[1]["LogicalName"], table, named[0]["LogicalName"])
        return str(named[0]["LogicalName"])

    def update_table(self, table: Table, body: Mapping[str, Any], *, merge: bool) -> None:
        """Replace the definition. Change tracking that is on stays on, as on the service."""
        changes = table_changes(body)
        if table.is_tracked:
            changes["ChangeTrackingEnabled"] = True
        self.changes.replace(table, **_merged(table.metadata, changes, TABLE_LABELS, merge=merge))

    def delete_table(self, table: Table) -> None:
        if not table.metadata.get("IsCustomEntity"):
            raise schema_errors.not_customizable()
        schema = self.changes.schema
        users = [r for r in schema.relationships if r.parent == table.name and r.child != table.name]
        pairs = [one for one in schema.associations.get(table.name, {}).values() if one.intersect != table.name]
        if users or pairs:
            raise schema_errors.component_in_use("Entity", table.metadata["MetadataId"], len(users) + len(pairs))
        self.changes.remove(table)
        self.security.forget(table)

    # Columns.

    def create_column(self, table: Table, body: Mapping[str, Any]) -> Attribute:
        if body.get("IsPrimaryName") is True:
            raise schema_errors.second_primary_name(str(body.get("SchemaName")), table.name, table.name_column)
        column = parse_column(table.name, body, self.changes.schema.option_sets)
        return self.add_columns(table, column)

    def add_columns(self, table: Table, column: Attribute, *relations: Mapping[str, Any]) -> Attribute:
        """Publish a new column with its text columns, and for a lookup the relationships that it makes."""
        if column["LogicalName"] in table.columns:
            raise schema_errors.column_exists()
        number = max((a.get("ColumnNumber", 0) for a in table.metadata["Attributes"]), default=0) + 1
        made = {**column, "ColumnNumber": number}
        made["MetadataId"] = stable_id(table.name, column["LogicalName"], str(self.changes.store.version))
        beside = [*companions(column), *(currency_columns() if column["AttributeType"] == "Money" else ())]
        new = [made, *(one for one in beside if one["LogicalName"] not in table.columns)]
        self.changes.replace(
            table,
            Attributes=[*table.metadata["Attributes"], *new],
            ManyToOneRelationships=[*table.metadata["ManyToOneRelationships"], *relations],
        )
        return made

    def update_column(self, table: Table, column: Column, body: Mapping[str, Any], *, merge: bool) -> None:
        """Replace the definition; what cannot be changed after creation stays as it is."""
        found = {name: value for name, value in column_changes(body).items() if name not in _FIXED_AFTER_CREATION}
        merged = {**column.metadata, **_merged(column.metadata, found, COLUMN_LABELS, merge=merge)}
        check_limits(merged)
        attributes = [merged if a["LogicalName"] == column.name else a for a in table.metadata["Attributes"]]
        self.changes.replace(table, Attributes=attributes)

    def delete_column(self, table: Table, column: Column) -> None:
        if column.name == table.metadata["PrimaryNameAttribute"]:
            raise schema_errors.primary_not_deletable()
        if not column.metadata.get("IsCustomAttribute"):
            raise schema_errors.managed_component(column.name, column.metadata["MetadataId"], "Delete")
        keys = [key for key in table.metadata.get("Keys", ()) if column.name in key["KeyAttributes"]]
        if keys:
            raise schema_errors.component_in_use("Attribute", column.metadata["MetadataId"], len(keys))
        self.drop_column(table, column)

    def drop_column(self, table: Table, column: Column) -> None:
        """A lookup takes its relationships with it, every column its text columns and its values."""
        gone = {column.name} | {c.name for c in table.columns.values() if c.metadata.get("AttributeOf") == column.name}
        stored = [name for name in gone if name in table.stored]
        relations = table.metadata["ManyToOneRelationships"]
        changed = self.changes.replace(
            table,
            Attributes=[a for a in table.metadata["Attributes"] if a["LogicalName"] not in gone],
            ManyToOneRelationships=[r for r in relations if r["ReferencingAttribute"] != column.name],
        )
        for name in stored:
            self.changes.store.drop_column(changed, name)
        self.changes.deleted("Attribute", column.metadata["MetadataId"])
        for relation in relations:
            if relation["ReferencingAttribute"] == column.name:
                self.changes.deleted("Relationship", relation["MetadataId"])

    def column(self, table: Table, name: str) -> Column:
        found = table.columns.get(name)
        if found is None:
            raise errors.no_column(name, table.name)
        return found


def _merged(
    present: Mapping[str, Any], changes: dict[str, Any], labels: tuple[str, ...], *, merge: bool
) -> dict[str, Any]:
    """Labels keep their other languages if that was asked for."""
    if not merge:
        return changes
    return changes | {name: merge_labels(present.get(name), changes[name]) for name in labels if name in changes}
