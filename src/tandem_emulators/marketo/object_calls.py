"""The reading calls every object but the lead has: describe, query, and its fields' metadata (4.1)."""

from collections.abc import Mapping, Sequence
from typing import Any

from tandem_emulators.marketo.call import BATCH_MAX, Call
from tandem_emulators.marketo.envelope import Reply
from tandem_emulators.marketo.errors import ApiError, SkipError, field_not_found, invalid, missing_parameter
from tandem_emulators.marketo.fields import ValueRules, convert
from tandem_emulators.marketo.lead_read import filter_values
from tandem_emulators.marketo.objects import FieldData, ObjectType, Record, Records
from tandem_emulators.marketo.people import iso
from tandem_emulators.marketo.subscription import Handler, Subscription

# What a native CRM sync takes over: people may look, but not write; roles are gone altogether (4.2).
CRM_OBJECTS = frozenset({"company", "opportunity", "opportunityRole", "salesperson"})
QUERIED = ("companies", "salespersons", "opportunities", "roles", "namedaccounts", "namedaccountlists")
_STRICT = ValueRules()


def describe(subscription: Subscription, call: Call) -> Reply:
    kind = records_of(subscription, call).kind
    is_crm_managed = subscription.settings.native_crm != "none" and kind.name in CRM_OBJECTS
    head = {
        "name": kind.name,
        "displayName": kind.display_name,
        "description": kind.description,
        "createdAt": iso(kind.created_s),
        "updatedAt": iso(kind.updated_s),
        "idField": kind.id_field,
        "dedupeFields": kind.dedupe_fields,
        "searchableFields": kind.searchable_fields,
        "relationships": [],
    }
    return Reply([{**head, "fields": [shown_field(field, crm_managed=is_crm_managed) for field in kind.fields]}])


def query(subscription: Subscription, call: Call) -> Reply:
    records = records_of(subscription, call)
    stated = call.body() if call.has_body() else None
    names, wanted = _filter(records.kind, call, stated)
    shown = _shown_fields(records.kind, call, stated)
    size = call.batch_size(stated.get("batchSize") if stated else None)
    token = str(stated["nextPageToken"]) if stated and stated.get("nextPageToken") else call.text("nextPageToken")
    after, mark = subscription.position(token, records.kind.name, names, wanted, shown)
    found = records.search(names, wanted, after, size + 1)
    page, next_token = subscription.page(found, size, mark, lambda record: record.id)
    subscription.counters.read(len(page))
    views = [_view(subscription, records, record, shown) for record in page]
    more = next_token is not None if records.kind.operations == "customobjects" else None
    return Reply([{"seq": seq, **view} for seq, view in enumerate(views)], next_token, more)


def _view(subscription: Subscription, records: Records, record: Record, shown: Sequence[str]) -> dict[str, Any]:
    """A custom object may show the number in a link field as text (4.3)."""
    view = records.view(record, shown)
    if records.kind.operations == "customobjects" and subscription.settings.custom_link_values == "text":
        for link in records.kind.links:
            if isinstance(view.get(link.field), int):
                view[link.field] = str(view[link.field])
    return view


def list_fields(subscription: Subscription, call: Call) -> Reply:
    kind = records_of(subscription, call).kind
    after, mark = subscription.position(call.text("nextPageToken"), "fields", kind.name)
    size = call.batch_size()
    numbered = list(enumerate(kind.fields, start=1))[after : after + size + 1]
    page, token = subscription.page(numbered, size, mark, lambda each: each[0])
    return Reply([_metadata(field) for _, field in page], token, more_result=token is not None)


def get_field(subscription: Subscription, call: Call) -> Reply:
    name = call.path["fieldApiName"]
    found = [field for field in records_of(subscription, call).kind.fields if field.name == name]
    if not found:
        raise field_not_found(name)
    return Reply([_metadata(found[0])])


def records_of(subscription: Subscription, call: Call) -> Records:
    """The records that a call is about."""
    group, _, what = call.operation.name.partition(".")
    if group == "customobjects":
        return subscription.custom_objects.records(call.path["customObjectName"])
    if group == "roles" and what != "describe" and subscription.settings.native_crm != "none":
        raise ApiError("1018", "CRM Enabled")
    records = subscription.records[group]
    if group == "opportunities" and not subscription.settings.opportunity_names_company:
        return records.without("externalCompanyId")
    return records


def _filter(kind: ObjectType, call: Call, stated: Mapping[str, Any] | None) -> tuple[list[str], list[list[Any]]]:
    """The fields a query selects by, and the tuples of values it asks for."""
    name = str(stated.get("filterType") or "") if stated else call.text("filterType")
    if not name:
        raise invalid("filterType not specified")
    names = _aliased(kind, name)
    if stated and "input" in stated:
        return names, [[_key_part(kind, part, record.get(part)) for part in names] for record in call.input(stated)]
    if len(names) > 1:
        raise missing_parameter("input")
    return names, [[_key_part(kind, names[0], value)] for value in dict.fromkeys(_plain_values(call, stated))]


def _plain_values(call: Call, stated: Mapping[str, Any] | None) -> Sequence[Any]:
    values = stated.get("filterValues") if stated else None
    if values is None:
        return filter_values(call)
    if not isinstance(values, list) or not 0 < len(values) <= BATCH_MAX:
        raise invalid("filterValues not specified")
    if any(isinstance(value, list | dict) for value in values):
        raise invalid("Invalid filterValues")
    return values


def _aliased(kind: ObjectType, name: str) -> list[str]:
    names = {"idField": [kind.id_field], "dedupeFields": kind.dedupe_fields}.get(name, [name])
    if names not in kind.searchable_fields:
        raise invalid(f"Invalid filterType '{name}'")
    return list(names)


def _key_part(kind: ObjectType, name: str, value: Any) -> Any:
    found = kind.field(name)
    assert found is not None, name
    if value is None:
        raise missing_parameter(name)
    try:
        return convert(found, value, _STRICT)
    except SkipError as skip:
        raise ApiError(skip.code, skip.message) from skip


def _shown_fields(kind: ObjectType, call: Call, stated: Mapping[str, Any] | None) -> list[str]:
    """The names of the fields asked for; their case does not matter, `marketoGuid` stands in Adobe's own example."""
    listed = stated.get("fields") if stated else None
    asked = [str(name) for name in listed] if isinstance(listed, list) else call.texts("fields")
    proper = {field.name.lower(): field.name for field in kind.fields}
    for name in asked:
        if name.lower() not in proper:
            raise field_not_found(name)
    names = [proper[name.lower()] for name in asked]
    return list(dict.fromkeys(names)) or list(dict.fromkeys(kind.default_fields()))


def shown_field(field: FieldData, *, crm_managed: bool = False) -> dict[str, Any]:
    head: dict[str, Any] = {"name": field.name, "displayName": field.display_name, "dataType": field.data_type}
    if field.length is not None:
        head["length"] = field.length
    return {**head, "updateable": field.updateable and not crm_managed, "crmManaged": crm_managed}


def _metadata(field: FieldData) -> dict[str, Any]:
    head: dict[str, Any] = {
        "displayName": field.display_name,
        "name": field.name,
        "description": field.description,
        "dataType": field.data_type,
    }
    if field.length is not None:
        head["length"] = field.length
    flags = {"isHidden": False, "isHtmlEncodingInEmail": True, "isSensitive": False}
    return head | flags | {"isCustom": False, "isApiCreated": False}


HANDLERS: dict[str, Handler] = {
    "customobjects.query": query,
    **{
        f"{name}.{what}": handler
        for name in QUERIED
        for what, handler in {
            "describe": describe,
            "query": query,
            "fields.list": list_fields,
            "fields.get": get_field,
        }.items()
    },
}
