"""The control API: counters, clock, faults, records, and a person at the keyboard."""

import http.client
import re
from pathlib import Path
from typing import Any

import pytest

from tandem_emulators.dataverse import settings
from tandem_emulators.dataverse.emulator import build
from tandem_emulators.kit import server
from tandem_emulators.kit.control import ROUTES
from tandem_emulators.kit.emulator import Options
from tests.contract.dataverse.client import Running


def test_it_is_off_unless_asked_for() -> None:
    emulator = build(Options())
    assert b'"control_url":null' in server.first_line(emulator, 1, control=False)
    emulator.close()


def test_counters_tell_requests_records_and_sign_ins_apart(crm: Running) -> None:
    crm.control("POST", "/counters/reset")
    crm.sign_in()
    contact = crm.create("contacts", lastname="Grey")
    crm.api("PATCH", f"contacts({contact})", {"lastname": "Grey"})
    crm.api("PATCH", f"contacts({contact})", {"lastname": 5})
    crm.get("contacts")
    assert crm.control("GET", "/counters").body == {
        "requests_total": 4,
        "requests": {"token": 1, "contacts.create": 1, "contacts.update": 2, "contacts.list": 1},
        "operations": {},
        "records_read": 1,
        "records_written": 3,
        "served_at_once_max": 1,
    }


def test_the_clock_is_set_moved_and_frozen(crm: Running) -> None:
    crm.set("/clock", now="2026-01-05T10:00:00Z", frozen=True)
    assert crm.set("/clock", advance_s=90)["now"] == "2026-01-05T10:01:30+00:00"
    assert crm.control("GET", "/clock").body == {"now": "2026-01-05T10:01:30+00:00", "frozen": True}
    assert crm.control("POST", "/clock", {"now": "soon"}).status == 400


def test_a_status_fault_skips_strikes_and_ends(crm: Running) -> None:
    fault = {"operation": "contacts.*", "skip": 1, "times": 2, "status": 503, "headers": {"Retry-After": "7"}}
    assert crm.set("/faults", **fault) == {"id": 1}
    statuses = [crm.get("contacts").status for _ in range(4)]
    assert statuses == [200, 503, 503, 200]
    [rule] = crm.control("GET", "/faults").body["faults"]
    assert (rule["hits"], rule["remaining"]) == (2, 0)
    crm.control("DELETE", "/faults")
    assert crm.control("GET", "/faults").body == {"faults": []}


def test_an_injected_answer_carries_headers_and_body(crm: Running) -> None:
    crm.set("/faults", operation="whoami", status=429, headers={"Retry-After": "7"}, body={"error": {"code": "0x1"}})
    answer = crm.get("WhoAmI")
    assert (answer.status, answer.headers["retry-after"], answer.body["error"]) == (429, "7", {"code": "0x1"})


@pytest.mark.parametrize(("action", "applied"), [("drop_before", 0), ("reset", 0), ("drop_after", 1)])
def test_a_dropped_connection_has_applied_the_write_or_not(crm: Running, action: str, applied: int) -> None:
    crm.set("/faults", operation="contacts.create", action=action)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        crm.create("contacts", lastname="Grey")
    assert len(crm.get("contacts").rows) == applied


def test_a_part_of_a_batch_can_lose_its_answer(crm: Running) -> None:
    crm.set("/faults", operation="contacts.create", action="drop_after")
    part = ["--batch_1", "Content-Type: application/http", "", "POST contacts HTTP/1.1"]
    lines = [*part, "Content-Type: application/json", "", '{"lastname":"Grey"}', "--batch_1--"]
    with pytest.raises(http.client.RemoteDisconnected):
        crm.batch(*lines)
    assert len(crm.get("contacts").rows) == 1


@pytest.mark.parametrize(
    "fault",
    [{"operation": "x", "action": "explode"}, {}, {"operation": 5}, {"nothing": 1}, {"operation": "x", "status": 799}],
)
def test_an_unknown_fault_is_refused(crm: Running, fault: dict[str, object]) -> None:
    assert crm.control("POST", "/faults", fault).status == 400


def test_records_are_raw_and_come_by_key(crm: Running) -> None:
    made = sorted(crm.create("contacts", lastname=f"P{number}") for number in range(5))
    first = crm.control("GET", "/records/contact?limit=3").body
    assert [row["contactid"] for row in first["records"]] == made[:3]
    rest = crm.control("GET", f"/records/contacts?limit=3&after={first['next']}").body
    assert [row["contactid"] for row in rest["records"]] == made[3:]
    assert rest["next"] is None
    assert rest["records"][0]["ownerid"]
    crm.api("DELETE", f"contacts({made[0]})")
    gone = crm.control("GET", "/records/contact?deleted=true").body["records"]
    assert [row["contactid"] for row in gone] == made[:1]
    assert crm.control("GET", "/records/nothing").status == 400


def person(crm: Running, action: str, **arguments: Any) -> dict[str, Any]:
    return crm.set(f"/people/{action}", **arguments)


def test_a_person_creates_edits_and_deletes_as_somebody_else(crm: Running) -> None:
    crm.set("/privileges", revoke=["prvCreateContact", "prvWriteContact", "prvDeleteContact"])
    contact = person(crm, "create", entity="contact", values={"lastname": "Grey"})["id"]
    person(crm, "edit", entity="contact", id=contact, values={"firstname": "Ann"})
    row = crm.row("contacts", contact)
    assert (row["fullname"], row["_modifiedby_value"] == crm.get("WhoAmI").body["UserId"]) == ("Ann Grey", False)
    assert person(crm, "delete", entity="contact", id=contact) == {"deleted": 1}
    assert crm.get(f"contacts({contact})").status == 404


def test_several_edits_are_one_call_and_all_or_nothing(crm: Running) -> None:
    made = [crm.create("contacts", lastname=name) for name in "AB"]
    edits = [{"entity": "contact", "id": key, "values": {"jobtitle": "Chief"}} for key in made]
    assert person(crm, "edit", edits=edits) == {"edited": 2}
    edits = [{**edits[0], "values": {"jobtitle": "x"}}, {**edits[1], "values": {"nothing": 1}}]
    assert crm.control("POST", "/people/edit", {"edits": edits}).status == 400
    assert {row["jobtitle"] for row in crm.get("contacts").rows} == {"Chief"}


def test_a_person_sets_a_lookup_by_its_column(crm: Running) -> None:
    account = crm.create("accounts", name="Litware")
    contact = crm.create("contacts", lastname="Grey")
    to = {"parentcustomerid": {"entity": "account", "id": account}}
    person(crm, "edit", entity="contact", id=contact, values=to)
    assert crm.row("contacts", contact)["_parentcustomerid_value"] == account
    person(crm, "edit", entity="contact", id=contact, values={"parentcustomerid": None})
    assert crm.row("contacts", contact)["_parentcustomerid_value"] is None


def test_a_person_merges_and_qualifies(crm: Running) -> None:
    winner, loser = crm.create("contacts", lastname="A"), crm.create("contacts", lastname="B")
    assert person(crm, "merge", entity="contact", winner=winner, loser=loser) == {"winner": winner}
    assert crm.row("contacts", loser)["_masterid_value"] == winner
    lead = crm.create("leads", lastname="L", companyname="Litware")
    made = person(crm, "qualify", id=lead, create_account=True, create_contact=True)
    assert crm.row("contacts", made["contact_id"])["_originatingleadid_value"] == lead
    assert crm.row("accounts", made["account_id"])["name"] == "Litware"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/people/edit", {"entity": "nothing", "id": "x", "values": {}}),
        ("/people/edit", {"entity": "contact", "id": "x", "values": {}}),
        ("/people/edit", {"entity": "contact"}),
        ("/people/fly", {}),
        ("/settings", {"nothing": 1}),
        ("/settings", {"user_state": "asleep"}),
        ("/settings", {"requests_limit": 0}),
        ("/settings", {"webhook_timeout_s": "nan"}),
        ("/settings", {"token_lifetime_s": "long"}),
        ("/nothing", {}),
    ],
)
def test_nonsense_is_answered_with_a_sentence(crm: Running, path: str, body: dict[str, Any]) -> None:
    answer = crm.control("POST", path, body)
    assert answer.status == 400
    assert answer.body["error"].endswith((".", "Exist"))


def test_a_refused_setting_leaves_the_old_one(crm: Running) -> None:
    before = crm.control("GET", "/settings").body
    crm.control("POST", "/settings", {"limits": "sometimes"})
    assert crm.control("GET", "/settings").body == before


def test_the_control_api_is_neither_counted_nor_slowed(crm: Running) -> None:
    crm.set("/latency", default_ms=2000)
    crm.control("POST", "/counters/reset")
    assert crm.control("GET", "/counters").body["requests"] == {}


def documented() -> list[tuple[str, str]]:
    """Method and path of each control operation that the README names."""
    text = Path(settings.__file__).with_name("README.md").read_text(encoding="utf-8")
    table = text[text.index("## Control API") : text.index("Operations, as faults")]
    found = []
    for line in table.splitlines():
        names = re.findall(r"`([^`]+)`", line.split(" | ")[0])
        method, prefix = "", ""
        for name in names:
            if match := re.match(r"(GET|POST|DELETE) ([\w/{}]+)", name):
                method, path = match[1], match[2]
                prefix = path.rpartition("/")[0]
            elif name.startswith("{"):
                continue
            else:
                path = f"{prefix}/{name}".lstrip("/")
            found.append((method, f"/{path}".replace("{table}", "contact").replace("{id}", "1")))
    return found


def test_every_control_operation_of_the_readme_exists(crm: Running) -> None:
    assert len(documented()) > 30
    for method, path in documented():
        answer = crm.control(method, path, {} if method == "POST" else None)
        text = answer.raw.decode()
        assert "There is no control operation" not in text, (method, path)
        assert "A person can " not in text, (method, path)


def test_every_common_control_operation_is_in_the_readme() -> None:
    assert set(ROUTES) <= set(documented())
