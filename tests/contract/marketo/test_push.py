"""Push Lead, Submit Form and Associate Lead: fact sheet 3.6."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.contract.marketo.client import Answer, Running

COOKIE = "id:287-GTJ-838&token:_mch-marketo.com-1396310362214-46169"


def a_program(marketo: Running, name: str = "Big Blue Thing Product Launch") -> int:
    number: int = marketo.control("POST", "/people/create", {"entity": "program", "values": {"name": name}})["id"]
    return number


def told(entry: dict[str, Any]) -> dict[str, Any]:
    return {item["name"]: item["value"] for item in entry["attributes"]}


class TestPush:
    def push(self, marketo: Running, *records: dict[str, object], **body: object) -> Answer:
        head = {"programName": "Big Blue Thing Product Launch", "lookupField": "email"}
        return marketo.post("/rest/v1/leads/push.json", {**head, "input": list(records), **body})

    def test_people_are_created_and_updated_and_each_is_told(self, marketo: Running) -> None:
        """Adobe's example; `website` is a company value, which this call takes."""
        program = a_program(marketo)
        known = marketo.create(email="justin.trudeau@ottawa.example")
        token = marketo.start_of_feed()
        created, updated = self.push(
            marketo,
            {"email": "theresa.may@westminster.example", "firstName": "Theresa", "website": "www.brexit.example"},
            {"email": "justin.trudeau@ottawa.example", "leadScore": 92},
            source="Cool Sales Site",
            reason="Downloaded pricing sheet",
        ).result
        assert (created["status"], updated) == ("created", {"id": known, "status": "updated"})
        assert marketo.lead(created["id"], "website") == {"website": "www.brexit.example"}
        entries, _ = marketo.activities(token, 145)
        assert [entry["leadId"] for entry in entries] == [created["id"], known]
        assert entries[0]["primaryAttributeValueId"] == program
        assert entries[0]["primaryAttributeValue"] == "Big Blue Thing Product Launch"
        assert told(entries[0]) == {"Source": "Cool Sales Site", "Reason": "Downloaded pricing sheet"}

    def test_a_refused_person_is_told_nowhere(self, marketo: Running) -> None:
        a_program(marketo)
        [result] = self.push(marketo, {"email": "bad"}).result
        assert result["reasons"] == [{"code": "1003", "message": "Invalid value for field 'email' and value 'bad'"}]
        assert "id" not in result
        assert marketo.activities(marketo.start_of_feed(), 145)[0] == []

    def test_a_status_makes_a_member(self, marketo: Running) -> None:
        program = a_program(marketo)
        [result] = self.push(marketo, {"email": "a@b.example"}, programStatus="Visited").result
        [member] = marketo.get(
            f"/rest/v1/programs/{program}/members.json",
            filterType="leadId",
            filterValues=result["id"],
            fields="statusName",
        ).result
        assert member["statusName"] == "Visited"

    @pytest.mark.parametrize(
        ("body", "error"),
        [
            ({"programName": None}, ("1002", "Missing value for the required parameter 'programName'")),
            ({"programName": "Other"}, ("1013", "Object not found")),
            ({"programStatus": "Amazed"}, ("1025", "Program status not found")),
            ({"lookupField": "firstName"}, ("1011", "Field 'firstName' not supported")),
            ({"partitionName": "Mars"}, ("1008", "Access denied to partition 'Mars'")),
            ({"input": []}, ("1002", "Missing value for the required parameter 'input'")),
        ],
    )
    def test_what_cannot_be_pushed(self, marketo: Running, body: dict[str, object], error: tuple[str, str]) -> None:
        a_program(marketo)
        assert self.push(marketo, {"email": "a@b.example"}, **body).error == error


class TestSubmitForm:
    @pytest.fixture
    def form(self, marketo: Running) -> int:
        values = {"name": "Contact us", "fields": ["firstName", "lastName", "registrationCode"]}
        number: int = marketo.control("POST", "/people/create", {"entity": "form", "values": values})["id"]
        return number

    def submit(self, marketo: Running, form: int, fields: Mapping[str, object], **also: object) -> dict[str, Any]:
        body = {"formId": form, "input": [{"leadFormFields": fields, **also}]}
        [result] = marketo.post("/rest/v1/leads/submitForm.json", body).result
        return result

    def test_a_person_fills_it_out(self, marketo: Running, form: int) -> None:
        visitor = {
            "pageURL": "https://shop.example/lp",
            "queryString": "Unsubscribed=yes",
            "leadClientIpAddress": "192.0.2.5",
            "userAgentString": "Mozilla/5.0",
        }
        fields = {"firstName": "Marge", "lastName": "Simpson", "email": "marge.simpson@fox.example"}
        result = self.submit(marketo, form, fields, visitorData=visitor, cookie=COOKIE)
        assert result == {"id": result["id"], "status": "created"}
        assert marketo.lead(result["id"], "firstName", "lastName") == {"firstName": "Marge", "lastName": "Simpson"}
        [entry], _ = marketo.activities(marketo.start_of_feed(), 2)
        assert (entry["leadId"], entry["primaryAttributeValueId"]) == (result["id"], form)
        assert told(entry)["Client IP Address"] == "192.0.2.5"
        assert told(entry)["Referrer URL"] == "https://shop.example/lp"
        [made], _ = marketo.activities(marketo.start_of_feed(), 12)
        assert told(made)["Source Type"] == "Web form fillout"
        found = marketo.form("/rest/v1/leads.json", _method="GET", filterType="cookies", filterValues=COOKIE).result
        assert [lead["id"] for lead in found] == [result["id"]]

    def test_among_several_of_one_address_the_last_updated_is_taken(self, marketo: Running, form: int) -> None:
        first = marketo.create(email="a@b.example")
        marketo.sync({"email": "a@b.example"}, action="createDuplicate")
        marketo.advance(10)
        marketo.sync({"id": first, "city": "Springfield"}, action="updateOnly", lookupField="id")
        result = self.submit(marketo, form, {"email": "A@B.example", "firstName": "Marge"})
        assert result == {"id": first, "status": "updated"}

    def test_a_change_is_told_as_one_by_form(self, marketo: Running, form: int) -> None:
        marketo.create(email="a@b.example", firstName="Old")
        self.submit(marketo, form, {"email": "a@b.example", "firstName": "New"})
        [entry] = [each for each in marketo.changes(marketo.start_of_feed(), "firstName")[0] if each["fields"]]
        assert told(entry)["Source"] == "Web form fillout"

    def test_a_program_takes_the_person_and_the_member_fields(self, marketo: Running, form: int) -> None:
        program = a_program(marketo)
        body = {
            "formId": form,
            "programId": program,
            "input": [{"leadFormFields": {"email": "a@b.example", "registrationCode": "r-1"}}],
        }
        [result] = marketo.post("/rest/v1/leads/submitForm.json", body).result
        query = {"filterType": "leadId", "filterValues": result["id"], "fields": "registrationCode,statusName"}
        [member] = marketo.get(f"/rest/v1/programs/{program}/members.json", **query).result
        assert member == {"seq": 0, "registrationCode": "r-1", "statusName": "Visited"}

    @pytest.mark.parametrize(
        ("record", "code"),
        [
            ({"leadFormFields": {"firstName": "A"}}, "1002"),
            ({}, "1002"),
            ({"leadFormFields": {"email": "a@b.example", "city": "X"}}, "1003"),
            ({"leadFormFields": {"email": "bad"}}, "1003"),
            ({"leadFormFields": {"email": "a@b.example"}, "cookie": "crumbs"}, "1012"),
        ],
    )
    def test_what_the_form_does_not_take(
        self, marketo: Running, form: int, record: dict[str, object], code: str
    ) -> None:
        [result] = marketo.post("/rest/v1/leads/submitForm.json", {"formId": form, "input": [record]}).result
        assert (result["status"], result["reasons"][0]["code"]) == ("skipped", code)
        assert marketo.control("GET", "/records/person")["records"] == []

    def test_one_record_of_a_form_there_is(self, marketo: Running, form: int) -> None:
        path, record = "/rest/v1/leads/submitForm.json", {"leadFormFields": {"email": "a@b.example"}}
        assert marketo.post(path, {"input": [record]}).error[0] == "1002"
        assert marketo.post(path, {"formId": 99, "input": [record]}).error == ("1013", "Object not found")
        assert marketo.post(path, {"formId": form, "input": [record, record]}).error[0] == "1003"


class TestAssociate:
    def test_the_cookie_is_that_person_from_now_on(self, marketo: Running) -> None:
        first, second = (marketo.create(email=f"{name}@b.example") for name in "ab")
        for number in (first, second):
            answer = marketo.post(f"/rest/v1/leads/{number}/associate.json", cookie=COOKIE)
            assert answer.body["success"] is True
            assert "result" not in answer.body
        found = marketo.form("/rest/v1/leads.json", _method="GET", filterType="cookies", filterValues=COOKIE).result
        assert [lead["id"] for lead in found] == [second]

    def test_no_change_is_told(self, marketo: Running) -> None:
        number = marketo.create(email="a@b.example")
        before = marketo.lead(number, "updatedAt")
        marketo.advance(10)
        marketo.post(f"/rest/v1/leads/{number}/associate.json", cookie=COOKIE)
        assert marketo.lead(number, "updatedAt") == before
        assert marketo.activities(marketo.start_of_feed(), 13)[0] == []

    def test_a_bad_cookie_and_a_missing_person(self, marketo: Running) -> None:
        number = marketo.create(email="a@b.example")
        path = f"/rest/v1/leads/{number}/associate.json"
        assert marketo.post(path, cookie="crumbs").error == ("1012", "Invalid cookie value 'crumbs'")
        assert marketo.post(path).error[0] == "1002"
        assert marketo.post("/rest/v1/leads/99/associate.json", cookie=COOKIE).error == ("1004", "Lead not found")
