"""Relationships that a client defines rule its rows as the standard ones do (sheet sections 5.1, 5.3, 5.5, 6.3)."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.dataverse.client import InProcess

TYPE = "Microsoft.Dynamics.CRM."


def label(text: str) -> dict[str, Any]:
    return {"LocalizedLabels": [{"Label": text, "LanguageCode": 1033}]}


def a_table() -> dict[str, Any]:
    name = {"SchemaName": "new_Name", "IsPrimaryName": True, "MaxLength": 50, "DisplayName": label("Name")}
    return {
        "@odata.type": f"{TYPE}EntityMetadata",
        "SchemaName": "new_Thing",
        "DisplayName": label("Thing"),
        "DisplayCollectionName": label("Things"),
        "OwnershipType": "UserOwned",
        "HasActivities": False,
        "HasNotes": False,
        "Attributes": [{"@odata.type": f"{TYPE}StringAttributeMetadata", **name}],
    }


def a_lookup(**cascade: str) -> dict[str, Any]:
    return {
        "@odata.type": f"{TYPE}OneToManyRelationshipMetadata",
        "SchemaName": "new_account_thing",
        "ReferencedEntity": "account",
        "ReferencedAttribute": "accountid",
        "ReferencingEntity": "new_thing",
        "CascadeConfiguration": {"Share": "NoCascade", "Unshare": "NoCascade", "Reparent": "NoCascade", **cascade},
        "Lookup": {
            "@odata.type": f"{TYPE}LookupAttributeMetadata",
            "SchemaName": "new_Account",
            "DisplayName": label("Account"),
        },
    }


PAIRS = {
    "@odata.type": f"{TYPE}ManyToManyRelationshipMetadata",
    "SchemaName": "new_thing_contact",
    "Entity1LogicalName": "new_thing",
    "Entity2LogicalName": "contact",
    "IntersectEntityName": "new_thing_contact",
}


@pytest.fixture(scope="module")
def org() -> Iterator[InProcess]:
    emulator = InProcess(people=40)
    assert emulator.sign_in().status == 200
    lookup = a_lookup(Assign="Cascade", Delete="Restrict", Merge="Cascade")
    for path, body in (("EntityDefinitions", a_table()), ("RelationshipDefinitions", lookup)):
        assert emulator.api("POST", path, body).status == 204
    assert emulator.api("POST", "RelationshipDefinitions", PAIRS).status == 204
    yield emulator
    emulator.close()


@pytest.fixture
def rows(org: InProcess) -> tuple[str, str, str]:
    """An account, its thing, and a contact paired with the thing, made by one body."""
    thing = {"new_name": "T", "new_thing_contact": [{"lastname": "C"}]}
    account = org.create("accounts", name="A", new_account_thing=[thing])
    [made] = org.get(f"new_things?$filter=_new_account_value eq {account}").rows
    [contact] = org.get(f"new_things({made['new_thingid']})/new_thing_contact?$select=lastname").rows
    return account, made["new_thingid"], contact["contactid"]


def test_a_restricted_parent_stays_until_it_is_let_go(org: InProcess, rows: tuple[str, str, str]) -> None:
    account, thing, _ = rows
    assert org.api("DELETE", f"accounts({account})").error[:2] == (405, "0x80040227")
    assert org.api("PATCH", f"new_things({thing})", {"new_Account@odata.bind": None}).status == 204
    assert org.api("DELETE", f"accounts({account})").status == 204
    assert org.get(f"new_things({thing})").status == 200


def test_an_assigned_parent_takes_its_things_along(org: InProcess, rows: tuple[str, str, str]) -> None:
    account, thing, contact = rows
    user = org.get("systemusers?$filter=accessmode eq 0&$top=1&$select=systemuserid").rows[0]["systemuserid"]
    org.api("PATCH", f"accounts({account})", {"ownerid@odata.bind": f"/systemusers({user})"})
    assert org.row("new_things", thing)["_ownerid_value"] == user
    assert org.row("contacts", contact)["_ownerid_value"] != user


def test_a_merged_parent_hands_its_things_over(org: InProcess, rows: tuple[str, str, str]) -> None:
    account, thing, _ = rows
    winner = org.create("accounts", name="Winner")
    named = {"@odata.type": f"{TYPE}account"}
    body = {"Target": {**named, "accountid": winner}, "Subordinate": {**named, "accountid": account}}
    assert org.api("POST", "Merge", body).status == 204
    assert org.row("new_things", thing)["_new_account_value"] == winner


def test_a_pair_goes_with_its_thing_and_the_contact_stays(org: InProcess, rows: tuple[str, str, str]) -> None:
    _, thing, contact = rows
    assert org.api("DELETE", f"new_things({thing})").status == 204
    assert org.get(f"contacts({contact})").status == 200
    assert org.get(f"contacts({contact})/new_thing_contact").rows == []
