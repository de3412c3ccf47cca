"""What `tandem plan` says of the main things that happen, as text that a reviewer reads, with either store.

To accept a change, run it with TANDEM_ACCEPT_GOLDEN=1 and read the diff before it is committed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tandem.app.demo.stories.registry import Story
from tandem.app.demo.stories.scene import Scene
from tandem.app.demo.stories.visits import VISITS, make_table_of_visits
from tandem.cli.main import app
from tests.scenarios.emulator_pair import Pair
from tests.scenarios.golden_text import check_golden, normalised, without_users

Names = Mapping[str, str]
"""What the text calls each id."""


@dataclass(frozen=True)
class Golden:
    act: Callable[[Scene], Awaitable[Names]]
    settings: str = ""


async def an_account_and_its_people(scene: Scene) -> Names:
    parent = await scene.crm_enter("account", name="Contoso Holding")
    account = await scene.crm_enter("account", name="Contoso", parentaccountid=to("account", parent))
    team = await scene.crm_enter("team", name="Night Shift")
    employed = await a_contact(scene, "Ann", parentcustomerid=to("account", account), ownerid=to("team", team))
    lead = await scene.crm_enter("lead", lastname="Bob", companyname="Bob & Sons", subject="Fair", **owned(team))
    return {parent: "Holding", account: "Contoso", team: "Night Shift", employed: "Ann", lead: "Bob"}


async def an_opportunity_with_a_customer_and_a_stakeholder(scene: Scene) -> Names:
    team = await scene.crm_enter("team", name="Sales")
    ann = await a_contact(scene, "Ann", **owned(team))
    await scene.settle()
    bob = await a_contact(scene, "Bob", **owned(team))
    await scene.settle()
    values = {"estimatedvalue": 1000.0, "closeprobability": 60, "customerid": to("contact", ann)}
    deal = await scene.crm_enter("opportunity", name="Cranes", **values, **owned(team))
    await connect(scene, deal, bob, "Influencer")
    return {team: "Sales", deal: "Cranes", **await both_names(scene, Ann=ann, Bob=bob)}


async def an_opportunity_won_and_a_stakeholder_gone(scene: Scene) -> Names:
    team = await scene.crm_enter("team", name="Sales")
    ann = await a_contact(scene, "Ann", **owned(team))
    deal = await scene.crm_enter("opportunity", name="Cranes", estimatedvalue=1000.0, **owned(team))
    connection = await connect(scene, deal, ann, "Champion")
    await scene.settle()
    await scene.crm_act("win", id=deal, values={"actualrevenue": 900.0})
    await scene.crm_delete("connection", connection)
    return {team: "Sales", deal: "Cranes", connection: "connection", **await both_names(scene, Ann=ann)}


async def a_lead_that_was_qualified(scene: Scene) -> Names:
    lead = await scene.crm_enter("lead", lastname="Bob", subject="Fair", emailaddress1="bob@story.example")
    await scene.settle()
    names = await both_names(scene, Bob=lead)
    made = await scene.crm_act("qualify", id=lead, create_contact=True, create_account=True)
    return {**names, str(made["contact_id"]).lower(): "contact Bob", str(made["account_id"]).lower(): "account Bob"}


async def edits_of_both_sides(scene: Scene) -> Names:
    ann = await a_contact(scene, "Ann", jobtitle="Clerk")
    bob = await scene.crm_enter("lead", lastname="Bob", subject="Fair", jobtitle="Clerk")
    await scene.settle()
    names = await both_names(scene, Ann=ann, Bob=bob)
    for id_, name in list(names.items()):
        if id_.isdecimal():
            await scene.marketing_edit(int(id_), title=f"{name} in Marketo", phone="+44 1", unsubscribed=True)
    await scene.crm_edit("contact", ann, jobtitle="Ann in Dynamics", donotphone=True)
    await scene.crm_edit("lead", bob, jobtitle="Bob in Dynamics", donotphone=True)
    return names


async def deletions_of_both_sides(scene: Scene) -> Names:
    ann, bob, cid = [await a_contact(scene, name) for name in ("Ann", "Bob", "Cid")]
    await scene.settle()
    names = await both_names(scene, Ann=ann, Bob=bob, Cid=cid)
    people = {name: int(id_) for id_, name in names.items() if id_.isdecimal()}
    await scene.crm_delete("contact", ann)
    await scene.marketing_delete(people["person Bob"])
    await scene.marketing_delete(people["person Cid"])
    await scene.crm_edit("contact", cid, jobtitle="Edited meanwhile")
    return names


async def contacts_merged_in_dynamics(scene: Scene) -> Names:
    """Ann's person says no, and goes into Bob's; Cid's goes on with Dan, whom Marketo does not know yet."""
    ann, bob, cid = [await a_contact(scene, name) for name in ("Ann", "Bob", "Cid")]
    await scene.settle()
    names = await both_names(scene, Ann=ann, Bob=bob, Cid=cid)
    people = {name: int(id_) for id_, name in names.items() if id_.isdecimal()}
    await scene.marketing_edit(people["person Ann"], unsubscribed=True, phone="+44 typed")
    dan = await a_contact(scene, "Dan")
    await scene.crm_act("merge", entity="contact", winner=bob, loser=ann)
    await scene.crm_act("merge", entity="contact", winner=dan, loser=cid)
    return {**names, dan: "Dan"}


async def people_who_leave_and_enter_the_filter(scene: Scene) -> Names:
    ann, bob = await a_contact(scene, "Ann", jobtitle="Buyer"), await a_contact(scene, "Bob", jobtitle="Clerk")
    await scene.settle()
    names = await both_names(scene, Ann=ann)
    await scene.crm_edit("contact", ann, jobtitle="Clerk", telephone1="+44 1")
    await scene.crm_edit("contact", bob, jobtitle="Buyer")
    return {**names, bob: "Bob"}


async def a_record_of_a_custom_table(scene: Scene) -> Names:
    await make_table_of_visits(scene)
    ann = await a_contact(scene, "Ann")
    await scene.settle()
    scene.configure(VISITS)
    await scene.apply_schema()
    await scene.settle()
    visit = await scene.crm_enter("new_visit", new_name="Fair", new_visitorid=to("contact", ann))
    return {visit: "visit", **await both_names(scene, Ann=ann)}


OPPORTUNITIES = "[entities.opportunity]\nenabled = true\n"
BUYERS = "[entities.contact]\nfilter = \"jobtitle == 'Buyer'\"\n"

GOLDEN = (
    Golden(an_account_and_its_people),
    Golden(an_opportunity_with_a_customer_and_a_stakeholder, OPPORTUNITIES),
    Golden(an_opportunity_won_and_a_stakeholder_gone, OPPORTUNITIES),
    Golden(a_lead_that_was_qualified),
    Golden(edits_of_both_sides),
    Golden(deletions_of_both_sides),
    Golden(contacts_merged_in_dynamics, '[matching]\nmerged_in_crm = "carry"\n'),
    Golden(people_who_leave_and_enter_the_filter, BUYERS),
    Golden(a_record_of_a_custom_table),
)


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest) -> str | None:
    """None is the default: a file beside the settings."""
    if request.param == "sqlite":
        return None
    url: str = request.getfixturevalue("postgresql_url")
    return url.replace("postgresql+psycopg://", "postgresql://")


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden.act.__name__)
async def test_the_plan_says(golden: Golden, pair: Pair, tmp_path: Path, store_url: str | None) -> None:
    name = golden.act.__name__

    async def nothing(scene: Scene) -> None:
        """The plan is what is looked at."""

    async with pair.scene(Story(name, name, nothing, settings=golden.settings), tmp_path, store_url) as scene:
        names = await golden.act(scene)
        written = [(await control.counters()).written for control in (scene.crm, scene.marketing)]
        await asyncio.sleep(0.2)
        text = await asyncio.to_thread(plan_text, scene)
        assert [(await control.counters()).written for control in (scene.crm, scene.marketing)] == written
    check_golden(f"plan_of_{name}", without_users(normalised(text, names)))


def plan_text(scene: Scene) -> str:
    result = CliRunner().invoke(app, ["plan", "--config", str(scene.settings_file)])
    assert result.exit_code == 0, result.output
    return result.stdout


async def a_contact(scene: Scene, name: str, **values: object) -> str:
    return await scene.crm_enter("contact", lastname=name, emailaddress1=f"{name.lower()}@story.example", **values)


def to(entity: str, id_: str) -> dict[str, str]:
    return {"entity": entity, "id": id_}


def owned(team: str) -> dict[str, object]:
    return {"ownerid": to("team", team)}


async def connect(scene: Scene, opportunity: str, person: str, role: str) -> str:
    roles = {row["name"]: str(row["connectionroleid"]) for row in await scene.records("crm", "connectionrole")}
    ends = {"from": to("opportunity", opportunity), "to": to("contact", person) | {"role": roles[role]}}
    return str((await scene.crm_act("connect", **ends))["id"]).lower()


async def both_names(scene: Scene, **ids: str) -> dict[str, str]:
    """A name for each record, and for the person that carries its key."""
    names = {id_: name for name, id_ in ids.items()}
    for id_, name in list(names.items()):
        person = await scene.person_of(id_)
        assert person is not None, f"{name} is not in Marketo"
        names[str(person["id"])] = f"person {name}"
    return names
