"""Opportunities and roles beyond the stories: a seeded organisation, calls that go wrong, rights that lack.

What there should be is worked out from Dynamics' own rows: a role for each contact that is an opportunity's customer,
and one for each pair of connections between an opportunity and a lead or contact.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tandem.app import commands, queries
from tandem.app.reports import SyncReport
from tests.connectors.dynamics import emulator as dataverse
from tests.connectors.marketo import emulator as marketo
from tests.scenarios.stage import Row, Stage, running_stage
from tests.scenarios.test_quiet import EACH_FEED_ONCE, passes

SETTINGS = "[entities.opportunity]\nenabled = true\n"
Role = tuple[str, int, str]
Emulator = dataverse.Emulator | marketo.Emulator


def rows(stage: Stage, entity: str) -> list[Row]:
    found: list[Row] = stage.marketing.control(f"records/{entity}?limit=5000")["records"]
    return found


def people(stage: Stage) -> dict[str, int]:
    return {str(row["tandemCrmId"]).lower(): int(row["id"]) for row in rows(stage, "person") if row.get("tandemCrmId")}


def wanted_roles(stage: Stage) -> set[Role]:
    known, names = people(stage), {id_: row["name"] for id_, row in stage.crm.records("connectionrole").items()}
    roles = {
        (id_, known[row["contactid"]], "Customer")
        for id_, row in stage.crm.records("opportunity").items()
        if row.get("contactid") in known and not row.get("accountid")
    }
    opportunities = stage.crm.records("opportunity")
    for row in stage.crm.records("connection").values():
        if row["record1id"] in opportunities and row["record2id"] in known:
            roles.add((row["record1id"], known[row["record2id"]], names.get(row["record2roleid"], "Stakeholder")))
    return roles


def roles(stage: Stage) -> Counter[Role]:
    found = rows(stage, "opportunityRole")
    return Counter((row["externalOpportunityId"].lower(), int(row["leadId"]), row["role"]) for row in found)


def amount_of(row: Row) -> Any:
    return row["estimatedvalue"] if row["statecode"] == 0 or row.get("actualvalue") is None else row["actualvalue"]


def assert_in_step(stage: Stage) -> None:
    found = roles(stage)
    assert set(found) == wanted_roles(stage)
    assert max(found.values(), default=1) == 1
    opportunities = {row["externalOpportunityId"].lower(): row for row in rows(stage, "opportunity")}
    crm = stage.crm.records("opportunity")
    assert set(opportunities) == set(crm)
    for id_, row in crm.items():
        there = opportunities[id_]
        assert there["name"] == row["name"]
        assert there.get("amount") == amount_of(row)
        assert there.get("externalSalesPersonId") == row["ownerid"]
        if row.get("accountid"):
            assert there["externalCompanyId"] == row["accountid"]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("opportunities")
    with running_stage(folder, people=120, marketing_people=40, seed=17, more=SETTINGS) as stage:
        asyncio.run(stage.sync())
        asyncio.run(stage.sync_until_quiet())
        yield stage


async def enter_deals(stage: Stage, count: int) -> list[str]:
    """So many new contacts, each the customer of an opportunity with another one as a stakeholder."""
    role = min(stage.crm.records("connectionrole"))
    contacts = [
        stage.enter("contact", lastname=f"Party {n}", emailaddress1=f"party{n}@deal.example") for n in range(count)
    ]
    deals = []
    for number, contact in enumerate(contacts):
        deals.append(stage.enter("opportunity", name=f"Deal {number}", customerid={"entity": "contact", "id": contact}))
        connect(stage, deals[-1], contacts[number - 1], role)
    return deals


def connect(stage: Stage, deal: str, contact: str, role: str) -> str:
    ends = {"from": {"entity": "opportunity", "id": deal}, "to": {"entity": "contact", "id": contact, "role": role}}
    made: str = stage.crm.control("people/connect", ends)["id"]
    return made


async def test_a_seeded_organisation_is_in_step_and_proves_it(stage: Stage) -> None:
    assert_in_step(stage)
    assert len(roles(stage)) > 5
    report = await stage.verify()
    assert report.differences == ()
    assert {"opportunity", "connection"} <= {name for name, count in report.compared.items() if count}


async def test_persons_whose_answer_was_lost_do_not_cost_a_role(stage: Stage) -> None:
    """The roles come in the same pass as people of whom nobody knows yet whether they were made."""
    stage.marketing.control("faults", {"operation": "leads.sync", "action": "drop_after", "times": 1})
    deals = await enter_deals(stage, 6)
    await stage.sync_until(lambda: {deal for deal, _, _ in roles(stage)} >= set(deals))
    await stage.sync_until_quiet()
    assert_in_step(stage)


@pytest.mark.parametrize("operation", ["roles.sync", "roles.delete", "opportunities.sync", "opportunities.delete"])
async def test_a_lost_answer_makes_no_twin_and_loses_nothing(stage: Stage, operation: str) -> None:
    deals = await enter_deals(stage, 3)
    await stage.sync_until(lambda: {deal for deal, _, _ in roles(stage)} >= set(deals))
    stage.marketing.control("faults", {"operation": operation, "action": "drop_after", "times": 1})
    stage.crm.delete("opportunity", deals[0])
    stage.crm.edit("opportunity", deals[1], name="Renamed", customerid={"entity": "account", "id": account(stage)})
    mine = [id_ for id_, row in stage.crm.records("connection").items() if row["record1id"] == deals[2]]
    other = max(stage.crm.records("connectionrole"))
    stage.crm.edit("connection", mine[0], record2roleid={"entity": "connectionrole", "id": other})
    stage.enter("opportunity", name="New", customerid={"entity": "account", "id": account(stage)})
    await stage.sync_until(lambda: wanted_roles(stage) == set(roles(stage)))
    await stage.sync_until_quiet()
    assert_in_step(stage)
    assert "in use" not in stage.holds()


def account(stage: Stage) -> str:
    return min(stage.crm.records("account"))


async def test_a_company_and_all_its_deals_go_children_first(stage: Stage) -> None:
    """Dynamics deletes an account with its contacts, opportunities and connections at one blow."""
    found = stage.enter("account", name="Gone & Co")
    contact = stage.enter("contact", lastname="Gone", parentcustomerid={"entity": "account", "id": found})
    deal = stage.enter("opportunity", name="Gone", customerid={"entity": "account", "id": found})
    connect(stage, deal, contact, min(stage.crm.records("connectionrole")))
    await stage.sync_until(lambda: any(role[0] == deal for role in roles(stage)))
    stage.crm.delete("account", found)
    await stage.sync_until(lambda: deal not in {row["externalOpportunityId"] for row in rows(stage, "opportunity")})
    await stage.sync_until_quiet()
    assert_in_step(stage)
    assert "in use" not in stage.holds()


async def test_people_merged_in_marketo_keep_their_roles(stage: Stage) -> None:
    contact = stage.enter("contact", lastname="Merged", emailaddress1="merged@deal.example")
    deal = stage.enter("opportunity", name="Merged", customerid={"entity": "contact", "id": contact})
    connect(stage, deal, contact, min(stage.crm.records("connectionrole")))
    await stage.sync_until(lambda: sum(role[0] == deal for role in roles(stage)) == 2)
    winner = stage.fill_in_form(lastName="Merged")
    stage.merge_people(winner, stage.person_of(contact)["id"])
    await stage.sync_until_quiet()
    assert people(stage)[contact] == winner
    assert_in_step(stage)
    assert {role[1] for role in roles(stage) if role[0] == deal} == {winner}


async def test_a_person_deleted_in_marketo_leaves_no_role_behind(stage: Stage) -> None:
    contact = stage.enter("contact", lastname="Deleted", emailaddress1="deleted@deal.example")
    deal = stage.enter("opportunity", name="Deleted", customerid={"entity": "contact", "id": contact})
    await stage.sync_until(lambda: any(role[0] == deal for role in roles(stage)))
    stage.delete_person(stage.person_of(contact)["id"])
    await stage.sync_until(lambda: not any(role[0] == deal for role in roles(stage)))
    await stage.sync_until_quiet()
    assert_in_step(stage)
    assert f"{deal}: the record" in stage.holds()


async def test_a_person_made_again_has_its_roles_again(stage: Stage) -> None:
    contact = stage.enter("contact", lastname="Again", emailaddress1="again@deal.example")
    deal = stage.enter("opportunity", name="Again", customerid={"entity": "contact", "id": contact})
    connect(stage, deal, contact, min(stage.crm.records("connectionrole")))
    await stage.sync_until(lambda: sum(role[0] == deal for role in roles(stage)) == 2)
    stage.configure(f'{SETTINGS}[entities.contact]\ndeleted_in_marketing = "recreate"\n')
    before = stage.person_of(contact)["id"]
    stage.delete_person(before)
    await stage.sync_until(lambda: people(stage).get(contact, before) != before)
    await stage.sync_until_quiet()
    stage.configure(SETTINGS)
    assert_in_step(stage)
    assert {role[1] for role in roles(stage) if role[0] == deal} == {people(stage)[contact]}


async def test_a_connection_role_that_is_renamed_is_renamed_in_marketo(stage: Stage) -> None:
    deals = await enter_deals(stage, 2)
    await stage.sync_until(lambda: {deal for deal, _, _ in roles(stage)} >= set(deals))
    stage.crm.edit("connectionrole", min(stage.crm.records("connectionrole")), name="Renamed role")
    await stage.sync_until(lambda: wanted_roles(stage) == set(roles(stage)))
    assert "Renamed role" in {name for _, _, name in roles(stage)}
    await stage.sync_until_quiet()
    assert_in_step(stage)


async def test_two_stakeholders_with_one_role_are_one_role_until_both_are_gone(stage: Stage) -> None:
    contact = stage.enter("contact", lastname="Twice", emailaddress1="twice@deal.example")
    deal = stage.enter("opportunity", name="Twice", customerid={"entity": "account", "id": account(stage)})
    role = min(stage.crm.records("connectionrole"))
    first, second = connect(stage, deal, contact, role), connect(stage, deal, contact, role)
    await stage.sync_until(lambda: any(found[0] == deal for found in roles(stage)))
    await stage.sync_until_quiet()
    assert_in_step(stage)
    assert "another record of crm stands for the same one" in stage.holds()
    linked = [id_ for id_ in (first, second) if id_ not in stage.holds()]
    stage.crm.delete("connection", linked[0])
    await stage.sync_until_quiet()
    assert_in_step(stage)
    assert any(found[0] == deal for found in roles(stage))
    stage.crm.delete("connection", second if linked[0] == first else first)
    await stage.sync_until_quiet()
    assert_in_step(stage)


async def test_what_goes_wrong_in_marketo_unseen_is_found_and_repaired(stage: Stage) -> None:
    """Marketo has no feed of roles and opportunities, so only a proof finds what somebody does to them there."""
    gone, edited = rows(stage, "opportunityRole")[0], rows(stage, "opportunity")[0]
    stage.marketing.control("people/delete", {"entity": "opportunityRole", "id": gone["marketoGUID"]})
    edit = {"entity": "opportunity", "id": edited["marketoGUID"], "values": {"name": "Typed in Marketo"}}
    stage.marketing.control("people/edit", edit)
    report = await stage.verify()
    assert {line.kind for line in report.differences} == {"not in marketing", "link without end", "field differs"}
    with stage._secrets():
        await commands.repair(stage.config)
    assert_in_step(stage)
    assert (await stage.verify()).is_clean


@pytest.fixture(scope="module")
def other_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Where rights come and go."""
    with running_stage(tmp_path_factory.mktemp("rights"), people=15, seed=3, more=SETTINGS) as stage:
        asyncio.run(stage.sync())
        yield stage


@contextmanager
def revoked(side: Emulator, *rights: str) -> Iterator[None]:
    side.control("privileges", {"revoke": list(rights)})
    yield
    side.control("privileges", {"grant": list(rights)})


async def somebody_arrives(stage: Stage) -> SyncReport:
    contact = stage.enter("contact", lastname="Arrives", emailaddress1="arrives@deal.example")
    report = await stage.sync()
    assert stage.has(contact, lastName="Arrives")
    stage.crm.delete("contact", contact)
    return report


@pytest.mark.parametrize("side", ["crm", "marketing"])
async def test_without_the_right_to_opportunities_the_rest_goes_on(side: str, other_stage: Stage) -> None:
    stage = other_stage
    opportunities = ("Read-Only Opportunity", "Read-Write Opportunity")
    lacking = revoked(stage.crm, "prvReadOpportunity") if side == "crm" else revoked(stage.marketing, *opportunities)
    with lacking:
        await somebody_arrives(stage)
        aside = {line.entity for line in queries.status(stage.config).quarantined}
        assert aside == {"opportunity", "opportunitycustomer", "connection"}
    await stage.sync()
    assert not queries.status(stage.config).quarantined


async def test_what_may_be_read_and_not_written_waits_and_the_rest_goes_on(other_stage: Stage) -> None:
    stage = other_stage
    await stage.sync()
    stage.enter("opportunity", name="Waits", customerid={"entity": "account", "id": account(stage)})
    with revoked(stage.marketing, "Read-Write Opportunity"):
        report = await somebody_arrives(stage)
        assert [line.partition(":")[0] for line in report.guard] == ["opportunity is left out of this pass"]
    await stage.sync_until_quiet()
    assert_in_step(stage)


async def test_a_deal_that_moves_to_a_company_which_is_gone_in_marketo_waits_with_that_field_alone(
    other_stage: Stage,
) -> None:
    """Marketo answers as if the deal itself were missing; taken for that, it would be sent again with every pass."""
    stage, there = other_stage, account(other_stage)
    gone = stage.enter("account", name="Gone in Marketo")
    deal = stage.enter("opportunity", name="Stays", customerid={"entity": "account", "id": there})
    await stage.sync_until_quiet()
    stage.marketing.control("people/delete", {"entity": "company", "id": int(stage.companies()[gone]["id"])})
    stage.crm.edit("opportunity", deal, name="Moves", customerid={"entity": "account", "id": gone})
    await stage.sync_until(lambda: "Moves" in {row["name"] for row in rows(stage, "opportunity")})
    refused = "externalCompanyId in marketing was rejected with this value"
    assert refused in stage.holds()
    stage.reset_counters()
    for _ in range(3):
        await stage.sync()
    assert "opportunities.sync" not in stage.counters()[1]["requests"]
    stage.crm.edit("opportunity", deal, customerid={"entity": "account", "id": there})
    await stage.sync_until_quiet()
    assert refused not in stage.holds()


async def test_a_quiet_pass_asks_each_view_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    more = f"{SETTINGS}[run]\npass_interval_s = 0.05\n"
    with running_stage(tmp_path, people=40, marketing_people=10, seed=29, more=more) as stage:
        await stage.sync_until_quiet()
        _, *later = await passes(stage, monkeypatch, 3)
        asked = EACH_FEED_ONCE[0] | {"opportunities.changes": 2, "connections.changes": 1}
        assert [(crm["requests"], marketing["requests"]) for crm, marketing in later] == [
            (asked, EACH_FEED_ONCE[1])
        ] * 2
        assert {side["records_written"] for both in later for side in both} == {0}


async def test_where_an_opportunity_cannot_name_its_company_the_pair_is_left_out(tmp_path: Path) -> None:
    options = ("--set", "opportunity_names_company=false")
    with running_stage(tmp_path, people=10, seed=3, more=SETTINGS, marketing_options=options) as stage:
        stage.enter("opportunity", name="Of nobody", customerid={"entity": "account", "id": account(stage)})
        await stage.sync_until(lambda: "Of nobody" in {row["name"] for row in rows(stage, "opportunity")})
        left_out = {(line.entity, line.crm_field) for line in (await stage.check()).left_out}
        assert ("opportunity", "@account") in left_out


async def test_the_same_on_postgresql(tmp_path: Path, postgresql_url: str) -> None:
    url = postgresql_url.replace("postgresql+psycopg://", "postgresql://")
    more = f'{SETTINGS}[store]\nurl = "{url}"\n'
    with running_stage(tmp_path, people=60, marketing_people=10, seed=23, more=more) as stage:
        await stage.sync()
        deals = await enter_deals(stage, 3)
        await stage.sync_until(lambda: {deal for deal, _, _ in roles(stage)} >= set(deals))
        stage.crm.delete("opportunity", deals[0])
        mine = [id_ for id_, row in stage.crm.records("connection").items() if row["record1id"] == deals[1]]
        other = max(stage.crm.records("connectionrole"))
        stage.crm.edit("connection", mine[0], record2roleid={"entity": "connectionrole", "id": other})
        await stage.sync_until_quiet()
        assert_in_step(stage)
        assert (await stage.verify()).is_clean
