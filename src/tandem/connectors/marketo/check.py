"""What ``tandem check`` tries: each thing the sync needs, with one line of remedy in the words of a Marketo admin.

A write permission shows itself without writing: an update of id 0 is answered for that record alone (no such record)
where the role allows it, and with 603 for the whole call where it does not.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from tandem.connectors.marketo.client import MarketoClient
from tandem.connectors.marketo.schema import OPERATIONS, PATHS
from tandem.connectors.marketo.wire import render_json
from tandem.core.errors import AccessError, RejectedError
from tandem.core.record import COMPANY, PERSON, SALESPERSON, Entity
from tandem.ports import Access

WORDS: Final = {PERSON: "Person", COMPANY: "Company", SALESPERSON: "Sales Person"}
"""The objects as the role editor names them (Admin → Users & Roles → Roles → Access API)."""

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
    trials = [trial for entity in entities if entity in PATHS for trial in _trials(client, entity)]
    return [Access("Marketo: sign in", True), *[await _try(trial) for trial in trials]]


def _trials(client: MarketoClient, entity: Entity) -> list[_Trial]:
    word = WORDS[entity]
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
    params = {"filterType": "id", "filterValues": str(NO_RECORD), "fields": "id"}
    return await client.query(f"{OPERATIONS[entity]}.query", f"{PATHS[entity]}.json", params)


async def _write(client: MarketoClient, entity: Entity) -> object:
    by = {"lookupField": "id"} if entity == PERSON else {"dedupeBy": "idField"}
    body = render_json({"action": "updateOnly", **by, "input": [{"id": NO_RECORD}]})
    return await client.command(f"{OPERATIONS[entity]}.sync", f"{PATHS[entity]}.json", body)


async def _read_activities(client: MarketoClient) -> object:
    return await client.paging_token("2020-01-01T00:00:00Z")


async def _read_lead_fields(client: MarketoClient) -> object:
    return await client.get("leads.fields.list", "/rest/v1/leads/schema/fields.json", {"batchSize": "1"})
