"""What every table has without being asked: system columns, owner columns, state, and the text columns beside them.

Used for tables that clients create and for the small standard tables that no public metadata file describes.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from uuid import NAMESPACE_URL, uuid5

Attribute = dict[str, Any]

INTRODUCED = "1.0.0.0"
TYPE_NAMES = {"Uniqueidentifier": "UniqueidentifierType", "ManagedProperty": "ManagedPropertyType"}
# Columns of these kinds are "virtual" to AttributeType and told apart by AttributeTypeName only.
VIRTUAL_KINDS = frozenset({"MultiSelectPicklist", "File", "Image"})
_PLAIN_KINDS = frozenset({"Uniqueidentifier", "Virtual"})
_NAMED_BY_TEXT = frozenset({"Lookup", "Customer", "Owner"})
_NAMED_BY_LABEL = frozenset({"Picklist", "State", "Status", "Boolean", "MultiSelectPicklist"})


@lru_cache(maxsize=65_536)
def stable_id(*parts: str) -> str:
    """A MetadataId where none is published: the same in every organisation and every run."""
    return str(uuid5(NAMESPACE_URL, "/".join(("dataverse-metadata", *parts))))


def make_column(schema_name: str, kind: str, **properties: Any) -> Attribute:
    """A column as the data files describe one."""
    metadata_class = {"Customer": "Lookup", "Owner": "Lookup"}.get(kind, kind)
    return {
        "@type": "AttributeMetadata" if kind in _PLAIN_KINDS else f"{metadata_class}AttributeMetadata",
        "LogicalName": schema_name.lower(),
        "SchemaName": schema_name,
        "AttributeType": "Virtual" if kind in VIRTUAL_KINDS else kind,
        "AttributeTypeName": f"{kind}Type",
        "DisplayName": properties.pop("DisplayName", schema_name),
        "RequiredLevel": "None",
        "IsValidForCreate": True,
        "IsValidForRead": True,
        "IsValidForUpdate": True,
        "IsValidODataAttribute": True,
        "IntroducedVersion": INTRODUCED,
        **properties,
    }


def companions(column: Mapping[str, Any]) -> list[Attribute]:
    """The read-only columns that show a lookup's or a choice's text; the Web API has them as annotations only."""
    kind = column["AttributeTypeName"].removesuffix("Type")
    hidden = {
        "AttributeOf": column["LogicalName"],
        "IsValidForCreate": False,
        "IsValidForUpdate": False,
        "IsValidODataAttribute": False,
        "IsLogical": True,
        "DisplayName": None,
    }
    made = []
    if kind in _NAMED_BY_TEXT and not column.get("IsSystemLookup"):
        made.append(make_column(f"{column['SchemaName']}Name", "String", MaxLength=100, FormatName="Text", **hidden))
    if kind in _NAMED_BY_LABEL:
        made.append(make_column(f"{column['SchemaName']}Name", "Virtual", **hidden))
    if kind == "Money" and not column.get("IsBaseCurrency"):
        made.append(_base_amount(column))
    if kind == "File":
        fixed = {"IsValidForCreate": False, "IsValidForUpdate": False, "AttributeOf": column["LogicalName"]}
        made.append(make_column(f"{column['SchemaName']}_Name", "String", MaxLength=512, FormatName="Text", **fixed))
    if len(column.get("Targets", ())) > 1:
        made.append(make_column(f"{column['SchemaName']}Type", "EntityName", **hidden))
    return made


def _base_amount(column: Mapping[str, Any]) -> Attribute:
    """The amount in the organisation's own currency, which the service keeps beside every amount."""
    limits = {"MinValue": -922_337_203_685_477, "MaxValue": 922_337_203_685_477, "Precision": 4, "PrecisionSource": 2}
    label = column["DisplayName"] if isinstance(column.get("DisplayName"), str) else column["SchemaName"]
    return make_column(
        f"{column['SchemaName']}_Base",
        "Money",
        DisplayName=f"{label} (Base)",
        IsValidForCreate=False,
        IsValidForUpdate=False,
        IsBaseCurrency=True,
        CalculationOf=column["LogicalName"],
        **limits,
    )


def currency_columns() -> list[Attribute]:
    """What a table takes on with its first amount."""
    fixed = {"IsValidForCreate": False, "IsValidForUpdate": False}
    rate = {"Precision": 10, "MinValue": 1e-10, "MaxValue": 100_000_000_000}
    lookup = make_column("TransactionCurrencyId", "Lookup", DisplayName="Currency", Targets=["transactioncurrency"])
    return [lookup, *companions(lookup), make_column("ExchangeRate", "Decimal", **rate, **fixed)]


def system_columns(logical_name: str, *, is_user_owned: bool, has_state: bool) -> list[Attribute]:
    fixed = {"IsValidForCreate": False, "IsValidForUpdate": False}
    number = {"MinValue": -1, "MaxValue": 2**31 - 1, "Format": "None"}
    moment = {"Format": "DateAndTime", "DateTimeBehavior": "UserLocal"}
    who = {"Targets": ["systemuser"], **fixed}
    made = [
        make_column("CreatedOn", "DateTime", DisplayName="Created On", **moment, **fixed),
        make_column("CreatedBy", "Lookup", DisplayName="Created By", **who),
        make_column("ModifiedOn", "DateTime", DisplayName="Modified On", **moment, **fixed),
        make_column("ModifiedBy", "Lookup", DisplayName="Modified By", **who),
        make_column("CreatedOnBehalfBy", "Lookup", DisplayName="Created By (Delegate)", **who),
        make_column("ModifiedOnBehalfBy", "Lookup", DisplayName="Modified By (Delegate)", **who),
        make_column("VersionNumber", "BigInt", DisplayName="Version Number", **fixed),
        make_column("ImportSequenceNumber", "Integer", DisplayName="Import Sequence Number", **number),
        make_column("OverriddenCreatedOn", "DateTime", DisplayName="Record Created On", **moment),
        make_column("TimeZoneRuleVersionNumber", "Integer", DisplayName="Time Zone Rule Version Number", **number),
        make_column("UTCConversionTimeZoneCode", "Integer", DisplayName="UTC Conversion Time Zone Code", **number),
    ]
    made += _owner_columns() if is_user_owned else [_organization_column()]
    made += _state_columns(logical_name) if has_state else []
    return [attribute for column in made for attribute in (column, *companions(column))]


def _owner_columns() -> list[Attribute]:
    fixed = {"IsValidForCreate": False, "IsValidForUpdate": False}
    unit = {"Targets": ["businessunit"], **fixed}
    return [
        make_column(
            "OwnerId", "Owner", DisplayName="Owner", Targets=["systemuser", "team"], RequiredLevel="SystemRequired"
        ),
        make_column("OwningBusinessUnit", "Lookup", DisplayName="Owning Business Unit", **unit),
        make_column("OwningUser", "Lookup", DisplayName="Owning User", Targets=["systemuser"], **fixed),
        make_column("OwningTeam", "Lookup", DisplayName="Owning Team", Targets=["team"], **fixed),
    ]


def _organization_column() -> Attribute:
    fixed = {"IsValidForCreate": False, "IsValidForUpdate": False}
    return make_column("OrganizationId", "Lookup", DisplayName="Organization Id", Targets=["organization"], **fixed)


def _state_columns(logical_name: str) -> list[Attribute]:
    states = [
        {"Value": 0, "Label": "Active", "DefaultStatus": 1, "InvariantName": "Active"},
        {"Value": 1, "Label": "Inactive", "DefaultStatus": 2, "InvariantName": "Inactive"},
    ]
    statuses = [{"Value": 1, "Label": "Active", "State": 0}, {"Value": 2, "Label": "Inactive", "State": 1}]
    return [
        make_column(
            "statecode",
            "State",
            DisplayName="Status",
            IsValidForCreate=False,
            RequiredLevel="SystemRequired",
            OptionSet=option_set(f"{logical_name}_statecode", "State", states),
        ),
        make_column(
            "statuscode",
            "Status",
            DisplayName="Status Reason",
            OptionSet=option_set(f"{logical_name}_statuscode", "Status", statuses),
        ),
    ]


def option_set(name: str, kind: str, options: list[dict[str, Any]], *, is_global: bool = False) -> dict[str, Any]:
    return {
        "Name": name,
        "MetadataId": stable_id("optionset", name),
        "IsGlobal": is_global,
        "OptionSetType": kind,
        "Options": options,
    }


def make_table(
    schema_name: str,
    *,
    set_name: str,
    code: int,
    ownership: str,
    name_column: str | None,
    columns: list[Attribute],
    key: str | None = None,
    **properties: Any,
) -> dict[str, Any]:
    """A table with its key and system columns; `columns` are its own, the primary name among them."""
    logical = schema_name.lower()
    has_state = properties.pop("HasState", True)
    key_column = make_column(
        key or f"{schema_name}Id", "Uniqueidentifier", DisplayName=schema_name, IsPrimaryId=True, IsValidForUpdate=False
    )
    is_user_owned = ownership == "UserOwned"
    own = [attribute for column in columns for attribute in (column, *companions(column))]
    if properties.get("IsIntersect"):
        system = [make_column("VersionNumber", "BigInt", IsValidForCreate=False, IsValidForUpdate=False)]
    else:
        system = system_columns(logical, is_user_owned=is_user_owned, has_state=has_state)
    return {
        "LogicalName": logical,
        "SchemaName": schema_name,
        "EntitySetName": set_name,
        "LogicalCollectionName": set_name,
        "CollectionSchemaName": properties.pop("CollectionSchemaName", set_name),
        "ObjectTypeCode": code,
        "OwnershipType": ownership,
        "TableType": "Standard",
        "PrimaryIdAttribute": key_column["LogicalName"],
        "PrimaryNameAttribute": name_column,
        "DisplayName": properties.pop("DisplayName", schema_name),
        "ChangeTrackingEnabled": True,
        "IsOptimisticConcurrencyEnabled": True,
        "IntroducedVersion": INTRODUCED,
        "Attributes": [key_column, *own, *system],
        "ManyToOneRelationships": [],
        "ManyToManyRelationships": [],
        "Keys": [],
        **properties,
    }
