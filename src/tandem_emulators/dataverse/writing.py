"""Creating, changing and deleting rows by the rules of their tables.

What the service sets by itself is set here or asked for here: owner and times, computed columns, the status that
belongs to a state; and what a deletion or an assignment takes with it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.associations import Associations
from tandem_emulators.dataverse.cascades import Cascades
from tandem_emulators.dataverse.computed import Computed
from tandem_emulators.dataverse.deep_insert import DeepInsert
from tandem_emulators.dataverse.duplicates import Duplicates
from tandem_emulators.dataverse.events import Events
from tandem_emulators.dataverse.organization import Organization
from tandem_emulators.dataverse.ownership import Ownership
from tandem_emulators.dataverse.payload import Payload, PayloadReader
from tandem_emulators.dataverse.schema import Schema, Table
from tandem_emulators.dataverse.security import OVERRIDE_CREATED, Caller, Security
from tandem_emulators.dataverse.settings import Settings
from tandem_emulators.dataverse.states import States
from tandem_emulators.dataverse.store import Row, Store
from tandem_emulators.dataverse.terms import PLAIN, Terms
from tandem_emulators.dataverse.uniqueness import require_unique
from tandem_emulators.dataverse.values import render_time
from tandem_emulators.kit.clock import Clock

_REQUIRED_LEVELS = {"system": ("SystemRequired",), "application": ("SystemRequired", "ApplicationRequired")}


@dataclass
class Writer:
    schema: Schema
    store: Store
    clock: Clock
    security: Security
    settings: Settings
    organization: Organization
    events: Events = field(default_factory=Events)

    def __post_init__(self) -> None:
        self.computed = Computed(self.schema, self.store, self.organization)
        self.states = States(self.settings)
        self.ownership = Ownership(self.schema, self.store, self.settings, self.organization)
        self.cascades = Cascades(self)
        self.associations = Associations(self)
        self.duplicates = Duplicates(self.schema, self.store, self.settings)
        self.deep_insert = DeepInsert(self)

    def payload(self, references: Mapping[str, str] | None = None) -> PayloadReader:
        settings = self.settings
        return PayloadReader(
            self.schema, self.store, settings.empty_string_is_null, settings.ignore_read_only_columns, references or {}
        )

    # The three writes, with the caller's rights checked.

    def create(
        self,
        caller: Caller,
        table: Table,
        body: Mapping[str, Any],
        *,
        record_id: str | None = None,
        terms: Terms = PLAIN,
    ) -> str:
        """`record_id` is the id that the URL chose; else the body may choose it."""
        self._require(caller, table, "Create", "Create")
        payload = self.payload(terms.references).read(table, body, creating=True)
        self._require_rights(caller, table, payload)
        if payload.columns.get("overriddencreatedon") is not None:
            self.security.require_named(caller, OVERRIDE_CREATED)
        self.deep_insert.make_parents(caller, table, payload, terms)
        changes = {**terms.key_columns, **payload.columns, **terms.preset}
        chosen = str(record_id or changes.get(table.key) or self.new_id())
        changes.pop(table.key, None)
        if table.name in self.settings.state_ignored_on_create.split(","):
            changes.pop("statecode", None)
        if self.store.exists(table, chosen):
            raise errors.duplicate_key()
        if terms.detects_duplicates:
            self.duplicates.require_none(table, chosen, changes, changes)
        self.insert(caller, table, chosen, changes, is_checked=True)
        self.deep_insert.make_children(caller, table, chosen, payload, replace(terms, key_columns={}, preset={}))
        return chosen

    def update(
        self, caller: Caller, table: Table, record_id: str, body: Mapping[str, Any], *, terms: Terms = PLAIN
    ) -> None:
        """The columns of the alternate key that named the row are not written again (sheet section 5.2)."""
        self._require(caller, table, "Write", "Update")
        row = self._existing(table, record_id)
        payload = self.payload(terms.references).read(table, body, creating=False)
        self._require_rights(caller, table, payload)
        changes = {name: value for name, value in payload.columns.items() if name not in terms.key_columns}
        if "ownerid" in changes:
            self.security.require(caller, table, "Assign")
        if terms.detects_duplicates:
            self.duplicates.require_none(table, record_id, {**row, **changes}, changes)
        self.change(caller, table, row, changes)

    def delete(self, caller: Caller, table: Table, record_id: str) -> None:
        self._require(caller, table, "Delete", "Delete")
        row = self._existing(table, record_id)
        if table.name == "systemuser" and not row.get("isdisabled"):
            raise errors.not_supported("Delete", table.name)
        self.ownership.require_nothing_owned(table, record_id)
        self.remove(caller, table, record_id)

    # The same without a body to read: qualification, merging and cascades write stored columns.

    def insert(
        self, caller: Caller, table: Table, record_id: str, changes: Mapping[str, Any], *, is_checked: bool = False
    ) -> None:
        now = render_time(self.clock.now())
        made_by = {"createdon": now, "modifiedon": now, "createdby": caller.user_id, "modifiedby": caller.user_id}
        if caller.impersonated_by is not None:
            made_by |= dict.fromkeys(("createdonbehalfby", "modifiedonbehalfby"), caller.impersonated_by)
        row = {**table.defaults, **_known(table, made_by), **self._address_ids(table), **changes, table.key: record_id}
        self._keep_real_creation(table, row, now)
        row |= self.ownership.of_new_row(caller, table, row)
        row |= self.states.after(table, {}, changes)
        self.computed.complete(table, row, row)
        if is_checked:
            self._require_columns(table, row)
        require_unique(self.store, table, record_id, row, row)
        self.store.insert(table, _known(table, row))
        self.events.publish("Create", table, record_id, caller, changes=_known(table, row))

    def change(self, caller: Caller, table: Table, row: Row, changes: dict[str, Any]) -> None:
        """What a caller does to a row: refused where the row is closed."""
        self.states.require_change_allowed(table, row, changes)
        self.write(caller, table, row, changes)

    def write(self, caller: Caller, table: Table, row: Row, changes: dict[str, Any]) -> None:
        """Like `change`, also for a closed row: what the service itself does to it."""
        record_id = str(row[table.key])
        if "ownerid" in changes:
            changes |= self.ownership.after(changes)
        changes |= self.states.after(table, row, changes)
        changes |= _known(table, {"modifiedon": render_time(self.clock.now()), "modifiedby": caller.user_id})
        if caller.impersonated_by != row.get("modifiedonbehalfby"):
            changes |= _known(table, {"modifiedonbehalfby": caller.impersonated_by})
        self.computed.complete(table, {**row, **changes}, changes)
        require_unique(self.store, table, record_id, {**row, **changes}, changes)
        self.store.update(table, record_id, _known(table, changes))
        self.events.publish("Update", table, record_id, caller, before=row, changes=changes)
        if changes.get("ownerid", row.get("ownerid")) != row.get("ownerid"):
            owner = {name: changes[name] for name in ("ownerid", "owneridtype")}
            self.cascades.assign_children(caller, table, record_id, row, owner)

    def remove(self, caller: Caller, table: Table, record_id: str) -> None:
        """The row and what goes with it; a row that is already gone is no error."""
        self.cascades.release_children(caller, table, record_id)
        row = self.store.find(table, record_id)
        if row is not None:
            self.store.delete(table, record_id, self.clock.timestamp())
            self.events.publish("Delete", table, record_id, caller, before=row)

    def new_id(self) -> str:
        """A version 4 GUID from the organisation's own source, so that the same run makes the same ids."""
        return str(UUID(int=self.organization.random.getrandbits(128), version=4))

    def system(self) -> Caller:
        """Who does what the service does by itself."""
        return Caller(self.organization.administrator_id, is_administrator=True)

    def _require(self, caller: Caller, table: Table, privilege: str, message: str) -> None:
        """Rows of a table of pairs come and go by associations only."""
        if table.metadata.get("IsIntersect"):
            raise errors.not_supported(message, table.name)
        self.security.require(caller, table, privilege)

    def _existing(self, table: Table, record_id: str) -> Row:
        row = self.store.find(table, record_id)
        if row is None:
            raise errors.does_not_exist(table.name, record_id)
        return row

    def _require_rights(self, caller: Caller, table: Table, payload: Payload) -> None:
        """Columns closed to the caller, and the right to hang the row onto those that it points to."""
        self.security.require_columns(caller, table, payload.columns)
        for target in payload.targets:
            if target.name not in ("systemuser", "team"):
                self.security.require(caller, table, "Append")
                self.security.require(caller, target, "AppendTo")

    def _require_columns(self, table: Table, row: Mapping[str, Any]) -> None:
        for level in _REQUIRED_LEVELS.get(self.settings.required_columns, ()):
            for name in table.required.get(level, ()):
                if row.get(name) is None:
                    raise errors.required_missing(name)

    def _address_ids(self, table: Table) -> dict[str, str]:
        if not self.settings.address_rows:
            return {}
        return {name: self.new_id() for name in table.address_id_columns}

    def _keep_real_creation(self, table: Table, row: Row, now: str) -> None:
        """`overriddencreatedon` becomes the time of creation, and keeps the real one (sheet section 5.1)."""
        if row.get("overriddencreatedon") is not None and "createdon" in table.stored:
            row["createdon"], row["overriddencreatedon"] = row["overriddencreatedon"], now


def _known(table: Table, values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name in table.stored}


def etag_version(header: str, *, strong: bool = True) -> int | None:
    r"""The row version in `W/"123"`, or in the strong form without the `W/`; None when it is neither."""
    found = re.fullmatch(r'\s*(W/)?"(\d{1,18})"\s*', header)
    return int(found[2]) if found and (strong or found[1]) else None
