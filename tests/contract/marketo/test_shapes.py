"""Each kind of answer against Adobe's own definitions: known members, their types, and what is required.

The definitions are wrong in a few known places; `FORGIVEN` names each, with the recording or document against it.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.contract.marketo.client import Answer, Running

DATA = json.loads((Path(__file__).parent / "data" / "definitions.json").read_text())

# Required by the definition, absent from real answers (fact sheet 2.1, 4.1, 5.2).
FORGIVEN = {
    ("*", "errors"),  # left out on success
    ("*", "warnings"),  # left out when empty
    ("ObjectMetaData", "pluralName"),  # custom objects only, as the next three
    ("ObjectMetaData", "apiName"),
    ("ObjectMetaData", "status"),
    ("ObjectMetaData", "version"),
    ("CompanyResponse", "id"),  # a skipped record has none
    ("ActivityType", "primaryAttribute"),  # New Lead has none, nor have types of which only the name is known
}
# Answers that carry more than their definition lists: any field of the object, or members left out of it.
OPEN = {"Lead", "CompanyResponse", "SalesPerson", "CustomObject", "ObjectMetaData"}
KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
    "array": (list,),
    "number": (int, float),
}


def complaints(name: str, value: Any, where: str) -> list[str]:
    definition = DATA["definitions"][name]
    if name == "LeadAttribute2SearchableFields":  # the one definition that is a list of names
        is_names = isinstance(value, list) and all(isinstance(each, str) for each in value)
        return [] if is_names else [f"{where}: no list of names"]
    if not isinstance(value, dict):
        return [f"{where}: no object"]
    missing = [
        f"{where}: {member} is missing"
        for member in definition["required"]
        if member not in value and not FORGIVEN & {("*", member), (name, member)}
    ]
    known = definition["properties"]
    unknown = [f"{where}: {member} is unknown" for member in value if member not in known and name not in OPEN]
    wrong = [
        complaint
        for member, inner in value.items()
        if member in known and inner is not None
        for complaint in value_complaints(known[member], inner, f"{where}.{member}")
    ]
    return missing + unknown + wrong


def value_complaints(schema: dict[str, Any], value: Any, where: str) -> list[str]:
    if "$ref" in schema:
        return complaints(schema["$ref"].rpartition("/")[2], value, where)
    expected = KINDS.get(schema.get("type", ""))
    if expected is None:
        return []
    if not isinstance(value, expected) or (isinstance(value, bool) and bool not in expected):
        return [f"{where}: {value!r} is no {schema['type']}"]
    if isinstance(value, list) and "items" in schema:
        return [
            found
            for at, item in enumerate(value)
            for found in value_complaints(schema["items"], item, f"{where}[{at}]")
        ]
    return []


def calls(marketo: Running) -> dict[str, Answer]:
    """One answer with content for each covered operation."""
    token = marketo.start_of_feed()
    first, second, third = (marketo.create(email=f"{name}@b.example") for name in "abc")
    chosen = marketo.control("POST", "/people/create", {"entity": "list", "values": {"name": "L"}})["id"]
    members = f"/rest/v1/lists/{chosen}/leads.json"
    schema = "/rest/v1/leads/schema/fields.json"
    field = {"name": "k", "displayName": "K", "dataType": "string"}
    made = {
        "leads.sync": marketo.post("/rest/v1/leads.json", {"input": [{"email": "a@b.example", "city": "X"}, {}]}),
        "leads.fields.create": marketo.post(schema, {"input": [field]}),
        "leads.fields.update": marketo.post(schema.replace("fields", "fields/k"), {"input": [{"isSensitive": True}]}),
        "lists.add": marketo.post(members, {"input": [{"id": first}, {"id": 99}]}),
        "companies.sync": marketo.post("/rest/v1/companies.json", {"input": [{"externalCompanyId": "c"}, {}]}),
        "salespersons.sync": marketo.post(
            "/rest/v1/salespersons.json", {"input": [{"externalSalesPersonId": "s"}, {}]}
        ),
        "opportunities.sync": marketo.post(
            "/rest/v1/opportunities.json", {"input": [{"externalOpportunityId": "o", "name": "N"}]}
        ),
        "roles.sync": marketo.post(
            "/rest/v1/opportunities/roles.json",
            {"input": [{"externalOpportunityId": "o", "leadId": first, "role": "R"}]},
        ),
        "leads.merge": marketo.post(f"/rest/v1/leads/{first}/merge.json", leadId=second),
        "leads.delete": marketo.post("/rest/v1/leads/delete.json", id=third),
        "leads.partitions.update": marketo.post(
            "/rest/v1/leads/partitions.json", {"input": [{"id": first, "partitionName": "Default"}]}
        ),
    }
    read = {
        "leads.describe": marketo.get("/rest/v1/leads/describe.json"),
        "leads.describe2": marketo.get("/rest/v1/leads/describe2.json"),
        "leads.get": marketo.get(f"/rest/v1/lead/{first}.json"),
        "leads.query": marketo.get("/rest/v1/leads.json", filterType="id", filterValues=first),
        "leads.partitions": marketo.get("/rest/v1/leads/partitions.json"),
        "leads.listmembership": marketo.get(f"/rest/v1/leads/{first}/listMembership.json"),
        "leads.fields.list": marketo.get(schema),
        "leads.fields.get": marketo.get(schema.replace("fields", "fields/k")),
        "lists.query": marketo.get("/rest/v1/lists.json"),
        "lists.get": marketo.get(f"/rest/v1/lists/{chosen}.json"),
        "lists.leads": marketo.get(members),
        "lists.ismember": marketo.get(members.replace("leads", "leads/ismember"), id=first),
        "lists.remove": marketo.call("DELETE", members, {"input": [{"id": first}, {"id": 99}]}),
        "activities.types": marketo.get("/rest/v1/activities/types.json"),
        "activities.pagingtoken": marketo.get("/rest/v1/activities/pagingtoken.json", sinceDatetime="2026-01-01"),
        "activities.query": marketo.get("/rest/v1/activities.json", nextPageToken=token, activityTypeIds="12,13,24,32"),
        "activities.leadchanges": marketo.get(
            "/rest/v1/activities/leadchanges.json", nextPageToken=token, fields="city"
        ),
        "activities.deletedleads": marketo.get("/rest/v1/activities/deletedleads.json", nextPageToken=token),
        "companies.describe": marketo.get("/rest/v1/companies/describe.json"),
        "companies.query": marketo.get("/rest/v1/companies.json", filterType="externalCompanyId", filterValues="c"),
        "companies.fields.list": marketo.get("/rest/v1/companies/schema/fields.json"),
        "companies.fields.get": marketo.get("/rest/v1/companies/schema/fields/industry.json"),
        "salespersons.describe": marketo.get("/rest/v1/salespersons/describe.json"),
        "salespersons.query": marketo.get("/rest/v1/salespersons.json", filterType="dedupeFields", filterValues="s"),
        "opportunities.describe": marketo.get("/rest/v1/opportunities/describe.json"),
        "opportunities.query": marketo.get("/rest/v1/opportunities.json", filterType="dedupeFields", filterValues="o"),
        "opportunities.fields.list": marketo.get("/rest/v1/opportunities/schema/fields.json"),
        "opportunities.fields.get": marketo.get("/rest/v1/opportunities/schema/fields/name.json"),
        "roles.describe": marketo.get("/rest/v1/opportunities/roles/describe.json"),
        "roles.query": marketo.get("/rest/v1/opportunities/roles.json", filterType="leadId", filterValues=first),
        "stats.usage": marketo.get("/rest/v1/stats/usage.json"),
        "stats.usage.week": marketo.get("/rest/v1/stats/usage/last7days.json"),
        "stats.errors": marketo.get("/rest/v1/stats/errors.json"),
        "stats.errors.week": marketo.get("/rest/v1/stats/errors/last7days.json"),
    }
    ended = {
        "roles.delete": marketo.post(
            "/rest/v1/opportunities/roles/delete.json",
            {"input": [{"externalOpportunityId": "o", "leadId": first, "role": "R"}]},
        ),
        "opportunities.delete": marketo.post(
            "/rest/v1/opportunities/delete.json", {"input": [{"externalOpportunityId": "o"}]}
        ),
        "companies.delete": marketo.post("/rest/v1/companies/delete.json", {"input": [{"externalCompanyId": "c"}, {}]}),
        "salespersons.delete": marketo.post(
            "/rest/v1/salespersons/delete.json", {"input": [{"externalSalesPersonId": "s"}]}
        ),
    }
    return made | read | ended


def test_every_answer_fits_adobes_definition(marketo: Running) -> None:
    answers = calls(marketo)
    found = [
        complaint
        for operation, answer in answers.items()
        for complaint in complaints(DATA["responses"][operation], answer.body, operation)
    ]
    assert found == []
    for operation, answer in answers.items():
        assert answer.body["success"] is True, operation
        without_result = operation in ("leads.merge", "activities.pagingtoken")
        assert without_result or answer.body["result"] or operation.startswith("stats."), operation


def test_the_calls_above_are_all_the_covered_ones(marketo: Running) -> None:
    covered = {name for name in DATA["responses"] if not name.startswith("namedaccounts.")}
    assert covered == set(calls(marketo))


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        ({"success": True, "result": []}, "x: requestId is missing"),
        ({"requestId": "a", "success": "yes", "result": []}, "x.success: 'yes' is no boolean"),
        ({"requestId": "a", "success": True, "result": [], "odd": 1}, "x: odd is unknown"),
    ],
)
def test_the_check_itself_complains(answer: dict[str, Any], complaint: str) -> None:
    assert complaint in complaints("ResponseOfLeadChange", answer, "x")
