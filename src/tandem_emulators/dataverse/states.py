"""State and status: each state has its own statuses and one of them by default, and some closed rows are read-only.

What the documentation leaves open is a switch: `status_implies_state`, `read_only_when_inactive`,
`close_opportunity_by_update` (sheet section 5.10).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.schema import Table
from tandem_emulators.dataverse.settings import Settings

_CLOSED = {"lead": errors.lead_closed, "opportunity": errors.opportunity_closed}
_CLOSED_OPPORTUNITY = {1: "Won", 2: "Lost"}


@dataclass
class States:
    settings: Settings

    def after(self, table: Table, row: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
        """State and status after the change; nothing where neither is touched."""
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

    def require_change_allowed(self, table: Table, row: Mapping[str, Any], changes: Mapping[str, Any]) -> None:
        """A closed row takes nothing but the change that opens it again, in the tables set so."""
        closed = table.name in self.settings.read_only_when_inactive.split(",") and (row.get("statecode") or 0) != 0
        if closed and changes.get("statecode") != 0:
            raise _CLOSED.get(table.name, errors.row_inactive)()
        if table.name == "opportunity" and not self.settings.close_opportunity_by_update:
            target = changes.get("statecode")
            if target in _CLOSED_OPPORTUNITY and target != row.get("statecode"):
                raise errors.use_close_message(_CLOSED_OPPORTUNITY[target])
