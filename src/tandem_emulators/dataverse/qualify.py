"""QualifyLead: the lead is closed as qualified, and the account, contact and opportunity asked for are made of it.

Which columns are copied is data (`column_maps.py`). The account becomes the contact's company and the
opportunity's customer (sheet section 5.9).
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.column_maps import ColumnMaps
from tandem_emulators.dataverse.errors import ODataError
from tandem_emulators.dataverse.message import NAMESPACE, MessageCall, Outcome, convert, row_of
from tandem_emulators.dataverse.options import Preferences, parse_options
from tandem_emulators.dataverse.reading import Reader
from tandem_emulators.dataverse.schema import Table
from tandem_emulators.dataverse.store import Row
from tandem_emulators.dataverse.writing import Writer
from tandem_emulators.kit.http import Request

_QUALIFIED = 1
_CUSTOMERS = frozenset({"account", "contact"})
_Reference = dict[str, Any]


class _Parameters(msgspec.Struct):
    CreateAccount: bool = False
    CreateContact: bool = False
    CreateOpportunity: bool = False
    Status: int = -1
    OpportunityCurrencyId: _Reference | None = None
    OpportunityCustomerId: _Reference | None = None
    SourceCampaignId: _Reference | None = None
    SuppressDuplicateDetection: bool = True


class Qualification:
    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader = reader
        self._writer = writer
        self._maps = ColumnMaps(writer.store)

    def run(self, call: MessageCall) -> Outcome:
        wanted = convert(call.body, _Parameters)
        lead = call.bound_table
        self._writer.security.require(call.caller, lead, "Write")
        row = self._open_lead(lead, call.record_id)
        made: dict[str, str] = {}
        if wanted.CreateAccount:
            made["account"] = self._create(call, wanted, "account", row, {})
        if wanted.CreateContact:
            company = self._company(made.get("account") or row.get("parentaccountid"))
            made["contact"] = self._create(call, wanted, "contact", row, company)
        if wanted.CreateOpportunity:
            made["opportunity"] = self._create(call, wanted, "opportunity", row, self._deal(wanted, row, made))
        self._close(call, lead, row, wanted.Status, made)
        context = f"{call.root}$metadata#Collection({NAMESPACE}crmbaseentity)"
        rows = [self._shown(call, name, record_id) for name, record_id in made.items()]
        return Outcome({"@odata.context": context, "value": rows}, created=len(rows))

    def _open_lead(self, lead: Table, lead_id: str) -> Row:
        row = self._writer.store.find(lead, lead_id)
        if row is None:
            raise errors.does_not_exist(lead.name, lead_id)
        if row.get("statecode"):
            raise errors.lead_closed()
        return row

    def _close(self, call: MessageCall, lead: Table, row: Row, status: int, made: Mapping[str, str]) -> None:
        changes: dict[str, Any] = {"statecode": _QUALIFIED}
        if status != -1:
            changes["statuscode"] = status
        if "opportunity" in made:
            changes["qualifyingopportunityid"] = made["opportunity"]
        self._writer.change(call.caller, lead, row, changes)

    def _create(
        self, call: MessageCall, wanted: _Parameters, name: str, lead_row: Row, extra: Mapping[str, Any]
    ) -> str:
        table = self._writer.schema.tables[name]
        self._require_create(call, table)
        copied = self._maps.copied("lead", name, lead_row)
        owner = {"ownerid": lead_row["ownerid"], "owneridtype": lead_row["owneridtype"]}
        row = {**copied, **owner, **extra, "originatingleadid": lead_row["leadid"]}
        new_id = self._writer.new_id()
        if call.terms.detects_duplicates or not wanted.SuppressDuplicateDetection:
            self._writer.duplicates.require_none(table, new_id, row, row)
        self._writer.insert(call.caller, table, new_id, row)
        return new_id

    def _require_create(self, call: MessageCall, table: Table) -> None:
        """A missing right to create accounts has a text of its own."""
        try:
            self._writer.security.require(call.caller, table, "Create")
        except ODataError as error:
            if table.name == "account":
                raise errors.cannot_qualify() from error
            raise

    def _company(self, account_id: str | None) -> dict[str, Any]:
        if not self._writer.settings.qualify_links_rows:
            return {}
        return self._pointing("contact", "parentcustomerid", "account", account_id)

    def _deal(self, wanted: _Parameters, lead_row: Row, made: Mapping[str, str]) -> dict[str, Any]:
        """The opportunity's customer is the one named, else the new account, the new contact, or what the lead had."""
        columns: dict[str, Any] = {}
        for name in ("account", "contact"):
            fresh = made.get(name) if self._writer.settings.qualify_links_rows else None
            parent = fresh or lead_row.get(f"parent{name}id")
            columns |= self._pointing("opportunity", f"parent{name}id", name, parent)
        customer = self._customer(wanted, columns)
        if customer is not None:
            columns |= self._pointing("opportunity", "customerid", *customer)
        currency = self._named(wanted.OpportunityCurrencyId, "OpportunityCurrencyId", "transactioncurrency")
        currency = currency or lead_row.get("transactioncurrencyid") or self._writer.organization.currency_id
        campaign = self._named(wanted.SourceCampaignId, "SourceCampaignId", "campaign") or lead_row.get("campaignid")
        columns |= self._pointing("opportunity", "transactioncurrencyid", "transactioncurrency", currency)
        return columns | self._pointing("opportunity", "campaignid", "campaign", campaign)

    def _customer(self, wanted: _Parameters, columns: Mapping[str, Any]) -> tuple[str, str] | None:
        if wanted.OpportunityCustomerId is not None:
            table, record_id = row_of(
                self._writer.schema, wanted.OpportunityCustomerId, "OpportunityCustomerId", _CUSTOMERS
            )
            self._require(table, record_id)
            return table.name, record_id
        for name in ("account", "contact"):
            if columns.get(f"parent{name}id"):
                return name, str(columns[f"parent{name}id"])
        return None

    def _named(self, given: _Reference | None, parameter: str, kind: str) -> str | None:
        if given is None:
            return None
        table, record_id = row_of(self._writer.schema, given, parameter, frozenset({kind}))
        self._require(table, record_id)
        return record_id

    def _require(self, table: Table, record_id: str) -> None:
        if not self._writer.store.exists(table, record_id):
            raise errors.does_not_exist(table.name, record_id)

    def _pointing(self, name: str, column: str, target: str, record_id: str | None) -> dict[str, Any]:
        table = self._writer.schema.tables[name]
        columns: dict[str, Any] = {}
        if record_id is not None and column in table.columns:
            self._writer.payload().point(table, table.columns[column], target, record_id, columns)
        return columns

    def _shown(self, call: MessageCall, name: str, record_id: str) -> Row:
        table = self._writer.schema.tables[name]
        options = parse_options(Request("GET", ""))
        row = self._reader.row(call.caller, table, record_id, options, Preferences(), call.root)
        row.pop("@odata.context")
        return {"@odata.type": f"#{table.edm_name}", **row}
