"""What a user is told of its own rights: the privileges of its roles, and its share of the secured columns.

Two functions bound to a user (Microsoft's Web API reference names them and their answers). A privilege comes with its
depth; a column that is not secured is not listed.
"""

from typing import Final

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.call import Call, json_reply
from tandem_emulators.dataverse.message import NAMESPACE
from tandem_emulators.dataverse.organization import Organization
from tandem_emulators.dataverse.reading import Reader
from tandem_emulators.dataverse.schema import Table
from tandem_emulators.dataverse.security import Caller
from tandem_emulators.dataverse.store import Row
from tandem_emulators.kit.http import Reply

PRIVILEGES: Final = "RetrieveUserPrivileges"
COLUMNS: Final = "RetrievePrincipalAttributePrivileges"
_ALLOWED: Final = 4
_NOT_ALLOWED: Final = 0


def is_asked(table: Table, rest: tuple[str, ...]) -> bool:
    return table.name == "systemuser" and len(rest) == 1 and _name(rest[0]) in (PRIVILEGES, COLUMNS)


def serve(call: Call, organization: Organization, reader: Reader, record_id: str, function: str) -> Reply:
    """For the user of the row, whoever asks; that one must be allowed to read users."""
    call.allow("GET")
    reader.security.require(call.caller, reader.schema.tables["systemuser"], "Read")
    if not reader.store.exists(reader.schema.tables["systemuser"], record_id):
        raise errors.does_not_exist("systemuser", record_id)
    user = Caller(record_id, is_administrator=reader.security.is_administrator(record_id))
    name = _name(function)
    found = _privileges(reader, user, organization) if name == PRIVILEGES else _columns(reader, user)
    listed = "RolePrivileges" if name == PRIVILEGES else "AttributePrivileges"
    return json_reply({"@odata.context": f"{call.root}$metadata#{NAMESPACE}{name}Response", listed: found})


def _name(function: str) -> str:
    """Bound functions are named with their namespace; the parentheses of a call without arguments may be left out."""
    if not function.startswith(NAMESPACE):
        return ""
    return function.removeprefix(NAMESPACE).removesuffix("()")


def _privileges(reader: Reader, user: Caller, organization: Organization) -> list[Row]:
    return [
        {
            "Depth": depth,
            "PrivilegeId": privilege_id,
            "BusinessUnitId": organization.business_unit_id,
            "PrivilegeName": name,
            "RecordFilterId": "00000000-0000-0000-0000-000000000000",
            "RecordFilterUniqueName": "",
        }
        for name, privilege_id, depth in reader.security.held_by(user)
    ]


def _columns(reader: Reader, user: Caller) -> list[Row]:
    rows = []
    for table in reader.schema.tables.values():
        closed = reader.security.hidden(user, table)
        for name, column in table.columns.items():
            if reader.security.is_secured(table, name):
                right = _NOT_ALLOWED if name in closed else _ALLOWED
                rights = dict.fromkeys(("CanRead", "CanCreate", "CanUpdate"), right)
                rows.append({"AttributeId": column.metadata["MetadataId"], **rights})
    return rows
