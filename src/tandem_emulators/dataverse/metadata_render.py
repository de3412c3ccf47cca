"""Definitions in the form in which the Web API shows them: labels, managed properties, choices, and all the rest.

The store keeps a label as its text (or a text for each language), a managed property as its value. An uncast column
shows only what all columns have in common; the properties of its own type need the cast.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from tandem_emulators.dataverse.schema import BASE_LANGUAGE, Column, Schema, Table
from tandem_emulators.dataverse.table_parts import stable_id

NAMESPACE = "Microsoft.Dynamics.CRM."
PLAIN_COLUMN = "AttributeMetadata"

TABLE_LABELS = ("DisplayName", "DisplayCollectionName", "Description")
TABLE_MANAGED = (
    "CanBeInCustomEntityAssociation",
    "CanBeInManyToMany",
    "CanBePrimaryEntityInRelationship",
    "CanBeRelatedEntityInRelationship",
    "CanChangeHierarchicalRelationship",
    "CanChangeTrackingBeEnabled",
    "CanCreateAttributes",
    "CanCreateCharts",
    "CanCreateForms",
    "CanCreateViews",
    "CanEnableSyncToExternalSearchIndex",
    "CanModifyAdditionalSettings",
    "IsAuditEnabled",
    "IsConnectionsEnabled",
    "IsCustomizable",
    "IsDuplicateDetectionEnabled",
    "IsMailMergeEnabled",
    "IsMappable",
    "IsRenameable",
    "IsValidForQueue",
    "IsVisibleInMobile",
)
# Managed properties of a table that are on where nothing is said; the others are off.
_ALLOWED = frozenset(name for name in TABLE_MANAGED if name.startswith("Can")) | {
    "IsCustomizable",
    "IsMappable",
    "IsRenameable",
}
TABLE_PLAIN: Mapping[str, Any] = {
    "LogicalName": None,
    "SchemaName": None,
    "EntitySetName": None,
    "LogicalCollectionName": None,
    "CollectionSchemaName": None,
    "ObjectTypeCode": None,
    "OwnershipType": None,
    "TableType": "Standard",
    "PrimaryIdAttribute": None,
    "PrimaryNameAttribute": None,
    "PrimaryImageAttribute": None,
    "IsCustomEntity": False,
    "IsActivity": False,
    "IsActivityParty": False,
    "IsIntersect": False,
    "IsLogicalEntity": False,
    "IsManaged": True,
    "IsPrivate": False,
    "IsImportable": True,
    "IsChildEntity": False,
    "IsValidForAdvancedFind": True,
    "IsBusinessProcessEnabled": False,
    "IsStateModelAware": False,
    "IsQuickCreateEnabled": False,
    "IsSolutionAware": False,
    "IsSLAEnabled": False,
    "IsBPFEntity": False,
    "IsAvailableOffline": False,
    "IsDocumentManagementEnabled": False,
    "EnforceStateTransitions": False,
    "AutoRouteToOwnerQueue": False,
    "HasActivities": False,
    "HasNotes": False,
    "HasEmailAddresses": False,
    "ActivityTypeMask": 0,
    "ChangeTrackingEnabled": False,
    "IsOptimisticConcurrencyEnabled": False,
    "SyncToExternalSearchIndex": False,
    "EntityColor": None,
    "ReportViewName": None,
    "IntroducedVersion": "5.0.0.0",
    "DataProviderId": None,
    "ExternalName": None,
    "ExternalCollectionName": None,
    "HasChanged": None,
}
COLUMN_LABELS = ("DisplayName", "Description")
COLUMN_MANAGED = ("IsAuditEnabled", "IsGlobalFilterEnabled", "IsSortableEnabled", "IsCustomizable", "IsRenameable")
_COLUMN_MANAGED_MORE = ("IsValidForAdvancedFind", "CanModifyAdditionalSettings")
COLUMN_PLAIN: Mapping[str, Any] = {
    "LogicalName": None,
    "SchemaName": None,
    "AttributeType": None,
    "AttributeOf": None,
    "ColumnNumber": None,
    "EntityLogicalName": None,
    "IsPrimaryId": False,
    "IsPrimaryName": False,
    "IsLogical": False,
    "IsCustomAttribute": False,
    "IsManaged": False,
    "IsSecured": False,
    "IsFilterable": False,
    "IsSearchable": False,
    "IsRetrievable": False,
    "IsDataSourceSecret": False,
    "CanBeSecuredForCreate": False,
    "CanBeSecuredForRead": False,
    "CanBeSecuredForUpdate": False,
    "IsValidForForm": False,
    "IsValidForGrid": False,
    "IsRequiredForForm": False,
    "LinkedAttributeId": None,
    "InheritsFrom": None,
    "SourceType": None,
    "DeprecatedVersion": None,
    "ExternalName": None,
    "AutoNumberFormat": None,
    "IntroducedVersion": None,
    "HasChanged": None,
}
_ON_BY_DEFAULT = ("IsValidForCreate", "IsValidForRead", "IsValidForUpdate", "IsValidODataAttribute")
COLUMN_CAST = (
    "MaxLength",
    "DatabaseLength",
    "Format",
    "FormatName",
    "ImeMode",
    "MinValue",
    "MaxValue",
    "Precision",
    "PrecisionSource",
    "IsBaseCurrency",
    "CalculationOf",
    "Targets",
    "DefaultFormValue",
    "DefaultValue",
    "DateTimeBehavior",
    "MaxSizeInKB",
)
# Properties whose JSON form is an object around the value.
_WRAPPED = frozenset({"FormatName", "DateTimeBehavior"})
OPTION_SET_EXPANSIONS = ("OptionSet", "GlobalOptionSet")


def label(text: str | Mapping[str, str] | None) -> dict[str, Any]:
    """A text in the base language, or a text for each language by its number."""
    by_language = {str(BASE_LANGUAGE): text} if isinstance(text, str) else dict(text or {})
    labels = [
        {
            "Label": words,
            "LanguageCode": int(language),
            "IsManaged": True,
            "MetadataId": stable_id("label", language, words),
            "HasChanged": None,
        }
        for language, words in by_language.items()
    ]
    own = next((one for one in labels if one["LanguageCode"] == BASE_LANGUAGE), labels[0] if labels else None)
    return {"LocalizedLabels": labels, "UserLocalizedLabel": own}


def managed(value: Any, name: str) -> dict[str, Any]:
    return {"Value": value, "CanBeChanged": True, "ManagedPropertyLogicalName": name.lower()}


def render_table(table: Table) -> dict[str, Any]:
    metadata = table.metadata
    row: dict[str, Any] = {"MetadataId": metadata["MetadataId"]}
    row |= {name: metadata.get(name, default) for name, default in TABLE_PLAIN.items()}
    row |= {name: label(metadata.get(name)) for name in TABLE_LABELS}
    row |= {name: managed(metadata.get(name, name in _ALLOWED), name) for name in TABLE_MANAGED}
    row["Privileges"] = [
        {"Name": name, "PrivilegeId": key, "PrivilegeType": kind} for kind, (name, key) in table.privileges.items()
    ]
    return row


def render_column(table: Table, column: Column, *, is_cast: bool) -> dict[str, Any]:
    metadata = column.metadata
    row: dict[str, Any] = {}
    if metadata["@type"] != PLAIN_COLUMN:
        row["@odata.type"] = f"#{NAMESPACE}{metadata['@type']}"
    row["MetadataId"] = metadata["MetadataId"]
    row |= {name: metadata.get(name, default) for name, default in COLUMN_PLAIN.items()}
    row["EntityLogicalName"] = table.name
    row |= {name: label(metadata.get(name)) for name in COLUMN_LABELS}
    row |= {name: metadata.get(name, True) for name in _ON_BY_DEFAULT}
    row |= {name: managed(metadata.get(name, False), name) for name in (*COLUMN_MANAGED, *_COLUMN_MANAGED_MORE)}
    row["AttributeTypeName"] = {"Value": metadata.get("AttributeTypeName", f"{column.type}Type")}
    row["RequiredLevel"] = managed(metadata.get("RequiredLevel", "None"), "canmodifyrequirementlevelsettings")
    if is_cast:
        row |= {n: {"Value": metadata[n]} if n in _WRAPPED else metadata[n] for n in COLUMN_CAST if n in metadata}
    return row


def render_option_set(option_set: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if option_set is None:
        return None
    is_boolean = "TrueOption" in option_set or "FalseOption" in option_set
    kind = option_set.get("OptionSetType", "Boolean" if is_boolean else "Picklist")
    row: dict[str, Any] = {
        "MetadataId": option_set.get("MetadataId") or stable_id("optionset", str(option_set.get("Name"))),
        "Name": option_set.get("Name"),
        "IsGlobal": option_set.get("IsGlobal", False),
        "IsManaged": option_set.get("IsManaged", True),
        "IsCustomOptionSet": option_set.get("IsCustomOptionSet", False),
        "OptionSetType": kind,
        "DisplayName": label(option_set.get("DisplayName")),
        "Description": label(option_set.get("Description")),
        "IsCustomizable": managed(True, "iscustomizable"),
        "IntroducedVersion": option_set.get("IntroducedVersion"),
        "HasChanged": None,
    }
    if is_boolean:
        return row | {name: _option(option_set.get(name) or {}) for name in ("TrueOption", "FalseOption")}
    row["Options"] = [_option(option) for option in option_set.get("Options", ())]
    return row


def _option(option: Mapping[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "Value": option.get("Value"),
        "Label": label(option.get("Label")),
        "Description": label(option.get("Description")),
        "Color": option.get("Color"),
        "IsManaged": option.get("IsManaged", True),
        "ExternalValue": option.get("ExternalValue", ""),
        "ParentValues": [],
        "Tag": None,
        "MetadataId": None,
        "HasChanged": None,
    }
    row |= {name: option[name] for name in ("DefaultStatus", "InvariantName", "State") if name in option}
    return row | ({"TransitionData": option.get("TransitionData")} if "State" in option else {})


def render_key(table: Table, key: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "MetadataId": key["MetadataId"],
        "LogicalName": key["LogicalName"],
        "SchemaName": key["SchemaName"],
        "DisplayName": label(key.get("DisplayName")),
        "EntityLogicalName": table.name,
        "KeyAttributes": list(key["KeyAttributes"]),
        "EntityKeyIndexStatus": key["EntityKeyIndexStatus"],
        "IsSynchronous": key.get("IsSynchronous", False),
        "IsManaged": key.get("IsManaged", False),
        "IsExportKey": False,
        "IsSecondaryKey": False,
        "IsCustomizable": managed(True, "iscustomizable"),
        "IntroducedVersion": key.get("IntroducedVersion", "1.0.0.0"),
        "HasChanged": None,
    }


def _relation(relation: Mapping[str, Any], kind: str) -> dict[str, Any]:
    return {
        "@odata.type": f"#{NAMESPACE}{kind}Metadata",
        "MetadataId": relation["MetadataId"],
        "SchemaName": relation["SchemaName"],
        "RelationshipType": kind,
        "IsCustomRelationship": relation.get("IsCustomRelationship", False),
        "IsManaged": not relation.get("IsCustomRelationship", False),
        "IsValidForAdvancedFind": True,
        "SecurityTypes": "Append",
        "IsCustomizable": managed(True, "iscustomizable"),
        "IntroducedVersion": relation.get("IntroducedVersion", "5.0.0.0"),
        "HasChanged": None,
    }


def render_one_to_many(relation: Mapping[str, Any]) -> dict[str, Any]:
    names = ("ReferencedEntity", "ReferencedAttribute", "ReferencingEntity", "ReferencingAttribute")
    navigation = ("ReferencedEntityNavigationPropertyName", "ReferencingEntityNavigationPropertyName")
    return {
        **_relation(relation, "OneToManyRelationship"),
        **{name: relation.get(name) for name in (*names, *navigation)},
        "CascadeConfiguration": dict(relation.get("Cascade") or {}),
        "AssociatedMenuConfiguration": None,
        "IsHierarchical": relation.get("IsHierarchical", False),
        "RelationshipBehavior": 1,
        "EntityKey": None,
    }


def render_many_to_many(relation: Mapping[str, Any]) -> dict[str, Any]:
    sides = [
        f"Entity{n}{part}" for n in (1, 2) for part in ("LogicalName", "IntersectAttribute", "NavigationPropertyName")
    ]
    return {
        **_relation(relation, "ManyToManyRelationship"),
        "IntersectEntityName": relation["IntersectEntityName"],
        **{name: relation[name] for name in sides},
        "Entity1AssociatedMenuConfiguration": None,
        "Entity2AssociatedMenuConfiguration": None,
    }


def one_to_many_of(schema: Schema) -> Iterable[Mapping[str, Any]]:
    """Every described relationship of every served table; one whose other end is not served included."""
    for table in schema.tables.values():
        yield from table.metadata.get("ManyToOneRelationships", ())


def many_to_many_of(schema: Schema) -> Iterable[Mapping[str, Any]]:
    for table in schema.tables.values():
        yield from table.metadata.get("ManyToManyRelationships", ())
