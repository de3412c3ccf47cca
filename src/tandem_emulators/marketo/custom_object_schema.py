"""The custom object schema API: types in drafts, and their approval (4.4).

Every change is made to a draft, which comes into being with the first of them; approval replaces the live version.
What records hang on is frozen by the first approval: names, links and keys.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from tandem_emulators.marketo.call import Call, choice
from tandem_emulators.marketo.custom_object_calls import relationships
from tandem_emulators.marketo.custom_object_input import (
    API_NAME,
    DISPLAY_NAME,
    check_entitled,
    check_own,
    flag_of,
    kind_of,
    name_of,
    own_kind,
    stated_state,
    text_of,
)
from tandem_emulators.marketo.custom_objects import CustomField, CustomType, Version, field_data
from tandem_emulators.marketo.envelope import Reply
from tandem_emulators.marketo.errors import ApiError, invalid, missing_parameter
from tandem_emulators.marketo.object_calls import shown_field
from tandem_emulators.marketo.people import iso
from tandem_emulators.marketo.subscription import Handler, Subscription

TYPES_MAX = 10
ACTIONS = ("createOrUpdate", "createOnly", "updateOnly")


def list_types(subscription: Subscription, call: Call) -> Reply:
    check_entitled(subscription)
    names, state = {name.lower() for name in call.texts("names")}, stated_state(call)
    chosen = [kind for kind in subscription.custom_objects if not names or kind.api_name.lower() in names]
    return Reply([shown for kind in chosen if (shown := _shown(kind, state)) is not None])


def describe_type(subscription: Subscription, call: Call) -> Reply:
    shown = _shown(kind_of(subscription, call), stated_state(call))
    if shown is None:
        raise ApiError("1013", "Object not found")
    return Reply([shown])


def sync_type(subscription: Subscription, call: Call) -> Reply:
    check_entitled(subscription)
    body = call.body()
    action = choice(body, "action", ACTIONS, "createOrUpdate")
    api_name = name_of(body, "apiName", API_NAME)
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


def approve(subscription: Subscription, call: Call) -> Reply:
    kind = own_kind(subscription, call)
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
    kind = own_kind(subscription, call)
    if kind.draft is None:
        raise ApiError("1048", "Custom Object Discard Draft Failed")
    if kind.approved is None:
        subscription.custom_objects.remove(kind)
    else:
        subscription.custom_objects.save(msgspec.structs.replace(kind, draft=None))
    return Reply([])


def delete_type(subscription: Subscription, call: Call) -> Reply:
    kind = own_kind(subscription, call)
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


def dependent_assets(subscription: Subscription, call: Call) -> Reply:
    return Reply(_dependents(subscription, kind_of(subscription, call)))


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
    check_own(kind)
    version = _described(kind.latest(), body)
    if kind.approved is not None and version.display_name != kind.approved.display_name:
        raise invalid("The displayName of an approved custom object type cannot be changed")
    return msgspec.structs.replace(kind, draft=version)


def _described(version: Version, body: Mapping[str, Any]) -> Version:
    display_name = name_of(body, "displayName", DISPLAY_NAME) if body.get("displayName") else version.display_name
    return msgspec.structs.replace(
        version,
        display_name=display_name,
        plural_name=text_of(body, "pluralName", version.plural_name),
        description=text_of(body, "description", version.description),
        show_in_lead_detail=flag_of(body, "showInLeadDetail", version.show_in_lead_detail),
    )


def _check_display_name_is_free(subscription: Subscription, kind: CustomType) -> None:
    wanted = kind.latest().display_name.lower()
    for other in subscription.custom_objects:
        if other.api_name != kind.api_name and other.latest().display_name.lower() == wanted:
            raise ApiError("1017", "Object already exists")


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


def _points_at(field: CustomField, kind: CustomType) -> bool:
    return field.related_to is not None and field.related_to.name.lower() == kind.api_name.lower()


HANDLERS: Mapping[str, Handler] = {
    "customobjects.schema.list": list_types,
    "customobjects.schema.describe": describe_type,
    "customobjects.schema.sync": sync_type,
    "customobjects.schema.approve": approve,
    "customobjects.schema.discard": discard_draft,
    "customobjects.schema.delete": delete_type,
    "customobjects.schema.dependents": dependent_assets,
}
