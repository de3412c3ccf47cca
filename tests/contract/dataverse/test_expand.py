"""Sheet section 3.2: `$expand`, what it adds, and what it refuses; and reading through navigation properties."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import pytest

from tests.contract.dataverse.client import InProcess

REF_ONLY = "Expand with $ref is only supported on lookup type navigation property."
ONLY_SELECT = (
    "Only $select and $filter clause can be provided while doing $expand on many-to-one relationship or nested "
    "one-to-many relationship."
)


@dataclass(frozen=True)
class Company:
    org: InProcess
    account: str
    ann: str
    bob: str
    task: str
    root: str

    def get(self, target: str, **headers: str) -> dict[str, Any]:
        answer = self.org.get(target, **headers)
        assert answer.status == 200, answer.raw
        return answer.body


@pytest.fixture(scope="module")
def company(org: InProcess) -> Company:
    account = org.create("accounts", name="Litware")
    works_at = {"parentcustomerid_account@odata.bind": f"accounts({account})"}
    ann = org.create("contacts", firstname="Ann", lastname="Grey", **works_at)
    bob = org.create("contacts", firstname="Bob", lastname="Gold", **works_at)
    org.api("PATCH", f"accounts({account})", {"primarycontactid@odata.bind": f"contacts({ann})"})
    task = org.create("tasks", subject="Call", **{"regardingobjectid_account_task@odata.bind": f"accounts({account})"})
    return Company(org, account, ann, bob, task, f"{org.url}/api/data/v9.2/")


# One row.


def test_a_lookup_is_expanded_to_its_row(company: Company) -> None:
    expand = "$expand=primarycontactid($select=fullname)"
    body = company.get(f"accounts({company.account})?$select=name&{expand}")
    assert body["@odata.context"] == f"{company.root}$metadata#accounts(name,primarycontactid(fullname))/$entity"
    etag = company.org.row("contacts", company.ann)["@odata.etag"]
    assert body["primarycontactid"] == {"@odata.etag": etag, "fullname": "Ann Grey", "contactid": company.ann}


def test_an_empty_lookup_is_expanded_to_null(company: Company) -> None:
    body = company.get(f"accounts({company.account})?$select=name&$expand=parentaccountid($select=name)")
    assert body["parentaccountid"] is None


def test_levels_of_lookups_inside_each_other(company: Company) -> None:
    inner = "$expand=parentcustomerid_account($select=name;$expand=primarycontactid($select=firstname))"
    body = company.get(f"contacts({company.bob})?$select=firstname&{inner}")
    assert body["parentcustomerid_account"]["primarycontactid"]["firstname"] == "Ann"
    where = "contacts(firstname,parentcustomerid_account(name,primarycontactid(firstname)))/$entity"
    assert body["@odata.context"] == f"{company.root}$metadata#{where}"


def test_an_owner_is_a_principal_with_a_type(company: Company) -> None:
    body = company.get(f"contacts({company.ann})?$select=firstname&$expand=ownerid($select=fullname)")
    user = company.org.get("WhoAmI").body["UserId"]
    assert body["ownerid"]["@odata.type"] == "#Microsoft.Dynamics.CRM.systemuser"
    assert body["ownerid"]["ownerid"] == user
    assert "fullname" in body["ownerid"]


def test_a_reference_is_expanded_to_its_id_alone(company: Company) -> None:
    body = company.get(f"accounts({company.account})?$select=name&$expand=primarycontactid/$ref")
    assert body["primarycontactid"] == {"@odata.id": f"{company.root}contacts({company.ann})"}
    answer = company.org.get(f"accounts({company.account})?$expand=contact_customer_accounts/$ref")
    assert answer.error == (400, "0x80060888", REF_ONLY)


def test_a_collection_comes_with_its_foreign_key_and_a_link(company: Company) -> None:
    expand = "$expand=contact_customer_accounts($select=firstname;$orderby=firstname)"
    row = company.get(f"accounts?$select=name&$filter=accountid eq {company.account}&{expand}")["value"][0]
    found = row["contact_customer_accounts"]
    assert [child["firstname"] for child in found] == ["Ann", "Bob"]
    assert {child["_parentcustomerid_value"] for child in found} == {company.account}
    link = row["contact_customer_accounts@odata.nextLink"]
    assert link.startswith(f"{company.root}accounts({company.account})/contact_customer_accounts?$select=firstname")
    assert [child["firstname"] for child in company.get(link)["value"]] == ["Ann", "Bob"]


def test_a_collection_takes_a_filter_an_order_and_a_top(company: Company) -> None:
    options = "$select=firstname;$filter=startswith(lastname,'G');$orderby=firstname desc;$top=1"
    expand = f"$expand=contact_customer_accounts({options})"
    body = company.get(f"accounts({company.account})?$select=name&{expand}")
    assert [child["firstname"] for child in body["contact_customer_accounts"]] == ["Bob"]


def test_an_empty_collection_is_an_empty_list_with_a_link(company: Company) -> None:
    other = company.org.create("accounts", name="Alone")
    body = company.get(f"accounts({other})?$select=name&$expand=contact_customer_accounts($select=firstname)")
    assert body["contact_customer_accounts"] == []
    assert body["contact_customer_accounts@odata.nextLink"].endswith("contact_customer_accounts?$select=firstname")


def test_several_expansions_at_once(company: Company) -> None:
    expand = "$expand=primarycontactid($select=firstname),contact_customer_accounts($select=lastname),ownerid"
    body = company.get(f"accounts({company.account})?$select=name&{expand}")
    assert body["primarycontactid"]["firstname"] == "Ann"
    assert len(body["contact_customer_accounts"]) == 2
    assert body["@odata.context"].endswith(
        "#accounts(name,primarycontactid(firstname),contact_customer_accounts(lastname),ownerid())/$entity"
    )


def test_expanded_rows_are_annotated_like_others(company: Company) -> None:
    expand = "$expand=contact_customer_accounts($select=statecode)"
    row = company.get(f"accounts({company.account})?$select=name&{expand}", Prefer='odata.include-annotations="*"')
    child = row["contact_customer_accounts"][0]
    assert child["statecode@OData.Community.Display.V1.FormattedValue"] == "Active"
    assert child["_parentcustomerid_value@Microsoft.Dynamics.CRM.lookuplogicalname"] == "account"


# Nested collections.


def test_a_nested_collection_comes_in_pages(company: Company) -> None:
    org = company.org
    top = org.create("accounts", name="Top")
    child = org.create("accounts", name="Child", **{"parentaccountid@odata.bind": f"accounts({top})"})
    for number in range(3):
        org.create("contacts", firstname=f"N{number}", **{"parentcustomerid_account@odata.bind": f"accounts({child})"})
    inner = "$expand=contact_customer_accounts($select=firstname)"
    target = f"accounts({top})?$select=name&$expand=account_parent_account($select=name;{inner})"
    body = company.get(target, Prefer="odata.maxpagesize=2")
    inside = body["account_parent_account"][0]
    assert len(inside["contact_customer_accounts"]) == 2
    link = inside["contact_customer_accounts@odata.nextLink"]
    assert 'countOfRecords="2"' in unquote(unquote(link))
    rest = company.get(link, Prefer="odata.maxpagesize=2")["value"]
    names = {row["firstname"] for row in [*inside["contact_customer_accounts"], *rest]}
    assert names == {"N0", "N1", "N2"}
    assert "account_parent_account@odata.nextLink" not in body


@pytest.mark.parametrize(
    "expand",
    [
        "primarycontactid($orderby=fullname)",
        "primarycontactid($top=1)",
        "account_parent_account($expand=contact_customer_accounts($top=1))",
        "account_parent_account($expand=contact_customer_accounts($orderby=lastname))",
        "account_parent_account($orderby=name;$expand=contact_customer_accounts)",
    ],
)
def test_what_only_a_single_collection_takes_is_refused_elsewhere(company: Company, expand: str) -> None:
    assert company.org.get(f"accounts?$expand={expand}").error == (400, "0x80060888", ONLY_SELECT)


def test_more_than_fifteen_expansions_are_refused(company: Company) -> None:
    expand = ",".join(["primarycontactid"] * 16)
    assert company.org.get(f"accounts?$expand={expand}").error[:2] == (400, "0x8004430d")
    assert company.org.get(f"accounts?$top=1&$expand={expand.removesuffix(',primarycontactid')}").status == 200


def test_an_unknown_navigation_property_is_named(company: Company) -> None:
    text = "Could not find a property named 'x' on type 'Microsoft.Dynamics.CRM.account'."
    assert company.org.get("accounts?$expand=x").error == (400, "0x80060888", text)


@pytest.mark.parametrize(
    "expand",
    [
        "primarycontactid($skip=1)",
        "primarycontactid($levels=2)",
        "primarycontactid($count=true)",
        "primarycontactid(",
        "primarycontactid)",
        "primarycontactid/fullname",
        "primarycontactid($select=x)",
        "contact_customer_accounts($filter=x eq 1)",
        "contact_customer_accounts($filter=firstname eq @p1)&@p1='Ann'",
        "(((((",
        "name",
    ],
)
def test_an_expansion_that_cannot_be_read_is_refused(company: Company, expand: str) -> None:
    assert company.org.get(f"accounts?$expand={expand}").status == 400


# Many to many.


def test_members_are_expanded_through_their_pairs(company: Company) -> None:
    org = company.org
    newsletter = org.create("lists", listname="News", createdfromcode=2)
    for contact in (company.ann, company.bob):
        reference = {"@odata.id": f"{company.root}contacts({contact})"}
        assert org.api("POST", f"lists({newsletter})/listcontact_association/$ref", reference).status == 204
    expand = "$expand=listcontact_association($select=firstname;$orderby=firstname)"
    body = company.get(f"lists({newsletter})?$select=listname&{expand}")
    assert [row["firstname"] for row in body["listcontact_association"]] == ["Ann", "Bob"]
    rows = company.get(f"lists({newsletter})/listcontact_association?$select=firstname&$orderby=firstname desc")[
        "value"
    ]
    assert [row["firstname"] for row in rows] == ["Bob", "Ann"]
    condition = "listcontact_association/any(c:c/firstname eq 'Ann')"
    assert [r["listname"] for r in company.get(f"lists?$select=listname&$filter={condition}")["value"]] == ["News"]
    mixed = f"lists({newsletter})?$expand=listcontact_association,ownerid"
    assert org.get(mixed).error[:2] == (400, "0x80060888")


# Reading through navigation properties (3.2, other reads).


def test_the_row_that_a_lookup_points_to(company: Company) -> None:
    body = company.get(f"accounts({company.account})/primarycontactid?$select=fullname")
    assert body["@odata.context"] == f"{company.root}$metadata#contacts(fullname)/$entity"
    assert body["contactid"] == company.ann
    assert company.org.get(f"accounts({company.account})/parentaccountid").status == 204


def test_a_property_behind_a_lookup(company: Company) -> None:
    assert company.get(f"accounts({company.account})/primarycontactid/fullname")["value"] == "Ann Grey"
    raw = company.org.get(f"accounts({company.account})/primarycontactid/fullname/$value")
    assert (raw.headers["content-type"], raw.raw) == ("text/plain", b"Ann Grey")


def test_the_rows_of_a_collection_in_pages(company: Company) -> None:
    target = f"accounts({company.account})/contact_customer_accounts?$select=firstname&$orderby=firstname"
    body = company.get(target)
    assert body["@odata.context"] == f"{company.root}$metadata#contacts(firstname)"
    assert [row["firstname"] for row in body["value"]] == ["Ann", "Bob"]
    pages = list(company.org.pages(target, Prefer="odata.maxpagesize=1"))
    assert [page["value"][0]["firstname"] for page in pages] == ["Ann", "Bob"]
    assert pages[0]["@odata.nextLink"].startswith(
        f"{company.root}accounts({company.account})/contact_customer_accounts?"
    )


def test_a_collection_is_counted_filtered_and_referred_to(company: Company) -> None:
    base = f"accounts({company.account})/contact_customer_accounts"
    assert company.org.get(f"{base}/$count").raw == b"\xef\xbb\xbf2"
    assert company.org.get(f"{base}/$count?$filter=firstname eq 'Bob'").raw == b"\xef\xbb\xbf1"
    body = company.get(f"{base}/$ref")
    assert body["@odata.context"] == f"{company.root}$metadata#Collection($ref)"
    assert {row["@odata.id"] for row in body["value"]} == {
        f"{company.root}contacts({company.ann})",
        f"{company.root}contacts({company.bob})",
    }


def test_one_row_of_a_collection(company: Company) -> None:
    base = f"accounts({company.account})/contact_customer_accounts"
    assert company.get(f"{base}({company.bob})?$select=firstname")["firstname"] == "Bob"
    stranger = company.org.create("contacts", firstname="Eve")
    assert company.org.get(f"{base}({stranger})").error[:2] == (404, "0x80040217")


def test_a_reference_of_a_lookup(company: Company) -> None:
    body = company.get(f"accounts({company.account})/primarycontactid/$ref")
    assert body == {
        "@odata.context": f"{company.root}$metadata#$ref",
        "@odata.id": f"{company.root}contacts({company.ann})",
    }
    assert company.get(f"accounts({company.account})/$ref")["@odata.id"] == f"{company.root}accounts({company.account})"


def test_an_owner_behind_its_property(company: Company) -> None:
    user = company.org.get("WhoAmI").body["UserId"]
    assert company.get(f"contacts({company.ann})/ownerid")["systemuserid"] == user
    cast = f"contacts({company.ann})/ownerid/Microsoft.Dynamics.CRM.systemuser?$select=systemuserid"
    assert company.get(cast)["systemuserid"] == user


def test_activities_that_regard_a_row(company: Company) -> None:
    tasks = company.get(f"accounts({company.account})/Account_Tasks?$select=subject")["value"]
    assert [task["subject"] for task in tasks] == ["Call"]
    body = company.get(f"tasks({company.task})?$select=subject&$expand=regardingobjectid_account_task($select=name)")
    assert body["regardingobjectid_account_task"]["name"] == "Litware"


@pytest.mark.parametrize(
    "path", ["nothing", "primarycontactid/nothing", "contact_customer_accounts/nothing", "name/x", "name/$value/x"]
)
def test_a_path_that_leads_nowhere_is_not_found(company: Company, path: str) -> None:
    assert company.org.get(f"accounts({company.account})/{path}").status == 404


def test_the_collection_of_a_row_that_is_not_there(company: Company) -> None:
    missing = "11111111-1111-1111-1111-111111111111"
    text = f"account With Id = {missing} Does Not Exist"
    answer = company.org.get(f"accounts({missing})/contact_customer_accounts")
    assert answer.error == (404, "0x80040217", text)


def test_a_table_that_may_not_be_read_is_not_read_on_the_way(company: Company) -> None:
    org = company.org
    org.set("/privileges", revoke=["prvReadContact"])
    try:
        for target in (
            "accounts?$expand=primarycontactid",
            "accounts?$filter=primarycontactid/firstname eq 'x'",
            "accounts?$filter=contact_customer_accounts/any(c:c/firstname eq 'x')",
            f"accounts({company.account})/contact_customer_accounts",
        ):
            assert org.get(target).error[:2] == (403, "0x80040220"), target
    finally:
        org.set("/privileges", grant=["prvReadContact"])
