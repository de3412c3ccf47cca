"""Programs and their members: fact sheet 3.8 with Adobe's examples."""

from typing import Any

import pytest

from tests.contract.marketo.client import Running


def a_program(marketo: Running, name: str = "Launch", **values: object) -> int:
    values = {"name": name, "channel": "Content"} | values
    number: int = marketo.control("POST", "/people/create", {"entity": "program", "values": values})["id"]
    return number


def skipped(seq: int, code: str, message: str) -> dict[str, Any]:
    return {"seq": seq, "status": "skipped", "reasons": [{"code": code, "message": message}]}


def set_status(marketo: Running, program: int, name: str, *ids: int) -> list[dict[str, Any]]:
    body = {"statusName": name, "input": [{"leadId": number} for number in ids]}
    return marketo.post(f"/rest/v1/programs/{program}/members/status.json", body).result


def members(marketo: Running, program: int, **parameters: object) -> list[dict[str, Any]]:
    return marketo.get(f"/rest/v1/programs/{program}/members.json", **parameters).result


class TestDescribe:
    def test_the_fields_the_key_and_what_can_be_searched(self, marketo: Running) -> None:
        field = {"name": "myCustomField", "displayName": "My Custom Field", "dataType": "string"}
        marketo.post("/rest/v1/programs/members/schema/fields.json", {"input": [field]})
        [found] = marketo.get("/rest/v1/programs/members/describe.json").result
        assert found["name"] == "API Program Membership"
        assert found["dedupeFields"] == ["leadId", "programId"]
        assert found["searchableFields"] == [["leadId"], ["myCustomField"], ["reachedSuccess"], ["statusName"]]
        assert [(each["name"], each["updateable"]) for each in found["fields"]] == [
            ("acquiredBy", False), ("attendanceLikelihood", False), ("createdAt", False), ("isExhausted", False),
            ("leadId", False), ("membershipDate", False), ("nurtureCadence", False), ("program", False),
            ("programId", False), ("reachedSuccess", False), ("reachedSuccessDate", False),
            ("registrationLikelihood", False), ("statusName", False), ("statusReason", False), ("trackName", False),
            ("updatedAt", False), ("waitlistPriority", False), ("myCustomField", True), ("registrationCode", True),
            ("webinarUrl", True),
        ]  # fmt: skip
        assert found["fields"][6] == {
            "name": "nurtureCadence",
            "displayName": "nurtureCadence",
            "dataType": "string",
            "length": 4,
            "updateable": False,
            "crmManaged": False,
        }

    def test_the_superseded_call_has_fields_only(self, marketo: Running) -> None:
        [found] = marketo.get("/rest/v1/program/members/describe.json").result
        assert set(found) == {"name", "fields"}

    def test_a_custom_field_that_is_no_string_or_integer_is_not_searchable(self, marketo: Running) -> None:
        fields = [
            {"name": f"f_{kind}", "displayName": kind, "dataType": kind} for kind in ("email", "float", "integer")
        ]
        marketo.post("/rest/v1/programs/members/schema/fields.json", {"input": fields})
        [found] = marketo.get("/rest/v1/programs/members/describe.json").result
        assert [name for [name] in found["searchableFields"] if name.startswith("f_")] == ["f_integer"]


class TestStatus:
    def test_members_are_made_moved_and_passed_over(self, marketo: Running) -> None:
        program = a_program(marketo)
        past, present, new = (marketo.create(email=f"{name}@b.example") for name in "abc")
        set_status(marketo, program, "Visited", past, present)
        set_status(marketo, program, "Influenced", past)
        assert set_status(marketo, program, "Influenced", past, present, new) == [
            skipped(0, "1037", "Lead skipped because it is already in or past this status"),
            {"seq": 1, "status": "updated", "leadId": present},
            {"seq": 2, "status": "created", "leadId": new},
        ]

    def test_nobody_and_an_unknown_status_are_skipped(self, marketo: Running) -> None:
        program, lead = a_program(marketo), marketo.create(email="a@b.example")
        assert set_status(marketo, program, "Visited", 99) == [skipped(0, "1004", "Lead not found")]
        assert set_status(marketo, program, "Amazed", lead) == [skipped(0, "1025", "Program status not found")]

    def test_a_move_is_told_on_the_lead(self, marketo: Running) -> None:
        program, lead = a_program(marketo), marketo.create(email="a@b.example")
        set_status(marketo, program, "Visited", lead)
        set_status(marketo, program, "Influenced", lead)
        first, second = marketo.activities(marketo.start_of_feed(), 104)[0]
        assert (first["leadId"], first["primaryAttributeValueId"], first["primaryAttributeValue"]) == (
            lead,
            program,
            "Launch",
        )
        told = {item["name"]: item["value"] for item in second["attributes"]}
        assert (told["Old Status"], told["New Status"], told["Success"]) == ("Visited", "Influenced", True)
        assert {item["name"]: item["value"] for item in first["attributes"]}["Old Status"] == "Not in Program"

    def test_success_is_kept_with_its_date(self, marketo: Running) -> None:
        program, lead = a_program(marketo), marketo.create(email="a@b.example")
        set_status(marketo, program, "Influenced", lead)
        [member] = members(
            marketo, program, filterType="leadId", filterValues=lead, fields="reachedSuccess,reachedSuccessDate"
        )
        assert member["reachedSuccess"] is True
        assert member["reachedSuccessDate"] == marketo.lead(lead, "createdAt")["createdAt"]

    def test_the_superseded_call_moves_members_only(self, marketo: Running) -> None:
        program = a_program(marketo)
        member, other = (marketo.create(email=f"{name}@b.example") for name in "ab")
        set_status(marketo, program, "Visited", member)
        body = {"status": "Influenced", "input": [{"id": member}, {"id": other}]}
        path = f"/rest/v1/leads/programs/{program}/status.json"
        assert marketo.post(path, body).result == [
            {"id": member, "status": "updated"},
            {"id": other, "status": "skipped", "reasons": [{"code": "1037", "message": "Lead not in program"}]},
        ]
        marketo.post(path, {"status": "Not in Program", "input": [{"id": member}]})
        assert members(marketo, program, filterType="leadId", filterValues=member) == []


class TestQuery:
    def test_by_status_with_the_default_fields(self, marketo: Running) -> None:
        program = a_program(marketo)
        first, second = (marketo.create(email=f"{name}@b.example") for name in "ab")
        set_status(marketo, program, "Influenced", first)
        set_status(marketo, program, "Visited", second)
        body = marketo.get(
            f"/rest/v1/programs/{program}/members.json", filterType="statusName", filterValues="Influenced"
        ).body
        assert body["moreResult"] is False
        assert body["result"] == [
            {
                "seq": 0,
                "acquiredBy": False,
                "leadId": first,
                "membershipDate": marketo.lead(first, "createdAt")["createdAt"],
                "programId": program,
                "reachedSuccess": True,
            }
        ]
        [other] = members(marketo, program, filterType="reachedSuccess", filterValues="false", fields="leadId,program")
        assert other == {"seq": 0, "leadId": second, "program": "Launch"}

    def test_pages(self, marketo: Running) -> None:
        program = a_program(marketo)
        ids = [marketo.create(email=f"{name}@b.example") for name in "abc"]
        set_status(marketo, program, "Visited", *ids)
        asked = {"filterType": "statusName", "filterValues": "Visited", "batchSize": 2}
        first = marketo.get(f"/rest/v1/programs/{program}/members.json", **asked).body
        second = marketo.get(
            f"/rest/v1/programs/{program}/members.json", **asked, nextPageToken=first["nextPageToken"]
        ).body
        assert [each["leadId"] for each in first["result"] + second["result"]] == ids
        assert (first["moreResult"], second["moreResult"]) == (True, False)

    def test_by_a_week_of_changes(self, marketo: Running) -> None:
        marketo.control("POST", "/clock", {"now": "2026-03-01T00:00:00Z", "frozen": True})
        marketo.sign_in()
        program, lead = a_program(marketo), marketo.create(email="a@b.example")
        set_status(marketo, program, "Visited", lead)
        week = {"filterType": "updatedAt", "startAt": "2026-02-23T00:00:00Z", "endAt": "2026-03-02T00:00:00Z"}
        assert [each["leadId"] for each in members(marketo, program, **week)] == [lead]
        before = week | {"endAt": "2026-02-28T00:00:00Z"}
        assert members(marketo, program, **before) == []
        too_long = marketo.get(
            f"/rest/v1/programs/{program}/members.json", **(week | {"startAt": "2026-02-22T00:00:00Z"})
        )
        assert too_long.error[0] == "1003"

    @pytest.mark.parametrize(
        ("parameters", "error"),
        [
            ({}, ("1003", "filterType not specified")),
            ({"filterType": "statusName"}, ("1003", "filterValues not specified")),
            ({"filterType": "program", "filterValues": "x"}, ("1003", "Invalid filterType 'program'")),
            ({"filterType": "updatedAt"}, ("1002", "Missing value for the required parameter 'startAt'")),
            ({"filterType": "leadId", "filterValues": "1", "fields": "x"}, ("1006", "Field 'x' not found")),
        ],
    )
    def test_what_cannot_be_asked(self, marketo: Running, parameters: dict[str, str], error: tuple[str, str]) -> None:
        program = a_program(marketo)
        assert marketo.get(f"/rest/v1/programs/{program}/members.json", **parameters).error == error

    def test_too_many_members_except_by_lead(self, marketo: Running) -> None:
        program = a_program(marketo)
        ids = [marketo.create(email=f"{name}@b.example") for name in "abc"]
        set_status(marketo, program, "Visited", *ids)
        marketo.set(program_members_max=2)
        path = f"/rest/v1/programs/{program}/members.json"
        answer = marketo.get(path, filterType="statusName", filterValues="Visited")
        assert answer.error == ("1003", "Total membership size: 3 exceeds the limit allowed 2 for the filter")
        assert len(members(marketo, program, filterType="leadId", filterValues=ids[0])) == 1

    def test_there_is_no_such_program(self, marketo: Running) -> None:
        answer = marketo.get("/rest/v1/programs/9/members.json", filterType="leadId", filterValues="1")
        assert answer.error == ("1013", "Object not found")


class TestData:
    def test_members_take_data_and_others_are_skipped(self, marketo: Running) -> None:
        program = a_program(marketo)
        member, other = (marketo.create(email=f"{name}@b.example") for name in "ab")
        set_status(marketo, program, "Visited", member)
        code = "dcff5f12-a7c7-11eb-bcbc-0242ac130002"
        body = {"input": [{"leadId": number, "registrationCode": code} for number in (member, other)]}
        assert marketo.post(f"/rest/v1/programs/{program}/members.json", body).result == [
            {"seq": 0, "status": "updated", "leadId": member},
            skipped(1, "1013", "Membership not found"),
        ]
        [found] = members(marketo, program, filterType="leadId", filterValues=member, fields="registrationCode")
        assert found["registrationCode"] == code
        [entry], token = marketo.activities(marketo.start_of_feed(), 123)
        assert {"name": "Source", "value": "Web service API"} in entry["attributes"]
        marketo.post(f"/rest/v1/programs/{program}/members.json", body)
        assert marketo.activities(token, 123)[0] == [], "an equal write is not told"

    def test_fields_that_do_not_take_it(self, marketo: Running) -> None:
        program, lead = a_program(marketo), marketo.create(email="a@b.example")
        set_status(marketo, program, "Visited", lead)
        values: list[dict[str, object]] = [{"shoe": 1}, {"statusName": "Visited"}, {"registrationCode": "x" * 101}]
        body = {"input": [{"leadId": lead, **value} for value in values]}
        results = marketo.post(f"/rest/v1/programs/{program}/members.json", body).result
        assert [each["reasons"][0]["code"] for each in results] == ["1006", "1011", "1003"]

    def test_a_custom_field_is_written_and_searched(self, marketo: Running) -> None:
        field = {"name": "lunch", "displayName": "Lunch Preference", "dataType": "string"}
        schema = "/rest/v1/programs/members/schema/fields.json"
        assert marketo.post(schema, {"input": [field]}).result == [{"name": "lunch", "status": "created"}]
        program, lead = a_program(marketo), marketo.create(email="a@b.example")
        set_status(marketo, program, "Visited", lead)
        marketo.post(f"/rest/v1/programs/{program}/members.json", {"input": [{"leadId": lead, "lunch": "soup"}]})
        assert len(members(marketo, program, filterType="lunch", filterValues="soup,salad")) == 1
        assert members(marketo, program, filterType="lunch", filterValues="salad") == []


class TestFieldSchema:
    PATH = "/rest/v1/programs/members/schema/fields.json"

    def test_a_field_by_name_and_a_page_of_fields(self, marketo: Running) -> None:
        assert marketo.get(self.PATH.replace("fields.", "fields/statusName.")).result == [
            {
                "displayName": "Status",
                "name": "statusName",
                "description": "",
                "dataType": "string",
                "length": 255,
                "isHidden": False,
                "isHtmlEncodingInEmail": True,
                "isSensitive": False,
                "isCustom": False,
                "isApiCreated": False,
            }
        ]
        body = marketo.get(self.PATH, batchSize=5).body
        names = ["Acquired By", "Nurture Cadence", "Nurture Exhausted", "Member Date", "Program"]
        assert [each["displayName"] for each in body["result"]] == names
        assert body["moreResult"] is True

    def test_twenty_custom_fields_are_the_most(self, marketo: Running) -> None:
        fields = [{"name": f"f{n}", "displayName": f"F{n}", "dataType": "string"} for n in range(21)]
        assert marketo.post(self.PATH, {"input": fields}).error == ("1028", "Max field limit reached: 20")
        assert len(marketo.post(self.PATH, {"input": fields[:20]}).result) == 20

    def test_a_field_is_updated(self, marketo: Running) -> None:
        field = {"name": "pMCFCustomField03", "displayName": "PMCF Custom Field 03", "dataType": "string"}
        marketo.post(self.PATH, {"input": [field]})
        change = {"displayName": "Lunch Preference", "description": "Attendee food preference"}
        path = self.PATH.replace("fields.", "fields/pMCFCustomField03.")
        assert marketo.post(path, {"input": [change]}).result == [{"name": "pMCFCustomField03", "status": "updated"}]
        [found] = marketo.get(path).result
        assert {name: found[name] for name in change} == change

    def test_lead_fields_and_member_fields_are_apart(self, marketo: Running) -> None:
        field = {"name": "lunch", "displayName": "Lunch", "dataType": "string"}
        marketo.post(self.PATH, {"input": [field]})
        assert marketo.get("/rest/v1/leads/schema/fields/lunch.json").error[0] == "1006"
        assert marketo.post("/rest/v1/leads/schema/fields.json", {"input": [field]}).result[0]["status"] == "created"


class TestDelete:
    def test_members_leave_and_others_are_skipped(self, marketo: Running) -> None:
        program = a_program(marketo)
        member, other = (marketo.create(email=f"{name}@b.example") for name in "ab")
        set_status(marketo, program, "Visited", member)
        body = {"input": [{"leadId": member}, {"leadId": other}]}
        assert marketo.post(f"/rest/v1/programs/{program}/members/delete.json", body).result == [
            {"seq": 0, "status": "deleted", "leadId": member},
            skipped(1, "1037", "Lead not in program"),
        ]
        told, _ = marketo.activities(marketo.start_of_feed(), 104)
        last = {item["name"]: item["value"] for item in told[-1]["attributes"]}
        assert last["New Status"] == "Not in Program"

    def test_a_deleted_lead_is_in_no_program(self, marketo: Running) -> None:
        program, lead = a_program(marketo), marketo.create(email="a@b.example")
        set_status(marketo, program, "Visited", lead)
        marketo.post("/rest/v1/leads/delete.json", id=lead)
        assert members(marketo, program, filterType="statusName", filterValues="Visited") == []

    def test_the_winner_of_a_merge_takes_the_memberships(self, marketo: Running) -> None:
        both, one = a_program(marketo, "Both"), a_program(marketo, "One")
        winner, loser = (marketo.create(email=f"{name}@b.example") for name in "ab")
        set_status(marketo, both, "Influenced", winner)
        set_status(marketo, both, "Visited", loser)
        set_status(marketo, one, "Visited", loser)
        marketo.post(f"/rest/v1/leads/{winner}/merge.json", leadId=loser)
        found = marketo.get(f"/rest/v1/leads/{winner}/programMembership.json").result
        assert [(each["id"], each["progressionStatus"]) for each in found] == [(both, "Influenced"), (one, "Visited")]


class TestSeenFromLeads:
    def test_leads_of_a_program_carry_their_membership(self, marketo: Running) -> None:
        program, lead = a_program(marketo), marketo.create(email="a@b.example", firstName="Meera")
        set_status(marketo, program, "Visited", lead)
        at = marketo.lead(lead, "createdAt")["createdAt"]
        body = marketo.get(f"/rest/v1/leads/programs/{program}.json", fields="id,firstName").body
        assert "moreResult" not in body
        assert body["result"] == [
            {
                "id": lead,
                "firstName": "Meera",
                "membership": {
                    "id": program,
                    "progressionStatus": "Visited",
                    "progressionStatusType": "Visited",
                    "isExhausted": False,
                    "acquiredBy": False,
                    "reachedSuccess": False,
                    "membershipDate": at,
                    "updatedAt": at,
                },
            }
        ]

    def test_an_engagement_program_tells_stream_and_cadence(self, marketo: Running) -> None:
        program = a_program(marketo, type="Engagement", channel="Nurture")
        lead = marketo.create(email="a@b.example")
        set_status(marketo, program, "Member", lead)
        [found] = marketo.get(f"/rest/v1/leads/programs/{program}.json").result
        assert (found["membership"]["stream"], found["membership"]["nurtureCadence"]) == ("Stream 1", "norm")

    def test_programs_of_a_lead(self, marketo: Running) -> None:
        first, second = a_program(marketo, "A"), a_program(marketo, "B")
        lead = marketo.create(email="a@b.example")
        for program in (first, second):
            set_status(marketo, program, "Visited", lead)
        path = f"/rest/v1/leads/{lead}/programMembership.json"
        body = marketo.get(path, batchSize=1).body
        assert ([each["id"] for each in body["result"]], body["moreResult"]) == ([first], True)
        rest = marketo.get(path, batchSize=1, nextPageToken=body["nextPageToken"]).body
        assert ([each["id"] for each in rest["result"]], rest["moreResult"]) == ([second], False)
        chosen = marketo.get(path, filterType="programId", filterValues=second).result
        assert [each["id"] for each in chosen] == [second]
        assert marketo.get(path, latestUpdatedAt="2001-01-01").result == []
        assert marketo.get(path, filterType="name", filterValues="A").error == ("1003", "Invalid filterType 'name'")
        assert marketo.get("/rest/v1/leads/99/programMembership.json").error == ("1004", "Lead not found")
