"""What our own user may do with secured columns: those that column security closes read as empty, and say no more.

Metadata tells only *that* a column is secured, for everybody alike. Whether this user's profiles open it is asked of
the user. A secured column without any right is not listed there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import msgspec

from tandem.connectors.dynamics.client import DynamicsClient
from tandem.core.errors import AccessError, RejectedError

_ALLOWED: Final = 4
"""The service's own number for *allowed*; 0 is *not allowed*."""


@dataclass(frozen=True, slots=True)
class ColumnRight:
    may_read: bool
    may_create: bool
    may_update: bool


FULL_RIGHT: Final = ColumnRight(True, True, True)
NO_RIGHT: Final = ColumnRight(False, False, False)

ColumnRights: TypeAlias = Mapping[str, ColumnRight]
"""By the column's metadata id."""


class _Right(msgspec.Struct):
    column_id: str = msgspec.field(name="AttributeId")
    may_read: int = msgspec.field(name="CanRead", default=0)
    may_create: int = msgspec.field(name="CanCreate", default=0)
    may_update: int = msgspec.field(name="CanUpdate", default=0)


class _Rights(msgspec.Struct):
    rights: list[_Right] = msgspec.field(name="AttributePrivileges", default_factory=list)


class _WhoAmI(msgspec.Struct):
    user_id: str = msgspec.field(name="UserId")


async def load_column_rights(client: DynamicsClient) -> ColumnRights | None:
    """None where the service does not tell: then every secured column may be one that reads as empty."""
    user_id = (await client.get_json("WhoAmI", "WhoAmI", _WhoAmI)).user_id
    path = f"systemusers({user_id})/Microsoft.Dynamics.CRM.RetrievePrincipalAttributePrivileges()"
    try:
        answer = await client.get_json("read own rights to columns", path, _Rights)
    except (AccessError, RejectedError):
        return None
    return {
        right.column_id: ColumnRight(
            right.may_read == _ALLOWED, right.may_create == _ALLOWED, right.may_update == _ALLOWED
        )
        for right in answer.rights
    }
