"""Sheet section 5.7: bulk messages and BulkDelete."""

from typing import Any
from uuid import uuid4

import pytest

from tests.contract.dataverse.client import InProcess

ACTION = "Microsoft.Dynamics.CRM."
CONTACT = {"@odata.type": f"{ACTION}contact"}


def bulk(org: InProcess, message: str, *targets: Any, entity_set: str = "contacts") -> Any:
    return org.api("POST", f"{entity_set}/{ACTION}{message}", {"Targets": list(targets)})


def named(org: InProcess, name: str) -> list[dict[str, Any]]:
    return org.get(f"contacts?$filter=lastname eq '{name}'&$select=firstname,lastname").rows


def test_5_7_create_multiple_answers_the_ids_in_the_order_of_the_targets(org: InProcess) -> None:
    chosen = str(uuid4())
    names = ["First", "Second", "Third"]
    targets = [{**CONTACT, "lastname": name} for name in names]
    targets[1]["contactid"] = chosen
    answer = bulk(org, "CreateMultiple", *targets)
    assert answer.status == 200
    assert answer.body["@odata.context"].endswith("$metadata#Microsoft.Dynamics.CRM.CreateMultipleResponse")
    assert answer.body["Ids"][1] == chosen
    assert [org.row("contacts", key)["lastname"] for key in answer.body["Ids"]] == names


def test_5_7_one_bad_item_rolls_back_everything(org: InProcess) -> None:
    answer = bulk(org, "CreateMultiple", {**CONTACT, "lastname": "Undone"}, {**CONTACT, "lastname": "x" * 51})
    assert answer.error[:2] == (400, "0x80044331")
    assert named(org, "Undone") == []


def test_5_7_update_multiple_answers_204(org: InProcess) -> None:
    ids = [org.create("contacts", lastname="Multi") for _ in "ab"]
    answer = bulk(org, "UpdateMultiple", *({**CONTACT, "contactid": key, "firstname": "New"} for key in ids))
    assert (answer.status, answer.raw) == (204, b"")
    assert [row["firstname"] for row in named(org, "Multi")] == ["New", "New"]


def test_5_7_update_multiple_does_not_create(org: InProcess) -> None:
    missing, there = str(uuid4()), org.create("contacts", lastname="Stays", firstname="Old")
    targets = [{**CONTACT, "contactid": key, "firstname": "New"} for key in (there, missing)]
    answer = bulk(org, "UpdateMultiple", *targets)
    assert answer.error == (404, "0x80040217", f"contact With Id = {missing} Does Not Exist")
    assert org.row("contacts", there)["firstname"] == "Old"
    assert bulk(org, "UpdateMultiple", {**CONTACT, "firstname": "New"}).status == 400


def test_5_7_upsert_multiple_by_primary_key_answers_204_without_ids(org: InProcess) -> None:
    there, new = org.create("contacts", lastname="Upsert"), str(uuid4())
    targets = [{**CONTACT, "contactid": key, "lastname": "Upsert", "firstname": "A"} for key in (there, new)]
    answer = bulk(org, "UpsertMultiple", *targets)
    assert (answer.status, answer.raw) == (204, b"")
    assert {row["contactid"] for row in named(org, "Upsert")} == {there, new}
    assert [row["firstname"] for row in named(org, "Upsert")] == ["A", "A"]


def test_5_7_delete_multiple_is_for_elastic_tables(org: InProcess) -> None:
    key = org.create("contacts", lastname="Kept")
    answer = bulk(org, "DeleteMultiple", {**CONTACT, "contactid": key})
    assert answer.status == 501
    assert answer.error[2] == "DeleteMultiple has not yet been implemented."
    assert org.get(f"contacts({key})").status == 200


@pytest.mark.parametrize("message", ["CreateMultiple", "UpdateMultiple", "UpsertMultiple"])
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"Targets": []},
        {"Targets": "x"},
        {"Targets": [5]},
        {"Targets": [{"@odata.type": "Microsoft.Dynamics.CRM.lead", "lastname": "x"}]},
        {"Targets": [{"contactid": 5}]},
    ],
)
def test_5_7_wrong_targets_are_refused(org: InProcess, message: str, body: dict[str, Any]) -> None:
    assert org.api("POST", f"contacts/{ACTION}{message}", body).status in (400, 404)


@pytest.mark.parametrize("message", ["UpdateMultiple", "UpsertMultiple"])
@pytest.mark.parametrize("reference", [5, "x", "leads(1)", "contacts(1)", "contacts(nothing='1')"])
def test_5_7_a_wrong_reference_is_refused(org: InProcess, message: str, reference: object) -> None:
    assert bulk(org, message, {**CONTACT, "@odata.id": reference}).status == 400


def test_5_7_every_item_counts_as_a_written_record(org: InProcess) -> None:
    org.control("POST", "/counters/reset")
    bulk(org, "CreateMultiple", *({**CONTACT, "lastname": "Counted"} for _ in range(7)))
    counters = org.control("GET", "/counters").body
    assert counters["requests"] == {"contacts.create_multiple": 1}
    assert counters["records_written"] == 7


def query(*conditions: dict[str, Any], **extra: Any) -> dict[str, Any]:
    criteria = {"FilterOperator": "And", "Conditions": list(conditions), **extra}
    return {"@odata.type": f"{ACTION}QueryExpression", "EntityName": "contact", "Criteria": criteria}


def bulk_delete(org: InProcess, *queries: dict[str, Any], **changes: str) -> Any:
    """The body as Microsoft's Python client builds it."""
    body = {
        "JobName": "Bulk delete contact records @ 2026-01-05T10:00:00Z",
        "SendEmailNotification": False,
        "ToRecipients": [],
        "CCRecipients": [],
        "RecurrencePattern": "",
        "StartDateTime": "2026-01-05T10:00:00Z",
        "QuerySet": list(queries),
        **changes,
    }
    return org.api("POST", "BulkDelete", body)


def condition(name: str, operator: str, *values: Any) -> dict[str, Any]:
    return {"AttributeName": name, "Operator": operator, "Values": list(values)}


def test_5_7_bulk_delete_answers_its_job_and_deletes_what_the_query_finds(org: InProcess) -> None:
    ids = [org.create("contacts", lastname="Bulky") for _ in range(3)]
    values = [{"Value": key, "Type": "System.Guid"} for key in ids[:2]]
    answer = bulk_delete(org, query(condition("contactid", "In", *values)))
    assert answer.status == 200
    assert [row["contactid"] for row in named(org, "Bulky")] == [ids[2]]
    job = org.row("asyncoperations", answer.body["JobId"])
    assert (job["statecode"], job["statuscode"], job["operationtype"]) == (3, 30, 13)


def test_5_7_bulk_delete_joins_conditions_and_filters(org: InProcess) -> None:
    kept = org.create("contacts", lastname="Joint", firstname="Zoë")
    org.create("contacts", lastname="Joint", firstname="Ann", numberofchildren=2)
    org.create("contacts", lastname="Joint", firstname="Bob")
    conditions = [condition("firstname", "Equal", "ANN"), condition("firstname", "Like", "b%")]
    either = {"FilterOperator": "Or", "Conditions": conditions}
    answer = bulk_delete(org, query(condition("lastname", "Equal", "joint"), Filters=[either]))
    assert answer.status == 200
    assert [row["contactid"] for row in named(org, "Joint")] == [kept]


@pytest.mark.parametrize(
    "bad",
    [
        {"EntityName": "nothing"},
        query(condition("nothing", "Equal", 1)),
        query(condition("lastname", "Near", "x")),
        query(condition("lastname", "Equal")),
        query(condition("lastname", "Equal", {"Value": []})),
        {"EntityName": "contact", "Criteria": "all"},
        {"EntityName": "contact", "Criteria": {"FilterOperator": "Xor"}},
        {"EntityName": "contact", "Criteria": {"Conditions": 5}},
    ],
)
def test_5_7_a_query_that_cannot_be_read_deletes_nothing(org: InProcess, bad: dict[str, Any]) -> None:
    key = org.create("contacts", lastname="Safe")
    assert bulk_delete(org, bad).error[:2] == (400, "0x80040203")
    assert org.get(f"contacts({key})").status == 200


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"RecurrencePattern": "FREQ=WEEKLY;INTERVAL=1"}, "0x8004d2a0"),
        ({"StartDateTime": "soon"}, "0x80040239"),
    ],
)
def test_5_7_a_job_that_cannot_be_planned_deletes_nothing(org: InProcess, changes: dict[str, str], code: str) -> None:
    key = org.create("contacts", lastname="Planned")
    wanted = query(condition("lastname", "Equal", "Planned"))
    assert bulk_delete(org, wanted, **changes).error[:2] == (400, code)
    assert org.get(f"contacts({key})").status == 200
    assert bulk_delete(org, wanted, RecurrencePattern="FREQ=DAILY;INTERVAL=1").status == 200
