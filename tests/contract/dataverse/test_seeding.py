"""The seeded organisation: its size and mix, and that the same seed makes the same one."""

import time
from collections import Counter
from typing import Any

import pytest

from tandem_emulators.dataverse.emulator import DataverseEmulator, build
from tandem_emulators.kit import people
from tandem_emulators.kit.emulator import Options
from tests.contract.dataverse.client import Running

POPULATION = 2000


def filled(emulator: DataverseEmulator) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if v is not None} for row in rows(emulator, "contact")]


def rows(emulator: DataverseEmulator, entity: str) -> list[dict[str, Any]]:
    found: Any = emulator.records(entity, after=None, limit=100_000, deleted=False)["records"]
    return list(found)


@pytest.fixture(scope="module")
def seeded() -> Any:
    emulator = build(Options(people=POPULATION, seed=7))
    yield emulator
    emulator.close()


def test_the_mix_of_leads_contacts_accounts_and_users(seeded: DataverseEmulator) -> None:
    leads, contacts = rows(seeded, "lead"), rows(seeded, "contact")
    qualified = [contact for contact in contacts if contact["originatingleadid"]]
    assert len(leads) - len(qualified) + len(contacts) == POPULATION
    assert 0.52 < len(contacts) / POPULATION < 0.58
    assert 0.03 < len(qualified) / len(contacts) < 0.08
    assert len(rows(seeded, "account")) == POPULATION // 8
    assert len([user for user in rows(seeded, "systemuser") if user["firstname"]]) == 5
    attached = sum(contact["parentcustomerid"] is not None for contact in contacts) / len(contacts)
    assert 0.75 < attached < 0.85


def test_a_qualified_contact_has_its_closed_lead_of_the_same_person(seeded: DataverseEmulator) -> None:
    leads = {lead["leadid"]: lead for lead in rows(seeded, "lead")}
    for contact in rows(seeded, "contact"):
        if contact["originatingleadid"]:
            lead = leads[contact["originatingleadid"]]
            assert (lead["statecode"], lead["statuscode"]) == (1, 3)
            assert (lead["lastname"], lead["emailaddress1"]) == (contact["lastname"], contact["emailaddress1"])


def test_the_people_are_as_untidy_as_real_ones(seeded: DataverseEmulator) -> None:
    everybody = rows(seeded, "lead") + rows(seeded, "contact")
    emails = Counter(str(row["emailaddress1"]).lower() for row in rows(seeded, "contact"))
    assert 0.04 < emails.pop("none") / len(everybody) * 2 < 0.09
    assert max(emails.values()) == 2
    assert all(str(row["emailaddress1"]).isascii() for row in everybody)
    assert any(row["statecode"] for row in rows(seeded, "contact"))
    assert any("\n" in (row["description"] or "") for row in everybody)
    assert any(row["donotbulkemail"] for row in everybody)
    assert any(not row["fullname"].isascii() for row in everybody)


def test_every_value_would_pass_the_services_own_checks(seeded: DataverseEmulator) -> None:
    for name in ("lead", "contact", "account", "systemuser"):
        table = seeded.schema.tables[name]
        for row in rows(seeded, name):
            for column, value in row.items():
                length_max = table.stored[column].metadata.get("MaxLength")
                if isinstance(value, str) and length_max:
                    assert len(value) <= length_max, (name, column, value)
                if table.stored[column].options and value is not None:
                    assert value in table.stored[column].options, (name, column, value)


def test_lookups_point_to_rows_that_exist(seeded: DataverseEmulator) -> None:
    users = {user["systemuserid"] for user in rows(seeded, "systemuser")}
    accounts = {account["accountid"] for account in rows(seeded, "account")}
    for contact in rows(seeded, "contact"):
        assert contact["ownerid"] in users
        assert contact["parentcustomerid"] in accounts | {None}


def test_the_same_seed_makes_the_same_organisation_and_another_does_not() -> None:
    emulators = [build(Options(people=80, seed=seed)) for seed in (3, 3, 4)]
    first, same, other = (rows(emulator, "contact") for emulator in emulators)
    assert first == same
    assert first != other
    for emulator in emulators:
        emulator.close()


def test_both_services_know_the_same_people() -> None:
    known = {people.person(5, index).email for index in range(1000)} - {None}
    population = list(people.marketing_population(5, 1000, 1000))
    shared = [person for person, is_shared in population if is_shared]
    assert len(shared) == 700
    assert all(person.email in known for person in shared if person.email)
    own = [person.email for person, is_shared in population if not is_shared and person.email]
    assert not set(own) & known


def test_twenty_thousand_people_are_seeded_in_under_five_seconds() -> None:
    started = time.process_time()
    build(Options(people=20_000)).close()
    assert time.process_time() - started < 5


def test_a_page_and_a_batch_are_fast(start: Any) -> None:
    crm: Running = start(people=10_000)
    columns = "firstname,lastname,emailaddress1,telephone1,jobtitle,description,donotemail,statecode,_ownerid_value"
    started = time.perf_counter()
    page = crm.get(f"contacts?$select={columns}")
    assert len(page.rows) == 5000
    assert time.perf_counter() - started < 0.5
    keys = [row["contactid"] for row in page.rows[:100]]
    part = ["--batch_1", "Content-Type: application/http", ""]
    lines = [
        line
        for key in keys
        for line in (*part, f"PATCH contacts({key}) HTTP/1.1", "If-Match: *", "", '{"jobtitle":"Chief"}')
    ]
    started = time.perf_counter()
    answer = crm.batch(*lines, "--batch_1--")
    assert answer.raw.count(b"204 No Content") == 100
    assert time.perf_counter() - started < 0.5


def test_a_file_keeps_the_organisation_over_a_restart(tmp_path: Any) -> None:
    path = str(tmp_path / "organization.db")
    first = build(Options(people=40, db=path))
    before = filled(first)
    version = first.store.version
    first.close()
    second = build(Options(people=999, db=path))
    assert filled(second) == before
    assert second.store.version == version
    second.close()


class TestSales:
    """What surrounds the people: opportunities, connections, campaigns, lists, teams."""

    def test_opportunities_are_open_won_and_lost_for_customers_that_exist(self, seeded: DataverseEmulator) -> None:
        found = rows(seeded, "opportunity")
        assert len(found) == POPULATION // 10
        states = Counter(row["statecode"] for row in found)
        assert 0.5 < states[0] / len(found) < 0.7
        assert min(states[1], states[2]) > 10
        customers = {"account": {row["accountid"] for row in rows(seeded, "account")}}
        customers["contact"] = {row["contactid"] for row in rows(seeded, "contact")}
        pairs = {0: {1, 2}, 1: {3}, 2: {4, 5}}
        for row in found:
            assert row["customerid"] in customers[row["customeridtype"]]
            assert row["statuscode"] in pairs[row["statecode"]]
            assert (row.get("actualclosedate") is not None) == (row["statecode"] != 0)
            assert row["estimatedvalue"] == row["estimatedvalue_base"]

    def test_connections_come_in_pairs_that_mirror_each_other(self, seeded: DataverseEmulator) -> None:
        by_id = {row["connectionid"]: row for row in rows(seeded, "connection")}
        called = {row["opportunityid"]: row["name"] for row in rows(seeded, "opportunity")}
        called |= {row["contactid"]: row["fullname"] for row in rows(seeded, "contact")}
        roles = {row["connectionroleid"] for row in rows(seeded, "connectionrole")}
        assert len(by_id) > POPULATION // 10
        for row in by_id.values():
            other = by_id[row["relatedconnectionid"]]
            assert (row["record1id"], row["record2id"]) == (other["record2id"], other["record1id"])
            assert row["ismaster"] != other["ismaster"]
            assert row["name"] == called[row["record2id"]]
            assert {row["record1roleid"], row["record2roleid"]} - {None} <= roles

    def test_lists_have_members_of_their_kind(self, seeded: DataverseEmulator) -> None:
        kinds = {1: "account", 2: "contact", 4: "lead"}
        members = Counter(row["listid"] for row in rows(seeded, "listmember"))
        for row in rows(seeded, "list"):
            assert members[row["listid"]] == row["membercount"] > 0
        of_list = {row["listid"]: kinds[row["createdfromcode"]] for row in rows(seeded, "list")}
        assert all(row["entityidtype"] == of_list[row["listid"]] for row in rows(seeded, "listmember"))

    def test_teams_have_users_as_members(self, seeded: DataverseEmulator) -> None:
        users = {row["systemuserid"] for row in rows(seeded, "systemuser")}
        teams = {row["teamid"] for row in rows(seeded, "team")}
        pairs = [(row["teamid"], row["systemuserid"]) for row in rows(seeded, "teammembership")]
        assert pairs
        assert all(team in teams and user in users for team, user in pairs)

    def test_10_users_and_teams_are_their_own_owners(self, seeded: DataverseEmulator) -> None:
        assert all(row["ownerid"] == row["systemuserid"] for row in rows(seeded, "systemuser"))
        assert all(row["ownerid"] == row["teamid"] for row in rows(seeded, "team"))

    @pytest.mark.parametrize("people_count", [0, 1, 5, 25, 60])
    def test_a_small_population_is_complete_too(self, people_count: int) -> None:
        emulator = build(Options(people=people_count))
        contacts = {row["contactid"] for row in rows(emulator, "contact")}
        for row in rows(emulator, "connection"):
            assert {row["record1id"], row["record2id"]} & contacts
        emulator.close()
