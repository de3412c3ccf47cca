"""What a Marketo flow step asks for, and records pushed by hand."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from tandem.app.demo.stories.registry import story
from tandem.app.demo.stories.scene import Row, Scene
from tandem.app.demo.stories.watch import Watch
from tandem.app.demo.world import CRM, Pair
from tandem.app.push import push
from tandem.app.request_reports import Wish
from tandem.app.requests import requests

_SECRET: Final = "only the story knows it"
_WAIT_S: Final = 30.0
_SETTLED_S: Final = 2.0
"""After this a call whose answer was lost can no longer land (``crm.settle_s`` of a scene)."""
_PERSON: Final = {"firstName": "Hooked", "lastName": "Person", "company": "Hook Works"}
_REFUSAL: Final = {"error": {"code": "0x80040265", "message": "The plug-in says no."}}


@asynccontextmanager
async def serving(scene: Scene) -> AsyncIterator[str]:
    """`tandem run` with its webhooks on a free port, and a pause between passes that no story outlives: gives the
    address of the hooks."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    scene.configure(f'[webhooks]\nlisten = "127.0.0.1:{port}"\n[run]\npass_interval_s = 600.0\n')
    async with scene.running("run", environment={"TANDEM_WEBHOOK_SECRET": _SECRET}):
        await _until(lambda: _listens(port))
        await _until(lambda: _has_passed(scene))
        yield f"http://127.0.0.1:{port}/hooks"
    scene.configure()


async def call(scene: Scene, base: str, person: int, deed: str, **fields: str) -> None:
    """A trigger campaign with the one flow step Call Webhook, and a person who runs into it. The payload is a form: in
    JSON a text token brings its own quotes along, so that it cannot stand within a text."""
    named = {"id": "{{lead.Id}}", **{name.rstrip("_"): text for name, text in fields.items()}}
    hook = {
        "step": "call_webhook",
        "name": deed,
        "url": f"{base}/{deed}",
        "payload": "&".join(f"{name}={text}" for name, text in named.items()),
        "encoding": "Form/Url",
        "headers": {"Authorization": f"Bearer {_SECRET}"},
        "mappings": {"leadRole": "outcome"},
    }
    campaign = await scene.marketing.create("campaign", {"name": f"{deed} {uuid4()}", "flow": [hook]})
    await scene.marketing_act("run-flow", ids=[person], campaign=int(campaign))


async def _told(scene: Scene, person: int) -> str:
    """What the hook's answer put into the person's field; Marketo takes answers in with whatever happens next."""
    await scene.rest("GET", "/rest/v1/campaigns.json")
    people = {row["id"]: row for row in await scene.people()}
    return str(people[person].get("leadRole") or "")


async def _until(is_so: Callable[[], Awaitable[object]]) -> bool:
    """Whether it came to be so in time."""
    try:
        async with asyncio.timeout(_WAIT_S):
            while not await is_so():  # noqa: ASYNC110 - other processes make it so
                await asyncio.sleep(0.1)
    except TimeoutError:
        return False
    return True


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def _has_passed(scene: Scene) -> bool:
    return scene.status().last_pass_at is not None


async def _records_of(scene: Scene, email: str) -> list[tuple[str, Row]]:
    """Leads and contacts with this address."""
    return [
        (entity, row)
        for entity in ("lead", "contact")
        for row in await scene.records(CRM, entity)
        if row.get("emailaddress1") == email
    ]


# --- the stories


@story(
    "push-by-webhook",
    "A flow step makes a person a lead in Dynamics, at once",
    rows=("N16", "N17", "N18", "N21", "N22", "N60"),
)
async def push_by_webhook(scene: Scene) -> None:
    email, known = "hooked@story.example", "known@story.example"
    person = await scene.marketing_enter(email=email, **_PERSON)
    double = await scene.marketing_enter(email=known, **_PERSON)
    await scene.settle()
    scene.check("nobody is made in Dynamics unasked", not await _records_of(scene, email))
    owner = (await scene.records(CRM, "systemuser"))[1]
    async with serving(scene) as base:
        await call(scene, base, person, "sync-person", owner=owner["internalemailaddress"])
        is_there = await _until(lambda: _records_of(scene, email))
        scene.check("the lead is there long before the next pass is due", is_there)
        await _until(lambda: _told(scene, person))
        scene.check("the flow step was told what would happen", await _told(scene, person) == "will be created")
        lead = str((await _records_of(scene, email))[0][1]["leadid"])
        await scene.crm_edit("lead", lead, firstname="Typed in Dynamics")
        await call(scene, base, person, "sync-person", as_="contact")
        await _until(lambda: _is_told(scene, person, "exists already"))
        scene.check("the step's repetition is told so", await _told(scene, person) == "exists already")
        is_carried = await _until(lambda: _is_called(scene, person, "Typed in Dynamics"))
        scene.check("and changes nothing: what Dynamics changed goes to Marketo as ever", is_carried)
        await scene.crm_edit("lead", lead, lastname="Renamed in Dynamics")
        await call(scene, base, person, "sync-person", force="true")
        is_back = await _until(lambda: _has_last_name(scene, lead, "Person"))
        scene.check("by force the step carries the person's values again", is_back)
        await scene.crm_enter("lead", lastname="Known", emailaddress1=known)
        await call(scene, base, double, "sync-person")
        await _until(lambda: _is_told(scene, double, "refused"))
    scene.check("who is in Dynamics already is not made again", len(await _records_of(scene, known)) == 1)
    found = await _records_of(scene, email)
    scene.check("it is one lead", [entity for entity, _ in found] == ["lead"])
    scene.check("it belongs to the user that was named", [r["ownerid"] for _, r in found] == [owner["systemuserid"]])
    scene.check("it has the person's values", [r["lastname"] for _, r in found] == ["Person"])
    await scene.settle()
    carriers = [row["id"] for _, record in found for row in await scene.people_of(str(record["leadid"]))]
    scene.check("the person carries its key", carriers == [person])


async def _is_called(scene: Scene, person: int, first_name: str) -> bool:
    return any(row["id"] == person and row["firstName"] == first_name for row in await scene.people())


async def _has_last_name(scene: Scene, lead: str, name: str) -> bool:
    return (await scene.crm_record("lead", lead) or {}).get("lastname") == name


async def _is_told(scene: Scene, person: int, outcome: str) -> bool:
    return await _told(scene, person) == outcome


@story(
    "push-again-no-effect",
    "A person is pushed from the command line; the second push has nothing to do",
    rows=("N19", "N20", "N23"),
)
async def push_again_no_effect(scene: Scene) -> None:
    email = "pushed@story.example"
    account = await scene.crm_enter("account", name="Hook Works")
    person = await scene.marketing_enter(email=email, **_PERSON)
    alone = await scene.marketing_enter(email="alone@story.example", **_PERSON)
    refused = await scene.marketing_enter(email="refused@story.example", **_PERSON)
    await scene.settle()
    first = await scene.tandem("push", email, "--as", "contact", "--account", "company", "--json")
    scene.check("the push says what it did", first.status == 0 and first.json()["outcome"] == "done")
    planned = [(action["kind"], action["entity"]) for action in first.json()["actions"]]
    scene.check("and shows its plan", planned == [("create", "contact")])
    found = await _records_of(scene, email)
    scene.check("one contact was made", [entity for entity, _ in found] == ["contact"])
    scene.check("it is under the account of that name", [row.get("parentcustomerid") for _, row in found] == [account])
    before = (await scene.crm.counters()).written
    again = await scene.tandem("push", str(person), "--as", "lead", "--json")
    scene.check("the second push has nothing to do", again.json()["outcome"] == "nothing to do")
    scene.check("and writes nothing", (await scene.crm.counters()).written == before)
    await push(scene.config, Wish(str(alone), as_="contact", account="none"))
    made = await _records_of(scene, "alone@story.example")
    scene.check("by choice a contact is under no account", [row.get("parentcustomerid") for _, row in made] == [None])
    await scene.crm.strike("leads.update", "status", status=400, times=None, body=_REFUSAL)
    answer = await push(scene.config, Wish(str(refused)))
    await scene.crm.clear_faults()
    is_told = answer.outcome == "refused" and "The plug-in says no" in answer.reason
    scene.check("what Dynamics refuses is refused with its reason", is_told)
    said = [line.said or "" for line in requests(scene.config, 100) if line.person == str(refused)]
    scene.check("and listed with it", [("The plug-in says no" in text) for text in said] == [True])
    contact = str(found[0][1]["contactid"]) if found else ""
    await scene.settle()
    await scene.crm_edit("contact", contact, jobtitle="Typed in Dynamics")
    pushed = await scene.tandem("push", contact, "--json")
    scene.check("a record of Dynamics is pushed by its id", pushed.json()["outcome"] == "done")
    owner = await scene.person_of(contact)
    scene.check("its edit is in Marketo at once", owner is not None and owner.get("title") == "Typed in Dynamics")


@story(
    "change-owner-hook",
    "A flow step gives a record another owner; who is missing is made first",
    rows=("N55",),
)
async def change_owner_hook(scene: Scene) -> None:
    users = [user for user in await scene.records(CRM, "systemuser") if not user.get("isdisabled")]
    old, new, third = users[1:4]
    email = "stranger@story.example"
    of_old = {"ownerid": {"entity": "systemuser", "id": old["systemuserid"]}}
    contact = await scene.crm_enter("contact", lastname="Owned", emailaddress1="owned@story.example", **of_old)
    wanted = await scene.crm_enter("contact", lastname="Wanted", emailaddress1="wanted@story.example", **of_old)
    team = await scene.crm_enter("team", name="Harbour sales")
    stranger = await scene.marketing_enter(email=email, **_PERSON)
    await scene.settle()
    person, contested = await scene.get_person_of(contact), await scene.get_person_of(wanted)
    sales_person = await scene.object_of("salesperson", "externalSalesPersonId", third["systemuserid"]) or {}
    async with serving(scene) as base:
        await call(scene, base, person["id"], "change-owner", owner=new["internalemailaddress"])
        await call(scene, base, stranger, "change-owner", owner=new["internalemailaddress"])
        await call(scene, base, person["id"], "create-task", subject="Nobody does it", status="no such status")
        is_owned = await _until(lambda: _is_owned(scene, contact, new["systemuserid"]))
        scene.check("the contact belongs to the new owner at once", is_owned)
        scene.check("whoever was missing was made first", await _until(lambda: _records_of(scene, email)))
        await call(scene, base, person["id"], "change-owner", owner=str(sales_person["id"]))
        is_owned = await _until(lambda: _is_owned(scene, contact, third["systemuserid"]))
        scene.check("the owner may be a sales person of Marketo", is_owned)
        await call(scene, base, person["id"], "change-owner", owner=team)
        scene.check("or a team", await _until(lambda: _is_owned(scene, contact, team)))
        await _until(lambda: _has_no_open_requests(scene))
        await scene.crm.strike("contacts.update", "drop_after")
        await call(scene, base, contested["id"], "change-owner", owner=new["internalemailaddress"])
        await _until(lambda: _is_owned(scene, wanted, new["systemuserid"]))
        await scene.crm_edit("contact", wanted, ownerid={"entity": "systemuser", "id": third["systemuserid"]})
    made = await _records_of(scene, email)
    scene.check("for the new owner", [row["ownerid"] for _, row in made] == [new["systemuserid"]])
    await asyncio.sleep(_SETTLED_S)
    await scene.settle()
    person = await scene.get_person_of(contact)
    scene.check("Marketo shows the new owner", str(person.get("externalSalesPersonId")).lower() == team)
    is_kept = await _is_owned(scene, wanted, third["systemuserid"])
    scene.check("who chose another owner before the step's answer came prevails", is_kept)
    listed = (await scene.tandem("requests", "list", "--json")).json()
    refused = {(line["deed"], line["person"]): line["said"] for line in listed if line["state"] == "refused"}
    why_no_task = refused.get(("create-task", str(person["id"])), "")
    scene.check(
        "a request that Dynamics refuses is listed with the reason", "no status reason of that name" in why_no_task
    )
    why_kept = refused.get(("change-owner", str(contested["id"])), "")
    scene.check("and so is one that came too late", "another owner meanwhile" in why_kept)
    scene.check("nothing else is refused", len(refused) == 2)


@story(
    "create-task-hook",
    "A flow step plans a task regarding the person's record",
    rows=("N56", "N57", "N58", "N59"),
)
async def create_task_hook(scene: Scene) -> None:
    name, company = "O'Neil & Söhne", "Hafen + Co"
    account = await scene.crm_enter("account", name=company)
    under = {"parentcustomerid": {"entity": "account", "id": account}}
    lead = await scene.crm_enter("lead", subject="Asks", lastname=name, emailaddress1="tasked@story.example")
    contact = await scene.crm_enter("contact", lastname="Visited", emailaddress1="visited@story.example", **under)
    await scene.settle()
    person, other = await scene.get_person_of(lead), await scene.get_person_of(contact)
    visit = {"subject": "Visit", "description": "at {{lead.company}}", "due_days": "2", "status": "4"}
    async with serving(scene) as base:
        for _ in range(2):
            await call(
                scene, base, person["id"], "create-task", subject="Ring {{lead.Last Name}}", status="In Progress"
            )
        scene.check("the task is there at once", await _until(lambda: scene.records(CRM, "task")))
        await call(scene, base, other["id"], "create-task", **visit)
        await _until(lambda: _tasks_of(scene, contact))
        await _until(lambda: _has_no_open_requests(scene))
    tasks, others = await _tasks_of(scene, lead), await _tasks_of(scene, contact)
    scene.check("it regards the lead", tasks)
    scene.check("and another one the contact", [task["subject"] for task in others] == ["Visit"])
    scene.check("called twice it is one task", len(await scene.records(CRM, "task")) == 2)
    task, late = tasks[0], others[0]
    scene.check("it is due in five days", abs(_days_left(task) - 5) < 0.01)
    scene.check("or in as many as the step says", abs(_days_left(late) - 2) < 0.01)
    scene.check("its status reason is the step's status", task["statuscode"] == 3)
    scene.check("which may be a number", late["statuscode"] == 4)
    scene.check("the token in its subject is filled", task["subject"] == f"Ring {name}")
    scene.check("and that in a description", late["description"] == f"at {company}")


async def _tasks_of(scene: Scene, record: str) -> list[Row]:
    return [task for task in await scene.records(CRM, "task") if task.get("regardingobjectid") == record]


def _days_left(task: Row) -> float:
    left = datetime.fromisoformat(str(task["scheduledend"])) - datetime.fromisoformat(str(task["createdon"]))
    return left / timedelta(days=1)


async def _is_owned(scene: Scene, contact: str, owner: str) -> bool:
    row = await scene.crm_record("contact", contact)
    return row is not None and row["ownerid"] == owner


async def _has_no_open_requests(scene: Scene) -> bool:
    return all(line.state in ("done", "refused") for line in requests(scene.config, 100))


_FOLLOWING: Final = """
[[campaigns]]
campaign = "Spring Fair"
list = {list_id}
interval_s = 0.01
"""


@story(
    "campaign-members",
    "A campaign of Dynamics follows a static list of Marketo",
    rows=("N47", "N48", "N49", "N50", "N51", "N52", "N53", "N54"),
)
async def campaign_members(scene: Scene) -> None:
    campaign = await scene.crm_enter("campaign", name="Spring Fair")
    contact = await scene.crm_enter("contact", lastname="Known", emailaddress1="known@story.example")
    other = await scene.crm_enter("contact", lastname="Other", emailaddress1="other@story.example")
    theirs = await scene.crm_enter("list", listname="By hand", createdfromcode=2, type=False)
    await _put_on(scene, campaign, theirs, other)
    stranger = await scene.marketing_enter(email="visitor@story.example", **_PERSON)
    await scene.settle()
    known, by_hand = await scene.person_of(contact), await scene.person_of(other)
    assert known is not None
    assert by_hand is not None
    list_id = int(await scene.marketing.create("list", {"name": "Fair visitors"}))
    await scene.marketing_act("add-to-list", list=list_id, ids=[known["id"], stranger])
    scene.configure(_FOLLOWING.format(list_id=list_id))
    await scene.crm.change_rights(revoke=["prvReadCampaign"])
    await scene.crm_edit("contact", contact, jobtitle="Guest")
    await scene.settle()
    known = await scene.get_person_of(contact)
    scene.check("without the right to read campaigns the rest goes on", known["title"] == "Guest")
    await scene.crm.change_rights(grant=["prvReadCampaign"])
    await scene.settle()
    lists = await _lists_of(scene, campaign)
    made = [(entity, str(row[f"{entity}id"])) for entity, row in await _records_of(scene, "visitor@story.example")]
    scene.check("who was missing in Dynamics was made first", [entity for entity, _ in made] == ["lead"])
    names = ["By hand", f"Tandem-contacts-{campaign}", f"Tandem-leads-{campaign}"]
    scene.check("they are in lists with names of their own", await _names_of_lists(scene, campaign) == names)
    scene.check("the contact is a member", contact in lists.get(f"Tandem-contacts-{campaign}", set()))
    leads = {id_ for _, id_ in made}
    scene.check("and the lead, in a list of its own", lists.get(f"Tandem-leads-{campaign}") == leads)
    await scene.marketing_act("remove-from-list", list=list_id, ids=[known["id"]])
    await scene.settle()
    lists = await _lists_of(scene, campaign)
    scene.check("who leaves the list leaves the campaign", lists[f"Tandem-contacts-{campaign}"] == set())
    scene.check("whom others added stays", lists["By hand"] == {other})
    scene.configure(_FOLLOWING.format(list_id=list_id) + 'remove = "all"\n')
    await scene.settle()
    scene.check("by choice they go too", (await _lists_of(scene, campaign))["By hand"] == set())
    await scene.marketing_act("add-to-list", list=list_id, ids=[known["id"]])
    await scene.settle()
    lists = await _lists_of(scene, campaign)
    scene.check("who comes back to the list is a member again", lists[f"Tandem-contacts-{campaign}"] == {contact})
    scene.check("in the list that was made first", await _names_of_lists(scene, campaign) == names)
    ours = await _list_of(scene, campaign, f"Tandem-contacts-{campaign}")
    await scene.crm_act("remove_from_list", list=ours, member=contact)
    await scene.settle()
    lists = await _lists_of(scene, campaign)
    scene.check("and whom somebody else takes out is put back", lists[f"Tandem-contacts-{campaign}"] == {contact})
    await scene.crm_edit("campaign", campaign, statecode=1, statuscode=6)
    await scene.marketing_act("remove-from-list", list=list_id, ids=[known["id"]])
    await scene.settle()
    lists = await _lists_of(scene, campaign)
    scene.check("a campaign that is not active is left alone", lists[f"Tandem-contacts-{campaign}"] == {contact})
    told = (await scene.tandem("requests", "memberships", "--json")).output
    scene.check("and told", "no active campaign" in told)


async def _put_on(scene: Scene, campaign: str, list_: str, contact: str) -> None:
    """As people do: a list of their own in the campaign, with a contact in it."""
    url = scene.crm_service.fact("url")
    reference = {"@odata.id": f"{url}/api/data/v9.2/lists({list_})"}
    await scene.web_api("POST", f"campaigns({campaign})/campaignlist_association/$ref", reference)
    reference = {"@odata.id": f"{url}/api/data/v9.2/contacts({contact})"}
    await scene.web_api("POST", f"lists({list_})/listcontact_association/$ref", reference)


async def _lists_of(scene: Scene, campaign: str) -> dict[str, set[str]]:
    """The names of a campaign's lists, with the ids of their members."""
    members = await scene.records(CRM, "listmember")
    return {
        str(row["listname"]): {str(m["entityid"]) for m in members if m["listid"] == row["listid"]}
        for row in await _rows_of_lists(scene, campaign)
    }


async def _names_of_lists(scene: Scene, campaign: str) -> list[str]:
    return sorted(str(row["listname"]) for row in await _rows_of_lists(scene, campaign))


async def _list_of(scene: Scene, campaign: str, name: str) -> str:
    return next(str(row["listid"]) for row in await _rows_of_lists(scene, campaign) if row["listname"] == name)


async def _rows_of_lists(scene: Scene, campaign: str) -> list[Row]:
    path = f"campaigns({campaign})/campaignlist_association?$select=listname"
    found: list[Row] = (await scene.web_api("GET", path))["value"]
    return found


_WHO_ATTENDED: Final = """
[[campaigns]]
campaign = "Spring Webinar"
program = {program}
statuses = ["Attended"]
create_as = "contact"
interval_s = 0.01
"""


@story(
    "campaign-by-status",
    "A campaign of Dynamics has those members of a Marketo program whose status is asked for",
    rows=("N47", "N49"),
)
async def campaign_by_status(scene: Scene) -> None:
    campaign = await scene.crm_enter("campaign", name="Spring Webinar")
    contact = await scene.crm_enter("contact", lastname="Known", emailaddress1="known@story.example")
    stranger = await scene.marketing_enter(email="visitor@story.example", **_PERSON)
    await scene.settle()
    known = await scene.person_of(contact)
    assert known is not None
    program = await scene.marketing.create("program", {"name": "Spring Webinar", "channel": "Webinar"})

    async def give_status(name: str, *people: int) -> None:
        body = {"statusName": name, "input": [{"leadId": person} for person in people]}
        await scene.rest("POST", f"/rest/v1/programs/{program}/members/status.json", body)

    async def contacts() -> set[str]:
        return (await _lists_of(scene, campaign)).get(f"Tandem-contacts-{campaign}", set())

    await give_status("Invited", known["id"], stranger)
    scene.configure(_WHO_ATTENDED.format(program=program))
    await scene.settle()
    scene.check("who is invited only is no member", not await contacts())
    scene.check("and is not made", not await _records_of(scene, "visitor@story.example"))
    await give_status("Attended", known["id"], stranger)
    await scene.settle()
    made = await _records_of(scene, "visitor@story.example")
    scene.check("who attended and was missing is made as the rule says", [entity for entity, _ in made] == ["contact"])
    scene.check("both are members", await contacts() == {contact, *(str(row["contactid"]) for _, row in made)})
    await give_status("Attended On-demand", known["id"])
    await scene.settle()
    scene.check("another status ends it", contact not in await contacts() and len(await contacts()) == 1)


_CAMPAIGN_LIST: Final = """
[[custom]]
table = "campaign"
object = "crmCampaign"
[[custom.fields]]
crm = "name"
marketing = "name"
[[custom.fields]]
crm = "statuscode"
marketing = "status"
"""


@story(
    "campaign-list",
    "The campaigns of Dynamics are shown in Marketo as a custom object; they change and go",
    rows=("N47",),
    watches=(Watch("campaign", "crmCampaign", "crmId", (Pair("name", "name"),)),),
)
async def campaign_list(scene: Scene) -> None:
    scene.configure(_CAMPAIGN_LIST)
    planned = await scene.plan_schema()
    scene.check("the plan shows the object first", [new.name for new in planned.objects] == ["crmCampaign"])
    await scene.apply_schema()
    spring, autumn = [await scene.crm_enter("campaign", name=f"{season} Fair") for season in ("Spring", "Autumn")]
    await scene.settle()

    async def shown(campaign: str) -> Row:
        return await scene.object_of("crmCampaign", "crmId", campaign) or {}

    scene.check(
        "each campaign is there",
        [(await shown(spring)).get("name"), (await shown(autumn)).get("name")] == ["Spring Fair", "Autumn Fair"],
    )
    status = (await shown(spring)).get("status")
    await scene.crm_edit("campaign", spring, name="May Fair", statecode=1, statuscode=6)
    await scene.settle()
    scene.check("another name arrives", (await shown(spring)).get("name") == "May Fair")
    scene.check("and another status", status and (await shown(spring)).get("status") not in (None, status))
    await scene.crm_delete("campaign", autumn)
    await scene.settle()
    scene.check("a deleted campaign is gone", await shown(autumn) == {})


@story(
    "made-by-membership",
    "Members of a static list are made in Dynamics, and nobody else is",
    rows=("N16", "N18", "N65"),
)
async def made_by_membership(scene: Scene) -> None:
    member = await scene.marketing_enter(email="member@story.example", **_PERSON)
    await scene.marketing_enter(email="nobody@story.example", **_PERSON)
    list_id = int(await scene.marketing.create("list", {"name": "For sales"}))
    scene.configure(f'[[creations]]\nlist = {list_id}\ncreate_as = "contact"\ninterval_s = 0.01\n')
    await scene.settle()
    scene.check("an empty list makes nobody", not await _records_of(scene, "member@story.example"))
    await scene.marketing_act("add-to-list", list=list_id, ids=[member])
    await scene.settle()
    found = await _records_of(scene, "member@story.example")
    scene.check("the member is made as the rule says", [entity for entity, _ in found] == ["contact"])
    scene.check("nobody else is made", not await _records_of(scene, "nobody@story.example"))
    await scene.crm_delete("contact", str(found[0][1]["contactid"]))
    await scene.settle()
    scene.check("who was deleted in Dynamics stays deleted", not await _records_of(scene, "member@story.example"))
    again = await scene.tandem("push", str(member), "--json")
    scene.check("a push is told why", again.status == 1 and "deleted" in again.json()["reason"])
    anew = await scene.tandem("push", str(member), "--resurrect", "--json")
    scene.check("and makes it anew where it is asked to", anew.json().get("outcome") == "done")
    scene.check("once", len(await _records_of(scene, "member@story.example")) == 1)
