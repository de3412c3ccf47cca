"""Making custom object types: draft, fields, approval (marketo-rest 4.4).

Every step looks first what is there, so that it can be repeated after a failure: a type that exists keeps what it has
and gets what it lacks; a draft that somebody left is completed and approved. A type's dedupe and link fields are frozen
once it is approved, so fields of these kinds come with the type or not at all.
"""

from collections.abc import Sequence
from typing import Any, Final

from tandem.connectors.marketo.client import MarketoClient
from tandem.connectors.marketo.objects import object_of
from tandem.connectors.marketo.wire import WireLabelled, WireLinkable, WireObject, WireType, render_json
from tandem.core.errors import RejectedError, TransientError
from tandem.core.record import COMPANY, PERSON, Entity, Side
from tandem.core.schema import EntitySchema, FieldLink, NewField, NewObject
from tandem.ports import Clock

SCHEMA_PATH: Final = "/rest/v1/customobjects/schema"
APPROVED: Final = "approved"
NOT_FOUND: Final = frozenset({"1013", "1011", "702"})
LOOKS_MAX: Final = 10
LOOK_EVERY_S: Final = 3.0

_LINKABLE_NAMES: Final = {PERSON: "lead", COMPANY: "company"}


async def ensure_object(client: MarketoClient, clock: Clock, new: NewObject, people: EntitySchema) -> None:
    """Make the type with its fields, approve it, and return once records of it can be written.

    Raises:
        RejectedError: Marketo refuses the type or one of its fields.
        AccessError: no licence, or no permission.
    """
    if await _find_version(client, new.name) is None:
        head = {"action": "createOnly", "apiName": new.name, "displayName": new.label, "pluralName": new.plural_label}
        await client.command("customobjects.schema.sync", f"{SCHEMA_PATH}.json", render_json(head))
    await ensure_fields(client, clock, new.name, new.fields, people)


async def ensure_fields(
    client: MarketoClient, clock: Clock, entity: Entity, fields: Sequence[NewField], people: EntitySchema
) -> None:
    """Add the fields that the type lacks, approve it, and return once they can be written."""
    version = await _find_version(client, entity)
    if version is None:
        text = f"Marketo has no custom object {entity}, so it cannot get fields."
        raise RejectedError(text, side=Side.MARKETING, operation="customobjects.schema.addfield")
    known = {field.name.lower() for field in version.fields}
    missing = [field for field in fields if field.name.lower() not in known]
    if missing:
        body = render_json({"input": [await _field(client, field, people) for field in missing]})
        await client.command("customobjects.schema.addfield", f"{_path(entity)}/addField.json", body)
    if missing or version.state != APPROVED:
        await client.command("customobjects.schema.approve", f"{_path(entity)}/approve.json", b"{}")
    await _wait_until_usable(client, clock, entity, {field.name.lower() for field in fields})


async def _find_version(client: MarketoClient, entity: Entity) -> WireType | None:
    """The draft where there is one, for it is what an approval makes live; else the approved type."""
    listed = await client.get("customobjects.schema.list", f"{SCHEMA_PATH}.json", {"names": entity})
    found = next((each for each in listed.rows(WireType) if each.api_name == entity), None)
    if found is None:
        return None
    state = APPROVED if found.state == APPROVED else "draft"
    described = await client.get("customobjects.schema.describe", f"{_path(entity)}/describe.json", {"state": state})
    fields = [field for each in described.rows(WireType) for field in each.fields]
    return WireType(state=found.state, api_name=found.api_name, fields=fields)


async def _wait_until_usable(client: MarketoClient, clock: Clock, entity: Entity, names: set[str]) -> None:
    for _ in range(LOOKS_MAX):
        if names <= await _usable_fields(client, entity):
            return
        await clock.sleep(LOOK_EVERY_S)
    text = f"Marketo has not made the custom object {entity} usable yet; it was approved."
    raise TransientError(text, side=Side.MARKETING, operation="customobjects.describe")


async def _usable_fields(client: MarketoClient, entity: Entity) -> set[str]:
    try:
        answer = await client.get("customobjects.describe", f"{object_of(entity).path}/describe.json")
    except RejectedError as error:
        if error.code not in NOT_FOUND:
            raise
        return set()
    return {field.name.lower() for each in answer.rows(WireObject) for field in each.fields}


async def _field(client: MarketoClient, field: NewField, people: EntitySchema) -> dict[str, Any]:
    rendered: dict[str, Any] = {"name": field.name, "displayName": field.label, "dataType": field.native_type}
    if field.is_key:
        rendered["isDedupeField"] = True
    if field.link is not None:
        rendered["dataType"] = "link"
        rendered["relatedTo"] = await _related(client, field, field.link, people)
    return rendered


async def _related(client: MarketoClient, field: NewField, link: FieldLink, people: EntitySchema) -> dict[str, str]:
    """The link as the schema API names it: a person's fields go by their labels there."""
    answer = await client.get("customobjects.schema.linkable", f"{SCHEMA_PATH}/linkableObjects.json")
    name = _LINKABLE_NAMES.get(link.entity, link.entity).lower()
    label = people.fields[link.field].label if link.entity == PERSON and link.field in people.fields else link.field
    for target in answer.rows(WireLinkable):
        if target.name.lower() == name:
            for candidate in target.fields:
                if _names(candidate) & {link.field.lower(), label.lower()}:
                    return {"name": target.name, "field": candidate.name}
    text = f"Marketo cannot link field {field.name} to field {link.field} of {link.entity}."
    raise RejectedError(text, side=Side.MARKETING, operation="customobjects.schema.addfield", code="schema")


def _names(field: WireLabelled) -> set[str]:
    return {field.name.lower(), field.display_name.lower()}


def _path(entity: Entity) -> str:
    return f"{SCHEMA_PATH}/{object_of(entity).path.rsplit('/', 1)[-1]}"
