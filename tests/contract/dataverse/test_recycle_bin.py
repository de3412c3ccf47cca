"""Sheet section 5.3: what is deleted can come back under its old id, where the recycle bin is on."""

from typing import Any

import pytest

from tests.contract.dataverse.client import InProcess


@pytest.fixture
def crm(fresh: InProcess) -> InProcess:
    fresh.set("/settings", recycle_bin_days=30)
    return fresh


def restore(crm: InProcess, kind: str, key: str, path: str = "Restore") -> Any:
    target = {"@odata.type": f"Microsoft.Dynamics.CRM.{kind}", f"{kind}id": key}
    return crm.api("POST", path, {"Target": target})


@pytest.mark.parametrize("path", ["Restore", "contacts/Microsoft.Dynamics.CRM.Restore"])
def test_a_row_comes_back_as_it_was_and_shows_as_changed(crm: InProcess, path: str) -> None:
    contact = crm.create("contacts", firstname="Ann", lastname="Grey", address1_city="Bonn")
    before = crm.row("contacts", contact)
    link = crm.get("contacts?$select=lastname", Prefer="odata.track-changes").body["@odata.deltaLink"]
    crm.api("DELETE", f"contacts({contact})")
    answer = restore(crm, "contact", contact, path)
    assert (answer.status, answer.body["RestoredRecordRef"]["contactid"]) == (200, contact)
    after = crm.row("contacts", contact)
    moved = {"@odata.etag", "versionnumber"}
    assert {k: v for k, v in after.items() if k not in moved} == {k: v for k, v in before.items() if k not in moved}
    assert [change["contactid"] for change in crm.get(link).rows] == [contact]
    assert len(crm.get(f"customeraddresses?$filter=_parentid_value eq {contact}").rows) == 3


def test_a_link_to_what_is_gone_stays_empty(crm: InProcess) -> None:
    account = crm.create("accounts", name="A")
    contact = crm.create("contacts", lastname="G", **{"parentcustomerid_account@odata.bind": f"/accounts({account})"})
    crm.api("DELETE", f"accounts({account})")
    assert restore(crm, "contact", contact).status == 200
    row = crm.row("contacts", contact)
    assert (row["_parentcustomerid_value"], row["_accountid_value"]) == (None, None)


def test_it_comes_back_once_and_not_after_its_time(crm: InProcess) -> None:
    contact = crm.create("contacts", lastname="Grey")
    assert restore(crm, "contact", contact).status == 412
    crm.api("DELETE", f"contacts({contact})")
    crm.set("/clock", advance_s=31 * 86_400)
    crm.sign_in()
    assert restore(crm, "contact", contact).error[:2] == (404, "0x80040217")


def test_nothing_comes_back_without_the_bin(fresh: InProcess) -> None:
    contact = fresh.create("contacts", lastname="Grey")
    fresh.api("DELETE", f"contacts({contact})")
    assert restore(fresh, "contact", contact).error[:2] == (404, "0x80040217")


def test_a_person_restores(crm: InProcess) -> None:
    contact = crm.create("contacts", lastname="Grey")
    crm.set("/people/delete", entity="contact", id=contact)
    crm.set("/people/restore", entity="contact", id=contact)
    assert crm.row("contacts", contact)["lastname"] == "Grey"
