"""What every sync does: a first copy, edits of both sides, and nothing more once people stop."""

import asyncio
import itertools
from asyncio import StreamReader
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final

from tandem.app.demo.stories.registry import story
from tandem.app.demo.stories.scene import Row, Scene
from tandem.app.demo.world import CRM

UNDECIDED: Final = "[entities.contact]\nwinner = 'hold'\n"
PATIENCE_S: Final = 15.0
NEWEST_MAX: Final = 7
"""What a command reads at its start of each table, however large it is."""


@story("first-copy", "Everybody who is in Dynamics is in Marketo after the first copy", rows=("N4",))
async def first_copy(scene: Scene) -> None:
    account = await scene.crm_enter("account", name="Contoso", telephone1="+44 1")
    employer = {"parentcustomerid": {"entity": "account", "id": account}}
    people = [
        await scene.crm_enter("lead", lastname="Lead", subject="Fair", emailaddress1="lead@story.example"),
        await scene.crm_enter("contact", lastname="Employed", emailaddress1="employed@story.example", **employer),
        await scene.crm_enter("contact", lastname="No Address"),
    ]
    known = await scene.marketing_enter(lastName="Known", email="known@story.example", phone="+44 2")
    people.append(await scene.crm_enter("contact", lastname="Known", emailaddress1="known@story.example"))
    planned = (await scene.plan()).counts
    scene.check("the plan names three new people", planned.get("marketing.create.person") == 3)
    report = await scene.sync()
    scene.check("the first pass is the first copy", report.is_first_copy)
    found = [await scene.person_of(person) for person in people]
    scene.check("each of them is a person in Marketo", all(found))
    scene.check("who was there already was not made again", found[-1] is not None and found[-1]["id"] == known)
    record = await scene.crm_record("contact", people[-1])
    scene.check("what only Marketo knew is in Dynamics", record is not None and record["telephone1"] == "+44 2")
    await scene.settle()
    scene.check("the product's own proof agrees", (await scene.verify()).is_clean)


@story("edits-both-ways", "An edit on either side arrives on the other", rows=("N7",))
async def edits_both_ways(scene: Scene) -> None:
    contact, person = await _in_step(scene, jobtitle="Clerk")
    await scene.crm_edit("contact", contact, jobtitle="Director")
    await scene.marketing_edit(person["id"], phone="+44 1")
    await scene.settle()
    found, record = await scene.get_person_of(contact), await scene.crm_record("contact", contact) or {}
    scene.check("the edit made in Dynamics is in Marketo", found.get("title") == "Director")
    scene.check("the edit made in Marketo is in Dynamics", record.get("telephone1") == "+44 1")


@story("only-changes", "After the first copy a pass reads and writes what changed, not everything", rows=("N3",))
async def only_changes(scene: Scene) -> None:
    contacts = [
        await scene.crm_enter("contact", lastname=f"Contact {number}", emailaddress1=f"c{number}@story.example")
        for number in range(25)
    ]
    await scene.settle()
    await _reset_counters(scene)
    await scene.sync()
    newest = (await scene.crm.counters()).read
    scene.check("a quiet start reads only the few newest records, by which a restored one shows", newest <= NEWEST_MAX)
    scene.check("and none of Marketo", (await scene.marketing.counters()).read == 0)
    await scene.crm_edit("contact", contacts[3], jobtitle="Director")
    await scene.sync()
    crm, marketing = await scene.crm.counters(), await scene.marketing.counters()
    scene.check("of 25 people the one that changed is read", crm.read == 2 * newest + 1)
    scene.check("and its person is looked at before it is written", marketing.read <= 2)
    scene.check("that one person is written, and nothing in Dynamics", (marketing.written, crm.written) == (1, 0))
    person = await scene.person_of(contacts[3])
    scene.check("the edit is in Marketo", person is not None and person["title"] == "Director")


@story(
    "runs-by-itself",
    "While it runs edits arrive within seconds, and between two passes it rests",
    settings="[run]\npass_interval_s = 0.7\n",
    rows=("N1", "N2"),
)
async def runs_by_itself(scene: Scene) -> None:
    contact, person = await _in_step(scene, jobtitle="Clerk")
    ends: list[float] = []
    async with scene.running("run", "--json") as process:
        assert process.stdout is not None
        watcher = asyncio.create_task(_note_passes(process.stdout, ends))
        await scene.crm_edit("contact", contact, jobtitle="Director")
        scene.check("an edit in Dynamics arrives", await _comes(lambda: _has_title(scene, contact, "Director")))
        await scene.marketing_edit(person["id"], title="Partner")
        scene.check("an edit in Marketo arrives", await _comes(lambda: _is_titled(scene, contact, "Partner")))
        wanted = len(ends) + 2
        scene.check("it goes on", await _comes(lambda: _has_passed(ends, wanted)))
        watcher.cancel()
    pauses = [later - earlier for earlier, later in itertools.pairwise(ends)]
    scene.check("it rests between two passes", pauses and min(pauses) >= 0.7)


@story("own-writes-come-back", "What the sync writes comes back through the feeds and starts nothing", rows=("N108",))
async def own_writes_come_back(scene: Scene) -> None:
    contact, person = await _in_step(scene, jobtitle="Clerk")
    await scene.crm_edit("contact", contact, jobtitle="Director", firstname="Ann")
    await scene.marketing_edit(person["id"], phone="+44 1")
    await scene.sync()
    before = await scene.crm_record("contact", contact), await scene.person_of(contact)
    await _reset_counters(scene)
    reports = [await scene.sync() for _ in range(2)]
    seen = sum(
        report.counts.get(f"read.{side}", 0) for report in reports for side in ("crm.contact", "marketing.person")
    )
    scene.check("the writes come back through the feeds", seen > 0)
    written = [(await control.counters()).written for control in (scene.crm, scene.marketing)]
    scene.check("and nothing is written for it", written == [0, 0])
    after = await scene.crm_record("contact", contact), await scene.person_of(contact)
    scene.check("both records are as the first pass left them", after == before)


@story(
    "target-trims",
    "A value that Marketo stores differently is written once, not for ever",
    rows=("N108",),
    marketing_options={"whitespace": "trimmed"},
)
async def target_trims(scene: Scene) -> None:
    contact, _ = await _in_step(scene)
    await _reset_counters(scene)
    await scene.crm_edit("contact", contact, jobtitle="Director ")
    await scene.settle()
    person, record = await scene.person_of(contact), await scene.crm_record("contact", contact)
    scene.check("Marketo holds the trimmed text", person is not None and person["title"] == "Director")
    scene.check("and Dynamics its own", record is not None and record["jobtitle"] == "Director ")
    written = [(await control.counters()).written for control in (scene.crm, scene.marketing)]
    scene.check("it was written once, and nothing else on either side", written == [0, 1])
    scene.leave_apart(contact, "jobtitle", why="Marketo trims what it is given")


@story("side-by-side", "Many writes go side by side, as many at once as the settings allow", rows=("N136",))
async def side_by_side(scene: Scene) -> None:
    await _crowd(scene, 620)
    await scene.marketing.set_latency(100)
    await _reset_counters(scene)
    await scene.sync()
    counters = await scene.marketing.counters()
    scene.check("everybody is written in the first pass", counters.written >= 620)
    scene.check("in far fewer calls than people", counters.calls < 90)
    scene.check("and three calls at once, one for each 300 of them", counters.at_once >= 3)
    await scene.marketing.set_latency(0)


@story(
    "history-forgotten",
    "What was done long ago is forgotten but for what waits, and the sync goes on as before",
    settings=UNDECIDED,
    rows=("N133",),
)
async def history_forgotten(scene: Scene) -> None:
    contact, person = await _in_step(scene, jobtitle="Clerk")
    await scene.crm_edit("contact", contact, firstname="Ann")
    await scene.marketing_edit(person["id"], firstName="Anna")
    await scene.settle()
    scene.leave_apart(contact, "firstname", why="a person is to decide")
    scene.check("what was written is remembered", _remembered(scene) > 0)
    scene.configure(UNDECIDED + "[run]\nhistory_days = 0.000001\n")
    await scene.settle()
    scene.check("once it is too old it is not", _remembered(scene) == 0)
    scene.check("what waits for a person is kept", any("firstName" in line for line in scene.held()))
    both = [(line.crm, line.marketing) for line in scene.conflicts(contact)]
    scene.check("with both values", ("Ann", "Anna") in both)
    await scene.crm_edit("contact", contact, jobtitle="Partner")
    await scene.marketing_edit(person["id"], phone="+44 1")
    await scene.settle()
    found, record = await scene.person_of(contact), await scene.crm_record("contact", contact)
    scene.check("a later edit in Dynamics arrives", found is not None and found["title"] == "Partner")
    scene.check("a later edit in Marketo arrives", record is not None and record["telephone1"] == "+44 1")


def _remembered(scene: Scene) -> int:
    """Writes of the last hour that the status counts."""
    return sum(line.last_hour for line in scene.status().entities)


async def _in_step(scene: Scene, **values: str) -> tuple[str, Row]:
    """A contact and its person."""
    contact = await scene.crm_enter("contact", lastname="Step", emailaddress1="step@story.example", **values)
    await scene.settle()
    person = await scene.person_of(contact)
    assert person is not None, "the contact became no person"
    return contact, person


async def _crowd(scene: Scene, count: int) -> None:
    """So many contacts, loaded by an admin."""
    rows = [{"lastname": f"Crowd {number}", "emailaddress1": f"crowd{number}@story.example"} for number in range(count)]
    targets = [{"@odata.type": "Microsoft.Dynamics.CRM.contact", **row} for row in rows]
    for start in range(0, count, 500):
        body = {"Targets": targets[start : start + 500]}
        made = await scene.web_api("POST", "contacts/Microsoft.Dynamics.CRM.CreateMultiple", body)
        scene.made |= {(CRM, str(id_).lower()) for id_ in made["Ids"]}


async def _reset_counters(scene: Scene) -> None:
    await scene.crm.reset_counters()
    await scene.marketing.reset_counters()


async def _note_passes(output: StreamReader, ends: list[float]) -> None:
    """When each pass ended, from the lines that tell of them."""
    while await output.readline():
        ends.append(monotonic())


async def _comes(is_there: Callable[[], Awaitable[bool]]) -> bool:
    deadline = monotonic() + PATIENCE_S
    while not await is_there():
        if monotonic() > deadline:
            return False
        await asyncio.sleep(0.1)
    return True


async def _has_title(scene: Scene, contact: str, title: str) -> bool:
    person = await scene.person_of(contact)
    return person is not None and person["title"] == title


async def _is_titled(scene: Scene, contact: str, title: str) -> bool:
    record = await scene.crm_record("contact", contact)
    return record is not None and record["jobtitle"] == title


async def _has_passed(ends: list[float], count: int) -> bool:
    return len(ends) >= count
