"""Switching a table's change tracking on: for good, so only when a person asks for it (dataverse-web-api 4.1, 6.3)."""

from typing import Any, Final

import msgspec

from tandem.connectors.dynamics.client import DynamicsClient, decode, fault_of
from tandem.connectors.dynamics.errors import classify
from tandem.core.errors import RejectedError, TransientError, UnknownOutcomeError
from tandem.core.record import Entity, Side

_SWITCH: Final = "ChangeTrackingEnabled"
_ALLOWED: Final = "CanChangeTrackingBeEnabled"


async def track_changes(client: DynamicsClient, entity: Entity) -> None:
    """The definition is read and put back whole, as the service takes it in no other way. Again does no harm.

    Raises:
        RejectedError: the table may not be tracked.
    """
    operation = f"track changes of {entity}"
    path = f"EntityDefinitions(LogicalName='{entity}')"
    definition = await _read(client, operation, path)
    if definition.get(_SWITCH):
        return
    if not (definition.get(_ALLOWED) or {}).get("Value"):
        text = f"Dynamics does not let the changes of {entity} be tracked; it is read by modification time instead."
        raise RejectedError(text, side=Side.CRM, operation=operation, code="schema")
    kept = {name: value for name, value in definition.items() if not name.startswith("@odata.context")}
    try:
        await client.put(operation, path, msgspec.json.encode(kept | {_SWITCH: True}))
    except UnknownOutcomeError as error:
        if not (await _read(client, operation, path)).get(_SWITCH):
            raise TransientError(str(error), side=Side.CRM, operation=operation, code=error.code) from error


async def _read(client: DynamicsClient, operation: str, path: str) -> dict[str, Any]:
    (answer,) = await client.get_fresh(operation, [path])
    fault = fault_of(answer)
    if fault is not None:
        raise classify(fault, operation)
    return decode(msgspec.json.Decoder(dict[str, Any]), answer.body, operation)
