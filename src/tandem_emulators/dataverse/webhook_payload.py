"""The body of a webhook call: the execution context of one change, in the JSON of the service's own serializer.

Values keep the types that the platform gives them (a choice, a reference, an amount of money); a time is the number
of milliseconds since 1970. What is too big loses its larger parts, in one go (sheet section 8).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import msgspec

from tandem_emulators.dataverse.events import RowEvent
from tandem_emulators.dataverse.organization import Organization
from tandem_emulators.dataverse.schema import Column, Table
from tandem_emulators.dataverse.webhook_steps import Image, Step

BODY_BYTES_MAX = 256 * 1024
_XRM = "http://schemas.microsoft.com/xrm/2011/Contracts"
_LARGE_PARTS = ("ParentContext", "InputParameters", "PreEntityImages", "PostEntityImages")
_MAIN_OPERATION = 30

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Occasion:
    """What the calls about one change have in common."""

    event: RowEvent
    after: Mapping[str, Any]
    operation_id: str
    correlation_id: str
    moment: datetime

    @classmethod
    def of(cls, event: RowEvent, moment: datetime) -> "Occasion":
        after = {} if event.message == "Delete" else {**event.before, **event.changes}
        return cls(event, after, str(uuid4()), str(uuid4()), moment)


def render(occasion: Occasion, step: Step, organization: Organization) -> tuple[bytes, bool]:
    """The body, and whether it had to be cut."""
    event = occasion.event
    context = _context(occasion, step, organization)
    context["InputParameters"] = [{"key": "Target", "value": _target(event)}]
    outputs = [] if event.message == "Delete" else [{"key": "id", "value": event.record_id}]
    context["OutputParameters"] = outputs
    context["PreEntityImages"] = _images(event, step.images, event.before, before=True)
    context["PostEntityImages"] = _images(event, step.images, occasion.after, before=False)
    parent = {**context, "Stage": _MAIN_OPERATION, "ParentContext": None}
    whole = msgspec.json.encode({**context, "ParentContext": parent})
    if len(whole) <= BODY_BYTES_MAX:
        return whole, False
    return msgspec.json.encode({name: value for name, value in context.items() if name not in _LARGE_PARTS}), True


def _context(occasion: Occasion, step: Step, organization: Organization) -> Json:
    event = occasion.event
    initiator = event.caller.impersonated_by or event.caller.user_id
    return {
        "BusinessUnitId": organization.business_unit_id,
        "CorrelationId": occasion.correlation_id,
        "Depth": 1,
        "InitiatingUserId": initiator,
        "UserId": step.runs_as or event.caller.user_id,
        "MessageName": event.message,
        "PrimaryEntityName": event.table.name,
        "PrimaryEntityId": event.record_id,
        "SecondaryEntityName": "none",
        "Mode": int(step.is_async),
        "Stage": step.stage,
        "IsolationMode": 1,
        "IsInTransaction": not step.is_async,
        "IsExecutingOffline": False,
        "IsOfflinePlayback": False,
        "OperationId": occasion.operation_id,
        "OperationCreatedOn": _moment(occasion.moment, offset="+0000"),
        "OrganizationId": organization.organization_id,
        "OrganizationName": organization.unique_name,
        "RequestId": None,
        "SharedVariables": [{"key": "tag", "value": event.caller.tag}] if event.caller.tag is not None else [],
        "OwningExtension": {"Id": step.id, "LogicalName": "sdkmessageprocessingstep", "Name": step.name},
    }


def _target(event: RowEvent) -> Json:
    if event.message == "Delete":
        return _reference(event.table.name, event.record_id)
    changed = {event.table.key: event.record_id, **event.changes}
    if event.message == "Create":
        changed = {name: value for name, value in changed.items() if value is not None}
    return _entity(event.table, event.record_id, changed, changed)


def _images(event: RowEvent, images: Iterable[Image], row: Mapping[str, Any], *, before: bool) -> list[Json]:
    """A row that did not exist before, or does no longer, has no image."""
    if not row:
        return []
    found = []
    for image in images:
        if image.before if before else image.after:
            names = [name for name, value in row.items() if value is not None]
            shown = [name for name in names if not image.attributes or name in image.attributes]
            entity = _entity(event.table, event.record_id, row, {event.table.key, *shown})
            found.append({"key": image.name, "value": entity})
    return found


def _entity(table: Table, record_id: str, row: Mapping[str, Any], names: Iterable[str]) -> Json:
    wanted = set(names)
    attributes = [
        {"key": name, "value": _value(column, row)}
        for name, column in table.stored.items()
        if name in wanted and name in row and column.type != "EntityName"
    ]
    return {
        "__type": f"Entity:{_XRM}",
        "LogicalName": table.name,
        "Id": record_id,
        "EntityState": None,
        "RowVersion": None,
        "KeyAttributes": [],
        "FormattedValues": [],
        "RelatedEntities": [],
        "Attributes": attributes,
    }


def _value(column: Column, row: Mapping[str, Any]) -> Any:
    value = row[column.name]
    if value is None:
        return None
    if column.is_lookup:
        kind = row.get(column.type_column) if column.type_column else None
        return _reference(kind or column.targets[0], value)
    match column.type:
        case "Picklist" | "State" | "Status":
            return {"__type": f"OptionSetValue:{_XRM}", "Value": value}
        case "Money":
            return {"__type": f"Money:{_XRM}", "Value": value}
        case "Boolean":
            return bool(value)
        case "DateTime":
            return _moment(_parsed(str(value)))
        case _:
            return value


def _reference(table_name: str, record_id: str) -> Json:
    rest: Json = {"Name": None, "KeyAttributes": [], "RowVersion": None}
    return {"__type": f"EntityReference:{_XRM}", "Id": record_id, "LogicalName": table_name, **rest}


def _parsed(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _moment(moment: datetime, offset: str = "") -> str:
    return f"/Date({int(moment.timestamp() * 1000)}{offset})/"
