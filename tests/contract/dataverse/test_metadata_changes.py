"""Sheet section 6.2: what changed in the schema since the last visit."""

import json
from typing import Any
from urllib.parse import quote

import pytest

from tests.contract.dataverse.client import Answer, InProcess
from tests.contract.dataverse.definitions import LEAD_COLUMNS, column, fresh, make_column, make_table


def ask(org: InProcess, query: Any = None, stamp: str | None = None, deleted: str | None = None) -> Answer:
    """The function with its parameters as aliases of the query string."""
    given = {"Query": query, "DeletedMetadataFilters": deleted, "ClientVersionStamp": stamp}
    named = {name: value for name, value in given.items() if value is not None}
    inside = ",".join(f"{name}=@p{number}" for number, name in enumerate(named, 1))
    texts = [value if isinstance(value, str) else json.dumps(value) for value in named.values()]
    aliases = "&".join(f"@p{number}={quote(text)}" for number, text in enumerate(texts, 1))
    return org.get(f"RetrieveMetadataChanges({inside})" + (f"?{aliases}" if aliases else ""))


def condition(name: str, value: Any, operator: str = "Equals") -> dict[str, Any]:
    return {"PropertyName": name, "ConditionOperator": operator, "Value": {"Type": "System.String", "Value": value}}


def only(table: str, **more: Any) -> dict[str, Any]:
    criteria = {"FilterOperator": "And", "Conditions": [condition("LogicalName", table)]}
    return {"Properties": {"PropertyNames": ["LogicalName", "Attributes"]}, "Criteria": criteria, **more}


def changed(answer: Answer) -> set[str]:
    assert answer.status == 200, answer.raw
    return {row["LogicalName"] for row in answer.body["EntityMetadata"]}


NAMES: dict[str, Any] = {"Properties": {"PropertyNames": ["LogicalName"]}}


def test_6_2_without_a_stamp_everything_comes(org: InProcess) -> None:
    answer = ask(org, NAMES)
    assert {"lead", "contact", "account", "opportunity"} <= changed(answer)
    body = answer.body
    assert body["@odata.context"].endswith("#Microsoft.Dynamics.CRM.RetrieveMetadataChangesResponse")
    assert body["ServerVersionStamp"]
    assert body["DeletedMetadata"] is None
    assert set(body["EntityMetadata"][0]) == {"MetadataId", "HasChanged", "LogicalName"}


def test_6_2_with_a_stamp_only_what_changed(org: InProcess) -> None:
    stamp = ask(org, NAMES).body["ServerVersionStamp"]
    assert changed(ask(org, NAMES, stamp)) == set()
    make_column(org, column("String", fresh("Seen")))
    name = make_table(org)
    assert changed(ask(org, NAMES, stamp)) == {"lead", name}


def test_columns_come_with_the_properties_of_their_type(org: InProcess) -> None:
    attributes = {
        "Properties": {"PropertyNames": ["LogicalName", "MaxLength", "OptionSet"]},
        "Criteria": {
            "FilterOperator": "Or",
            "Conditions": [condition("LogicalName", "subject"), condition("AttributeType", "Picklist")],
        },
    }
    [lead] = ask(org, only("lead", AttributeQuery=attributes)).body["EntityMetadata"]
    found = {row["LogicalName"]: row for row in lead["Attributes"]}
    assert found["subject"]["MaxLength"] == 300
    assert found["leadqualitycode"]["OptionSet"]["Options"][0]["Value"] == 1
    assert "lastname" not in found


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        (condition("LogicalName", ["lead", "account"], "In"), {"lead", "account"}),
        (condition("ObjectTypeCode", 4), {"lead"}),
        (condition("LogicalName", "lead", "NotEquals"), None),
    ],
)
def test_conditions(org: InProcess, test: Any, expected: set[str] | None) -> None:
    found = changed(ask(org, {**NAMES, "Criteria": {"Conditions": [test]}}))
    assert found == expected if expected else "lead" not in found


def test_conditions_nest(org: InProcess) -> None:
    inner = [{"FilterOperator": "Or", "Conditions": [condition("LogicalName", name)]} for name in ("lead", "team")]
    assert changed(ask(org, {**NAMES, "Criteria": {"FilterOperator": "Or", "Filters": inner}})) == {"lead", "team"}


@pytest.mark.parametrize(("kinds", "expected"), [("31", {"Entity", "Attribute"}), ("2", {"Attribute"})])
def test_6_2_deleted_definitions_are_told_by_kind(org: InProcess, kinds: str, expected: set[str]) -> None:
    name = make_column(org, column("String", fresh("Gone")))
    table = make_table(org)
    column_id = org.get(f"{LEAD_COLUMNS}(LogicalName='{name}')").body["MetadataId"]
    stamp = ask(org, NAMES).body["ServerVersionStamp"]
    org.api("DELETE", f"{LEAD_COLUMNS}(LogicalName='{name}')")
    org.api("DELETE", f"EntityDefinitions(LogicalName='{table}')")
    deleted = ask(org, NAMES, stamp, kinds).body["DeletedMetadata"]
    assert set(deleted["Keys"]) == expected
    assert deleted["Count"] == len(deleted["Values"]) == len(expected)
    by_kind = dict(zip(deleted["Keys"], deleted["Values"], strict=True))
    assert by_kind["Attribute"]["Items"] == [column_id]
    assert ask(org, NAMES, stamp).body["DeletedMetadata"] is None


def test_6_2_an_old_stamp_has_expired(org: InProcess) -> None:
    stamp = ask(org, NAMES).body["ServerVersionStamp"]
    org.set("/clock", advance_s=89 * 86_400)
    assert org.sign_in().status == 200
    assert ask(org, NAMES, stamp).status == 200
    org.set("/clock", advance_s=2 * 86_400)
    assert org.sign_in().status == 200
    text = "Version stamp associated with the client has expired. Please perform a full sync."
    assert ask(org, NAMES, stamp).error == (400, "0x80044352", text)


@pytest.mark.parametrize("stamp", ["x", "1", "5!yesterday", "5!99/99/2026 00:00:00"])
def test_a_stamp_of_another_form_is_expired_too(org: InProcess, stamp: str) -> None:
    assert ask(org, NAMES, stamp).error[:2] == (400, "0x80044352")


@pytest.mark.parametrize("query", ["nonsense", "[1]", '{"Criteria":{"Conditions":[1]}}'])
def test_a_wrong_query_is_refused(org: InProcess, query: str) -> None:
    assert ask(org, query).status == 400


def test_6_2_every_annotated_answer_carries_the_version_of_the_metadata(org: InProcess) -> None:
    def version() -> str:
        body = org.get("accounts?$top=1&$select=name", Prefer='odata.include-annotations="*"').body
        return str(body["@Microsoft.Dynamics.CRM.globalmetadataversion"])

    before = version()
    assert version() == before
    make_column(org, column("String", fresh("Version")))
    assert version() != before
