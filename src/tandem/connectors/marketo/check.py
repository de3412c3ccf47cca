"""What ``tandem check`` tries: to sign in, to read each object, and the permissions that the settings ask for, with one
line of remedy in the words of a Marketo admin.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from tandem.connectors.marketo.client import MarketoClient
from tandem.connectors.marketo.objects import object_of
from tandem.connectors.marketo.permission_trials import DENIED, check_permissions, denied, no_write
from tandem.connectors.marketo.wire import WireObject
from tandem.core.errors import AccessError, RejectedError
from tandem.core.permissions import Feature
from tandem.core.record import PERSON, Entity
from tandem.ports import Access

NO_RECORD: Final = 0
_NATIVE: Final = (
    "The native CRM sync of this subscription manages these records, so Marketo refuses every write of them (1018)."
    " Tandem needs a subscription without it."
)


async def check_access(
    client: MarketoClient, entities: Sequence[Entity], features: Sequence[Feature] = ()
) -> list[Access]:
    try:
        await client.tokens.token()
    except AccessError as error:
        return [Access("Marketo: sign in", False, str(error))]
    lines = [Access("Marketo: sign in", True)]
    for entity in entities:
        lines += await _check_entity(client, entity)
    return [*lines, *await check_permissions(client, features)]


async def _check_entity(client: MarketoClient, entity: Entity) -> list[Access]:
    """Objects of the lead database are written under permissions of their own; custom objects share one, and whether
    this one takes records shows only here."""
    kind = object_of(entity)
    if entity != PERSON and not kind.is_custom:
        managed = await _managed_by_crm(client, entity)
        if managed is not None:
            return [managed]
    lines = [await _try(f"Marketo: read {entity}", f"Read-Only {kind.word}", lambda: _read(client, entity))]
    if kind.is_custom:
        write = f"Read-Write {kind.word}"
        lines.append(await _try(f"Marketo: write {entity}", write, lambda: no_write(entity)(client)))
    return lines


async def _managed_by_crm(client: MarketoClient, entity: Entity) -> Access | None:
    """The native CRM sync shows in the description of what it manages, before any write is refused (1018)."""
    kind = object_of(entity)
    try:
        described = await client.get(f"{kind.operation}.describe", f"{kind.path}/describe.json")
    except (AccessError, RejectedError):
        return None  # whether it may be read is another line's question
    if not any(field.crm_managed for found in described.rows(WireObject) for field in found.fields):
        return None
    return Access(f"Marketo: {entity} is free of a native CRM sync", False, _NATIVE)


async def _try(what: str, permission: str, run: Callable[[], Awaitable[object]]) -> Access:
    try:
        await run()
    except AccessError as error:
        return Access(what, False, denied([permission]) if error.code == DENIED else str(error))
    except RejectedError as error:
        return Access(what, False, str(error))
    return Access(what, True)


async def _read(client: MarketoClient, entity: Entity) -> object:
    kind = object_of(entity)
    params = {"filterType": kind.id_field, "filterValues": str(NO_RECORD), "fields": kind.id_field}
    return await client.query(f"{kind.operation}.query", f"{kind.path}.json", params)
