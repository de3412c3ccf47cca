"""Sheet sections 5.8, 5.9 and 6.5: qualification, merging, the organisation."""

from typing import Any

import pytest

from tests.contract.dataverse.client import InProcess, Running

QUALIFY = "Microsoft.Dynamics.CRM.QualifyLead"
NEVER = "11111111-1111-1111-1111-111111111111"


@pytest.fixture
def crm(fresh: InProcess) -> Running:
    return fresh


def a_lead(crm: Running, **values: Any) -> str:
    known = {
        "firstname": "Ann",
        "lastname": "Grey",
        "companyname": "Litware",
        "emailaddress1": "ann@litware.example",
        "jobtitle": "Chief",
        "mobilephone": "1",
        "donotbulkemail": True,
        "address1_city": "Bonn",
        "subject": "S",
    }
    return crm.create("leads", **{**known, **values})


def qualify(crm: Running, lead: str, **values: Any) -> Any:
    body = {"CreateAccount": True, "CreateContact": True, "CreateOpportunity": False, "Status": 3, **values}
    return crm.api("POST", f"leads({lead})/{QUALIFY}", body)


def test_5_9_qualification_creates_and_returns_the_rows_and_closes_the_lead(crm: Running) -> None:
    lead = a_lead(crm)
    answer = qualify(crm, lead)
    assert answer.status == 200
    assert answer.body["@odata.context"].endswith("$metadata#Collection(Microsoft.Dynamics.CRM.crmbaseentity)")
    account, contact = answer.rows
    assert account["@odata.type"] == "#Microsoft.Dynamics.CRM.account"
    assert contact["@odata.type"] == "#Microsoft.Dynamics.CRM.contact"
    assert (account["name"], account["_originatingleadid_value"]) == ("Litware", lead)
    assert contact["_originatingleadid_value"] == lead
    assert contact["_parentcustomerid_value"] == account["accountid"]
    copied = ("firstname", "lastname", "fullname", "jobtitle", "emailaddress1", "mobilephone", "donotbulkemail")
    row = crm.row("leads", lead)
    assert {name: contact[name] for name in copied} == {name: row[name] for name in copied}
    assert contact["address1_composite"] == "Bonn"
    assert (row["statecode"], row["statuscode"]) == (1, 3)


def test_5_9_only_what_is_asked_for_is_created(crm: Running) -> None:
    assert qualify(crm, a_lead(crm), CreateAccount=False, CreateContact=False).rows == []
    [contact] = qualify(crm, a_lead(crm), CreateAccount=False).rows
    assert contact["_parentcustomerid_value"] is None


def test_5_9_a_closed_lead_is_not_qualified_again(crm: Running) -> None:
    lead = a_lead(crm)
    qualify(crm, lead)
    assert qualify(crm, lead).error == (400, "0x80040519", "The lead is already closed.")
    assert qualify(crm, NEVER).error[:2] == (404, "0x80040217")


def test_5_9_a_status_of_another_state_undoes_everything(crm: Running) -> None:
    lead = a_lead(crm)
    assert qualify(crm, lead, Status=4).error[:2] == (400, "0x80048408")
    assert crm.get("contacts").rows == []
    assert crm.row("leads", lead)["statecode"] == 0


def test_5_9_a_deleted_lead_leaves_its_contact_without_origin(crm: Running) -> None:
    lead = a_lead(crm)
    contact = qualify(crm, lead, CreateAccount=False).rows[0]["contactid"]
    assert crm.api("DELETE", f"leads({lead})").status == 204
    assert crm.row("contacts", contact)["_originatingleadid_value"] is None


def merge(crm: Running, target: str, subordinate: str, kind: str = "contact", **content: Any) -> Any:
    def named(record_id: str, **values: Any) -> dict[str, Any]:
        return {"@odata.type": f"Microsoft.Dynamics.CRM.{kind}", f"{kind}id": record_id, **values}

    body = {"Target": named(target), "Subordinate": named(subordinate), "PerformParentingChecks": False}
    if content:
        body["UpdateContent"] = named("00000000-0000-0000-0000-000000000000", **content)
    return crm.api("POST", "Merge", body)


def test_5_8_the_loser_is_deactivated_and_points_to_the_winner(crm: Running) -> None:
    winner, loser = crm.create("contacts", lastname="Grey"), crm.create("contacts", lastname="Gray")
    answer = merge(crm, winner, loser, telephone1="555")
    assert (answer.status, answer.raw) == (204, b"")
    lost = crm.row("contacts", loser)
    assert (lost["statecode"], lost["statuscode"], lost["merged"]) == (1, 2, True)
    assert lost["_masterid_value"] == winner
    kept = crm.row("contacts", winner)
    assert (kept["telephone1"], kept["statecode"], kept["merged"]) == ("555", 0, False)


def test_5_8_children_move_to_the_winner_and_show_in_the_feed(crm: Running) -> None:
    winner, loser = crm.create("accounts", name="A"), crm.create("accounts", name="B")
    child = crm.create("contacts", lastname="C", **{"parentcustomerid_account@odata.bind": f"accounts({loser})"})
    lead = crm.create("leads", lastname="L", **{"parentaccountid@odata.bind": f"accounts({loser})"})
    link = crm.get("contacts?$select=lastname", Prefer="odata.track-changes").body["@odata.deltaLink"]
    assert merge(crm, winner, loser, "account").status == 204
    row = crm.row("contacts", child)
    assert row["_parentcustomerid_value"] == row["_accountid_value"] == winner
    assert crm.row("leads", lead)["_parentaccountid_value"] == winner
    assert [change["contactid"] for change in crm.get(link).rows] == [child]


def test_5_8_a_contacts_origin_follows_a_merge_of_leads(crm: Running) -> None:
    loser, winner = a_lead(crm), a_lead(crm)
    contact = crm.create("contacts", lastname="C", **{"originatingleadid@odata.bind": f"leads({loser})"})
    assert merge(crm, winner, loser, "lead").status == 204
    assert crm.row("contacts", contact)["_originatingleadid_value"] == winner


def test_5_8_rows_must_be_two_and_active(crm: Running) -> None:
    winner, loser = crm.create("contacts", lastname="Grey"), crm.create("contacts", lastname="Gray")
    same = "Merge cannot be performed on master and sub-entities that are identical."
    assert merge(crm, winner, winner).error == (400, "0x80045305", same)
    crm.api("PATCH", f"contacts({loser})", {"statecode": 1})
    inactive = "Merge cannot be performed on entity that is inactive."
    assert merge(crm, winner, loser).error == (400, "0x80045304", inactive)


def below(crm: Running, parent: str, name: str) -> str:
    return crm.create("accounts", name=name, **{"parentaccountid@odata.bind": f"/accounts({parent})"})


def test_5_8_a_winner_below_its_loser_would_end_below_itself(crm: Running) -> None:
    loser = crm.create("accounts", name="Loser")
    for winner in (child := below(crm, loser, "Child"), below(crm, child, "Grandchild")):
        answer = merge(crm, winner, loser, "account")
        assert answer.error == (400, "0x80045300", "Merge could create cyclical parenting.")
    assert crm.row("accounts", loser)["statecode"] == 0


def test_5_8_parents_are_compared_when_asked_for(crm: Running) -> None:
    one, other = crm.create("accounts", name="One"), crm.create("accounts", name="Other")
    loser, elsewhere, orphan = below(crm, one, "Loser"), below(crm, other, "X"), crm.create("accounts", name="Orphan")
    expected = {
        elsewhere: (400, "0x80045316", "Merge warning: sub-entity will be differently parented."),
        orphan: (400, "0x80045317", "Merge warning: sub-entity might lose parenting"),
    }
    for winner, error in expected.items():
        named = {"@odata.type": "Microsoft.Dynamics.CRM.account"}
        body = {"Target": {**named, "accountid": winner}, "Subordinate": {**named, "accountid": loser}}
        assert crm.api("POST", "Merge", {**body, "PerformParentingChecks": True}).error == error
    assert merge(crm, orphan, loser, "account").status == 204


def test_5_8_merging_needs_the_right_to_write(crm: Running) -> None:
    winner, loser = crm.create("contacts", lastname="A"), crm.create("contacts", lastname="B")
    crm.set("/privileges", revoke=["prvWriteContact"])
    text = "Merge is not allowed: caller does not have the privilege or access."
    assert merge(crm, winner, loser).error == (400, "0x80045301", text)


def test_5_8_children_are_changed_by_the_system(crm: Running) -> None:
    winner, loser = crm.create("accounts", name="A"), crm.create("accounts", name="B")
    child = crm.create("contacts", lastname="C", **{"parentcustomerid_account@odata.bind": f"accounts({loser})"})
    me = crm.get("WhoAmI").body["UserId"]
    assert merge(crm, winner, loser, "account").status == 204
    assert crm.row("contacts", child)["_modifiedby_value"] != me
    assert crm.row("accounts", winner)["_modifiedby_value"] == me


def test_5_8_the_content_may_set_a_lookup_of_the_winner(crm: Running) -> None:
    winner, loser = crm.create("contacts", lastname="A"), crm.create("contacts", lastname="B")
    account = crm.create("accounts", name="Company")
    assert merge(crm, winner, loser, **{"parentcustomerid_account@odata.bind": f"/accounts({account})"}).status == 204
    assert crm.row("contacts", winner)["_parentcustomerid_value"] == account


@pytest.mark.parametrize("body", [{}, {"Target": 1}, {"Target": {"@odata.type": "Microsoft.Dynamics.CRM.team"}}])
def test_5_8_parameters_are_checked(crm: Running, body: dict[str, Any]) -> None:
    assert crm.api("POST", "Merge", body).error[0] == 400


def test_6_5_the_organisation_describes_itself(crm: Running) -> None:
    access = "AccessType=Microsoft.Dynamics.CRM.EndpointAccessType'Default'"
    detail = crm.get(f"RetrieveCurrentOrganization({access})").body["Detail"]
    assert detail["TenantId"] == crm.access["tenant_id"]
    assert detail["OrganizationId"] == crm.get("WhoAmI").body["OrganizationId"]
    assert detail["State"] == "Enabled"
    assert detail["Endpoints"]["Keys"] == ["WebApplication", "OrganizationService", "OrganizationDataService"]
    assert {"EnvironmentId", "UrlName", "UniqueName", "OrganizationVersion", "FriendlyName"} <= set(detail)
    assert crm.get("RetrieveVersion()").body["Version"].startswith("9.2.")
