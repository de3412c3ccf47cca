"""The standard tables, read from the data files and made complete.

The files come from different sources and know different things; what they leave out is worked out here, so that
the rest of the emulator meets one form: every lookup has its relationship, every polymorphic lookup its type
column, every state its default status, every part an id.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from typing import Any

import msgspec

from tandem_emulators.dataverse.schema import BASE_LANGUAGE, LOOKUP_TYPES, Schema, Table
from tandem_emulators.dataverse.table_parts import Attribute, companions, make_column, make_table, stable_id

_TABLE_FILES = (
    "lead",
    "contact",
    "account",
    "opportunity",
    "team",
    "systemuser",
    "businessunit",
    "transactioncurrency",
    "organization",
    "campaign",
    "list",
    "connection",
    "connectionrole",
    "customeraddress",
    "duplicaterule",
    "asyncoperation",
)
_EXTRA_COLUMNS = {"account": "account.sales-columns", "contact": "contact.sales-columns"}
# What points to rows of these goes on naming them when one is deleted, such as the user who made a record.
_PERMANENT = frozenset({"systemuser", "businessunit", "transactioncurrency", "organization", "owner", "team"})
# Keys that are not named after their table; activities share the name of theirs.
_KEYS_NAMED_OTHERWISE = {"owner": "ownerid", "task": "activityid", "opportunityclose": "activityid"}
_OWN_KEYS = frozenset({"shadows", "defaults", "translations"})
_PRINCIPALS = frozenset({"systemuser", "team"})
_FOREIGN_PREFIXES = ("adx_", "msfp_", "mspp_")

Metadata = dict[str, Any]


def load_schema() -> Schema:
    """The standard tables and choices. Tables are values that nobody changes, so the organisations share them."""
    return Schema(list(_standard_tables()))


@cache
def _standard_tables() -> tuple[Table, ...]:
    supplement = _read("supplement")
    found = {name: _from_file(name, supplement.get(name, {})) for name in _TABLE_FILES}
    own = (_own_table(spec) for file in ("own-tables", "event-tables", "view-tables") for spec in _read(file))
    found |= {made["LogicalName"]: made for made in own}
    described = _described(found.values(), supplement["relationships"])
    pairs = _described_pairs(found.values(), supplement["pairs"])
    tables = []
    for name, metadata in found.items():
        shadows = supplement.get(name, {}).get("shadows", {})
        complete(metadata, shadows, [r for r in described.values() if r["ReferencingEntity"] == name])
        own_pairs = [pair for pair in pairs.values() if pair["IntersectEntityName"] == name]
        metadata["ManyToManyRelationships"] = [_identified(p, "relationship", p["SchemaName"]) for p in own_pairs]
        tables.append(Table(metadata, shadows))
    return tuple(tables)


def _from_file(name: str, extra: Mapping[str, Any]) -> Metadata:
    metadata = {**_read(name), **{key: value for key, value in extra.items() if key not in _OWN_KEYS}}
    known = {attribute["LogicalName"] for attribute in metadata["Attributes"]}
    added = _read(_EXTRA_COLUMNS[name])["Attributes"] if name in _EXTRA_COLUMNS else []
    attributes = metadata["Attributes"] + [a for a in added if a["LogicalName"] not in known]
    defaults = extra.get("defaults", {})
    translations = extra.get("translations", {})
    attributes = [_translated(attribute, translations) for attribute in attributes]
    metadata["Attributes"] = [_with_default(attribute, defaults) for attribute in attributes]
    if name in _PRINCIPALS:
        fixed = {"IsValidForCreate": False, "IsValidForUpdate": False}
        metadata["Attributes"].append(make_column("OwnerId", "Uniqueidentifier", DisplayName="Owner", **fixed))
    return metadata


def _own_table(spec: Mapping[str, Any]) -> Metadata:
    """A small standard table that no public file describes, from its few own columns."""
    arguments = {name: value for name, value in spec.items() if name not in ("schema_name", "columns")}
    columns = [make_column(name, kind, **properties) for name, kind, properties in spec["columns"]]
    return make_table(spec["schema_name"], columns=columns, **arguments)


def _translated(attribute: Attribute, translations: Mapping[str, Mapping[str, Mapping[str, str]]]) -> Attribute:
    """The options of a choice with their labels in further languages, as where language packs are installed."""
    column = attribute["LogicalName"]
    own = {language: names[column] for language, names in translations.items() if column in names}
    if not own:
        return attribute

    def labels(option: Mapping[str, Any]) -> dict[str, str]:
        further = {language: words[str(option["Value"])] for language, words in own.items()}
        return {str(BASE_LANGUAGE): option["Label"], **further}

    options = [{**option, "Label": labels(option)} for option in attribute["OptionSet"]["Options"]]
    return {**attribute, "OptionSet": {**attribute["OptionSet"], "Options": options}}


def _with_default(attribute: Attribute, defaults: Mapping[str, Any]) -> Attribute:
    name = attribute["LogicalName"]
    return {**attribute, "DefaultValue": defaults[name]} if name in defaults else attribute


def _described(tables: Iterable[Metadata], own: Iterable[Metadata]) -> dict[str, Metadata]:
    """Every relationship by name, as its lookup's table and as the other table describe it."""
    found: dict[str, Metadata] = {}
    for table in tables:
        for kind in ("ManyToOneRelationships", "OneToManyRelationships"):
            for relation in table.get(kind, ()):
                found[relation["SchemaName"]] = {**found.get(relation["SchemaName"], {}), **relation}
    return found | {relation["SchemaName"]: relation for relation in own}


def _described_pairs(tables: Iterable[Metadata], own: Iterable[Metadata]) -> dict[str, Metadata]:
    described = [relation for table in tables for relation in table.get("ManyToManyRelationships", ())]
    return {relation["SchemaName"]: relation for relation in (*described, *own)}


def complete(metadata: Metadata, shadows: Mapping[str, Mapping[str, str]], described: list[Metadata]) -> None:
    """Put in what is left out. `described` are the relationships that this table's lookups are known to make."""
    metadata.pop("OneToManyRelationships", None)
    columns = {attribute["LogicalName"]: dict(attribute) for attribute in metadata["Attributes"]}
    mirrors = {name for by_target in shadows.values() for name in by_target.values()}
    lookups = {name for name, column in columns.items() if column["AttributeType"] in LOOKUP_TYPES}
    relations = [r for r in described if r["ReferencingAttribute"] in lookups]
    for column in list(columns.values()):
        if column["LogicalName"] in lookups - mirrors:
            own = [r for r in relations if r["ReferencingAttribute"] == column["LogicalName"]]
            column["Targets"] = _targets(column, own)
            relations += list(_missing_relationships(metadata, column, own))
            _ensure_type_column(column, columns)
        elif column["AttributeType"] == "State":
            _ensure_default_status(column, columns["statuscode"])
    metadata["ManyToOneRelationships"] = [_identified(r, "relationship", r["SchemaName"]) for r in relations]
    name = metadata["LogicalName"]
    metadata["Attributes"] = [_identified(c, name, c["LogicalName"]) for c in columns.values()]
    metadata.setdefault("MetadataId", stable_id("table", name))
    metadata["Keys"] = [_identified(key, name, key["LogicalName"]) for key in metadata.get("Keys", ())]


def _identified(part: Metadata, *names: str) -> Metadata:
    return part if "MetadataId" in part else {**part, "MetadataId": stable_id(*names)}


def _targets(column: Attribute, relations: list[Metadata]) -> list[str]:
    names = [*column.get("Targets", ()), *(relation["ReferencedEntity"] for relation in relations)]
    return [name for name in dict.fromkeys(names) if name != "owner" and not name.startswith(_FOREIGN_PREFIXES)]


def _missing_relationships(metadata: Metadata, column: Attribute, own: list[Metadata]) -> Iterable[Metadata]:
    table, name = metadata["LogicalName"], column["LogicalName"]
    is_owner = column["AttributeType"] == "Owner"
    known = {relation["ReferencedEntity"] for relation in own}
    for target in ["owner"] if is_owner else column["Targets"]:
        if target not in known:
            alone = is_owner or len(column["Targets"]) == 1
            yield one_to_many_metadata(
                f"{target}_{table}_{name}", target, table, name, name if alone else f"{name}_{target}"
            )


def one_to_many_metadata(schema_name: str, parent: str, child: str, column: str, navigation: str) -> Metadata:
    deletion = "NoCascade" if parent in _PERMANENT else "RemoveLink"
    names = ("Assign", "Merge", "Reparent", "Share", "Unshare", "RollupView")
    return {
        "SchemaName": schema_name,
        "MetadataId": stable_id("relationship", schema_name),
        "ReferencedEntity": parent,
        "ReferencedAttribute": _KEYS_NAMED_OTHERWISE.get(parent, f"{parent}id"),
        "ReferencingEntity": child,
        "ReferencingAttribute": column,
        "ReferencedEntityNavigationPropertyName": schema_name,
        "ReferencingEntityNavigationPropertyName": navigation,
        "Cascade": {"Delete": deletion, **dict.fromkeys(names, "NoCascade")},
    }


def _ensure_type_column(column: Attribute, columns: dict[str, Attribute]) -> None:
    """Where a lookup with several targets keeps which of them it points to; real tables name it differently."""
    if len(column["Targets"]) < 2:
        return
    name = column["LogicalName"]
    candidates = [f"{name}type", f"{name}objecttypecode", f"{name}typecode"]
    found = [c for c in candidates if columns.get(c, {}).get("AttributeType") == "EntityName"]
    if not found:
        made = companions({**column, "AttributeTypeName": "None"})
        columns |= {one["LogicalName"]: one for one in made}
        found = [made[-1]["LogicalName"]]
    column["TypeColumn"] = found[0]


def _ensure_default_status(state: Attribute, status: Attribute) -> None:
    first: dict[int, int] = {}
    for option in status["OptionSet"]["Options"]:
        first.setdefault(option["State"], option["Value"])
    options = [{"DefaultStatus": first[option["Value"]], **option} for option in state["OptionSet"]["Options"]]
    state["OptionSet"] = {**state["OptionSet"], "Options": options}


def _read(name: str) -> Any:
    file = resources.files("tandem_emulators.dataverse").joinpath("data", f"{name}.json")
    return msgspec.json.decode(file.read_bytes())
