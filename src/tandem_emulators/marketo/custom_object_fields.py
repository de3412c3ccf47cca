"""The fields of custom object types: add, update and delete them in a draft (4.4).

All of a call is done or nothing. After the first approval links, keys and the kinds of fields that hold data stay.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from tandem_emulators.marketo.call import Call
from tandem_emulators.marketo.custom_object_input import (
    API_NAME,
    DISPLAY_NAME,
    bad,
    check_entitled,
    flag_of,
    name_of,
    own_kind,
    text_of,
)
from tandem_emulators.marketo.custom_objects import (
    DATA_TYPES,
    LINK_TARGETS,
    STANDARD,
    CustomField,
    CustomType,
    RelatedTo,
    Version,
)
from tandem_emulators.marketo.envelope import Reply
from tandem_emulators.marketo.errors import ApiError, field_not_found, invalid, missing_parameter
from tandem_emulators.marketo.subscription import Handler, Subscription

FIELDS_MAX = 50
LATER_FIELDS_MAX = 20
DEDUPE_FIELDS_MAX = 3
_TEXTUAL = frozenset({"string", "email", "phone", "text"})


def add_fields(subscription: Subscription, call: Call) -> Reply:
    """All of them or none."""
    kind = own_kind(subscription, call)
    version = kind.latest()
    for raw in call.input(call.body()):
        version = _with_field(version, _read_field(subscription, kind, raw))
    _check_counts(kind, version)
    _check_frozen(kind, version)
    subscription.custom_objects.save(msgspec.structs.replace(kind, draft=version))
    return Reply([])


def update_field(subscription: Subscription, call: Call) -> Reply:
    kind, name = own_kind(subscription, call), call.path["fieldApiName"]
    version = kind.latest()
    present = version.find(name)
    if present is None:
        raise field_not_found(name)
    attributes = call.body()
    unknown = set(attributes) - {"name", "displayName", "dataType", "description", "isDedupeField", "relatedTo"}
    if unknown:
        raise ApiError("1011", f"Field '{min(unknown)}' not supported")
    changed = _read_field(subscription, kind, _attributes_of(present) | attributes)
    others = msgspec.structs.replace(version, fields=[field for field in version.fields if field is not present])
    _with_field(others, changed)  # its names must be free among the others
    fields = [changed if field is present else field for field in version.fields]
    version = msgspec.structs.replace(version, fields=fields)
    _check_counts(kind, version)
    _check_frozen(kind, version)
    subscription.custom_objects.save(msgspec.structs.replace(kind, draft=version))
    return Reply([])


def delete_fields(subscription: Subscription, call: Call) -> Reply:
    kind = own_kind(subscription, call)
    version = kind.latest()
    for raw in call.input(call.body()):
        name = name_of(raw, "name", API_NAME)
        doomed = version.find(name)
        if doomed is None:
            raise field_not_found(name)
        version = msgspec.structs.replace(version, fields=[field for field in version.fields if field is not doomed])
    _check_frozen(kind, version)
    subscription.custom_objects.save(msgspec.structs.replace(kind, draft=version))
    return Reply([])


def data_types(subscription: Subscription, call: Call) -> Reply:
    check_entitled(subscription)
    return Reply(list(DATA_TYPES))


def linkable_objects(subscription: Subscription, call: Call) -> Reply:
    check_entitled(subscription)
    return Reply(subscription.custom_objects.linkable())


def _read_field(subscription: Subscription, kind: CustomType, raw: Mapping[str, Any]) -> CustomField:
    for required in ("name", "displayName", "dataType"):
        if raw.get(required) in (None, ""):
            raise missing_parameter(required)
    data_type = raw["dataType"]
    if data_type not in DATA_TYPES:
        raise bad("dataType", data_type)
    related_to, stored_type = _read_link(subscription, kind, data_type, raw.get("relatedTo"))
    return CustomField(
        name=name_of(raw, "name", API_NAME),
        display_name=name_of(raw, "displayName", DISPLAY_NAME),
        data_type=data_type,
        description=text_of(raw, "description", None),
        is_dedupe_field=flag_of(raw, "isDedupeField", False),
        related_to=related_to,
        stored_type=stored_type,
    )


def _read_link(
    subscription: Subscription, kind: CustomType, data_type: str, related_to: Any
) -> tuple[RelatedTo | None, str]:
    if data_type != "link":
        if related_to is not None:
            raise invalid("relatedTo can only be used with dataType 'link'")
        return None, ""
    if related_to is None:
        raise missing_parameter("relatedTo")
    try:
        wanted = msgspec.convert(related_to, RelatedTo)
    except msgspec.ValidationError as error:
        raise bad("relatedTo", related_to) from error
    found = subscription.custom_objects.resolve_link(wanted)
    if found is None or found[0].name.lower() == kind.api_name.lower():
        raise invalid(f"Invalid link to field '{wanted.field}' of object '{wanted.name}'")
    return found


def _attributes_of(field: CustomField) -> dict[str, Any]:
    built: dict[str, Any] = msgspec.to_builtins(field)
    del built["storedType"]
    return built


def _with_field(version: Version, field: CustomField) -> Version:
    taken = {data.name.lower() for data in STANDARD} | {other.name.lower() for other in version.fields}
    shown = {data.display_name.lower() for data in STANDARD} | {other.display_name.lower() for other in version.fields}
    if field.name.lower() in taken:
        raise invalid(f"Field '{field.name}' already exists")
    if field.display_name.lower() in shown:
        raise invalid(f"A field with the displayName '{field.display_name}' already exists")
    return msgspec.structs.replace(version, fields=[*version.fields, field])


def _check_counts(kind: CustomType, version: Version) -> None:
    limit = FIELDS_MAX
    if kind.fields_at_approval is not None:
        limit = min(limit, kind.fields_at_approval + LATER_FIELDS_MAX)
    if len(version.fields) > limit:
        raise ApiError("1028", f"Max field limit reached: {limit}")
    if len(version.dedupe_names()) > DEDUPE_FIELDS_MAX:
        raise invalid(f"A custom object type has at most {DEDUPE_FIELDS_MAX} dedupe fields")
    to_standard = [field for field in version.links() if field.related_to and field.related_to.name in LINK_TARGETS]
    if len(to_standard) > 1 or len(version.links()) - len(to_standard) > 1:
        raise invalid("A custom object type has at most one link to Lead or Company and one to a custom object")


def _check_frozen(kind: CustomType, version: Version) -> None:
    """After the first approval neither links nor keys change, nor the names and kinds of fields that hold data."""
    if kind.approved is None:
        return
    if sorted(version.dedupe_names()) != sorted(kind.approved.dedupe_names()):
        raise invalid("The dedupe fields of an approved custom object type cannot be changed")
    if {field.name: field.related_to for field in version.links()} != {
        field.name: field.related_to for field in kind.approved.links()
    }:
        raise invalid("The link fields of an approved custom object type cannot be changed")
    for field in kind.approved.fields:
        now = version.find(field.name)
        if now is not None and now.data_type != field.data_type and not {now.data_type, field.data_type} <= _TEXTUAL:
            raise invalid(f"The dataType of field '{field.name}' cannot be changed")


HANDLERS: Mapping[str, Handler] = {
    "customobjects.schema.addfield": add_fields,
    "customobjects.schema.updatefield": update_field,
    "customobjects.schema.deletefield": delete_fields,
    "customobjects.schema.datatypes": data_types,
    "customobjects.schema.linkable": linkable_objects,
}
