"""Who may do what: the privileges of the API users' role, and columns that are closed to them.

A person at the keyboard (the control API) is a system administrator and is never refused.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.schema import Schema, Table
from tandem_emulators.kit.errors import ControlError

# What an integration role holds out of the box: everything but who works here, and how the organisation is set up.
_READ_ONLY_TABLES = frozenset(
    {"systemuser", "team", "businessunit", "transactioncurrency", "organization", "asyncoperation", "sdkmessage"}
) | {"serviceendpoint", "sdkmessagefilter", "sdkmessageprocessingstep", "sdkmessageprocessingstepimage"}


# Privileges that belong to no table: name and id. The first id is Microsoft's, the others are made of the name.
BYPASS_PLUGINS = ("prvBypassCustomPlugins", "148a9eaf-d0c4-4196-9852-c3a38e35f6a1")
BYPASS_LOGIC = ("prvBypassCustomBusinessLogic", str(uuid5(NAMESPACE_URL, "prvBypassCustomBusinessLogic")))
ACT_ON_BEHALF = ("prvActOnBehalfOfAnotherUser", str(uuid5(NAMESPACE_URL, "prvActOnBehalfOfAnotherUser")))
OVERRIDE_CREATED = ("prvOverrideCreatedOnCreatedBy", str(uuid5(NAMESPACE_URL, "prvOverrideCreatedOnCreatedBy")))
# What customizing takes, by what is done to what; the integration role has it until it is revoked.
_CUSTOMIZED = ("Entity", "Attribute", "EntityKey", "Relationship", "OptionSet")
CUSTOMIZING = frozenset(f"prv{verb}{what}" for verb in ("Create", "Write", "Delete") for what in _CUSTOMIZED) | {
    "prvPublishCustomization"
}
_UNGRANTED = frozenset(name for name, _ in (BYPASS_PLUGINS, BYPASS_LOGIC, ACT_ON_BEHALF))


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose rights and name a request has. `impersonated_by` is the user who signed in, if that is another one.

    `bypasses` is what custom logic the request leaves out: CustomSync, CustomAsync, or ids of single steps; `tag` is
    what it tells the rest of it.
    """

    user_id: str
    is_administrator: bool = False
    impersonated_by: str | None = None
    bypasses: frozenset[str] = frozenset()
    tag: str | None = None


class Security:
    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._granted = {
            name
            for table in schema.tables.values()
            for kind, (name, _) in table.privileges.items()
            if kind in ("Read", "AppendTo") or table.name not in _READ_ONLY_TABLES
        } | CUSTOMIZING
        self._granted.add(OVERRIDE_CREATED[0])
        self._write_only = {
            table.name: frozenset(name for name, column in table.columns.items() if column.metadata.get("IsWriteOnly"))
            for table in schema.tables.values()
        }
        self._closed_columns: dict[str, frozenset[str]] = {}
        self._secured: set[tuple[str, str]] = set()
        self._administrators: set[str] = set()
        self._taken_from: dict[str, set[str]] = {}
        self._shallow: set[str] = set()

    def is_administrator(self, user_id: str) -> bool:
        return user_id in self._administrators

    def holds(self, caller: Caller, privilege: str) -> bool:
        """An impersonating caller has what both have: the user who signed in, and the one in whose name it acts."""
        if caller.is_administrator:
            return True
        users = (caller.user_id, caller.impersonated_by or caller.user_id)
        return privilege in self._granted and not any(privilege in self._taken_from.get(u, ()) for u in users)

    def require_organisation_wide(self, caller: Caller, table: Table) -> None:
        """Changes are tracked for those who may read all rows of a table, not only their business unit's."""
        if not caller.is_administrator and table.privileges["Read"][0] in self._shallow:
            raise errors.access_is_denied()

    def held_by(self, user: Caller) -> list[tuple[str, str, str]]:
        """Name, id and depth of each privilege that the user's role gives it."""
        named = dict((BYPASS_PLUGINS, BYPASS_LOGIC, ACT_ON_BEHALF, OVERRIDE_CREATED))
        named |= {name: str(uuid5(NAMESPACE_URL, name)) for name in CUSTOMIZING}
        named |= {name: id_ for table in self._schema.tables.values() for name, id_ in table.privileges.values()}
        held = sorted(name for name in named if self.holds(user, name))
        return [(name, named[name], "Local" if name in self._shallow else "Global") for name in held]

    def require_named(self, caller: Caller, privilege: tuple[str, str]) -> None:
        """A privilege that belongs to no table."""
        if not self.holds(caller, privilege[0]):
            raise errors.named_privilege_missing(caller.user_id, privilege)

    def require(self, caller: Caller, table: Table, kind: str) -> None:
        if self.holds(caller, table.privileges[kind][0]):
            return
        code, label = table.metadata["ObjectTypeCode"], table.metadata["SchemaName"]
        raise errors.privilege_missing(caller.user_id, table.privileges[kind], code, table.name, label)

    def require_customizing(self, caller: Caller, privilege: str) -> None:
        """One of CUSTOMIZING."""
        self.require_named(caller, (privilege, str(uuid5(NAMESPACE_URL, privilege))))

    def hidden(self, caller: Caller, table: Table) -> frozenset[str]:
        """Columns that this caller reads as null; credentials of an endpoint are so for everybody."""
        return self._closed(caller, table) | self._write_only.get(table.name, frozenset())

    def _closed(self, caller: Caller, table: Table) -> frozenset[str]:
        return frozenset() if caller.is_administrator else self._closed_columns.get(table.name, frozenset())

    def is_secured(self, table: Table, column: str) -> bool:
        """Column security applies to columns that their metadata calls secured; reopening one leaves it so."""
        return (table.name, column) in self._secured

    def require_columns(self, caller: Caller, table: Table, columns: Iterable[str]) -> None:
        if not self._closed(caller, table).isdisjoint(columns):
            raise errors.column_write_refused()

    def grant_all(self, table: Table) -> None:
        """Who creates a table may do everything with it."""
        self._granted |= {name for name, _ in table.privileges.values()}

    def forget(self, table: Table) -> None:
        """A table's privileges go with it."""
        gone = {name for name, _ in table.privileges.values()}
        self._granted -= gone
        self._shallow -= gone

    # Steered by the control API.

    def as_dict(self) -> dict[str, object]:
        closed = {table: sorted(columns) for table, columns in self._closed_columns.items() if columns}
        secured = {table: sorted(c for t, c in self._secured if t == table) for table, _ in sorted(self._secured)}
        return {
            "granted": sorted(self._granted),
            "revoked_columns": closed,
            "secured_columns": secured,
            "shallow": sorted(self._shallow),
        }

    def change(self, change: Mapping[str, Any]) -> None:
        known = {name for table in self._schema.tables.values() for name, _ in table.privileges.values()}
        known |= _UNGRANTED | CUSTOMIZING | {OVERRIDE_CREATED[0]}
        grant, revoke = _names(change, "grant", known), _names(change, "revoke", known)
        close, reopen = self._columns(change, "revoke_columns"), self._columns(change, "grant_columns")
        narrow, widen = _names(change, "narrow", known), _names(change, "widen", known)
        unknown = set(change) - {"grant", "revoke", "revoke_columns", "grant_columns", "user", "administrator"}
        unknown -= {"narrow", "widen", "unsecure_columns"}
        if unknown:
            raise ControlError(f"Privileges are changed by grant and revoke, not {', '.join(sorted(unknown))}.")
        self._shallow = (self._shallow | narrow) - widen
        user = change.get("user")
        if user is None:
            self._granted = (self._granted | grant) - revoke
        else:
            self._change_user(str(user).lower(), grant, revoke, change.get("administrator"))
        for table, columns in close.items():
            self._secured |= {(table, column) for column in columns}
            self._closed_columns[table] = self._closed_columns.get(table, frozenset()) | columns
        for table, columns in self._columns(change, "unsecure_columns").items():
            self._secured -= {(table, column) for column in columns}
        for table, columns in reopen.items():
            self._closed_columns[table] = self._closed_columns.get(table, frozenset()) - columns

    def _change_user(self, user_id: str, grant: set[str], revoke: set[str], administrator: Any) -> None:
        """What one user is deprived of, and whether it is a System Administrator."""
        self._taken_from[user_id] = (self._taken_from.get(user_id, set()) | revoke) - grant
        if administrator is not None:
            (self._administrators.add if administrator else self._administrators.discard)(user_id)

    def _columns(self, change: Mapping[str, Any], key: str) -> dict[str, frozenset[str]]:
        given = change.get(key) or {}
        if not isinstance(given, dict):
            raise ControlError(f"{key} is an object of table names and lists of columns.")
        found = {}
        for name, columns in given.items():
            table = self._schema.tables.get(name)
            if table is None:
                raise ControlError(f"There is no table {name!r}.")
            missing = [column for column in columns if column not in table.stored]
            if missing:
                raise ControlError(f"Table {name!r} has no column {missing[0]!r}.")
            found[name] = frozenset(columns)
        return found


def _names(change: Mapping[str, Any], key: str, known: set[str]) -> set[str]:
    given = change.get(key) or []
    if not isinstance(given, list):
        raise ControlError(f"{key} is a list of privilege names.")
    for name in given:
        if name not in known:
            raise ControlError(f"There is no privilege {name!r}.")
    return set(given)
