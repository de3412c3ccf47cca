"""What ``tandem check`` tries: each thing the sync needs, with one line of remedy in the words of a Marketo admin.

A write permission shows itself without writing: an update of id 0 is answered for that record alone (no such record)
where the role allows it, and with 603 for the whole call where it does not.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from tandem.connectors.marketo.client import MarketoClient
from tandem.connectors.marketo.objects import object_of
from tandem.connectors.marketo.writer import no_update
from tandem.core.errors import AccessError, RejectedError
from tandem.core.record import PERSON, Entity
from tandem.ports import Access

NO_RECORD: Final = 0


@dataclass(frozen=True, slots=True)
class _Trial:
    what: str
    permission: str
    run: Callable[[], Awaitable[object]]
    is_required: bool = True


async def check_access(client: MarketoClient, entities: Sequence[Entity]) -> list[Access]:
    try:
        await client.tokens.token()
    except AccessError as error:
        return [Access("Marketo: sign in", False, str(error))]
    trials = [trial for entity in entities for trial in _trials(client, entity)]
    return [Access("Marketo: sign in", True), *[await _try(trial) for trial in trials]]


def _trials(client: MarketoClient, entity: Entity) -> list[_Trial]:
    word = object_of(entity).word
    trials = [
        _Trial(f"Marketo: read {entity}", f"Read-Only {word}", lambda: _read(client, entity)),
        _Trial(f"Marketo: write {entity}", f"Read-Write {word}", lambda: _write(client, entity)),
    ]
    if entity == PERSON:
        trials += [
            _Trial("Marketo: read the activity log", "Read-Only Activity", lambda: _read_activities(client)),
            _Trial(
                "Marketo: create fields",
                "Read-Write Schema Custom Field",
                lambda: _read_lead_fields(client),
                is_required=False,
            ),
        ]
    return trials


async def _try(trial: _Trial) -> Access:
    try:
        await trial.run()
    except AccessError as error:
        return Access(trial.what, False, _remedy(trial, error), trial.is_required)
    except RejectedError as error:
        return Access(trial.what, False, str(error), trial.is_required)
    return Access(trial.what, True, is_required=trial.is_required)


def _remedy(trial: _Trial, error: AccessError) -> str:
    if error.code != "603":
        return str(error)
    also = "" if trial.is_required else " (needed only while Tandem creates fields)"
    return (
        f"The role of the LaunchPoint service's API-only user needs '{trial.permission}'{also}: "
        "Admin → Users & Roles → Roles → Access API. If it has it, look at Admin → IP Allowlists."
    )


async def _read(client: MarketoClient, entity: Entity) -> object:
    kind = object_of(entity)
    params = {"filterType": kind.id_field, "filterValues": str(NO_RECORD), "fields": kind.id_field}
    return await client.query(f"{kind.operation}.query", f"{kind.path}.json", params)


async def _write(client: MarketoClient, entity: Entity) -> object:
    return await client.command(
        f"{object_of(entity).operation}.sync", f"{object_of(entity).path}.json", no_update(entity)
    )


async def _read_activities(client: MarketoClient) -> object:
    return await client.paging_token("2020-01-01T00:00:00Z")


async def _read_lead_fields(client: MarketoClient) -> object:
    return await client.get("leads.fields.list", "/rest/v1/leads/schema/fields.json", {"batchSize": "1"})
