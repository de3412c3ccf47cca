"""Sheet sections 5.1 and 5.5: deep insert, collections, references; section 10: pairs of rows."""

from typing import Any

import pytest

from tests.contract.dataverse.client import InProcess

NEVER = "11111111-1111-1111-1111-111111111111"


def ref(org: InProcess, path: str) -> dict[str, str]:
    return {"@odata.id": f"{org.url}/api/data/v9.2/{path}"}


def lead(org: InProcess, **values: Any) -> str:
    return org.create("leads", lastname="L", subject="S", **values)


# Deep insert.


def test_5_1_nested_rows_are_made_in_one_transaction(org: InProcess) -> None:
    body = {
        "name": "Litware",
        "primarycontactid": {"firstname": "Ann", "lastname": "Grey"},
        "contact_customer_accounts": [{"lastname": "Clerk"}, {"lastname": "Driver"}],
    }
    account = org.api("POST", "accounts", body)
    assert account.status == 204, account.raw
    row = org.row("accounts", account.id)
    assert org.row("contacts", row["_primarycontactid_value"])["fullname"] == "Ann Grey"
    clerks = org.get(f"contacts?$filter=_parentcustomerid_value eq {account.id}&$select=lastname,_accountid_value").rows
    assert {clerk["lastname"] for clerk in clerks} == {"Clerk", "Driver"}
    assert {clerk["_accountid_value"] for clerk in clerks} == {account.id}


def test_5_1_rows_are_nested_several_levels_deep(org: InProcess) -> None:
    task = {"subject": "Call"}
    opportunity = {"name": "Big deal", "Opportunity_Tasks": [task]}
    answer = org.api("POST", "accounts", {"name": "Deep", "opportunity_customer_accounts": [opportunity]})
    assert answer.status == 204, answer.raw
    [deal] = org.get(f"opportunities?$filter=_customerid_value eq {answer.id}&$select=name").rows
    [call] = org.get(f"tasks?$filter=_regardingobjectid_value eq {deal['opportunityid']}&$select=subject").rows
    assert call["subject"] == "Call"


def test_5_1_a_bad_nested_row_undoes_all(org: InProcess) -> None:
    body = {"name": "Undone deep", "contact_customer_accounts": [{"lastname": "ok"}, {"lastname": "x" * 51}]}
    assert org.api("POST", "accounts", body).error[:2] == (400, "0x80044331")
    assert org.get("accounts?$filter=name eq 'Undone deep'").rows == []


def test_5_1_a_collection_is_bound_by_an_array_when_a_row_is_created(org: InProcess) -> None:
    clerks = [org.create("contacts", lastname="Bound") for _ in "ab"]
    urls = [f"/contacts({key})" for key in clerks]
    account = org.create("accounts", name="A", **{"contact_customer_accounts@odata.bind": urls})
    assert {org.row("contacts", key)["_parentcustomerid_value"] for key in clerks} == {account}


@pytest.mark.parametrize(
    "body",
    [
        {"primarycontactid": "x"},
        {"primarycontactid": [1]},
        {"contact_customer_accounts": "x"},
        {"contact_customer_accounts": [5]},
        {"contact_customer_accounts@odata.bind": "/contacts(1)"},
        {"contact_customer_accounts@odata.bind": [f"/accounts({NEVER})"]},
        {"nothing": {"lastname": "x"}},
        {"primarycontactid": {"@odata.type": "Microsoft.Dynamics.CRM.lead", "lastname": "x"}},
    ],
)
def test_5_1_wrong_nested_values_are_refused(org: InProcess, body: dict[str, Any]) -> None:
    assert org.api("POST", "accounts", {"name": "A", **body}).status in (400, 404)


def test_5_1_a_nested_row_needs_its_type_where_the_lookup_has_several(org: InProcess) -> None:
    typed = {"@odata.type": "Microsoft.Dynamics.CRM.account", "name": "Parent"}
    answer = org.api("POST", "contacts", {"lastname": "Typed", "parentcustomerid_account": typed})
    row = org.row("contacts", answer.id)
    assert org.row("accounts", row["_parentcustomerid_value"])["name"] == "Parent"


def test_5_1_an_update_takes_no_nested_rows(org: InProcess) -> None:
    account = org.create("accounts", name="A")
    for body in ({"primarycontactid": {"lastname": "x"}}, {"contact_customer_accounts": [{"lastname": "x"}]}):
        assert org.api("PATCH", f"accounts({account})", body).error[:2] == (400, "0x80048d19")


def test_5_1_nesting_has_an_end(org: InProcess) -> None:
    body: dict[str, Any] = {"name": "Bottom"}
    for _ in range(40):
        body = {"name": "Level", "parentaccountid": body}
    assert org.api("POST", "accounts", body).error[:2] == (400, "0x80048d19")
    assert org.get("accounts?$filter=name eq 'Bottom'").rows == []


# References.


def test_5_5_a_row_is_put_into_a_collection_and_taken_out_in_both_ways(org: InProcess) -> None:
    account, contact = org.create("accounts", name="A"), org.create("contacts", lastname="C")
    path = f"accounts({account})/contact_customer_accounts"
    answer = org.api("POST", f"{path}/$ref", ref(org, f"contacts({contact})"))
    assert (answer.status, answer.raw) == (204, b"")
    row = org.row("contacts", contact)
    assert row["_parentcustomerid_value"] == row["_accountid_value"] == account
    for target in (f"{path}({contact})/$ref", f"{path}/$ref?$id={org.url}/api/data/v9.2/contacts({contact})"):
        assert org.api("POST", f"{path}/$ref", ref(org, f"contacts({contact})")).status == 204
        assert org.api("DELETE", target).status == 204
        assert org.row("contacts", contact)["_parentcustomerid_value"] is None


def test_5_5_a_lookup_is_set_and_cleared_by_reference(org: InProcess) -> None:
    account, contact = org.create("accounts", name="A"), org.create("contacts", lastname="C")
    path = f"contacts({contact})/parentcustomerid_account/$ref"
    assert org.api("PUT", path, ref(org, f"accounts({account})")).status == 204
    assert org.row("contacts", contact)["_parentcustomerid_value"] == account
    assert org.api("DELETE", path).status == 204
    assert org.row("contacts", contact)["_parentcustomerid_value"] is None


def test_5_5_the_reference_is_absolute_or_has_a_context(org: InProcess) -> None:
    account, contact = org.create("accounts", name="A"), org.create("contacts", lastname="C")
    path, relative = f"accounts({account})/contact_customer_accounts/$ref", {"@odata.id": f"contacts({contact})"}
    assert org.api("POST", path, relative).error[:2] == (400, "0x80048d19")
    with_context = {"@odata.context": f"{org.url}/api/data/v9.2/$metadata#$ref", **relative}
    assert org.api("POST", path, with_context).status == 204


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "accounts({id})/nothing/$ref", 404),
        ("PUT", "accounts({id})/contact_customer_accounts/$ref", 405),
        ("POST", "accounts({id})/primarycontactid/$ref", 405),
        ("POST", f"accounts({NEVER})/contact_customer_accounts/$ref", 404),
        ("DELETE", "accounts({id})/contact_customer_accounts/$ref", 400),
        ("DELETE", "accounts({id})/contact_customer_accounts({id})/$ref", 404),
        ("POST", "accounts({id})/account_parent_account/$ref", 400),
    ],
)
def test_5_5_wrong_references_are_refused(org: InProcess, method: str, path: str, status: int) -> None:
    account, contact = org.create("accounts", name="A"), org.create("contacts", lastname="C")
    body = ref(org, f"contacts({contact})") if method != "DELETE" else None
    assert org.api(method, path.replace("{id}", account), body).status == status


def test_5_5_rows_are_paired_through_a_table_of_pairs(org: InProcess) -> None:
    account, person = org.create("accounts", name="A"), lead(org)
    path = f"accounts({account})/accountleads_association"
    assert org.api("POST", f"{path}/$ref", ref(org, f"leads({person})")).status == 204
    pairs = f"accountleadscollection?$filter=accountid eq {account}"
    assert [row["leadid"] for row in org.get(pairs).rows] == [person]
    again = org.api("POST", f"{path}/$ref", ref(org, f"leads({person})"))
    assert again.error == (412, "0x80040237", "Cannot insert duplicate key.")
    assert org.api("DELETE", f"{path}({person})/$ref").status == 204
    assert org.get(pairs).rows == []


def test_5_5_a_pair_goes_with_either_of_its_rows(org: InProcess) -> None:
    account, person = org.create("accounts", name="A"), lead(org)
    org.api("POST", f"leads({person})/accountleads_association/$ref", ref(org, f"accounts({account})"))
    assert org.api("DELETE", f"leads({person})").status == 204
    assert org.get(f"accountleadscollection?$filter=accountid eq {account}").rows == []


def test_5_1_a_row_is_created_in_a_collection_of_another(org: InProcess) -> None:
    account = org.create("accounts", name="A")
    answer = org.api("POST", f"accounts({account})/contact_customer_accounts", {"lastname": "New"})
    assert (answer.status, answer.headers["location"]) == (204, f"{org.url}/api/data/v9.2/contacts({answer.id})")
    assert org.row("contacts", answer.id)["_parentcustomerid_value"] == account
    paired = org.api("POST", f"accounts({account})/accountleads_association", {"lastname": "L", "subject": "S"})
    assert [row["leadid"] for row in org.get(f"accountleadscollection?$filter=accountid eq {account}").rows] == [
        paired.id
    ]
    for path, status in (("nothing", 404), ("primarycontactid", 405)):
        assert org.api("POST", f"accounts({account})/{path}", {"lastname": "x"}).status == status
    assert org.api("POST", f"accounts({NEVER})/contact_customer_accounts", {"lastname": "x"}).status == 404
