"""The field schema API of leads and of program members (3.7): list, read, create and update fields.

A field can be hidden, never deleted.
"""

import re
from dataclasses import replace
from typing import Any

from tandem_emulators.marketo.call import Call
from tandem_emulators.marketo.catalogue import FieldSet
from tandem_emulators.marketo.envelope import Reply
from tandem_emulators.marketo.errors import ApiError, field_not_found, invalid, missing_parameter
from tandem_emulators.marketo.fields import STRING_LENGTH, Field
from tandem_emulators.marketo.subscription import Handler, Subscription

CREATABLE_TYPES = (
    "boolean", "currency", "date", "datetime", "email", "float", "integer", "percent", "phone", "score", "string",
    "url",
)  # fmt: skip
API_FIELDS_MAX = {"leads": 100, "programmembers": 20}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,254}")
_DISPLAY_NAME = re.compile(r"[\w][\w .()/'-]{0,254}")
WITH_LENGTH = frozenset({"email", "phone", "string", "url"})
_FLAGS = {"isHidden": "is_hidden", "isHtmlEncodingInEmail": "is_html_encoding", "isSensitive": "is_sensitive"}
_EDITABLE = frozenset({"displayName", "description", *_FLAGS})
_EDITABLE_STANDARD = frozenset({"description", "isHtmlEncodingInEmail", "isSensitive"})


def list_fields(subscription: Subscription, call: Call) -> Reply:
    after, mark = subscription.position(call.text("nextPageToken"), call.operation.name)
    size = call.batch_size()
    rest = sorted((field for field in _fields(subscription, call) if field.id > after), key=lambda field: field.id)
    page, token = subscription.page(rest[: size + 1], size, mark, lambda field: field.id)
    return Reply([_shown(field) for field in page], token, more_result=token is not None)


def get_field(subscription: Subscription, call: Call) -> Reply:
    return Reply([_shown(_find(subscription, call))])


def create_fields(subscription: Subscription, call: Call) -> Reply:
    """All fields of the input, or none: a refused one refuses the call."""
    fields, limit = _fields(subscription, call), API_FIELDS_MAX[_group(call)]
    fresh = [_read(raw) for raw in call.input(call.body())]
    made = sum(field.is_api_created for field in fields)
    if made + len(fresh) > limit:
        raise ApiError("1028", f"Max field limit reached: {limit}")
    _check_unique(fields, fresh)
    for field in fresh:
        fields.add_custom(field)
    return Reply([{"name": field.name, "status": "created"} for field in fresh])


def update_field(subscription: Subscription, call: Call) -> Reply:
    field = _find(subscription, call)
    records = call.input(call.body())
    if len(records) > 1:
        raise invalid("Only one field can be updated at a time")
    [change] = records
    editable = _EDITABLE if field.is_custom else _EDITABLE_STANDARD
    for name in change:
        if name not in editable or (name == "isHidden" and not field.is_api_created):
            raise ApiError("1011", f"Field '{name}' not supported")
    updated = _with_flags(replace(field, description=_description(change, field.description)), change)
    if "displayName" in change:
        updated = replace(updated, display_name=_display_name(change))
        other = _fields(subscription, call).find_displayed(updated.display_name)
        if other is not None and other.id != field.id:
            raise _taken("displayName", updated.display_name)
    _fields(subscription, call).save(updated)
    return Reply([{"name": field.name, "status": "updated"}])


def _read(raw: dict[str, Any]) -> Field:
    name, data_type = raw.get("name"), raw.get("dataType")
    for required in ("displayName", "name", "dataType"):
        if raw.get(required) in (None, ""):
            raise missing_parameter(required)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise invalid(f"Invalid value for field 'name' and value '{name}'")
    if data_type not in CREATABLE_TYPES:
        raise invalid(f"Invalid value for field 'dataType' and value '{data_type}'")
    field = Field(
        id=0,
        name=name,
        display_name=_display_name(raw),
        data_type=str(data_type),
        length=STRING_LENGTH if data_type in WITH_LENGTH else None,
        description=_description(raw, ""),
        is_custom=True,
        is_api_created=True,
    )
    return _with_flags(field, raw)


def _display_name(raw: dict[str, Any]) -> str:
    value = raw["displayName"]
    if not isinstance(value, str) or not _DISPLAY_NAME.fullmatch(value):
        raise invalid(f"Invalid value for field 'displayName' and value '{value}'")
    return value


def _description(raw: dict[str, Any], present: str) -> str:
    value = raw.get("description", present)
    if not isinstance(value, str):
        raise invalid(f"Invalid value for field 'description' and value '{value}'")
    return value


def _with_flags(field: Field, raw: dict[str, Any]) -> Field:
    changes: dict[str, Any] = {}
    for name, attribute in _FLAGS.items():
        value = raw.get(name)
        if value is None:
            continue
        if not isinstance(value, bool):
            raise invalid(f"Invalid value for field '{name}' and value '{value}'")
        changes[attribute] = value
    return replace(field, **changes)


def _check_unique(fields: FieldSet, fresh: list[Field]) -> None:
    names: set[str] = set()
    shown: set[str] = set()
    for field in fresh:
        if field.name.lower() in names or fields.find(field.name) is not None:
            raise _taken("name", field.name)
        if field.display_name.lower() in shown or fields.find_displayed(field.display_name) is not None:
            raise _taken("displayName", field.display_name)
        names.add(field.name.lower())
        shown.add(field.display_name.lower())


def _taken(attribute: str, value: str) -> ApiError:
    return invalid(f"Invalid value for field '{attribute}' and value '{value}': a field of that {attribute} exists")


def _find(subscription: Subscription, call: Call) -> Field:
    name = call.path["fieldApiName"]
    field = _fields(subscription, call).find_exact(name)
    if field is None:
        raise field_not_found(name)
    return field


def _fields(subscription: Subscription, call: Call) -> FieldSet:
    return subscription.fields if _group(call) == "leads" else subscription.programs.fields


def _group(call: Call) -> str:
    return call.operation.name.partition(".")[0]


def _shown(field: Field) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "displayName": field.display_name,
        "name": field.name,
        "description": field.description,
        "dataType": field.data_type,
    }
    if field.length is not None:
        shown["length"] = field.length
    return shown | {
        "isHidden": field.is_hidden,
        "isHtmlEncodingInEmail": field.is_html_encoding,
        "isSensitive": field.is_sensitive,
        "isCustom": field.is_custom,
        "isApiCreated": field.is_api_created,
    }


HANDLERS: dict[str, Handler] = {
    f"{group}.fields.{what}": handler
    for group in API_FIELDS_MAX
    for what, handler in {
        "list": list_fields,
        "get": get_field,
        "create": create_fields,
        "update": update_field,
    }.items()
}
