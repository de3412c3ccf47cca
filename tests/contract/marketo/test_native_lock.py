"""What a native CRM sync takes over: reads go on, writes are 1018, roles are gone: fact sheet 4.2."""

from typing import Any

import pytest
from typer.testing import CliRunner

from tandem_emulators import cli
from tests.contract.marketo.client import InProcess, Running
from tests.contract.marketo.test_custom_object_schema import VIN, a_car

KEYS = {
    "companies": "externalCompanyId",
    "salespersons": "externalSalesPersonId",
    "opportunities": "externalOpportunityId",
}
LOCKED = ("1018", "CRM Enabled")


@pytest.mark.parametrize("crm", ["dynamics", "salesforce"])
@pytest.mark.parametrize("base", KEYS)
def test_records_can_be_read_and_not_written(marketo: Running, crm: str, base: str) -> None:
    key, path = KEYS[base], f"/rest/v1/{base}"
    record = {key: "k", "name": "N"} if base == "opportunities" else {key: "k"}
    assert marketo.post(f"{path}.json", {"input": [record]}).result[0]["status"] == "created"
    marketo.set(native_crm=crm)
    assert marketo.post(f"{path}.json", {"input": [record]}).error == LOCKED
    assert marketo.post(f"{path}/delete.json", {"input": [{key: "k"}]}).error == LOCKED
    assert len(marketo.get(f"{path}.json", filterType=key, filterValues="k").result) == 1
    fields = marketo.get(f"{path}/describe.json").result[0]["fields"]
    assert all(field["crmManaged"] and not field["updateable"] for field in fields)


def test_roles_are_not_even_read(marketo: Running) -> None:
    marketo.set(native_crm="dynamics")
    path = "/rest/v1/opportunities/roles.json"
    assert marketo.get(path, filterType="leadId", filterValues="1").error == LOCKED
    assert marketo.post(path, {"input": [{"role": "R"}]}).error == LOCKED
    assert marketo.get("/rest/v1/opportunities/roles/describe.json").body["success"] is True


def test_people_lists_custom_objects_and_named_accounts_stay_open(marketo: Running) -> None:
    marketo.set(native_crm="dynamics")
    number = marketo.create(email="a@b.example")
    assert marketo.sync({"id": number, "city": "X"}, action="updateOnly", lookupField="id")[0]["status"] == "updated"
    a_car(marketo, VIN)
    made = [
        marketo.post("/rest/v1/customobjects/car.json", {"input": [{"vin": "1"}]}).result[0]["status"],
        marketo.post("/rest/v1/namedaccounts.json", {"input": [{"name": "Google"}]}).result[0]["status"],
    ]
    assert made == ["created", "created"]


def test_the_lock_can_be_set_at_the_start() -> None:
    marketo = InProcess(settings={"native_crm": "dynamics"})
    marketo.sign_in()
    assert marketo.post("/rest/v1/companies.json", {"input": [{"externalCompanyId": "k"}]}).error == LOCKED
    marketo.close()


def test_the_command_line_takes_it_and_names_the_choices(monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[Any] = []
    monkeypatch.setattr("tandem_emulators.kit.server.run", lambda emulator, serving: served.append(emulator))
    assert CliRunner().invoke(cli.app, ["marketo", "--native-crm", "dynamics"]).exit_code == 0
    assert served[0].settings.native_crm == "dynamics"
    served[0].close()
    refused = CliRunner().invoke(cli.app, ["marketo", "--native-crm", "sales"])
    assert refused.exit_code == 2
    assert "salesforce" in refused.output


def test_a_sales_person_of_a_company_deleted_since_stays(marketo: Running) -> None:
    marketo.post("/rest/v1/salespersons.json", {"input": [{"externalSalesPersonId": "s"}]})
    company = {"externalCompanyId": "c", "externalSalesPersonId": "s"}
    marketo.post("/rest/v1/companies.json", {"input": [company]})
    marketo.post("/rest/v1/companies/delete.json", {"input": [{"externalCompanyId": "c"}]})
    body = {"input": [{"externalSalesPersonId": "s"}]}
    [result] = marketo.post("/rest/v1/salespersons/delete.json", body).result
    assert result["reasons"] == [{"code": "1022", "message": "Object in use"}]
