"""Sheet section 5.2: rows named by an alternate key, and that no two rows share one."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tandem_emulators.dataverse.schema import Table
from tests.contract.dataverse.client import InProcess

ACTION = "Microsoft.Dynamics.CRM."
TAKEN = (
    "A record that has the attribute values Account Number already exists. The entity key Number Key requires that "
    "this set of attributes contains unique values. Select unique values and try again."
)


@pytest.fixture(scope="module")
def keyed() -> Iterator[InProcess]:
    """An organisation in which an account's number is a key, and one key has an index that failed."""
    org = InProcess()
    keys = [
        {"LogicalName": "nr", "SchemaName": "nr", "DisplayName": "Number Key", "KeyAttributes": ["accountnumber"]},
        {"LogicalName": "two", "SchemaName": "two", "KeyAttributes": ["sic", "industrycode"]},
        {"LogicalName": "site", "SchemaName": "site", "KeyAttributes": ["websiteurl"]},
    ]
    statuses = ("Active", "Active", "Failed")
    described = [{**key, "EntityKeyIndexStatus": status} for key, status in zip(keys, statuses, strict=True)]
    account = org.emulator.schema.tables["account"]
    org.emulator.schema.put(Table({**account.metadata, "Keys": described}, account.shadows))
    assert org.sign_in().status == 200
    yield org
    org.close()


def number() -> str:
    return uuid4().hex[:16]


def upsert(org: InProcess, key: str, body: dict[str, Any], **headers: str) -> Any:
    return org.api("PATCH", f"accounts({key})", body, **headers)


def found(org: InProcess, value: str) -> dict[str, Any]:
    [row] = org.get(f"accounts?$filter=accountnumber eq '{value}'&$select=name,accountnumber").rows
    return row


def test_an_upsert_creates_then_updates_and_echoes_the_key(keyed: InProcess) -> None:
    value = number()
    answer = upsert(keyed, f"accountnumber='{value}'", {"name": "Litware"})
    assert answer.status == 204
    echoed = f"{keyed.url}/api/data/v9.2/accounts(accountnumber='{value}')"
    assert answer.headers["odata-entityid"] == echoed
    assert found(keyed, value)["name"] == "Litware"
    answer = upsert(keyed, f"accountnumber='{value}'", {"name": "Litware 2"})
    assert (answer.status, answer.headers["odata-entityid"]) == (204, echoed)
    assert found(keyed, value)["name"] == "Litware 2"


def test_only_a_representation_tells_the_id(keyed: InProcess) -> None:
    value, prefer = number(), "return=representation"
    made = upsert(keyed, f"accountnumber='{value}'", {"name": "A"}, Prefer=prefer)
    assert (made.status, made.body["accountnumber"]) == (201, value)
    again = upsert(keyed, f"accountnumber='{value}'", {"name": "B"}, Prefer=prefer)
    assert (again.status, again.body["accountid"]) == (200, made.body["accountid"])


def test_key_columns_in_the_body_are_dropped_on_update_and_win_on_create(keyed: InProcess) -> None:
    value, other = number(), number()
    upsert(keyed, f"accountnumber='{value}'", {"name": "A", "accountnumber": other})
    assert found(keyed, other)["name"] == "A"
    upsert(keyed, f"accountnumber='{other}'", {"name": "B", "accountnumber": value})
    assert found(keyed, other)["name"] == "B"


@pytest.mark.parametrize(
    ("headers", "exists", "missing"),
    [
        ({}, 204, 204),
        ({"If_Match": "*"}, 204, 404),
        ({"If_Match": 'W/"1"'}, 412, 404),
        ({"If_None_Match": "*"}, 412, 204),
    ],
)
def test_the_table_of_conditions_holds_for_keys_too(
    keyed: InProcess, headers: dict[str, str], exists: int, missing: int
) -> None:
    value = number()
    keyed.create("accounts", name="A", accountnumber=value)
    assert upsert(keyed, f"accountnumber='{value}'", {"name": "B"}, **headers).status == exists
    assert upsert(keyed, f"accountnumber='{number()}'", {"name": "B"}, **headers).status == missing


def test_a_key_without_a_row_has_its_text(keyed: InProcess) -> None:
    expected = (404, "0x80060891", "A record with the specified key values does not exist in account entity")
    key = f"accounts(accountnumber='{number()}')"
    assert keyed.api("DELETE", key).error == expected
    assert keyed.api("PATCH", key, {"name": "A"}, If_Match="*").error == expected
    bind = {"lastname": "Grey", "parentcustomerid_account@odata.bind": f"/{key}"}
    assert keyed.api("POST", "contacts", bind).error == expected


def test_a_bind_takes_an_alternate_key(keyed: InProcess) -> None:
    value = number()
    account = keyed.create("accounts", name="A", accountnumber=value)
    bind = {"parentcustomerid_account@odata.bind": f"/accounts(accountnumber='{value}')"}
    contact = keyed.create("contacts", lastname="Grey", **bind)
    assert keyed.row("contacts", contact)["_parentcustomerid_value"] == account


def test_a_key_of_several_columns_is_named_in_any_order(keyed: InProcess) -> None:
    sic = number()
    assert upsert(keyed, f"sic='{sic}',industrycode=5", {"name": "A"}).status == 204
    assert upsert(keyed, f"industrycode=5,sic='{sic}'", {"name": "B"}).status == 204
    [row] = keyed.get(f"accounts?$filter=sic eq '{sic}'&$select=name,industrycode").rows
    assert (row["name"], row["industrycode"]) == ("B", 5)


@pytest.mark.parametrize("key", ["name='A'", "sic='1'", "accountnumber=''x", "nothing='1'", "='1'", "accountnumber"])
def test_what_is_no_key_is_refused(keyed: InProcess, key: str) -> None:
    answer = upsert(keyed, key, {"name": "A"})
    assert answer.status == 400
    assert answer.error[2].startswith(
        "The key in the request URI is not valid for resource 'Microsoft.Dynamics.CRM.account'."
    )


def test_a_key_is_of_no_use_unless_its_index_is_active(keyed: InProcess) -> None:
    expected = (400, "0x80060890", "The specified key attributes are not a defined key for the account entity")
    assert upsert(keyed, "websiteurl='x'", {"name": "A"}).error == expected


def test_two_rows_cannot_share_a_key(keyed: InProcess) -> None:
    value = number()
    keyed.create("accounts", name="A", accountnumber=value)
    taken = {"name": "B", "accountnumber": value.upper()}
    assert keyed.api("POST", "accounts", taken).error == (412, "0x80060892", TAKEN)
    other = keyed.create("accounts", name="B")
    assert keyed.api("PATCH", f"accounts({other})", {"accountnumber": value}).error == (412, "0x80060892", TAKEN)
    assert keyed.api("PATCH", f"accounts({other})", {"accountnumber": None}).status == 204
    assert keyed.create("accounts", name="C")


def test_upsert_multiple_names_rows_by_key(keyed: InProcess) -> None:
    old, new = number(), "a/b&c%20:?+" + number()[:6]
    account = keyed.create("accounts", name="A", accountnumber=old)
    targets = [
        {"@odata.type": f"{ACTION}account", "@odata.id": f"accounts(accountnumber='{value}')", "name": "Many"}
        for value in (old, new)
    ]
    assert keyed.api("POST", f"accounts/{ACTION}UpsertMultiple", {"Targets": targets}).status == 204
    assert keyed.row("accounts", account)["name"] == "Many"
    rows = keyed.get("accounts?$filter=name eq 'Many'&$select=accountnumber").rows
    assert {row["accountnumber"] for row in rows} == {old, new}


def test_upsert_multiple_with_the_key_in_the_body_too_fails_only_where_it_creates(keyed: InProcess) -> None:
    value = number()
    target = {"@odata.id": f"accounts(accountnumber='{value}')", "accountnumber": value, "name": "A"}
    answer = keyed.api("POST", f"accounts/{ACTION}UpsertMultiple", {"Targets": [target]})
    assert answer.error == (400, "0x80040216", "An unexpected error occurred.")
    keyed.create("accounts", name="B", accountnumber=value)
    assert keyed.api("POST", f"accounts/{ACTION}UpsertMultiple", {"Targets": [target]}).status == 204
    assert found(keyed, value)["name"] == "A"
