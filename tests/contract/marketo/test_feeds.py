"""Activities and change detection: fact sheet 5 and 2.6."""

import re
from typing import Any

import pytest

from tests.contract.marketo.client import Running
from tests.contract.marketo.conftest import Start

CHANGES = "/rest/v1/activities/leadchanges.json"
ACTIVITIES = "/rest/v1/activities.json"
NOON = "2026-03-02T12:00:00+00:00"


def attributes(entry: dict[str, Any]) -> dict[str, Any]:
    return {item["name"]: item["value"] for item in entry["attributes"]}


@pytest.fixture
def lagging(start: Start) -> Running:
    """Activities show up to 60 s late, on a clock that stands at noon."""
    marketo = start(settings={"activity_lag_s": "60"})
    marketo.control("POST", "/clock", {"now": NOON, "frozen": True})
    marketo.sign_in()
    return marketo


@pytest.mark.parametrize(
    "since", ["2016-09-15T15:53:00+05:00", "2016-09-15T15:53:00Z", "2014-10-06", "2015-10-06T13:22-0700"]
)
def test_a_token_is_base32_and_comes_without_result(marketo: Running, since: str) -> None:
    body = marketo.get("/rest/v1/activities/pagingtoken.json", sinceDatetime=since).body
    assert set(body) == {"requestId", "success", "nextPageToken"}
    assert re.fullmatch(r"[A-Z2-7]+=*", body["nextPageToken"])
    assert len(body["nextPageToken"]) in (32, 56, 80)


@pytest.mark.parametrize(("since", "code"), [("yesterday", "1003"), ("", "1002")])
def test_a_token_needs_a_datetime(marketo: Running, since: str, code: str) -> None:
    assert marketo.get("/rest/v1/activities/pagingtoken.json", sinceDatetime=since).error[0] == code


def test_types_have_their_attributes_and_new_lead_no_primary_one(marketo: Running) -> None:
    types = {kind["id"]: kind for kind in marketo.get("/rest/v1/activities/types.json").result}
    assert types[12]["name"] == "New Lead"
    assert "primaryAttribute" not in types[12]
    assert types[1]["primaryAttribute"] == {"name": "Webpage ID", "dataType": "integer"}
    assert {13, 22, 24, 25, 32, 37} <= set(types)


def test_a_change_has_the_recorded_shape(marketo: Running) -> None:
    number = marketo.create(email="a@b.example", firstName="Old")
    _, token = marketo.changes(marketo.start_of_feed(), "firstName")
    marketo.sync({"email": "a@b.example", "firstName": "New"})
    [entry], _ = marketo.changes(token, "firstName")
    assert entry["fields"] == [{"id": 53, "name": "firstName", "newValue": "New", "oldValue": "Old"}]
    assert (entry["leadId"], entry["activityTypeId"], entry["marketoGUID"]) == (number, 13, str(entry["id"]))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", entry["activityDate"])
    named = attributes(entry)
    assert named["Source"] == "Web service API"
    assert named["API Method Name"] == "syncLead"
    assert "@" in named["Modifying User"]
    assert "#" in named["Request Id"]


def test_the_attributes_of_the_api_are_a_switch(marketo: Running) -> None:
    marketo.set(api_change_attributes=False)
    marketo.create(email="a@b.example")
    _, token = marketo.changes(marketo.start_of_feed(), "city")
    marketo.sync({"email": "a@b.example", "city": "X"})
    [entry], _ = marketo.changes(token, "city")
    assert set(attributes(entry)) == {"Source", "Reason"}


def test_each_changed_field_is_an_activity_of_its_own_and_only_named_ones_show(marketo: Running) -> None:
    marketo.create(email="a@b.example")
    token = marketo.start_of_feed()
    marketo.sync({"email": "a@b.example", "firstName": "A", "lastName": "B", "city": "C"})
    entries, _ = marketo.changes(token, "firstName", "city")
    assert [entry["fields"][0]["name"] for entry in entries if entry["activityTypeId"] == 13] == ["firstName", "city"]
    everything, _ = marketo.activities(token, 13)
    assert [entry["primaryAttributeValue"] for entry in everything] == ["First Name", "Last Name", "City"]


def test_the_same_change_as_an_activity(marketo: Running) -> None:
    marketo.create(email="a@b.example", city="Old")
    token = marketo.start_of_feed()
    marketo.sync({"email": "a@b.example", "city": "New"})
    [entry], _ = marketo.activities(token, 13)
    assert (entry["primaryAttributeValueId"], entry["primaryAttributeValue"]) == (64, "City")
    named = attributes(entry)
    assert (named["New Value"], named["Old Value"]) == ("New", "Old")
    assert "fields" not in entry


def test_a_new_lead_is_told_once_without_its_first_values(marketo: Running) -> None:
    token = marketo.start_of_feed()
    number = marketo.create(email="a@b.example", firstName="Ann", lastName="Bee", leadSource="Web")
    [entry], _ = marketo.changes(token, "firstName", "lastName", "email")
    assert (entry["activityTypeId"], entry["leadId"]) == (12, number)
    [activity], _ = marketo.activities(token, 12, 13)
    assert (activity["primaryAttributeValueId"], activity["primaryAttributeValue"]) == (number, "Ann Bee")
    named = attributes(activity)
    assert named["Source Type"] == "Web service API"
    assert named["Lead Source"] == "Web"


def test_by_switch_the_first_values_are_changes_too(marketo: Running) -> None:
    marketo.set(new_lead_changes=True)
    number = marketo.create(email="a@b.example", city="X")
    entries, _ = marketo.changes(marketo.start_of_feed(), "city", "email", "title")
    assert {entry["leadId"] for entry in entries} == {number}
    told = [(each["name"], each["oldValue"], each["newValue"]) for entry in entries for each in entry["fields"]]
    assert sorted(told) == [("city", None, "X"), ("email", None, "a@b.example")]


@pytest.mark.parametrize(
    ("field", "kind", "value", "shown"),
    [
        ("unsubscribed", None, True, ("True", "False")),
        ("leadScore", None, 12, ("12", None)),
        ("dateOfBirth", None, "1980-05-01", ("1980-05-01", None)),
        ("visited", "datetime", "2023-01-27T00:46:00Z", ("2023-01-26 18:46:00", None)),
        ("amount", "currency", 1234.5, ("1234.5", None)),
        ("title", None, "Boss", ("Boss", None)),
    ],
)
def test_values_are_shown_as_texts(
    marketo: Running, field: str, kind: str | None, value: object, shown: tuple[str, str | None]
) -> None:
    if kind is not None:
        definition = {"name": field, "displayName": field, "dataType": kind}
        marketo.post("/rest/v1/leads/schema/fields.json", {"input": [definition]})
    marketo.create(email="a@b.example")
    _, token = marketo.changes(marketo.start_of_feed(), field)
    marketo.sync({"email": "a@b.example", field: value})
    [entry], _ = marketo.changes(token, field)
    [change] = entry["fields"]
    assert (change["newValue"], change["oldValue"]) == shown


def test_a_score_is_told_as_a_change_of_score_too(marketo: Running) -> None:
    marketo.create(email="a@b.example", leadScore=10)
    token = marketo.start_of_feed()
    marketo.sync({"email": "a@b.example", "leadScore": 15})
    entries, _ = marketo.activities(token, 13, 22)
    assert sorted(entry["activityTypeId"] for entry in entries) == [13, 22]
    [score] = [attributes(entry) for entry in entries if entry["activityTypeId"] == 22]
    assert (score["Change Value"], score["New Value"], score["Old Value"]) == ("+5", "15", "10")


def test_a_change_of_company_reaches_its_people(marketo: Running) -> None:
    marketo.post("/rest/v1/companies.json", {"input": [{"externalCompanyId": "c", "company": "Old"}]})
    ids = [marketo.create(email=f"{name}@b.example", externalCompanyId="c") for name in "xy"]
    _, token = marketo.changes(marketo.start_of_feed(), "company")
    marketo.post("/rest/v1/companies.json", {"input": [{"externalCompanyId": "c", "company": "New"}]})
    entries, _ = marketo.changes(token, "company")
    assert [(entry["leadId"], entry["fields"][0]["newValue"]) for entry in entries] == [
        (ids[0], "New"),
        (ids[1], "New"),
    ]


class TestParameters:
    @pytest.mark.parametrize(
        ("path", "parameters", "error"),
        [
            (ACTIVITIES, {}, ("1002", "Missing value for the required parameter 'activityTypeIds'")),
            (CHANGES, {}, ("1002", "Missing value for the required parameter 'fields'")),
            (CHANGES, {"fields": "shoeSize"}, ("1006", "Field 'shoeSize' not found")),
            (ACTIVITIES, {"activityTypeIds": "x"}, ("1001", 'For input string: "x" failed to convert to a number')),
        ],
    )
    def test_what_is_missing_or_unknown_is_named(
        self, marketo: Running, path: str, parameters: dict[str, str], error: tuple[str, str]
    ) -> None:
        assert marketo.get(path, nextPageToken=marketo.start_of_feed(), **parameters).error == error

    def test_a_token_is_required_and_must_be_ours(self, marketo: Running) -> None:
        assert marketo.get(CHANGES, fields="city").error == (
            "1002",
            "Missing value for the required parameter 'nextPageToken'",
        )
        assert marketo.get(CHANGES, fields="city", nextPageToken="MADEUP").error == (
            "1003",
            "Invalid token value: [MADEUP]",
        )

    @pytest.mark.parametrize(
        "parameters",
        [
            {"activityTypeIds": ",".join(map(str, range(1, 12)))},
            {"activityTypeIds": "13", "leadIds": ",".join(map(str, range(31)))},
            {"activityTypeIds": "24,25", "assetIds": "1"},
        ],
    )
    def test_too_many_of_a_thing_is_1003(self, marketo: Running, parameters: dict[str, str]) -> None:
        assert marketo.get(ACTIVITIES, nextPageToken=marketo.start_of_feed(), **parameters).error[0] == "1003"

    def test_feeds_can_be_narrowed_to_people_and_lists(self, marketo: Running) -> None:
        first, second = (marketo.create(email=f"{name}@b.example") for name in "ab")
        token = marketo.start_of_feed()
        only, _ = marketo.chain(CHANGES, token, fields="city", leadIds=second)
        assert [entry["leadId"] for entry in only] == [second]
        chosen = marketo.control("POST", "/people/create", {"entity": "list", "values": {"name": "L"}})["id"]
        marketo.post(f"/rest/v1/lists/{chosen}/leads.json", {"input": [{"id": first}]})
        members, _ = marketo.chain(CHANGES, token, fields="city", listId=chosen)
        assert [entry["leadId"] for entry in members] == [first]

    def test_a_list_of_ten_thousand_is_too_large_to_narrow_by(self, marketo: Running) -> None:
        marketo.set(list_feed_members_max=1)
        number = marketo.create(email="a@b.example")
        chosen = marketo.control("POST", "/people/create", {"entity": "list", "values": {"name": "L"}})["id"]
        marketo.post(f"/rest/v1/lists/{chosen}/leads.json", {"input": [{"id": number}]})
        answer = marketo.get(CHANGES, nextPageToken=marketo.start_of_feed(), fields="city", listId=chosen)
        assert answer.error[0] == "1003"


class TestPaging:
    def test_every_page_has_a_token_and_says_whether_there_is_more(self, marketo: Running) -> None:
        marketo.sync(*({"email": f"p{number}@b.example"} for number in range(5)))
        token = marketo.start_of_feed()
        sizes, more = [], []
        for _ in range(3):
            body = marketo.get(CHANGES, nextPageToken=token, fields="city", batchSize=2).body
            sizes.append(len(body["result"]))
            more.append(body["moreResult"])
            token = body["nextPageToken"]
        assert (sizes, more) == ([2, 2, 1], [True, True, False])

    def test_a_quiet_feed_answers_with_a_token_to_go_on(self, marketo: Running) -> None:
        body = marketo.get(CHANGES, nextPageToken=marketo.start_of_feed(), fields="city").body
        assert (body["result"], body["moreResult"]) == ([], False)
        marketo.create(email="a@b.example")
        assert len(marketo.changes(body["nextPageToken"], "city")[0]) == 1

    def test_pages_may_be_short_or_empty_while_there_is_more(self, marketo: Running) -> None:
        marketo.set(feed_block=4)
        marketo.sync(*({"email": f"p{number}@b.example"} for number in range(10)))
        marketo.sync({"email": "p9@b.example", "city": "X"})
        token = marketo.start_of_feed()
        first = marketo.get(ACTIVITIES, nextPageToken=token, activityTypeIds=13).body
        assert (first["result"], first["moreResult"]) == ([], True)
        assert len(marketo.activities(token, 13)[0]) == 1

    def test_one_token_serves_all_three_feeds(self, marketo: Running) -> None:
        token = marketo.start_of_feed()
        number = marketo.create(email="a@b.example")
        marketo.post("/rest/v1/leads/delete.json", id=number)
        assert len(marketo.changes(token, "city")[0]) == 1
        assert len(marketo.activities(token, 12)[0]) == 1
        assert len(marketo.chain("/rest/v1/activities/deletedleads.json", token)[0]) == 1


class TestTime:
    def test_a_date_token_starts_at_its_date(self, marketo: Running) -> None:
        marketo.control("POST", "/clock", {"now": NOON, "frozen": True})
        marketo.sign_in()
        marketo.create(email="a@b.example")
        marketo.advance(10)
        late = marketo.create(email="c@b.example")
        token = marketo.start_of_feed("2026-03-02T12:00:05Z")
        assert [entry["leadId"] for entry in marketo.changes(token, "city")[0]] == [late]

    @pytest.mark.parametrize(("since", "count"), [("inclusive", 1), ("exclusive", 0)])
    def test_whether_a_date_token_includes_its_second_is_a_switch(
        self, marketo: Running, since: str, count: int
    ) -> None:
        marketo.set(paging_token_since=since)
        marketo.control("POST", "/clock", {"now": NOON, "frozen": True})
        marketo.sign_in()
        marketo.create(email="a@b.example")
        assert len(marketo.changes(marketo.start_of_feed(NOON), "city")[0]) == count

    def test_a_token_may_end_by_switch(self, marketo: Running) -> None:
        marketo.set(paging_token_lifetime_s=600)
        token = marketo.start_of_feed()
        marketo.advance(500)
        _, token = marketo.changes(token, "city")
        marketo.advance(500)
        marketo.changes(token, "city")
        marketo.advance(101)
        refused = marketo.get(CHANGES, nextPageToken=token, fields="city")
        assert refused.error == ("1003", f"Invalid token value: [{token}]")

    def test_a_write_reads_at_once_but_its_activity_comes_within_the_lag(self, lagging: Running) -> None:
        token = lagging.start_of_feed()
        number = lagging.create(email="a@b.example")
        assert lagging.lead(number)["email"] == "a@b.example"
        assert lagging.changes(token, "city")[0] == []
        lagging.advance(60)
        [entry], _ = lagging.changes(token, "city")
        assert entry["activityDate"] == "2026-03-02T12:00:00Z"

    def test_a_chain_misses_nothing_though_entries_commit_out_of_order(self, lagging: Running) -> None:
        _, token = lagging.changes(lagging.start_of_feed(), "city")
        written: set[int] = set()
        seen: list[dict[str, Any]] = []
        for second in range(40):
            written.add(lagging.create(email=f"p{second}@b.example"))
            found, token = lagging.changes(token, "city")
            seen += found
            lagging.advance(3)
        lagging.advance(60)
        found, token = lagging.changes(token, "city")
        seen += found
        assert sorted(entry["leadId"] for entry in seen) == sorted(written)
        dates = [entry["activityDate"] for entry in seen]
        assert dates != sorted(dates)

    def test_small_pages_over_entries_out_of_order_miss_nothing(self, lagging: Running) -> None:
        token = lagging.start_of_feed()
        written = [lagging.create(email=f"p{number}@b.example") for number in range(40)]
        lagging.advance(60)
        found, _ = lagging.chain(CHANGES, token, fields="city", batchSize=7)
        assert sorted(entry["leadId"] for entry in found) == written

    def test_a_chain_shows_what_was_dated_before_its_start_but_committed_after(self, lagging: Running) -> None:
        early = [lagging.create(email=f"p{number}@b.example") for number in range(10)]
        lagging.advance(1)
        late = lagging.create(email="late@b.example")
        at_once, token = lagging.changes(lagging.start_of_feed("2026-03-02T12:00:01Z"), "city")
        lagging.advance(60)
        afterwards, _ = lagging.changes(token, "city")
        assert len(afterwards) > 5
        assert {entry["leadId"] for entry in at_once + afterwards} <= {*early, late}
        assert late in {entry["leadId"] for entry in at_once + afterwards}

    def test_a_reader_with_a_new_date_token_each_time_misses_late_ones(self, lagging: Running) -> None:
        written = {lagging.create(email=f"p{number}@b.example") for number in range(40)}
        lagging.advance(30)
        early, token = lagging.changes(lagging.start_of_feed("2026-03-02T12:00:00Z"), "city")
        assert 0 < len(early) < 40
        lagging.advance(40)
        assert lagging.changes(lagging.start_of_feed("2026-03-02T12:00:30Z"), "city")[0] == []
        late, _ = lagging.changes(token, "city")
        assert {entry["leadId"] for entry in early + late} == written

    def test_some_activities_can_be_made_to_come_very_late(self, marketo: Running) -> None:
        marketo.control("POST", "/clock", {"now": NOON, "frozen": True})
        marketo.sign_in()
        marketo.set(late_share=0.5, late_delay_s=600)
        for number in range(40):
            marketo.create(email=f"p{number}@b.example")
        on_time, token = marketo.changes(marketo.start_of_feed(), "city")
        assert 5 < len(on_time) < 35
        marketo.advance(600)
        assert len(on_time) + len(marketo.changes(token, "city")[0]) == 40

    def test_changes_are_kept_ninety_days_and_new_leads_for_ever(self, marketo: Running) -> None:
        token = marketo.start_of_feed()
        marketo.create(email="a@b.example")
        marketo.sync({"email": "a@b.example", "city": "X"})
        marketo.advance(89 * 86_400)
        marketo.sign_in()
        assert sorted(entry["activityTypeId"] for entry in marketo.changes(token, "city")[0]) == [12, 13]
        marketo.advance(2 * 86_400)
        marketo.sign_in()
        assert [entry["activityTypeId"] for entry in marketo.changes(token, "city")[0]] == [12]

    @pytest.mark.parametrize(("days", "kept"), [(760, [25]), (762, [])])
    def test_the_rest_is_kept_for_twenty_five_months(self, marketo: Running, days: int, kept: list[int]) -> None:
        number = marketo.create(email="a@b.example")
        chosen = marketo.control("POST", "/people/create", {"entity": "list", "values": {"name": "L"}})["id"]
        marketo.post(f"/rest/v1/lists/{chosen}/leads.json", {"input": [{"id": number}]})
        marketo.call("DELETE", f"/rest/v1/lists/{chosen}/leads.json", {"input": [{"id": number}]})
        token = marketo.start_of_feed()
        marketo.advance(days * 86_400)
        marketo.sign_in()
        assert [entry["activityTypeId"] for entry in marketo.activities(token, 24, 25)[0]] == kept
