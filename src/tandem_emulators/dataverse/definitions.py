"""Definitions as clients send them, read into the form in which the store keeps them.

The reverse of `metadata_render`: labels become texts, managed properties their values. What a column of its type must
have and the client left out is filled in, as the service does.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tandem_emulators.dataverse import schema_errors
from tandem_emulators.dataverse.metadata_render import (
    COLUMN_CAST,
    COLUMN_LABELS,
    COLUMN_PLAIN,
    TABLE_LABELS,
    TABLE_MANAGED,
)
from tandem_emulators.dataverse.schema import BASE_LANGUAGE
from tandem_emulators.dataverse.table_parts import Attribute, make_column, option_set

Label = str | dict[str, str] | None

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
# A publisher's prefix: two to eight letters and digits, a letter first, never the vendor's own "mscrm".
_PREFIX = re.compile(r"(?!mscrm)[a-z][a-z0-9]{1,7}_\w", re.IGNORECASE)
_NAME_LENGTH_MAX = 100
_CUSTOM_OPTIONS_START = 100_000_000
_TYPE = re.compile(r"#?Microsoft\.Dynamics\.CRM\.(?:Complex)?(\w+)AttributeMetadata")
_MONEY_MAX = 922_337_203_685_477
_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "String": {"MaxLength": 100, "FormatName": "Text", "ImeMode": "Auto"},
    "Memo": {"MaxLength": 2000, "FormatName": "TextArea", "Format": "TextArea", "ImeMode": "Auto"},
    "Integer": {"MinValue": -(2**31), "MaxValue": 2**31 - 1, "Format": "None"},
    "BigInt": {"MinValue": -(2**63), "MaxValue": 2**63 - 1},
    "Decimal": {"MinValue": -100_000_000_000, "MaxValue": 100_000_000_000, "Precision": 2},
    "Double": {"MinValue": 0, "MaxValue": 1_000_000_000, "Precision": 2},
    "Money": {"MinValue": -_MONEY_MAX, "MaxValue": _MONEY_MAX, "Precision": 2, "PrecisionSource": 2},
    "Boolean": {"DefaultValue": False},
    "DateTime": {"Format": "DateAndTime", "DateTimeBehavior": "UserLocal", "ImeMode": "Auto"},
    "Picklist": {"DefaultFormValue": -1},
    "MultiSelectPicklist": {"DefaultFormValue": -1},
    "File": {"MaxSizeInKB": 32768, "IsValidForCreate": False, "IsValidForUpdate": False},
    "Image": {},
    "Lookup": {"Format": "None"},
}
_LENGTH_MAX = {"String": 4000, "Memo": 1_048_576}
_REQUIRED_LEVELS = frozenset({"None", "SystemRequired", "ApplicationRequired", "Recommended"})
_PROPERTY_TYPES: Mapping[str, Any] = {
    "MaxLength": int,
    "DatabaseLength": int,
    "Precision": int,
    "PrecisionSource": int,
    "MaxSizeInKB": int,
    "DefaultFormValue": int,
    "MinValue": int | float,
    "MaxValue": int | float,
    "DefaultValue": bool,
    "SourceType": int,
}
_WITH_CHOICES = frozenset({"Picklist", "MultiSelectPicklist"})


def check_name(name: Any, kind: str) -> str:
    """A schema name that a customer may give, or the refusal that fits what is wrong with it."""
    if not isinstance(name, str) or not name:
        raise schema_errors.bad_prefix("", kind)
    if not _NAME.fullmatch(name) or not name.isascii():
        raise schema_errors.bad_characters(name, kind)
    if not _PREFIX.match(name):
        raise schema_errors.bad_prefix(name, kind)
    if len(name) > _NAME_LENGTH_MAX:
        raise schema_errors.name_too_long(name, kind, _NAME_LENGTH_MAX)
    return name


def parse_label(value: Any) -> Label:
    """A text if there is only the base language, else a text for each language."""
    labels = value.get("LocalizedLabels") if isinstance(value, dict) else None
    if not isinstance(labels, list):
        return None
    texts = {str(one["LanguageCode"]): one["Label"] for one in labels if _is_text_in_a_language(one)}
    return texts[str(BASE_LANGUAGE)] if list(texts) == [str(BASE_LANGUAGE)] else texts or None


def _is_text_in_a_language(one: Any) -> bool:
    if not isinstance(one, dict) or not isinstance(one.get("Label"), str):
        return False
    code = one.get("LanguageCode")
    return isinstance(code, int) and not isinstance(code, bool) and 0 < code < 2**16


def merge_labels(present: Label, new: Label) -> Label:
    """What `MSCRM.MergeLabels` asks for: languages that the new definition leaves out stay."""
    languages = [{str(BASE_LANGUAGE): one} if isinstance(one, str) else one or {} for one in (present, new)]
    merged = languages[0] | languages[1]
    return merged[str(BASE_LANGUAGE)] if list(merged) == [str(BASE_LANGUAGE)] else merged or None


def plain(value: Any) -> Any:
    """The value in a managed property or in another object around one value."""
    return value.get("Value") if isinstance(value, dict) and "Value" in value else value


def column_kind(body: Mapping[str, Any]) -> str:
    found = _TYPE.fullmatch(str(body.get("@odata.type", "")))
    if found is None or found[1] not in _DEFAULTS:
        raise schema_errors.bad_definition(f"The type of an attribute is not valid: '{body.get('@odata.type')}'.")
    return found[1]


def parse_column(table: str, body: Mapping[str, Any], choices: Mapping[str, Mapping[str, Any]]) -> Attribute:
    """A new column. `choices` are the global ones that it may refer to."""
    kind = column_kind(body)
    name = check_name(body.get("SchemaName"), "Attribute")
    properties = dict(_DEFAULTS[kind]) | column_changes(body)
    if kind == "DateTime" and properties.get("Format") == "DateOnly" and "DateTimeBehavior" not in body:
        properties["DateTimeBehavior"] = "UserLocal"
    properties |= _choices(table, name, kind, body, choices)
    properties = {key: value for key, value in properties.items() if key not in ("LogicalName", "SchemaName")}
    column = make_column(name, kind, **{**properties, "IsCustomAttribute": True, "IsManaged": False})
    check_limits(column)
    return column


def column_changes(body: Mapping[str, Any]) -> dict[str, Any]:
    """The properties of a definition that the store keeps, in its form. Absent ones are left out."""
    found: dict[str, Any] = {name: parse_label(body[name]) for name in COLUMN_LABELS if name in body}
    kept = {*COLUMN_CAST, "RequiredLevel", "IsPrimaryName", "IsAuditEnabled", "IsSecured", "IsValidForAdvancedFind"}
    kept |= {"AutoNumberFormat", "SourceType"} & set(COLUMN_PLAIN)
    found |= {name: _kept(name, body[name]) for name in kept if body.get(name) is not None}
    if found.get("RequiredLevel", "None") not in _REQUIRED_LEVELS:
        raise schema_errors.bad_definition(f"'{found['RequiredLevel']}' is no value of RequiredLevel.")
    return found


def _kept(name: str, value: Any) -> Any:
    """A property's value in the form of the store, if it is of the type that the property has."""
    found = plain(value)
    expected = _PROPERTY_TYPES.get(name, bool if name.startswith(("Is", "Has", "Can")) else str)
    if name == "Targets":
        expected = list
    wrong = not isinstance(found, expected) or (isinstance(found, bool) and expected not in (bool, object))
    if wrong or (isinstance(found, float) and not math.isfinite(found)) or _is_too_large(found):
        raise schema_errors.bad_definition(f"The value of the property '{name}' has the wrong type.")
    return found


def _is_too_large(value: Any) -> bool:
    return isinstance(value, int) and not -(2**63) <= value < 2**63


def check_limits(column: Mapping[str, Any]) -> None:
    """Whether lengths and ranges of a definition are possible ones."""
    kind = str(column["AttributeTypeName"]).removesuffix("Type")
    length = column.get("MaxLength")
    if kind in _LENGTH_MAX and not (isinstance(length, int) and 1 <= length <= _LENGTH_MAX[kind]):
        raise schema_errors.bad_definition(f"MaxLength of a {kind} attribute is between 1 and {_LENGTH_MAX[kind]}.")
    low, high = column.get("MinValue"), column.get("MaxValue")
    if low is not None and high is not None and (not _is_number(low) or not _is_number(high) or low > high):
        raise schema_errors.bad_definition("MinValue must not be greater than MaxValue.")
    precision = column.get("Precision", 0)
    if not isinstance(precision, int) or not 0 <= precision <= 10:
        raise schema_errors.bad_definition("Precision is between 0 and 10.")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _choices(
    table: str, name: str, kind: str, body: Mapping[str, Any], choices: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    if kind == "Boolean":
        return {"OptionSet": _yes_no(f"{table}_{name.lower()}", body.get("OptionSet"))}
    if kind not in _WITH_CHOICES:
        return {}
    bound = body.get("GlobalOptionSet@odata.bind")
    if bound is not None:
        return {"OptionSet": _bound_choice(str(bound), choices)}
    given = body.get("OptionSet")
    if not isinstance(given, dict):
        raise schema_errors.bad_option_set()
    if given.get("IsGlobal") is True:
        if given.get("Name") not in choices:
            raise schema_errors.bad_option_set()
        return {"OptionSet": choices[str(given["Name"])]}
    made = option_set(f"{table}_{name.lower()}", "Picklist", parse_options(given.get("Options")))
    return {"OptionSet": {**made, "DisplayName": parse_label(given.get("DisplayName"))}}


def _bound_choice(text: str, choices: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    found = re.search(r"GlobalOptionSetDefinitions\((?:Name='([^']*)'|([0-9a-fA-F-]{36}))\)$", text)
    for choice in choices.values() if found else ():
        if found and (choice["Name"] == found[1] or choice.get("MetadataId") == (found[2] or "").lower()):
            return choice
    raise schema_errors.bad_option_set()


def _yes_no(name: str, given: Any) -> dict[str, Any]:
    made: dict[str, Any] = option_set(name, "Boolean", [])
    del made["Options"]
    sides = given if isinstance(given, dict) else {}
    for side, value, text in (("TrueOption", 1, "Yes"), ("FalseOption", 0, "No")):
        option = sides.get(side, {})
        if not isinstance(option, dict) or (given is not None and side not in sides):
            raise schema_errors.two_options_needed()
        made[side] = {"Value": value, "Label": parse_label(option.get("Label")) or text}
    return made


def parse_options(given: Any, start: int = _CUSTOM_OPTIONS_START) -> list[dict[str, Any]]:
    """Options of a choice; one without a value takes the next free one from where custom values start."""
    options: list[dict[str, Any]] = []
    for one in given if isinstance(given, Sequence) and not isinstance(given, str) else ():
        if not isinstance(one, dict):
            raise schema_errors.bad_option_set()
        taken = {option["Value"] for option in options}
        value = one.get("Value")
        value = next_value(taken, start) if value is None else value
        if not isinstance(value, int) or isinstance(value, bool) or value in taken or not -(2**31) <= value < 2**31:
            raise schema_errors.bad_option_set()
        options.append(parse_option(value, one))
    return options


def parse_option(value: int, given: Mapping[str, Any]) -> dict[str, Any]:
    """An option by its value; its label may be missing."""
    option: dict[str, Any] = {"Value": value, "Label": parse_label(given.get("Label")), "IsManaged": False}
    if parse_label(given.get("Description")):
        option["Description"] = parse_label(given.get("Description"))
    return option | {name: given[name] for name in ("Color", "ExternalValue") if isinstance(given.get(name), str)}


def next_value(taken: set[int], start: int = _CUSTOM_OPTIONS_START) -> int:
    return max((value for value in taken if value >= start), default=start - 1) + 1


def table_changes(body: Mapping[str, Any]) -> dict[str, Any]:
    """The properties of a table's definition that the store keeps, in its form."""
    found: dict[str, Any] = {name: parse_label(body[name]) for name in TABLE_LABELS if name in body}
    found |= {name: _kept(name, body[name]) for name in TABLE_MANAGED if body.get(name) is not None}
    if isinstance(body.get("ChangeTrackingEnabled"), bool):
        found["ChangeTrackingEnabled"] = body["ChangeTrackingEnabled"]
    kept = (
        "HasActivities",
        "HasNotes",
        "HasEmailAddresses",
        "IsActivity",
        "IsQuickCreateEnabled",
        "IsAvailableOffline",
        "IsDocumentManagementEnabled",
        "EntityColor",
        "ExternalName",
    )
    return found | {name: _kept(name, body[name]) for name in kept if body.get(name) is not None}


def set_name_of(logical_name: str) -> str:
    """The English plural, as the service makes it for a table that names no set of its own."""
    if logical_name.endswith("y") and logical_name[-2:-1] not in "aeiou":
        return f"{logical_name[:-1]}ies"
    return f"{logical_name}es" if logical_name.endswith(("s", "x", "ch", "sh", "z")) else f"{logical_name}s"
