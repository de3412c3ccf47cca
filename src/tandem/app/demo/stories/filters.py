"""Filters: who is synced, when that begins, and what becomes of who leaves."""

from typing import Final

from tandem.app.demo.stories.accounts import active_users
from tandem.app.demo.stories.columns import add_column, column_of, yes_or_no
from tandem.app.demo.stories.opportunities import connect, opportunity_of, roles_of
from tandem.app.demo.stories.registry import story
from tandem.app.demo.stories.scene import Scene
from tandem.app.demo.stories.tables import make_table

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
    await add_column(scene, NATIVE_COLUMN, "Boolean", OptionSet=yes_or_no())
    await scene.crm_edit("contact", free, firstname="Still")
    await scene.settle()
    scene.check("and where it is empty", (await scene.get_person_of(free)).get("firstName") == "Still")
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
    await scene.marketing_edit((await scene.get_person_of(free))["id"], title="Buyer")
    await scene.settle()
    scene.check("nothing goes to Marketo while it is outside", (await scene.get_person_of(free)).get("phone") is None)
    scene.check("nor to Dynamics", await column_of(scene, free, "jobtitle") is None)
    for contact in (new, free):
        await scene.crm_edit("contact", contact, new_synctomkto=True)
    await scene.sync()
    scene.check("the first pass after the Yes makes who was never there", await scene.person_of(new))
    scene.check("and carries what had changed in Dynamics", (await scene.get_person_of(free)).get("phone") == "+44 1")
    scene.check("and in Marketo", await column_of(scene, free, "jobtitle") == "Buyer")


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
    before = {contact: await scene.get_person_of(contact) for contact in contacts}
    await scene.crm_edit("contact", keep, jobtitle="Private")
    await scene.settle()
    scene.check("the person stays as it was", (await scene.get_person_of(keep)).get("title") is None)
    scene.leave_apart(keep, "jobtitle", why="it is paused")
    paused = (await scene.tandem("outside", "--json")).json()["paused"]
    scene.check("it is listed", [line["crm_id"] for line in paused] == [keep])
    scene.check("since when", paused[0]["since"])
    scene.check("the reason names the filter", "jobtitle" in paused[0]["reason"])
    scene.configure(LEAVING.format(rule="flag"))
    await scene.crm_edit("contact", mark, jobtitle="Private")
    await scene.settle()
    scene.check("a person to be marked is marked", (await scene.get_person_of(mark)).get("tandemPaused") is True)
    await scene.crm_edit("contact", mark, jobtitle="Public")
    await scene.settle()
    back = await scene.get_person_of(mark)
    scene.check("the mark goes when it is back", not back.get("tandemPaused") and back.get("title") == "Public")
    scene.configure(LEAVING.format(rule="remove"))
    await scene.crm_edit("contact", remove, jobtitle="Private")
    await scene.settle()
    scene.check("a person to be removed is gone", await scene.person_of(remove) is None)
    await scene.crm_edit("contact", remove, jobtitle="Public")
    await scene.settle()
    again = await scene.get_person_of(remove)
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
    await add_column(scene, NATIVE_COLUMN, "Boolean", OptionSet=yes_or_no())
    empty = await scene.crm_enter("contact", lastname="Empty", emailaddress1="empty@story.example", new_synctomkto=None)
    await scene.settle()
    await scene.crm_edit("contact", empty, telephone1="+44 1")
    await scene.settle()
    scene.check("an empty one is copied and updated", (await scene.get_person_of(empty)).get("phone") == "+44 1")
    scene.check("nothing is paused", scene.status().outside == 0)
    scene.configure(TRAPPED)
    other = await scene.crm_enter(
        "contact", lastname="Trapped", emailaddress1="trapped@story.example", new_synctomkto=None
    )
    await scene.settle()
    await scene.crm_edit("contact", other, telephone1="+44 2")
    await scene.crm_edit("contact", empty, telephone1="+44 3")
    await scene.settle()
    scene.check("with the trap it is copied once", (await scene.get_person_of(other)).get("phone") is None)
    scene.check("and a known one goes stale", (await scene.get_person_of(empty)).get("phone") == "+44 1")
    scene.check("and both are shown as paused", scene.status().outside == 2)
    scene.check("which is no difference to be repaired", (await scene.verify()).differences == ())
    for contact in (empty, other):
        await scene.crm_edit("contact", contact, new_synctomkto=True)
    await scene.settle()
    scene.check("a Yes ends it", (await scene.get_person_of(other)).get("phone") == "+44 2")


@story(
    "filter-back",
    "Of a person outside the other filter nothing goes to Dynamics, and everything goes to Marketo",
    settings=BACK,
    rows=("N95",),
)
async def filter_back(scene: Scene) -> None:
    contact = await scene.crm_enter("contact", lastname="Quiet", emailaddress1="quiet@story.example")
    await scene.settle()
    person = (await scene.get_person_of(contact))["id"]
    await scene.marketing_edit(person, phone="quiet", title="Secret")
    await scene.crm_edit("contact", contact, lastname="Still")
    await scene.settle()
    scene.check("its edits stay in Marketo", await column_of(scene, contact, "jobtitle") is None)
    scene.check("what is edited in Dynamics arrives", (await scene.get_person_of(contact)).get("lastName") == "Still")
    scene.check("it is listed", scene.status().outside == 1)
    await scene.marketing_edit(person, phone="loud")
    await scene.settle()
    scene.check("once it passes, its edits go", await column_of(scene, contact, "jobtitle") == "Secret")


@story(
    "filter-any-column",
    "Any column of any table may say who is synced, and a workflow that says no too late is no trap",
    rows=("N95", "N100", "N101"),
)
async def filter_any_column(scene: Scene) -> None:
    await add_column(scene, "cr8ab_wanted", "Boolean", entity="lead", OptionSet=yes_or_no())
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
    scene.check("and nothing goes any more", (await scene.get_person_of(late)).get("title") is None)
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
    robot, user = (await active_users(scene))[1:3]
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
