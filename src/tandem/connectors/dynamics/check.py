"""What ``tandem check`` tries on the crm side, and what pins the side: nothing here changes data."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Final

import msgspec

from tandem.connectors.dynamics.client import DynamicsClient
from tandem.connectors.dynamics.errors import NOT_TRACKED
from tandem.connectors.dynamics.own_rights import check_rights
from tandem.connectors.dynamics.schema import Table
from tandem.connectors.dynamics.side_effects import BYPASS_PRIVILEGE, USUAL, SideEffects
from tandem.core.errors import AccessError, RejectedError
from tandem.core.permissions import Feature
from tandem.core.record import LEAD, Entity, Side
from tandem.ports import Access, Clock

# No row has this id: a conditional PATCH on it answers 403 without the write privilege and 404 with it, and writes
# nothing.
_NOBODY: Final = "00000000-0000-0000-0000-000000000001"


_LOOK_EVERY: Final = timedelta(minutes=5)


class _WhoAmI(msgspec.Struct):
    organization_id: str = msgspec.field(name="OrganizationId")
    user_id: str = msgspec.field(name="UserId")


class _Detail(msgspec.Struct):
    environment_id: str | None = msgspec.field(name="EnvironmentId", default=None)
    url_name: str | None = msgspec.field(name="UrlName", default=None)
    tenant_id: str | None = msgspec.field(name="TenantId", default=None)


class _Organization(msgspec.Struct):
    detail: _Detail = msgspec.field(name="Detail")


async def fetch_identity(client: DynamicsClient) -> Mapping[str, str]:
    """A copied or restored environment may keep its organization id, but never its environment id and name."""
    who = await _who_am_i(client)
    identity = {"organization_id": who.organization_id.lower(), "user_id": who.user_id.lower()}
    access_type = "Microsoft.Dynamics.CRM.EndpointAccessType'Default'"
    path = f"RetrieveCurrentOrganization(AccessType={access_type})"
    try:
        detail = (await client.get_json("read organization", path, _Organization)).detail
    except RejectedError:
        return identity
    return identity | {name: value for name, value in msgspec.structs.asdict(detail).items() if value}


async def _who_am_i(client: DynamicsClient) -> _WhoAmI:
    """The one question that every Web API answers: where it is refused, there is none.

    Raises: AccessError.
    """
    try:
        return await client.get_json("WhoAmI", "WhoAmI", _WhoAmI)
    except RejectedError as error:
        text = (
            f"There is no Web API under {client.root} of crm.url. Check crm.url, and crm.api_version: a server on "
            "premises has v9.1 or v9.0."
        )
        raise AccessError(text, side=Side.CRM, operation="WhoAmI", code=error.code) from error


class SameOrganization:
    """Notices in a running process that another environment answers under the same address: a copy that was put over
    it, or a restored one. What the first look saw is compared again every few minutes, before reading and writing."""

    def __init__(self, client: DynamicsClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._looking = asyncio.Lock()
        self._pinned: Mapping[str, str] | None = None
        self._seen_at = clock.now()

    async def fetch(self) -> Mapping[str, str]:
        identity = await fetch_identity(self._client)
        if self._pinned is None:
            self._pinned, self._seen_at = identity, self._clock.now()
        return identity

    async def ensure(self) -> None:
        """Before the first look there is nothing to compare.

        Raises: AccessError.
        """
        async with self._looking:
            if self._pinned is None or self._clock.now() - self._seen_at < _LOOK_EVERY:
                return
            identity = await fetch_identity(self._client)
            if any(identity.get(name, value) != value for name, value in self._pinned.items() if name != "user_id"):
                text = (
                    "Another organisation answers at crm.url than at the start of this process: a copy or a restored "
                    "environment. Nothing is read or written. Check the environment, then start Tandem again."
                )
                raise AccessError(text, side=Side.CRM, operation="WhoAmI", code="organization")
            self._seen_at = self._clock.now()


async def check_access(
    client: DynamicsClient,
    table_of: Callable[[Entity], Awaitable[Table]],
    entities: Sequence[Entity],
    features: Sequence[Feature] = (),
    side_effects: SideEffects = USUAL,
) -> list[Access]:
    try:
        await _who_am_i(client)
    except AccessError as error:
        return [Access("Dynamics: sign in (WhoAmI)", is_ok=False, remedy=str(error))]
    lines = [Access("Dynamics: sign in (WhoAmI)", is_ok=True)]
    for entity in entities:
        lines += await _check_entity(client, table_of, entity)
    lines += await check_rights(client, features)
    return [*lines, *(await _check_bypass(client, table_of, side_effects) if LEAD in entities else [])]


async def _check_bypass(
    client: DynamicsClient, table_of: Callable[[Entity], Awaitable[Table]], side_effects: SideEffects
) -> list[Access]:
    """Custom logic may be left out by whoever has the privilege; nobody else's write is carried out at all."""
    if not side_effects.bypass_plugins:
        return []
    what = "Dynamics: leave out plug-ins and workflows (crm.bypass_plugins)"
    try:
        await _write_to_nobody(client, await table_of(LEAD), side_effects.headers)
    except AccessError as error:
        remedy = f"{error} Grant {BYPASS_PRIVILEGE} to the application user's role, or take crm.bypass_plugins out."
        return [Access(what, is_ok=False, remedy=remedy)]
    except RejectedError:
        return [Access(what, is_ok=True)]
    return [Access(what, is_ok=True)]


async def _check_entity(
    client: DynamicsClient, table_of: Callable[[Entity], Awaitable[Table]], entity: Entity
) -> list[Access]:
    what = f"Dynamics: read {entity}"
    try:
        table = await table_of(entity)
    except RejectedError as error:
        remedy = f"{error} Correct the table's logical name in the settings, or take it out."
        return [Access(what, is_ok=False, remedy=remedy)]
    except AccessError as error:
        return [Access(what, is_ok=False, remedy=str(error))]
    try:
        await client.get(f"read {entity}", f"{table.set_name}?$select={table.primary_id}&$top=1")
    except (AccessError, RejectedError) as error:
        return [Access(what, is_ok=False, remedy=str(error))]
    return [Access(what, is_ok=True), await _check_changes(client, table)]


async def _check_changes(client: DynamicsClient, table: Table) -> Access:
    what = f"Dynamics: follow changes of {table.entity}"
    path = f"{table.set_name}?$select={table.primary_id}"
    try:
        await client.get(f"read changes of {table.entity}", path, prefer="odata.track-changes,odata.maxpagesize=1")
    except AccessError as error:
        remedy = f"{error} Change tracking needs the read privilege at access level Organization."
        return Access(what, is_ok=False, remedy=remedy)
    except RejectedError as error:
        if error.code not in NOT_TRACKED:
            return Access(what, is_ok=False, remedy=str(error))
        remedy = (
            f"Change tracking is off for {table.entity}: changes are read by modification time, deletions are found "
            f"by comparing ids now and then. tandem schema apply --track {table.entity} switches it on, for good."
        )
        return Access(what, is_ok=False, remedy=remedy, is_required=False)
    return Access(what, is_ok=True)


async def _write_to_nobody(client: DynamicsClient, table: Table, headers: Mapping[str, str] | None = None) -> None:
    await client.http.request(
        f"update {table.entity}",
        "PATCH",
        client.path(f"{table.set_name}({_NOBODY})"),
        headers={"If-Match": 'W/"0"', "Content-Type": "application/json", **(headers or {})},
        body=b"{}",
    )
