"""Who owns a row: a user or a team, and the unit that comes with them.

Access teams own nothing, and an owner needs a role with which the row could be read (sheet section 5.10); who has
none is a switch, `owners_without_role`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.organization import Organization
from tandem_emulators.dataverse.schema import Schema, Table
from tandem_emulators.dataverse.security import Caller
from tandem_emulators.dataverse.settings import Settings
from tandem_emulators.dataverse.store import Store

_ACCESS_TEAM = 1


@dataclass
class Ownership:
    schema: Schema
    store: Store
    settings: Settings
    organization: Organization

    def of_new_row(self, caller: Caller, table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
        """The owner columns of a row that is created: the caller's where the body names nobody."""
        if not table.is_user_owned:
            return {}
        if row.get("ownerid") is None:
            chosen = {"ownerid": caller.user_id, "owneridtype": "systemuser"}
        else:
            chosen = {"ownerid": row["ownerid"], "owneridtype": row.get("owneridtype") or "systemuser"}
        return self.after(chosen)

    def after(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        owner, kind = changes["ownerid"], changes.get("owneridtype") or "systemuser"
        if owner is None:
            raise errors.invalid_argument("The owner of a record cannot be empty.")
        names = ("businessunitid", "teamtype") if kind == "team" else ("businessunitid",)
        found = self.store.values_of(self.schema.tables[kind], owner, *names)
        if found.get("teamtype") == _ACCESS_TEAM:
            raise errors.assign_to_access_team()
        if owner in self.settings.owners_without_role.split(","):
            raise errors.owner_lacks_privilege()
        return {
            "ownerid": owner,
            "owneridtype": kind,
            "owninguser": owner if kind == "systemuser" else None,
            "owningteam": owner if kind == "team" else None,
            "owningbusinessunit": found.get("businessunitid") or self.organization.business_unit_id,
        }

    def require_nothing_owned(self, table: Table, record_id: str) -> None:
        """Before a user or a team goes, somebody else has to own its records."""
        if table.name not in ("systemuser", "team") or not self._owns_anything(record_id):
            return
        raise errors.team_owns_records(record_id) if table.name == "team" else errors.restricted_delete()

    def _owns_anything(self, owner: str) -> bool:
        owned = [table for table in self.schema.tables.values() if table.is_user_owned]
        found = (f'SELECT 1 FROM "{table.name}" WHERE "ownerid" = ? LIMIT 1' for table in owned)
        return any(self.store.connection.execute(sql, (owner,)).fetchone() for sql in found)
