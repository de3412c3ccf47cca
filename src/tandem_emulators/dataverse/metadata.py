"""Tables and columns as the metadata part of the Web API describes them.

An uncast list of columns carries only what all columns have in common; lengths and choices need the cast to the
column's own type, as on the service.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote_plus

from odata_query import ast
from odata_query.exceptions import ODataException
from odata_query.grammar import ODataLexer, ODataParser

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.schema import Column, Schema, Table

_NAMESPACE = "Microsoft.Dynamics.CRM."
_PLAIN = "AttributeMetadata"
_KEY = re.compile(r"LogicalName='([^']*)'|([0-9a-fA-F-]{36})")
_ENUM = re.compile(r"Microsoft\.Dynamics\.CRM\.\w+'(\w+)'")
_MANAGED_ENTITY = ("CanChangeTrackingBeEnabled", "IsCustomizable", "IsAuditEnabled", "CanCreateAttributes")
_ENTITY_PLAIN = (
    "LogicalName",
    "SchemaName",
    "EntitySetName",
    "LogicalCollectionName",
    "CollectionSchemaName",
    "ObjectTypeCode",
    "OwnershipType",
    "TableType",
    "PrimaryIdAttribute",
    "PrimaryNameAttribute",
    "IsCustomEntity",
    "IsActivity",
    "ChangeTrackingEnabled",
    "IsOptimisticConcurrencyEnabled",
)
_COLUMN_PLAIN = (
    "LogicalName",
    "SchemaName",
    "AttributeType",
    "AttributeOf",
    "ColumnNumber",
    "IsPrimaryId",
    "IsPrimaryName",
    "IsLogical",
    "IsCustomAttribute",
    "IsManaged",
    "IsSecured",
    "IsFilterable",
    "IsSearchable",
    "IsRetrievable",
    "IntroducedVersion",
)
_COLUMN_CAST = (
    "MaxLength",
    "DatabaseLength",
    "Format",
    "ImeMode",
    "MinValue",
    "MaxValue",
    "Precision",
    "PrecisionSource",
    "Targets",
    "DefaultFormValue",
    "DefaultValue",
    "DateTimeBehavior",
)


class Metadata:
    def __init__(self, schema: Schema, is_secured: Callable[[Table, str], bool]) -> None:
        self._schema = schema
        self._is_secured = is_secured

    def serve(self, segments: Sequence[str], query: Mapping[str, str], root: str) -> dict[str, Any]:
        """`EntityDefinitions…` as a body. Segments are the path after the service root."""
        head, rest = segments[0], segments[1:]
        context = f"{root}$metadata#EntityDefinitions"
        key = head.removeprefix("EntityDefinitions")
        if not key:
            rows = [self._entity(table, query) for table in self._schema.tables.values()]
            return self._collection(context, rows, query)
        table = self._table(key)
        if not rest:
            return {
                "@odata.context": f"{context}{_narrowed(query)}/$entity",
                **_select(self._entity(table, query), query),
            }
        if rest[0] == "ManyToOneRelationships":
            return self._collection(f"{context}('{table.name}')/{rest[0]}", _many_to_one(table), query)
        if not rest[0].startswith("Attributes"):
            raise errors.not_covered(f"EntityDefinitions(…)/{rest[0]}")
        return self._attributes(table, rest, query, f"{context}('{table.name}')/Attributes")

    def _table(self, key: str) -> Table:
        found = _KEY.fullmatch(key[1:-1]) if key.endswith(")") else None
        if found is None:
            raise errors.key_not_valid(f"{_NAMESPACE}EntityMetadata")
        for table in self._schema.tables.values():
            if table.name == found[1] or (found[2] and table.metadata.get("MetadataId") == found[2].lower()):
                return table
        text = f"Could not find an entity with name {found[1] or found[2]} and id 00000000-0000-0000-0000-000000000000."
        raise errors.ODataError(404, "0x80060888", text)

    def _attributes(self, table: Table, rest: Sequence[str], query: Mapping[str, str], context: str) -> dict[str, Any]:
        key = rest[0].removeprefix("Attributes")
        cast = rest[1].removeprefix(_NAMESPACE) if len(rest) > 1 else None
        if cast is not None and cast not in _CASTS:
            raise errors.segment_not_found(rest[1])
        narrowed = f"{context}/{_NAMESPACE}{cast}" if cast else context
        columns = [c for c in table.columns.values() if cast is None or c.metadata["@type"] == cast]
        if not key:
            rows = [self._column(table, column, is_cast=cast is not None, query=query) for column in columns]
            return self._collection(narrowed, rows, query)
        found = _KEY.fullmatch(key[1:-1]) if key.endswith(")") else None
        for column in columns:
            if found and column.name == found[1]:
                row = self._column(table, column, is_cast=cast is not None, query=query)
                return {"@odata.context": f"{narrowed}{_narrowed(query)}/$entity", **_select(row, query)}
        name = found[1] if found else key
        raise errors.ODataError(404, "0x80060888", f"Could not find an attribute with name {name} on {table.name}.")

    def _column(self, table: Table, column: Column, *, is_cast: bool, query: Mapping[str, str]) -> dict[str, Any]:
        row = render_column(column, is_cast=is_cast, query=query)
        return row | ({"IsSecured": True} if self._is_secured(table, column.name) else {})

    def _entity(self, table: Table, query: Mapping[str, str]) -> dict[str, Any]:
        metadata = table.metadata
        row: dict[str, Any] = {"MetadataId": metadata.get("MetadataId")}
        row |= {name: metadata.get(name) for name in _ENTITY_PLAIN}
        row |= {name: label(metadata.get(name)) for name in ("DisplayName", "DisplayCollectionName", "Description")}
        row |= {name: managed(metadata.get(name, False), name) for name in _MANAGED_ENTITY}
        row["Privileges"] = [
            {"Name": name, "PrivilegeId": key, "PrivilegeType": kind} for kind, (name, key) in table.privileges.items()
        ]
        expanded = query.get("$expand", "")
        if expanded.startswith("Attributes"):
            inner = _inner_options(expanded)
            rows = [self._column(table, column, is_cast=False, query={}) for column in table.columns.values()]
            row["Attributes"] = self._collection("", rows, inner)["value"]
        elif expanded:
            raise errors.not_covered(f"The query option $expand={expanded}")
        return row

    def _collection(self, context: str, rows: list[dict[str, Any]], query: Mapping[str, str]) -> dict[str, Any]:
        if "$top" in query:
            raise errors.query_error("The query parameter $top is not supported")
        condition = query.get("$filter")
        if condition is not None:
            accepts = _compile(condition)
            rows = [row for row in rows if accepts(row)]
        order = query.get("$orderby", "").split()
        if order:
            rows = sorted(rows, key=lambda row: str(row.get(order[0])), reverse=order[-1] == "desc")
        return {"@odata.context": f"{context}{_narrowed(query)}", "value": [_select(row, query) for row in rows]}


def _many_to_one(table: Table) -> list[dict[str, Any]]:
    """As described; a lookup whose relationship is not described shows the property that it is written by here."""
    described = {r["ReferencingAttribute"]: r for r in table.metadata.get("ManyToOneRelationships", ())}
    rows = [dict(relation) for relation in table.metadata.get("ManyToOneRelationships", ())]
    for navigation, (column, targets) in table.navigation.items():
        if column.name not in described:
            rows += [
                {
                    "SchemaName": f"{table.name}_{navigation}",
                    "ReferencedEntity": target,
                    "ReferencingEntity": table.name,
                    "ReferencingAttribute": column.name,
                    "ReferencingEntityNavigationPropertyName": navigation,
                }
                for target in targets
            ]
    return rows


_CASTS = frozenset(
    {
        "StringAttributeMetadata",
        "MemoAttributeMetadata",
        "IntegerAttributeMetadata",
        "BigIntAttributeMetadata",
        "DecimalAttributeMetadata",
        "DoubleAttributeMetadata",
        "MoneyAttributeMetadata",
        "BooleanAttributeMetadata",
        "PicklistAttributeMetadata",
        "StateAttributeMetadata",
        "StatusAttributeMetadata",
        "MultiSelectPicklistAttributeMetadata",
        "DateTimeAttributeMetadata",
        "LookupAttributeMetadata",
        "UniqueIdentifierAttributeMetadata",
        "EntityNameAttributeMetadata",
        "ImageAttributeMetadata",
        "FileAttributeMetadata",
    }
)


def render_column(column: Column, *, is_cast: bool, query: Mapping[str, str]) -> dict[str, Any]:
    metadata = column.metadata
    row: dict[str, Any] = {}
    if metadata["@type"] != _PLAIN:
        row["@odata.type"] = f"#{_NAMESPACE}{metadata['@type']}"
    row["MetadataId"] = metadata.get("MetadataId")
    row |= {name: metadata.get(name, False if name.startswith("Is") else None) for name in _COLUMN_PLAIN}
    row |= {name: label(metadata.get(name)) for name in ("DisplayName", "Description")}
    for name in ("IsValidForCreate", "IsValidForRead", "IsValidForUpdate", "IsValidODataAttribute"):
        row[name] = metadata.get(name, True)
    row["AttributeTypeName"] = {"Value": metadata.get("AttributeTypeName", f"{column.type}Type")}
    level = metadata.get("RequiredLevel", "None")
    row["RequiredLevel"] = managed(level, "canmodifyrequirementlevelsettings")
    if is_cast:
        row |= {name: metadata[name] for name in _COLUMN_CAST if name in metadata}
        if "FormatName" in metadata:
            row["FormatName"] = {"Value": metadata["FormatName"]}
        if "DateTimeBehavior" in metadata:
            row["DateTimeBehavior"] = {"Value": metadata["DateTimeBehavior"]}
        row |= _option_sets(metadata, query.get("$expand", ""))
    return row


def _option_sets(metadata: Mapping[str, Any], expand: str) -> dict[str, Any]:
    names = [part.strip().partition("(")[0] for part in re.split(r",(?![^(]*\))", expand) if part.strip()]
    rendered = render_option_set(metadata.get("OptionSet"))
    is_global = bool((metadata.get("OptionSet") or {}).get("IsGlobal"))
    values = {"OptionSet": rendered, "GlobalOptionSet": rendered if is_global else None}
    for name in names:
        if name not in values:
            raise errors.no_property(name, f"{_NAMESPACE}{metadata['@type']}")
    return {name: values[name] for name in names}


def render_option_set(option_set: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if option_set is None:
        return None
    row: dict[str, Any] = {
        "MetadataId": option_set.get("MetadataId"),
        "Name": option_set.get("Name"),
        "IsGlobal": option_set.get("IsGlobal", False),
        "OptionSetType": option_set.get("OptionSetType", "Picklist"),
        "DisplayName": label(option_set.get("DisplayName")),
    }
    if "TrueOption" in option_set or "FalseOption" in option_set:
        row |= {name: _option(option_set.get(name) or {}) for name in ("TrueOption", "FalseOption")}
    else:
        row["Options"] = [_option(option) for option in option_set.get("Options", ())]
    return row


def _option(option: Mapping[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "Value": option.get("Value"),
        "Label": label(option.get("Label")),
        "Description": label(None),
        "Color": option.get("Color"),
        "IsManaged": True,
        "ExternalValue": "",
        "ParentValues": [],
        "Tag": None,
        "MetadataId": None,
        "HasChanged": None,
    }
    return row | {name: option[name] for name in ("DefaultStatus", "InvariantName", "State") if name in option}


def label(text: str | None) -> dict[str, Any]:
    if text is None:
        return {"LocalizedLabels": [], "UserLocalizedLabel": None}
    one = {"Label": text, "LanguageCode": 1033, "IsManaged": True, "MetadataId": None, "HasChanged": None}
    return {"LocalizedLabels": [one], "UserLocalizedLabel": one}


def managed(value: Any, name: str) -> dict[str, Any]:
    return {"Value": value, "CanBeChanged": True, "ManagedPropertyLogicalName": name.lower()}


def _narrowed(query: Mapping[str, str]) -> str:
    return f"({query['$select']})" if query.get("$select") else ""


def _select(row: dict[str, Any], query: Mapping[str, str]) -> dict[str, Any]:
    select = query.get("$select")
    if not select:
        return row
    names = [name.strip() for name in select.split(",")]
    for name in names:
        if name not in row and name not in _COLUMN_CAST and name != "FormatName":
            raise errors.no_property(name, f"{_NAMESPACE}MetadataBase")
    kept = {"@odata.type", "MetadataId", "OptionSet", "GlobalOptionSet", "Attributes", *names}
    return {name: value for name, value in row.items() if name in kept}


def _inner_options(expand: str) -> dict[str, str]:
    found = re.fullmatch(r"Attributes(?:\((.*)\))?", expand)
    if found is None:
        raise errors.not_covered(f"The query option $expand={expand}")
    parts = (part.partition("=") for part in (found[1] or "").split(";") if part)
    return {name.strip(): unquote_plus(value) for name, _, value in parts}


def _compile(text: str) -> Callable[[Mapping[str, Any]], bool]:
    """A metadata filter over rendered rows: eq and ne of (paths to) properties, and, or, not."""
    try:
        tree = ODataParser().parse(ODataLexer().tokenize(_ENUM.sub(r"'\1'", text)))
        return lambda row: bool(_evaluate(tree, row))
    except (ODataException, RecursionError, ValueError) as error:
        raise errors.query_error(f"Syntax error at position 0 in '{text}'.") from error


def _evaluate(node: Any, row: Mapping[str, Any]) -> Any:
    match node:
        case ast.BoolOp():
            left, right = bool(_evaluate(node.left, row)), bool(_evaluate(node.right, row))
            return (left and right) if isinstance(node.op, ast.And) else (left or right)
        case ast.UnaryOp(op=ast.Not()):
            return not _evaluate(node.operand, row)
        case ast.Compare(comparator=ast.Eq()):
            return _evaluate(node.left, row) == _evaluate(node.right, row)
        case ast.Compare(comparator=ast.NotEq()):
            return _evaluate(node.left, row) != _evaluate(node.right, row)
        case ast.Identifier(name=name) if name in row:
            return row[name]
        case ast.Attribute(owner=owner, attr=name):
            value = _evaluate(owner, row)
            return value.get(name) if isinstance(value, dict) else None
        case ast.Null():
            return None
        case ast.Boolean(val=value):
            return value == "true"
        case ast.Integer(val=value):
            return int(value)
        case ast.String(val=value) | ast.GUID(val=value):
            return value
    raise errors.query_error("The $filter expression is not supported for metadata.")
