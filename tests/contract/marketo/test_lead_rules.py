"""What a subscription sets up for writes of people, and what a merge takes along: fact sheet 3.3, 3.5, 4.1, 8."""

import pytest

from tests.contract.marketo.client import Running
from tests.contract.marketo.test_custom_object_schema import LEAD_LINK, VIN, YEAR, a_car

LEADS = "/rest/v1/leads.json"
ROLES = "/rest/v1/opportunities/roles.json"


class TestOwnDedupeRule:
    @pytest.fixture
    def ruled(self, marketo: Running) -> Running:
        field = {"name": "accountId", "displayName": "Account Id", "dataType": "string"}
        marketo.post("/rest/v1/leads/schema/fields.json", {"input": [field]})
        marketo.set(dedupe_fields="email,accountId")
        return marketo

    def test_both_parts_make_the_key(self, ruled: Running) -> None:
        [first] = ruled.sync({"email": "a@b.example", "accountId": "1"})
        [other, again] = ruled.sync(
            {"email": "a@b.example", "accountId": "2"}, {"email": "A@b.example", "accountId": "1", "city": "X"}
        )
        assert (other["status"], again) == ("created", {"id": first["id"], "status": "updated"})

    def test_a_blank_part_always_creates(self, ruled: Running) -> None:
        results = [ruled.sync({"email": "a@b.example"})[0] for _ in range(2)]
        assert [each["status"] for each in results] == ["created", "created"]
        assert ruled.sync({"email": "a@b.example"}, action="updateOnly")[0]["reasons"][0]["code"] == "1004"

    def test_a_named_field_overrides_the_rule(self, ruled: Running) -> None:
        [first] = ruled.sync({"email": "a@b.example", "accountId": "1"})
        record = {"email": "a@b.example", "accountId": "2"}
        assert ruled.sync(record, lookupField="email") == [{"id": first["id"], "status": "updated"}]


class TestWriteOnce:
    def test_a_value_that_is_there_stays_in_silence(self, marketo: Running) -> None:
        marketo.set(write_once_fields="leadSource,city")
        number = marketo.create(email="a@b.example", leadSource="Web")
        token = marketo.start_of_feed()
        before = marketo.lead(number, "updatedAt")
        marketo.advance(10)
        assert marketo.sync({"email": "a@b.example", "leadSource": "Partner"})[0]["status"] == "updated"
        assert marketo.lead(number, "leadSource", "updatedAt") == before | {"leadSource": "Web"}
        assert [entry for entry in marketo.changes(token, "leadSource")[0] if entry["activityTypeId"] == 13] == []
        marketo.sync({"email": "a@b.example", "city": "Bonn"})
        assert marketo.lead(number, "city") == {"city": "Bonn"}, "what is empty can be written once"

    def test_a_person_in_the_screens_is_not_bound_by_it(self, marketo: Running) -> None:
        marketo.set(write_once_fields="leadSource")
        number = marketo.create(email="a@b.example", leadSource="Web")
        edit = {"entity": "person", "id": number, "values": {"leadSource": "Partner"}}
        assert marketo.control("POST", "/people/edit", edit) == {"edited": 1}


class TestRoles:
    @pytest.fixture
    def opportunity(self, marketo: Running) -> Running:
        record = {"externalOpportunityId": "o", "name": "Big deal"}
        marketo.post("/rest/v1/opportunities.json", {"input": [record]})
        return marketo

    def test_a_role_is_told_on_its_person(self, opportunity: Running) -> None:
        number = opportunity.create(email="a@b.example")
        role = {"externalOpportunityId": "o", "leadId": number, "role": "Buyer", "isPrimary": True}
        opportunity.post(ROLES, {"input": [role]})
        opportunity.post(ROLES, {"input": [role]})
        [entry], _ = opportunity.activities(opportunity.start_of_feed(), 34)
        assert (entry["leadId"], entry["primaryAttributeValue"]) == (number, "Big deal")
        assert {"name": "Role", "value": "Buyer"} in entry["attributes"]

    def test_the_winner_of_a_merge_takes_the_roles_it_has_not(self, opportunity: Running) -> None:
        winner, loser = (opportunity.create(email=f"{name}@b.example") for name in "ab")
        roles = [(winner, "Buyer"), (loser, "Buyer"), (loser, "Judge")]
        inputs = [{"externalOpportunityId": "o", "leadId": lead, "role": role} for lead, role in roles]
        opportunity.post(ROLES, {"input": inputs})
        opportunity.post(f"/rest/v1/leads/{winner}/merge.json", leadId=loser)
        query = {"filterType": "externalOpportunityId", "filterValues": "o", "fields": "leadId,role"}
        found = opportunity.get(ROLES, **query).result
        assert [(each["leadId"], each["role"]) for each in found] == [(winner, "Buyer"), (winner, "Judge")]


def test_the_winner_of_a_merge_takes_the_custom_objects(marketo: Running) -> None:
    a_car(marketo, VIN, LEAD_LINK, YEAR)
    winner, loser = (marketo.create(email=f"{name}@b.example") for name in "ab")
    marketo.post("/rest/v1/customobjects/car.json", {"input": [{"vin": "1", "leadID": loser}]})
    marketo.post(f"/rest/v1/leads/{winner}/merge.json", leadIds=str(loser), mergeInCRM="False")
    query = {"filterType": "leadID", "filterValues": winner, "fields": "vin"}
    assert marketo.get("/rest/v1/customobjects/car.json", **query).result == [{"seq": 0, "vin": "1"}]


def test_async_processing_may_answer_nothing_by_switch(marketo: Running) -> None:
    marketo.set(async_processing="empty")
    assert marketo.sync({"email": "a@b.example"}, asyncProcessing=True) == []
    assert len(marketo.get("/rest/v1/leads.json", filterType="email", filterValues="a@b.example").result) == 1
    assert len(marketo.sync({"email": "a@b.example"}, asyncProcessing=False)) == 1


def test_a_read_only_field_may_be_ignored_by_switch(marketo: Running) -> None:
    marketo.set(read_only_fields="ignored")
    number = marketo.create(email="a@b.example", mktoName="X", createdAt="2001-01-01T00:00:00Z")
    assert marketo.lead(number, "mktoName") == {"mktoName": None}


@pytest.mark.parametrize(("fallback", "city"), [("first", "Bonn"), ("last", "Rome")])
def test_which_loser_fills_the_winner_is_a_switch(marketo: Running, fallback: str, city: str) -> None:
    marketo.set(merge_fallback=fallback)
    winner, first, last = (marketo.create(email=f"{name}@b.example", city=name) for name in (None, "Bonn", "Rome"))
    marketo.post(f"/rest/v1/leads/{winner}/merge.json", leadIds=f"{first},{last}")
    assert marketo.lead(winner, "city") == {"city": city}


def test_async_processing_changes_nothing_that_can_be_seen(marketo: Running) -> None:
    """The key with a space behind it is what a public client sends."""
    for key in ("asyncProcessing", "asyncProcessing "):
        assert len(marketo.sync({"email": f"{len(key)}@b.example"}, **{key: True})) == 1
