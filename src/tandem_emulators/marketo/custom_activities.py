"""Add Custom Activities: write-once records of what a person did elsewhere (5.5).

A refused record carries `errors` where every other call has `reasons`. An activity may be older than its commit by
any time, so this is where entries out of order come from by themselves.
"""

from collections.abc import Mapping
from typing import Any

from tandem_emulators.marketo.activity_types import Attribute, Version
from tandem_emulators.marketo.call import Call
from tandem_emulators.marketo.envelope import Reply
from tandem_emulators.marketo.errors import SkipError, bad_value, lead_not_found
from tandem_emulators.marketo.fields import Field, ValueRules, convert, parse_datetime
from tandem_emulators.marketo.log import Activity
from tandem_emulators.marketo.store import encode
from tandem_emulators.marketo.subscription import Handler, Subscription

ATTRIBUTES_BYTES_MAX = 65_536
_RULES = ValueRules()


def add(subscription: Subscription, call: Call) -> Reply:
    records = call.input(call.body())
    subscription.counters.written(len(records))
    ids = [number for record in records if type(number := record.get("leadId")) is int and abs(number) < 2**63]
    leads = subscription.leads.load(ids)
    kinds = subscription.activity_types.live([record.get("activityTypeId") for record in records])  # type: ignore[misc]
    read = [_read(record, leads, kinds) for record in records]
    first = subscription.log.write([each for each in read if isinstance(each, Activity)], int(call.now_s * 1000))
    results: list[dict[str, Any]] = []
    added = 0
    for each in read:
        if isinstance(each, SkipError):
            results.append({"status": "skipped", "errors": [each.as_wire()]})
        else:
            results.append({"id": first + added, "marketoGUID": str(first + added), "status": "added"})
            added += 1
    return Reply(results)


def _read(record: Mapping[str, Any], leads: Mapping[int, Any], kinds: Mapping[int, Version]) -> Activity | SkipError:
    try:
        return _activity(record, leads, kinds)
    except SkipError as skip:
        return skip


def _activity(record: Mapping[str, Any], leads: Mapping[int, Any], kinds: Mapping[int, Version]) -> Activity:
    for name in ("leadId", "activityDate", "activityTypeId", "primaryAttributeValue"):
        if record.get(name) in (None, ""):
            raise SkipError("1002", f"Missing value for the required parameter '{name}'")
    lead_id, type_id = record["leadId"], record["activityTypeId"]
    if type(lead_id) is not int or lead_id not in leads:
        raise lead_not_found()
    kind = kinds.get(type_id) if type(type_id) is int else None
    if kind is None:
        raise bad_value("activityTypeId", type_id)
    at = parse_datetime(str(record["activityDate"]))
    if at is None:
        raise bad_value("activityDate", record["activityDate"])
    assert kind.primary_attribute is not None, "no type is approved without one"
    primary = _value(kind.primary_attribute, record["primaryAttributeValue"])
    attributes = _attributes(kind, record.get("attributes") or [])
    return Activity(lead_id, type_id, None, str(primary), attributes, date_s=int(at.timestamp()))


def _attributes(kind: Version, stated: Any) -> dict[str, Any]:
    """The secondary attributes by their display names, however the record names them."""
    if not isinstance(stated, list) or not all(isinstance(each, dict) for each in stated):
        raise SkipError("1003", "Invalid value for field 'attributes'")
    if len(encode(stated)) > ATTRIBUTES_BYTES_MAX:
        raise SkipError("1049", "Failed to Create Activity")
    values = {}
    for each in stated:
        named = each.get("apiName") or each.get("name")
        found = next(
            (attribute for attribute in kind.attributes if named in (attribute.api_name, attribute.name)), None
        )
        if found is None:
            raise SkipError("1006", f"Field '{named}' not found")
        values[found.name] = _value(found, each.get("value"))
    return values


def _value(attribute: Attribute, value: Any) -> Any:
    field = Field(id=0, name=attribute.api_name, display_name=attribute.name, data_type=attribute.data_type)
    return convert(field, value, _RULES)


HANDLERS: dict[str, Handler] = {"customactivities.add": add}
