"""How each permission of an API-only user's role shows itself without changing anything.

Marketo tells nobody its own permissions. A call without the permission is refused with 603 before its content is
looked at, so a write permission is tried with a write that cannot come to anything.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from tandem.connectors.marketo.client import MarketoClient
from tandem.connectors.marketo.objects import OPPORTUNITY as OPPORTUNITY_OBJECT
from tandem.connectors.marketo.objects import object_of
from tandem.connectors.marketo.writer import no_update
from tandem.core import permissions
from tandem.core.errors import AccessError, RejectedError
from tandem.core.permissions import Feature
from tandem.core.record import COMPANY, PERSON, SALESPERSON, Entity
from tandem.ports import Access

DENIED: Final = "603"
Trial = Callable[[MarketoClient], Awaitable[object]]


async def check_permissions(client: MarketoClient, features: Sequence[Feature]) -> list[Access]:
    """One line for each feature whose permissions can be tried by themselves; those of single custom objects are tried
    with the objects."""
    found: dict[str, str | None] = {}
    for name in dict.fromkeys(name for feature in features for name in feature.marketing if name in TRIALS):
        found[name] = await _refusal(client, TRIALS[name])
    return [_line(feature, found) for feature in features if any(name in found for name in feature.marketing)]


def _line(feature: Feature, found: Mapping[str, str | None]) -> Access:
    missing = [name for name in feature.marketing if found.get(name)]
    remedy = " ".join(dict.fromkeys(found[name] or "" for name in missing))
    if any(found[name] == DENIED for name in missing):
        remedy = denied(missing)
    return Access(f"Marketo: permissions for: {feature.title}", not missing, remedy, feature.is_required)


def denied(missing: Sequence[str]) -> str:
    """The remedy for a role that lacks permissions."""
    named = " and ".join(f"'{name}'" for name in missing)
    return (
        f"The role of the LaunchPoint service's API-only user needs {named}: Admin → Users & Roles → Roles →"
        " Access API. If it has it, look at Admin → IP Allowlists."
    )


async def _refusal(client: MarketoClient, trial: Trial) -> str | None:
    """None if the call was let in, whatever it came to; else why not."""
    try:
        await trial(client)
    except AccessError as error:
        return DENIED if error.code == DENIED else str(error)
    except RejectedError:
        return None
    return None


def no_write(entity: Entity) -> Trial:
    """An update of a record that does not exist."""
    kind = object_of(entity)

    async def write(client: MarketoClient) -> object:
        return await client.command(f"{kind.operation}.sync", f"{kind.path}.json", no_update(entity))

    return write


async def _read_activities(client: MarketoClient) -> object:
    return await client.paging_token("2020-01-01T00:00:00Z")


async def _list_fields(client: MarketoClient) -> object:
    return await client.get("leads.fields.list", "/rest/v1/leads/schema/fields.json", {"batchSize": "1"})


async def _make_no_type(client: MarketoClient) -> object:
    """A type without a name is refused, whoever asks for it."""
    return await client.command("customobjects.schema.sync", "/rest/v1/customobjects/schema.json", b"{}")


TRIALS: Final[Mapping[str, Trial]] = {
    permissions.PERSON: no_write(PERSON),
    permissions.COMPANY: no_write(COMPANY),
    permissions.SALES_PERSON: no_write(SALESPERSON),
    permissions.OPPORTUNITY: no_write(OPPORTUNITY_OBJECT),
    permissions.ACTIVITY: _read_activities,
    permissions.NEW_FIELDS: _list_fields,
    permissions.CUSTOM_OBJECT_TYPE: _make_no_type,
}
