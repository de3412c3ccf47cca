"""Deleting and merging people: fact sheet 3.4 and 3.5."""

from typing import Any

import pytest

from tests.contract.marketo.client import Answer, Running

LEADS = "/rest/v1/leads.json"
DELETED = "/rest/v1/activities/deletedleads.json"


def delete_spelled(marketo: Running, spelling: str, number: int) -> Answer:
    body = {"input": [{"id": number}]}
    match spelling:
        case "body":
            return marketo.post("/rest/v1/leads/delete.json", body)
        case "query":
            return marketo.post("/rest/v1/leads/delete.json", id=number)
        case "verb":
            return marketo.call("DELETE", LEADS, body)
        case _:
            return marketo.post(LEADS, body, _method="DELETE")


@pytest.mark.parametrize("spelling", ["body", "query", "verb", "_method"])
def test_a_lead_is_deleted_in_each_live_spelling(marketo: Running, spelling: str) -> None:
    number = marketo.create(email="a@b.example")
    assert delete_spelled(marketo, spelling, number).result == [{"id": number, "status": "deleted"}]
    assert marketo.get(LEADS, filterType="id", filterValues=number).result == []


def test_an_unknown_id_is_skipped(marketo: Running) -> None:
    number = marketo.create(email="a@b.example")
    unknown, known = marketo.post("/rest/v1/leads/delete.json", {"input": [{"id": 999}, {"id": number}]}).result
    assert unknown == {"status": "skipped", "reasons": [{"code": "1004", "message": "Lead not found"}]}
    assert known["status"] == "deleted"


def test_a_delete_without_ids_is_refused(marketo: Running) -> None:
    assert marketo.post("/rest/v1/leads/delete.json").error == (
        "1002",
        "Missing value for the required parameter 'id'",
    )


def test_a_deletion_shows_only_in_the_deleted_feed(marketo: Running) -> None:
    token = marketo.start_of_feed()
    number = marketo.create(email="a@b.example", firstName="Ann", lastName="Bee")
    marketo.post("/rest/v1/leads/delete.json", {"input": [{"id": number}]})
    [entry], _ = marketo.chain(DELETED, token)
    assert entry == {
        "id": entry["id"],
        "marketoGUID": str(entry["id"]),
        "leadId": number,
        "activityDate": entry["activityDate"],
        "activityTypeId": 37,
        "primaryAttributeValueId": number,
        "primaryAttributeValue": "Ann Bee",
        "attributes": [],
    }
    assert marketo.activities(token, 37)[0] == []


def test_a_deletion_is_forgotten_after_fourteen_days(marketo: Running) -> None:
    token = marketo.start_of_feed()
    number = marketo.create(email="a@b.example")
    marketo.post("/rest/v1/leads/delete.json", {"input": [{"id": number}]})
    marketo.advance(14 * 86_400 - 60)
    marketo.sign_in()
    assert len(marketo.chain(DELETED, token)[0]) == 1
    marketo.advance(120)
    assert marketo.chain(DELETED, token)[0] == []


class TestMerge:
    @pytest.fixture
    def pair(self, marketo: Running) -> tuple[int, int]:
        winner = marketo.create(email="w@b.example", firstName="Win", city="Rome")
        loser = marketo.create(email="l@b.example", firstName="Lose", title="Boss", unsubscribed=True)
        return winner, loser

    def test_the_answer_has_no_result(self, marketo: Running, pair: tuple[int, int]) -> None:
        answer = marketo.post(f"/rest/v1/leads/{pair[0]}/merge.json", leadId=pair[1], mergeInCRM=False)
        assert set(answer.body) == {"requestId", "success"}
        assert answer.body["success"] is True

    def test_the_winner_keeps_its_values_and_takes_what_it_lacks(self, marketo: Running, pair: tuple[int, int]) -> None:
        winner, loser = pair
        marketo.post(f"/rest/v1/leads/{winner}/merge.json", leadId=loser)
        assert marketo.lead(winner, "email", "firstName", "city", "title", "unsubscribed") == {
            "email": "w@b.example",
            "firstName": "Win",
            "city": "Rome",
            "title": "Boss",
            "unsubscribed": True,
        }
        assert marketo.get(f"/rest/v1/lead/{loser}.json").error[0] == "1004"

    def test_the_winner_tells_of_it_and_the_loser_does_not(self, marketo: Running, pair: tuple[int, int]) -> None:
        winner, loser = pair
        token = marketo.start_of_feed()
        marketo.post(f"/rest/v1/leads/{winner}/merge.json", leadIds=str(loser))
        [entry], _ = marketo.activities(token, 32)
        assert (entry["leadId"], entry["primaryAttributeValueId"]) == (winner, winner)
        attributes: dict[str, Any] = {item["name"]: item["value"] for item in entry["attributes"]}
        assert attributes == {"Merge IDs": [loser], "Merge Source": "leaddb"}
        assert marketo.chain(DELETED, token)[0] == []

    def test_by_switch_losers_stand_in_the_deleted_feed(self, marketo: Running, pair: tuple[int, int]) -> None:
        marketo.set(merge_losers_in_deleted_feed=True)
        marketo.post(f"/rest/v1/leads/{pair[0]}/merge.json", leadId=pair[1])
        [entry], _ = marketo.chain(DELETED, marketo.start_of_feed())
        assert entry["leadId"] == pair[1]

    def test_the_history_and_the_lists_go_along(self, marketo: Running, pair: tuple[int, int]) -> None:
        winner, loser = pair
        chosen = marketo.control("POST", "/people/create", {"entity": "list", "values": {"name": "L"}})["id"]
        marketo.post(f"/rest/v1/lists/{chosen}/leads.json", {"input": [{"id": loser}]})
        marketo.post(f"/rest/v1/leads/{winner}/merge.json", leadId=loser)
        assert [lead["id"] for lead in marketo.get(f"/rest/v1/lists/{chosen}/leads.json").result] == [winner]
        created, _ = marketo.activities(marketo.start_of_feed(), 12)
        assert [entry["leadId"] for entry in created] == [winner, winner]

    @pytest.mark.parametrize(
        ("path", "parameters", "code"),
        [
            ("/rest/v1/leads/{winner}/merge.json", {}, "1002"),
            ("/rest/v1/leads/{winner}/merge.json", {"leadId": "999"}, "1004"),
            ("/rest/v1/leads/999/merge.json", {"leadId": "{loser}"}, "1004"),
            ("/rest/v1/leads/{winner}/merge.json", {"leadId": "{winner}"}, "1003"),
            ("/rest/v1/leads/{winner}/merge.json", {"leadIds": ",".join(map(str, range(100, 126)))}, "1080"),
            ("/rest/v1/leads/x/merge.json", {"leadId": "1"}, "1001"),
        ],
    )
    def test_a_merge_that_cannot_be_changes_nothing(
        self, marketo: Running, pair: tuple[int, int], path: str, parameters: dict[str, str], code: str
    ) -> None:
        winner, loser = pair
        filled = {name: value.format(winner=winner, loser=loser) for name, value in parameters.items()}
        assert marketo.post(path.format(winner=winner), **filled).error[0] == code
        assert len(marketo.get(LEADS, filterType="id", filterValues=f"{winner},{loser}").result) == 2
