"""What operators do while the sync runs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from getpass import getuser

from tandem.app import commands, pauses, queries
from tandem.app.demo.services import Service, running_service
from tandem.app.demo.stories.registry import story
from tandem.app.demo.stories.scene import Row, Scene
from tandem.app.system import SystemClock
from tandem.core.errors import ConfigError


@story(
    "field-permissions",
    "A column that Tandem may not read is named, the rest goes on, and it is filled once granted",
    rows=("N80",),
)
async def field_permissions(scene: Scene) -> None:
    await scene.crm.set_clock(SystemClock().now() - timedelta(hours=2))
    quiet = await scene.crm_enter("contact", lastname="Quiet", emailaddress1="quiet@story.example", jobtitle="Mole")
    await scene.crm.set_clock(SystemClock().now())
    contact = await scene.crm_enter(
        "contact", lastname="Veil", emailaddress1="veil@story.example", jobtitle="Spy", telephone1="+44 1"
    )
    await scene.crm.change_rights(revoke_columns={"contact": ["jobtitle"]})
    try:
        await scene.settle()
        told = await commands.check(scene.config)
        person = await scene.person_of(contact) or {}
        scene.check("the rest of the record is in Marketo", person.get("phone") == "+44 1")
        scene.check("the hidden column is not", person.get("title") is None)
        named = [line for line in told.left_out if line.is_permission]
        scene.check("check names the column alone", [line.crm_field for line in named] == ["jobtitle"])
        scene.check("it says what to do", "column security profile" in named[0].remedy)
        scene.check("the sync may start all the same", told.is_ok)
        await scene.crm_edit("contact", contact, telephone1="+44 2")
        await scene.settle()
        person = await scene.person_of(contact) or {}
        scene.check("edits of other columns go on", person.get("phone") == "+44 2")
    finally:
        await scene.crm.change_rights(grant_columns={"contact": ["jobtitle"]})
    await scene.settle()
    titles = [(await scene.person_of(id_) or {}).get("title") for id_ in (contact, quiet)]
    scene.check("once it may be read it is filled for everybody", titles == ["Spy", "Mole"])
    named = [line for line in (await commands.check(scene.config)).left_out if line.is_permission]
    scene.check("check names it no longer", not named)


@story(
    "pause-and-resume",
    "The sync is paused, one table and then everything, and catches up when it goes on",
    rows=("N39", "N124", "N137"),
)
async def pause_and_resume(scene: Scene) -> None:
    account = await scene.crm_enter("account", name="Hold Ltd")
    contact = await scene.crm_enter("contact", lastname="Rest", emailaddress1="rest@story.example")
    await scene.settle()
    person = await scene.person_of(contact) or {}

    began = SystemClock().now()
    pauses.pause(scene.config, ["contact"], "an import")
    await scene.crm_edit("contact", contact, jobtitle="Import")
    await scene.crm_edit("account", account, name="Hold and Go Ltd")
    await scene.sync()
    await scene.sync()
    scene.check("the paused table rests", (await scene.person_of(contact) or {}).get("title") is None)
    company = await scene.company_of(account) or {}
    scene.check("the others go on", company.get("company") == "Hold and Go Ltd")
    shown = scene.status()
    scene.check("status says why it rests", [line.why for line in shown.pauses] == ["an import", "an import"])
    scene.check("since when and by whom", all(line.since >= began and line.who == getuser() for line in shown.pauses))
    waiting = next(line.updates for line in shown.entities if line.entity == "contact")
    scene.check("and what waits since when", waiting.count == 1 and waiting.oldest_at is not None)
    pauses.resume(scene.config, [])
    await scene.settle()
    scene.check("it catches up", (await scene.person_of(contact) or {}).get("title") == "Import")

    pauses.pause(scene.config, [], "the office moves")
    await scene.crm_edit("contact", contact, jobtitle="Mover")
    await scene.marketing_edit(person["id"], phone="+44 9")
    before = (await scene.crm.counters()).calls, (await scene.marketing.counters()).calls
    told = await scene.tandem("sync")
    after = (await scene.crm.counters()).calls, (await scene.marketing.counters()).calls
    scene.check("a paused sync says so", told.status == 1 and "the office moves" in told.complaints)
    scene.check("it reads no records", sum(after) - sum(before) < 60)
    scene.check("it writes nothing", (await scene.person_of(contact) or {}).get("title") == "Import")
    pauses.resume(scene.config, [])
    await scene.settle()
    scene.check("what changed in Dynamics arrived", (await scene.person_of(contact) or {}).get("title") == "Mover")
    record = await scene.crm_record("contact", contact) or {}
    scene.check("what changed in Marketo arrived", record.get("telephone1") == "+44 9")


@story(
    "sandbox-refresh",
    "A sandbox is refreshed from production: its store refuses, and a new one links everybody again without a write",
    rows=("N115", "N116", "N126", "N127"),
)
async def sandbox_refresh(scene: Scene) -> None:
    account = await scene.crm_enter("account", name="Copy Ltd")
    contact = await scene.crm_enter(
        "contact",
        lastname="Twin",
        emailaddress1="twin@story.example",
        parentcustomerid={"entity": "account", "id": account},
    )
    lead = await scene.crm_enter("lead", lastname="Lone", subject="Copied")
    await scene.settle()
    known = {id_: (await scene.person_of(id_) or {}).get("id") for id_ in (contact, lead)}
    people = len(await scene.people())
    async with _copied_environment(scene) as sandbox:
        address = f'[crm]\nurl = "{sandbox.fact("url")}"\nauthority = "{sandbox.fact("authority")}"\n'
        scene.configure(address)
        refusal = await _refusal(scene)
        scene.check("the old store refuses the other environment", "another Dynamics organisation" in refusal)
        scene.check("it says what to do", "store of its own" in refusal)
        scene.check("no record was read before", (await sandbox.control.counters()).read == 0)

        scene.configure(f'{address}[store]\nurl = "sqlite:///{scene.folder / "sandbox.db"}"\n')
        before = await _everything(scene, sandbox)
        report = await scene.sync()
        await scene.sync()
        linked = {line.entity: line.linked for line in queries.status(scene.config).entities}
        is_same = before == await _everything(scene, sandbox)
        scene.check("the first copy of the copy changes nothing on either side", report.writes == 0 and is_same)
        scene.check("everybody is linked again", (linked["contact"], linked["lead"], linked["account"]) == (1, 1, 1))
        now = {id_: (await scene.person_of(id_) or {}).get("id") for id_ in (contact, lead)}
        scene.check("with the person they had", now == known)
        scene.check("there is no twin", len(await scene.people()) == people)
        scene.check("both sides agree", (await scene.verify()).is_clean)
    scene.configure()
    await scene.crm_edit("contact", contact, jobtitle="Stays")
    scene.check("the address is corrected, and taken", await _refusal(scene) == "")
    scene.check("the sync goes on where it was", (await scene.person_of(contact) or {}).get("title") == "Stays")


async def _refusal(scene: Scene) -> str:
    """Why a pass may not begin; nothing when it may."""
    try:
        await scene.sync()
    except ConfigError as error:
        return str(error)
    return ""


async def _everything(scene: Scene, sandbox: Service) -> list[list[Row]]:
    """All records that are synced, of both sides."""
    marketing = [await scene.records("marketing", entity) for entity in ("person", "company", "salesperson")]
    return marketing + [await sandbox.control.records(entity) for entity in ("contact", "lead", "account")]


@asynccontextmanager
async def _copied_environment(scene: Scene) -> AsyncIterator[Service]:
    """Another environment of the same tenant, with a copy of this one put over it."""
    file = scene.folder / "production.snapshot"
    await scene.crm.save_snapshot(file)
    options = ["dataverse", "--people", "0", "--seed", "7", "--limits", "off", "--set", "environment=sandbox"]
    async with running_service(options, scene.folder / "sandbox.log") as sandbox:
        await sandbox.control.copy_environment(file)
        yield sandbox
