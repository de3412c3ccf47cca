"""The lead field schema API: fact sheet 3.7."""

from typing import Any

import pytest

from tests.contract.marketo.client import Running

FIELDS = "/rest/v1/leads/schema/fields.json"


def a_field(**changed: Any) -> dict[str, Any]:
    return {"name": "acmeAccessCode", "displayName": "Acme Access Code", "dataType": "string"} | changed


def test_a_created_field_is_described_and_used(marketo: Running) -> None:
    assert marketo.post(FIELDS, {"input": [a_field()]}).result == [{"name": "acmeAccessCode", "status": "created"}]
    [field] = marketo.get("/rest/v1/leads/schema/fields/acmeAccessCode.json").result
    assert field == {
        "displayName": "Acme Access Code",
        "name": "acmeAccessCode",
        "description": "",
        "dataType": "string",
        "length": 255,
        "isHidden": False,
        "isHtmlEncodingInEmail": True,
        "isSensitive": False,
        "isCustom": True,
        "isApiCreated": True,
    }
    described = marketo.get("/rest/v1/leads/describe.json").result[-1]
    assert (described["rest"]["name"], described["dataType"]) == ("acmeAccessCode", "string")
    number = marketo.create(email="a@b.example", acmeAccessCode="x")
    assert marketo.lead(number, "acmeAccessCode") == {"acmeAccessCode": "x"}


@pytest.mark.parametrize(
    ("kind", "searchable"), [("string", True), ("integer", True), ("email", True), ("date", False)]
)
def test_string_integer_and_email_fields_are_searchable(marketo: Running, kind: str, searchable: bool) -> None:
    marketo.post(FIELDS, {"input": [a_field(dataType=kind)]})
    [described] = marketo.get("/rest/v1/leads/describe2.json").result
    assert (["acmeAccessCode"] in described["searchableFields"]) is searchable


def test_a_score_field_is_described_as_an_integer(marketo: Running) -> None:
    marketo.post(FIELDS, {"input": [a_field(dataType="score")]})
    assert marketo.get("/rest/v1/leads/describe.json").result[-1]["dataType"] == "integer"
    [field] = marketo.get("/rest/v1/leads/schema/fields/acmeAccessCode.json").result
    assert field["dataType"] == "score"


@pytest.mark.parametrize(
    ("field", "code"),
    [
        (a_field(name=None), "1002"),
        (a_field(displayName=""), "1002"),
        ({"name": "a", "displayName": "A"}, "1002"),
        (a_field(dataType="text"), "1003"),
        (a_field(dataType="reference"), "1003"),
        (a_field(name="1stField"), "1003"),
        (a_field(name="with space"), "1003"),
        (a_field(name="with-dash"), "1003"),
        (a_field(displayName="Bad <name>"), "1003"),
        (a_field(name="EMAIL"), "1003"),
        (a_field(displayName="email address"), "1003"),
        (a_field(isHidden="yes"), "1003"),
    ],
)
def test_a_field_that_breaks_a_rule_is_refused(marketo: Running, field: dict[str, Any], code: str) -> None:
    assert marketo.post(FIELDS, {"input": [field]}).error[0] == code


def test_a_duplicate_refuses_the_whole_call(marketo: Running) -> None:
    marketo.post(FIELDS, {"input": [a_field()]})
    again = marketo.post(FIELDS, {"input": [a_field(name="other", displayName="Other"), a_field()]})
    assert again.error[0] == "1003"
    assert "acmeAccessCode" in again.error[1]
    assert marketo.get("/rest/v1/leads/schema/fields/other.json").error == ("1006", "Field 'other' not found")


def test_a_hundred_fields_and_no_more(marketo: Running) -> None:
    fields = [a_field(name=f"f{number}", displayName=f"Field {number}") for number in range(100)]
    assert len(marketo.post(FIELDS, {"input": fields}).result) == 100
    assert marketo.post(FIELDS, {"input": [a_field()]}).error[0] == "1028"


def test_the_list_comes_in_pages_with_more_result(marketo: Running) -> None:
    first = marketo.get(FIELDS, batchSize=60).body
    second = marketo.get(FIELDS, batchSize=60, nextPageToken=first["nextPageToken"]).body
    assert (len(first["result"]), first["moreResult"]) == (60, True)
    assert (len(second["result"]), second["moreResult"]) == (31, False)


def test_a_hidden_field_leaves_describe_but_not_the_schema(marketo: Running) -> None:
    marketo.post(FIELDS, {"input": [a_field()]})
    path = "/rest/v1/leads/schema/fields/acmeAccessCode.json"
    change = {"isHidden": True, "displayName": "Renamed", "description": "why"}
    assert marketo.post(path, {"input": [change]}).result == [{"name": "acmeAccessCode", "status": "updated"}]
    [field] = marketo.get(path).result
    assert (field["isHidden"], field["displayName"], field["description"]) == (True, "Renamed", "why")
    names = [found["rest"]["name"] for found in marketo.get("/rest/v1/leads/describe.json").result]
    assert "acmeAccessCode" not in names


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("acmeAccessCode", {"dataType": "integer"}),
        ("acmeAccessCode", {"name": "new"}),
        ("email", {"displayName": "Mail"}),
        ("email", {"isHidden": True}),
    ],
)
def test_what_is_fixed_cannot_be_changed(marketo: Running, name: str, change: dict[str, Any]) -> None:
    marketo.post(FIELDS, {"input": [a_field()]})
    assert marketo.post(f"/rest/v1/leads/schema/fields/{name}.json", {"input": [change]}).error[0] == "1011"


def test_a_standard_field_can_be_described_anew(marketo: Running) -> None:
    path = "/rest/v1/leads/schema/fields/email.json"
    marketo.post(path, {"input": [{"description": "how we write", "isSensitive": True}]})
    [field] = marketo.get(path).result
    assert (field["description"], field["isSensitive"], field["isCustom"]) == ("how we write", True, False)


def test_the_schema_needs_its_own_permission(marketo: Running) -> None:
    marketo.control("POST", "/privileges", {"revoke": ["Read-Write Schema Custom Field"]})
    assert marketo.post(FIELDS, {"input": [a_field()]}).error == ("603", "Access denied")
    assert marketo.get(FIELDS).body["success"] is True
