"""One person in two systems: qualification, merges, shared addresses, candidates."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from tandem.app.demo.stories.flow_steps import until
from tandem.app.demo.stories.registry import story
from tandem.app.demo.stories.scene import Scene

CARRY: Final = """
[matching]
merged_in_crm = "carry"
merged_in_marketing = "carry"
"""


async def _qualify(scene: Scene, lead: str, **wanted: bool) -> str:
    """The standard process; the contact that the lead became."""
    answer = await scene.crm_act("qualify", id=lead, **wanted)
    return str(answer["contact_id"]).lower()


async def _merge_in_crm(scene: Scene, entity: str, loser: str, winner: str) -> None:
    await scene.crm_act("merge", entity=entity, winner=winner, loser=loser)


async def _merge_in_marketing(scene: Scene, loser: Any, winner: Any) -> None:
    await scene.marketing_act("merge", winner=int(winner), loser=int(loser))


@story("qualify-with-account", "A lead becomes a contact of a new account, and stays the same person", rows=("N70",))
async def qualify_with_account(scene: Scene) -> None:
    lead = await scene.crm_enter("lead", lastname="Vries", emailaddress1="vries@story.example", companyname="Vries BV")
    other = await scene.crm_enter("lead", lastname="Zonder", emailaddress1="zonder@story.example")
    old = await scene.crm_enter("account", name="Bestaand BV")
    known = await scene.crm_enter(
        "lead",
        lastname="Bekend",
        emailaddress1="bekend@story.example",
        parentaccountid={"entity": "account", "id": old},
    )
    await scene.settle()
    before = await scene.get_person_of(known)
    person, alone = await scene.get_person_of(lead), await scene.get_person_of(other)
    await scene.marketing_edit(person["id"], phone="+31 20 1")
    contact = await _qualify(scene, lead, create_account=True, create_opportunity=True)
    plain = await _qualify(scene, other)
    colleague = await _qualify(scene, known)
    await scene.settle()
    now, same = await scene.get_person_of(contact), await scene.get_person_of(plain)
    scene.check("the person is the one the lead was", now["id"] == person["id"])
    scene.check("it says that it is a contact", now.get("microsoftType") == "Contact")
    account = (await scene.crm_record("contact", contact) or {}).get("parentcustomerid")
    company = await scene.company_of(str(account))
    scene.check("the account is its company", company is not None and now.get("company") == company.get("company"))
    scene.check(
        "an edit made meanwhile is on the contact", await _value(scene, "contact", contact, "telephone1") == "+31 20 1"
    )
    scene.check("without account and opportunity it is the same person too", same["id"] == alone["id"])
    joined = await scene.get_person_of(colleague)
    scene.check("a contact under an account that was there joins its company", joined.get("company") == "Bestaand BV")
    scene.check("as the person that it was", joined["id"] == before["id"])
    scene.check("nobody was made beside them", len(await scene.people()) == 3)


@story("qualify-during-write", "A lead is qualified while a write to its person has no answer yet", rows=("N70",))
async def qualify_during_write(scene: Scene) -> None:
    lead = await scene.crm_enter("lead", lastname="Halb", emailaddress1="halb@story.example")
    await scene.settle()
    person = await scene.get_person_of(lead)
    await scene.crm_edit("lead", lead, jobtitle="Buyer")
    contact = ""

    async def qualify() -> None:
        nonlocal contact
        contact = await _qualify(scene, lead, create_account=True)

    await _sync_without_an_answer(scene, qualify)
    await scene.settle()
    now = await scene.get_person_of(contact)
    scene.check("the person is the one the lead was", now["id"] == person["id"])
    scene.check("what was on its way has arrived", now["title"] == "Buyer")
    scene.check("there is one person", len(await scene.people()) == 1)


@story("disqualify-reopen", "A lead is disqualified, edited in Marketo meanwhile, and reopened", rows=("N6",))
async def disqualify_reopen(scene: Scene) -> None:
    lead = await scene.crm_enter("lead", lastname="Nein", emailaddress1="nein@story.example")
    await scene.settle()
    person = await scene.get_person_of(lead)
    await scene.crm_edit("lead", lead, statecode=2)
    await scene.settle()
    scene.check("the person shows it", (await scene.get_person_of(lead))["leadStatus"] != person["leadStatus"])
    await scene.marketing_edit(person["id"], phone="+49 30 2")
    await scene.settle()
    scene.check("nothing is written to a closed lead", await _value(scene, "lead", lead, "telephone1") is None)
    scene.check("the edit waits visibly", any("closed" in text for text in scene.held()))
    await scene.crm_act("reopen", entity="lead", id=lead)
    await scene.settle()
    scene.check("once it is open the edit arrives", await _value(scene, "lead", lead, "telephone1") == "+49 30 2")
    scene.check("nothing waits any more", not scene.held())


@story("crm-merge", "Contacts are merged in Dynamics, and so are their people", settings=CARRY, rows=("N7",))
async def crm_merge(scene: Scene) -> None:
    first, second, third = [
        await scene.crm_enter("contact", lastname=f"Merge {number}", emailaddress1=f"merge.{number}@story.example")
        for number in range(3)
    ]
    await scene.settle()
    people = [await scene.get_person_of(contact) for contact in (first, second, third)]
    await scene.marketing_edit(people[0]["id"], unsubscribed=True)
    await scene.settle()
    await _merge_in_crm(scene, "contact", first, second)
    await _merge_in_crm(scene, "contact", second, third)
    late = await scene.crm_enter("contact", lastname="Late", emailaddress1="merge.2@story.example")
    await scene.settle()
    await _merge_in_crm(scene, "contact", third, late)
    await scene.settle()
    survivor = await scene.get_person_of(late)
    scene.check("one person is left", len(await scene.people()) == 1)
    scene.check("it shows the record that survived", survivor["lastName"] == "Late")
    scene.check("the opt-out of the first is on the last", survivor["unsubscribed"])
    scene.check("and in Dynamics", await _value(scene, "contact", late, "donotbulkemail"))
    scene.check("nothing waits", not scene.held())


@story("marketing-merge", "People are merged in Marketo, and so are their records", settings=CARRY, rows=("N69",))
async def marketing_merge(scene: Scene) -> None:
    kept = await scene.crm_enter("contact", lastname="Kept", emailaddress1="kept@story.example")
    lost = await scene.crm_enter("contact", lastname="Lost", emailaddress1="lost@story.example", mobilephone="+1 5")
    moved = await scene.crm_enter("lead", lastname="Moved", emailaddress1="moved@story.example")
    stranger = await scene.marketing_enter(lastName="Stranger", email="stranger@story.example")
    await scene.settle()
    loser, winner = await scene.get_person_of(lost), await scene.get_person_of(kept)
    await _merge_in_marketing(scene, loser["id"], winner["id"])
    await _merge_in_marketing(scene, (await scene.get_person_of(moved))["id"], stranger)
    await scene.settle()
    record = await scene.crm_record("contact", lost)
    scene.check("the records are merged too", record is not None and record["merged"] and record["statecode"] == 1)
    scene.check("the survivor took over what it lacked", await _value(scene, "contact", kept, "mobilephone") == "+1 5")
    await scene.crm_edit("lead", moved, jobtitle="Moved along")
    await scene.settle()
    carriers = [(person["id"], person.get("title")) for person in await scene.people_of(moved)]
    scene.check("a person nobody knew takes over the link", carriers == [(stranger, "Moved along")])
    scene.check("two people are left", len(await scene.people()) == 2)


@story("merge-both-at-once", "Both sides merge the same two at once, each the other way round", settings=CARRY)
async def merge_both_at_once(scene: Scene) -> None:
    first = await scene.crm_enter("contact", lastname="First", emailaddress1="first@story.example")
    second = await scene.crm_enter("contact", lastname="Second", emailaddress1="second@story.example")
    await scene.settle()
    one, two = await scene.get_person_of(first), await scene.get_person_of(second)
    await scene.marketing_edit(one["id"], phone="+44 7")
    await _merge_in_crm(scene, "contact", first, second)
    await _merge_in_marketing(scene, two["id"], one["id"])
    await scene.settle()
    survivor = await scene.get_person_of(second)
    scene.check("one person is left, the one that Marketo kept", [p["id"] for p in await scene.people()] == [one["id"]])
    scene.check("it belongs to the record that Dynamics kept", survivor["id"] == one["id"])
    scene.check("an edit made before is not lost", await _is_kept(scene, second, "+44 7"))


async def _is_kept(scene: Scene, contact: str, phone: str) -> bool:
    recorded = {line.marketing for line in scene.conflicts()}
    return phone in recorded or await _value(scene, "contact", contact, "telephone1") == phone


async def _value(scene: Scene, entity: str, id_: str, column: str) -> Any:
    record = await scene.crm_record(entity, id_)
    assert record is not None, f"there is no {entity} {id_}"
    return record.get(column)


async def _sync_without_an_answer(scene: Scene, meanwhile: Callable[[], Awaitable[None]]) -> None:
    """A pass whose first write to people arrives in Marketo without an answer; `meanwhile` happens before the pass can
    find out what came of it."""
    before = (await scene.marketing.counters()).written
    await scene.marketing.strike("leads.sync", "drop_after")

    async def has_arrived() -> bool:
        return (await scene.marketing.counters()).written > before

    async def once_arrived() -> None:
        scene.check("a write arrived", await until(has_arrived))
        await meanwhile()

    await asyncio.gather(scene.sync(), once_arrived())


@story("merge-during-write", "Two contacts are merged while a write to a person has no answer yet", settings=CARRY)
async def merge_during_write(scene: Scene) -> None:
    contacts = [
        await scene.crm_enter("contact", lastname=name, emailaddress1=f"{name.lower()}@story.example")
        for name in ("Early", "Late", "Left", "Right")
    ]
    await scene.settle()
    people = [(await scene.get_person_of(contact))["id"] for contact in contacts]
    early, late, left, right = contacts
    await scene.crm_edit("contact", early, jobtitle="Buyer")
    await scene.crm_edit("contact", left, jobtitle="Seller")

    async def merge() -> None:
        await _merge_in_crm(scene, "contact", early, late)
        await _merge_in_marketing(scene, people[2], people[3])

    await _sync_without_an_answer(scene, merge)
    await scene.settle()
    scene.check("one person of each two is left", len(await scene.people()) == 2)
    for what, record, loser in (("in Dynamics", late, early), ("in Marketo", right, left)):
        gone = await scene.crm_record("contact", loser)
        scene.check(f"merged {what}, the records are one", gone is not None and gone["merged"])
        scene.check(f"with one person ({what})", await scene.person_of(record) and not await scene.person_of(loser))
    for job, record in (("Buyer", late), ("Seller", right)):
        title = (await scene.get_person_of(record)).get("title")
        scene.check(f"what was on its way is the survivor's: {job}", title == job)
    scene.check("nothing waits", not scene.held())


@story(
    "duplicate-candidates",
    "Several people in Marketo may be one record: an ordered rule decides, or they are held and settled as a group",
    settings="[entities.contact]\nprefer = []\n",
    rows=("N66",),
)
async def duplicate_candidates(scene: Scene) -> None:
    twins = [await scene.marketing_enter(lastName="Twin", email="twin@story.example") for _ in range(2)]
    others = [await scene.marketing_enter(lastName="Other", email="other@story.example") for _ in range(2)]
    double = [await scene.marketing_enter(lastName="Double", email="double@story.example") for _ in range(2)]
    await scene.marketing.advance_clock(60)
    await scene.marketing_edit(max(double), phone="+44 1")
    contact = await scene.crm_enter("contact", lastname="Twin", emailaddress1="twin@story.example")
    second = await scene.crm_enter("contact", lastname="Other", emailaddress1="other@story.example")
    lead = await scene.crm_enter("lead", lastname="Double", emailaddress1="double@story.example")
    await scene.settle()
    ruled = [person["id"] for person in await scene.people_of(lead)]
    scene.check("where a rule prefers one, it decides", ruled == [max(double)])
    scene.check("nobody is guessed", not await scene.people_of(contact) and not await scene.people_of(second))
    group = ["--cause", "several people match one record", "--rule", "lowest-id"]
    shown = await scene.tandem("matches", "settle", *group)
    scene.check("the effect is shown first", shown.status == 0 and "2 are linked to a person" in shown.output)
    await scene.settle()
    scene.check("and nothing done", not await scene.people_of(contact))
    await scene.marketing_delete(min(others))
    applied = await scene.tandem("matches", "settle", *group, "--apply")
    await scene.settle()
    linked = await scene.get_person_of(contact)
    scene.check("the decision was stored", applied.status == 0)
    scene.check("the contact is the person of the rule", int(linked["id"]) == min(twins))
    scene.check("a choice that is gone is not carried out", not await scene.people_of(second))
    asked = (await scene.tandem("matches", "list", "--json")).json()
    scene.check("it is asked for again", [line["crm_id"] for line in asked["matches"]] == [second])
    table = scene.folder / "matches.csv"
    await scene.tandem("matches", "export", str(table))
    table.write_text(table.read_text().replace(f",{max(others)},", f",{max(others)},{max(others)}"))
    await scene.tandem("matches", "import", str(table), "--apply")
    await scene.settle()
    scene.check("decided in a table", int((await scene.get_person_of(second))["id"]) == max(others))
    scene.check("nobody new was made", len(await scene.people()) == 5)


@story("shared-inbox-address", "Several records share an address, and Marketo has one person with it", rows=("N67",))
async def shared_inbox_address(scene: Scene) -> None:
    form = await scene.marketing_enter(lastName="Info", email="info@story.example", phone="+1 9")
    closed = await scene.crm_enter("contact", lastname="Closed", emailaddress1="info@story.example")
    await scene.crm_edit("contact", closed, statecode=1)
    active = await scene.crm_enter("contact", lastname="Active", emailaddress1="info@story.example")
    lead = await scene.crm_enter("lead", lastname="Lead", emailaddress1="info@story.example")
    late = await scene.crm_enter("contact", lastname="Late", emailaddress1="info@story.example")
    await scene.crm_edit("contact", late, statecode=1)
    nobody = [await scene.crm_enter("contact", lastname=f"Without {number}") for number in range(2)]
    await scene.settle()
    adopted = await scene.person_of(active) or {}
    scene.check("the active contact is the person who was there", adopted.get("id") == form)
    scene.check(
        "what was known of that person is on it", await _value(scene, "contact", active, "telephone1") == "+1 9"
    )
    records = (closed, active, lead, late, *nobody)
    people = [person["id"] for key in records for person in await scene.people_of(key)]
    scene.check("each record has a person of its own", len(people) == len(set(people)) == len(records))
    scene.check("nobody else was made", len(await scene.people()) == len(records))
    scene.check(
        "an inactive record is shown as such",
        (await scene.person_of(closed) or {}).get("leadStatus") != adopted.get("leadStatus"),
    )


@story(
    "dedupe-rule",
    "Who is the same is a rule of the settings: here the address and the last name, as a family shares one address",
    settings='[matching]\ndedupe = ["email", "lastName"]\n',
)
async def dedupe_rule(scene: Scene) -> None:
    email = "family@story.example"
    kim, lee = [await scene.marketing_enter(lastName=name, email=email) for name in ("Kim", "Lee")]
    same = await scene.crm_enter("contact", lastname="Lee", emailaddress1=email)
    new = await scene.crm_enter("contact", lastname="Park", emailaddress1=email)
    await scene.settle()
    scene.check("who has the address and the name is the same", (await scene.get_person_of(same))["id"] == lee)
    made = await scene.get_person_of(new)
    scene.check("who has the address alone is somebody new", made["id"] not in (kim, lee))
    scene.check("and nobody was made beside them", len(await scene.people()) == 3)
    carriers = {row["id"] for record in (same, new) for row in await scene.people_of(record)}
    scene.check("whom no record matches stays alone", kim not in carriers)
    scene.check("nothing is held", not scene.held())
