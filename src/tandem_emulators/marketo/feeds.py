"""The three activity feeds, the activity types and the tokens that start a feed (5.1 to 5.3)."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

import msgspec

from tandem_emulators.marketo.activity_types import Attribute, Version
from tandem_emulators.marketo.call import Call
from tandem_emulators.marketo.catalogue import load_json
from tandem_emulators.marketo.envelope import Reply
from tandem_emulators.marketo.errors import ApiError, field_not_found, invalid, missing_parameter
from tandem_emulators.marketo.log import (
    CHANGE_DATA_VALUE,
    DELETE_LEAD,
    NEW_LEAD,
    Entry,
    Page,
    attribute_list,
    of_types,
)
from tandem_emulators.marketo.people import iso
from tandem_emulators.marketo.subscription import Handler, Subscription

TYPES_MAX = 10
LEADS_MAX = 30

Wanted = Callable[[Entry], bool]


def types(subscription: Subscription, call: Call) -> Reply:
    live = [(kind.id, kind.live) for kind in subscription.activity_types.all() if kind.live is not None]
    return Reply(_activity_types() + [_custom_type(number, version) for number, version in live])


def _custom_type(number: int, version: Version) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": number, "name": version.name, "description": version.description}
    if version.primary_attribute is not None:
        shown["primaryAttribute"] = _typed(version.primary_attribute)
    return shown | {"attributes": [_typed(attribute) for attribute in version.attributes]}


def _typed(attribute: Attribute) -> dict[str, Any]:
    return {"apiName": attribute.api_name, "name": attribute.name, "dataType": attribute.data_type}


@cache
def _activity_types() -> list[dict[str, Any]]:
    return [_type(raw) for raw in msgspec.json.decode(load_json("activity-types.json"))["types"]]


def _type(raw: dict[str, Any]) -> dict[str, Any]:
    """Where only names of attributes were recorded, their type is taken to be string."""
    shown = {"id": raw["id"], "name": raw["name"], "description": raw["name"]}
    if "primaryAttribute" in raw:
        shown["primaryAttribute"] = raw["primaryAttribute"]
    elif "primaryAttributeMeaning" in raw:
        shown["primaryAttribute"] = {"name": raw["primaryAttributeMeaning"].partition(" (")[0], "dataType": "string"}
    named = [{"name": name, "dataType": "string"} for name in raw.get("attributeNamesSeen", [])]
    return shown | {"attributes": raw.get("attributes", named)}


def paging_token(subscription: Subscription, call: Call) -> Reply:
    since = _instant(call.required("sinceDatetime"))
    later_s = 1 if subscription.settings.paging_token_since == "exclusive" else 0
    start = subscription.log.start(int(since.timestamp()) + later_s)
    return Reply(next_page_token=subscription.tokens.write_feed(start, call.now_s))


def _instant(text: str) -> datetime:
    """ISO 8601; a bare date or a missing zone is UTC, and a `+` that became a space on the way is taken back."""
    try:
        at = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text.strip())
        aware = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
        if not 1970 <= aware.year < 2200:
            raise ValueError(text)
    except (ValueError, OverflowError) as error:
        raise invalid(f"Invalid value for field 'sinceDatetime' and value '{text}'") from error
    return aware


def activities(subscription: Subscription, call: Call) -> Reply:
    type_ids = call.integers("activityTypeIds")
    if not type_ids:
        raise missing_parameter("activityTypeIds")
    if len(type_ids) > TYPES_MAX:
        raise invalid(f"The number of activityTypeIds, {len(type_ids)}, exceeds the maximum of {TYPES_MAX}")
    assets = frozenset(call.integers("assetIds"))
    if assets and len(type_ids) > 1:
        raise invalid("assetIds can only be used with one activityTypeId")
    by_type, by_lead = of_types(set(type_ids) - {DELETE_LEAD}), _lead_filter(subscription, call)

    def wanted(entry: Entry) -> bool:
        return by_type(entry) and by_lead(entry) and (not assets or entry.primary_id in assets)

    return _read(subscription, call, wanted, _activity)


def lead_changes(subscription: Subscription, call: Call) -> Reply:
    names = frozenset(call.texts("fields"))
    if not names:
        raise missing_parameter("fields")
    for name in sorted(names):
        if subscription.fields.find_exact(name) is None:
            raise field_not_found(name)
    by_lead = _lead_filter(subscription, call)

    def wanted(entry: Entry) -> bool:
        named = entry.type_id == CHANGE_DATA_VALUE and entry.field in names
        return (named or entry.type_id == NEW_LEAD) and by_lead(entry)

    return _read(subscription, call, wanted, lambda entry: _lead_change(entry))


def deleted_leads(subscription: Subscription, call: Call) -> Reply:
    return _read(subscription, call, of_types([DELETE_LEAD]), _activity)


def _lead_filter(subscription: Subscription, call: Call) -> Wanted:
    lead_ids = frozenset(call.integers("leadIds"))
    if len(lead_ids) > LEADS_MAX:
        raise invalid(f"The number of leadIds, {len(lead_ids)}, exceeds the maximum of {LEADS_MAX}")
    members = _members(subscription, call.integer("listId"))
    return lambda entry: (not lead_ids or entry.lead_id in lead_ids) and (members is None or entry.lead_id in members)


def _members(subscription: Subscription, list_id: int | None) -> frozenset[int] | None:
    if list_id is None:
        return None
    if subscription.store.one("SELECT 1 FROM list WHERE id = ?", (list_id,)) is None:
        raise ApiError("1013", "Object not found")
    rows = subscription.store.rows("SELECT lead_id FROM list_member WHERE list_id = ?", (list_id,))
    members = frozenset(number for (number,) in rows)
    limit = subscription.settings.list_feed_members_max
    if len(members) >= limit:
        raise invalid(f"Total membership size: {len(members)} exceeds the limit allowed {limit:,} for the filter")
    return members


def _read(subscription: Subscription, call: Call, wanted: Wanted, show: Callable[[Entry], dict[str, Any]]) -> Reply:
    lifetime_s = subscription.settings.paging_token_lifetime_s
    token = subscription.tokens.read_feed(call.required("nextPageToken"), call.now_s, lifetime_s)
    page: Page = subscription.log.read(token, int(call.now_s * 1000), wanted, call.batch_size())
    subscription.counters.read(len(page.entries))
    shown = [show(entry) for entry in page.entries]
    return Reply(shown, subscription.tokens.write_feed(page.token, call.now_s), page.more)


def _activity(entry: Entry) -> dict[str, Any]:
    shown = _head(entry)
    if entry.primary_id is not None:
        shown["primaryAttributeValueId"] = entry.primary_id
    return shown | {"primaryAttributeValue": entry.primary_value, "attributes": attribute_list(entry)}


def _lead_change(entry: Entry) -> dict[str, Any]:
    """A change names its field and the two texts apart from what is left of its attributes."""
    attributes = attribute_list(entry)
    if entry.type_id == NEW_LEAD:
        return _head(entry) | {"fields": [], "attributes": attributes}
    texts = {item["name"]: item["value"] for item in attributes}
    field = {
        "id": entry.primary_id,
        "name": entry.field,
        "newValue": texts["New Value"],
        "oldValue": texts["Old Value"],
    }
    rest = [item for item in attributes if item["name"] not in ("New Value", "Old Value")]
    return _head(entry) | {"fields": [field], "attributes": rest}


def _head(entry: Entry) -> dict[str, Any]:
    """A campaign is named only where one was the cause."""
    campaign = {} if entry.campaign_id is None else {"campaignId": entry.campaign_id}
    return {
        "id": entry.id,
        "marketoGUID": str(entry.id),
        "leadId": entry.lead_id,
        "activityDate": iso(entry.date_s),
        "activityTypeId": entry.type_id,
        **campaign,
    }


HANDLERS: dict[str, Handler] = {
    "activities.types": types,
    "activities.pagingtoken": paging_token,
    "activities.query": activities,
    "activities.leadchanges": lead_changes,
    "activities.deletedleads": deleted_leads,
}
