"""Static lists: fact sheet 3.8."""

import pytest

from tests.contract.marketo.client import Running


@pytest.fixture
def chosen(marketo: Running) -> int:
    made: int = marketo.control("POST", "/people/create", {"entity": "list", "values": {"name": "Chosen"}})["id"]
    return made


def test_a_list_has_the_recorded_shape(marketo: Running, chosen: int) -> None:
    [found] = marketo.get(f"/rest/v1/lists/{chosen}.json").result
    assert set(found) == {"id", "name", "workspaceName", "createdAt", "updatedAt"}
    body = marketo.get("/rest/v1/lists.json", name="Chosen").body
    assert body["result"] == [found]
    assert "moreResult" not in body
    assert marketo.get("/rest/v1/lists.json", name="Other").result == []
    assert marketo.get("/rest/v1/lists/99.json").error[0] == "1013"


def test_lists_come_in_pages(marketo: Running) -> None:
    for name in "abc":
        marketo.control("POST", "/people/create", {"entity": "list", "values": {"name": name}})
    first = marketo.get("/rest/v1/lists.json", batchSize=2).body
    second = marketo.get("/rest/v1/lists.json", batchSize=2, nextPageToken=first["nextPageToken"]).body
    assert [row["name"] for row in first["result"] + second["result"]] == ["a", "b", "c"]
    assert "nextPageToken" not in second


@pytest.mark.parametrize("by_query", [True, False])
def test_members_are_added_once_and_told_once(marketo: Running, chosen: int, by_query: bool) -> None:
    ids = [marketo.create(email=f"{name}@b.example") for name in "ab"]
    path = f"/rest/v1/lists/{chosen}/leads.json"
    token = marketo.start_of_feed()
    for _ in range(2):
        body = None if by_query else {"input": [{"id": number} for number in ids]}
        answer = marketo.post(path, body, **({"id": ids} if by_query else {}))
        assert answer.result == [{"id": number, "status": "added"} for number in ids]
    entries, _ = marketo.activities(token, 24)
    assert [entry["leadId"] for entry in entries] == ids
    assert (entries[0]["primaryAttributeValueId"], entries[0]["primaryAttributeValue"]) == (chosen, "Chosen")
    assert {item["name"]: item["value"] for item in entries[0]["attributes"]} == {"Source": "Web service API"}


def test_an_unknown_lead_is_skipped(marketo: Running, chosen: int) -> None:
    answer = marketo.post(f"/rest/v1/lists/{chosen}/leads.json", {"input": [{"id": 99}]})
    reasons = [{"code": "1004", "message": "Lead not found"}]
    assert answer.result == [{"id": 99, "status": "skipped", "reasons": reasons}]


def test_members_are_removed_and_told(marketo: Running, chosen: int) -> None:
    member, other = (marketo.create(email=f"{name}@b.example") for name in "ab")
    path = f"/rest/v1/lists/{chosen}/leads.json"
    marketo.post(path, {"input": [{"id": member}]})
    token = marketo.start_of_feed()
    answer = marketo.call("DELETE", path, {"input": [{"id": member}, {"id": other}, {"id": 99}]})
    assert answer.result == [
        {"id": member, "status": "removed"},
        {"id": other, "status": "skipped", "reasons": [{"code": "1015", "message": "Lead not in list"}]},
        {"id": 99, "status": "skipped", "reasons": [{"code": "1004", "message": "Lead not found"}]},
    ]
    assert [entry["leadId"] for entry in marketo.activities(token, 25)[0]] == [member]


@pytest.mark.parametrize("as_post", [True, False])
def test_membership_can_be_asked(marketo: Running, chosen: int, as_post: bool) -> None:
    member, other = (marketo.create(email=f"{name}@b.example") for name in "ab")
    marketo.post(f"/rest/v1/lists/{chosen}/leads.json", {"input": [{"id": member}]})
    path = f"/rest/v1/lists/{chosen}/leads/ismember.json"
    if as_post:
        answer = marketo.post(path, {"input": [{"id": member}, {"id": other}]}, _method="GET")
    else:
        answer = marketo.get(path, id=[member, other])
    assert answer.result == [{"id": member, "status": "memberof"}, {"id": other, "status": "notmemberof"}]


@pytest.mark.parametrize("path", ["/rest/v1/lists/{}/leads.json", "/rest/v1/list/{}/leads.json"])
def test_members_are_read_in_pages_under_both_paths(marketo: Running, chosen: int, path: str) -> None:
    ids = [marketo.create(email=f"{name}@b.example") for name in "abc"]
    marketo.post(f"/rest/v1/lists/{chosen}/leads.json", {"input": [{"id": number} for number in ids]})
    first = marketo.get(path.format(chosen), batchSize=2, fields="id").body
    assert "moreResult" not in first
    second = marketo.form(
        path.format(chosen), _method="GET", batchSize=2, fields="id", nextPageToken=first["nextPageToken"]
    )
    assert first["result"] + second.result == [{"id": number} for number in ids]


def test_the_lists_of_a_lead(marketo: Running, chosen: int) -> None:
    number = marketo.create(email="a@b.example")
    marketo.post(f"/rest/v1/lists/{chosen}/leads.json", {"input": [{"id": number}]})
    body = marketo.get(f"/rest/v1/leads/{number}/listMembership.json").body
    assert [row["listId"] for row in body["result"]] == [chosen]
    assert body["moreResult"] is False
