"""Custom activities and their types: fact sheet 5.5, with the documented examples."""

from typing import Any

import pytest

from tests.contract.marketo.client import Running

TYPE = "/rest/v1/activities/external/type"
TYPES = "/rest/v1/activities/external/types.json"
ADD = "/rest/v1/activities/external.json"
CONFERENCE: dict[str, Any] = {
    "apiName": "attendConference",
    "name": "Attend Conference",
    "description": "Attend the conference",
    "triggerName": "Attends Conference",
    "filterName": "Attended Conference",
    "primaryAttribute": {
        "apiName": "conferenceName",
        "name": "Conference Name",
        "description": "Name of the conference",
    },
}
PRIMARY = {**CONFERENCE["primaryAttribute"], "dataType": "string"}
DATE = {
    "apiName": "conferenceDate",
    "name": "Conference Date",
    "description": "Date of the conference",
    "dataType": "datetime",
}
COUNT = {
    "apiName": "numberOfAttendees",
    "name": "Number of Attendees",
    "description": "Number of people attending conference",
    "dataType": "integer",
}


def act(marketo: Running, call: str, body: object = None) -> dict[str, Any]:
    [kind] = marketo.call("POST", f"{TYPE}/attendConference{call}.json", body).result
    return kind


@pytest.fixture
def live(marketo: Running) -> Running:
    """With the documented type, approved, and two attributes, in the month of the documented activities."""
    marketo.control("POST", "/clock", {"now": "2016-10-01T12:00:00+00:00"})
    marketo.sign_in()
    marketo.post(f"{TYPE}.json", CONFERENCE)
    act(marketo, "/attributes/create", {"attributes": [DATE, COUNT]})
    act(marketo, "/approve")
    return marketo


def activity(lead_id: int, **values: object) -> dict[str, Any]:
    default = {
        "leadId": lead_id,
        "activityDate": "2016-09-26T06:56:35+07:00",
        "activityTypeId": 100001,
        "primaryAttributeValue": "Game Giveaway",
        "attributes": [{"apiName": "numberOfAttendees", "value": 5}],
    }
    return default | values


class TestTypes:
    def test_a_new_type_is_a_draft_as_documented(self, marketo: Running) -> None:
        [kind] = marketo.post(f"{TYPE}.json", CONFERENCE).result
        assert kind == {**CONFERENCE, "status": "draft", "primaryAttribute": PRIMARY}

    def test_an_approved_type_is_described_as_documented(self, marketo: Running) -> None:
        marketo.control("POST", "/clock", {"now": "2016-02-03T22:36:23+00:00", "frozen": True})
        marketo.sign_in()
        marketo.post(f"{TYPE}.json", CONFERENCE)
        act(marketo, "/attributes/create", {"attributes": [DATE, COUNT]})
        act(marketo, "/approve")
        head = {
            "id": 100001,
            **{name: value for name, value in CONFERENCE.items() if name != "primaryAttribute"},
            "createdAt": "2016-02-03T22:36:23Z",
            "updatedAt": "2016-02-03T22:36:23Z",
            "status": "approved",
        }
        assert marketo.get(TYPES).result == [head]
        [described] = marketo.get(f"{TYPE}/attendConference/describe.json").result
        assert described == {**head, "primaryAttribute": PRIMARY, "attributes": [DATE, COUNT]}

    def test_edits_go_to_the_draft_until_it_is_approved(self, live: Running) -> None:
        edited = act(live, "", {"triggerName": "Attend Conference"})
        assert (edited["status"], edited["triggerName"]) == ("approved with draft", "Attend Conference")
        describe = f"{TYPE}/attendConference/describe.json"
        assert live.get(describe).result[0]["triggerName"] == "Attends Conference"
        assert live.get(describe, draft="true").result[0]["triggerName"] == "Attend Conference"
        assert act(live, "/approve")["status"] == "approved"
        assert live.get(describe).result[0]["triggerName"] == "Attend Conference"
        assert live.get(describe, draft="true").error[0] == "1013"

    def test_a_draft_can_be_discarded_where_there_is_a_live_version(self, live: Running) -> None:
        act(live, "", {"name": "Other"})
        assert act(live, "/discardDraft")["name"] == "Attend Conference"
        assert live.call("POST", f"{TYPE}/attendConference/discardDraft.json").error[0] == "1003"
        assert live.call("POST", f"{TYPE}/attendConference/approve.json").error[0] == "1003"

    def test_a_live_type_is_an_activity_type(self, live: Running) -> None:
        [kind] = [each for each in live.get("/rest/v1/activities/types.json").result if each["id"] == 100001]
        assert kind["name"] == "Attend Conference"
        assert kind["primaryAttribute"]["name"] == "Conference Name"
        assert [each["name"] for each in kind["attributes"]] == ["Conference Date", "Number of Attendees"]

    def test_a_type_without_activities_can_be_deleted(self, live: Running) -> None:
        assert act(live, "/delete")["status"] == "deleted"
        assert live.get(TYPES).result == []
        assert live.get(f"{TYPE}/attendConference/describe.json").error[0] == "1013"

    def test_in_use_its_names_and_its_existence_are_fixed(self, live: Running) -> None:
        live.post(ADD, {"input": [activity(live.create(email="a@b.example"))]})
        assert live.call("POST", f"{TYPE}/attendConference/delete.json").error[0] == "1022"
        assert live.post(f"{TYPE}/attendConference.json", {"name": "Other"}).error[0] == "1022"
        assert act(live, "", {"description": "More"})["description"] == "More"
        assert len(act(live, "/attributes/delete", {"attributes": [{"apiName": "conferenceDate"}]})["attributes"]) == 1

    @pytest.mark.parametrize("name", ["apiName", "name", "triggerName", "filterName", "primaryAttribute"])
    def test_what_is_required(self, marketo: Running, name: str) -> None:
        body = {key: value for key, value in CONFERENCE.items() if key != name}
        assert marketo.post(f"{TYPE}.json", body).error == (
            "1002",
            f"Missing value for the required parameter '{name}'",
        )

    @pytest.mark.parametrize(
        ("name", "value"), [("apiName", "with space"), ("apiName", "123"), ("name", "42"), ("name", "a-b"), ("name", 7)]
    )
    def test_names_have_their_letters(self, marketo: Running, name: str, value: object) -> None:
        assert marketo.post(f"{TYPE}.json", {**CONFERENCE, name: value}).error[0] == "1003"

    def test_names_are_unique(self, live: Running) -> None:
        assert live.post(f"{TYPE}.json", CONFERENCE).error[0] == "1003"
        assert live.post(f"{TYPE}.json", {**CONFERENCE, "apiName": "other"}).error[0] == "1003"

    def test_there_are_ten_types_at_most(self, marketo: Running) -> None:
        made = [
            marketo.post(
                f"{TYPE}.json",
                {**CONFERENCE, "apiName": f"a{number}", "triggerName": f"t{number}", "filterName": f"f{number}"},
            ).body["success"]
            for number in range(11)
        ]
        assert made == [True] * 10 + [False]


class TestAttributes:
    def test_they_are_added_to_a_draft(self, live: Running) -> None:
        extra = {"apiName": "city", "name": "City", "dataType": "string"}
        kind = act(live, "/attributes/create", {"attributes": [extra]})
        assert kind["status"] == "approved with draft"
        assert kind["attributes"] == [DATE, COUNT, extra]

    def test_they_are_updated_by_their_api_name(self, live: Running) -> None:
        kind = act(live, "/attributes/update", {"attributes": [{"apiName": "numberOfAttendees", "name": "Guests"}]})
        assert kind["attributes"] == [DATE, {**COUNT, "name": "Guests"}]
        unknown = {"attributes": [{"apiName": "numberOfGuests", "name": "Guests"}]}
        assert live.post(f"{TYPE}/attendConference/attributes/update.json", unknown).error[0] == "1003"

    def test_they_are_deleted_by_their_api_name(self, live: Running) -> None:
        both = {"attributes": [{"apiName": "conferenceDate"}, {"apiName": "numberOfAttendees"}]}
        assert "attributes" not in act(live, "/attributes/delete", both)

    def test_the_primary_one_is_demoted_before_another_takes_its_place(self, live: Running) -> None:
        promote = {"attributes": [{"apiName": "conferenceDate", "isPrimary": True}]}
        update = f"{TYPE}/attendConference/attributes/update.json"
        assert live.post(update, promote).error[0] == "1003"
        demoted = act(live, "/attributes/update", {"attributes": [{"apiName": "conferenceName", "isPrimary": False}]})
        assert "primaryAttribute" not in demoted
        assert live.call("POST", f"{TYPE}/attendConference/approve.json").error[0] == "1003"
        kind = act(live, "/attributes/update", promote)
        assert kind["primaryAttribute"] == DATE
        assert kind["attributes"] == [COUNT, PRIMARY]

    @pytest.mark.parametrize(
        ("attribute", "code"),
        [
            ({"name": "X", "dataType": "string"}, "1002"),
            ({"apiName": "x", "dataType": "string"}, "1002"),
            ({"apiName": "x", "name": "X"}, "1002"),
            ({"apiName": "x", "name": "X", "dataType": "array"}, "1003"),
            (DATE, "1003"),
        ],
    )
    def test_what_is_no_attribute(self, live: Running, attribute: dict[str, str], code: str) -> None:
        answer = live.post(f"{TYPE}/attendConference/attributes/create.json", {"attributes": [attribute]})
        assert answer.error[0] == code

    def test_there_are_twenty_at_most(self, live: Running) -> None:
        more = [{"apiName": f"a{number}", "name": f"A{number}", "dataType": "string"} for number in range(18)]
        act(live, "/attributes/create", {"attributes": more})
        last = {"attributes": [{"apiName": "z", "name": "Z", "dataType": "string"}]}
        assert live.post(f"{TYPE}/attendConference/attributes/create.json", last).error == (
            "1028",
            "Max field limit reached",
        )


class TestAdding:
    def test_the_documented_batch(self, live: Running) -> None:
        first, second = (live.create(email=f"{name}@b.example") for name in "ab")
        answer = live.post(ADD, {"input": [activity(first), activity(second), activity(3000)]}).result
        assert [item["status"] for item in answer] == ["added", "added", "skipped"]
        assert answer[0] == {"id": answer[0]["id"], "marketoGUID": str(answer[0]["id"]), "status": "added"}
        assert answer[1]["id"] == answer[0]["id"] + 1
        assert answer[2] == {"status": "skipped", "errors": [{"code": "1004", "message": "Lead not found"}]}

    def test_they_are_read_like_any_activity(self, live: Running) -> None:
        number = live.create(email="a@b.example")
        [added] = live.post(ADD, {"input": [activity(number)]}).result
        [entry] = live.activities(live.start_of_feed("2016-09-01"), 100001)[0]
        assert (entry["marketoGUID"], entry["leadId"]) == (added["marketoGUID"], number)
        assert entry["activityDate"] == "2016-09-25T23:56:35Z"
        assert entry["primaryAttributeValue"] == "Game Giveaway"
        assert entry["attributes"] == [{"name": "Number of Attendees", "value": 5}]

    def test_a_chained_token_shows_what_is_dated_before_it(self, live: Running) -> None:
        number = live.create(email="a@b.example")
        _, token = live.activities(live.start_of_feed("2016-10-01"), 100001)
        live.post(ADD, {"input": [activity(number)]})
        assert len(live.activities(token, 100001)[0]) == 1
        assert live.activities(live.start_of_feed("2016-10-01"), 100001)[0] == []

    @pytest.mark.parametrize(
        ("values", "code"),
        [
            ({"leadId": None}, "1002"),
            ({"activityDate": "yesterday"}, "1003"),
            ({"activityTypeId": 13}, "1003"),
            ({"primaryAttributeValue": ""}, "1002"),
            ({"attributes": [{"apiName": "shoeSize", "value": 1}]}, "1006"),
            ({"attributes": [{"name": "Number of Attendees", "value": "many"}]}, "1003"),
            ({"attributes": [{"name": "Conference Date", "value": "x" * 66_000}]}, "1049"),
        ],
    )
    def test_a_bad_record_is_skipped_with_errors(self, live: Running, values: dict[str, object], code: str) -> None:
        number = live.create(email="a@b.example")
        bad, good = live.post(ADD, {"input": [activity(number, **values), activity(number)]}).result
        assert (bad["status"], bad["errors"][0]["code"]) == ("skipped", code)
        assert good["status"] == "added"

    def test_a_draft_takes_no_activities(self, marketo: Running) -> None:
        marketo.post(f"{TYPE}.json", CONFERENCE)
        number = marketo.create(email="a@b.example")
        [refused] = marketo.post(ADD, {"input": [activity(number)]}).result
        assert refused["status"] == "skipped"
