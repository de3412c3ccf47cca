"""Sheet sections 5.9 and 5.10: qualification with an opportunity, winning and losing, what a state forbids."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.dataverse.client import InProcess

ACTION = "Microsoft.Dynamics.CRM."
NEVER = "11111111-1111-1111-1111-111111111111"
CLOSED = (400, "0x80040515", "The opportunity is already closed.")


@pytest.fixture
def settings(org: InProcess) -> Iterator[InProcess]:
    """Switches set in a test are as they were after it."""
    before = org.control("GET", "/settings").body
    yield org
    org.control("POST", "/settings", before)


def a_lead(org: InProcess, **values: Any) -> str:
    known = {"firstname": "Ann", "lastname": "Grey", "companyname": "Litware", "subject": "Ten chairs"}
    return org.create("leads", **{**known, **values})


def qualify(org: InProcess, lead: str, **values: Any) -> Any:
    body = {"CreateAccount": True, "CreateContact": True, "CreateOpportunity": True, "Status": 3, **values}
    return org.api("POST", f"leads({lead})/{ACTION}QualifyLead", body)


def an_opportunity(org: InProcess, **values: Any) -> str:
    return org.create("opportunities", **{"name": "Ten chairs", "estimatedvalue": 500.0, **values})


def close(org: InProcess, message: str, opportunity: str, status: int = -1, **values: Any) -> Any:
    activity = {"subject": "Done", "opportunityid@odata.bind": f"/opportunities({opportunity})", **values}
    return org.api("POST", message, {"Status": status, "OpportunityClose": activity})


def reference(kind: str, record_id: str) -> dict[str, str]:
    return {"@odata.type": f"{ACTION}{kind}", f"{kind}id": record_id}


# Qualification.


def test_5_9_the_opportunity_is_made_with_the_account_as_its_customer(org: InProcess) -> None:
    lead = a_lead(org, description="in oak", qualificationcomments="warm")
    answer = qualify(org, lead)
    assert answer.status == 200
    account, contact, opportunity = answer.rows
    assert opportunity["@odata.type"] == "#Microsoft.Dynamics.CRM.opportunity"
    assert {name: opportunity[name] for name in ("name", "description", "qualificationcomments")} == {
        "name": "Ten chairs",
        "description": "in oak",
        "qualificationcomments": "warm",
    }
    assert opportunity["_customerid_value"] == opportunity["_parentaccountid_value"] == account["accountid"]
    assert opportunity["_parentcontactid_value"] == contact["contactid"]
    assert opportunity["_originatingleadid_value"] == lead
    assert (opportunity["statecode"], opportunity["statuscode"]) == (0, 1)
    assert opportunity["_transactioncurrencyid_value"] is not None
    row = org.row("leads", lead)
    assert (row["statecode"], row["statuscode"]) == (1, 3)
    assert row["_qualifyingopportunityid_value"] == opportunity["opportunityid"]


def test_5_9_customer_currency_and_campaign_may_be_named(org: InProcess) -> None:
    customer, campaign = org.create("accounts", name="Customer"), org.create("campaigns", name="Fair")
    currency = org.get("transactioncurrencies?$top=1&$select=currencyname").rows[0]["transactioncurrencyid"]
    lead = a_lead(org)
    answer = qualify(
        org,
        lead,
        CreateAccount=False,
        OpportunityCustomerId=reference("account", customer),
        OpportunityCurrencyId=reference("transactioncurrency", currency),
        SourceCampaignId=reference("campaign", campaign),
    )
    contact, opportunity = answer.rows
    assert opportunity["_customerid_value"] == customer
    assert opportunity["_parentcontactid_value"] == contact["contactid"]
    assert opportunity["_campaignid_value"] == campaign
    assert opportunity["_transactioncurrencyid_value"] == currency


def test_5_9_a_lead_of_an_existing_account_becomes_a_contact_of_it(org: InProcess) -> None:
    account = org.create("accounts", name="Existing")
    lead = a_lead(org, **{"parentaccountid@odata.bind": f"/accounts({account})"})
    contact, opportunity = qualify(org, lead, CreateAccount=False).rows
    assert contact["_parentcustomerid_value"] == opportunity["_customerid_value"] == account


def test_5_9_the_new_rows_stand_alone_where_the_switch_says_so(settings: InProcess) -> None:
    settings.set("/settings", qualify_links_rows=False)
    _, contact, opportunity = qualify(settings, a_lead(settings)).rows
    assert contact["_parentcustomerid_value"] is None
    assert opportunity["_customerid_value"] is None


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({"OpportunityCustomerId": {"@odata.type": f"{ACTION}lead", "leadid": NEVER}}, 400),
        ({"OpportunityCustomerId": {"@odata.type": f"{ACTION}account", "accountid": NEVER}}, 404),
        ({"OpportunityCustomerId": {}}, 400),
        ({"SourceCampaignId": {"campaignid": NEVER}}, 404),
        ({"CreateOpportunity": "yes"}, 400),
        ({"Status": "three"}, 400),
    ],
)
def test_5_9_wrong_parameters_create_nothing(org: InProcess, values: dict[str, Any], status: int) -> None:
    lead = a_lead(org, companyname="Untouched")
    assert qualify(org, lead, **values).status == status
    assert org.row("leads", lead)["statecode"] == 0
    assert org.get("accounts?$filter=name eq 'Untouched'").rows == []


def test_5_9_a_missing_right_to_create_accounts_has_its_text(org: InProcess) -> None:
    lead = a_lead(org)
    org.set("/privileges", revoke=["prvCreateAccount"])
    try:
        status, code, text = qualify(org, lead).error
    finally:
        org.set("/privileges", grant=["prvCreateAccount"])
    assert (status, code) == (403, "0x80081018")
    assert text.startswith("You can't qualify this lead because you don't have permission to create accounts.")


def test_5_9_duplicates_stop_a_qualification_only_when_asked_for(org: InProcess) -> None:
    org.create("contacts", lastname="Twin", emailaddress1="twin@litware.example")
    lead = a_lead(org, emailaddress1="twin@litware.example")
    body = {"CreateContact": True, "SuppressDuplicateDetection": False}
    answer = org.api("POST", f"leads({lead})/{ACTION}QualifyLead", body)
    assert answer.error[:2] == (412, "0x80040333")
    assert org.row("leads", lead)["statecode"] == 0
    assert qualify(org, lead).status == 200


def test_5_9_the_columns_copied_are_rows_of_the_maps(org: InProcess) -> None:
    maps = org.get("entitymaps?$filter=sourceentityname eq 'lead' and targetentityname eq 'opportunity'").rows
    columns = org.get(f"attributemaps?$filter=_entitymapid_value eq {maps[0]['entitymapid']}").rows
    pairs = {(row["sourceattributename"], row["targetattributename"]) for row in columns}
    assert {("subject", "name"), ("description", "description")} <= pairs


def test_5_9_a_map_of_ones_own_is_followed(org: InProcess) -> None:
    maps = org.get("entitymaps?$filter=sourceentityname eq 'lead' and targetentityname eq 'opportunity'").rows
    bind = {"entitymapid@odata.bind": f"/entitymaps({maps[0]['entitymapid']})"}
    names = {"sourceattributename": "companyname", "targetattributename": "customerneed"}
    row = org.create("attributemaps", **names, **bind)
    try:
        [opportunity] = qualify(org, a_lead(org), CreateAccount=False, CreateContact=False).rows
    finally:
        org.api("DELETE", f"attributemaps({row})")
    assert opportunity["customerneed"] == "Litware"


def test_5_9_initialize_from_shows_the_row_that_could_be_made(org: InProcess) -> None:
    lead = a_lead(org, donotbulkemail=True)
    parameters = "EntityMoniker=@p1,TargetEntityName=@p2,TargetFieldType=@p3"
    values = f"@p1={{'@odata.id':'leads({lead})'}}&@p2='contact'"
    kind = "@p3=Microsoft.Dynamics.CRM.TargetFieldType'ValidForCreate'"
    answer = org.get(f"InitializeFrom({parameters})?{values}&{kind}")
    assert answer.status == 200, answer.raw
    assert answer.body["@odata.type"] == "#Microsoft.Dynamics.CRM.contact"
    assert answer.body["@odata.context"].endswith("$metadata#contacts/$entity")
    assert (answer.body["firstname"], answer.body["donotbulkemail"]) == ("Ann", True)
    assert answer.body["originatingleadid@odata.bind"] == f"leads({lead})"
    assert org.row("leads", lead)["statecode"] == 0


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ("@p2='contact'", 400),
        (f"@p1={{'@odata.id':'leads({NEVER})'}}&@p2='contact'", 404),
        ("@p1={'@odata.id':5}&@p2='contact'", 400),
        ("@p1=[1]&@p2='contact'", 400),
        ("@p1={'@odata.id':'leads(LEAD)'}&@p2='nothing'", 400),
        ("@p1={'@odata.id':'leads(LEAD)'}&@p2='contact'&@p3=x'Sometimes'", 400),
    ],
)
def test_5_9_wrong_sources_are_refused(org: InProcess, values: str, status: int) -> None:
    parameters = "EntityMoniker=@p1,TargetEntityName=@p2,TargetFieldType=@p3"
    answer = org.get(f"InitializeFrom({parameters})?{values.replace('LEAD', a_lead(org))}")
    assert answer.status == status, answer.raw


# Winning and losing.


def test_5_10_a_won_opportunity_has_its_activity(org: InProcess) -> None:
    opportunity = an_opportunity(org)
    answer = close(org, "WinOpportunity", opportunity, 3, actualrevenue=450.0, actualend="2026-02-03T10:00:00Z")
    assert (answer.status, answer.raw) == (204, b"")
    row = org.row("opportunities", opportunity)
    assert (row["statecode"], row["statuscode"]) == (1, 3)
    assert (row["actualvalue"], row["actualclosedate"]) == (450.0, "2026-02-03")
    [activity] = org.get(f"opportunitycloses?$filter=_opportunityid_value eq {opportunity}").rows
    assert (activity["subject"], activity["actualrevenue"]) == ("Done", 450.0)
    assert (activity["statecode"], activity["statuscode"]) == (1, 2)
    assert (activity["opportunitystatecode"], activity["opportunitystatuscode"]) == (1, 3)
    assert activity["_regardingobjectid_value"] == opportunity


def test_5_10_what_was_expected_is_what_was_won_where_nothing_is_said(org: InProcess) -> None:
    won, lost = an_opportunity(org), an_opportunity(org)
    close(org, "WinOpportunity", won)
    close(org, "LoseOpportunity", lost)
    assert org.row("opportunities", won)["actualvalue"] == 500.0
    row = org.row("opportunities", lost)
    assert (row["statecode"], row["statuscode"], row["actualvalue"]) == (2, 4, 0.0)


def test_5_10_a_lost_opportunity_takes_a_status_of_its_state(org: InProcess) -> None:
    opportunity = an_opportunity(org)
    assert close(org, "LoseOpportunity", opportunity, 3).error[:2] == (400, "0x80048408")
    assert org.get(f"opportunitycloses?$filter=_opportunityid_value eq {opportunity}").rows == []
    assert close(org, "LoseOpportunity", opportunity, 5).status == 204
    assert org.row("opportunities", opportunity)["statuscode"] == 5


def test_5_10_a_closed_opportunity_is_not_closed_again_until_it_is_opened(org: InProcess) -> None:
    opportunity = an_opportunity(org)
    close(org, "WinOpportunity", opportunity)
    assert close(org, "LoseOpportunity", opportunity).error == CLOSED
    assert org.api("PATCH", f"opportunities({opportunity})", {"statecode": 0}).status == 204
    row = org.row("opportunities", opportunity)
    assert (row["statecode"], row["statuscode"]) == (0, 1)
    assert close(org, "LoseOpportunity", opportunity).status == 204


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "0x80040203"),
        ({"OpportunityClose": {"subject": "x"}}, 400, "0x80043b15"),
        ({"OpportunityClose": {"opportunityid@odata.bind": f"/opportunities({NEVER})"}}, 404, "0x80040217"),
        ({"OpportunityClose": {"opportunityid": {"opportunityid": NEVER}}}, 404, "0x80040217"),
        ({"OpportunityClose": {"nothing": 1}}, 400, "0x80048d19"),
        ({"OpportunityClose": []}, 400, "0x80040203"),
        ({"OpportunityClose": {}, "Status": "3"}, 400, "0x80040203"),
    ],
)
def test_5_10_wrong_parameters_are_refused(org: InProcess, body: dict[str, Any], status: int, code: str) -> None:
    assert org.api("POST", "WinOpportunity", body).error[:2] == (status, code)


def test_5_10_closing_by_update_makes_no_activity(org: InProcess) -> None:
    opportunity = an_opportunity(org)
    assert org.api("PATCH", f"opportunities({opportunity})", {"statecode": 1, "statuscode": 3}).status == 204
    assert org.get(f"opportunitycloses?$filter=_opportunityid_value eq {opportunity}").rows == []


def test_5_10_closing_by_update_can_be_switched_off(settings: InProcess) -> None:
    settings.set("/settings", close_opportunity_by_update=False)
    opportunity = an_opportunity(settings)
    status, code, text = settings.api("PATCH", f"opportunities({opportunity})", {"statecode": 2}).error
    assert (status, code) == (400, "0x80100005")
    assert text.startswith("This message can not be used to set the state of opportunity to Lost.")
    assert close(settings, "LoseOpportunity", opportunity).status == 204


def test_5_10_a_closed_opportunity_takes_no_change_where_the_switch_says_so(settings: InProcess) -> None:
    settings.set("/settings", read_only_when_inactive="lead,opportunity")
    opportunity = an_opportunity(settings)
    close(settings, "WinOpportunity", opportunity)
    assert settings.api("PATCH", f"opportunities({opportunity})", {"name": "x"}).error == CLOSED


def test_10_a_computed_expected_value_cannot_be_written(org: InProcess) -> None:
    opportunity = an_opportunity(org)
    org.api("PATCH", f"opportunities({opportunity})", {"isrevenuesystemcalculated": True})
    org.api("PATCH", f"opportunities({opportunity})", {"estimatedvalue": 900.0})
    row = org.row("opportunities", opportunity)
    assert (row["estimatedvalue"], row["estimatedvalue_base"]) == (0.0, 0.0)
    org.api("PATCH", f"opportunities({opportunity})", {"isrevenuesystemcalculated": False, "estimatedvalue": 900.0})
    assert org.row("opportunities", opportunity)["estimatedvalue"] == 900.0


def test_messages_are_operations_of_their_own(org: InProcess) -> None:
    org.control("POST", "/counters/reset")
    opportunity = an_opportunity(org)
    close(org, "WinOpportunity", opportunity)
    qualify(org, a_lead(org))
    requests = org.control("GET", "/counters").body["requests"]
    assert {"opportunities.create": 1, "win_opportunity": 1, "leads.qualify": 1}.items() <= requests.items()


# A person.


def test_a_person_closes_opens_and_qualifies(org: InProcess) -> None:
    opportunity = an_opportunity(org)
    org.set("/people/win", id=opportunity, values={"actualrevenue": 7.0})
    assert org.row("opportunities", opportunity)["actualvalue"] == 7.0
    org.set("/people/reopen", entity="opportunity", id=opportunity)
    org.set("/people/lose", id=opportunity, status=5)
    assert org.row("opportunities", opportunity)["statuscode"] == 5
    made = org.set("/people/qualify", id=a_lead(org), create_opportunity=True)
    assert set(made) == {"contact_id", "opportunity_id"}
