"""Campaigns of Dynamics and their members, and who is made in Dynamics by being a member in Marketo."""

from typing import Final

from tandem.app.demo.stories.flow_steps import (
    PERSON,
    call,
    has_no_open_requests,
    records_of,
    serving,
    told,
    until,
)
from tandem.app.demo.stories.registry import story
from tandem.app.demo.stories.scene import Row, Scene
from tandem.app.demo.stories.watch import Watch
from tandem.app.demo.world import CRM, Pair

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
    stranger = await scene.marketing_enter(email="visitor@story.example", **PERSON)
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
    made = [(entity, str(row[f"{entity}id"])) for entity, row in await records_of(scene, "visitor@story.example")]
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


@story(
    "campaign-steps",
    "Flow steps put people into a campaign of Dynamics and take them out again",
    rows=("N49", "N52", "N54"),
)
async def campaign_steps(scene: Scene) -> None:
    campaign = await scene.crm_enter("campaign", name="Spring Fair")
    over = await scene.crm_enter("campaign", name="Winter Fair")
    await scene.crm_edit("campaign", over, statecode=1, statuscode=6)
    contact = await scene.crm_enter("contact", lastname="Known", emailaddress1="known@story.example")
    other = await scene.crm_enter("contact", lastname="Other", emailaddress1="other@story.example")
    theirs = await scene.crm_enter("list", listname="By hand", createdfromcode=2, type=False)
    await _put_on(scene, campaign, theirs, other)
    stranger = await scene.marketing_enter(email="visitor@story.example", **PERSON)
    await scene.settle()
    known, by_hand = (await scene.get_person_of(contact))["id"], (await scene.get_person_of(other))["id"]

    async def has(members: set[str], list_: str) -> bool:
        return (await _lists_of(scene, campaign)).get(list_, set()) == members

    async def is_told(person: int, outcome: str) -> bool:
        return await told(scene, person) == outcome

    contacts, leads = f"Tandem-contacts-{campaign}", f"Tandem-leads-{campaign}"
    async with serving(scene) as base:
        await call(scene, base, known, "add-to-campaign", campaign=campaign)
        scene.check("a step adds a contact at once", await until(lambda: has({contact}, contacts)))
        await call(scene, base, stranger, "add-to-campaign", campaign="Spring Fair")
        is_made = await until(lambda: records_of(scene, "visitor@story.example"))
        scene.check("who is missing in Dynamics is made first", is_made)
        made = {str(row["leadid"]) for _, row in await records_of(scene, "visitor@story.example")}
        scene.check("as a lead, and added", await until(lambda: has(made, leads)))

        await call(scene, base, known, "remove-from-campaign", campaign=campaign)
        scene.check("a step takes out whom a step added", await until(lambda: has(set(), contacts)))
        await call(scene, base, by_hand, "remove-from-campaign", campaign=campaign)
        await until(lambda: told(scene, by_hand))
        await until(lambda: has_no_open_requests(scene))
        scene.check("whom others added stays", await has({other}, "By hand"))
        scene.check("and the step is told so", await is_told(by_hand, "nothing to do"))
        await call(scene, base, by_hand, "remove-from-campaign", campaign=campaign, others="true")
        scene.check("unless the step says others too", await until(lambda: has(set(), "By hand")))

        await call(scene, base, known, "add-to-campaign", campaign="Winter Fair")
        is_refused = await until(lambda: is_told(known, "refused"))
        scene.check("a campaign that is not active takes nobody", is_refused and not await _lists_of(scene, over))


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
    stranger = await scene.marketing_enter(email="visitor@story.example", **PERSON)
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
    scene.check("and is not made", not await records_of(scene, "visitor@story.example"))
    await give_status("Attended", known["id"], stranger)
    await scene.settle()
    made = await records_of(scene, "visitor@story.example")
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
    member = await scene.marketing_enter(email="member@story.example", **PERSON)
    await scene.marketing_enter(email="nobody@story.example", **PERSON)
    list_id = int(await scene.marketing.create("list", {"name": "For sales"}))
    scene.configure(f'[[creations]]\nlist = {list_id}\ncreate_as = "contact"\ninterval_s = 0.01\n')
    await scene.settle()
    scene.check("an empty list makes nobody", not await records_of(scene, "member@story.example"))
    await scene.marketing_act("add-to-list", list=list_id, ids=[member])
    await scene.settle()
    found = await records_of(scene, "member@story.example")
    scene.check("the member is made as the rule says", [entity for entity, _ in found] == ["contact"])
    scene.check("nobody else is made", not await records_of(scene, "nobody@story.example"))
    await scene.crm_delete("contact", str(found[0][1]["contactid"]))
    await scene.settle()
    scene.check("who was deleted in Dynamics stays deleted", not await records_of(scene, "member@story.example"))
    again = await scene.tandem("push", str(member), "--json")
    scene.check("a push is told why", again.status == 1 and "deleted" in again.json()["reason"])
    anew = await scene.tandem("push", str(member), "--resurrect", "--json")
    scene.check("and makes it anew where it is asked to", anew.json().get("outcome") == "done")
    scene.check("once", len(await records_of(scene, "member@story.example")) == 1)
