"""Describing and reading people: describe, by id, by filter, and the partitions."""

from collections.abc import Sequence
from typing import Any

from tandem_emulators.marketo.call import BATCH_MAX, Call, as_integer
from tandem_emulators.marketo.envelope import Reply
from tandem_emulators.marketo.errors import ApiError, bad_value, field_not_found, field_not_supported, invalid
from tandem_emulators.marketo.fields import Field
from tandem_emulators.marketo.people import Lead
from tandem_emulators.marketo.subscription import Handler, Subscription

DEFAULT_FIELDS = ("id", "email", "firstName", "lastName", "createdAt", "updatedAt")
MATCHES_MAX = 1_000


def describe(subscription: Subscription, call: Call) -> Reply:
    return Reply([_described(field) for field in subscription.fields if not field.is_hidden])


def describe2(subscription: Subscription, call: Call) -> Reply:
    fields = [_described2(field) for field in subscription.fields if not field.is_hidden]
    searchable = [[name] for name in subscription.fields.searchable_names()]
    return Reply([{"name": "API Lead", "searchableFields": searchable, "fields": fields}])


def get(subscription: Subscription, call: Call) -> Reply:
    number = call.path_integer("leadId")
    names = requested_fields(subscription, call.texts("fields"))
    lead = subscription.leads.load([number]).get(number)
    if lead is None and subscription.settings.missing_lead == "empty":
        return Reply([])
    if lead is None:
        raise ApiError("1004", "Lead not found")
    return Reply(render(subscription, [lead], names))


def query(subscription: Subscription, call: Call) -> Reply:
    name = call.text("filterType")
    if name is None:
        raise invalid("filterType not specified")
    values = filter_values(call)
    names = requested_fields(subscription, call.texts("fields"))
    keys = _keys(subscription, name, values)
    size = call.batch_size()
    after, mark = subscription.position(call.text("nextPageToken"), "leads", name, keys, names)
    ids = sorted({number for found in subscription.leads.find(name, keys).values() for number in found})
    if len(ids) > MATCHES_MAX:
        raise invalid("Too many results match the filter")
    rest = [number for number in ids if number > after][: size + 1]
    page, token = subscription.page(rest, size, mark, lambda number: number)
    loaded = subscription.leads.load(page)
    shown = page if subscription.settings.query_order == "ascending" else page[::-1]
    return Reply(render(subscription, [loaded[number] for number in shown], names), token)


def filter_values(call: Call) -> list[str]:
    values = call.texts("filterValues")
    if not values:
        raise invalid("filterValues not specified")
    if len(values) > BATCH_MAX:
        raise invalid(f"The number of filterValues, {len(values)}, exceeds the maximum of {BATCH_MAX}")
    return values


def requested_fields(subscription: Subscription, names: Sequence[str]) -> list[str]:
    for name in names:
        if subscription.fields.find_exact(name) is None:
            raise field_not_found(name)
    return list(dict.fromkeys(names)) or list(DEFAULT_FIELDS)


def render(subscription: Subscription, leads: Sequence[Lead], names: Sequence[str]) -> list[dict[str, Any]]:
    companies = subscription.leads.companies(leads)
    subscription.counters.read(len(leads))
    return [subscription.leads.view(lead, companies.get(lead.company_id, {}), names) for lead in leads]


def lookup_key(field: Field | None, name: str, value: Any) -> Any:
    """A value in the form in which leads are found by it; None when it cannot be the key of any lead."""
    number_wanted = name in ("id", "leadPartitionId") or (field is not None and field.data_type == "integer")
    if number_wanted and type(value) is int and -(10**18) < value < 10**18:
        return value
    if number_wanted and not isinstance(value, bool | dict | list):
        return as_integer(str(value))
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise bad_value(name, value)
    return str(value).lower() if field is not None and field.data_type == "email" else str(value)


def _keys(subscription: Subscription, name: str, values: Sequence[str]) -> list[Any]:
    field = subscription.fields.find_exact(name)
    if not subscription.fields.is_searchable(name):
        raise field_not_supported(name) if field is not None else invalid(f"Invalid filterType '{name}'")
    return sorted({lookup_key(field, name, value) for value in values})


def _described(field: Field) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": field.id, "displayName": field.display_name, "dataType": field.described_type}
    if field.length is not None:
        shown["length"] = field.length
    shown["rest"] = {"name": field.name, "readOnly": field.read_only}
    if field.soap_name is not None:
        shown["soap"] = {"name": field.soap_name, "readOnly": field.read_only}
    return shown


def _described2(field: Field) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "name": field.name,
        "displayName": field.display_name,
        "dataType": field.described_type,
    }
    if field.length is not None:
        shown["length"] = field.length
    return {**shown, "updateable": not field.read_only, "crmManaged": False}


HANDLERS: dict[str, Handler] = {
    "leads.describe": describe,
    "leads.describe2": describe2,
    "leads.get": get,
    "leads.query": query,
}
