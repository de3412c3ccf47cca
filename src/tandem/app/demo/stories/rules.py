"""Conflicts and deletions."""

from typing import Final

from tandem.app.demo.stories.columns import column_of
from tandem.app.demo.stories.registry import story
from tandem.app.demo.stories.scene import Scene
from tandem.app.settling import settle
from tandem.core.record import Side

HOLDING: Final = """
[entities.contact]
winner = "newest"
[entities.lead]
winner = "hold"
"""

AGED: Final = """
[entities.lead]
create_in_crm = "lead"
"""

_MONTH_S: Final = 31 * 86_400
"""Longer than Dynamics keeps a change token (7 days) and Marketo its deletions (14 days)."""

RECREATE: Final = """
[entities.contact]
deleted_in_marketing = "recreate"
"""

FLAG: Final = """
[entities.contact]
deleted_in_marketing = "flag"
deleted_in_marketing_column = "new_deletedinmarketo"
"""


# --- conflicts


@story(
    "opt-out-conflict",
    "Marketo wins for leads and Dynamics for contacts, but nobody wins over an opt-out",
    settings='[[entities.lead.fields]]\ncrm = "mobilephone"\nwinner = "crm"\n',
    rows=("N13", "N14"),
)
async def opt_out_conflict(scene: Scene) -> None:
    people = {
        entity: await scene.crm_enter(entity, lastname=f"Rival {entity}", emailaddress1=f"{entity}@story.example")
        for entity in ("lead", "contact")
    }
    account = await scene.crm_enter("account", name="Dynamics decides")
    await scene.settle()
    for entity, id_ in people.items():
        await scene.crm_edit(entity, id_, jobtitle="Crm", mobilephone="+2", donotbulkemail=True)
        edits = {"title": "Marketing", "phone": "+1", "mobilePhone": "+1"}
        await scene.marketing_edit((await scene.get_person_of(id_))["id"], **edits)
    company = await scene.company_of(account)
    assert company is not None
    await scene.marketing_edit(int(company["id"]), "company", company="Marketo tries")
    await scene.crm_edit("account", account, name="Dynamics decided")
    await scene.settle()
    for entity, id_, winner in (("lead", people["lead"], "Marketing"), ("contact", people["contact"], "Crm")):
        person = await scene.get_person_of(id_)
        scene.check(f"the {entity} has the winner's value on both sides", person.get("title") == winner)
        scene.check(f"and so in Dynamics ({entity})", await column_of(scene, id_, "jobtitle", entity=entity) == winner)
        scene.check(f"an opt-out arrives whoever wins ({entity})", person.get("unsubscribed") is True)
        values = [(line.crm, line.marketing) for line in scene.conflicts(id_)]
        scene.check(f"both values are recorded ({entity})", ("Crm", "Marketing") in values)
    scene.check(
        "where its field says otherwise, Dynamics prevails for a lead",
        (await scene.get_person_of(people["lead"])).get("mobilePhone") == "+2",
    )
    scene.check(
        "Dynamics decides about companies", (await scene.company_of(account) or {})["company"] == "Dynamics decided"
    )
    for id_ in people.values():
        await scene.marketing_edit((await scene.get_person_of(id_))["id"], unsubscribed=False)
    await scene.settle()
    for entity, id_ in people.items():
        scene.check(
            f"an opt-out taken back stands ({entity})", (await scene.get_person_of(id_)).get("unsubscribed") is True
        )
        scene.check(f"and in Dynamics ({entity})", bool(await column_of(scene, id_, "donotbulkemail", entity=entity)))


@story(
    "newest-wins",
    "Where it is asked for and can be proved, the later edit wins; where it cannot, the field is held",
    settings=HOLDING,
    rows=("N13", "N14"),
)
async def newest_wins(scene: Scene) -> None:
    sure = await scene.crm_enter("contact", lastname="Sure", emailaddress1="sure@story.example")
    unsure = await scene.crm_enter("contact", lastname="Unsure", emailaddress1="unsure@story.example")
    lead = await scene.crm_enter("lead", lastname="Held", emailaddress1="held@story.example")
    await scene.settle()
    for contact in (sure, unsure):
        await scene.crm_edit("contact", contact, jobtitle="First")
    await scene.crm_edit("lead", lead, jobtitle="First")
    await scene.marketing_edit((await scene.get_person_of(lead))["id"], title="Second")
    await scene.marketing_edit((await scene.get_person_of(unsure))["id"], title="Same second")
    await scene.marketing.advance_clock(60)
    await scene.marketing_edit((await scene.get_person_of(sure))["id"], title="A minute later")
    await scene.settle()
    scene.check("the later edit is in Dynamics", await column_of(scene, sure, "jobtitle") == "A minute later")
    scene.check("what nobody can tell stays", await column_of(scene, unsure, "jobtitle") == "First")
    scene.check("on both sides", (await scene.get_person_of(unsure)).get("title") == "Same second")
    values = [await column_of(scene, lead, "jobtitle", entity="lead"), (await scene.get_person_of(lead)).get("title")]
    scene.check("where the table holds conflicts, a lead stays as it is on both sides", values == ["First", "Second"])
    waiting = [*scene.conflicts(unsure), *scene.conflicts(lead)]
    scene.check("and waits for a person", [line.is_open for line in waiting] == [True, True])
    settle(scene.config, [line.number for line in waiting], Side.MARKETING)
    await scene.settle()
    scene.check("who decides for Marketo", await column_of(scene, unsure, "jobtitle") == "Same second")
    scene.check("then nothing waits", not any(line.is_open for line in scene.conflicts(unsure)))


# --- deletions


@story("deleted-in-crm", "A record is deleted in Dynamics: its person stays, marked", rows=("N61", "N62"))
async def deleted_in_crm(scene: Scene) -> None:
    people = {
        entity: await scene.crm_enter(entity, lastname=f"Gone {entity}", emailaddress1=f"gone.{entity}@story.example")
        for entity in ("lead", "contact")
    }
    await scene.settle()
    for entity, id_ in people.items():
        await scene.crm_delete(entity, id_)
    await scene.settle()
    for entity, id_ in people.items():
        person = await scene.person_of(id_)
        scene.check(f"the person of the {entity} stays", person)
        scene.check(f"the person of the {entity} is marked", person and person.get("microsoftIsDeleted") is True)
    for person in await scene.people():
        await scene.marketing_edit(person["id"], title="Edited later")
    await scene.settle()
    scene.check("an edit of the person makes no new lead", not await scene.records("crm", "lead"))
    scene.check("nor a contact", not await scene.records("crm", "contact"))
    marked = [person["id"] for person in await scene.people() if person.get("microsoftIsDeleted")]
    campaign = await scene.marketing.create("campaign", {"name": "Gone in Dynamics", "flow": [{"step": "delete"}]})
    await scene.marketing_act("run-flow", ids=marked, campaign=int(campaign))
    await scene.settle()
    scene.check("a campaign may delete the person by its mark", not await scene.people())


@story(
    "deleted-in-marketing-then-edited",
    "A person is deleted in Marketo: its record stays and is marked where that is asked for, and nobody comes back",
    settings=FLAG,
    rows=("N63", "N64"),
)
async def deleted_in_marketing(scene: Scene) -> None:
    await scene.apply_schema()
    marked = await scene.crm_enter("contact", lastname="Marked", emailaddress1="marked@story.example")
    lead = await scene.crm_enter("lead", lastname="Kept", emailaddress1="kept@story.example")
    await scene.settle()
    for id_ in (marked, lead):
        await scene.marketing_delete((await scene.get_person_of(id_))["id"])
    await scene.settle()
    scene.check("the contact stays, marked", bool(await column_of(scene, marked, "new_deletedinmarketo")))
    scene.check("the lead stays", await scene.crm_record("lead", lead))
    await scene.crm_edit("contact", marked, jobtitle="Edited later")
    await scene.crm_edit("lead", lead, jobtitle="Edited later")
    await scene.settle()
    scene.check("an edit brings nobody back", not await scene.people())
    for id_ in (marked, lead):
        scene.leave_apart(id_, why="its person was deleted in Marketo")


@story(
    "resurrect-by-choice",
    "A person deleted in Marketo is made again from Dynamics, because the settings ask for it",
    settings=RECREATE,
    rows=("N64",),
)
async def resurrect_by_choice(scene: Scene) -> None:
    contact = await scene.crm_enter("contact", lastname="Phoenix", emailaddress1="phoenix@story.example")
    lead = await scene.crm_enter("lead", lastname="Ash", emailaddress1="ash@story.example")
    await scene.settle()
    before = await scene.get_person_of(contact)
    for id_ in (contact, lead):
        await scene.marketing_delete((await scene.get_person_of(id_))["id"])
    await scene.settle()
    await scene.crm_edit("contact", contact, jobtitle="Back")
    await scene.settle()
    again = await scene.person_of(contact) or {}
    scene.check("it is back, with a new id", again and again["id"] != before["id"])
    scene.check("and what Dynamics holds", again.get("lastName") == "Phoenix" and again.get("title") == "Back")
    scene.check("there is one of it", len(await scene.people_with("phoenix@story.example")) == 1)
    scene.check("the lead, whose table does not ask, is not back", await scene.person_of(lead) is None)
    scene.leave_apart(lead, why="its person was deleted in Marketo")


@story(
    "deleted-beyond-retention",
    "A deletion outlives what the feeds remember: weeks later a full read brings nobody back, on either side",
    settings=AGED,
)
async def deleted_beyond_retention(scene: Scene) -> None:
    in_marketing = await scene.crm_enter("contact", lastname="Erased", emailaddress1="erased@story.example")
    in_crm = await scene.crm_enter("contact", lastname="Removed", emailaddress1="removed@story.example")
    both = await scene.crm_enter("contact", lastname="Stays", emailaddress1="stays@story.example")
    await scene.settle()
    await scene.marketing_delete((await scene.get_person_of(in_marketing))["id"])
    await scene.crm_delete("contact", in_crm)
    await scene.settle()
    before = {person["id"] for person in await scene.people()}
    for side in (scene.crm, scene.marketing):
        await side.advance_clock(_MONTH_S)
    await scene.crm_edit("contact", in_marketing, jobtitle="Edited much later")
    await scene.crm_edit("contact", both, jobtitle="Edited too")
    await scene.settle()
    scene.check("nobody came back in Marketo", {person["id"] for person in await scene.people()} == before)
    scene.check("nor in Dynamics", len(await scene.records("crm", "contact")) == 2)
    scene.check("whoever is there goes on", (await scene.get_person_of(both)).get("title") == "Edited too")
    scene.leave_apart(in_marketing, why="its person was deleted in Marketo")
