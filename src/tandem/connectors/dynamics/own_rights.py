"""The rights of our own user against those that a feature takes, told by the service in one call.

A right is a privilege and how deep it reaches. What the role lacks, and what reaches only a business unit, is named
with the feature that it is for.
"""

from collections.abc import Container, Mapping, Sequence
from typing import Final

import msgspec

from tandem.connectors.dynamics.client import DynamicsClient
from tandem.connectors.dynamics.schema import parse_metadata
from tandem.core.errors import AccessError, RejectedError
from tandem.core.permissions import ORGANIZATION_WIDE, Feature, Right
from tandem.ports import Access

_WHERE: Final = (
    "Power Platform admin center > Environments > Settings > Users + permissions > Security roles (on premises:"
    " Settings > Security > Security Roles), access level Organization"
)


class _WhoAmI(msgspec.Struct):
    user_id: str = msgspec.field(name="UserId")


class _Held(msgspec.Struct):
    name: str = msgspec.field(name="PrivilegeName")
    depth: str = msgspec.field(name="Depth", default="")


class _Role(msgspec.Struct):
    privileges: list[_Held] = msgspec.field(name="RolePrivileges", default_factory=list)


class _Privilege(msgspec.Struct):
    name: str = msgspec.field(name="Name")
    kind: str = msgspec.field(name="PrivilegeType")


class _Definition(msgspec.Struct):
    table: str = msgspec.field(name="LogicalName")
    privileges: list[_Privilege] = msgspec.field(name="Privileges", default_factory=list)


async def check_rights(client: DynamicsClient, features: Sequence[Feature]) -> list[Access]:
    """One line for each feature that takes any right."""
    wanted = [feature for feature in features if feature.crm]
    if not wanted:
        return []
    try:
        held = await _load_held(client)
        tables = {right.table for feature in wanted for right in feature.crm if right.table}
        names, absent = await _load_names(client, tables)
    except AccessError as error:
        return [Access("Dynamics: own rights", is_ok=False, remedy=str(error))]
    except RejectedError as error:
        return [Access("Dynamics: own rights", is_ok=False, remedy=str(error), is_required=False)]
    return [_line(feature, held, names, absent) for feature in wanted]


def _line(feature: Feature, held: Mapping[str, str], names: Mapping[Right, str], absent: Container[str]) -> Access:
    """Nobody grants a right to a table that is not there; that it is not is told where it is read."""
    called = dict.fromkeys(names.get(right, right.name) for right in feature.crm if right.table not in absent)
    missing = [name for name in called if name not in held]
    shallow = [name for name in called if name in held and held[name] != ORGANIZATION_WIDE]
    said = []
    if missing:
        said.append(f"The role of Tandem's user lacks {', '.join(missing)}.")
    if shallow:
        said.append(f"{', '.join(shallow)} reaches less than the organisation.")
    remedy = f"{' '.join(said)} Grant it: {_WHERE}." if said else ""
    return Access(f"Dynamics: rights for: {feature.title}", not said, remedy, feature.is_required)


async def _load_held(client: DynamicsClient) -> dict[str, str]:
    """Each privilege with the deepest level that any role gives it."""
    user_id = (await client.get_json("WhoAmI", "WhoAmI", _WhoAmI)).user_id
    path = f"systemusers({user_id})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()"
    answer = await client.get_json("read own rights", path, _Role)
    held: dict[str, str] = {}
    for privilege in answer.privileges:
        if held.get(privilege.name) != ORGANIZATION_WIDE:
            held[privilege.name] = privilege.depth
    return held


async def _load_names(client: DynamicsClient, tables: set[str]) -> tuple[dict[Right, str], set[str]]:
    """What each table's privileges are called, and the tables that are not there."""
    operation = "read privileges of tables"
    paths = [f"EntityDefinitions(LogicalName='{table}')?$select=LogicalName,Privileges" for table in sorted(tables)]
    names: dict[Right, str] = {}
    absent: set[str] = set()
    for table, answer in zip(sorted(tables), await client.get_fresh(operation, paths) if paths else (), strict=True):
        if answer.status < 400:
            found = parse_metadata(answer, _Definition, operation)
            names |= {Right(found.table, privilege.kind): privilege.name for privilege in found.privileges}
        elif answer.status == 404:
            absent.add(table)
    return names, absent
