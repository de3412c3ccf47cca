"""Filters, conflicts and deletions."""

from typing import Any, Final

from tandem.app.demo.stories.opportunities import connect, opportunity_of, roles_of
from tandem.app.demo.stories.registry import story
from tandem.app.demo.stories.scene import Row, Scene
from tandem.app.demo.stories.tables import make_table
from tandem.app.settling import settle
from tandem.core.record import Side

NATIVE_COLUMN: Final = "new_synctomkto"

NATIVE: Final = """
[entities.contact]
filter = "synctomkto"
"""

TRAPPED: Final = """
[entities.contact]
filter = "synctomkto_native"
"""

LEAVING: Final = """
[entities.contact]
filter = "jobtitle != 'Private'"
on_leave = "{rule}"
"""

BACK: Final = """
[entities.contact]
filter_to_crm = "phone != 'quiet'"
"""

ANY_COLUMN: Final = """
[entities.account]
filter = "accountnumber != '0'"
[entities.contact]
filter = "jobtitle != 'Ghost'"
[entities.lead]
filter = "cr8ab_wanted != false"
on_leave = "{rule}"
[entities.opportunity]
enabled = true
filter = "name != 'Secret'"
[entities.connection]
filter = "description != 'Secret'"
[entities.systemuser]
filter = "title != 'Robot'"
[entities.team]
filter = "name != 'Board'"
[[custom]]
table = "new_visit"
object = "visit"
filter = "new_name != 'Secret'"
[[custom.fields]]
crm = "new_name"
marketing = "title"
"""

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


async def _person(scene: Scene, crm_id: str) -> Row:
    found = await scene.person_of(crm_id)
    assert found is not None, f"nobody carries the key {crm_id}"
    return found


async def _column(scene: Scene, entity: str, id_: str, name: str) -> Any:
    return (await scene.crm_record(entity, id_) or {}).get(name)


async def _add_yes_no_column(scene: Scene, entity: str, name: str = NATIVE_COLUMN) -> None:
    def label(text: str) -> dict[str, Any]:
        named = {"@odata.type": "Microsoft.Dynamics.CRM.LocalizedLabel", "Label": text, "LanguageCode": 1033}
        return {"@odata.type": "Microsoft.Dynamics.CRM.Label", "LocalizedLabels": [named]}

    column = {
        "@odata.type": "Microsoft.Dynamics.CRM.BooleanAttributeMetadata",
        "SchemaName": name,
        "DisplayName": label("Sync to Marketo"),
        "RequiredLevel": {"Value": "None"},
        "OptionSet": {
            "@odata.type": "Microsoft.Dynamics.CRM.BooleanOptionSetMetadata",
            "TrueOption": {"Value": 1, "Label": label("Yes")},
            "FalseOption": {"Value": 0, "Label": label("No")},
        },
    }
    await scene.web_api("POST", f"EntityDefinitions(LogicalName='{entity}')/Attributes", column)


# --- filters


@story(
    "filter-entered",
    "A record that enters the filter starts at once, with everything that changed meanwhile",
    settings=NATIVE,
    rows=("N94", "N96", "N98"),
)
async def filter_entered(scene: Scene) -> None:
    free = await scene.crm_enter("contact", lastname="Free", emailaddress1="free@story.example")
    await scene.settle()
    scene.check("where the native column is absent everybody is synced", await scene.person_of(free))
    await _add_yes_no_column(scene, "contact")
    await scene.crm_edit("contact", free, firstname="Still")
    await scene.settle()
    scene.check("and where it is empty", (await _person(scene, free)).get("firstName") == "Still")
    new = await scene.crm_enter(
        "contact", lastname="Outside", emailaddress1="outside@story.example", new_synctomkto=False
    )
    said = await scene.crm_enter(
        "contact", lastname="Inside", emailaddress1="inside@story.example", new_synctomkto=True
    )
    await scene.settle()
    scene.check("a No keeps a new record out", await scene.person_of(new) is None)
    scene.check("a Yes lets it in", await scene.person_of(said))
    await scene.crm_edit("contact", free, new_synctomkto=False)
    await scene.settle()
    await scene.crm_edit("contact", free, telephone1="+44 1")
    await scene.marketing_edit((await _person(scene, free))["id"], title="Buyer")
    await scene.settle()
    scene.check("nothing goes to Marketo while it is outside", (await _person(scene, free)).get("phone") is None)
    scene.check("nor to Dynamics", await _column(scene, "contact", free, "jobtitle") is None)
    for contact in (new, free):
        await scene.crm_edit("contact", contact, new_synctomkto=True)
    await scene.sync()
    scene.check("the first pass after the Yes makes who was never there", await scene.person_of(new))
    scene.check("and carries what had changed in Dynamics", (await _person(scene, free)).get("phone") == "+44 1")
    scene.check("and in Marketo", await _column(scene, "contact", free, "jobtitle") == "Buyer")


@story(
    "filter-left",
    "Whoever leaves the filter stays as they are, visibly, until they are told to be marked or removed",
    settings=LEAVING.format(rule="keep"),
    rows=("N99",),
)
async def filter_left(scene: Scene) -> None:
    names = ("Keep", "Mark", "Remove")
    contacts = [
        await scene.crm_enter("contact", lastname=name, emailaddress1=f"{name}@story.example".lower()) for name in names
    ]
    await scene.settle()
    keep, mark, remove = contacts
    before = {contact: await _person(scene, contact) for contact in contacts}
    await scene.crm_edit("contact", keep, jobtitle="Private")
    await scene.settle()
    scene.check("the person stays as it was", (await _person(scene, keep)).get("title") is None)
    scene.leave_apart(keep, "jobtitle", why="it is paused")
    paused = (await scene.tandem("outside", "--json")).json()["paused"]
    scene.check("it is listed", [line["crm_id"] for line in paused] == [keep])
    scene.check("since when", paused[0]["since"])
    scene.check("the reason names the filter", "jobtitle" in paused[0]["reason"])
    scene.configure(LEAVING.format(rule="flag"))
    await scene.crm_edit("contact", mark, jobtitle="Private")
    await scene.settle()
    scene.check("a person to be marked is marked", (await _person(scene, mark)).get("tandemPaused") is True)
    await scene.crm_edit("contact", mark, jobtitle="Public")
    await scene.settle()
    back = await _person(scene, mark)
    scene.check("the mark goes when it is back", not back.get("tandemPaused") and back.get("title") == "Public")
    scene.configure(LEAVING.format(rule="remove"))
    await scene.crm_edit("contact", remove, jobtitle="Private")
    await scene.settle()
    scene.check("a person to be removed is gone", await scene.person_of(remove) is None)
    await scene.crm_edit("contact", remove, jobtitle="Public")
    await scene.settle()
    again = await _person(scene, remove)
    scene.check("and comes as a new one when it is back", again["id"] != before[remove]["id"])
    scene.check("the one that was kept first is removed by the new rule", await scene.person_of(keep) is None)
    scene.apart_by_rule.clear()
    scene.leave_apart(keep, why="it left the filter and was removed")


@story(
    "filter-empty-trap",
    "An empty native column counts as Yes for good, unless the native sync's trap is asked for, which is then shown",
    settings=NATIVE,
    rows=("N97",),
)
async def filter_empty_trap(scene: Scene) -> None:
    await _add_yes_no_column(scene, "contact")
    empty = await scene.crm_enter("contact", lastname="Empty", emailaddress1="empty@story.example", new_synctomkto=None)
    await scene.settle()
    await scene.crm_edit("contact", empty, telephone1="+44 1")
    await scene.settle()
    scene.check("an empty one is copied and updated", (await _person(scene, empty)).get("phone") == "+44 1")
    scene.check("nothing is paused", scene.status().outside == 0)
    scene.configure(TRAPPED)
    other = await scene.crm_enter(
        "contact", lastname="Trapped", emailaddress1="trapped@story.example", new_synctomkto=None
    )
    await scene.settle()
    await scene.crm_edit("contact", other, telephone1="+44 2")
    await scene.crm_edit("contact", empty, telephone1="+44 3")
    await scene.settle()
    scene.check("with the trap it is copied once", (await _person(scene, other)).get("phone") is None)
    scene.check("and a known one goes stale", (await _person(scene, empty)).get("phone") == "+44 1")
    scene.check("and both are shown as paused", scene.status().outside == 2)
    scene.check("which is no difference to be repaired", (await scene.verify()).differences == ())
    for contact in (empty, other):
        await scene.crm_edit("contact", contact, new_synctomkto=True)
    await scene.settle()
    scene.check("a Yes ends it", (await _person(scene, other)).get("phone") == "+44 2")


@story(
    "filter-back",
    "Of a person outside the other filter nothing goes to Dynamics, and everything goes to Marketo",
    settings=BACK,
    rows=("N95",),
)
async def filter_back(scene: Scene) -> None:
    contact = await scene.crm_enter("contact", lastname="Quiet", emailaddress1="quiet@story.example")
    await scene.settle()
    person = (await _person(scene, contact))["id"]
    await scene.marketing_edit(person, phone="quiet", title="Secret")
    await scene.crm_edit("contact", contact, lastname="Still")
    await scene.settle()
    scene.check("its edits stay in Marketo", await _column(scene, "contact", contact, "jobtitle") is None)
    scene.check("what is edited in Dynamics arrives", (await _person(scene, contact)).get("lastName") == "Still")
    scene.check("it is listed", scene.status().outside == 1)
    await scene.marketing_edit(person, phone="loud")
    await scene.settle()
    scene.check("once it passes, its edits go", await _column(scene, "contact", contact, "jobtitle") == "Secret")


@story(
    "filter-any-column",
    "Any column of any table may say who is synced, and a workflow that says no too late is no trap",
    rows=("N95", "N100", "N101"),
)
async def filter_any_column(scene: Scene) -> None:
    await _add_yes_no_column(scene, "lead", "cr8ab_wanted")
    await make_table(scene, "visit")
    scene.configure(ANY_COLUMN.format(rule="keep"))
    await scene.apply_schema()
    leads = {
        name: await scene.crm_enter("lead", lastname=name, emailaddress1=f"{name}@story.example", cr8ab_wanted=wanted)
        for name, wanted in (("wanted", True), ("unwanted", False), ("late", None))
    }
    late = leads["late"]
    await _check_every_table(scene)
    found = {name: await scene.person_of(id_) is not None for name, id_ in leads.items()}
    scene.check("a column of any prefix decides about leads", found["wanted"] and not found["unwanted"])
    scene.check("an empty column lets a lead in, for now", found["late"])
    await scene.crm_edit("lead", late, cr8ab_wanted=False, jobtitle="Unseen")
    await scene.settle()
    shown = (await scene.tandem("outside", "--json")).json()["paused"]
    scene.check("the workflow's late no stops it, in sight", [line["crm_id"] for line in shown] == [late])
    scene.check("and nothing goes any more", (await _person(scene, late)).get("title") is None)
    scene.configure(ANY_COLUMN.format(rule="remove"))
    await scene.settle()
    scene.check("by choice the person is removed", await scene.person_of(late) is None)
    for name in ("unwanted", "late"):
        scene.leave_apart(leads[name], why="its column says no")


async def _check_every_table(scene: Scene) -> None:
    """Of each kind of record one passes its filter and one does not."""
    accounts = [await scene.crm_enter("account", name=f"No {n}", accountnumber=n) for n in "10"]
    contacts = [await scene.crm_enter("contact", lastname=job, jobtitle=job) for job in ("Guest", "Ghost")]
    for name in ("Sales", "Board"):
        await scene.crm_enter("team", name=name)
    robot, user = await _active_users(scene)
    await scene.crm_edit("systemuser", robot, title="Robot")
    customer = {"entity": "account", "id": accounts[0]}
    deals = [await scene.crm_enter("opportunity", name=name, customerid=customer) for name in ("Chance", "Secret")]
    for role in ("Champion", "Influencer"):
        row = await connect(scene, deals[0], contacts[0], role)
        await scene.crm_edit("connection", row, description="Secret" if role == "Influencer" else None)
    for name in ("Fair", "Secret"):
        await scene.crm_enter("new_visit", new_name=name)
    await scene.settle()
    rows = [await scene.company_of(id_) is not None for id_ in accounts]
    scene.check("an account outside is no company", rows == [True, False])
    rows = [await scene.person_of(id_) is not None for id_ in contacts]
    scene.check("a contact outside is no person", rows == [True, False])
    rows = [await opportunity_of(scene, id_) is not None for id_ in deals]
    scene.check("an opportunity outside is none in Marketo", rows == [True, False])
    scene.check("nor is a role", {role for _, role in await roles_of(scene, deals[0])} == {"Champion"})
    salespersons = await scene.records("marketing", "salesperson")
    teams = {row.get("lastName") for row in salespersons} & {"Sales", "Board"}
    scene.check("a team outside is no sales person", teams == {"Sales"})
    users = {str(row.get("externalSalesPersonId")).lower() for row in salespersons} & {robot, user}
    scene.check("nor is a user", users == {user})
    visits = {row.get("title") for row in await scene.records("marketing", "visit")}
    scene.check("nor is a row of a custom table a custom object", visits == {"Fair"})
    for id_ in (accounts[1], contacts[1], deals[1], robot):
        scene.leave_apart(id_, why="it does not pass its filter")


async def _active_users(scene: Scene) -> list[str]:
    """Two people who work in Dynamics, and own nothing of the story."""
    rows = await scene.records("crm", "systemuser")
    return [str(row["systemuserid"]).lower() for row in rows if row["accessmode"] == 0 and not row["isdisabled"]][1:3]


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
        await scene.marketing_edit((await _person(scene, id_))["id"], **edits)
    company = await scene.company_of(account)
    assert company is not None
    await scene.marketing_edit(int(company["id"]), "company", company="Marketo tries")
    await scene.crm_edit("account", account, name="Dynamics decided")
    await scene.settle()
    for entity, id_, winner in (("lead", people["lead"], "Marketing"), ("contact", people["contact"], "Crm")):
        person = await _person(scene, id_)
        scene.check(f"the {entity} has the winner's value on both sides", person.get("title") == winner)
        scene.check(f"and so in Dynamics ({entity})", await _column(scene, entity, id_, "jobtitle") == winner)
        scene.check(f"an opt-out arrives whoever wins ({entity})", person.get("unsubscribed") is True)
        values = [(line.crm, line.marketing) for line in scene.conflicts(id_)]
        scene.check(f"both values are recorded ({entity})", ("Crm", "Marketing") in values)
    scene.check(
        "where its field says otherwise, Dynamics prevails for a lead",
        (await _person(scene, people["lead"])).get("mobilePhone") == "+2",
    )
    scene.check(
        "Dynamics decides about companies", (await scene.company_of(account) or {})["company"] == "Dynamics decided"
    )
    for id_ in people.values():
        await scene.marketing_edit((await _person(scene, id_))["id"], unsubscribed=False)
    await scene.settle()
    for entity, id_ in people.items():
        scene.check(f"an opt-out taken back stands ({entity})", (await _person(scene, id_)).get("unsubscribed") is True)
        scene.check(f"and in Dynamics ({entity})", bool(await _column(scene, entity, id_, "donotbulkemail")))


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
    await scene.marketing_edit((await _person(scene, lead))["id"], title="Second")
    await scene.marketing_edit((await _person(scene, unsure))["id"], title="Same second")
    await scene.marketing.advance_clock(60)
    await scene.marketing_edit((await _person(scene, sure))["id"], title="A minute later")
    await scene.settle()
    scene.check("the later edit is in Dynamics", await _column(scene, "contact", sure, "jobtitle") == "A minute later")
    scene.check("what nobody can tell stays", await _column(scene, "contact", unsure, "jobtitle") == "First")
    scene.check("on both sides", (await _person(scene, unsure)).get("title") == "Same second")
    values = [await _column(scene, "lead", lead, "jobtitle"), (await _person(scene, lead)).get("title")]
    scene.check("where the table holds conflicts, a lead stays as it is on both sides", values == ["First", "Second"])
    waiting = [*scene.conflicts(unsure), *scene.conflicts(lead)]
    scene.check("and waits for a person", [line.is_open for line in waiting] == [True, True])
    settle(scene.config, [line.number for line in waiting], Side.MARKETING)
    await scene.settle()
    scene.check("who decides for Marketo", await _column(scene, "contact", unsure, "jobtitle") == "Same second")
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
        await scene.marketing_delete((await _person(scene, id_))["id"])
    await scene.settle()
    scene.check("the contact stays, marked", bool(await _column(scene, "contact", marked, "new_deletedinmarketo")))
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
    before = await _person(scene, contact)
    for id_ in (contact, lead):
        await scene.marketing_delete((await _person(scene, id_))["id"])
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
    await scene.marketing_delete((await _person(scene, in_marketing))["id"])
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
    scene.check("whoever is there goes on", (await _person(scene, both)).get("title") == "Edited too")
    scene.leave_apart(in_marketing, why="its person was deleted in Marketo")
