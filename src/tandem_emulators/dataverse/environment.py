"""The environment around the organisation: snapshots of it, going back to one, and a copy over it (sheet section 9).

A snapshot is the whole database, kept in memory or in a file that another emulator can read. Going back to one is
what a test asks for between two runs; an administrator's restore and the copy of another environment are the same
with what the platform does afterwards: administration mode, background operations off, users disabled.
"""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from tandem_emulators.dataverse.organization import Organization
from tandem_emulators.dataverse.schema_changes import SchemaChanges
from tandem_emulators.dataverse.settings import Settings
from tandem_emulators.dataverse.tokens import Tokens
from tandem_emulators.dataverse.webhooks import Webhooks
from tandem_emulators.kit.errors import ControlError
from tandem_emulators.kit.snapshots import Snapshots

# What "customizations and schemas only" leaves: who works there, and how the organisation is set up.
_SETUP_TABLES = frozenset(
    {"organization", "businessunit", "systemuser", "team", "teammembership", "transactioncurrency", "connectionrole"}
    | {"duplicaterule", "duplicaterulecondition", "entitymap", "attributemap"}
) | {"sdkmessage", "sdkmessagefilter", "sdkmessageprocessingstep", "sdkmessageprocessingstepimage", "serviceendpoint"}
_KINDS = ("everything", "customizations")


_Arguments = TypeVar("_Arguments", bound=msgspec.Struct)


class _NewSnapshot(msgspec.Struct, forbid_unknown_fields=True):
    file: str | None = None


class _Afterwards(msgspec.Struct, forbid_unknown_fields=True):
    """None leaves the setting as it is."""

    administration_mode: bool | None = None
    background_operations: bool | None = None


class _Copy(msgspec.Struct, forbid_unknown_fields=True):
    """From a file, or from a snapshot of this emulator. `security_group` are the users who stay enabled."""

    file: str | None = None
    snapshot: int | None = None
    kind: str = "everything"
    administration_mode: bool = True
    background_operations: bool = False
    security_group: list[str] | None = None


@dataclass
class Environment:
    organization: Organization
    changes: SchemaChanges
    settings: Settings
    tokens: Tokens
    webhooks: Webhooks
    _snapshots: Snapshots = field(default_factory=Snapshots)

    def __post_init__(self) -> None:
        self.store, self.schema = self.changes.store, self.changes.schema
        self._adopt_identity()

    def close(self) -> None:
        self._snapshots.close()

    def act(self, method: str, path: str, arguments: Mapping[str, Any]) -> Mapping[str, object] | None:
        """The control operations of this module; None for any other."""
        match method, path.strip("/").split("/"):
            case "GET", ["snapshots"]:
                return {"snapshots": self._snapshots.numbers()}
            case "POST", ["snapshots"]:
                return self._take(_read(arguments, _NewSnapshot))
            case "POST", ["snapshots", number, "restore"]:
                return self._restore(number, _read(arguments, _Afterwards))
            case "DELETE", ["snapshots", number]:
                self._snapshots.drop(number)
                return {"snapshots": self._snapshots.numbers()}
            case "POST", ["environment", "copy"]:
                return self._copy(_read(arguments, _Copy))
            case _:
                return None

    # Snapshots.

    def _take(self, wanted: _NewSnapshot) -> Mapping[str, object]:
        if wanted.file is not None:
            try:
                Path(wanted.file).unlink(missing_ok=True)
                taken = sqlite3.connect(wanted.file)
            except (OSError, sqlite3.Error) as error:
                raise ControlError(f"The file {wanted.file} cannot be written: {error}.") from error
            self._fill(taken)
            taken.close()
            return {"id": None, "file": wanted.file}
        number, taken = self._snapshots.new()
        self._fill(taken)
        return {"id": number, "file": None}

    def _fill(self, target: sqlite3.Connection) -> None:
        """The copy says whose it is. It leaves the mode of its journal behind, so that it is one file."""
        self.store.connection.backup(target)
        target.execute("PRAGMA journal_mode=DELETE")
        facts = [("organization_id", self.organization.organization_id)]
        facts.append(("environment_id", self.organization.environment_id))
        target.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", facts)
        target.commit()

    def _restore(self, number: str, afterwards: _Afterwards) -> Mapping[str, object]:
        self._load(self._snapshots.get(number))
        self._adopt_identity()
        self._after(afterwards.administration_mode, afterwards.background_operations)
        return self._description()

    def _load(self, source: sqlite3.Connection) -> None:
        """Everything in memory that followed from the rows follows from the new rows; row versions too go back."""
        source.backup(self.store.connection)
        self.schema.start_over()
        self.store.start_over()
        self.changes.load()
        self.webhooks.reload()

    def _adopt_identity(self) -> None:
        """The organisation is the one that the database says it is."""
        found = self.store.connection.execute('SELECT "organizationid" FROM "organization"').fetchone()
        if found is not None:
            self.organization.organization_id = found[0]

    # A copy of another environment over this one.

    def _copy(self, wanted: _Copy) -> Mapping[str, object]:
        if wanted.kind not in _KINDS:
            raise ControlError(f"The kind of a copy is one of {', '.join(_KINDS)}, not {wanted.kind!r}.")
        own = (self.organization.organization_id, self.organization.environment_id)
        if wanted.snapshot is not None:
            self._load(self._snapshots.get(str(wanted.snapshot)))
        else:
            self._load_file(wanted.file)
        with self.store.transaction():
            self._take_over_identity(*own)
            if wanted.kind == "customizations":
                self._empty_tables()
            if wanted.security_group is not None:
                self._disable_users(frozenset(user.lower() for user in wanted.security_group))
            if self.settings.copy_ends_delta_tokens:
                for table in self.schema.tables.values():
                    self.changes.touch(table)
        if self.settings.copy_ends_sign_ins:
            self.tokens.revoke_all()
        self.webhooks.reload()
        self._after(wanted.administration_mode, wanted.background_operations)
        return self._description()

    def _load_file(self, file: str | None) -> None:
        if file is None or not Path(file).is_file():
            raise ControlError(f"A copy needs a snapshot, or the file of one; there is no file {file!r}.")
        source = sqlite3.connect(file)
        try:
            source.execute('SELECT 1 FROM "organization"').fetchone()
            self._load(source)
        except sqlite3.Error as error:
            raise ControlError(f"The file {file} is not the snapshot of an organisation: {error}.") from error
        finally:
            source.close()

    def _take_over_identity(self, organization_id: str, environment_id: str) -> None:
        """Whether a copy has the ids of its source is unknown, hence the switches; the address is never copied."""
        self.organization.environment_id = environment_id
        if not self.settings.copy_keeps_environment_id:
            self.organization.environment_id = self.store.meta("environment_id") or environment_id
        self._adopt_identity()
        source_id = self.organization.organization_id
        if self.settings.copy_keeps_organization_id and source_id != organization_id:
            for table in self.schema.tables.values():
                if "organizationid" in table.stored:
                    sql = f'UPDATE "{table.name}" SET "organizationid" = ? WHERE "organizationid" = ?'
                    self.store.connection.execute(sql, (organization_id, source_id))
            self._adopt_identity()

    def _empty_tables(self) -> None:
        for table in self.schema.tables.values():
            if table.name not in _SETUP_TABLES:
                self.store.connection.execute(f'DELETE FROM "{table.name}"')
        self.store.connection.execute("DELETE FROM webhook_queue")

    def _disable_users(self, group: frozenset[str]) -> None:
        table = self.schema.tables["systemuser"]
        found = self.store.connection.execute('SELECT "systemuserid" FROM "systemuser" WHERE "isdisabled" = 0')
        for (user_id,) in found.fetchall():
            if user_id not in group and user_id != self.organization.administrator_id:
                self.store.update(table, user_id, {"isdisabled": 1})

    # What both do at the end.

    def _after(self, administration_mode: bool | None, background_operations: bool | None) -> None:
        if administration_mode is not None:
            self.settings.admin_mode = administration_mode
        if background_operations is not None:
            self.settings.background_operations = background_operations

    def _description(self) -> Mapping[str, object]:
        return {
            "organization_id": self.organization.organization_id,
            "environment_id": self.organization.environment_id,
            "version": self.store.version,
            "administration_mode": self.settings.admin_mode,
            "background_operations": self.settings.background_operations,
        }


def _read(arguments: Mapping[str, Any], kind: type[_Arguments]) -> _Arguments:
    try:
        return msgspec.convert(dict(arguments), kind)
    except msgspec.ValidationError as error:
        raise ControlError(f"The request is not understood: {error}.") from error
