"""Custom tables as custom objects, switched on and off while everything runs."""

from datetime import timedelta
from typing import Final

from tandem.app.demo.stories.registry import story
from tandem.app.demo.stories.scene import Row, Scene, at
from tandem.app.demo.stories.tables import make_lookup, make_pairs, make_table, put_together, take_apart
from tandem.app.demo.stories.visits import VISITS, VISITS_WATCH, make_table_of_visits
from tandem.app.demo.stories.watch import Watch
from tandem.app.demo.world import MARKETING, Pair
from tandem.app.system import SystemClock

SWEPT_AT_ONCE: Final = "[run]\nid_sweep_interval_s = 0.01\n"


def custom_watch(table: str, object_: str, *pairs: Pair) -> Watch:
    return Watch(table, object_, "crmId", pairs)


async def shown(scene: Scene, object_: str, id_: str) -> Row:
    """What Marketo holds of a record; nothing where there is none."""
    return await scene.object_of(object_, "crmId", id_) or {}


async def has_object(scene: Scene, name: str) -> bool:
    """Whether Marketo has a custom object of this name."""
    answer = await scene.rest("GET", f"/rest/v1/customobjects.json?names={name}")
    return [each["name"] for each in answer["result"]] == [name]


async def person_number(scene: Scene, record: str) -> int:
    """Marketo's number of a lead's or a contact's person."""
    person = await scene.person_of(record)
    return int(person["id"]) if person else 0


def links_to(row: Row, field: str) -> int:
    """The person's number; 0 where it is empty or something else."""
    shown = str(row.get(field) or "")
    return int(shown) if shown.isdecimal() else 0


async def _make_visits(scene: Scene) -> tuple[str, str, str]:
    """A table of visits, two contacts, a visit of nobody that is two hours old, and one of the first contact."""
    await make_table_of_visits(scene)
    now = SystemClock().now()
    await scene.crm.set_clock(now - timedelta(hours=2))
    await scene.crm_enter("new_visit", new_name="Open day")
    await scene.crm.set_clock(now)
    ann = await scene.crm_enter("contact", lastname="Ann", emailaddress1="ann@visit.example")
    bob = await scene.crm_enter("contact", lastname="Bob", emailaddress1="bob@visit.example")
    visit = await scene.crm_enter("new_visit", new_name="Fair", new_visitorid=at("contact", ann))
    return ann, bob, visit


@story(
    "custom-entity-live",
    "A custom table is switched on, off and on again while everything runs",
    rows=("N12", "N36", "N39", "N40", "N41", "N42", "N45", "N129"),
    watches=(VISITS_WATCH,),
)
async def custom_entity_live(scene: Scene) -> None:
    ann, bob, visit = await _make_visits(scene)
    await scene.settle()
    scene.configure(VISITS)
    await scene.crm_edit("contact", ann, jobtitle="Director")
    await scene.settle()
    waiting = [line.remedy for line in scene.status().quarantined if line.entity == "new_visit"]
    scene.check("until its object is made the table waits, in sight", "tandem schema apply" in "".join(waiting))
    scene.check("and the rest goes on", (await scene.person_of(ann) or {}).get("title") == "Director")
    planned = await scene.plan_schema()
    scene.check("the plan shows the object that Marketo lacks", [new.name for new in planned.objects] == ["visit"])
    links = [field.link for new in planned.objects for field in new.fields if field.name == "visitor"]
    scene.check("its lookup of contacts is to be a link to people", links == ["person.id"])
    scene.check("nothing is made by the plan", not await has_object(scene, "visit"))
    await scene.apply_schema()
    await scene.settle()
    titles = {str(row["title"]) for row in await scene.records(MARKETING, "visit")}
    scene.check("what was there comes in a full load", titles == {"Open day", "Fair"})
    row, number = await shown(scene, "visit", visit), await person_number(scene, ann)
    scene.check("a visit is tied to its person", links_to(row, "visitor") == number)
    await scene.crm_edit("new_visit", visit, new_name="Exhibition", new_visitorid=at("contact", bob))
    await scene.settle()
    row, number = await shown(scene, "visit", visit), await person_number(scene, bob)
    scene.check("an edit arrives", row.get("title") == "Exhibition" and links_to(row, "visitor") == number)
    described = await scene.rest("GET", "/rest/v1/customobjects/visit/describe.json")
    fields = {field["name"] for field in described["result"][0]["fields"]}
    scene.check("every column that is shown is a field of it", {"crmId", "title", "visitor"} <= fields)
    searchable = [name for names in described["result"][0]["searchableFields"] for name in names]
    scene.check("it is found by its key and by its person", {"crmId", "visitor"} <= set(searchable))

    month = {"startAt": "2026-01-01T00:00:00Z", "endAt": "2026-01-30T00:00:00Z"}
    wanted = {"fields": ["crmId", "title"], "filter": {"updatedAt": month}}
    answer = await scene.rest("POST", "/bulk/v1/customobjects/visit/export/create.json", wanted)
    scene.check("it can be extracted in bulk, as it is nobody's but Marketo's", answer["success"])

    scene.configure()
    await scene.crm_edit("new_visit", visit, new_name="Edited while off")
    late = await scene.crm_enter("new_visit", new_name="Made while off")
    gone = await scene.crm_enter("new_visit", new_name="Made and deleted while off")
    await scene.crm_delete("new_visit", gone)
    await scene.settle()
    row = await shown(scene, "visit", visit)
    scene.check("switched off, the table is left alone", row.get("title") == "Exhibition")
    scene.check("and nothing is deleted", len(await scene.records(MARKETING, "visit")) == 2)
    scene.configure(VISITS)
    await scene.settle()
    row = await shown(scene, "visit", visit)
    scene.check("switched on again, it goes on where it was", row.get("title") == "Edited while off")
    scene.check("with what was made meanwhile", (await shown(scene, "visit", late)).get("title") == "Made while off")
    await scene.crm_delete("new_visit", late)
    await scene.settle()
    scene.check("a deletion arrives", await shown(scene, "visit", late) == {})


CHAIN: Final = """
[[custom]]
table = "new_event"
object = "event"
[[custom.fields]]
crm = "new_name"
marketing = "title"
[[custom.fields]]
crm = "new_guestid"
marketing = "person"

[[custom]]
table = "new_session"
object = "eventSession"
[[custom.fields]]
crm = "new_name"
marketing = "title"
[[custom.fields]]
crm = "new_eventid"
marketing = "event"
[[custom.fields]]
crm = "new_eventid.new_guestid"
marketing = "person"

[[custom]]
table = "new_talk"
object = "talk"
[[custom.fields]]
crm = "new_name"
marketing = "title"
[[custom.fields]]
crm = "new_sessionid"
marketing = "eventSession"
[[custom.fields]]
crm = "new_sessionid.new_eventid.new_guestid"
marketing = "person"
[[custom.fields]]
crm = "new_sessionid.new_name"
marketing = "sessionTitle"
"""


@story(
    "custom-entity-three-levels",
    "A talk of a session of an event belongs to the event's person, and follows it to another one",
    rows=("N36", "N37", "N43", "N45"),
    watches=(
        custom_watch("new_event", "event", Pair("new_name", "title")),
        custom_watch("new_session", "eventSession", Pair("new_name", "title"), Pair("new_eventid", "event")),
        custom_watch("new_talk", "talk", Pair("new_name", "title"), Pair("new_sessionid", "eventSession")),
    ),
)
async def custom_entity_three_levels(scene: Scene) -> None:
    for name, column, target in (
        ("event", "new_GuestId", "lead"),
        ("session", "new_EventId", "new_event"),
        ("talk", "new_SessionId", "new_session"),
    ):
        await make_table(scene, name)
        await make_lookup(scene, f"new_{name}", column, target)
    await make_lookup(scene, "new_talk", "new_SpeakerId", "lead")
    scene.configure(CHAIN)
    await scene.apply_schema()
    ann = await scene.crm_enter("lead", lastname="Ann", emailaddress1="ann@event.example")
    bob = await scene.crm_enter("lead", lastname="Bob", emailaddress1="bob@event.example")
    event = await scene.crm_enter("new_event", new_name="Congress", new_guestid=at("lead", ann))
    session = await scene.crm_enter("new_session", new_name="Morning", new_eventid=at("new_event", event))
    talk = await scene.crm_enter(
        "new_talk", new_name="Opening", new_sessionid=at("new_session", session), new_speakerid=at("lead", bob)
    )
    await scene.sync()
    scene.check("the first copy brings them along with the people", await shown(scene, "event", event))
    await scene.settle()
    levels = (("event", event), ("eventSession", session), ("talk", talk))

    async def people_shown() -> list[int]:
        return [links_to(await shown(scene, object_, id_), "person") for object_, id_ in levels]

    number = await person_number(scene, ann)
    scene.check("all three levels are linked to the event's person", await people_shown() == [number] * 3)
    speaker = await person_number(scene, bob)
    row = await shown(scene, "talk", talk)
    scene.check("by the path of the settings, and not by the nearer one", links_to(row, "person") not in (0, speaker))
    scene.check("the third level names its parent by key", str(row.get("eventSession")).lower() == session)
    scene.check("and shows a field of it", row.get("sessionTitle") == "Morning")

    await scene.crm_edit("new_event", event, new_guestid=at("lead", bob))
    await scene.crm_edit("new_session", session, new_name="Afternoon")
    await scene.settle()
    number = await person_number(scene, bob)
    scene.check("when the event moves to another person, its children follow", await people_shown() == [number] * 3)
    row = await shown(scene, "talk", talk)
    scene.check("a changed field of the parent is shown by the child", row.get("sessionTitle") == "Afternoon")

    other = await scene.crm_enter("new_event", new_name="Nobody's")
    await scene.crm_edit("new_session", session, new_eventid=at("new_event", other))
    await scene.settle()
    scene.check("a session of an event without a person has none", await people_shown() == [number, 0, 0])
    await scene.crm_edit("new_event", other, new_guestid=at("lead", ann))
    await scene.settle()
    first = await person_number(scene, ann)
    scene.check("and gets one with its event", await people_shown() == [number, first, first])


INTERESTS: Final = """
[[custom]]
table = "new_topic"
object = "topic"
[[custom.fields]]
crm = "new_name"
marketing = "title"

[[custom]]
table = "new_interest"
object = "interest"
[[custom.fields]]
crm = "contactid"
marketing = "person"
[[custom.fields]]
crm = "new_topicid"
marketing = "topic"

[[custom]]
table = "teammembership"
object = "teamMember"
[[custom.fields]]
crm = "teamid"
marketing = "team"
[[custom.fields]]
crm = "systemuserid"
marketing = "salesPerson"
[[custom.fields]]
crm = "teamid.name"
marketing = "teamName"
"""


@story(
    "many-to-many",
    "Many contacts have many topics: a bridge object links both, and pairs come and go",
    rows=("N10", "N12"),
    watches=(
        custom_watch("new_topic", "topic", Pair("new_name", "title")),
        Watch("new_interest", "interest", "crmId", (Pair("new_topicid", "topic"),)),
        Watch("teammembership", "teamMember", "crmId", (Pair("teamid", "team"), Pair("systemuserid", "salesPerson"))),
    ),
)
async def many_to_many(scene: Scene) -> None:
    await make_table(scene, "topic")
    await make_pairs(scene, "new_interest", "contact", "new_topic")
    scene.configure(INTERESTS + SWEPT_AT_ONCE)
    await scene.apply_schema()
    ann = await scene.crm_enter("contact", lastname="Ann", emailaddress1="ann@topic.example")
    bob = await scene.crm_enter("contact", lastname="Bob", emailaddress1="bob@topic.example")
    art = await scene.crm_enter("new_topic", new_name="Art")
    music = await scene.crm_enter("new_topic", new_name="Music")
    for contact, topic in ((ann, art), (ann, music), (bob, art)):
        await put_together(scene, "new_interest", ("contact", contact), ("new_topic", topic))
    await scene.settle()

    async def interests() -> set[tuple[int, str]]:
        rows = await scene.records(MARKETING, "interest")
        return {(int(row["person"]), str(row["topic"]).lower()) for row in rows}

    one, other = await person_number(scene, ann), await person_number(scene, bob)
    scene.check("each pair is a bridge between both", await interests() == {(one, art), (one, music), (other, art)})
    await take_apart(scene, "new_interest", ("contact", ann), ("new_topic", art))
    await put_together(scene, "new_interest", ("contact", bob), ("new_topic", music))
    await scene.settle()
    wanted = {(one, music), (other, art), (other, music)}
    scene.check("a pair that goes and one that comes are found by their ids", await interests() == wanted)

    team = await scene.crm_enter("team", name="Harbour sales")
    user = str((await scene.records("crm", "systemuser"))[0]["systemuserid"]).lower()
    await scene.crm_act("join_team", team=team, user=user)
    await scene.settle()
    rows = [row for row in await scene.records(MARKETING, "teamMember") if str(row["team"]).lower() == team]
    scene.check(
        "the members of a team are records that name the team and the user",
        [(str(row["salesPerson"]).lower(), row["teamName"]) for row in rows] == [(user, "Harbour sales")],
    )
    await scene.crm_act("leave_team", team=team, user=user)
    await scene.settle()
    rows = [row for row in await scene.records(MARKETING, "teamMember") if str(row["team"]).lower() == team]
    scene.check("who leaves the team is no member any more", rows == [])


@story(
    "table-without-tracking",
    "A table whose changes Dynamics does not track: deletions by comparing ids, until tracking is switched on",
    rows=("N12",),
    watches=(VISITS_WATCH,),
)
async def table_without_tracking(scene: Scene) -> None:
    await make_table_of_visits(scene, is_tracked=False)
    first = await scene.crm_enter("new_visit", new_name="First")
    second = await scene.crm_enter("new_visit", new_name="Second")
    scene.configure(VISITS + SWEPT_AT_ONCE)
    planned = await scene.plan_schema()
    scene.check("the plan offers to switch change tracking on", "new_visit" in planned.untracked)
    await scene.apply_schema()
    await scene.settle()
    scene.check("both records are there", len(await scene.records(MARKETING, "visit")) == 2)
    definition = "EntityDefinitions(LogicalName='new_visit')?$select=ChangeTrackingEnabled"
    tracked = (await scene.web_api("GET", definition))["ChangeTrackingEnabled"]
    scene.check("nothing switches it on that was not asked to", tracked is False)
    await scene.crm_edit("new_visit", first, new_name="First, edited")
    await scene.crm_delete("new_visit", second)
    await scene.settle()
    scene.check("an edit arrives", (await shown(scene, "visit", first)).get("title") == "First, edited")
    scene.check("a deletion is found by comparing ids", await shown(scene, "visit", second) == {})

    scene.configure(VISITS)
    told = await scene.tandem("schema", "apply", "--track", "new_visit", "--json")
    scene.check("it is switched on when asked for", told.status == 0)
    tracked = (await scene.web_api("GET", definition))["ChangeTrackingEnabled"]
    scene.check("and is on", tracked is True)
    await scene.crm_edit("new_visit", first, new_name="First, edited again")
    await scene.settle()
    scene.check("the records go on", (await shown(scene, "visit", first)).get("title") == "First, edited again")
    third = await scene.crm_enter("new_visit", new_name="Third")
    await scene.settle()
    await scene.crm_delete("new_visit", third)
    await scene.settle()
    scene.check("a deletion is told by the feed from now on", await shown(scene, "visit", third) == {})


LISTS: Final = """
[[custom]]
table = "list"
object = "marketingList"
[[custom.fields]]
crm = "listname"
marketing = "title"

[[custom]]
table = "listmember"
object = "listMember"
[[custom.fields]]
crm = "listid"
marketing = "marketingList"
[[custom.fields]]
crm = "entityid"
marketing = "member"
"""


@story(
    "marketing-lists",
    "Marketing lists and their members, which the native sync does not know",
    rows=("N46",),
    watches=(
        custom_watch("list", "marketingList", Pair("listname", "title")),
        Watch("listmember", "listMember", "crmId", (Pair("listid", "marketingList"), Pair("entityid", "member"))),
    ),
)
async def marketing_lists(scene: Scene) -> None:
    scene.configure(LISTS + SWEPT_AT_ONCE)
    await scene.apply_schema()
    are_there = [await has_object(scene, name) for name in ("marketingList", "listMember")]
    scene.check("lists and their members are objects of Marketo", all(are_there))
    ann = await scene.crm_enter("contact", lastname="Ann", emailaddress1="ann@list.example")
    fair = await scene.crm_enter("list", listname="Fair", type=False, createdfromcode=2)
    await scene.crm_act("add_to_list", list=fair, member=ann)
    await scene.settle()

    async def members() -> set[tuple[str, str]]:
        rows = await scene.records(MARKETING, "listMember")
        return {(str(row["marketingList"]).lower(), str(row["member"]).lower()) for row in rows}

    scene.check("the list is shown", (await shown(scene, "marketingList", fair)).get("title") == "Fair")
    scene.check("and so is who is on it", (fair, ann) in await members())
    await scene.crm_act("remove_from_list", list=fair, member=ann)
    await scene.settle()
    scene.check("who is taken off it is gone", (fair, ann) not in await members())


LONG_TABLE: Final = "new_visitofeverybodytoeveryfairofthisyear"
LONG_OBJECT: Final = "visitOfEverybody" + 7 * "AndEverybody"
"""Its length is the longest that the settings take."""

LONG: Final = f"""
[[custom]]
table = "{LONG_TABLE}"
object = "{LONG_OBJECT}"
label = "Visit of everybody to every fair of this year"
[[custom.fields]]
crm = "new_name"
marketing = "title"
[[custom.fields]]
crm = "new_hostid"
marketing = "host"
"""


async def _reading(scene: Scene, table: str) -> str:
    """The name of the privilege to read a table."""
    definition = await scene.web_api("GET", f"EntityDefinitions(LogicalName='{table}')?$select=Privileges")
    return next(str(one["Name"]) for one in definition["Privileges"] if one["PrivilegeType"] == "Read")


@story(
    "custom-entity-limits",
    "A long name, a link to a company, and a table that may not be read",
    rows=("N36", "N38", "N44"),
    watches=(custom_watch(LONG_TABLE, LONG_OBJECT, Pair("new_name", "title")),),
)
async def custom_entity_limits(scene: Scene) -> None:
    await make_table(scene, LONG_TABLE.removeprefix("new_"))
    await make_lookup(scene, LONG_TABLE, "new_HostId", "account")
    scene.configure(LONG)
    await scene.apply_schema()
    scene.check(
        f"a table of {len(LONG_TABLE)} letters becomes an object of {len(LONG_OBJECT)}",
        min(len(LONG_TABLE), len(LONG_OBJECT)) > 33 and await has_object(scene, LONG_OBJECT),
    )
    host = await scene.crm_enter("account", name="Harbour Works")
    visit = await scene.crm_enter(LONG_TABLE, new_name="Fair", new_hostid=at("account", host))
    await scene.settle()
    row, company = await shown(scene, LONG_OBJECT, visit), await scene.company_of(host) or {}
    scene.check("whose records arrive", row.get("title") == "Fair")
    scene.check("and are tied to the company of their account", links_to(row, "host") == company.get("id"))
    privilege = await _reading(scene, LONG_TABLE)
    await scene.crm.revoke(privilege)
    told = await scene.tandem("check", "--json")
    await scene.crm.grant(privilege)
    lines = [line for line in told.json()["access"] if LONG_TABLE in line["what"] and not line["is_ok"]]
    scene.check("a table that may not be read is named", lines)
    scene.check("with the privilege that is missing", lines and all(privilege in line["remedy"] for line in lines))
    scene.check("and it fails the check", told.status == 2)
