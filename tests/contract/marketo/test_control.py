"""Steering the emulator: people at the keyboard, raw records, faults, seeding."""

import http.client
import json
import time
from collections import Counter
from typing import Any

import pytest

from tests.contract.marketo.client import Running
from tests.contract.marketo.conftest import Start

LEADS = "/rest/v1/leads.json"


def everything(marketo: Running, entity: str, limit: int = 5_000) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after = ""
    while True:
        page = marketo.control("GET", f"/records/{entity}?limit={limit}{after}")
        found += page["records"]
        if page["next"] is None:
            return found
        after = f"&after={page['next']}"


class TestAPerson:
    def test_an_edit_by_hand_is_told_as_one(self, marketo: Running) -> None:
        number = marketo.create(email="a@b.example", firstName="Old")
        _, token = marketo.changes(marketo.start_of_feed(), "firstName")
        edit = {"entity": "person", "id": number, "values": {"firstName": "New"}}
        assert marketo.control("POST", "/people/edit", edit) == {"edited": 1}
        [entry], _ = marketo.changes(token, "firstName")
        assert {item["name"]: item["value"] for item in entry["attributes"]} == {
            "Source": "Lead update",
            "Reason": "Manual person edit",
        }

    def test_an_admin_changes_the_type_of_a_custom_field(self, marketo: Running) -> None:
        """Values that fit stay, others are emptied."""
        made = {"name": "shoeSize", "displayName": "Shoe Size", "dataType": "string"}
        marketo.post("/rest/v1/leads/schema/fields.json", {"input": [made]})
        fits = marketo.create(email="f@b.example", shoeSize="42")
        other = marketo.create(email="o@b.example", shoeSize="big")
        changed = marketo.control("POST", "/people/change-field-type", {"field": "shoeSize", "type": "integer"})
        assert changed == {"field": "shoeSize", "type": "integer"}
        shown = {row["id"]: row.get("shoeSize") for row in everything(marketo, "person")}
        assert (shown[fits], shown[other]) == (42, None)

    def test_several_edits_at_once(self, marketo: Running) -> None:
        ids = [marketo.create(email=f"{name}@b.example") for name in "ab"]
        edits = [{"entity": "lead", "id": number, "values": {"city": "X"}} for number in ids]
        assert marketo.control("POST", "/people/edit", {"edits": edits}) == {"edited": 2}
        assert marketo.control("POST", "/people/edit", {"edits": edits}) == {"edited": 0}
        assert [marketo.lead(number, "city") for number in ids] == [{"city": "X"}] * 2

    def test_a_company_typed_on_one_person_reaches_all_of_the_company(self, marketo: Running) -> None:
        marketo.post("/rest/v1/companies.json", {"input": [{"externalCompanyId": "c", "company": "Old"}]})
        first, second = (marketo.create(email=f"{name}@b.example", externalCompanyId="c") for name in "ab")
        _, token = marketo.changes(marketo.start_of_feed(), "company")
        edit = {"entity": "person", "id": first, "values": {"company": "New"}}
        marketo.control("POST", "/people/edit", edit)
        assert marketo.lead(second, "company") == {"company": "New"}
        entries, _ = marketo.changes(token, "company")
        assert [entry["leadId"] for entry in entries] == [first, second]

    def test_a_person_made_by_hand(self, marketo: Running) -> None:
        values = {"email": "a@b.example", "firstName": "A", "company": "Own"}
        number = marketo.control("POST", "/people/create", {"entity": "person", "values": values})["id"]
        assert marketo.lead(number, "email", "company") == {"email": "a@b.example", "company": "Own"}
        [entry], _ = marketo.activities(marketo.start_of_feed(), 12)
        assert {"name": "Source Type", "value": "New lead"} in entry["attributes"]

    def test_a_person_deleted_merged_and_moved_between_lists_by_hand(self, marketo: Running) -> None:
        first, second, third = (marketo.create(email=f"{name}@b.example") for name in "abc")
        token = marketo.start_of_feed()
        chosen = marketo.control("POST", "/people/create", {"entity": "list", "values": {"name": "L"}})["id"]
        marketo.control("POST", "/people/add-to-list", {"list": "L", "ids": [first, second]})
        marketo.control("POST", "/people/remove-from-list", {"list": chosen, "ids": [first]})
        marketo.control("POST", "/people/delete", {"entity": "person", "id": third})
        marketo.control("POST", "/people/merge", {"entity": "person", "winner": first, "loser": second})
        told, _ = marketo.activities(token, 24, 25, 32)
        assert [entry["activityTypeId"] for entry in told] == [24, 24, 25, 32]
        assert [lead["id"] for lead in marketo.get(f"/rest/v1/lists/{chosen}/leads.json").result] == [first]
        deleted = marketo.control("GET", "/records/person?deleted=true")["records"]
        assert [(gone["id"], gone["mergedInto"]) for gone in deleted] == [(third, None), (second, first)]

    def test_what_a_person_does_is_no_api_call(self, marketo: Running) -> None:
        marketo.control("POST", "/counters/reset")
        marketo.control("POST", "/people/create", {"entity": "person", "values": {"email": "a@b.example"}})
        counters = marketo.control("GET", "/counters")
        assert (counters["requests_total"], counters["records_written"]) == (0, 0)

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("/people/edit", {"entity": "person", "id": 99, "values": {}}),
            ("/people/edit", {"entity": "unicorn", "id": 1, "values": {}}),
            ("/people/create", {"entity": "person", "values": {"shoeSize": 1}}),
            ("/people/create", {"entity": "person"}),
            ("/people/create", {"entity": "salesperson", "values": {"externalSalesPersonId": "s"}}),
            ("/people/edit", {"entity": "person", "id": 2**70, "values": {}}),
            ("/people/merge", {"entity": "person", "winner": 1, "loser": 2}),
            ("/people/promote", {}),
            ("/settings", {"limits": "some"}),
            ("/settings", {"nonsense": 1}),
            ("/settings", {"timeouts": {"leads.sync": "long"}}),
            ("/privileges", {"revoke": ["Everything"]}),
        ],
    )
    def test_nonsense_is_answered_with_a_sentence(self, marketo: Running, path: str, body: dict[str, Any]) -> None:
        marketo.post("/rest/v1/salespersons.json", {"input": [{"externalSalesPersonId": "s"}]})
        answer = marketo.send("POST", "/_emulator" + path, json.dumps(body).encode())
        assert answer.status == 400
        assert answer.body["error"].endswith(".")


def test_counters_know_each_operation_and_every_record(marketo: Running) -> None:
    marketo.control("POST", "/counters/reset")
    for _ in range(2):
        marketo.sync({"email": "a@b.example"}, {"email": "bad"})
    marketo.get(LEADS, filterType="email", filterValues="a@b.example")
    marketo.sign_in()
    counters = marketo.control("GET", "/counters")
    assert counters["requests"] == {"leads.sync": 2, "leads.query": 1, "token": 1}
    assert counters["requests_total"] == 3
    assert (counters["records_written"], counters["records_read"]) == (4, 1)


class TestFaults:
    @pytest.fixture
    def marketo(self, start: Start) -> Running:
        """A server: faults cut connections."""
        return start()

    def test_an_injected_code_comes_in_an_envelope(self, marketo: Running) -> None:
        rule = {"operation": "leads.*", "action": "body", "body": {"code": "606"}, "skip": 1}
        marketo.control("POST", "/faults", rule)
        assert marketo.sync({"email": "a@b.example"})[0]["status"] == "created"
        answer = marketo.post(LEADS, {"input": [{"email": "c@b.example"}]})
        assert answer.error == ("606", "Max rate limit '100' exceeded with in '20' secs")
        assert marketo.sync({"email": "c@b.example"})[0]["status"] == "created"

    @pytest.mark.parametrize(("action", "applied"), [("drop_before", False), ("drop_after", True), ("reset", False)])
    def test_a_lost_answer_leaves_open_whether_the_write_happened(
        self, marketo: Running, action: str, applied: bool
    ) -> None:
        marketo.control("POST", "/faults", {"operation": "leads.sync", "action": action})
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            marketo.post(LEADS, {"input": [{"email": "a@b.example"}]})
        found = marketo.get(LEADS, filterType="email", filterValues="a@b.example").result
        assert bool(found) is applied

    def test_a_write_may_land_long_after_its_answer_was_lost(self, marketo: Running) -> None:
        marketo.control("POST", "/clock", {"now": "2026-03-02T12:00:00+00:00", "frozen": True})
        marketo.sign_in()
        _, token = marketo.changes(marketo.start_of_feed(), "email")
        marketo.control("POST", "/faults", {"operation": "leads.sync", "action": "apply_late", "delay_s": 60})
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            marketo.post(LEADS, {"input": [{"email": "a@b.example"}]})
        marketo.advance(59)
        assert marketo.changes(token, "email")[0] == []
        marketo.advance(61)
        [lead] = marketo.get(LEADS, filterType="email", filterValues="a@b.example").result
        assert lead["createdAt"] == "2026-03-02T12:01:00Z"
        assert len(marketo.changes(token, "email")[0]) == 1


class TestSeeding:
    @pytest.fixture
    def seeded(self, start: Start) -> Running:
        return start(people=2_000, seed=3)

    def test_the_same_seed_makes_the_same_people(self, start: Start) -> None:
        one, other = (start(people=300, seed=5) for _ in range(2))
        times = ("createdAt", "updatedAt")
        strip = [
            [{name: value for name, value in lead.items() if name not in times} for lead in everything(each, "person")]
            for each in (one, other)
        ]
        assert strip[0] == strip[1]
        assert one.access["client_id"] == other.access["client_id"]

    def test_the_population_is_as_untidy_as_a_real_one(self, seeded: Running) -> None:
        people = everything(seeded, "person", limit=700)
        assert [lead["id"] for lead in people] == list(range(1, 2_001))
        emails = Counter(lead["email"].lower() for lead in people if "email" in lead)
        assert sum(count > 1 for count in emails.values()) >= 10
        assert 40 < sum("email" not in lead for lead in people) < 250
        assert 60 < sum(lead.get("unsubscribed", False) for lead in people) < 350
        assert any(not lead["lastName"].isascii() for lead in people)
        members = {each["name"]: len(each["members"]) for each in everything(seeded, "list")}
        assert members["Newsletter"] > members["Trade fair visitors"] > members["Nobody yet"] == 0

    def test_some_people_are_in_programs_with_one_of_their_statuses(self, seeded: Running) -> None:
        programs = {each["name"]: each for each in everything(seeded, "program")}
        sizes = {name: len(program["members"]) for name, program in programs.items()}
        assert 40 < sizes["Spring webinar"] < sizes["White paper"] < sizes["Product tour"] < 300
        statuses = {member["statusName"] for member in programs["Spring webinar"]["members"].values()}
        assert {"Invited", "Registered", "Attended"} <= statuses
        number = programs["Product tour"]["id"]
        body = seeded.get(f"/rest/v1/leads/programs/{number}.json", batchSize=1).body
        assert body["result"][0]["membership"]["stream"] == "Stream 1"

    def test_a_seeded_twin_is_ambiguous_by_email(self, seeded: Running) -> None:
        emails = Counter(lead["email"].lower() for lead in everything(seeded, "person") if "email" in lead)
        twin = next(email for email, count in emails.items() if count > 1)
        [result] = seeded.sync({"email": twin, "city": "X"})
        assert result["reasons"][0]["code"] == "1007"

    def test_seeded_people_are_old_news(self, seeded: Running) -> None:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        assert seeded.changes(seeded.start_of_feed(now), "email")[0] == []
        assert len(seeded.activities(seeded.start_of_feed(), 12)[0]) == 2_000

    def test_a_database_file_keeps_its_people(self, start: Start, tmp_path: Any) -> None:
        path = str(tmp_path / "marketo.db")
        first = start(db=path, people=50)
        number = first.create(email="new@b.example")
        first.post(
            "/rest/v1/leads/schema/fields.json", {"input": [{"name": "k", "displayName": "K", "dataType": "string"}]}
        )
        first.close()
        second = start(db=path, people=50)
        assert len(everything(second, "person")) == 51
        assert second.lead(number, "email", "k") == {"email": "new@b.example", "k": None}


class TestSnapshots:
    def test_everything_goes_back_rows_fields_types_and_feeds(self, marketo: Running) -> None:
        kept = marketo.create(email="kept@b.example", firstName="Before")
        number = marketo.control("POST", "/snapshots", {})["id"]
        start = marketo.start_of_feed()
        told = marketo.changes(start, "firstName")[0]
        field = {"name": "extraField", "displayName": "Extra Field", "dataType": "string"}
        marketo.post("/rest/v1/leads/schema/fields.json", {"input": [field]})
        marketo.post(LEADS, {"action": "updateOnly", "lookupField": "id", "input": [{"id": kept, "extraField": "x"}]})
        later = marketo.create(email="later@b.example")
        assert marketo.control("GET", "/snapshots") == {"snapshots": [number]}

        marketo.control("POST", f"/snapshots/{number}/restore", {})
        marketo.sign_in()
        assert [row["id"] for row in everything(marketo, "person")] == [kept]
        assert "extraField" not in everything(marketo, "person")[0]
        assert marketo.changes(start, "firstName")[0] == told
        assert marketo.create(email="another@b.example") == later

    def test_a_snapshot_can_be_gone_back_to_again_until_it_is_dropped(self, marketo: Running) -> None:
        number = marketo.control("POST", "/snapshots", {})["id"]
        for _ in range(2):
            marketo.control("POST", f"/snapshots/{number}/restore", {})
            marketo.sign_in()
            assert everything(marketo, "person") == []
            marketo.create(email="a@b.example")
        marketo.control("DELETE", f"/snapshots/{number}")
        assert marketo.control("GET", "/snapshots") == {"snapshots": []}
        refused = marketo.send("POST", f"/_emulator/snapshots/{number}/restore", b"{}")
        assert (refused.status, refused.body) == (400, {"error": f"There is no snapshot {number}."})
