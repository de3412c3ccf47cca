"""Sheet section 5: create, update, upsert, delete, lookups, values, states."""

from typing import Any
from uuid import uuid4

import pytest

from tests.contract.dataverse.client import InProcess, Running

PAYLOAD = (
    "Error identified in Payload provided by the user for Entity :'contacts', For more information on this error "
    "please follow this help link https://go.microsoft.com/fwlink/?linkid=2195293  ---->  "
    "InnerException : Microsoft.OData.ODataException: "
)
NEVER = "11111111-1111-1111-1111-111111111111"


@pytest.fixture
def crm(fresh: InProcess) -> Running:
    return fresh


def test_5_1_create_answers_204_with_the_id_twice(crm: Running) -> None:
    answer = crm.api("POST", "contacts", {"lastname": "Grey"})
    assert answer.status == 204
    assert answer.raw == b""
    assert answer.headers["odata-entityid"] == f"{crm.url}/api/data/v9.2/contacts({answer.id})"
    assert answer.headers["location"] == answer.headers["odata-entityid"]


def test_5_1_a_representation_answers_201_with_the_chosen_columns_and_etag(crm: Running) -> None:
    body = {"firstname": "Ann", "lastname": "Grey"}
    answer = crm.api("POST", "contacts?$select=fullname", body, Prefer="return=representation")
    assert answer.status == 201
    assert answer.headers["preference-applied"] == "return=representation"
    assert set(answer.body) == {"@odata.context", "@odata.etag", "fullname", "contactid"}
    assert answer.body["fullname"] == "Ann Grey"
    assert answer.headers["etag"] == answer.body["@odata.etag"]


def test_5_1_the_client_may_choose_the_key_once(crm: Running) -> None:
    key = str(uuid4())
    assert crm.api("POST", "contacts", {"contactid": key.upper(), "lastname": "Grey"}).id == key
    again = crm.api("POST", "contacts", {"contactid": key, "lastname": "Grey"})
    assert again.error == (412, "0x80040237", "Cannot insert duplicate key.")


def test_5_1_what_the_service_sets_by_itself(crm: Running) -> None:
    crm.set("/clock", now="2026-01-05T10:00:00Z", frozen=True)
    me = crm.get("WhoAmI").body
    row = crm.row("contacts", crm.create("contacts", lastname="Grey", address1_line1="1 Elm", address1_city="Bonn"))
    assert (row["createdon"], row["modifiedon"]) == ("2026-01-05T10:00:00Z", "2026-01-05T10:00:00Z")
    assert row["_ownerid_value"] == row["_owninguser_value"] == row["_createdby_value"] == me["UserId"]
    assert row["_owningbusinessunit_value"] == me["BusinessUnitId"]
    assert (row["statecode"], row["statuscode"]) == (0, 1)
    assert (row["donotbulkemail"], row["merged"]) == (False, False)
    assert row["fullname"] == "Grey"
    assert row["address1_composite"] == "1 Elm\r\nBonn"
    assert row["@odata.etag"] == f'W/"{row["versionnumber"]}"'


def test_10_read_only_columns_in_a_body_are_ignored(crm: Running) -> None:
    contact = crm.create("contacts", lastname="Grey", fullname="Other", createdon="1999-01-01T00:00:00Z", merged=True)
    row = crm.row("contacts", contact)
    assert row["fullname"] == "Grey"
    assert not row["createdon"].startswith("1999")
    assert row["merged"] is False


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (
            {"parentcustomerid@odata.bind": f"/accounts({NEVER})"},
            "An undeclared property 'parentcustomerid' which only has property annotations in the payload but no "
            "property value was found in the payload. In OData, only declared navigation properties and declared "
            "named streams can be represented as properties without values.",
        ),
        (
            {"ParentCustomerId_account@odata.bind": f"/accounts({NEVER})"},
            "An undeclared property 'ParentCustomerId_account' which only has property annotations in the payload but "
            "no property value was found in the payload. In OData, only declared navigation properties and declared "
            "named streams can be represented as properties without values.",
        ),
        (
            {"mkt_score": 1},
            "The property 'mkt_score' does not exist on type 'Microsoft.Dynamics.CRM.contact'. Make sure to only use "
            "property names that are defined by the type.",
        ),
        ({"numberofchildren": "x"}, "Cannot convert the literal 'x' to the expected type 'Edm.Int32'."),
        ({"lastname": 5}, "Cannot convert the literal '5' to the expected type 'Edm.String'."),
        ({"donotemail": "true"}, "Cannot convert the literal 'true' to the expected type 'Edm.Boolean'."),
        ({"birthdate": "soon"}, "Cannot convert the literal 'soon' to the expected type 'Edm.Date'."),
    ],
)
def test_5_1_a_bad_property_is_named_in_the_payload_error(crm: Running, body: dict[str, Any], text: str) -> None:
    assert crm.api("POST", "contacts", body).error == (400, "0x80048d19", PAYLOAD + text)


@pytest.mark.parametrize(
    ("entity_set", "body", "code", "text"),
    [
        (
            "leads",
            {"mobilephone": "0" * 21},
            "0x80044331",
            "A validation error occurred.  The length of the 'mobilephone' attribute of the 'lead' entity exceeded "
            "the maximum allowed length of '20'.",
        ),
        ("leads", {"leadsourcecode": 99}, "0x8004431a", "The picklist value is out of the range."),
        (
            "contacts",
            {"numberofchildren": -1},
            "0x8004432f",
            "A validation error occurred. An integer provided is outside of the allowed values for this attribute.",
        ),
        (
            "accounts",
            {"revenue": -1.5},
            "0x80044330",
            "A validation error occurred. A decimal value provided is outside of the allowed values for this "
            "attribute.",
        ),
        (
            "contacts",
            {"birthdate": "1700-01-01"},
            "0x80040239",
            "The date-time format is invalid, or value is outside the supported range.",
        ),
    ],
)
def test_2_6_values_outside_the_metadata_are_refused(
    crm: Running, entity_set: str, body: dict[str, Any], code: str, text: str
) -> None:
    assert crm.api("POST", entity_set, body).error == (400, code, text)


def test_10_lengths_count_as_the_metadata_says(crm: Running) -> None:
    assert crm.api("POST", "leads", {"lastname": "x" * 50, "mobilephone": "0" * 20}).status == 204
    assert crm.api("POST", "contacts", {"lastname": "x", "mobilephone": "0" * 50}).status == 204
    assert crm.api("POST", "contacts", {"lastname": "😀" * 26}).status == 400


def test_3_1_values_come_back_in_their_wire_form(crm: Running) -> None:
    contact = crm.create(
        "contacts",
        lastname="Łódź 😀 O’Neil",
        birthdate="2019-05-01",
        lastonholdtime="2023-04-07T23:59:01.75+02:00",
        description="a\r\nb",
        creditlimit=1000.5,
        nickname="",
    )
    row = crm.row("contacts", contact)
    assert row["lastname"] == "Łódź 😀 O’Neil"
    assert row["birthdate"] == "2019-05-01"
    assert row["lastonholdtime"] == "2023-04-07T21:59:01Z"
    assert row["description"] == "a\r\nb"
    assert (row["creditlimit"], row["creditlimit_base"], row["exchangerate"]) == (1000.5, 1000.5, 1.0)
    assert row["_transactioncurrencyid_value"] is not None
    assert row["nickname"] is None


@pytest.mark.parametrize(
    ("headers", "exists", "missing"),
    [
        ({}, 204, 204),
        ({"If_Match": "*"}, 204, 404),
        ({"If_Match": 'W/"1"'}, 412, 404),
        ({"If_None_Match": "*"}, 412, 204),
        ({"If_None_Match": "null"}, 204, 204),
    ],
)
def test_5_2_the_table_of_conditional_updates(crm: Running, headers: dict[str, str], exists: int, missing: int) -> None:
    there, gone = crm.create("contacts", lastname="Grey"), str(uuid4())
    for key, status in ((there, exists), (gone, missing)):
        answer = crm.api("PATCH", f"contacts({key})", {"firstname": "Ann"}, **headers)
        assert answer.status == status, (key, answer.raw)
    assert crm.get(f"contacts({gone})").status == (200 if missing == 204 else 404)


def test_5_2_conditional_errors_have_their_texts(crm: Running) -> None:
    there, gone = crm.create("contacts", lastname="Grey"), str(uuid4())
    stale = crm.api("PATCH", f"contacts({there})", {"firstname": "A"}, If_Match='W/"1"')
    assert stale.error == (
        412,
        "0x80060882",
        "The version of the existing record doesn't match the RowVersion property provided.",
    )
    taken = crm.api("PATCH", f"contacts({there})", {"firstname": "A"}, If_None_Match="*")
    assert taken.error == (412, "0x80040237", "A record with matching key values already exists.")
    absent = crm.api("PATCH", f"contacts({gone})", {"firstname": "A"}, If_Match="*")
    assert absent.error == (404, "0x80040217", f"contact With Id = {gone} Does Not Exist")


def test_5_2_only_a_representation_tells_update_from_create(crm: Running) -> None:
    key = str(uuid4())
    statuses = [
        crm.api("PATCH", f"contacts({key})", {"lastname": "G"}, Prefer="return=representation").status for _ in "ab"
    ]
    assert statuses == [201, 200]


def test_5_2_the_same_value_again_is_still_a_change(crm: Running) -> None:
    contact = crm.create("contacts", lastname="Grey")
    before = crm.row("contacts", contact)["versionnumber"]
    crm.api("PATCH", f"contacts({contact})", {"lastname": "Grey"})
    assert crm.row("contacts", contact)["versionnumber"] > before


def test_5_4_the_current_etag_lets_the_write_through_and_a_read_save_its_body(crm: Running) -> None:
    contact = crm.create("contacts", lastname="Grey")
    etag = crm.row("contacts", contact)["@odata.etag"]
    assert crm.get(f"contacts({contact})", If_None_Match=etag).status == 304
    assert crm.api("PATCH", f"contacts({contact})", {"firstname": "A"}, If_Match=etag).status == 204
    assert crm.get(f"contacts({contact})", If_None_Match=etag).status == 200
    assert crm.api("DELETE", f"contacts({contact})", If_Match=etag).status == 412
    assert crm.api("DELETE", f"contacts({contact})", If_Match="*").status == 204


def test_5_1_a_lookup_is_bound_by_its_navigation_property_and_read_by_value(crm: Running) -> None:
    account = crm.create("accounts", name="Litware")
    for url in (f"/accounts({account})", f"accounts({account})", f"{crm.url}/api/data/v9.2/accounts({account})"):
        contact = crm.create("contacts", lastname="Grey", **{"parentcustomerid_account@odata.bind": url})
        row = crm.row("contacts", contact)
        assert row["_parentcustomerid_value"] == row["_accountid_value"] == account
        assert row["_parentcontactid_value"] is None


def test_5_1_a_polymorphic_lookup_takes_each_of_its_targets(crm: Running) -> None:
    boss = crm.create("contacts", lastname="Boss")
    contact = crm.create("contacts", lastname="Grey", **{"parentcustomerid_contact@odata.bind": f"contacts({boss})"})
    prefer = 'odata.include-annotations="*"'
    row = crm.get(f"contacts({contact})?$select=_parentcustomerid_value", Prefer=prefer).body
    assert row["_parentcustomerid_value"] == boss
    assert row["_parentcustomerid_value@Microsoft.Dynamics.CRM.lookuplogicalname"] == "contact"
    name = "_parentcustomerid_value@Microsoft.Dynamics.CRM.associatednavigationproperty"
    assert row[name] == "parentcustomerid_contact"
    assert row["_parentcustomerid_value@OData.Community.Display.V1.FormattedValue"] == "Boss"
    wrong = {"lastname": "G", "parentcustomerid_account@odata.bind": f"contacts({boss})"}
    assert crm.api("POST", "contacts", wrong).status == 400


def test_5_1_a_lookup_to_nothing_is_404(crm: Running) -> None:
    body = {"lastname": "G", "parentcustomerid_account@odata.bind": f"/accounts({NEVER})"}
    assert crm.api("POST", "contacts", body).error == (404, "0x80040217", f"account With Id = {NEVER} Does Not Exist")


@pytest.mark.parametrize("way", ["null", "bind null", "ref"])
def test_5_2_a_lookup_is_cleared_in_each_documented_way(crm: Running, way: str) -> None:
    account = crm.create("accounts", name="Litware")
    bind = {"parentcustomerid_account@odata.bind": f"accounts({account})"}
    contact = crm.create("contacts", lastname="Grey", **bind)
    match way:
        case "null":
            answer = crm.api("PATCH", f"contacts({contact})", {"parentcustomerid_account": None})
        case "bind null":
            answer = crm.api("PATCH", f"contacts({contact})", {"parentcustomerid_account@odata.bind": None})
        case _:
            answer = crm.api("DELETE", f"contacts({contact})/parentcustomerid_account/$ref")
    assert answer.status == 204
    row = crm.row("contacts", contact)
    assert (row["_parentcustomerid_value"], row["_accountid_value"]) == (None, None)


def test_5_2_one_property_is_read_put_and_deleted(crm: Running) -> None:
    account = crm.create("accounts", name="Litware")
    assert crm.get(f"accounts({account})/name").body["value"] == "Litware"
    assert crm.api("PUT", f"accounts({account})/telephone1", {"value": "1"}).status == 204
    assert crm.row("accounts", account)["telephone1"] == "1"
    assert crm.api("DELETE", f"accounts({account})/telephone1").status == 204
    assert crm.get(f"accounts({account})/telephone1").status == 204


def test_5_10_the_owner_is_changed_by_bind(crm: Running, start: Any) -> None:
    crm = start(people=400)
    user = crm.get("systemusers?$filter=isdisabled eq false&$top=1&$select=systemuserid").rows[0]["systemuserid"]
    contact = crm.create("contacts", lastname="Grey")
    body = {"ownerid@odata.bind": f"/systemusers({user})"}
    assert crm.api("PATCH", f"contacts({contact})", body).status == 204
    row = crm.row("contacts", contact)
    assert (row["_ownerid_value"], row["_owninguser_value"], row["_owningteam_value"]) == (user, user, None)


def test_5_3_deleting_an_account_deletes_its_contacts_and_not_the_contacts_contacts(crm: Running) -> None:
    account = crm.create("accounts", name="Litware")
    boss = crm.create("contacts", lastname="Boss", **{"parentcustomerid_account@odata.bind": f"accounts({account})"})
    clerk = crm.create("contacts", lastname="Clerk", **{"parentcustomerid_contact@odata.bind": f"contacts({boss})"})
    customer = crm.create("leads", lastname="L", **{"customerid_account@odata.bind": f"accounts({account})"})
    assert crm.api("DELETE", f"accounts({account})").status == 204
    assert crm.get(f"contacts({boss})").status == 404
    assert crm.get(f"leads({customer})").status == 404
    assert crm.row("contacts", clerk)["_parentcustomerid_value"] is None


def test_5_3_a_missing_row_cannot_be_deleted(crm: Running) -> None:
    assert crm.api("DELETE", f"contacts({NEVER})").error[:2] == (404, "0x80040217")


@pytest.mark.parametrize(
    ("body", "state", "status"),
    [
        ({"statecode": 1, "statuscode": 2}, 1, 2),
        ({"statecode": 1}, 1, 2),
        ({"statuscode": 1}, 0, 1),
    ],
)
def test_5_10_state_and_status_move_together(crm: Running, body: dict[str, int], state: int, status: int) -> None:
    contact = crm.create("contacts", lastname="Grey")
    assert crm.api("PATCH", f"contacts({contact})", body).status == 204
    row = crm.row("contacts", contact)
    assert (row["statecode"], row["statuscode"]) == (state, status)


@pytest.mark.parametrize("body", [{"statecode": 1, "statuscode": 1}, {"statuscode": 2}])
def test_5_10_a_status_of_another_state_is_refused(crm: Running, body: dict[str, int]) -> None:
    contact = crm.create("contacts", lastname="Grey")
    status, code, text = crm.api("PATCH", f"contacts({contact})", body).error
    assert (status, code) == (400, "0x80048408")
    expected = "State code is invalid or state code is valid but status code is invalid for a specified state code."
    assert text.startswith(expected)


def test_5_10_a_status_implies_its_state_where_the_switch_says_so(crm: Running) -> None:
    crm.set("/settings", status_implies_state=True)
    contact = crm.create("contacts", lastname="Grey")
    assert crm.api("PATCH", f"contacts({contact})", {"statuscode": 2}).status == 204
    assert crm.row("contacts", contact)["statecode"] == 1


def test_5_9_a_closed_lead_is_read_only_until_it_is_opened_again(crm: Running) -> None:
    lead = crm.create("leads", lastname="Grey", subject="S")
    assert crm.api("PATCH", f"leads({lead})", {"statecode": 1, "statuscode": 3}).status == 204
    assert crm.api("PATCH", f"leads({lead})", {"firstname": "A"}).error == (
        400,
        "0x80040519",
        "The lead is already closed.",
    )
    assert crm.api("PATCH", f"leads({lead})", {"statecode": 0, "firstname": "A"}).status == 204
    row = crm.row("leads", lead)
    assert (row["statecode"], row["statuscode"], row["firstname"]) == (0, 1, "A")


def test_5_9_an_inactive_contact_still_takes_changes(crm: Running) -> None:
    contact = crm.create("contacts", lastname="Grey")
    crm.api("PATCH", f"contacts({contact})", {"statecode": 1})
    assert crm.api("PATCH", f"contacts({contact})", {"firstname": "A"}).status == 204


def test_a_refused_write_changes_nothing(crm: Running) -> None:
    contact = crm.create("contacts", lastname="Grey")
    before = crm.row("contacts", contact)
    crm.api("PATCH", f"contacts({contact})", {"firstname": "A", "lastname": "x" * 51})
    assert crm.row("contacts", contact) == before


def test_5_3_a_currency_in_use_is_not_deleted(crm: Running) -> None:
    account = crm.create("accounts", name="A", revenue=1.0)
    currency = crm.row("accounts", account)["_transactioncurrencyid_value"]
    crm.set("/privileges", grant=["prvDeleteTransactionCurrency"])
    text = "The object you tried to delete is associated with another object and cannot be deleted."
    assert crm.api("DELETE", f"transactioncurrencies({currency})").error == (405, "0x80040227", text)
    assert crm.row("accounts", account)["_transactioncurrencyid_value"] == currency


@pytest.mark.parametrize(("method", "path"), [("PATCH", "contacts"), ("DELETE", "contacts"), ("PUT", "contacts({id})")])
def test_2_5_a_method_that_a_resource_does_not_have(crm: Running, method: str, path: str) -> None:
    contact = crm.create("contacts", lastname="Grey")
    answer = crm.api(method, path.replace("{id}", contact), {"lastname": "x"})
    assert answer.error[0] == 405
    assert crm.row("contacts", contact)["lastname"] == "Grey"


def test_5_5_pointing_a_lookup_needs_the_right_to_append(crm: Running) -> None:
    account = crm.create("accounts", name="A")
    bind = {"lastname": "G", "parentcustomerid_account@odata.bind": f"/accounts({account})"}
    for privilege in ("prvAppendContact", "prvAppendToAccount"):
        crm.set("/privileges", revoke=[privilege])
        status, code, text = crm.api("POST", "contacts", bind).error
        assert (status, code) == (403, "0x80040220")
        assert privilege in text
        crm.set("/privileges", grant=[privilege])
    assert crm.api("POST", "contacts", bind).status == 204


# Switches where the documentation is silent.


@pytest.mark.parametrize(
    ("method", "path", "code"), [("POST", "contacts", "0x80041a01"), ("PATCH", "contacts({id})", "0x80041a02")]
)
def test_13_read_only_columns_are_refused_where_the_switch_says_so(
    crm: Running, method: str, path: str, code: str
) -> None:
    contact = crm.create("contacts", lastname="Grey")
    crm.set("/settings", ignore_read_only_columns=False)
    answer = crm.api(method, path.replace("{id}", contact), {"lastname": "Grey", "fullname": "x"})
    assert answer.error[:2] == (400, code)
    assert crm.api("PATCH", f"contacts({contact})", {"contactid": contact, "lastname": "Gray"}).status == 204


def test_13_a_strong_tag_is_understood_or_not(crm: Running) -> None:
    contact = crm.create("contacts", lastname="Grey")
    strong = crm.row("contacts", contact)["@odata.etag"].removeprefix("W/")
    crm.set("/settings", strong_etags=False)
    assert crm.api("PATCH", f"contacts({contact})", {"jobtitle": "x"}, If_Match=strong).status == 412
    crm.set("/settings", strong_etags=True)
    assert crm.api("PATCH", f"contacts({contact})", {"jobtitle": "x"}, If_Match=strong).status == 204


@pytest.mark.parametrize(("ignored_in", "state"), [("", 1), ("lead", 0)])
def test_13_the_state_of_a_new_lead_is_taken_or_not(crm: Running, ignored_in: str, state: int) -> None:
    crm.set("/settings", state_ignored_on_create=ignored_in)
    lead = crm.create("leads", lastname="L", subject="S", statecode=1)
    assert crm.row("leads", lead)["statecode"] == state


def test_5_10_an_inactive_row_is_read_only_in_the_tables_set_so(crm: Running) -> None:
    crm.set("/settings", read_only_when_inactive="contact")
    contact = crm.create("contacts", lastname="Grey")
    crm.api("PATCH", f"contacts({contact})", {"statecode": 1})
    inactive = (400, "0x80040230", "The object cannot be updated because it is inactive.")
    assert crm.api("PATCH", f"contacts({contact})", {"jobtitle": "x"}).error == inactive


def test_5_1_nested_rows_count_as_written(crm: Running) -> None:
    crm.control("POST", "/counters/reset")
    crm.api("POST", "accounts", {"name": "A", "contact_customer_accounts": [{"lastname": "B"}, {"lastname": "C"}]})
    assert crm.control("GET", "/counters").body["records_written"] == 3
