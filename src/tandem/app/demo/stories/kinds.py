"""Every kind of record through its life: the first copy, a change, a difference that no feed tells, a deletion."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tandem.app import commands
from tandem.app.demo.stories import opportunities
from tandem.app.demo.stories.accounts import active_users, owner_of_person, sales_person
from tandem.app.demo.stories.registry import story
from tandem.app.demo.stories.scene import Row, Scene, at
from tandem.app.demo.stories.visits import VISITS, VISITS_WATCH, make_table_of_visits
from tandem.app.demo.stories.watch import Watch
from tandem.app.demo.world import MARKETING, SALESPERSON_KEY, Pair


@dataclass(frozen=True, slots=True)
class Kind:
    """A table, the object that shows it under `key` (a person is found by its own), and a column with its field."""

    entity: str
    object: str
    key: str
    column: str
    field: str


KINDS: Final = (
    Kind("systemuser", "salesperson", SALESPERSON_KEY, "lastname", "lastName"),
    Kind("team", "salesperson", SALESPERSON_KEY, "name", "lastName"),
    Kind("account", "company", "externalCompanyId", "name", "company"),
    Kind("lead", "person", "", "lastname", "lastName"),
    Kind("contact", "person", "", "lastname", "lastName"),
    Kind("opportunity", "opportunity", "externalOpportunityId", "name", "name"),
    Kind("new_visit", "visit", "crmId", "new_name", "title"),
    Kind("campaign", "crmCampaign", "crmId", "name", "campaignName"),
)

CAMPAIGNS: Final = """
[[custom]]
table = "campaign"
object = "crmCampaign"
[[custom.fields]]
crm = "name"
marketing = "campaignName"
"""
EVERYTHING: Final = opportunities.SETTINGS + VISITS + CAMPAIGNS
PROPAGATED: Final = "".join(
    f'[entities.{entity}]\ndeleted_in_crm = "propagate"\n' for entity in ("systemuser", "team", "account")
)
PEOPLE_PROPAGATED: Final = "".join(
    f'[entities.{entity}]\ndeleted_in_crm = "propagate"\ndeleted_in_marketing = "propagate"\n'
    for entity in ("lead", "contact")
)
WATCHES: Final = (VISITS_WATCH, Watch("campaign", "crmCampaign", "crmId", (Pair("name", "campaignName"),)))


async def shown(scene: Scene, kind: Kind, id_: str) -> Row | None:
    if kind.object == "person":
        return await scene.person_of(id_)
    return await scene.object_of(kind.object, kind.key, id_)


async def enter_one_of_each(scene: Scene, name: str, user: str) -> dict[str, str]:
    """The ids by table. Users come with the organisation, so that one of them gets the name."""
    await scene.crm_edit("systemuser", user, lastname=name)
    made = {"systemuser": user}
    for kind in KINDS[1:]:
        made[kind.entity] = await scene.crm_enter(kind.entity, **{kind.column: name})
    made["connection"] = await opportunities.connect(scene, made["opportunity"], made["contact"], "Champion")
    return made


async def _names(scene: Scene, ids: dict[str, str]) -> dict[str, object]:
    """What Marketo shows of them."""
    rows = {kind.entity: await shown(scene, kind, ids[kind.entity]) for kind in KINDS}
    return {kind.entity: (rows[kind.entity] or {}).get(kind.field) for kind in KINDS}


@story(
    "every-kind",
    "One of each kind of record is copied, changed and deleted, and another of each stays",
    settings=EVERYTHING + PROPAGATED + PEOPLE_PROPAGATED,
    rows=("N61", "N63"),
    watches=WATCHES,
)
async def every_kind(scene: Scene) -> None:
    await make_table_of_visits(scene)
    await scene.apply_schema()
    leaver, stayer = (await active_users(scene))[:2]
    going, staying = await enter_one_of_each(scene, "Going", leaver), await enter_one_of_each(scene, "Staying", stayer)
    await scene.settle()
    names = {kind.entity: "Going" for kind in KINDS}
    scene.check("the first copy brings one of each kind", await _names(scene, going) == names)
    role = {(await opportunities.number_of(scene, going["contact"]), "Champion")}
    scene.check("and the role", await opportunities.roles_of(scene, going["opportunity"]) == role)

    for kind in KINDS:
        await scene.crm_edit(kind.entity, going[kind.entity], **{kind.column: "Changed"})
    await scene.sync()
    scene.check("a change of each arrives", await _names(scene, going) == dict.fromkeys(names, "Changed"))

    await scene.crm_edit("systemuser", leaver, isdisabled=True)
    for entity in ("connection", *reversed(names)):
        await scene.crm_delete(entity, going[entity])
    await scene.settle()
    for entity, name in (await _names(scene, going)).items():
        scene.check(f"deleted in Dynamics, deleted in Marketo: {entity}", name is None)
    scene.check("no role is left", not await opportunities.roles_of(scene, going["opportunity"]))
    scene.check("the others stay as they are", await _names(scene, staying) == dict.fromkeys(names, "Staying"))
    scene.check("nothing waits", not scene.held())

    for entity in ("lead", "contact"):
        person = await scene.get_person_of(staying[entity])
        await scene.marketing_delete(person["id"])
    await scene.settle()
    for entity in ("lead", "contact"):
        left = await scene.crm_record(entity, staying[entity])
        scene.check(f"deleted in Marketo, deleted in Dynamics: {entity}", left is None)


@story(
    "drift-repaired",
    "Differences that no feed told of, in every kind of record, are found and repaired by the rules",
    settings=EVERYTHING,
    rows=("N88",),
    watches=WATCHES,
)
async def drift_repaired(scene: Scene) -> None:
    await make_table_of_visits(scene)
    await scene.apply_schema()
    ids = await enter_one_of_each(scene, "Drift", (await active_users(scene))[0])
    await scene.settle()
    roles = await opportunities.roles_of(scene, ids["opportunity"])
    await scene.marketing.set(activity_lag_s=86_400.0)
    for kind in KINDS:
        await _type_in_marketing(scene, kind, ids[kind.entity])
    for role in await scene.records(MARKETING, "opportunityRole"):
        await scene.marketing.delete("opportunityRole", role["marketoGUID"])
    scene.check("the live feeds tell of nothing", (await scene.sync()).writes == 0)
    found = {one.entity for one in (await scene.verify()).differences}
    scene.check("verify finds a difference in every kind", found == ids.keys())

    repaired = await commands.repair(scene.config)
    names = dict.fromkeys((kind.entity for kind in KINDS), "Drift")
    scene.check(
        "what Dynamics owns is as it is there; an edit of a person stands",
        await _names(scene, ids) == names | {"lead": "Typed", "contact": "Typed"},
    )
    for entity in ("lead", "contact"):
        record = await scene.crm_record(entity, ids[entity]) or {}
        scene.check(f"and is carried to the {entity}", record.get("lastname") == "Typed")
    scene.check("the role is there again", await opportunities.roles_of(scene, ids["opportunity"]) == roles)
    scene.check("both sides agree", repaired.is_clean)
    scene.check("a second repair writes nothing", (await commands.repair(scene.config)).writes == 0)


async def _type_in_marketing(scene: Scene, kind: Kind, id_: str) -> None:
    row = await shown(scene, kind, id_)
    assert row is not None, f"Marketo shows no {kind.entity} {id_}"
    edit = {"entity": kind.object, "id": row.get("id") or row["marketoGUID"], "values": {kind.field: "Typed"}}
    await scene.marketing.edit([edit])


@story(
    "owner-deleted",
    "Users and teams are deleted; who is still named in Marketo stays there until nobody names it",
    rows=("N9", "N10"),
)
async def owner_deleted(scene: Scene) -> None:
    first, second, heir = (await active_users(scene))[:3]
    team = await scene.crm_enter("team", name="Harbour sales")
    owners = {"Ann": at("systemuser", first), "Bob": at("systemuser", second), "Cid": at("team", team)}
    ann, bob, cid = [await scene.crm_enter("contact", lastname=name, ownerid=owner) for name, owner in owners.items()]
    gone = await scene.crm_enter("contact", lastname="Gone", ownerid=at("systemuser", second))
    await scene.settle()
    await _hand_over_and_delete(scene, "systemuser", first, {ann: heir})
    await scene.settle()
    scene.check("people name their next owner", await owner_of_person(scene, ann) == heir)
    scene.check("the sales person stays, unless the settings say otherwise", await sales_person(scene, first))
    scene.check("which is no difference", (await scene.verify()).is_clean)
    scene.leave_apart(first, why="sales persons stay by default")

    scene.configure(PROPAGATED)
    await scene.crm_delete("contact", gone)
    await _hand_over_and_delete(scene, "systemuser", second, {bob: heir})
    await _hand_over_and_delete(scene, "team", team, {cid: heir})
    await scene.settle()
    scene.check("a team goes once its people name another owner", not await sales_person(scene, team))
    scene.check("who is named by a person whose record is gone cannot go", await sales_person(scene, second))
    scene.check("and that is told", [line for line in scene.held() if second in line and "in use" in line])
    await scene.marketing_delete((await scene.get_person_of(gone))["id"])
    await scene.tandem("errors", "retry")
    await scene.settle()
    scene.check("once nobody names it, the next try deletes it", not await sales_person(scene, second))
    scene.check("and nothing is told of it any more", not [line for line in scene.held() if second in line])


async def _hand_over_and_delete(scene: Scene, entity: str, owner: str, records: Mapping[str, str]) -> None:
    """As Dynamics wants it: somebody else owns the contacts, a user is disabled first."""
    for contact, heir in records.items():
        await scene.crm_edit("contact", contact, ownerid=at("systemuser", heir))
    if entity == "systemuser":
        await scene.crm_edit("systemuser", owner, isdisabled=True)
    await scene.crm_delete(entity, owner)
