"""Sheet section 5.10: owners and what follows them, duplicate detection, versions that rise after a write."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.dataverse.client import InProcess

ACTION = "Microsoft.Dynamics.CRM."
DUPLICATE = "A record was not created or updated because a duplicate of the current record already exists."
LOOK = {"MSCRM.SuppressDuplicateDetection": "false"}


@pytest.fixture(scope="module")
def org() -> Iterator[InProcess]:
    """With a few people, so that there are users to own something."""
    emulator = InProcess(people=40)
    assert emulator.sign_in().status == 200
    yield emulator
    emulator.close()


@pytest.fixture
def settings(org: InProcess) -> Iterator[InProcess]:
    before = org.control("GET", "/settings").body
    yield org
    org.control("POST", "/settings", before)


def users(org: InProcess) -> list[str]:
    found = org.get("systemusers?$filter=isdisabled eq false and accessmode eq 0&$select=systemuserid").rows
    return [row["systemuserid"] for row in found]


def assign(org: InProcess, path: str, owner: str, kind: str = "systemusers") -> Any:
    return org.api("PATCH", path, {"ownerid@odata.bind": f"/{kind}({owner})"})


def owner_of(org: InProcess, entity_set: str, key: str) -> str:
    owner: str = org.row(entity_set, key)["_ownerid_value"]
    return owner


def test_5_10_a_row_may_belong_to_a_team(org: InProcess) -> None:
    team = org.set("/people/create", entity="team", values={"name": "Field", "teamtype": 0})["id"]
    contact = org.create("contacts", lastname="Grey")
    assert assign(org, f"contacts({contact})", team, "teams").status == 204
    row = org.get(f"contacts({contact})", Prefer='odata.include-annotations="*"').body
    assert (row["_ownerid_value"], row["_owningteam_value"], row["_owninguser_value"]) == (team, team, None)
    assert row["_ownerid_value@Microsoft.Dynamics.CRM.lookuplogicalname"] == "team"


def test_5_10_an_access_team_owns_nothing(org: InProcess) -> None:
    team = org.set("/people/create", entity="team", values={"name": "Access", "teamtype": 1})["id"]
    contact = org.create("contacts", lastname="Grey")
    text = "You cannot assign a record to the access team. You can assign a record to the owner team."
    assert assign(org, f"contacts({contact})", team, "teams").error == (400, "0x80048340", text)


def test_5_10_the_new_owner_needs_a_role(settings: InProcess) -> None:
    user, contact = users(settings)[0], settings.create("contacts", lastname="Grey")
    settings.set("/settings", owners_without_role=user)
    text = "Target user or team does not hold required privileges."
    assert assign(settings, f"contacts({contact})", user).error == (403, "0x80040231", text)


def test_5_10_assigning_an_account_assigns_what_hangs_on_it(org: InProcess) -> None:
    first, second = users(org)[:2]
    account = org.create("accounts", name="A")
    to_account = {"parentcustomerid_account@odata.bind": f"/accounts({account})"}
    boss = org.create("contacts", lastname="Boss", **to_account)
    clerk = org.create("contacts", lastname="Clerk", **{"parentcustomerid_contact@odata.bind": f"/contacts({boss})"})
    customer = {"customerid_account@odata.bind": f"/accounts({account})"}
    deal = org.create("opportunities", name="Deal", **customer)
    origin = org.create("leads", lastname="L", subject="S", **{"parentaccountid@odata.bind": f"/accounts({account})"})
    before = owner_of(org, "leads", origin)
    for owner in (first, second):
        assert assign(org, f"accounts({account})", owner).status == 204
        rows = [("contacts", boss), ("contacts", clerk), ("opportunities", deal)]
        assert {owner_of(org, entity_set, key) for entity_set, key in rows} == {owner}
    assert owner_of(org, "leads", origin) == before


def test_5_10_a_circle_of_accounts_is_assigned_once_round(org: InProcess) -> None:
    one, two = org.create("accounts", name="One"), org.create("accounts", name="Two")
    for child, parent in ((one, two), (two, one)):
        org.api("PATCH", f"accounts({child})", {"parentaccountid@odata.bind": f"/accounts({parent})"})
    user = users(org)[0]
    assert assign(org, f"accounts({one})", user).status == 204
    assert owner_of(org, "accounts", two) == user


def test_5_10_a_person_assigns(org: InProcess) -> None:
    user, contact = users(org)[1], org.create("contacts", lastname="Grey")
    org.set("/people/assign", entity="contact", id=contact, owner=user)
    assert owner_of(org, "contacts", contact) == user


def delete(org: InProcess, entity: str, record_id: str) -> tuple[int, str]:
    answer = org.control("POST", "/people/delete", {"entity": entity, "id": record_id})
    return answer.status, answer.raw.decode()


def test_5_3_a_user_goes_once_it_is_disabled_and_owns_nothing(fresh: InProcess) -> None:
    leaver, heir = users(fresh)[:2]
    contact = fresh.create("contacts", lastname="Grey")
    fresh.set("/people/assign", entity="contact", id=contact, owner=leaver)
    assert delete(fresh, "systemuser", leaver)[0] == 400
    fresh.set("/people/edit", entity="systemuser", id=leaver, values={"isdisabled": True})
    status, text = delete(fresh, "systemuser", leaver)
    assert (status, "is associated with another object" in text) == (400, True)
    for owned in ("account", "contact", "lead", "opportunity", "connection", "campaign", "list", "team"):
        for row in fresh.control("GET", f"/records/{owned}?limit=5000").body["records"]:
            if row.get("ownerid") == leaver:
                fresh.set("/people/assign", entity=owned, id=row[f"{owned}id"], owner=heir)
    link = fresh.get("systemusers?$select=fullname", Prefer="odata.track-changes").body["@odata.deltaLink"]
    assert delete(fresh, "systemuser", leaver) == (200, '{"deleted":1}')
    assert fresh.get(f"systemusers({leaver})").status == 404
    [gone] = fresh.get(link).rows
    assert (gone["id"], gone["reason"]) == (leaver, "deleted")
    assert fresh.row("contacts", contact)["_ownerid_value"] == heir


def test_5_3_a_team_goes_once_it_owns_nothing(fresh: InProcess) -> None:
    team = fresh.set("/people/create", entity="team", values={"name": "Leaving"})["id"]
    contact = fresh.create("contacts", lastname="Grey", **{"ownerid@odata.bind": f"/teams({team})"})
    status, text = delete(fresh, "team", team)
    assert (status, "Can't delete a team which owns records" in text) == (400, True)
    fresh.set("/people/assign", entity="contact", id=contact, owner=users(fresh)[0])
    assert delete(fresh, "team", team)[0] == 200


# Duplicates.


@pytest.mark.parametrize(
    ("entity_set", "values"),
    [
        ("contacts", {"lastname": "Other", "emailaddress1": "TWIN@litware.example"}),
        ("contacts", {"firstname": "twin", "lastname": "Sister"}),
        ("leads", {"lastname": "Twin", "subject": "S", "emailaddress1": "lead@litware.example"}),
        ("accounts", {"name": "Twin & Co"}),
    ],
)
def test_5_10_a_duplicate_is_refused_when_the_request_asks(
    fresh: InProcess, entity_set: str, values: dict[str, Any]
) -> None:
    fresh.create("contacts", firstname="Twin", lastname="Sister", emailaddress1="twin@litware.example")
    fresh.create("leads", lastname="A", subject="S", emailaddress1="lead@litware.example")
    fresh.create("accounts", name="Twin & Co")
    assert fresh.api("POST", entity_set, values, **LOOK).error == (412, "0x80040333", DUPLICATE)
    assert fresh.api("POST", entity_set, values).status == 204


def test_5_10_an_update_is_checked_for_the_columns_it_writes(org: InProcess) -> None:
    org.create("contacts", lastname="A", emailaddress1="update@litware.example")
    other = org.create("contacts", lastname="B")
    body = {"emailaddress1": "update@litware.example"}
    assert org.api("PATCH", f"contacts({other})", body, **LOOK).error[1] == "0x80040333"
    assert org.api("PATCH", f"contacts({other})", body).status == 204
    assert org.api("PATCH", f"contacts({other})", {"jobtitle": "x"}, **LOOK).status == 204


def test_5_10_only_published_rules_are_looked_at(fresh: InProcess) -> None:
    fresh.create("contacts", lastname="A", emailaddress1="a@litware.example")
    twin = {"lastname": "B", "emailaddress1": "a@litware.example"}
    [rule] = fresh.get("duplicaterules?$filter=name eq 'Contacts with the same e-mail address'").rows
    key = rule["duplicateruleid"]
    assert fresh.api("POST", "UnpublishDuplicateRule", {"DuplicateRuleId": key}).status == 204
    assert fresh.api("POST", "contacts", twin, **LOOK).status == 204
    answer = fresh.api("POST", f"duplicaterules({key})/{ACTION}PublishDuplicateRule", {})
    assert fresh.row("asyncoperations", answer.body["JobId"])["statuscode"] == 30
    assert fresh.api("POST", "contacts", twin, **LOOK).status == 412


def test_5_10_a_rule_of_ones_own_compares_other_tables_by_their_beginning(fresh: InProcess) -> None:
    fresh.create("accounts", name="Litware Ltd")
    names = {"baseentityname": "lead", "matchingentityname": "account"}
    rule = fresh.create("duplicaterules", name="Companies of leads", **names)
    compared = {"baseattributename": "companyname", "matchingattributename": "name", "operatorcode": 1}
    bind = {"regardingobjectid@odata.bind": f"/duplicaterules({rule})"}
    fresh.create("duplicateruleconditions", operatorparam=7, **compared, **bind)
    lead = {"lastname": "L", "subject": "S", "companyname": "LITWARE Inc."}
    assert fresh.api("POST", "leads", lead, **LOOK).status == 204
    fresh.api("POST", f"duplicaterules({rule})/{ACTION}PublishDuplicateRule", {})
    assert fresh.api("POST", "leads", lead, **LOOK).status == 412
    assert fresh.api("POST", "leads", {**lead, "companyname": "Other"}, **LOOK).status == 204


def test_2_5_the_older_status_of_a_duplicate_is_a_switch(settings: InProcess) -> None:
    settings.set("/settings", duplicate_status=500)
    settings.create("accounts", name="Double")
    assert settings.api("POST", "accounts", {"name": "Double"}, **LOOK).error == (500, "0x80040333", DUPLICATE)


# What the service does after a write.


def test_5_10_the_version_in_the_answer_may_be_lower_than_the_rows(settings: InProcess) -> None:
    settings.set("/settings", version_raised_after_write="contact")
    prefer = "return=representation"
    answer = settings.api("POST", "contacts", {"lastname": "Raised"}, Prefer=prefer)
    row = settings.row("contacts", answer.body["contactid"])
    assert row["versionnumber"] > answer.body["versionnumber"]
    assert row["lastname"] == "Raised"
    stale = settings.api("PATCH", f"contacts({row['contactid']})", {"jobtitle": "x"}, If_Match=answer.headers["etag"])
    assert stale.status == 412


@pytest.mark.parametrize(("level", "status"), [("system", 204), ("application", 400), ("none", 204)])
def test_columns_that_forms_require_are_required_by_a_switch(settings: InProcess, level: str, status: int) -> None:
    settings.set("/settings", required_columns=level)
    assert settings.api("POST", "leads", {"firstname": "Ann"}).status == status


def test_5_1_the_time_of_creation_can_be_brought_along(org: InProcess) -> None:
    org.set("/clock", now="2026-01-05T10:00:00Z", frozen=True)
    contact = org.create("contacts", lastname="Old", overriddencreatedon="2019-05-01T08:00:00Z")
    row = org.row("contacts", contact)
    assert (row["createdon"], row["overriddencreatedon"]) == ("2019-05-01T08:00:00Z", "2026-01-05T10:00:00Z")
    org.api("PATCH", f"contacts({contact})", {"overriddencreatedon": "2000-01-01T00:00:00Z"})
    assert org.row("contacts", contact)["createdon"] == "2019-05-01T08:00:00Z"


@pytest.mark.parametrize(
    ("convention", "name"),
    [(0, "Grey, Ann"), (1, "Ann Grey"), (2, "Grey, Ann L."), (3, "Ann L. Grey"), (4, "Grey, Ann Lou")],
)
def test_10_the_full_name_follows_the_organisations_convention(settings: InProcess, convention: int, name: str) -> None:
    organization = settings.get("WhoAmI").body["OrganizationId"]
    edit = {"entity": "organization", "id": organization}
    settings.set("/people/edit", **edit, values={"fullnameconventioncode": convention})
    contact = settings.create("contacts", firstname="Ann", middlename="Lou", lastname="Grey")
    settings.set("/people/edit", **edit, values={"fullnameconventioncode": 1})
    assert settings.row("contacts", contact)["fullname"] == name


def a_currency(org: InProcess, rate: float) -> str:
    """A person sets it up, with its rate."""
    values = {"currencyname": "Euro", "isocurrencycode": "EUR", "currencysymbol": "€", "currencyprecision": 2}
    return str(org.set("/people/create", entity="transactioncurrency", values=values | {"exchangerate": rate})["id"])


def set_rate(org: InProcess, currency: str, rate: float) -> None:
    org.set("/people/edit", entity="transactioncurrency", id=currency, values={"exchangerate": rate})


def in_currency(currency: str) -> dict[str, str]:
    return {"transactioncurrencyid@odata.bind": f"/transactioncurrencies({currency})"}


def test_10_amounts_are_kept_in_the_organisations_currency_too(org: InProcess) -> None:
    euro = a_currency(org, 0.5)
    account = org.create("accounts", name="A", revenue=100.0, **in_currency(euro))
    row = org.row("accounts", account)
    assert (row["revenue"], row["revenue_base"], row["exchangerate"]) == (100.0, 200.0, 0.5)
    set_rate(org, euro, 0.25)
    org.api("PATCH", f"accounts({account})", {"telephone1": "1"})
    assert org.row("accounts", account)["exchangerate"] == 0.5
    org.api("PATCH", f"accounts({account})", {"revenue": 10.0})
    row = org.row("accounts", account)
    assert (row["revenue_base"], row["exchangerate"]) == (40.0, 0.25)
    assert org.control("POST", "/people/delete", {"entity": "transactioncurrency", "id": euro}).status == 400


def test_10_all_amounts_of_a_row_have_its_one_rate(org: InProcess) -> None:
    euro = a_currency(org, 0.5)
    account = org.create("accounts", name="A", revenue=100.0, marketcap=30.0, **in_currency(euro))
    set_rate(org, euro, 0.25)
    org.api("PATCH", f"accounts({account})", {"revenue": 10.0})
    row = org.row("accounts", account)
    assert (row["revenue_base"], row["marketcap_base"], row["exchangerate"]) == (40.0, 120.0, 0.25)


def test_10_another_state_takes_the_rate_of_its_day(org: InProcess) -> None:
    euro = a_currency(org, 0.5)
    deal = org.create("opportunities", name="A", estimatedvalue=100.0, **in_currency(euro))
    set_rate(org, euro, 0.25)
    assert org.row("opportunities", deal)["estimatedvalue_base"] == 200.0
    org.set("/people/lose", id=deal)
    row = org.row("opportunities", deal)
    assert (row["estimatedvalue_base"], row["actualvalue_base"], row["exchangerate"]) == (400.0, 0.0, 0.25)
    set_rate(org, euro, 0.2)
    org.set("/people/reopen", id=deal, entity="opportunity")
    assert org.row("opportunities", deal)["estimatedvalue_base"] == 500.0
