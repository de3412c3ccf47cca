"""Creating, changing and deleting rows by the rules of their tables.

What the service sets by itself is set here: owner and times, full name and composite address, the status that
belongs to a state, money in the base currency; and what a deletion takes with it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.events import Events
from tandem_emulators.dataverse.organization import Organization
from tandem_emulators.dataverse.payload import PayloadReader
from tandem_emulators.dataverse.schema import Relationship, Schema, Table
from tandem_emulators.dataverse.security import Caller, Security
from tandem_emulators.dataverse.settings import Settings
from tandem_emulators.dataverse.store import Row, Store
from tandem_emulators.dataverse.values import render_time
from tandem_emulators.kit.clock import Clock

_ADDRESS_PARTS = ("line1", "line2", "line3", "city", "stateorprovince", "postalcode", "country")


@dataclass
class Writer:
    schema: Schema
    store: Store
    clock: Clock
    security: Security
    settings: Settings
    organization: Organization
    events: Events = field(default_factory=Events)

    def payload(self, references: Mapping[str, str] | None = None) -> PayloadReader:
        return PayloadReader(self.schema, self.store, self.settings.empty_string_is_null, references or {})

    # The three writes, with the caller's rights checked.

    def create(
        self,
        caller: Caller,
        table: Table,
        body: Mapping[str, Any],
        *,
        record_id: str | None = None,
        references: Mapping[str, str] | None = None,
    ) -> str:
        self.security.require(caller, table, "Create")
        changes = self.payload(references).read(table, body, creating=True)
        self.security.require_columns(caller, table, changes)
        chosen = record_id or changes.pop(table.key, None) or self.new_id()
        changes.pop(table.key, None)
        if self.store.exists(table, chosen):
            raise errors.duplicate_key()
        self.insert(caller, table, chosen, changes)
        return str(chosen)

    def update(
        self,
        caller: Caller,
        table: Table,
        record_id: str,
        body: Mapping[str, Any],
        *,
        references: Mapping[str, str] | None = None,
    ) -> None:
        self.security.require(caller, table, "Write")
        row = self._existing(table, record_id)
        changes = self.payload(references).read(table, body, creating=False)
        self.security.require_columns(caller, table, changes)
        if "ownerid" in changes:
            self.security.require(caller, table, "Assign")
        self.change(caller, table, row, changes)

    def delete(self, caller: Caller, table: Table, record_id: str) -> None:
        self.security.require(caller, table, "Delete")
        self._existing(table, record_id)
        self._delete(caller, table, record_id)

    # The same without a body to read: qualification, merging and seeding write stored columns.

    def insert(self, caller: Caller, table: Table, record_id: str, changes: Mapping[str, Any]) -> None:
        now = render_time(self.clock.now())
        made_by = {"createdon": now, "modifiedon": now, "createdby": caller.user_id, "modifiedby": caller.user_id}
        if caller.impersonated_by is not None:
            made_by |= dict.fromkeys(("createdonbehalfby", "modifiedonbehalfby"), caller.impersonated_by)
        row = {**table.defaults, **_known(table, made_by), **changes, table.key: record_id}
        if table.is_user_owned:
            if row.get("ownerid") is None:
                row |= {"ownerid": caller.user_id, "owneridtype": "systemuser"}
            row |= self._owner_columns(row)
        row |= self._new_state(table, {}, changes)
        self._complete(table, row, row)
        self.store.insert(table, {name: value for name, value in row.items() if name in table.stored})
        self.events.publish("Create", table, record_id, caller, changes=_known(table, row))

    def change(self, caller: Caller, table: Table, row: Row, changes: dict[str, Any]) -> None:
        self._require_open(table, row, changes)
        self.write(caller, table, row, changes)

    def write(self, caller: Caller, table: Table, row: Row, changes: dict[str, Any]) -> None:
        """Like `change`, also for a closed row: what the service itself does to it."""
        if "ownerid" in changes:
            if changes["ownerid"] is None:
                raise errors.invalid_argument("The owner of a record cannot be empty.")
            changes |= self._owner_columns(changes)
        changes |= self._new_state(table, row, changes)
        changes |= _known(table, {"modifiedon": render_time(self.clock.now()), "modifiedby": caller.user_id})
        if caller.impersonated_by != row.get("modifiedonbehalfby"):
            changes |= _known(table, {"modifiedonbehalfby": caller.impersonated_by})
        self._complete(table, {**row, **changes}, changes)
        self.store.update(table, row[table.key], changes)
        self.events.publish("Update", table, row[table.key], caller, before=row, changes=changes)

    def new_id(self) -> str:
        """A version 4 GUID from the organisation's own source, so that the same run makes the same ids."""
        return str(UUID(int=self.organization.random.getrandbits(128), version=4))

    def _existing(self, table: Table, record_id: str) -> Row:
        row = self.store.find(table, record_id)
        if row is None:
            raise errors.does_not_exist(table.name, record_id)
        return row

    def _require_open(self, table: Table, row: Row, changes: Mapping[str, Any]) -> None:
        """A closed row takes nothing but the change that opens it again, in the tables set so."""
        closed = table.name in self.settings.read_only_when_inactive.split(",") and (row.get("statecode") or 0) != 0
        if closed and changes.get("statecode") != 0:
            raise errors.lead_closed()

    def _owner_columns(self, row: Mapping[str, Any]) -> dict[str, Any]:
        owner, kind = row["ownerid"], row.get("owneridtype") or "systemuser"
        owner_table = self.schema.tables[kind]
        owning = self.store.find(owner_table, owner) or {}
        return {
            "owninguser": owner if kind == "systemuser" else None,
            "owningteam": owner if kind == "team" else None,
            "owningbusinessunit": owning.get("businessunitid") or self.organization.business_unit_id,
        }

    def _new_state(self, table: Table, row: Row, changes: Mapping[str, Any]) -> dict[str, Any]:
        """State and status after the change: each state has its own statuses and one of them by default."""
        if not table.default_status or not {"statecode", "statuscode"} & set(changes):
            return {}
        old_state = row.get("statecode") or 0
        state, status = changes.get("statecode"), changes.get("statuscode")
        if state is None:
            implied = table.state_of_status.get(status, -1) if status is not None else old_state
            state = implied if self.settings.status_implies_state else old_state
        if status is None:
            keeps = row and state == old_state and row.get("statuscode") is not None
            status = row["statuscode"] if keeps else table.default_status.get(state, -1)
        if table.state_of_status.get(status) != state:
            raise errors.bad_state(state, status)
        return {"statecode": state, "statuscode": status}

    def _complete(self, table: Table, row: Mapping[str, Any], changes: dict[str, Any]) -> None:
        """Columns that follow from others. `row` is the whole new row, `changes` what will be written of it."""
        if "fullname" in table.stored and {"firstname", "lastname"} & set(changes):
            changes["fullname"] = full_name(row.get("firstname"), row.get("lastname"))
        for number in ("1", "2", "3"):
            composite = f"address{number}_composite"
            parts = [f"address{number}_{part}" for part in _ADDRESS_PARTS]
            if composite in table.stored and not set(parts).isdisjoint(changes):
                changes[composite] = composite_address([row.get(part) for part in parts])
        self._complete_money(table, row, changes)

    def _complete_money(self, table: Table, row: Mapping[str, Any], changes: dict[str, Any]) -> None:
        """The organisation has one currency, so the base amount is the amount."""
        amounts = [n for n in changes if f"{n}_base" in table.stored and table.stored[n].type == "Money"]
        for name in amounts:
            changes[f"{name}_base"] = changes[name]
        if any(changes[name] is not None for name in amounts) and "exchangerate" in table.stored:
            changes.setdefault("exchangerate", 1.0)
            if row.get("transactioncurrencyid") is None:
                changes["transactioncurrencyid"] = self.organization.currency_id

    def _delete(self, caller: Caller, table: Table, record_id: str) -> None:
        for relation in self.schema.children_of(table):
            self._release_children(caller, table, record_id, relation)
        row = self.store.find(table, record_id)
        if row is not None:
            self.store.delete(table, record_id, self.clock.timestamp())
            self.events.publish("Delete", table, record_id, caller, before=row)

    def _release_children(self, caller: Caller, table: Table, record_id: str, relation: Relationship) -> None:
        child = self.schema.tables[relation.child]
        for child_id in self.store.children(child, relation.column, record_id, table.name):
            if child_id == record_id and child is table:
                continue
            match relation.on_delete:
                case "Cascade":
                    self._delete(caller, child, child_id)
                case "Restrict":
                    raise errors.restricted_delete()
                case "RemoveLink":
                    changes: dict[str, Any] = {}
                    self.payload().point(child, child.columns[relation.column], None, None, changes)
                    changes["modifiedon"] = render_time(self.clock.now())
                    self.store.update(child, child_id, _known(child, changes))


def full_name(first: str | None, last: str | None) -> str | None:
    return " ".join(part for part in (first, last) if part) or None


def composite_address(parts: list[str | None]) -> str | None:
    """Lines, then city, region and postal code on one line, then the country, as the service prints an address."""
    line1, line2, line3, city, region, postal, country = parts
    place = ", ".join(part for part in (city, " ".join(p for p in (region, postal) if p)) if part)
    return "\r\n".join(part for part in (line1, line2, line3, place, country) if part) or None


def _known(table: Table, values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name in table.stored}


def etag_version(header: str) -> int | None:
    r"""The row version in `W/"123"`; a strong tag is accepted too. None when it is neither."""
    found = re.fullmatch(r'\s*(?:W/)?"(\d{1,18})"\s*', header)
    return int(found[1]) if found else None
