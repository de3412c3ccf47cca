"""Records of custom objects: fact sheet 4.3, and 4.1 for what they share with the other objects."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.contract.marketo.client import Answer, InProcess, Running
from tests.contract.marketo.test_custom_object_schema import LEAD_LINK, VIN, YEAR, a_car, add, make, step

CARS = "/rest/v1/customobjects/car.json"


def sync(marketo: Running, *records: Mapping[str, object], **body: object) -> list[dict[str, Any]]:
    return marketo.post(CARS, {"input": list(records), **body}).result


def query(marketo: Running, **parameters: object) -> Answer:
    return marketo.get(CARS, **parameters)


def test_only_approved_types_are_listed_and_described(marketo: Running) -> None:
    make(marketo, "draft", "Draft")
    a_car(marketo)
    [listed] = marketo.get("/rest/v1/customobjects.json").result
    assert "fields" not in listed
    assert (listed["name"], listed["idField"], listed["dedupeFields"]) == ("car", "marketoGUID", ["vin"])
    assert listed["searchableFields"] == [["vin"], ["marketoGUID"], ["leadID"]]
    [described] = marketo.get("/rest/v1/customobjects/car/describe.json").result
    assert {name: value for name, value in described.items() if name != "fields"} == listed
    assert described["relationships"] == [
        {"field": "leadID", "type": "child", "relatedTo": {"name": "Lead", "field": "Id"}}
    ]
    assert [field["name"] for field in described["fields"]] == [
        "marketoGUID", "createdAt", "updatedAt", "leadID", "vin", "year",
    ]  # fmt: skip
    assert marketo.get("/rest/v1/customobjects/draft/describe.json").error == ("1013", "Object not found")
    assert marketo.get("/rest/v1/customobjects.json", names="boat").result == []


def test_records_are_created_and_updated_by_key(marketo: Running) -> None:
    a_car(marketo)
    lead = marketo.create(email="a@b.example")
    [made] = sync(marketo, {"vin": "1", "leadID": lead, "year": 2003})
    assert made == {"seq": 0, "status": "created", "marketoGUID": made["marketoGUID"]}
    assert len(made["marketoGUID"]) == 36
    assert sync(marketo, {"vin": "1", "year": 2004}) == [made | {"status": "updated"}]
    [found] = query(marketo, filterType="dedupeFields", filterValues="1", fields="vin,year").result
    assert found == {"seq": 0, "vin": "1", "year": 2004}


def test_each_record_is_answered_in_its_place(marketo: Running) -> None:
    a_car(marketo)
    sync(marketo, {"vin": "1"})
    results = sync(
        marketo,
        {"vin": "1", "year": 2003},
        {"vin": "2", "leadID": 99},
        {"vin": "3", "year": "old"},
        {"year": 1},
        {"vin": "4", "wheels": 4},
        {"vin": "1"},
    )
    assert [(each["seq"], each["status"]) for each in results] == [
        (0, "updated"), *((seq, "skipped") for seq in range(1, 6)),
    ]  # fmt: skip
    assert [each["reasons"][0] for each in results[1:]] == [
        {"code": "1004", "message": "Lead not found"},
        {"code": "1003", "message": "Invalid value for field 'year' and value 'old'"},
        {"code": "1002", "message": "Missing value for the required parameter 'vin'"},
        {"code": "1006", "message": "Field 'wheels' not found"},
        {"code": "1036", "message": "Duplicate object found in input"},
    ]


def test_by_id_only_updates(marketo: Running) -> None:
    a_car(marketo)
    [made] = sync(marketo, {"vin": "1"})
    record: dict[str, object] = {"marketoGUID": made["marketoGUID"], "year": 2010}
    assert sync(marketo, record, action="updateOnly", dedupeBy="idField")[0]["status"] == "updated"
    assert marketo.post(CARS, {"input": [record], "dedupeBy": "idField"}).error == (
        "1003",
        "Invalid dedupeBy 'idField' value",
    )
    assert (
        query(marketo, filterType="idField", filterValues=made["marketoGUID"], fields="year").result[0]["year"] == 2010
    )


def test_the_actions_refuse_what_is_there_and_what_is_not(marketo: Running) -> None:
    a_car(marketo)
    sync(marketo, {"vin": "1"}, action="createOnly")
    reasons = [
        sync(marketo, {"vin": "1"}, action="createOnly")[0]["reasons"],
        sync(marketo, {"vin": "2"}, action="updateOnly")[0]["reasons"],
    ]
    assert reasons == [
        [{"code": "1017", "message": "Object already exists"}],
        [{"code": "1013", "message": "Object not found"}],
    ]


def test_a_query_shows_the_number_of_a_link_as_text(marketo: Running) -> None:
    a_car(marketo)
    lead = marketo.create(email="a@b.example")
    sync(marketo, {"vin": "1", "leadID": lead, "year": 2003})
    by_link = {"filterType": "leadID", "filterValues": lead, "fields": "leadID,year"}
    assert query(marketo, **by_link).result == [{"seq": 0, "leadID": str(lead), "year": 2003}]
    marketo.set(custom_link_values="number")
    assert query(marketo, **by_link).result == [{"seq": 0, "leadID": lead, "year": 2003}]


def test_pages_and_default_fields(marketo: Running) -> None:
    a_car(marketo)
    sync(marketo, *({"vin": str(number)} for number in range(3)))
    asked = {"filterType": "vin", "filterValues": "0,1,2", "batchSize": 2}
    first = query(marketo, **asked).body
    assert set(first["result"][0]) == {"seq", "marketoGUID", "vin", "createdAt", "updatedAt"}
    second = query(marketo, **asked, nextPageToken=first["nextPageToken"]).body
    assert (first["moreResult"], second["moreResult"], len(second["result"])) == (True, False, 1)


def test_a_compound_key_is_asked_for_in_json(marketo: Running) -> None:
    """Adobe's houses; field names of a query may differ in case, as theirs do."""
    make(marketo, "house", "House")
    keys = [VIN | {"name": name, "displayName": name} for name in ("mlsNum", "houseOwnerId")]
    add(marketo, *keys, {"name": "Bedrooms", "displayName": "Bedrooms", "dataType": "integer"}, name="house")
    step(marketo, "approve", "house")
    path = "/rest/v1/customobjects/house.json"
    key = {"mlsNum": "1962352", "houseOwnerId": "42645756"}
    [made] = marketo.post(path, {"input": [key | {"Bedrooms": 3}]}).result
    body = {"filterType": "dedupeFields", "fields": ["marketoGuid", "Bedrooms"], "input": [key]}
    found = marketo.post(path + "?_method=GET", body).result
    assert found == [{"seq": 0, "marketoGUID": made["marketoGUID"], "Bedrooms": 3}]
    answer = marketo.get(path, filterType="dedupeFields", filterValues="1962352")
    assert answer.error == ("1002", "Missing value for the required parameter 'input'")
    assert marketo.get(path, filterType="mlsNum", filterValues="1").error == ("1003", "Invalid filterType 'mlsNum'")


def test_deleting_by_key_and_by_id(marketo: Running) -> None:
    a_car(marketo)
    first, second = sync(marketo, {"vin": "1"}, {"vin": "2"})
    delete = "/rest/v1/customobjects/car/delete.json"
    by_key = marketo.post(delete, {"deleteBy": "dedupeFields", "input": [{"vin": "1"}, {"vin": "9"}]}).result
    assert by_key == [
        {"seq": 0, "status": "deleted", "marketoGUID": first["marketoGUID"]},
        {"seq": 1, "status": "skipped", "reasons": [{"code": "1013", "message": "Object not found"}]},
    ]
    by_id = marketo.post(delete, {"deleteBy": "idField", "input": [{"marketoGUID": second["marketoGUID"]}]}).result
    assert by_id[0]["status"] == "deleted"
    assert query(marketo, filterType="vin", filterValues="1,2").result == []


def test_an_equal_write_moves_no_time(marketo: Running) -> None:
    a_car(marketo)
    sync(marketo, {"vin": "1", "year": 2003})
    before = query(marketo, filterType="vin", filterValues="1").result
    marketo.advance(10)
    assert sync(marketo, {"vin": "1", "year": "2003"})[0]["status"] == "updated"
    assert query(marketo, filterType="vin", filterValues="1").result == before


@pytest.mark.parametrize(
    ("data_type", "value", "stored"),
    [
        ("string", "x" * 255, "x" * 255),
        ("string", "x" * 256, None),
        ("text", "ü" * 2000, "ü" * 2000),
        ("text", "x" * 2001, None),
        ("boolean", "true", True),
        ("boolean", "other", None),
        ("integer", "14", 14),
        ("integer", "14.1", None),
        ("float", "1.5", 1.5),
        ("currency", "14c", None),
        ("email", "a@b.example", "a@b.example"),
        ("email", "bademail", None),
        ("date", "2026-02-29", None),
        ("datetime", "2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05Z"),
        ("phone", "+1 555", "+1 555"),
    ],
)
def test_values_of_each_type(marketo: Running, data_type: str, value: object, stored: object) -> None:
    a_car(marketo, VIN, {"name": "f", "displayName": "F", "dataType": data_type})
    [result] = sync(marketo, {"vin": "1", "f": value})
    if stored is None:
        assert result["reasons"][0]["code"] == "1003"
    else:
        assert query(marketo, filterType="vin", filterValues="1", fields="f").result == [{"seq": 0, "f": stored}]


class TestLinks:
    def test_to_a_lead_by_its_address(self, marketo: Running) -> None:
        link = {"name": "owner", "displayName": "Owner", "dataType": "link",
                "relatedTo": {"name": "lead", "field": "email"}}  # fmt: skip
        a_car(marketo, VIN, link)
        marketo.create(email="a@b.example")
        made, refused = sync(marketo, {"vin": "1", "owner": "A@B.example"}, {"vin": "2", "owner": "x@b.example"})
        assert (made["status"], refused["reasons"][0]["code"]) == ("created", "1004")

    def test_to_a_company_by_its_id(self, marketo: Running) -> None:
        link = {"name": "firm", "displayName": "Firm", "dataType": "link",
                "relatedTo": {"name": "company", "field": "Id"}}  # fmt: skip
        a_car(marketo, VIN, link)
        [firm] = marketo.post("/rest/v1/companies.json", {"input": [{"externalCompanyId": "c"}]}).result
        made, refused = sync(marketo, {"vin": "1", "firm": firm["id"]}, {"vin": "2", "firm": 999})
        assert (made["status"], refused["reasons"]) == ("created", [{"code": "1013", "message": "Object not found"}])

    def test_to_another_custom_object_by_its_key(self, marketo: Running) -> None:
        a_car(marketo, VIN)
        make(marketo, "trip", "Trip")
        to_car = {"name": "car", "displayName": "Car", "dataType": "link", "relatedTo": {"name": "car", "field": "vin"}}
        add(marketo, to_car, LEAD_LINK, name="trip")
        step(marketo, "approve", "trip")
        sync(marketo, {"vin": "1"})
        path = "/rest/v1/customobjects/trip.json"
        first, second, third = marketo.post(path, {"input": [{"car": "1"}, {"car": "1"}, {"car": "2"}]}).result
        assert first["marketoGUID"] != second["marketoGUID"], "a bridge without a key takes every record as a new one"
        assert third["reasons"][0]["code"] == "1013"


def test_an_unknown_type_and_one_not_licensed(marketo: Running) -> None:
    assert query(marketo, filterType="vin", filterValues="1").error == ("1013", "Object not found")
    a_car(marketo)
    marketo.set(custom_objects=False)
    assert query(marketo, filterType="vin", filterValues="1").error == ("1026", "Custom object not enabled")
    assert marketo.get("/rest/v1/customobjects.json").error[0] == "1026"


def test_a_person_edits_a_record(marketo: Running) -> None:
    a_car(marketo, VIN, YEAR)
    [made] = sync(marketo, {"vin": "1", "year": 2003})
    edit = {"entity": "car", "id": made["marketoGUID"], "values": {"year": 2004}}
    assert marketo.control("POST", "/people/edit", edit) == {"edited": 1}
    [raw] = marketo.control("GET", "/records/car")["records"]
    assert (raw["marketoGUID"], raw["year"]) == (made["marketoGUID"], 2004)
    made_by_hand = marketo.control("POST", "/people/create", {"entity": "car", "values": {"vin": "2"}})["id"]
    marketo.control("POST", "/people/delete", {"entity": "car", "id": made_by_hand})
    assert [gone["id"] for gone in marketo.control("GET", "/records/car?deleted=true")["records"]] == [made_by_hand]


def test_a_database_file_keeps_types_records_programs_and_what_was_set_up(tmp_path: Path) -> None:
    path = str(tmp_path / "marketo.db")
    first = InProcess(db=path)
    first.sign_in()
    a_car(first, VIN, LEAD_LINK)
    lead = first.create(email="a@b.example")
    sync(first, {"vin": "1", "leadID": lead})
    field = {"name": "lunch", "displayName": "Lunch", "dataType": "string"}
    first.post("/rest/v1/programs/members/schema/fields.json", {"input": [field]})
    for entity in ("program", "partition", "campaign"):
        first.control("POST", "/people/create", {"entity": entity, "values": {"name": "Kept"}})
    first.post("/rest/v1/programs/1/members/status.json", {"statusName": "Visited", "input": [{"leadId": lead}]})
    first.close()
    second = InProcess(db=path)
    second.sign_in()
    assert len(query(second, filterType="vin", filterValues="1").result) == 1
    assert second.get("/rest/v1/programs/members/schema/fields/lunch.json").result[0]["isApiCreated"] is True
    assert second.get(f"/rest/v1/leads/{lead}/programMembership.json").result[0]["progressionStatus"] == "Visited"
    assert [each["name"] for each in second.get("/rest/v1/leads/partitions.json").result] == ["Default", "Kept"]
    assert [each["name"] for each in second.get("/rest/v1/campaigns.json").result] == ["Kept"]
    second.close()
