"""Sheet section 4: change tracking, its links, order, refusals and expiry."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pytest

from tests.contract.dataverse.client import InProcess

TRACK = "odata.track-changes"


@pytest.fixture
def crm() -> Iterator[InProcess]:
    """An organisation of its own for each test: here it matters that nothing else happens in it."""
    emulator = InProcess()
    assert emulator.sign_in().status == 200
    yield emulator
    emulator.close()


def tracked(crm: InProcess, target: str = "contacts?$select=lastname", size: int = 5000) -> tuple[list[Any], str]:
    """All rows of a tracked read, and the delta link of its last page."""
    pages = list(crm.pages(target, Prefer=f"{TRACK},odata.maxpagesize={size}"))
    assert all("@odata.deltaLink" not in page for page in pages[:-1])
    return [row for page in pages for row in page["value"]], pages[-1]["@odata.deltaLink"]


def changes(crm: InProcess, link: str) -> tuple[list[dict[str, Any]], str]:
    body = crm.get(link).body
    return body["value"], body["@odata.deltaLink"]


def test_4_2_the_first_read_is_everything_in_pages_and_the_link_only_at_the_end(crm: InProcess) -> None:
    for number in range(5):
        crm.create("contacts", lastname=f"P{number}")
    first = crm.get("contacts?$select=lastname", Prefer=f"{TRACK}, odata.maxpagesize=2")
    assert TRACK in first.headers["preference-applied"]
    assert 'istracking="True"' in unquote(first.body["@odata.nextLink"])
    rows, link = tracked(crm, size=2)
    assert len(rows) == 5
    assert re.fullmatch(
        re.escape(f"{crm.url}/api/data/v9.2/contacts?$select=lastname&$deltatoken=")
        + r"\d+%21\d\d%2f\d\d%2f\d{4}%20\d\d%3a\d\d%3a\d\d",
        link,
    )


def test_4_2_changed_rows_come_by_version_with_current_values_then_the_deleted(crm: InProcess) -> None:
    crm.set("/clock", now="2026-01-05T10:00:00Z", frozen=True)
    first, second, third = (crm.create("contacts", lastname=name) for name in "ABC")
    _, link = tracked(crm)
    crm.api("DELETE", f"contacts({second})")
    crm.api("PATCH", f"contacts({third})", {"lastname": "C1"})
    crm.api("PATCH", f"contacts({first})", {"lastname": "A1"})
    crm.api("PATCH", f"contacts({third})", {"lastname": "C2"})
    body = crm.get(link).body
    assert body["@odata.context"] == f"{crm.url}/api/data/v9.2/$metadata#contacts(lastname)/$delta"
    rows = body["value"]
    assert [(row["contactid"], row["lastname"]) for row in rows[:2]] == [(first, "A1"), (third, "C2")]
    assert rows[2] == {
        "@odata.context": f"{crm.url}/api/data/v9.2/$metadata#contacts/$deletedEntity",
        "id": second,
        "reason": "deleted",
    }
    token = unquote(body["@odata.deltaLink"].partition("$deltatoken=")[2])
    assert token.partition("!")[2] == "01/05/2026 10:00:00"


def test_4_2_no_change_is_an_empty_page_with_a_link(crm: InProcess) -> None:
    _, link = tracked(crm)
    rows, again = changes(crm, link)
    assert rows == []
    assert changes(crm, again)[0] == []


def test_4_2_a_row_made_and_deleted_in_between_is_an_id_never_seen(crm: InProcess) -> None:
    _, link = tracked(crm)
    brief = crm.create("contacts", lastname="Brief")
    crm.api("DELETE", f"contacts({brief})")
    rows, _ = changes(crm, link)
    assert [(row["id"], row["reason"]) for row in rows] == [(brief, "deleted")]


def test_4_2_a_change_of_any_column_reports_the_row(crm: InProcess) -> None:
    contact = crm.create("contacts", lastname="Grey")
    _, link = tracked(crm)
    crm.api("PATCH", f"contacts({contact})", {"jobtitle": "Chief"})
    rows, _ = changes(crm, link)
    assert [row["contactid"] for row in rows] == [contact]
    assert "jobtitle" not in rows[0]


def test_4_2_a_token_can_be_replayed_and_gives_a_superset(crm: InProcess) -> None:
    _, link = tracked(crm)
    first = crm.create("contacts", lastname="A")
    assert [row["contactid"] for row in changes(crm, link)[0]] == [first]
    second = crm.create("contacts", lastname="B")
    assert [row["contactid"] for row in changes(crm, link)[0]] == [first, second]


def test_4_2_many_changes_come_in_pages_with_the_link_on_the_last(crm: InProcess) -> None:
    _, link = tracked(crm)
    made = [crm.create("contacts", lastname=f"P{number}") for number in range(5)]
    gone = [crm.create("contacts", lastname=f"D{number}") for number in range(4)]
    for contact in gone:
        crm.api("DELETE", f"contacts({contact})")
    for size in (1, 2, 3, 5, 9, 10):
        pages = list(crm.pages(link, Prefer=f"odata.maxpagesize={size}"))
        seen = [item.get("contactid") or item["id"] for page in pages for item in page["value"]]
        assert seen == made + gone, size
        assert all(len(page["value"]) <= size for page in pages)
        assert ["@odata.deltaLink" in page for page in pages] == [False] * (len(pages) - 1) + [True]


def test_4_2_what_moves_while_a_client_pages_is_not_lost(crm: InProcess) -> None:
    made = sorted(crm.create("contacts", lastname=f"P{number}") for number in range(6))
    prefer = f"{TRACK},odata.maxpagesize=2"
    page = crm.get("contacts?$select=lastname", Prefer=prefer).body
    crm.api("PATCH", f"contacts({made[0]})", {"lastname": "moved"})
    crm.api("DELETE", f"contacts({made[1]})")
    late = crm.create("contacts", lastname="late")
    *_, last = crm.pages(page["@odata.nextLink"], Prefer=prefer)
    rows, _ = changes(crm, last["@odata.deltaLink"])
    seen = {row.get("contactid") or row["id"] for row in rows}
    assert {made[0], made[1], late} <= seen


def test_4_2_the_number_of_changes_is_counted(crm: InProcess) -> None:
    _, link = tracked(crm)
    crm.create("contacts", lastname="A")
    crm.api("DELETE", f"contacts({crm.create('contacts', lastname='B')})")
    token = link.partition("$deltatoken=")[2]
    assert crm.get(f"contacts/$count?$deltatoken={token}").raw == b"\xef\xbb\xbf2"


def test_4_5_a_bare_token_without_select_gives_all_columns(crm: InProcess) -> None:
    _, link = tracked(crm)
    crm.create("contacts", lastname="A", jobtitle="Chief")
    rows, _ = changes(crm, f"contacts?$deltatoken={link.partition('$deltatoken=')[2]}")
    assert (rows[0]["jobtitle"], rows[0]["emailaddress1"]) == ("Chief", None)


@pytest.mark.parametrize("option", ["$filter=statecode eq 0", "$orderby=lastname", "$expand=ownerid", "$top=5"])
@pytest.mark.parametrize("where", ["first", "link"])
def test_4_2_options_that_do_not_go_with_tracking(crm: InProcess, option: str, where: str) -> None:
    _, link = tracked(crm)
    target = f"contacts?{option}" if where == "first" else f"{link}&{option}"
    name = option.partition("=")[0]
    text = f'The "{name}" query parameter isn\'t supported when Change Tracking is enabled.'
    assert crm.get(target, Prefer=TRACK).error == (400, "0x80060888", text)


def test_4_3_a_token_older_than_the_memory_of_deletions_has_expired(crm: InProcess) -> None:
    organization = crm.get("organizations?$select=expirechangetrackingindays").rows[0]
    assert organization["expirechangetrackingindays"] == 30
    _, link = tracked(crm)
    crm.set("/clock", advance_s=30 * 86_400 - 60)
    crm.sign_in()
    assert crm.get(link).status == 200
    crm.set("/clock", advance_s=120)
    text = "Version stamp associated with the client has expired. Please perform a full sync."
    crm.sign_in()
    assert crm.get(link).error == (400, "0x80044352", text)


def test_4_3_a_change_of_the_tables_metadata_kills_its_tokens_only(crm: InProcess) -> None:
    _, contacts = tracked(crm)
    _, leads = tracked(crm, "leads?$select=lastname")
    crm.set("/schema/changed", entity="contact")
    assert crm.get(contacts).error[1] == "0x80044352"
    assert crm.get(leads).status == 200
    _, fresh = tracked(crm)
    assert crm.get(fresh).status == 200


@pytest.mark.parametrize("token", ["", "x", "5", "5!yesterday", "%00", "9" * 40 + "!01/01/2026 00:00:00"])
def test_a_malformed_token_is_refused(crm: InProcess, token: str) -> None:
    assert crm.get(f"contacts?$deltatoken={token}").status == 400


def test_2_6_a_table_that_is_not_tracked_says_so(crm: InProcess) -> None:
    text = "Entity transactioncurrency isn't enabled for change tracking."
    assert crm.get("transactioncurrencies", Prefer=TRACK).error == (400, "0x80072491", text)
    crm.set("/settings", untracked_tables="lead")
    assert crm.get("leads", Prefer=TRACK).error[1] == "0x80072491"


def test_4_2_pairs_are_tracked_where_both_tables_are(crm: InProcess) -> None:
    _, link = tracked(crm, "listmembers")
    newsletter = crm.create("lists", listname="News", createdfromcode=2)
    contact = crm.create("contacts", lastname="Grey")
    reference = {"@odata.id": f"{crm.url}/api/data/v9.2/contacts({contact})"}
    assert crm.api("POST", f"lists({newsletter})/listcontact_association/$ref", reference).status == 204
    rows, link = changes(crm, link)
    assert [row["_entityid_value"] if "_entityid_value" in row else row["entityid"] for row in rows] == [contact]
    pair = rows[0]["listmemberid"]
    assert crm.api("DELETE", f"lists({newsletter})/listcontact_association({contact})/$ref").status == 204
    assert [(row["id"], row["reason"]) for row in changes(crm, link)[0]] == [(pair, "deleted")]
    crm.set("/settings", untracked_tables="lead")
    assert crm.get("listmembers", Prefer=TRACK).error[:2] == (400, "0x80072492")


def test_4_2_the_columns_are_fixed_by_the_link_and_annotations_do_not_lose_it(crm: InProcess) -> None:
    """powerapps-docs 439: annotations once suppressed the delta link."""
    _, link = tracked(crm, "contacts?$select=lastname,_ownerid_value")
    contact = crm.create("contacts", lastname="Grey", jobtitle="Chief")
    body = crm.get(link, Prefer='odata.include-annotations="*"').body
    assert body["@odata.context"].endswith("$metadata#contacts(lastname,_ownerid_value)/$delta")
    (row,) = body["value"]
    assert {name for name in row if "@" not in name} == {"lastname", "_ownerid_value", "contactid"}
    assert row["contactid"] == contact
    assert row["_ownerid_value@Microsoft.Dynamics.CRM.lookuplogicalname"] == "systemuser"
    assert "@odata.deltaLink" in body


def test_4_2_several_consumers_have_tokens_of_their_own(crm: InProcess) -> None:
    _, early = tracked(crm)
    first = crm.create("contacts", lastname="A")
    _, late = tracked(crm)
    second = crm.create("contacts", lastname="B")
    assert [row["contactid"] for row in changes(crm, late)[0]] == [second]
    assert [row["contactid"] for row in changes(crm, early)[0]] == [first, second]


@pytest.mark.parametrize("option", ["$apply=aggregate($count as n)", "fetchXml=<fetch/>"])
def test_other_kinds_of_query_do_not_go_with_tracking_either(crm: InProcess, option: str) -> None:
    assert crm.get(f"contacts?{option}", Prefer=TRACK).error[:2] == (400, "0x80060888")


def test_4_2_a_cascaded_delete_is_one_entry_for_each_row(crm: InProcess) -> None:
    account = crm.create("accounts", name="Litware")
    bind = {"parentcustomerid_account@odata.bind": f"accounts({account})"}
    contacts = {crm.create("contacts", lastname=f"C{number}", **bind) for number in range(3)}
    _, link = tracked(crm)
    crm.api("DELETE", f"accounts({account})")
    assert {row["id"] for row in changes(crm, link)[0]} == contacts


def test_a_row_that_comes_back_under_its_old_id_is_a_change_and_no_longer_deleted(crm: InProcess) -> None:
    contact = crm.create("contacts", lastname="A")
    _, link = tracked(crm)
    crm.api("DELETE", f"contacts({contact})")
    crm.api("PATCH", f"contacts({contact})", {"lastname": "Again"})
    assert [row.get("lastname") for row in changes(crm, link)[0]] == ["Again"]
