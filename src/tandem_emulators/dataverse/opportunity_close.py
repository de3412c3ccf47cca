"""WinOpportunity and LoseOpportunity: an open opportunity is closed, and an activity keeps how (sheet section 5.10)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.message import MessageCall, Outcome, convert
from tandem_emulators.dataverse.schema import Table
from tandem_emulators.dataverse.store import Row
from tandem_emulators.dataverse.values import render_time
from tandem_emulators.dataverse.writing import Writer

WON, LOST = 1, 2
_COMPLETED = {"statecode": 1, "statuscode": 2}
_BIND = "opportunityid@odata.bind"


class _Parameters(msgspec.Struct):
    OpportunityClose: dict[str, Any]
    Status: int = -1


def derive_opportunity(row: Mapping[str, Any], changes: dict[str, Any]) -> None:
    """An expected value that the service computes is the sum of the opportunity's lines, and cannot be written."""
    if row.get("isrevenuesystemcalculated") and {"estimatedvalue", "isrevenuesystemcalculated"} & set(changes):
        changes["estimatedvalue"] = row.get("totalamount") or 0.0


@dataclass(frozen=True, slots=True)
class OpportunityClose:
    writer: Writer
    state: int

    def run(self, call: MessageCall) -> Outcome:
        wanted = convert(call.body, _Parameters)
        tables = self.writer.schema.tables
        opportunity, activity = tables["opportunity"], tables["opportunityclose"]
        columns = self._activity_columns(call, activity, wanted.OpportunityClose)
        self.writer.security.require(call.caller, opportunity, "Write")
        row = self.writer.store.find(opportunity, columns["opportunityid"])
        if row is None:
            raise errors.does_not_exist(opportunity.name, columns["opportunityid"])
        if row.get("statecode"):
            raise errors.opportunity_closed()
        closing = self._closing(row, columns, wanted.Status)
        self.writer.write(call.caller, opportunity, row, closing)
        self._insert_activity(call, activity, row, {**columns, "opportunitystatuscode": closing["statuscode"]})
        return Outcome()

    def _activity_columns(self, call: MessageCall, activity: Table, given: Mapping[str, Any]) -> dict[str, Any]:
        """The activity's own columns. Its opportunity may be bound, or given as an object with the id."""
        body = dict(given)
        nested = body.pop("opportunityid", None)
        if isinstance(nested, dict) and isinstance(nested.get("opportunityid"), str):
            body[_BIND] = f"opportunities({nested['opportunityid']})"
        columns = self.writer.payload(call.terms.references).read(activity, body, creating=True).columns
        if columns.get("opportunityid") is None:
            raise errors.opportunity_id_missing()
        return columns

    def _closing(self, row: Row, columns: Mapping[str, Any], status: int) -> dict[str, Any]:
        """The day and the amount come from the activity; else today, and what was expected of a won one."""
        today = render_time(self.writer.clock.now())[:10]
        ended = columns.get("actualend")
        amount = columns.get("actualrevenue")
        if amount is None:
            amount = row.get("estimatedvalue") if self.state == WON else 0.0
        changes = {"statecode": self.state, "actualclosedate": ended[:10] if ended else today, "actualvalue": amount}
        return changes if status == -1 else {**changes, "statuscode": status}

    def _insert_activity(self, call: MessageCall, activity: Table, row: Row, columns: Mapping[str, Any]) -> None:
        now = render_time(self.writer.clock.now())
        implied: dict[str, Any] = {
            "subject": f"Opportunity Close - {row.get('name') or ''}",
            "actualend": now,
            "actualrevenue": row.get("estimatedvalue") if self.state == WON else None,
            "activitytypecode": activity.name,
            "opportunitystatecode": self.state,
            "transactioncurrencyid": row.get("transactioncurrencyid"),
            "ownerid": row["ownerid"],
            "owneridtype": row["owneridtype"],
            **_COMPLETED,
        }
        regarding = activity.columns["regardingobjectid"]
        self.writer.payload().point(activity, regarding, "opportunity", row["opportunityid"], implied)
        given = {name: value for name, value in columns.items() if value is not None and name != activity.key}
        record_id = columns.get(activity.key) or self.writer.new_id()
        self.writer.insert(call.caller, activity, record_id, {**implied, **given})
