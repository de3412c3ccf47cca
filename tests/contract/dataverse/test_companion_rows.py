"""Sheet section 10: connections stand in pairs, addresses are rows too."""

from typing import Any

import pytest

from tests.contract.dataverse.client import InProcess

FEED = "odata.track-changes"


def connect(org: InProcess, first: str, second: str, **values: Any) -> str:
    ends = {
        "record1id_account@odata.bind": f"/accounts({first})",
        "record2id_contact@odata.bind": f"/contacts({second})",
    }
    return org.create("connections", **ends, **values)


def pair(org: InProcess, connection: str) -> tuple[dict[str, Any], dict[str, Any]]:
    one = org.row("connections", connection)
    return one, org.row("connections", one["_relatedconnectionid_value"])


@pytest.fixture
def ends(org: InProcess) -> tuple[str, str]:
    return org.create("accounts", name="Litware"), org.create("contacts", firstname="Ann", lastname="Grey")


def test_a_connection_creates_its_reciprocal(org: InProcess, ends: tuple[str, str]) -> None:
    account, contact = ends
    roles = [org.create("connectionroles", name=name, category=1) for name in ("Supplier", "Buyer")]
    binds = {f"record{n}roleid@odata.bind": f"/connectionroles({role})" for n, role in enumerate(roles, start=1)}
    one, other = pair(org, connect(org, account, contact, description="since 2020", **binds))
    assert (one["_record1id_value"], one["_record2id_value"]) == (account, contact)
    assert (other["_record1id_value"], other["_record2id_value"]) == (contact, account)
    assert (one["_record1roleid_value"], one["_record2roleid_value"]) == (roles[0], roles[1])
    assert (other["_record1roleid_value"], other["_record2roleid_value"]) == (roles[1], roles[0])
    assert (one["ismaster"], other["ismaster"]) == (True, False)
    assert (one["name"], other["name"]) == ("Ann Grey", "Litware")
    assert (one["record1objecttypecode"], one["record2objecttypecode"]) == (1, 2)
    assert (other["record1objecttypecode"], other["record2objecttypecode"]) == (2, 1)
    assert other["description"] == "since 2020"
    assert other["_relatedconnectionid_value"] == one["connectionid"]


def test_each_relation_is_seen_twice_and_once_as_master(org: InProcess, ends: tuple[str, str]) -> None:
    account, contact = ends
    connect(org, account, contact)
    either = f"_record1id_value eq {contact} or _record2id_value eq {contact}"
    assert len(org.get(f"connections?$filter={either}").rows) == 2
    assert len(org.get(f"connections?$filter=({either}) and ismaster eq true").rows) == 1


@pytest.mark.parametrize("side", [0, 1])
def test_a_change_of_one_is_a_change_of_both(org: InProcess, ends: tuple[str, str], side: int) -> None:
    account, contact = ends
    rows = pair(org, connect(org, account, contact))
    changed, mirrored = rows[side], rows[1 - side]
    role = org.create("connectionroles", name="Partner")
    body = {"description": "new", "record1roleid@odata.bind": f"/connectionroles({role})", "statecode": 1}
    assert org.api("PATCH", f"connections({changed['connectionid']})", body).status == 204
    row = org.row("connections", mirrored["connectionid"])
    assert (row["description"], row["_record2roleid_value"], row["statecode"]) == ("new", role, 1)
    assert row["_record1roleid_value"] is None


@pytest.mark.parametrize("side", [0, 1])
def test_deleting_one_deletes_both(org: InProcess, ends: tuple[str, str], side: int) -> None:
    rows = pair(org, connect(org, *ends))
    assert org.api("DELETE", f"connections({rows[side]['connectionid']})").status == 204
    assert [org.get(f"connections({row['connectionid']})").status for row in rows] == [404, 404]


def test_a_connection_goes_with_either_of_its_records(org: InProcess, ends: tuple[str, str]) -> None:
    account, contact = ends
    rows = pair(org, connect(org, account, contact))
    assert org.api("DELETE", f"contacts({contact})").status == 204
    assert [org.get(f"connections({row['connectionid']})").status for row in rows] == [404, 404]
    assert org.get(f"accounts({account})").status == 200


def test_a_connection_needs_both_ends_and_dates_in_order(org: InProcess, ends: tuple[str, str]) -> None:
    account, contact = ends
    one_end = {"record1id_account@odata.bind": f"/accounts({account})"}
    missing = (400, "0x80048210", "Both objects being connected are missing.")
    assert org.api("POST", "connections", one_end).error == missing
    connection = connect(org, account, contact)
    dates = {"effectivestart": "2026-02-01T00:00:00Z", "effectiveend": "2026-01-01T00:00:00Z"}
    late = org.api("PATCH", f"connections({connection})", dates)
    assert late.error == (400, "0x80048209", "Start date / end date is invalid.")


def test_a_merge_moves_connections(org: InProcess, ends: tuple[str, str]) -> None:
    account, loser = ends
    winner = org.create("contacts", lastname="Winner")
    one, other = pair(org, connect(org, account, loser))
    named = {"@odata.type": "Microsoft.Dynamics.CRM.contact"}
    body = {"Target": {**named, "contactid": winner}, "Subordinate": {**named, "contactid": loser}}
    assert org.api("POST", "Merge", body).status == 204
    assert org.row("connections", one["connectionid"])["_record2id_value"] == winner
    assert org.row("connections", other["connectionid"])["_record1id_value"] == winner


def test_a_person_connects_two_records(org: InProcess, ends: tuple[str, str]) -> None:
    account, contact = ends
    end = {"from": {"entity": "account", "id": account}, "to": {"entity": "contact", "id": contact}}
    one, other = pair(org, org.set("/people/connect", **end)["id"])
    assert (one["name"], other["name"]) == ("Ann Grey", "Litware")
    assert org.control("POST", "/people/connect", {"from": {"entity": "account", "id": account}}).status == 400


# Addresses.


def addresses(org: InProcess, record_id: str) -> list[dict[str, Any]]:
    return org.get(f"customeraddresses?$filter=_parentid_value eq {record_id}&$orderby=addressnumber").rows


@pytest.mark.parametrize(("entity_set", "name", "count"), [("accounts", "name", 2), ("contacts", "lastname", 3)])
def test_addresses_come_with_their_record(org: InProcess, entity_set: str, name: str, count: int) -> None:
    record = org.create(entity_set, **{name: "A", "address1_city": "Bonn", "address2_line1": "1 Elm"})
    rows, row = addresses(org, record), org.row(entity_set, record)
    assert [address["addressnumber"] for address in rows] == list(range(1, count + 1))
    assert [row[f"address{n}_addressid"] for n in range(1, count + 1)] == [a["customeraddressid"] for a in rows]
    assert (rows[0]["city"], rows[1]["line1"], rows[0]["composite"]) == ("Bonn", "1 Elm", "Bonn")


def test_an_edit_of_either_is_an_edit_of_both(org: InProcess) -> None:
    contact = org.create("contacts", lastname="A", address1_city="Bonn")
    org.api("PATCH", f"contacts({contact})", {"address1_city": "Köln", "address3_county": "X"})
    rows = addresses(org, contact)
    assert (rows[0]["city"], rows[0]["composite"], rows[2]["county"]) == ("Köln", "Köln", "X")
    body = {"city": "Ulm", "postalcode": "89073"}
    assert org.api("PATCH", f"customeraddresses({rows[0]['customeraddressid']})", body).status == 204
    row = org.row("contacts", contact)
    assert (row["address1_city"], row["address1_postalcode"], row["address1_composite"]) == (
        "Ulm",
        "89073",
        "Ulm, 89073",
    )


def test_an_edit_of_something_else_leaves_the_addresses_alone(org: InProcess) -> None:
    contact = org.create("contacts", lastname="A", address1_city="Bonn")
    before = addresses(org, contact)
    org.api("PATCH", f"contacts({contact})", {"jobtitle": "Chief", "address1_city": "Bonn"})
    assert addresses(org, contact) == before


def test_a_further_address_gets_the_next_number(org: InProcess) -> None:
    account = org.create("accounts", name="A")
    bind = {"parentid_account@odata.bind": f"/accounts({account})"}
    for number in (3, 4):
        address = org.row("customeraddresses", org.create("customeraddresses", name="Depot", line1="1 Elm", **bind))
        assert (address["addressnumber"], address["objecttypecode"]) == (number, 1)
    assert org.row("accounts", account)["address1_line1"] is None


def test_a_merge_moves_further_addresses_and_leaves_the_losers_own(org: InProcess) -> None:
    winner, loser = org.create("accounts", name="Winner"), org.create("accounts", name="Loser", address1_city="Bonn")
    bind = {"parentid_account@odata.bind": f"/accounts({loser})"}
    depot = org.create("customeraddresses", name="Depot", line1="1 Elm", **bind)
    named = {"@odata.type": "Microsoft.Dynamics.CRM.account"}
    body = {"Target": {**named, "accountid": winner}, "Subordinate": {**named, "accountid": loser}}
    assert org.api("POST", "Merge", body).status == 204
    assert depot in [address["customeraddressid"] for address in addresses(org, winner)]
    assert [address["city"] for address in addresses(org, loser)] == ["Bonn", None]
    assert org.row("accounts", winner)["address1_city"] is None


def test_addresses_go_with_their_record(org: InProcess) -> None:
    account = org.create("accounts", name="A")
    org.api("DELETE", f"accounts({account})")
    assert addresses(org, account) == []


def test_address_rows_can_be_switched_off(org: InProcess) -> None:
    org.set("/settings", address_rows=False)
    try:
        assert addresses(org, org.create("accounts", name="A")) == []
    finally:
        org.set("/settings", address_rows=True)
