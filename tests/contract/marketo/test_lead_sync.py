"""Sync Leads, record by record: fact sheet 2.3, 3.3 and the types of section 8."""

from typing import Any

import pytest

from tests.contract.marketo.client import Running

LEADS = "/rest/v1/leads.json"


def skipped(code: str, message: str) -> dict[str, Any]:
    return {"status": "skipped", "reasons": [{"code": code, "message": message}]}


def add_fields(marketo: Running, **types: str) -> None:
    fields = [{"name": name, "displayName": f"My {name}", "dataType": kind} for name, kind in types.items()]
    marketo.post("/rest/v1/leads/schema/fields.json", {"input": fields})


def test_the_default_action_creates_then_updates_by_email(marketo: Running) -> None:
    [first] = marketo.sync({"email": "a@b.example", "firstName": "A"})
    assert first == {"id": first["id"], "status": "created"}
    assert marketo.sync({"email": "A@B.example", "firstName": "B"}) == [{"id": first["id"], "status": "updated"}]
    assert marketo.lead(first["id"])["firstName"] == "B"


def test_ids_ascend_and_are_never_used_again(marketo: Running) -> None:
    first, second = (marketo.create(email=f"{name}@b.example") for name in "ab")
    assert second == first + 1
    marketo.post("/rest/v1/leads/delete.json", {"input": [{"id": second}]})
    assert marketo.create(email="c@b.example") == second + 1


def test_create_only_skips_a_known_key_without_its_id(marketo: Running) -> None:
    marketo.create(email="a@b.example")
    assert marketo.sync({"email": "a@b.example"}, action="createOnly") == [skipped("1005", "Lead already exists")]


def test_update_only_skips_an_unknown_key(marketo: Running) -> None:
    assert marketo.sync({"email": "a@b.example"}, action="updateOnly") == [skipped("1004", "Lead not found")]


def test_create_duplicate_always_creates_and_the_key_is_ambiguous_from_then_on(marketo: Running) -> None:
    first = marketo.create(email="a@b.example")
    [second] = marketo.sync({"email": "a@b.example"}, action="createDuplicate")
    assert (second["status"], second["id"] != first) == ("created", True)
    ambiguous = [skipped("1007", "Multiple lead match lookup criteria")]
    assert marketo.sync({"email": "a@b.example"}) == ambiguous
    assert marketo.sync({"email": "a@b.example"}, action="updateOnly") == ambiguous
    assert marketo.sync({"email": "a@b.example"}, action="createOnly") == [skipped("1005", "Lead already exists")]


def test_an_update_by_id(marketo: Running) -> None:
    number = marketo.create(email="a@b.example")
    body = {"action": "updateOnly", "lookupField": "id"}
    assert marketo.sync({"id": number, "email": "new@b.example"}, **body) == [{"id": number, "status": "updated"}]
    assert marketo.lead(number)["email"] == "new@b.example"
    assert marketo.sync({"id": 9_999, "email": "x@b.example"}, **body) == [skipped("1004", "Lead not found")]


@pytest.mark.parametrize("action", ["createOnly", "createOrUpdate", "createDuplicate"])
def test_an_id_is_no_key_for_what_may_create(marketo: Running, action: str) -> None:
    [result] = marketo.sync({"id": 5, "email": "a@b.example"}, action=action, lookupField="id")
    assert result == skipped("1003", "Invalid value for field 'id' and value '5'")


def test_a_custom_field_is_a_key_too(marketo: Running) -> None:
    add_fields(marketo, crmId="string", crmNumber="integer")
    [made] = marketo.sync({"crmId": "g-1", "lastName": "N"}, action="createOnly", lookupField="crmId")
    assert made["status"] == "created"
    assert marketo.lead(made["id"])["email"] is None
    again = marketo.sync({"crmId": "g-1", "crmNumber": 7}, action="createOnly", lookupField="crmId")
    assert again == [skipped("1005", "Lead already exists")]
    marketo.sync({"crmId": "g-1", "crmNumber": 7}, lookupField="crmId")
    assert marketo.sync({"crmNumber": "7", "lastName": "M"}, lookupField="crmNumber")[0]["id"] == made["id"]


def test_two_people_with_one_email_can_be_told_apart_by_a_custom_key(marketo: Running) -> None:
    add_fields(marketo, crmId="string")
    records = [{"crmId": "g-1", "email": "a@b.example"}, {"crmId": "g-2", "email": "a@b.example"}]
    results = marketo.sync(*records, action="createOnly", lookupField="crmId")
    assert [result["status"] for result in results] == ["created", "created"]


@pytest.mark.parametrize(
    ("lookup_field", "error"),
    [
        ("firstName", ("1011", "Field 'firstName' not supported")),
        ("shoeSize", ("1006", "Field 'shoeSize' not found")),
    ],
)
def test_a_lookup_field_that_cannot_be_refuses_the_call(
    marketo: Running, lookup_field: str, error: tuple[str, str]
) -> None:
    body = {"lookupField": lookup_field, "input": [{"email": "a@b.example"}]}
    assert marketo.post(LEADS, body).error == error


def test_a_record_without_its_key_is_skipped_and_its_neighbours_go_on(marketo: Running) -> None:
    results = marketo.sync({"firstName": "A"}, {"email": None}, {"email": "a@b.example"})
    missing = skipped("1002", "Missing value for the required parameter 'email'")
    assert results[:2] == [missing, missing]
    assert results[2]["status"] == "created"


def test_results_stand_in_the_order_of_the_input(marketo: Running) -> None:
    known = marketo.create(email="known@b.example")
    results = marketo.sync(
        {"email": "bad"}, {"email": "new@b.example"}, {"email": "known@b.example"}, {"email": "x@b.example", "nope": 1}
    )
    assert [result["status"] for result in results] == ["skipped", "created", "updated", "skipped"]
    assert results[2]["id"] == known
    assert results[3] == skipped("1006", "Field 'nope' not found")


def test_the_same_key_twice_in_a_batch_is_one_person(marketo: Running) -> None:
    first, second = marketo.sync({"email": "a@b.example", "city": "X"}, {"email": "a@b.example", "city": "Y"})
    assert (first["status"], second) == ("created", {"id": first["id"], "status": "updated"})
    assert marketo.lead(first["id"], "city") == {"city": "Y"}


def test_racing_upserts_make_twins_by_switch_and_create_only_does_not(marketo: Running) -> None:
    """3.3: closely spaced upserts of one key can create duplicates; createOnly is a way out."""
    marketo.set(upsert_race_s=5)
    first, second = (marketo.sync({"email": "a@b.example"}) for _ in range(2))
    assert [result["status"] for result in (*first, *second)] == ["created", "created"]
    marketo.sync({"email": "c@b.example"}, action="createOnly")
    [refused] = marketo.sync({"email": "c@b.example"}, action="createOnly")
    assert refused["reasons"][0]["code"] == "1005"
    marketo.advance(6)
    [ambiguous] = marketo.sync({"email": "a@b.example"})
    assert ambiguous["reasons"][0]["code"] == "1007"


def test_301_records_are_refused_as_a_whole(marketo: Running) -> None:
    records = [{"email": f"p{number}@b.example"} for number in range(301)]
    assert marketo.post(LEADS, {"input": records}).error[0] == "1003"
    assert marketo.get(LEADS, filterType="email", filterValues="p0@b.example").result == []


def test_unknown_members_of_the_body_are_ignored(marketo: Running) -> None:
    assert marketo.sync({"email": "a@b.example"}, **{"asyncProcessing ": False})[0]["status"] == "created"


def test_a_bad_action_is_refused(marketo: Running) -> None:
    assert marketo.post(LEADS, {"action": "upsert", "input": [{"email": "a@b.example"}]}).error[0] == "1003"


def test_an_unknown_partition_is_refused(marketo: Running) -> None:
    body = {"partitionName": "Europe", "input": [{"email": "a@b.example"}]}
    assert marketo.post(LEADS, body).error == ("1008", "Access denied to partition 'Europe'")


TYPES = {
    "aBoolean": "boolean",
    "aCurrency": "currency",
    "aDate": "date",
    "aDatetime": "datetime",
    "anEmail": "email",
    "aFloat": "float",
    "anInteger": "integer",
    "aPercent": "percent",
    "aPhone": "phone",
    "aScore": "score",
    "aString": "string",
    "aUrl": "url",
}


class TestNoOpWrites:
    def test_equal_values_answer_updated_and_move_nothing(self, marketo: Running) -> None:
        number = marketo.create(email="a@b.example", firstName="A", leadScore=5, unsubscribed=True)
        before = marketo.lead(number, "updatedAt")
        token = marketo.start_of_feed()
        _, token = marketo.changes(token, "firstName", "leadScore", "unsubscribed", "email")
        marketo.advance(10)
        same = {"email": "a@b.example", "firstName": "A", "leadScore": "5", "unsubscribed": "true", "city": None}
        assert marketo.sync(same) == [{"id": number, "status": "updated"}]
        assert marketo.lead(number, "updatedAt") == before
        assert marketo.changes(token, "firstName", "leadScore", "unsubscribed", "email")[0] == []

    def test_a_real_change_moves_updated_at(self, marketo: Running) -> None:
        number = marketo.create(email="a@b.example")
        before = marketo.lead(number)
        marketo.advance(10)
        marketo.sync({"email": "a@b.example", "firstName": "B"})
        after = marketo.lead(number)
        assert after["updatedAt"] > before["updatedAt"]
        assert after["createdAt"] == before["createdAt"]

    @pytest.mark.parametrize("moves", [False, True])
    def test_a_custom_field_alone_moves_it_only_by_switch(self, marketo: Running, moves: bool) -> None:
        add_fields(marketo, crmId="string")
        marketo.set(custom_fields_move_updated_at=moves)
        number = marketo.create(email="a@b.example")
        before = marketo.lead(number, "updatedAt")
        marketo.advance(10)
        marketo.sync({"email": "a@b.example", "crmId": "g"})
        assert (marketo.lead(number, "updatedAt") != before) is moves


class TestValues:
    @pytest.mark.parametrize(
        ("field", "written", "read"),
        [
            ("aBoolean", True, True),
            ("aBoolean", "true", True),
            ("aBoolean", "False", False),
            ("aCurrency", "12.5", 12.5),
            ("aCurrency", 3, 3),
            ("aDate", "2024-02-29", "2024-02-29"),
            ("aDatetime", "2023-01-26T18:46:48.000Z", "2023-01-26T18:46:48Z"),
            ("aDatetime", "2016-09-15T15:53:00+05:00", "2016-09-15T10:53:00Z"),
            ("anEmail", "x@y.example", "x@y.example"),
            ("aFloat", -1.25, -1.25),
            ("anInteger", "42", 42),
            ("aPercent", 80, 80),
            ("aScore", -3, -3),
            ("aPhone", "+49 30 1234", "+49 30 1234"),
            ("aString", "Zoë 😀", "Zoë 😀"),
            ("aString", 12, "12"),
            ("aString", "x" * 255, "x" * 255),
            ("aUrl", "airbyte.io", "airbyte.io"),
        ],
    )
    def test_a_value_reads_back_in_its_form(self, marketo: Running, field: str, written: object, read: object) -> None:
        add_fields(marketo, **{field: TYPES[field]})
        number = marketo.create(email="a@b.example", **{field: written})
        assert marketo.lead(number, field) == {field: read}

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("aBoolean", "other"),
            ("aCurrency", "14c"),
            ("aDate", "26.01.2023"),
            ("aDate", "2023-02-29"),
            ("aDatetime", "yesterday"),
            ("anEmail", "bademail"),
            ("anEmail", "zoë@y.example"),
            ("aFloat", "14c"),
            ("anInteger", "14.1"),
            ("anInteger", 14.1),
            ("anInteger", 2**31),
            ("anInteger", True),
            ("aPercent", "100%"),
            ("aScore", "many"),
            ("aString", {"a": 1}),
            ("aString", "x" * 256),
        ],
    )
    def test_a_value_of_the_wrong_type_skips_its_record_only(self, marketo: Running, field: str, value: object) -> None:
        add_fields(marketo, **{field: TYPES[field]})
        bad, good = marketo.sync({"email": "a@b.example", field: value}, {"email": "c@b.example"})
        assert bad["status"] == "skipped"
        assert bad["reasons"][0]["code"] == "1003"
        assert bad["reasons"][0]["message"].startswith(f"Invalid value for field '{field}'")
        assert good["status"] == "created"

    def test_the_message_names_field_and_value(self, marketo: Running) -> None:
        add_fields(marketo, boolean_field="boolean")
        [result] = marketo.sync({"email": "a@b.example", "boolean_field": "other"})
        assert result == skipped("1003", "Invalid value for field 'boolean_field' and value 'other'")

    @pytest.mark.parametrize("field", ["aCurrency", "aDate", "aDatetime", "anEmail", "aFloat", "anInteger", "aString"])
    def test_null_clears(self, marketo: Running, field: str) -> None:
        value: dict[str, object] = {
            "aCurrency": 1.5,
            "aDate": "2024-01-01",
            "aDatetime": "2024-01-01T00:00:00Z",
            "anEmail": "x@y.example",
            "aFloat": 1.5,
            "anInteger": 1,
            "aString": "x",
        }
        add_fields(marketo, **{field: TYPES[field]})
        number = marketo.create(email="a@b.example", **{field: value[field]})
        marketo.sync({"email": "a@b.example", field: None})
        assert marketo.lead(number, field) == {field: None}

    def test_null_turns_a_boolean_to_false(self, marketo: Running) -> None:
        number = marketo.create(email="a@b.example", unsubscribed=True)
        marketo.sync({"email": "a@b.example", "unsubscribed": None})
        assert marketo.lead(number, "unsubscribed") == {"unsubscribed": False}

    @pytest.mark.parametrize(("setting", "read"), [("clears", None), ("kept", "")])
    def test_what_an_empty_text_does_is_a_switch(self, marketo: Running, setting: str, read: object) -> None:
        marketo.set(empty_string=setting)
        number = marketo.create(email="a@b.example", city="X")
        marketo.sync({"email": "a@b.example", "city": ""})
        assert marketo.lead(number, "city") == {"city": read}

    def test_too_long_a_text_is_cut_by_switch(self, marketo: Running) -> None:
        marketo.set(over_length="truncate")
        number = marketo.create(email="a@b.example", city="x" * 300)
        assert marketo.lead(number, "city") == {"city": "x" * 255}

    def test_a_text_area_holds_thirty_thousand_bytes(self, marketo: Running) -> None:
        fits, exceeds = "é" * 15_000, "é" * 15_001
        results = marketo.sync(
            {"email": "a@b.example", "mktoPersonNotes": fits}, {"email": "c@b.example", "mktoPersonNotes": exceeds}
        )
        assert [result["status"] for result in results] == ["created", "skipped"]

    @pytest.mark.parametrize("field", ["mktoName", "createdAt", "updatedAt", "inferredCompany"])
    def test_a_read_only_field_skips_the_record(self, marketo: Running, field: str) -> None:
        [result] = marketo.sync({"email": "a@b.example", field: "2020-01-01T00:00:00Z"})
        assert result == skipped("1011", f"Field '{field}' not supported")


class TestLinks:
    @pytest.fixture
    def linked(self, marketo: Running) -> Running:
        companies = [
            {"externalCompanyId": "c1", "company": "One", "website": "one.example"},
            {"externalCompanyId": "c2", "company": "Two"},
        ]
        marketo.post("/rest/v1/companies.json", {"input": companies})
        marketo.post("/rest/v1/salespersons.json", {"input": [{"externalSalesPersonId": "s1"}]})
        return marketo

    def test_a_lead_inherits_what_its_company_says(self, linked: Running) -> None:
        number = linked.create(email="a@b.example", externalCompanyId="c1", externalSalesPersonId="s1")
        assert linked.lead(number, "company", "website", "externalCompanyId", "externalSalesPersonId") == {
            "company": "One",
            "website": "one.example",
            "externalCompanyId": "c1",
            "externalSalesPersonId": "s1",
        }

    def test_a_lead_moves_to_another_company(self, linked: Running) -> None:
        number = linked.create(email="a@b.example", externalCompanyId="c1")
        linked.sync({"email": "a@b.example", "externalCompanyId": "c2"})
        assert linked.lead(number, "company", "website") == {"company": "Two", "website": None}

    def test_a_lead_cannot_be_detached(self, linked: Running) -> None:
        number = linked.create(email="a@b.example", externalCompanyId="c1")
        record = {"email": "a@b.example", "externalCompanyId": None}
        assert linked.sync(record) == [skipped("1021", "Company update not allowed")]
        linked.set(company_detach="ignored")
        assert linked.sync(record) == [{"id": number, "status": "updated"}]
        assert linked.lead(number, "externalCompanyId") == {"externalCompanyId": "c1"}

    def test_a_lead_without_company_may_be_told_so(self, linked: Running) -> None:
        assert linked.sync({"email": "a@b.example", "externalCompanyId": None})[0]["status"] == "created"
        assert linked.sync({"email": "a@b.example", "externalCompanyId": None})[0]["status"] == "updated"

    def test_an_unknown_company_or_sales_person_skips_the_record(self, linked: Running) -> None:
        company, seller = linked.sync(
            {"email": "a@b.example", "externalCompanyId": "nope"},
            {"email": "c@b.example", "externalSalesPersonId": "nope"},
        )
        assert company == skipped("1013", "Object not found")
        assert seller == skipped("718", "ExternalSalesPersonID not found")

    def test_company_attributes_are_refused_here(self, linked: Running) -> None:
        [result] = linked.sync({"email": "a@b.example", "company": "Mine"})
        assert result == skipped("1021", "Company update not allowed")

    def test_by_switch_a_lead_without_a_managed_company_takes_them(self, linked: Running) -> None:
        linked.set(company_fields="unmanaged")
        number = linked.create(email="a@b.example", company="Mine")
        linked.sync({"email": "a@b.example", "industry": "Toys"})
        assert linked.lead(number, "company", "industry") == {"company": "Mine", "industry": "Toys"}
        linked.create(email="c@b.example", externalCompanyId="c1")
        [managed] = linked.sync({"email": "c@b.example", "company": "Mine"})
        assert managed == skipped("1021", "Company update not allowed")
