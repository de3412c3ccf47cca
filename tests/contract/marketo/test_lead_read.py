"""Describing and reading people: fact sheet 3.1, 3.2 and 2.5."""

from typing import Any

import pytest

from tests.contract.marketo.client import Running

LEADS = "/rest/v1/leads.json"


def test_describe_lists_fields_by_ascending_id_in_the_recorded_shape(marketo: Running) -> None:
    fields = marketo.get("/rest/v1/leads/describe.json").result
    assert len(fields) == 91
    assert [field["id"] for field in fields] == sorted(field["id"] for field in fields)
    assert next(field for field in fields if field["id"] == 56) == {
        "id": 56,
        "displayName": "Email Address",
        "dataType": "email",
        "length": 255,
        "rest": {"name": "email", "readOnly": False},
        "soap": {"name": "Email", "readOnly": False},
    }


def test_describe2_tells_what_can_be_searched_by(marketo: Running) -> None:
    [described] = marketo.get("/rest/v1/leads/describe2.json").result
    assert described["name"] == "API Lead"
    assert ["email"] in described["searchableFields"]
    assert ["id"] in described["searchableFields"]
    assert ["firstName"] not in described["searchableFields"]
    [email] = [field for field in described["fields"] if field["name"] == "email"]
    assert email == {
        "name": "email",
        "displayName": "Email Address",
        "dataType": "email",
        "length": 255,
        "updateable": True,
        "crmManaged": False,
    }


@pytest.mark.parametrize("listed", [True, False])
def test_the_external_person_id_is_a_switch(marketo: Running, listed: bool) -> None:
    marketo.set(external_person_id=listed)
    names = [field["rest"]["name"] for field in marketo.get("/rest/v1/leads/describe.json").result]
    assert ("externalPersonId" in names) is listed
    [described] = marketo.get("/rest/v1/leads/describe2.json").result
    assert (["externalPersonId"] in described["searchableFields"]) is listed


def test_a_person_found_by_its_external_id(marketo: Running) -> None:
    marketo.set(external_person_id=True)
    [made] = marketo.sync({"externalPersonId": "k1"}, action="createOnly", lookupField="externalPersonId")
    found = marketo.get(LEADS, filterType="externalPersonId", filterValues="k1,k2").result
    assert [lead["id"] for lead in found] == [made["id"]]


def test_without_fields_the_six_default_ones_come(marketo: Running) -> None:
    number = marketo.create(email="a@b.example", firstName="A")
    lead = marketo.lead(number)
    assert set(lead) == {"id", "email", "firstName", "lastName", "createdAt", "updatedAt"}
    assert lead["lastName"] is None
    assert lead["createdAt"] == lead["updatedAt"]
    assert len(lead["createdAt"]) == len("2026-01-01T00:00:00Z")


def test_requested_fields_are_all_there_empty_ones_null_and_flags_false(marketo: Running) -> None:
    number = marketo.create(email="a@b.example")
    assert marketo.lead(number, "id", "title", "unsubscribed", "mktoName") == {
        "id": number,
        "title": None,
        "unsubscribed": False,
        "mktoName": None,
    }


def test_an_unknown_field_is_1006(marketo: Running) -> None:
    number = marketo.create(email="a@b.example")
    assert marketo.get(f"/rest/v1/lead/{number}.json", fields="email,shoeSize").error == (
        "1006",
        "Field 'shoeSize' not found",
    )


def test_an_unknown_id_is_1004_or_an_empty_result_by_switch(marketo: Running) -> None:
    assert marketo.get("/rest/v1/lead/77.json").error == ("1004", "Lead not found")
    marketo.set(missing_lead="empty")
    assert marketo.get("/rest/v1/lead/77.json").result == []


def test_an_id_that_is_no_number_is_1001(marketo: Running) -> None:
    assert marketo.get("/rest/v1/lead/null.json").error == (
        "1001",
        'For input string: "null" failed to convert to a number',
    )


def test_email_is_found_in_any_spelling_and_kept_as_written(marketo: Running) -> None:
    marketo.create(email="Ann@Example.example")
    [lead] = marketo.get(LEADS, filterType="email", filterValues="aNN@example.EXAMPLE").result
    assert lead["email"] == "Ann@Example.example"


@pytest.mark.parametrize("spelling", ["comma", "repeated", "form", "method in the form"])
def test_a_filter_in_each_documented_spelling(marketo: Running, spelling: str) -> None:
    ids = [marketo.create(email=f"p{number}@b.example") for number in range(3)]
    joined = ",".join(map(str, ids))
    match spelling:
        case "comma":
            answer = marketo.get(LEADS, filterType="id", filterValues=joined, fields="id,email")
        case "repeated":
            answer = marketo.get(LEADS, filterType="id", filterValues=ids, fields=["id", "email"])
        case "form":
            answer = marketo.form(LEADS + "?_method=GET", filterType="id", filterValues=joined, fields="id,email")
        case _:
            answer = marketo.form(LEADS, _method="GET", filterType="id", filterValues=joined, fields="id,email")
    assert answer.result == [{"id": number, "email": f"p{at}@b.example"} for at, number in enumerate(ids)]


def test_a_long_filter_goes_through_a_form(marketo: Running) -> None:
    addresses = ",".join(f"somebody.with.a.long.name{number}@company.example" for number in range(300))
    assert marketo.form(LEADS + "?_method=GET", filterType="email", filterValues=addresses).result == []


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({}, ("1003", "filterType not specified")),
        ({"filterType": "id"}, ("1003", "filterValues not specified")),
        ({"filterType": "brand", "filterValues": "x"}, ("1003", "Invalid filterType 'brand'")),
        ({"filterType": "firstName", "filterValues": "x"}, ("1011", "Field 'firstName' not supported")),
        (
            {"filterType": "id", "filterValues": "abc"},
            ("1001", 'For input string: "abc" failed to convert to a number'),
        ),
    ],
)
def test_a_filter_that_cannot_be_is_refused(
    marketo: Running, parameters: dict[str, str], error: tuple[str, str]
) -> None:
    assert marketo.get(LEADS, **parameters).error == error


def test_more_than_300_values_are_refused(marketo: Running) -> None:
    values = ",".join(str(number) for number in range(1, 302))
    assert marketo.form(LEADS + "?_method=GET", filterType="id", filterValues=values).error[0] == "1003"


def test_pages_are_walked_with_the_token_until_it_is_gone(marketo: Running) -> None:
    ids = [result["id"] for result in marketo.sync(*({"email": f"p{number}@b.example"} for number in range(5)))]
    query = {"filterType": "id", "filterValues": ",".join(map(str, ids)), "batchSize": 2}
    seen: list[int] = []
    token: dict[str, str] = {}
    sizes = []
    while True:
        body = marketo.get(LEADS, **query, **token).body
        sizes.append(len(body["result"]))
        seen += [lead["id"] for lead in body["result"]]
        if "nextPageToken" not in body:
            break
        token = {"nextPageToken": body["nextPageToken"]}
    assert (seen, sizes) == (ids, [2, 2, 1])


def test_the_order_of_a_page_is_a_switch(marketo: Running) -> None:
    """No order is promised; every page holds the people that it would."""
    ids = [marketo.create(email=f"p{number}@b.example") for number in range(5)]
    marketo.set(query_order="descending")
    query: dict[str, Any] = {"filterType": "id", "filterValues": ",".join(map(str, ids)), "batchSize": 3}
    first = marketo.get(LEADS, **query).body
    second = marketo.get(LEADS, **query, nextPageToken=first["nextPageToken"]).body
    assert [[lead["id"] for lead in page["result"]] for page in (first, second)] == [ids[2::-1], ids[:2:-1]]


def test_a_token_belongs_to_its_query(marketo: Running) -> None:
    marketo.sync(*({"email": f"p{number}@b.example"} for number in range(3)))
    token = marketo.get(LEADS, filterType="id", filterValues="1,2,3", batchSize=1).body["nextPageToken"]
    other = marketo.get(LEADS, filterType="id", filterValues="1,2", batchSize=1, nextPageToken=token)
    assert other.error == ("1003", f"Invalid token value: [{token}]")


def test_more_than_a_thousand_matches_are_too_many(start_with_field: Running) -> None:
    marketo = start_with_field
    for batch in range(4):
        records = [{"email": f"p{batch}.{number}@b.example", "team": "same"} for number in range(251)]
        marketo.post(LEADS, {"input": records})
    assert marketo.get(LEADS, filterType="team", filterValues="same").error == (
        "1003",
        "Too many results match the filter",
    )


@pytest.fixture
def start_with_field(marketo: Running) -> Running:
    field = {"displayName": "Team", "name": "team", "dataType": "string"}
    marketo.post("/rest/v1/leads/schema/fields.json", {"input": [field]})
    return marketo


def test_a_lead_is_found_by_a_custom_field(start_with_field: Running) -> None:
    marketo = start_with_field
    number = marketo.create(email="a@b.example", team="blue")
    marketo.create(email="c@b.example", team="red")
    found = marketo.get(LEADS, filterType="team", filterValues="blue", fields="id,team").result
    assert found == [{"id": number, "team": "blue"}]


def test_the_partitions_are_the_default_one(marketo: Running) -> None:
    assert marketo.get("/rest/v1/leads/partitions.json").result == [
        {"id": 1, "name": "Default", "description": "Initial system lead partition"}
    ]
