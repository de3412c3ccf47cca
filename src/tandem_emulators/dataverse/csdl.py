"""`$metadata`: the CSDL document of the organisation as it is now, made from the same metadata that is served as JSON.

Every table is an entity type below `crmbaseentity`; users and teams share the base `principal`, which is what an
owner is. Lookups are computed properties with a navigation property beside them.
"""

from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any
from xml.sax.saxutils import quoteattr

import msgspec

from tandem_emulators.dataverse.relationships import Association, Relationship
from tandem_emulators.dataverse.schema import Column, Schema, Table

_NAMESPACE = "Microsoft.Dynamics.CRM"
_ALIAS = "mscrm"
_HEAD = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">'
    '<edmx:Reference Uri="http://vocabularies.odata.org/OData.Community.Keys.V1.xml">'
    '<edmx:Include Namespace="OData.Community.Keys.V1" Alias="Keys" />'
    '<edmx:IncludeAnnotations TermNamespace="OData.Community.Keys.V1" /></edmx:Reference>'
    '<edmx:Reference Uri="http://docs.oasis-open.org/odata/odata/v4.0/os/vocabularies/Org.OData.Core.V1.xml">'
    '<edmx:Include Namespace="Org.OData.Core.V1" Alias="Core" /></edmx:Reference>'
    f'<edmx:DataServices><Schema Namespace="{_NAMESPACE}" Alias="{_ALIAS}" '
    'xmlns="http://docs.oasis-open.org/odata/ns/edm">'
    '<EntityType Name="crmbaseentity" Abstract="true" />'
    f'<EntityType Name="expando" BaseType="{_ALIAS}.crmbaseentity" OpenType="true" />'
    f'<EntityType Name="principal" BaseType="{_ALIAS}.crmbaseentity"><Key><PropertyRef Name="ownerid" /></Key>'
    '<Property Name="ownerid" Type="Edm.Guid" /></EntityType>'
)
_TAIL = "</Schema></edmx:DataServices></edmx:Edmx>"


def render_csdl(schema: Schema, *, annotated: bool = False, without: frozenset[str] = frozenset()) -> bytes:
    """The document; `annotated` adds descriptions and capabilities, as `?annotations=true` does. `without` are
    messages that are not served."""
    parts = [_HEAD]
    for table in schema.tables.values():
        parts += _entity_type(schema, table, annotated=annotated)
    operations = _left(load_operations(), without)
    parts += _complex_types(operations["complex_types"])
    for kind in ("Action", "Function"):
        parts += _operations(schema, kind, operations[f"{kind.lower()}s"])
    parts += _container(schema, operations)
    return "".join([*parts, _TAIL]).encode()


def load_operations() -> dict[str, Any]:
    """The messages that are served, with their parameters and answers."""
    file = resources.files("tandem_emulators.dataverse").joinpath("data", "operations.json")
    found: dict[str, Any] = msgspec.json.decode(file.read_bytes())
    return found


def _left(operations: Mapping[str, Any], without: frozenset[str]) -> dict[str, Any]:
    answers = {f"{name}Response" for name in without}
    kinds = {kind: [one for one in operations[kind] if one["name"] not in without] for kind in ("actions", "functions")}
    types = {name: of for name, of in operations["complex_types"].items() if name not in answers}
    return {**kinds, "complex_types": types}


def _tag(name: str, attributes: Mapping[str, str | None], content: str = "") -> str:
    rendered = "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items() if value is not None)
    return f"<{name}{rendered}>{content}</{name}>" if content else f"<{name}{rendered} />"


# Entity types.


def _entity_type(schema: Schema, table: Table, *, annotated: bool) -> Iterator[str]:
    base = "principal" if table.is_principal else "crmbaseentity"
    yield f'<EntityType Name="{table.name}" BaseType="{_ALIAS}.{base}">'
    yield f'<Key><PropertyRef Name="{table.key}" /></Key>'
    for name, column in table.properties.items():
        if not (base == "principal" and name == "ownerid"):
            yield _property(name, column, annotated=annotated)
    yield from _navigation(schema, table)
    yield from _alternate_keys(table)
    if annotated and table.is_tracked:
        supported = _tag("PropertyValue", {"Property": "Supported", "Bool": "true"})
        yield _tag("Annotation", {"Term": "Org.OData.Capabilities.V1.ChangeTracking"}, _tag("Record", {}, supported))
    yield "</EntityType>"


def _property(name: str, column: Column, *, annotated: bool) -> str:
    is_text = column.edm_type == "Edm.String"
    attributes = {
        "Name": name,
        "Type": column.edm_type,
        "Scale": "Variable" if column.edm_type == "Edm.Decimal" else None,
        "Unicode": "false" if is_text else None,
    }
    notes = ""
    if column.is_lookup or not (column.is_writable(creating=True) or column.is_writable(creating=False)):
        notes += _tag("Annotation", {"Term": "Org.OData.Core.V1.Computed", "Bool": "true"})
    description = column.metadata.get("Description")
    if annotated and isinstance(description, str):
        notes += _tag("Annotation", {"Term": "Org.OData.Core.V1.Description", "String": description})
    return _tag("Property", attributes, notes)


def _navigation(schema: Schema, table: Table) -> Iterator[str]:
    """The single-valued properties of the lookups, then the collections that point back."""
    partners = {(r.column, r.parent): r.collection for r in schema.relationships if r.child == table.name}
    for name, (column, targets) in table.navigation.items():
        target = _target(schema, column, targets)
        if target is None:
            continue
        constraint = _tag(
            "ReferentialConstraint",
            {
                "Property": column.property_name,
                "ReferencedProperty": schema.tables[targets[0]].key if column.type != "Owner" else "ownerid",
            },
        )
        partner = partners.get((column.name, targets[0])) if column.type != "Owner" else None
        attributes = {"Name": name, "Type": f"{_ALIAS}.{target}", "Nullable": "false", "Partner": partner}
        yield _tag("NavigationProperty", attributes, constraint)
    for name, end in _collections(schema, table):
        partner = end.navigation if isinstance(end, Relationship) else None
        child = end.child if isinstance(end, Relationship) else end.other
        yield _tag("NavigationProperty", {"Name": name, "Type": f"Collection({_ALIAS}.{child})", "Partner": partner})


def _target(schema: Schema, column: Column, targets: tuple[str, ...]) -> str | None:
    if column.type == "Owner":
        return "principal"
    return targets[0] if targets[0] in schema.tables else None


def _collections(schema: Schema, table: Table) -> Iterator[tuple[str, Relationship | Association]]:
    for relation in schema.children_of(table):
        if schema.tables[relation.child].columns[relation.column].type != "Owner":
            yield relation.collection, relation
    yield from schema.associations.get(table.name, {}).items()


def _alternate_keys(table: Table) -> Iterator[str]:
    keys = [key for key in table.metadata.get("Keys", ()) if key["EntityKeyIndexStatus"] == "Active"]
    if not keys:
        return
    records = []
    for key in keys:
        references = [
            _tag(
                "Record",
                {"Type": "OData.Community.Keys.V1.PropertyRef"},
                _tag("PropertyValue", {"Property": "Alias", "String": name})
                + _tag("PropertyValue", {"Property": "Name", "PropertyPath": table.columns[name].property_name}),
            )
            for name in key["KeyAttributes"]
        ]
        value = _tag("PropertyValue", {"Property": "Key"}, _tag("Collection", {}, "".join(references)))
        records.append(_tag("Record", {"Type": "OData.Community.Keys.V1.AlternateKey"}, value))
    content = _tag("Collection", {}, "".join(records))
    yield _tag("Annotation", {"Term": "OData.Community.Keys.V1.AlternateKeys"}, content)


# Messages, and where everything hangs.


def _complex_types(types: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    for name, properties in types.items():
        content = "".join(_tag("Property", {"Name": key, "Type": kind}) for key, kind in properties.items())
        yield _tag("ComplexType", {"Name": name}, content)


def _operations(schema: Schema, kind: str, operations: list[Mapping[str, Any]]) -> Iterator[str]:
    """A message bound to every table's collection is repeated for each of them."""
    for operation in operations:
        for binding in _bindings(schema, operation.get("bound_to")):
            parameters = {**({"bindingParameter": binding} if binding else {}), **operation["parameters"]}
            content = "".join(_tag("Parameter", {"Name": name, "Type": of}) for name, of in parameters.items())
            if operation.get("returns"):
                content += _tag("ReturnType", {"Type": operation["returns"]})
            attributes = {"Name": operation["name"], "IsBound": "true" if binding else None}
            yield _tag(kind, attributes, content)


def _bindings(schema: Schema, bound_to: str | None) -> list[str | None]:
    if bound_to is None:
        return [None]
    if bound_to != "Collection(*)":
        return [bound_to]
    return [f"Collection({_ALIAS}.{table.name})" for table in schema.tables.values() if not table.is_intersect]


def _container(schema: Schema, operations: Mapping[str, Any]) -> Iterator[str]:
    yield '<EntityContainer Name="System">'
    for table in schema.tables.values():
        bindings = "".join(
            _tag("NavigationPropertyBinding", {"Path": path, "Target": target})
            for path, target in _navigation_targets(schema, table)
        )
        yield _tag("EntitySet", {"Name": table.set_name, "EntityType": f"{_NAMESPACE}.{table.name}"}, bindings)
    for kind in ("Action", "Function"):
        for operation in operations[f"{kind.lower()}s"]:
            if not operation.get("bound_to"):
                name = operation["name"]
                yield _tag(f"{kind}Import", {"Name": name, kind: f"{_NAMESPACE}.{name}"})
    yield "</EntityContainer>"


def _navigation_targets(schema: Schema, table: Table) -> Iterator[tuple[str, str]]:
    for name, (column, targets) in table.navigation.items():
        if column.type != "Owner" and targets[0] in schema.tables:
            yield name, schema.tables[targets[0]].set_name
    for name, end in _collections(schema, table):
        child = end.child if isinstance(end, Relationship) else end.other
        yield name, schema.tables[child].set_name
