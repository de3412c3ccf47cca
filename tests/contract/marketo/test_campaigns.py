"""Smart campaigns over the API, their flows, and webhooks: fact sheet 3.2, 5.3, 7.1 and 10."""

import http.server
import json
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.contract.marketo.client import Running

FLOW = [
    {"step": "add_to_list", "list": "Newsletter"},
    {"step": "change_score", "field": "leadScore", "change": "+5"},
    {"step": "change_data_value", "field": "city", "value": "Springfield"},
]


def create(marketo: Running, entity: str, **values: object) -> int:
    number: int = marketo.control("POST", "/people/create", {"entity": entity, "values": values})["id"]
    return number


def told(entry: dict[str, Any]) -> dict[str, Any]:
    return {item["name"]: item["value"] for item in entry["attributes"]}


class TestReading:
    def test_campaigns_are_listed_filtered_and_found(self, marketo: Running) -> None:
        program = create(marketo, "program", name="Launch")
        trigger = create(marketo, "campaign", name="Follow up", program="Launch", description="Now")
        batch = create(marketo, "campaign", name="Mailing", type="batch")
        path = "/rest/v1/campaigns"
        first, second = marketo.get(f"{path}.json").result
        assert first == {
            "id": trigger,
            "name": "Follow up",
            "description": "Now",
            "type": "trigger",
            "programName": "Launch",
            "programId": program,
            "workspaceName": "Default",
            "createdAt": first["createdAt"],
            "updatedAt": first["updatedAt"],
            "active": True,
        }
        assert second["id"] == batch
        chosen = {"id": batch, "name": "Mailing", "isTriggerable": "true", "programName": "Launch"}
        answers = {name: marketo.get(f"{path}.json", **{name: value}).result for name, value in chosen.items()}
        found = {name: [each["id"] for each in answer] for name, answer in answers.items()}
        assert found == {"id": [batch], "name": [batch], "isTriggerable": [trigger], "programName": [trigger]}
        assert marketo.get(f"{path}/{batch}.json").result == [second]
        assert marketo.form(f"{path}.json", _method="GET", name="Mailing").result == [second]

    def test_pages_end_without_a_token(self, marketo: Running) -> None:
        for name in "abc":
            create(marketo, "campaign", name=name)
        first = marketo.get("/rest/v1/campaigns.json", batchSize=2).body
        second = marketo.get("/rest/v1/campaigns.json", batchSize=2, nextPageToken=first["nextPageToken"]).body
        assert [each["name"] for each in first["result"] + second["result"]] == list("abc")
        assert "nextPageToken" not in second
        assert "moreResult" not in first

    def test_there_is_no_such_campaign(self, marketo: Running) -> None:
        assert marketo.get("/rest/v1/campaigns/9.json").error == ("1013", "Campaign not found")
        answer = marketo.post("/rest/v1/campaigns/9/trigger.json", {"input": {"leads": [{"id": 1}]}})
        assert answer.error == ("1013", "Campaign not found")


class TestRequest:
    def request(self, marketo: Running, campaign: int, *ids: int, **also: object) -> Any:
        body = {"input": {"leads": [{"id": number} for number in ids], **also}}
        return marketo.post(f"/rest/v1/campaigns/{campaign}/trigger.json", body)

    def test_people_go_through_the_flow_and_the_campaign_is_named(self, marketo: Running) -> None:
        create(marketo, "list", name="Newsletter")
        campaign = create(marketo, "campaign", name="Welcome", flow=FLOW)
        lead = marketo.create(email="a@b.example", leadScore=10)
        token = marketo.start_of_feed()
        assert self.request(marketo, campaign, lead).result == [{"id": campaign}]
        assert marketo.lead(lead, "leadScore", "city") == {"leadScore": 15, "city": "Springfield"}
        [requested], _ = marketo.activities(token, 47)
        assert (requested["primaryAttributeValue"], told(requested)) == ("Welcome", {"Source": "Web service API"})
        entries, _ = marketo.activities(token, 13, 22, 24)
        assert [(entry["activityTypeId"], entry["campaignId"]) for entry in entries] == [
            (24, campaign), (13, campaign), (22, campaign), (13, campaign),
        ]  # fmt: skip
        change = told(entries[-1])
        assert change["Source"] == "Marketo Flow Action"
        assert change["Reason"] == "Changed by Smart Campaign Welcome action Change Data Value"

    def test_a_person_is_seen_in_the_campaigns_it_went_through(self, marketo: Running) -> None:
        campaign = create(marketo, "campaign", name="Welcome")
        lead = marketo.create(email="a@b.example")
        self.request(marketo, campaign, lead)
        body = marketo.get(f"/rest/v1/leads/{lead}/smartCampaignMembership.json").body
        at = marketo.lead(lead, "createdAt")["createdAt"]
        assert body["result"] == [{"smartCampaignId": campaign, "createdAt": at, "updatedAt": at}]
        assert body["moreResult"] is False
        path = f"/rest/v1/leads/{lead}/smartCampaignMembership.json"
        assert marketo.get(path, earliestUpdatedAt="2100-01-01").result == []

    def test_people_that_are_not_there_are_named(self, marketo: Running) -> None:
        campaign = create(marketo, "campaign", name="Welcome")
        assert self.request(marketo, campaign, 84, 85).error == ("1004", "Lead [84, 85] not found")

    @pytest.mark.parametrize(
        ("values", "input_", "code"),
        [
            ({"active": False}, {"leads": [{"id": 1}]}, "1003"),
            ({"type": "batch"}, {"leads": [{"id": 1}]}, "1003"),
            ({}, {}, "1002"),
            ({}, {"leads": [{"id": number} for number in range(101)]}, "1003"),
            ({}, {"leads": [{"id": 1}], "tokens": [{"name": "message", "value": "x"}]}, "1003"),
        ],
    )
    def test_what_cannot_be_requested(
        self, marketo: Running, values: dict[str, object], input_: dict[str, object], code: str
    ) -> None:
        marketo.create(email="a@b.example")
        campaign = create(marketo, "campaign", name="Welcome", **values)
        answer = marketo.post(f"/rest/v1/campaigns/{campaign}/trigger.json", {"input": input_})
        assert answer.error[0] == code

    def test_a_step_that_fails_is_passed_over(self, marketo: Running) -> None:
        flow = [{"step": "add_to_list", "list": "Nowhere"}, {"step": "change_score", "change": "=7"}]
        campaign = create(marketo, "campaign", name="Welcome", flow=flow)
        lead = marketo.create(email="a@b.example")
        assert self.request(marketo, campaign, lead).result == [{"id": campaign}]
        assert marketo.lead(lead, "leadScore") == {"leadScore": 7}


class TestSchedule:
    @pytest.fixture
    def batch(self, marketo: Running) -> int:
        marketo.control("POST", "/clock", {"now": "2026-03-01T00:00:00Z", "frozen": True})
        marketo.sign_in()
        create(marketo, "list", name="Newsletter")
        lead = marketo.create(email="a@b.example")
        marketo.control("POST", "/people/add-to-list", {"list": "Newsletter", "ids": [lead]})
        flow = [{"step": "change_score", "change": "+5"}]
        return create(marketo, "campaign", name="Mailing", type="batch", list="Newsletter", flow=flow)

    def score(self, marketo: Running) -> Any:
        return marketo.lead(1, "leadScore")["leadScore"]

    def test_it_runs_five_minutes_later_at_the_earliest(self, marketo: Running, batch: int) -> None:
        path = f"/rest/v1/campaigns/{batch}/schedule.json"
        body = {"input": {"runAt": "2026-03-01T00:01:00Z", "tokens": [{"name": "{{my.message}}", "value": "x"}]}}
        assert marketo.post(path, body).result == [{"id": batch}]
        marketo.advance(299)
        assert self.score(marketo) is None
        marketo.advance(1)
        assert self.score(marketo) == 5
        marketo.advance(600)
        assert self.score(marketo) == 5, "it runs once"

    def test_it_waits_for_its_time(self, marketo: Running, batch: int) -> None:
        marketo.post(f"/rest/v1/campaigns/{batch}/schedule.json", {"input": {"runAt": "2026-03-01T00:30:00+0000"}})
        marketo.advance(1_799)
        assert self.score(marketo) is None
        marketo.advance(1)
        assert self.score(marketo) == 5

    @pytest.mark.parametrize("at", ["2029-01-01T00:00:00Z", "yesterday", "2026-02-28T00:00:00Z"])
    def test_a_time_that_cannot_be_is_1042(self, marketo: Running, batch: int, at: str) -> None:
        answer = marketo.post(f"/rest/v1/campaigns/{batch}/schedule.json", {"input": {"runAt": at}})
        assert answer.error == ("1042", "Invalid runAt date")

    def test_a_trigger_campaign_cannot_be_scheduled(self, marketo: Running) -> None:
        campaign = create(marketo, "campaign", name="Welcome")
        assert marketo.post(f"/rest/v1/campaigns/{campaign}/schedule.json").error[0] == "1003"


class TestByHand:
    def test_steps_without_a_campaign(self, marketo: Running) -> None:
        lead = marketo.create(email="a@b.example", leadScore=10)
        steps = [{"step": "change_score", "change": "-3"}]
        assert marketo.control("POST", "/people/run-flow", {"ids": [lead], "steps": steps}) == {"people": 1}
        assert marketo.lead(lead, "leadScore") == {"leadScore": 7}
        [entry], _ = marketo.activities(marketo.start_of_feed(), 22)
        assert told(entry)["Change Value"] == "-3"
        assert "campaignId" not in entry

    def test_every_kind_of_step(self, marketo: Running) -> None:
        newsletter = create(marketo, "list", name="Newsletter")
        program = create(marketo, "program", name="Launch")
        create(marketo, "partition", name="Europe")
        stays, goes = (marketo.create(email=f"{name}@b.example") for name in "ab")
        steps = [
            {"step": "add_to_list", "list": newsletter},
            {"step": "change_program_status", "program": "Launch", "status": "Visited"},
            {"step": "change_partition", "partition": "Europe"},
            {"step": "remove_from_list", "list": "Newsletter"},
        ]
        marketo.control("POST", "/people/run-flow", {"ids": [stays], "steps": steps})
        marketo.control("POST", "/people/run-flow", {"ids": [goes], "steps": [{"step": "delete"}]})
        assert marketo.lead(stays, "leadPartitionId") == {"leadPartitionId": 2}
        assert marketo.get(f"/rest/v1/leads/{stays}/programMembership.json").result[0]["id"] == program
        types = [entry["activityTypeId"] for entry in marketo.activities(marketo.start_of_feed(), 24, 25, 100, 104)[0]]
        assert types == [24, 104, 100, 25]
        assert marketo.get(f"/rest/v1/lead/{goes}.json").error[0] == "1004"

    @pytest.mark.parametrize(
        "arguments",
        [
            {"ids": [1], "steps": [{"step": "dance"}]},
            {"ids": [1], "steps": [{"step": "add_to_list", "list": "Nowhere"}]},
            {"ids": [1], "steps": [{"step": "change_score", "change": "more"}]},
            {"ids": [1], "steps": [{"step": "change_score", "field": "email", "change": "+1"}]},
            {"ids": [1], "steps": [{"step": "change_data_value", "field": "shoe"}]},
            {"ids": [1], "steps": [{"step": "call_webhook", "url": "https://far.example/"}]},
            {"ids": [1], "steps": [{"step": "call_webhook", "url": "http://127.0.0.1/", "method": "PUT"}]},
            {"ids": [1], "steps": [{"step": "change_program_status", "program": "None", "status": "x"}]},
            {"ids": [1], "campaign": "Unheard of"},
            {"ids": [9], "steps": []},
            {"ids": [1]},
        ],
    )
    def test_nonsense_is_answered_with_a_sentence(self, marketo: Running, arguments: dict[str, object]) -> None:
        marketo.create(email="a@b.example")
        answer = marketo.send("POST", "/_emulator/people/run-flow", json.dumps(arguments).encode())
        assert answer.status == 400
        assert answer.body["error"].endswith(".")


class Receiver:
    """A service that webhooks call; it notes the requests and answers what it is told to."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, str, dict[str, str]]] = []
        self.status, self.answer = 200, b'{"score": {"new": 42}}'
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
                receiver.requests.append((self.command, self.path, body, dict(self.headers)))
                self.send_response(receiver.status)
                self.end_headers()
                self.wfile.write(receiver.answer)

            def do_GET(self) -> None:
                self.do_POST()

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class TestWebhooks:
    @pytest.fixture
    def receiver(self) -> Iterator[Receiver]:
        receiver = Receiver()
        yield receiver
        receiver.close()

    def called(self, marketo: Running, lead: int, step: Mapping[str, object]) -> dict[str, Any]:
        """Run the step and wait for what it leaves in the log."""
        steps = [{"step": "call_webhook", "name": "Enrich", **step}]
        marketo.control("POST", "/people/run-flow", {"ids": [lead], "steps": steps})
        token, end = marketo.start_of_feed(), time.monotonic() + 5
        while time.monotonic() < end:
            found, _ = marketo.activities(token, 110)
            if found:
                return found[0]
            time.sleep(0.005)
        raise AssertionError("the webhook's answer never came")

    def test_the_request_is_as_set_up_and_the_answer_comes_back(self, marketo: Running, receiver: Receiver) -> None:
        lead = marketo.create(email="a@b.example", firstName='Jo "J" O', leadScore=3)
        entry = self.called(
            marketo,
            lead,
            {
                "url": receiver.url + "/enrich?mail={{lead.Email Address}}",
                "payload": '{"id": {{lead.Id}}, "name": {{lead.First Name}}, "city": {{lead.City:default=none}}}',
                "headers": {"X-Source": "lead {{lead.Id}}"},
                "mappings": {"leadScore": "score.new"},
            },
        )
        [(method, path, body, headers)] = receiver.requests
        assert (method, path) == ("POST", "/enrich?mail=a%40b.example")
        assert json.loads(body) == {"id": lead, "name": 'Jo "J" O', "city": "none"}
        assert (headers["Content-Type"], headers["X-Source"]) == ("application/json", f"lead {lead}")
        assert (entry["primaryAttributeValue"], told(entry)) == ("Enrich", {"Response": '{"score": {"new": 42}}'})
        assert marketo.lead(lead, "leadScore") == {"leadScore": 42}

    def test_a_form_is_encoded_as_one(self, marketo: Running, receiver: Receiver) -> None:
        lead = marketo.create(email="a@b.example", firstName="Jo & Co")
        step = {"url": receiver.url, "payload": "name={{lead.First Name}}", "encoding": "Form/Url"}
        self.called(marketo, lead, step)
        [(_, _, body, headers)] = receiver.requests
        assert (body, headers["Content-Type"]) == ("name=Jo%20%26%20Co", "application/x-www-form-urlencoded")

    def test_xml_is_read_by_its_path(self, marketo: Running, receiver: Receiver) -> None:
        receiver.answer = b"<r><who><town>Bonn</town></who></r>"
        lead = marketo.create(email="a@b.example")
        step = {"url": receiver.url, "method": "GET", "responseType": "XML", "mappings": {"city": "who.town"}}
        self.called(marketo, lead, step)
        assert receiver.requests[0][0] == "GET"
        assert marketo.lead(lead, "city") == {"city": "Bonn"}

    @pytest.mark.parametrize(
        ("status", "answer", "error"), [(200, b"", "1001"), (503, b'{"score": {"new": 1}}', "503")]
    )
    def test_what_went_wrong_maps_nothing(
        self, marketo: Running, receiver: Receiver, status: int, answer: bytes, error: str
    ) -> None:
        receiver.status, receiver.answer = status, answer
        lead = marketo.create(email="a@b.example", leadScore=3)
        entry = self.called(marketo, lead, {"url": receiver.url, "mappings": {"leadScore": "score.new"}})
        assert told(entry)["Error Type"] == error
        assert marketo.lead(lead, "leadScore") == {"leadScore": 3}

    def test_a_batch_campaign_calls_none(self, marketo: Running, receiver: Receiver) -> None:
        """7.1: webhooks work in trigger campaigns only; the call fails with 1000."""
        lead = marketo.create(email="a@b.example", leadScore=3)
        members = create(marketo, "list", name="Everybody")
        marketo.post(f"/rest/v1/lists/{members}/leads.json", {"input": [{"id": lead}]})
        step = {"step": "call_webhook", "name": "Enrich", "url": receiver.url, "mappings": {"leadScore": "score.new"}}
        batch = create(marketo, "campaign", name="Nightly", type="batch", list="Everybody", flow=[step])
        marketo.control("POST", "/people/run-flow", {"ids": [lead], "campaign": batch})
        [entry], _ = marketo.activities(marketo.start_of_feed(), 110)
        assert (told(entry)["Error Type"], entry["campaignId"]) == ("1000", batch)
        assert receiver.requests == []

    def test_a_mapping_that_does_not_fit_fills_nothing_and_its_neighbours_are_filled(
        self, marketo: Running, receiver: Receiver
    ) -> None:
        receiver.answer = b'{"score": "many", "town": "Bonn", "firm": "Own Ltd"}'
        lead = marketo.create(email="a@b.example")
        mappings = {"leadScore": "score", "city": "town", "company": "firm", "shoeSize": "town"}
        self.called(marketo, lead, {"url": receiver.url, "mappings": mappings})
        found = marketo.lead(lead, "leadScore", "city", "company")
        assert found == {"leadScore": None, "city": "Bonn", "company": "Own Ltd"}

    def test_a_receiver_may_call_back(self, marketo: Running, receiver: Receiver) -> None:
        """The call leaves on a thread of its own: the emulator serves on while the receiver takes its time."""
        lead = marketo.create(email="a@b.example")
        steps = [{"step": "call_webhook", "url": receiver.url}]
        marketo.control("POST", "/people/run-flow", {"ids": [lead], "steps": steps})
        assert marketo.lead(lead, "email") == {"email": "a@b.example"}
