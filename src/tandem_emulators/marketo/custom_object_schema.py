"""The custom object schema API: types in drafts, their fields, approval (4.4).

Every change is made to a draft, which comes into being with the first of them; approval replaces the live version.
What records hang on is frozen by the first approval: names, links and keys.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from tandem_emulators.marketo.call import Call, choice
from tandem_emulators.marketo.custom_objects import (
    DATA_TYPES,
    LINK_TARGETS,
    STANDARD,
    CustomField,
    CustomType,
    RelatedTo,
    Version,
    field_data,
)
from tandem_emulators.marketo.envelope import Reply
from tandem_emulators.marketo.errors import ApiError, field_not_found, invalid, missing_parameter
from tandem_emulators.marketo.object_calls import shown_field
from tandem_emulators.marketo.objects import ObjectType
from tandem_emulators.marketo.people import iso
from tandem_emulators.marketo.subscription import Handler, Subscription

TYPES_MAX = 10
FIELDS_MAX = 50
LATER_FIELDS_MAX = 20
DEDUPE_FIELDS_MAX = 3
ACTIONS = ("createOrUpdate", "createOnly", "updateOnly")
STATES = ("draft", "approved", "approvedWithDraft")
_API_NAME = re.compile(r"[A-Za-z0-9_]{1,255}")
_DISPLAY_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_ ]{0,254}")
_TEXTUAL = frozenset({"string", "email", "phone", "text"})


def list_types(subscription: Subscription, call: Call) -> Reply:
    _check_entitled(subscription)
    names, state = {name.lower() for name in call.texts("names")}, _state(call)
    chosen = [kind for kind in subscription.custom_objects if not names or kind.api_name.lower() in names]
    return Reply([shown for kind in chosen if (shown := _shown(kind, state)) is not None])


def describe_type(subscription: Subscription, call: Call) -> Reply:
    shown = _shown(_kind(subscription, call), _state(call))
    if shown is None:
        raise ApiError("1013", "Object not found")
    return Reply([shown])


def sync_type(subscription: Subscription, call: Call) -> Reply:
    _check_entitled(subscription)
    body = call.body()
    action = choice(body, "action", ACTIONS, "createOrUpdate")
    api_name = _name(body, "apiName", _API_NAME)
    kind = subscription.custom_objects.find(api_name)
    if kind is None and action == "updateOnly":
        raise ApiError("1013", "Object not found")
    if kind is not None and action == "createOnly":
        raise ApiError("1017", "Object already exists")
    if action != "updateOnly" and body.get("displayName") in (None, ""):
        raise missing_parameter("displayName")
    changed = _created(subscription, api_name, body) if kind is None else _updated(kind, body)
    _check_display_name_is_free(subscription, changed)
    subscription.custom_objects.save(changed)
    return Reply([])


def add_fields(subscription: Subscription, call: Call) -> Reply:
    """All of them or none."""
    kind = _own_kind(subscription, call)
    version = kind.latest()
    for raw in call.input(call.body()):
        version = _with_field(version, _read_field(subscription, kind, raw))
    _check_counts(kind, version)
    _check_frozen(kind, version)
    subscription.custom_objects.save(msgspec.structs.replace(kind, draft=version))
    return Reply([])


def update_field(subscription: Subscription, call: Call) -> Reply:
    kind, name = _own_kind(subscription, call), call.path["fieldApiName"]
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
    kind = _own_kind(subscription, call)
    version = kind.latest()
    for raw in call.input(call.body()):
        name = _name(raw, "name", _API_NAME)
        doomed = version.find(name)
        if doomed is None:
            raise field_not_found(name)
        version = msgspec.structs.replace(version, fields=[field for field in version.fields if field is not doomed])
    _check_frozen(kind, version)
    subscription.custom_objects.save(msgspec.structs.replace(kind, draft=version))
    return Reply([])


def approve(subscription: Subscription, call: Call) -> Reply:
    kind = _own_kind(subscription, call)
    if kind.draft is None:
        raise invalid(f"Custom object type '{kind.api_name}' has no draft to approve")
    _check_approvable(kind.api_name, kind.draft)
    subscription.custom_objects.save(approved(kind, int(call.now_s)))
    return Reply([])


def approved(kind: CustomType, now_s: int) -> CustomType:
    """The type with its draft as the live version."""
    assert kind.draft is not None, kind.api_name
    first = kind.approved is None
    return msgspec.structs.replace(
        kind,
        approved=kind.draft,
        draft=None,
        created_s=now_s if first else kind.created_s,
        updated_s=now_s,
        fields_at_approval=len(kind.draft.fields) if first else kind.fields_at_approval,
    )


def discard_draft(subscription: Subscription, call: Call) -> Reply:
    """A type that was never approved is nothing but its draft, and goes with it."""
    kind = _own_kind(subscription, call)
    if kind.draft is None:
        raise ApiError("1048", "Custom Object Discard Draft Failed")
    if kind.approved is None:
        subscription.custom_objects.remove(kind)
    else:
        subscription.custom_objects.save(msgspec.structs.replace(kind, draft=None))
    return Reply([])


def delete_type(subscription: Subscription, call: Call) -> Reply:
    kind = _own_kind(subscription, call)
    linked = [
        other
        for other in subscription.custom_objects
        for version in (other.draft, other.approved)
        if version is not None and any(_points_at(field, kind) for field in version.links())
    ]
    if linked or _dependents(subscription, kind):
        raise ApiError("1022", "Object in use")
    subscription.custom_objects.remove(kind)
    return Reply([])


def data_types(subscription: Subscription, call: Call) -> Reply:
    _check_entitled(subscription)
    return Reply(list(DATA_TYPES))


def linkable_objects(subscription: Subscription, call: Call) -> Reply:
    _check_entitled(subscription)
    return Reply(subscription.custom_objects.linkable())


def dependent_assets(subscription: Subscription, call: Call) -> Reply:
    return Reply(_dependents(subscription, _kind(subscription, call)))


def _dependents(subscription: Subscription, kind: CustomType) -> list[dict[str, Any]]:
    """The smart campaigns that a person made to look at this type."""
    name = kind.api_name
    found = [
        (campaign, next((used for used in campaign.custom_objects if used.lower() == name.lower()), None))
        for campaign in subscription.campaigns.all()
    ]
    return [
        {
            "assetType": "Smart Campaign",
            "assetId": campaign.id,
            "assetName": f"{campaign.name} (Smart List)",
            "usedFields": campaign.custom_objects[used],
        }
        for campaign, used in found
        if used is not None
    ]


def _created(subscription: Subscription, api_name: str, body: Mapping[str, Any]) -> CustomType:
    if sum(1 for _ in subscription.custom_objects) >= TYPES_MAX:
        raise invalid(f"Max custom object type limit reached: {TYPES_MAX}")
    taken = {"lead", *(kind.name.lower() for kind in subscription.types.values())}
    if api_name.lower() in taken:
        raise ApiError("1017", "Object already exists")
    return CustomType(api_name, draft=_described(Version(""), body))


def _updated(kind: CustomType, body: Mapping[str, Any]) -> CustomType:
    _check_own(kind)
    version = _described(kind.latest(), body)
    if kind.approved is not None and version.display_name != kind.approved.display_name:
        raise invalid("The displayName of an approved custom object type cannot be changed")
    return msgspec.structs.replace(kind, draft=version)


def _described(version: Version, body: Mapping[str, Any]) -> Version:
    display_name = _name(body, "displayName", _DISPLAY_NAME) if body.get("displayName") else version.display_name
    return msgspec.structs.replace(
        version,
        display_name=display_name,
        plural_name=_text(body, "pluralName", version.plural_name),
        description=_text(body, "description", version.description),
        show_in_lead_detail=_flag(body, "showInLeadDetail", version.show_in_lead_detail),
    )


def _check_display_name_is_free(subscription: Subscription, kind: CustomType) -> None:
    wanted = kind.latest().display_name.lower()
    for other in subscription.custom_objects:
        if other.api_name != kind.api_name and other.latest().display_name.lower() == wanted:
            raise ApiError("1017", "Object already exists")


def _read_field(subscription: Subscription, kind: CustomType, raw: Mapping[str, Any]) -> CustomField:
    for required in ("name", "displayName", "dataType"):
        if raw.get(required) in (None, ""):
            raise missing_parameter(required)
    data_type = raw["dataType"]
    if data_type not in DATA_TYPES:
        raise _bad("dataType", data_type)
    related_to, stored_type = _read_link(subscription, kind, data_type, raw.get("relatedTo"))
    return CustomField(
        name=_name(raw, "name", _API_NAME),
        display_name=_name(raw, "displayName", _DISPLAY_NAME),
        data_type=data_type,
        description=_text(raw, "description", None),
        is_dedupe_field=_flag(raw, "isDedupeField", False),
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
        raise _bad("relatedTo", related_to) from error
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


def _check_approvable(api_name: str, version: Version) -> None:
    """A key is needed, except by an intermediary, which lives by its two links."""
    if not version.dedupe_names() and len(version.links()) < 2:
        raise invalid(f"Custom object type '{api_name}' needs a dedupe field to be approved")


def _shown(kind: CustomType, state: str | None) -> dict[str, Any] | None:
    """One version of a type: the wanted one, else the approved one, else the draft."""
    if state == "approvedWithDraft" and kind.state != state:
        return None
    drafted = state in ("draft", "approvedWithDraft") or (state is None and kind.approved is None)
    version = kind.draft if drafted else kind.approved
    if version is None:
        return None
    is_new = kind.approved is None
    return {
        "state": kind.state,
        "version": "draft" if drafted else "approved",
        "displayName": version.display_name,
        "pluralName": version.plural_name or version.display_name,
        "description": version.description,
        "apiName": kind.api_name,
        "idField": None if is_new else "marketoGUID",
        "createdAt": None if is_new else iso(kind.created_s),
        "updatedAt": None if is_new else iso(kind.updated_s),
        "dedupeFields": version.dedupe_names(),
        "searchableFields": [[]] if is_new and not version.dedupe_names() else version.searchable(),
        "relationships": relationships(version),
        "fields": [shown_field(data, crm_managed=kind.is_crm_managed) for data in field_data(version)],
    }


def relationships(version: Version) -> list[dict[str, Any]]:
    return [
        {
            "field": field.name,
            "type": "child",
            "relatedTo": {"name": _target_name(field.related_to.name), "field": field.related_to.field},
        }
        for field in version.links()
        if field.related_to is not None
    ]


def list_objects(subscription: Subscription, call: Call) -> Reply:
    """The types that have records, as the calls on records name them: without their fields (4.3)."""
    _check_licensed(subscription)
    names = {name.lower() for name in call.texts("names")}
    kinds = [kind for kind in subscription.custom_objects if kind.approved is not None]
    return Reply([head(kind) for kind in kinds if not names or kind.api_name.lower() in names])


def describe_object(subscription: Subscription, call: Call) -> Reply:
    records = subscription.custom_objects.records(call.path["customObjectName"])
    kind: ObjectType = records.kind
    fields = [shown_field(data, crm_managed=kind.crm_managed) for data in kind.fields]
    return Reply([head(subscription.custom_objects.get(kind.name)) | {"fields": fields}])


def head(kind: CustomType) -> dict[str, Any]:
    version = kind.approved
    assert version is not None, kind.api_name
    return {
        "name": kind.api_name,
        "displayName": version.display_name,
        "description": version.description or "",
        "createdAt": iso(kind.created_s),
        "updatedAt": iso(kind.updated_s),
        "idField": "marketoGUID",
        "dedupeFields": version.dedupe_names(),
        "searchableFields": version.searchable(),
        "relationships": relationships(version),
    }


def _target_name(name: str) -> str:
    return {"lead": "Lead", "company": "Company"}.get(name, name)


def _points_at(field: CustomField, kind: CustomType) -> bool:
    return field.related_to is not None and field.related_to.name.lower() == kind.api_name.lower()


def _kind(subscription: Subscription, call: Call) -> CustomType:
    _check_entitled(subscription)
    return subscription.custom_objects.get(call.path["apiName"])


def _own_kind(subscription: Subscription, call: Call) -> CustomType:
    kind = _kind(subscription, call)
    _check_own(kind)
    return kind


def _check_own(kind: CustomType) -> None:
    if kind.is_crm_managed:
        raise ApiError("1018", "CRM Enabled")


def _check_licensed(subscription: Subscription) -> None:
    if not subscription.settings.custom_objects:
        raise ApiError("1026", "Custom object not enabled")


def _check_entitled(subscription: Subscription) -> None:
    if not subscription.settings.custom_object_schema_api:
        raise ApiError("616", "Invalid subscription type")


def _state(call: Call) -> str | None:
    state = call.text("state")
    if state is not None and state not in STATES:
        raise _bad("state", state)
    return state


def _name(raw: Mapping[str, Any], attribute: str, form: re.Pattern[str]) -> str:
    value = raw.get(attribute)
    if value is None or value == "":
        raise missing_parameter(attribute)
    if not isinstance(value, str) or not form.fullmatch(value):
        raise _bad(attribute, value)
    return value


def _text(raw: Mapping[str, Any], attribute: str, present: str | None) -> str | None:
    value = raw.get(attribute)
    if value is not None and not isinstance(value, str):
        raise _bad(attribute, value)
    return present if value is None else value


def _flag(raw: Mapping[str, Any], attribute: str, present: bool) -> bool:
    value = raw.get(attribute)
    if value is not None and not isinstance(value, bool):
        raise _bad(attribute, value)
    return present if value is None else value


def _bad(attribute: str, value: Any) -> ApiError:
    return invalid(f"Invalid value for field '{attribute}' and value '{value}'")


HANDLERS: Mapping[str, Handler] = {
    "customobjects.list": list_objects,
    "customobjects.describe": describe_object,
    "customobjects.schema.list": list_types,
    "customobjects.schema.describe": describe_type,
    "customobjects.schema.sync": sync_type,
    "customobjects.schema.addfield": add_fields,
    "customobjects.schema.updatefield": update_field,
    "customobjects.schema.deletefield": delete_fields,
    "customobjects.schema.approve": approve,
    "customobjects.schema.discard": discard_draft,
    "customobjects.schema.delete": delete_type,
    "customobjects.schema.datatypes": data_types,
    "customobjects.schema.linkable": linkable_objects,
    "customobjects.schema.dependents": dependent_assets,
}
