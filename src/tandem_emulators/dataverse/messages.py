"""The messages beyond create, read, update and delete: who am I, about the organisation, qualify a lead, merge."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

import msgspec

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.options import Preferences, parse_options
from tandem_emulators.dataverse.organization import VERSION, Organization
from tandem_emulators.dataverse.payload import PayloadReader
from tandem_emulators.dataverse.reading import Reader
from tandem_emulators.dataverse.schema import Table
from tandem_emulators.dataverse.security import Caller
from tandem_emulators.dataverse.store import Row
from tandem_emulators.dataverse.values import parse_guid
from tandem_emulators.dataverse.writing import Writer
from tandem_emulators.kit.http import Request

MERGEABLE = frozenset({"account", "contact", "lead"})
_QUALIFIED = 1
_INACTIVE = 1
_CRM_NAMESPACE = "Microsoft.Dynamics.CRM."


def who_am_i(organization: Organization, caller: Caller, root: str) -> Row:
    return {
        "@odata.context": f"{root}$metadata#{_CRM_NAMESPACE}WhoAmIResponse",
        "BusinessUnitId": organization.business_unit_id,
        "UserId": caller.user_id,
        "OrganizationId": organization.organization_id,
    }


def version(root: str) -> Row:
    return {"@odata.context": f"{root}$metadata#{_CRM_NAMESPACE}RetrieveVersionResponse", "Version": VERSION}


def current_organization(organization: Organization, base_url: str, root: str) -> Row:
    endpoints = {
        "WebApplication": f"{base_url}/",
        "OrganizationService": f"{base_url}/XRMServices/2011/Organization.svc",
        "OrganizationDataService": f"{base_url}/XRMServices/2011/OrganizationData.svc",
    }
    detail = {
        "OrganizationId": organization.organization_id,
        "FriendlyName": "Contoso",
        "OrganizationVersion": VERSION,
        "EnvironmentId": organization.id_of("environment"),
        "DatacenterId": organization.id_of("datacenter"),
        "Geo": "NA",
        "TenantId": organization.tenant_id,
        "UrlName": "contoso",
        "UniqueName": "org" + organization.organization_id[:8],
        "State": "Enabled",
        "Endpoints": {"Count": 3, "IsReadOnly": False, "Keys": [*endpoints], "Values": [*endpoints.values()]},
    }
    context = f"{root}$metadata#{_CRM_NAMESPACE}RetrieveCurrentOrganizationResponse"
    return {"@odata.context": context, "Detail": detail}


class _Qualification(msgspec.Struct):
    """The body of QualifyLead. What belongs to the opportunity is read and left alone unless one is asked for."""

    CreateAccount: bool = False
    CreateContact: bool = False
    CreateOpportunity: bool = False
    Status: int = -1


@dataclass
class Messages:
    reader: Reader
    writer: Writer

    def __post_init__(self) -> None:
        file = resources.files("tandem_emulators.dataverse").joinpath("data", "qualify.json")
        self._copied = msgspec.json.decode(file.read_bytes(), type=dict[str, dict[str, str]])

    def qualify(self, caller: Caller, lead: Table, lead_id: str, body: Mapping[str, Any], root: str) -> Row:
        """Close the lead as qualified and create the rows asked for; the account becomes the contact's company."""
        wanted = _convert(body, _Qualification)
        if wanted.CreateOpportunity:
            raise errors.not_covered("Creating an opportunity while qualifying")
        self.writer.security.require(caller, lead, "Write")
        row = self._open_lead(lead, lead_id)
        created: list[tuple[Table, str]] = []
        tables = self.writer.schema.tables
        if wanted.CreateAccount:
            created.append((tables["account"], self._create_from(caller, tables["account"], row, {})))
        if wanted.CreateContact:
            company = created[0][1] if created else None
            created.append((tables["contact"], self._create_from(caller, tables["contact"], row, _parent(company))))
        state = {"statecode": _QUALIFIED}
        if wanted.Status != -1:
            state["statuscode"] = wanted.Status
        self.writer.change(caller, lead, row, state)
        return {
            "@odata.context": f"{root}$metadata#Collection({_CRM_NAMESPACE}crmbaseentity)",
            "value": [self._created_row(caller, table, key, root) for table, key in created],
        }

    def _open_lead(self, lead: Table, lead_id: str) -> Row:
        row = self.writer.store.find(lead, lead_id)
        if row is None:
            raise errors.does_not_exist(lead.name, lead_id)
        if row.get("statecode"):
            raise errors.lead_closed()
        return row

    def _create_from(self, caller: Caller, table: Table, lead_row: Row, extra: Mapping[str, Any]) -> str:
        self.writer.security.require(caller, table, "Create")
        copied = {
            target: lead_row[source]
            for source, target in self._copied[table.name].items()
            if lead_row.get(source) is not None
        }
        owner = {"ownerid": lead_row["ownerid"], "owneridtype": lead_row["owneridtype"]}
        new_id = self.writer.new_id()
        lead_id = lead_row["leadid"]
        self.writer.insert(caller, table, new_id, {**copied, **owner, **extra, "originatingleadid": lead_id})
        return new_id

    def _created_row(self, caller: Caller, table: Table, record_id: str, root: str) -> Row:
        row = self.reader.row(caller, table, record_id, parse_options(Request("GET", "")), Preferences(), root)
        row.pop("@odata.context")
        return {"@odata.type": f"#{table.edm_name}", **row}

    def merge(self, caller: Caller, body: Mapping[str, Any]) -> None:
        """The subordinate's children move to the target where the relationship says so, and it is deactivated."""
        table, target_id = self._named(body, "Target")
        other, subordinate_id = self._named(body, "Subordinate")
        if other is not table:
            raise errors.invalid_argument("Target and Subordinate must be of the same type.")
        for kind in ("Read", "Write"):
            self.writer.security.require(caller, table, kind)
        if target_id == subordinate_id:
            raise errors.merge_same()
        target, subordinate = self._existing(table, target_id), self._existing(table, subordinate_id)
        if target.get("statecode") or subordinate.get("statecode"):
            raise errors.merge_inactive()
        content = self._update_content(table, body)
        self.writer.security.require_columns(caller, table, content)
        self._move_children(table, target_id, subordinate_id)
        self.writer.change(caller, table, target, content)
        closed = {"statecode": _INACTIVE, "merged": 1, "masterid": target_id}
        self.writer.change(caller, table, subordinate, closed)

    def _named(self, body: Mapping[str, Any], name: str) -> tuple[Table, str]:
        given = body.get(name)
        if not isinstance(given, dict):
            raise errors.invalid_argument(f"Required parameter '{name}' is missing.")
        type_name = str(given.get("@odata.type", "")).lstrip("#").removeprefix(_CRM_NAMESPACE)
        table = self.writer.schema.tables.get(type_name)
        if table is None or table.name not in MERGEABLE:
            raise errors.invalid_argument(f"Records of type '{type_name}' cannot be merged.")
        record_id = parse_guid(str(given.get(table.key, "")))
        if record_id is None:
            raise errors.invalid_argument(f"'{name}' must have a value for '{table.key}'.")
        return table, record_id

    def _existing(self, table: Table, record_id: str) -> Row:
        row = self.writer.store.find(table, record_id)
        if row is None:
            raise errors.does_not_exist(table.name, record_id)
        return row

    def _update_content(self, table: Table, body: Mapping[str, Any]) -> dict[str, Any]:
        given = body.get("UpdateContent")
        if given is None:
            return {}
        if not isinstance(given, dict):
            raise errors.invalid_argument("'UpdateContent' must be an object.")
        columns = {name: value for name, value in given.items() if name != table.key}
        return self.writer.payload().read(table, columns, creating=False).columns

    def _move_children(self, table: Table, target_id: str, subordinate_id: str) -> None:
        system = Caller(self.writer.organization.administrator_id, is_administrator=True)
        payload: PayloadReader = self.writer.payload()
        for relation in self.writer.schema.children_of(table):
            if relation.on_merge != "Cascade":
                continue
            child = self.writer.schema.tables[relation.child]
            column = child.columns[relation.column]
            for child_id in self.writer.store.children(child, relation.column, subordinate_id, table.name):
                if child is table and child_id in (target_id, subordinate_id):
                    continue
                changes: dict[str, Any] = {}
                payload.point(child, column, table.name, target_id, changes)
                row = self.writer.store.find(child, child_id)
                if row is not None:
                    self.writer.write(system, child, row, changes)


def _parent(account_id: str | None) -> dict[str, Any]:
    if account_id is None:
        return {}
    return {"parentcustomerid": account_id, "parentcustomeridtype": "account", "accountid": account_id}


def _convert(body: Mapping[str, Any], kind: type[_Qualification]) -> _Qualification:
    try:
        return msgspec.convert(dict(body), kind)
    except msgspec.ValidationError as error:
        raise errors.invalid_argument(f"The parameters are not valid: {error}.") from error
