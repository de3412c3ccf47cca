"""Sheet section 3.2: `$apply`, and the counts of tables."""

from typing import Any
from urllib.parse import quote

import pytest

from tandem_emulators.dataverse import rows as row_queries
from tests.contract.dataverse.client import InProcess

FORMATTED = "OData.Community.Display.V1.FormattedValue"


@pytest.fixture(scope="module")
def crm(org: InProcess) -> InProcess:
    contact = org.create("contacts", firstname="Ann", lastname="Grey")
    for name, revenue, size, code in (("A", 100, 5, 1), ("B", 300, 7, 1), ("C", None, 7, 2)):
        bind = {"primarycontactid@odata.bind": f"contacts({contact})"} if name != "C" else {}
        values = {"revenue": revenue, "numberofemployees": size, "accountcategorycode": code, "description": "apply"}
        org.create("accounts", name=name, **values, **bind)
    org.create("accounts", name="X", revenue=1000, numberofemployees=1)
    return org


def applied(crm: InProcess, text: str, extra: str = "", **headers: str) -> list[dict[str, Any]]:
    step = f"filter(description eq 'apply')/{text}"
    return crm.get(f"accounts?$apply={quote(step, safe='()/,$')}{extra}", **headers).rows


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("aggregate(revenue with sum as total)", {"total": 400.0}),
        ("aggregate(revenue with average as mean)", {"mean": 200.0}),
        ("aggregate(revenue with min as least,revenue with max as most)", {"least": 100.0, "most": 300.0}),
        ("aggregate(numberofemployees with countdistinct as sizes)", {"sizes": 2}),
        ("aggregate($count as n)", {"n": 3}),
        ("aggregate(createdon with max as latest,$count as n)", {"n": 3}),
    ],
)
def test_3_2_totals(crm: InProcess, text: str, expected: dict[str, Any]) -> None:
    (row,) = applied(crm, text)
    assert expected.items() <= row.items()
    assert "@odata.etag" not in row


def test_3_2_groups_carry_only_their_names_and_aliases(crm: InProcess) -> None:
    text = "groupby((accountcategorycode),aggregate(revenue with sum as total,$count as n))"
    assert applied(crm, text, "&$orderby=accountcategorycode") == [
        {"accountcategorycode": 1, "total": 400.0, "n": 2},
        {"accountcategorycode": 2, "total": None, "n": 1},
    ]
    context = crm.get(f"accounts?$apply={text.replace(' ', '%20')}").body["@odata.context"]
    assert context == f"{crm.url}/api/data/v9.2/$metadata#accounts(accountcategorycode,total,n)"


def test_3_2_groups_without_totals_are_the_different_values(crm: InProcess) -> None:
    assert applied(crm, "groupby((numberofemployees))", "&$orderby=numberofemployees desc") == [
        {"numberofemployees": 7},
        {"numberofemployees": 5},
    ]


def test_3_2_groups_over_a_lookup(crm: InProcess) -> None:
    text = "groupby((primarycontactid/fullname),aggregate($count as n))"
    rows = applied(crm, text, "&$orderby=primarycontactid/fullname")
    assert rows == [{"primarycontactid_fullname": None, "n": 1}, {"primarycontactid_fullname": "Ann Grey", "n": 2}]


def test_3_2_groups_and_totals_are_formatted(crm: InProcess) -> None:
    text = "groupby((accountcategorycode),aggregate(revenue with sum as total,$count as n))"
    row = applied(crm, text, "&$orderby=accountcategorycode", Prefer='odata.include-annotations="*"')[0]
    assert row[f"accountcategorycode@{FORMATTED}"] == "Preferred Customer"
    assert row[f"total@{FORMATTED}"] == "$400.00"


@pytest.mark.parametrize(
    "text",
    [
        "groupby((createdon))",
        "groupby((birthdate2))",
        "aggregate(name with sum as x)",
        "aggregate(revenue with median as x)",
        "aggregate(revenue with sum)",
        "aggregate(revenue with sum as x,revenue with min as x)",
        "groupby(name)",
        "topcount(1,revenue)",
        "aggregate($count as n)/filter(n gt 1)",
        "groupby((name),aggregate($count as n)",
    ],
)
def test_3_2_what_is_not_supported_is_refused(crm: InProcess, text: str) -> None:
    step = f"filter(description eq 'apply')/{text}"
    assert crm.get(f"accounts?$apply={quote(step, safe='()/,$')}").status == 400


def test_3_2_there_is_no_order_by_a_total(crm: InProcess) -> None:
    text = "groupby((name),aggregate(revenue with sum as total))"
    assert crm.get(f"accounts?$apply={quote(text)}&$orderby=revenue").status == 400
    assert crm.get(f"accounts?$apply={quote(text)}&$orderby=total").status == 400


def test_3_2_more_rows_than_can_be_added_up(crm: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    assert row_queries.AGGREGATED_MAX == 50_000
    monkeypatch.setattr(row_queries, "AGGREGATED_MAX", 2)
    text = "The maximum record limit is exceeded. Reduce the number of records."
    assert crm.get("accounts?$apply=aggregate($count as n)").error == (400, "0x8004e023", text)
    narrow = "filter(name eq 'A')/aggregate($count as n)"
    assert crm.get(f"accounts?$apply={quote(narrow, safe='()/,$')}").rows == [{"n": 1}]


# RetrieveTotalRecordCount: a snapshot, at most a day old.


def test_3_2_the_record_count_is_a_snapshot_of_a_day(crm: InProcess) -> None:
    crm.set("/settings", token_lifetime_s=1_000_000)
    crm.sign_in()
    target = 'RetrieveTotalRecordCount(EntityNames=@p1)?@p1=["task","list"]'
    body = crm.get(target).body
    assert body == {
        "@odata.context": f"{crm.url}/api/data/v9.2/$metadata#Microsoft.Dynamics.CRM.RetrieveTotalRecordCountResponse",
        "EntityRecordCountCollection": {
            "Count": 2,
            "IsReadOnly": False,
            "Keys": ["task", "list"],
            "Values": body["EntityRecordCountCollection"]["Values"],
        },
    }
    before = body["EntityRecordCountCollection"]["Values"][0]
    crm.create("tasks", subject="New")
    crm.set("/clock", advance_s=23 * 3600)
    assert crm.get(target).body["EntityRecordCountCollection"]["Values"][0] == before
    crm.set("/clock", advance_s=2 * 3600)
    assert crm.get(target).body["EntityRecordCountCollection"]["Values"][0] == before + 1


@pytest.mark.parametrize("names", ['["nothing"]', "[1]", "{}", "x", ""])
def test_a_record_count_of_what_is_not_there(crm: InProcess, names: str) -> None:
    assert crm.get(f"RetrieveTotalRecordCount(EntityNames=@p1)?@p1={names}").status == 400
