"""Creating and deleting relationships: a lookup with its one-to-many relationship, or a table of pairs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tandem_emulators.dataverse import errors, schema_errors
from tandem_emulators.dataverse.definitions import check_name, column_changes
from tandem_emulators.dataverse.metadata_render import many_to_many_of, one_to_many_of
from tandem_emulators.dataverse.schema import Table
from tandem_emulators.dataverse.schema_files import complete, one_to_many_metadata
from tandem_emulators.dataverse.schema_writes import SchemaWriter
from tandem_emulators.dataverse.table_parts import Attribute, make_column, make_table, stable_id

Relation = dict[str, Any]

_CASCADES: Mapping[str, tuple[str, ...]] = {
    "Delete": ("Cascade", "RemoveLink", "Restrict"),
    "Assign": ("Cascade", "NoCascade", "Active", "UserOwned"),
    "Merge": ("Cascade", "NoCascade"),
    "Reparent": ("Cascade", "NoCascade", "Active", "UserOwned"),
    "Share": ("Cascade", "NoCascade", "Active", "UserOwned"),
    "Unshare": ("Cascade", "NoCascade", "Active", "UserOwned"),
    "RollupView": ("Cascade", "NoCascade"),
}


@dataclass
class RelationshipWriter:
    writer: SchemaWriter

    # One to many.

    def create_one_to_many(self, body: Mapping[str, Any]) -> Relation:
        """A new lookup on the referencing table; its navigation property is the lookup's schema name."""
        name = self._new_name(body.get("SchemaName"))
        parent, child = self._table(body.get("ReferencedEntity")), self._table(body.get("ReferencingEntity"))
        lookup = body.get("Lookup")
        if not isinstance(lookup, dict):
            raise schema_errors.bad_definition("A relationship needs the definition of its Lookup.")
        column_name = check_name(lookup.get("SchemaName"), "Attribute")
        column = self._lookup(column_name, lookup, [parent.name])
        navigation = str(body.get("ReferencingEntityNavigationPropertyName") or column_name)
        relation = self._relation(name, parent, child, column, navigation, body)
        collection = body.get("ReferencedEntityNavigationPropertyName")
        if isinstance(collection, str) and collection:
            relation["ReferencedEntityNavigationPropertyName"] = collection
        self.writer.add_columns(child, column, relation)
        return relation

    def create_customer(self, body: Mapping[str, Any]) -> tuple[Attribute, list[Relation]]:
        """A lookup to accounts and contacts, with a relationship to each."""
        lookup, given = body.get("Lookup"), body.get("OneToManyRelationships")
        if not isinstance(lookup, dict) or not isinstance(given, list) or not all(isinstance(r, dict) for r in given):
            raise schema_errors.bad_definition("CreateCustomerRelationships needs Lookup and OneToManyRelationships.")
        parents = [self._table(relation.get("ReferencedEntity")) for relation in given]
        if sorted(parent.name for parent in parents) != ["account", "contact"]:
            raise schema_errors.bad_definition("A customer lookup refers to account and contact.")
        child = self._table(given[0].get("ReferencingEntity"))
        column_name = check_name(lookup.get("SchemaName"), "Attribute")
        column = {**self._lookup(column_name, lookup, [parent.name for parent in parents])}
        column |= {"AttributeType": "Customer", "AttributeTypeName": "CustomerType"}
        relations = [
            self._relation(
                self._new_name(described.get("SchemaName")),
                parent,
                child,
                column,
                f"{column_name}_{parent.name}",
                described,
            )
            for described, parent in zip(given, parents, strict=True)
        ]
        return self.writer.add_columns(child, column, *relations), relations

    def _lookup(self, name: str, body: Mapping[str, Any], targets: list[str]) -> Attribute:
        kept = {key: value for key, value in column_changes(body).items() if key not in ("Targets", "Format")}
        return make_column(name, "Lookup", **{**kept, "Format": "None", "Targets": targets, "IsCustomAttribute": True})

    def _relation(
        self, name: str, parent: Table, child: Table, column: Attribute, navigation: str, body: Mapping[str, Any]
    ) -> Relation:
        relation = one_to_many_metadata(name, parent.name, child.name, column["LogicalName"], navigation)
        cascade = self._cascade(relation["Cascade"], body.get("CascadeConfiguration"))
        relation |= {"ReferencedAttribute": parent.key, "IsCustomRelationship": True, "Cascade": cascade}
        return relation | {"MetadataId": stable_id("relationship", name, str(self.writer.changes.store.version))}

    def _cascade(self, present: Mapping[str, str], given: Any) -> dict[str, str]:
        cascade = dict(present)
        for name, value in given.items() if isinstance(given, dict) else ():
            if name in _CASCADES:
                if value not in _CASCADES[name]:
                    raise schema_errors.bad_definition(f"'{value}' is no cascade behavior of {name}.")
                cascade[name] = value
        return cascade

    # Many to many.

    def create_many_to_many(self, body: Mapping[str, Any]) -> Relation:
        """A table of pairs with a column for each side; two sides of one table get numbered columns."""
        name = self._new_name(body.get("SchemaName"))
        left, right = self._table(body.get("Entity1LogicalName")), self._table(body.get("Entity2LogicalName"))
        intersect = check_name(body.get("IntersectEntityName") or name, "Entity")
        if intersect.lower() in self.writer.changes.schema.tables:
            raise schema_errors.table_exists()
        left_column, right_column = left.key, right.key
        if left is right:
            left_column, right_column = f"{left.key}one", f"{right.key}two"
        relation = {
            "SchemaName": name,
            "MetadataId": stable_id("relationship", name, str(self.writer.changes.store.version)),
            "IsCustomRelationship": True,
            "IntersectEntityName": intersect.lower(),
            "Entity1LogicalName": left.name,
            "Entity1IntersectAttribute": left_column,
            "Entity1NavigationPropertyName": str(body.get("Entity1NavigationPropertyName") or name),
            "Entity2LogicalName": right.name,
            "Entity2IntersectAttribute": right_column,
            "Entity2NavigationPropertyName": str(body.get("Entity2NavigationPropertyName") or name),
        }
        navigations = {relation[f"Entity{side}NavigationPropertyName"] for side in (1, 2)}
        if left is right and len(navigations) == 1:
            relation["Entity1NavigationPropertyName"] = f"{name}_one"
        self._publish_pairs(intersect, relation)
        return relation

    def _publish_pairs(self, intersect: str, relation: Relation) -> None:
        fixed = {"IsValidForCreate": False, "IsValidForUpdate": False}
        sides = (relation["Entity1IntersectAttribute"], relation["Entity2IntersectAttribute"])
        metadata = make_table(
            intersect,
            set_name=f"{intersect.lower()}set",
            code=self.writer.changes.next_code(),
            ownership="None",
            name_column=None,
            columns=[make_column(side, "Uniqueidentifier", **fixed) for side in sides],
            IsIntersect=True,
            IsCustomEntity=True,
            IsManaged=False,
            ChangeTrackingEnabled=False,
            IsOptimisticConcurrencyEnabled=False,
            ManyToManyRelationships=[relation],
        )
        complete(metadata, {}, [])
        table = Table(metadata)
        self.writer.changes.put(table)
        self.writer.security.grant_all(table)

    # Both.

    def find(self, name: str, value: str) -> Relation:
        schema = self.writer.changes.schema
        both: Iterable[Mapping[str, Any]] = (*one_to_many_of(schema), *many_to_many_of(schema))
        for relation in both:
            if str(relation.get(name, "")).lower() == value.lower():
                return dict(relation)
        raise schema_errors.no_relationship()

    def update(self, relation: Relation, body: Mapping[str, Any]) -> None:
        """Only the cascades of a relationship change after it was made."""
        if "IntersectEntityName" in relation:
            return
        child = self._table(relation["ReferencingEntity"])
        cascade = self._cascade(
            relation["Cascade"], {**relation["Cascade"], **(body.get("CascadeConfiguration") or {})}
        )
        relations = [
            {**r, "Cascade": cascade} if r["SchemaName"] == relation["SchemaName"] else r
            for r in child.metadata["ManyToOneRelationships"]
        ]
        self.writer.changes.replace(child, ManyToOneRelationships=relations)

    def delete(self, relation: Relation) -> None:
        """A relationship goes with the lookup or the table of pairs that holds it."""
        if not relation.get("IsCustomRelationship"):
            raise schema_errors.managed_component(relation["SchemaName"], relation["MetadataId"], "Delete")
        if "IntersectEntityName" in relation:
            pairs = self._table(relation["IntersectEntityName"])
            self.writer.changes.remove(pairs)
            self.writer.security.forget(pairs)
            self.writer.changes.deleted("Relationship", relation["MetadataId"])
            return
        child = self._table(relation["ReferencingEntity"])
        self.writer.drop_column(child, child.columns[relation["ReferencingAttribute"]])

    def _new_name(self, given: Any) -> str:
        name = check_name(given, "EntityRelationship")
        schema = self.writer.changes.schema
        both: Iterable[Mapping[str, Any]] = (*one_to_many_of(schema), *many_to_many_of(schema))
        if any(relation["SchemaName"].lower() == name.lower() for relation in both):
            raise schema_errors.relationship_exists()
        return name

    def _table(self, name: Any) -> Table:
        table = self.writer.changes.schema.tables.get(str(name))
        if table is None:
            raise errors.no_table(str(name))
        return table
