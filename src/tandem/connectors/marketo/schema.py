"""What Marketo says of its own fields: two descriptions of a person, one of everything else.

``describe2`` names every field with its type and whether it can be looked up by; only ``describe`` tells which are
read-only over REST. Company fields appear in a person's description, but a person's sync call does not take them
(1021): they are readable there and written with the company.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from tandem.connectors.marketo.client import MarketoClient
from tandem.connectors.marketo.objects import object_of
from tandem.connectors.marketo.wire import WireField, WireLeadField, WireName, WireObject, goes_on, render_json
from tandem.core.default_mapping import COMPANY_FIELDS
from tandem.core.errors import RejectedError
from tandem.core.record import PERSON, Entity, Side
from tandem.core.schema import EntitySchema, FieldInfo, FieldKind, NewField

KINDS: Final[Mapping[str, FieldKind]] = {
    "string": FieldKind.TEXT,
    "text": FieldKind.TEXT,
    "textarea": FieldKind.TEXT,
    "email": FieldKind.TEXT,
    "phone": FieldKind.TEXT,
    "url": FieldKind.TEXT,
    "integer": FieldKind.INTEGER,
    "score": FieldKind.INTEGER,
    "percent": FieldKind.INTEGER,
    "float": FieldKind.NUMBER,
    "currency": FieldKind.NUMBER,
    "boolean": FieldKind.BOOLEAN,
    "date": FieldKind.DATE,
    "datetime": FieldKind.DATETIME,
    "reference": FieldKind.REFERENCE,
}
"""Everything else (formula, array, lead_function …) is OTHER. Exports may show fractional percents; the field takes
whole ones only."""


async def fetch_schema(client: MarketoClient, entity: Entity) -> EntitySchema:
    if entity == PERSON:
        return await _fetch_person_schema(client)
    kind = object_of(entity)
    described = await client.get(f"{kind.operation}.describe", f"{kind.path}/describe.json")
    found = described.rows(WireObject)
    if not found:
        text = f"Marketo has no custom object {entity}."
        raise RejectedError(text, side=Side.MARKETING, operation="customobjects.describe")
    return EntitySchema(entity, _infos(found[0], {}))


async def has_entity(client: MarketoClient, entity: Entity) -> bool:
    """Every subscription has the standard objects; of custom ones the approved types are listed."""
    if not object_of(entity).is_custom:
        return True
    answer = await client.get("customobjects.list", "/rest/v1/customobjects.json", {"names": entity})
    return any(found.name == entity for found in answer.rows(WireName))


async def _fetch_person_schema(client: MarketoClient) -> EntitySchema:
    described = await client.get("leads.describe2", "/rest/v1/leads/describe2.json")
    found = described.only(WireObject)
    first = await client.get("leads.describe", "/rest/v1/leads/describe.json")
    read_only = {field.rest.name: field.rest.read_only for field in first.rows(WireLeadField) if field.rest}
    return EntitySchema(PERSON, _infos(found, read_only | dict.fromkeys(COMPANY_FIELDS, True)))


def _infos(found: WireObject, read_only: Mapping[str, bool]) -> dict[str, FieldInfo]:
    searchable = {names[0] for names in found.searchable_fields if len(names) == 1}
    return {field.name: _info(field, read_only.get(field.name, False), searchable) for field in found.fields}


def _info(field: WireField, is_read_only: bool, searchable: set[str]) -> FieldInfo:
    return FieldInfo(
        name=field.name,
        label=field.display_name,
        kind=KINDS.get(field.data_type, FieldKind.OTHER),
        native_type=field.data_type,
        is_writable=field.updateable and not field.crm_managed and not is_read_only,
        max_length=field.length,
        is_searchable=field.name in searchable,
    )


# --- making fields of people -------------------------------------------------------------------------------------

FIELDS_PATH: Final = "/rest/v1/leads/schema/fields.json"


async def create_person_fields(client: MarketoClient, fields: Sequence[NewField]) -> None:
    """Make sure that a person has `fields`; those that exist, hidden ones too, are left as they are.

    Raises:
        RejectedError: Marketo refuses one; nothing was made.
    """
    known = await _fetch_field_names(client)
    missing = [field for field in fields if field.name.lower() not in known]
    if missing:
        records = [{"name": field.name, "displayName": field.label, "dataType": field.native_type} for field in missing]
        await client.command("leads.fields.create", FIELDS_PATH, render_json({"input": records}))


async def _fetch_field_names(client: MarketoClient) -> set[str]:
    names: set[str] = set()
    token, more = "", True
    while more:
        params = {"batchSize": "300"} | ({"nextPageToken": token} if token else {})
        answer = await client.get("leads.fields.list", FIELDS_PATH, params)
        names |= {field.name.lower() for field in answer.rows(WireName)}
        more, token = goes_on(answer, token)
    return names
