"""Lead partitions: fact sheet 3.2, 3.3 and 3.6."""

import pytest

from tests.contract.marketo.client import Running

PATH = "/rest/v1/leads/partitions.json"


@pytest.fixture
def europe(marketo: Running) -> Running:
    values = {"name": "Europe", "description": "Those over there"}
    marketo.control("POST", "/people/create", {"entity": "partition", "values": values})
    hidden = {"name": "Hidden", "isAccessible": False}
    marketo.control("POST", "/people/create", {"entity": "partition", "values": hidden})
    return marketo


def test_the_accessible_ones_are_listed(europe: Running) -> None:
    assert europe.get(PATH).result == [
        {"id": 1, "name": "Default", "description": "Initial system lead partition"},
        {"id": 2, "name": "Europe", "description": "Those over there"},
    ]


def test_new_people_go_where_the_call_says(europe: Running) -> None:
    [result] = europe.sync({"email": "a@b.example"}, partitionName="Europe")
    assert europe.lead(result["id"], "leadPartitionId") == {"leadPartitionId": 2}
    assert europe.lead(europe.create(email="c@b.example"), "leadPartitionId") == {"leadPartitionId": 1}
    found = europe.get("/rest/v1/leads.json", filterType="leadPartitionId", filterValues=2).result
    assert [lead["id"] for lead in found] == [result["id"]]


def test_a_person_in_another_partition_is_not_updated(europe: Running) -> None:
    number = europe.create(email="a@b.example")
    [result] = europe.sync({"email": "a@b.example", "city": "X"}, partitionName="Europe")
    assert result == {"status": "skipped", "reasons": [{"code": "1010", "message": "Partition update not allowed"}]}
    assert europe.lead(number, "city") == {"city": None}
    assert europe.sync({"email": "a@b.example", "city": "X"}, partitionName="Default")[0]["status"] == "updated"


@pytest.mark.parametrize("name", ["Hidden", "Mars"])
def test_a_partition_out_of_reach_is_1008(europe: Running, name: str) -> None:
    answer = europe.post("/rest/v1/leads.json", {"input": [{"email": "a@b.example"}], "partitionName": name})
    assert answer.error == ("1008", f"Access denied to partition '{name}'")


@pytest.mark.parametrize("action", ["updateOnly", "createDuplicate"])
def test_only_two_actions_take_a_partition(europe: Running, action: str) -> None:
    body = {"input": [{"email": "a@b.example"}], "partitionName": "Europe", "action": action}
    assert europe.post("/rest/v1/leads.json", body).error[0] == "1003"


def test_where_a_partition_is_needed_its_lack_is_1009(europe: Running) -> None:
    europe.set(partition_name_required=True)
    [result] = europe.sync({"email": "a@b.example"})
    assert result["reasons"] == [{"code": "1009", "message": "Partition name must be specified"}]
    assert europe.sync({"email": "a@b.example"}, partitionName="Europe")[0]["status"] == "created"
    assert europe.sync({"email": "a@b.example", "city": "X"})[0]["status"] == "updated"


def test_people_are_moved_and_the_move_is_told(europe: Running) -> None:
    number = europe.create(email="a@b.example")
    before = europe.lead(number, "updatedAt")
    europe.advance(10)
    inputs = [
        {"id": number, "partitionName": "Europe"},
        {"id": 99, "partitionName": "Europe"},
        {"id": number, "partitionName": "Mars"},
        {"id": number},
    ]
    results = europe.post(PATH, {"input": inputs}).result
    assert results[0] == {"id": number, "status": "updated"}
    assert [each["reasons"][0]["code"] for each in results[1:]] == ["1004", "1008", "1009"]
    [entry], token = europe.activities(europe.start_of_feed(), 100)
    assert (entry["leadId"], entry["primaryAttributeValueId"], entry["primaryAttributeValue"]) == (number, 2, "Europe")
    assert {"name": "Old Partition ID", "value": 1} in entry["attributes"]
    assert europe.lead(number, "leadPartitionId", "updatedAt") == before | {"leadPartitionId": 2}
    assert europe.post(PATH, {"input": inputs[:1]}).result == [{"id": number, "status": "updated"}]
    assert europe.activities(token, 100)[0] == []
