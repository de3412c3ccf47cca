"""What a Marketo flow step asks for, and records pushed by hand."""

import asyncio
from datetime import datetime, timedelta
from typing import Final

from tandem.app.demo.stories.flow_steps import (
    PERSON,
    SETTLED_S,
    call,
    has_no_open_requests,
    records_of,
    serving,
    told,
    until,
)
from tandem.app.demo.stories.registry import story
from tandem.app.demo.stories.scene import Row, Scene
from tandem.app.demo.world import CRM
from tandem.app.push import push
from tandem.app.request_reports import Wish
from tandem.app.requests import requests

_REFUSAL: Final = {"error": {"code": "0x80040265", "message": "The plug-in says no."}}


@story(
    "push-by-webhook",
    "A flow step makes a person a lead in Dynamics, at once",
    rows=("N16", "N17", "N18", "N21", "N22", "N60"),
)
async def push_by_webhook(scene: Scene) -> None:
    email, known = "hooked@story.example", "known@story.example"
    person = await scene.marketing_enter(email=email, **PERSON)
    double = await scene.marketing_enter(email=known, **PERSON)
    await scene.settle()
    scene.check("nobody is made in Dynamics unasked", not await records_of(scene, email))
    owner = (await scene.records(CRM, "systemuser"))[1]
    async with serving(scene) as base:
        await call(scene, base, person, "sync-person", owner=owner["internalemailaddress"])
        is_there = await until(lambda: records_of(scene, email))
        scene.check("the lead is there long before the next pass is due", is_there)
        await until(lambda: told(scene, person))
        scene.check("the flow step was told what would happen", await told(scene, person) == "will be created")
        lead = str((await records_of(scene, email))[0][1]["leadid"])
        await scene.crm_edit("lead", lead, firstname="Typed in Dynamics")
        await call(scene, base, person, "sync-person", as_="contact")
        await until(lambda: _is_told(scene, person, "exists already"))
        scene.check("the step's repetition is told so", await told(scene, person) == "exists already")
        is_carried = await until(lambda: _is_called(scene, person, "Typed in Dynamics"))
        scene.check("and changes nothing: what Dynamics changed goes to Marketo as ever", is_carried)
        kinds = [entity for entity, _ in await records_of(scene, email)]
        scene.check("who is a lead stays one, whatever the step asks for", kinds == ["lead"])
        await scene.crm_edit("lead", lead, lastname="Renamed in Dynamics")
        await call(scene, base, person, "sync-person", force="true")
        is_back = await until(lambda: _has_last_name(scene, lead, "Person"))
        scene.check("by force the step carries the person's values again", is_back)
        await scene.crm_enter("lead", lastname="Known", emailaddress1=known)
        await call(scene, base, double, "sync-person")
        await until(lambda: _is_told(scene, double, "refused"))
    scene.check("who is in Dynamics already is not made again", len(await records_of(scene, known)) == 1)
    found = await records_of(scene, email)
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
    return await told(scene, person) == outcome


@story(
    "push-again-no-effect",
    "A person is pushed from the command line; the second push has nothing to do",
    rows=("N19", "N20", "N23"),
)
async def push_again_no_effect(scene: Scene) -> None:
    email = "pushed@story.example"
    account = await scene.crm_enter("account", name="Hook Works")
    person = await scene.marketing_enter(email=email, **PERSON)
    alone = await scene.marketing_enter(email="alone@story.example", **PERSON)
    refused = await scene.marketing_enter(email="refused@story.example", **PERSON)
    await scene.settle()
    first = await scene.tandem("push", email, "--as", "contact", "--account", "company", "--json")
    scene.check("the push says what it did", first.status == 0 and first.json()["outcome"] == "done")
    planned = [(action["kind"], action["entity"]) for action in first.json()["actions"]]
    scene.check("and shows its plan", planned == [("create", "contact")])
    found = await records_of(scene, email)
    scene.check("one contact was made", [entity for entity, _ in found] == ["contact"])
    scene.check("it is under the account of that name", [row.get("parentcustomerid") for _, row in found] == [account])
    before = (await scene.crm.counters()).written
    again = await scene.tandem("push", str(person), "--as", "lead", "--json")
    scene.check("the second push has nothing to do", again.json()["outcome"] == "nothing to do")
    scene.check("and writes nothing", (await scene.crm.counters()).written == before)
    await push(scene.config, Wish(str(alone), as_="contact", account="none"))
    made = await records_of(scene, "alone@story.example")
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
    stranger = await scene.marketing_enter(email=email, **PERSON)
    await scene.settle()
    person, contested = await scene.get_person_of(contact), await scene.get_person_of(wanted)
    sales_person = await scene.object_of("salesperson", "externalSalesPersonId", third["systemuserid"]) or {}
    async with serving(scene) as base:
        await call(scene, base, person["id"], "change-owner", owner=new["internalemailaddress"])
        await call(scene, base, stranger, "change-owner", owner=new["internalemailaddress"])
        await call(scene, base, person["id"], "create-task", subject="Nobody does it", status="no such status")
        is_owned = await until(lambda: _is_owned(scene, contact, new["systemuserid"]))
        scene.check("the contact belongs to the new owner at once", is_owned)
        scene.check("whoever was missing was made first", await until(lambda: records_of(scene, email)))
        await call(scene, base, person["id"], "change-owner", owner=str(sales_person["id"]))
        is_owned = await until(lambda: _is_owned(scene, contact, third["systemuserid"]))
        scene.check("the owner may be a sales person of Marketo", is_owned)
        await call(scene, base, person["id"], "change-owner", owner=team)
        scene.check("or a team", await until(lambda: _is_owned(scene, contact, team)))
        await until(lambda: has_no_open_requests(scene))
        await scene.crm.strike("contacts.update", "drop_after")
        await call(scene, base, contested["id"], "change-owner", owner=new["internalemailaddress"])
        await until(lambda: _is_owned(scene, wanted, new["systemuserid"]))
        await scene.crm_edit("contact", wanted, ownerid={"entity": "systemuser", "id": third["systemuserid"]})
    made = await records_of(scene, email)
    scene.check("for the new owner", [row["ownerid"] for _, row in made] == [new["systemuserid"]])
    await asyncio.sleep(SETTLED_S)
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
        scene.check("the task is there at once", await until(lambda: scene.records(CRM, "task")))
        await call(scene, base, other["id"], "create-task", **visit)
        await until(lambda: _tasks_of(scene, contact))
        await until(lambda: has_no_open_requests(scene))
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
