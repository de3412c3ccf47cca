"""The first days: a pilot, a ceiling, side effects, partitions."""

from typing import Any, Final

from tandem.app.demo.stories.registry import story
from tandem.app.demo.stories.scene import Scene

NOBODY_LISTENS: Final = "http://127.0.0.1:9/hook"
"""Where the plug-in of these stories posts to, so that it fails."""

BYPASSING: Final = """
[crm]
bypass_plugins = true
"""

PARTITIONS: Final = """
[[marketing.partitions]]
name = "EMEA"
when = "address1_country in ['DE', 'FR']"
"""


async def _contact(scene: Scene, name: str, **values: Any) -> str:
    return await scene.crm_enter("contact", lastname=name, emailaddress1=f"{name}@story.example".lower(), **values)


@story("pilot-then-all", "Two colleagues are synced first, then a few more, then everybody; nothing is lost")
async def pilot_then_all(scene: Scene) -> None:
    account = await scene.crm_enter("account", name="Pilot Ltd")
    other = await scene.crm_enter("account", name="Later Ltd")
    ours = [
        await _contact(scene, f"Ours{n}", jobtitle="Tester", parentcustomerid={"entity": "account", "id": account})
        for n in (1, 2)
    ]
    rest = [
        await _contact(scene, f"Rest{n}", parentcustomerid={"entity": "account", "id": other}) for n in (1, 2, 3, 4)
    ]
    stranger = await scene.marketing_enter(lastName="Only", email="only@story.example")
    only = "jobtitle == 'Tester'"
    planned = (await scene.tandem("plan", "--only", only, "--json")).json()
    scene.check("the plan makes the two and names the pilot", planned["counts"].get("marketing.create.person") == 2)
    scene.check("by its expression", only in planned["pilot"])
    for _ in range(3):
        await scene.tandem("sync", "--only", only)
    found = [crm_id for crm_id in (*ours, *rest) if await scene.person_of(crm_id)]
    scene.check("only the two are in Marketo", found == ours)
    scene.check("with their account", await scene.company_of(account) and not await scene.company_of(other))
    status = (await scene.tandem("status", "--json")).json()
    scene.check("status says so", status["pilot"]["text"] == f"only {only}" and status["pilot"]["waiting"] > 0)
    await scene.crm_edit("contact", rest[0], telephone1="+44 1")
    await scene.crm_edit("contact", ours[0], telephone1="+44 2")
    await scene.marketing_edit(stranger, title="Edited")
    await scene.tandem("sync", "--only", only)
    scene.check("an edit of the two goes on", (await scene.person_of(ours[0]) or {}).get("phone") == "+44 2")
    scene.check("an edit of another one waits", await scene.person_of(rest[0]) is None)
    await scene.tandem("sync", "--limit", "4")
    scene.check("a larger pilot takes as many as it may", len(await scene.people()) == 1 + 4)
    await scene.settle()
    for crm_id in rest:
        scene.check("then everybody is there", await scene.person_of(crm_id))
    scene.check("with what was edited meanwhile", (await scene.person_of(rest[0]) or {}).get("phone") == "+44 1")
    scene.check("and the pilot is over", scene.status().pilot is None)


@story(
    "people-ceiling",
    "Marketo is sold by people: what does not fit waits, the rest goes on, and a higher number frees it",
)
async def people_ceiling(scene: Scene) -> None:
    for number in range(10):
        await scene.marketing_enter(lastName=f"Known {number}", email=f"known.{number}@story.example")
    contacts = [await _contact(scene, f"New{number}") for number in range(3)]
    known = await scene.crm_enter("contact", lastname="Known", emailaddress1="known.0@story.example")
    said = scene.base["marketing"].items()
    scene.base = {**scene.base, "marketing": {name: value for name, value in said if name != "max_people"}}
    scene.configure()
    plan = (await scene.tandem("plan", "--json")).json()
    scene.check("the plan names both numbers", (plan["people"]["present"], plan["people"]["ceiling"]) == (10, 11))
    scene.check("a tenth more, as the settings say nothing", plan["people"]["is_default"])
    scene.check("and makes what fits", plan["counts"].get("marketing.create.person") == 1)
    await scene.settle()
    scene.check("one more person is in Marketo", len(await scene.people()) == 11)
    scene.check("who was there already is linked", await scene.person_of(known))
    made = [crm_id for crm_id in contacts if await scene.person_of(crm_id)]
    held = [line for line in scene.held() if "marketing.max_people" in line]
    scene.check("the others are held, with the setting to raise", len(held) == 2)
    await scene.crm_edit("contact", made[0], jobtitle="Goes on")
    await scene.settle()
    scene.check("what fits goes on", (await scene.person_of(made[0]) or {}).get("title") == "Goes on")
    scene.check("nobody slips through later", len(await scene.people()) == 11)
    scene.configure("[marketing]\nmax_people = 100\n")
    await scene.settle()
    scene.check("a higher number frees them", len(await scene.people()) == 13)
    scene.check("nothing is held any more", not [line for line in scene.held() if "max_people" in line])


@story(
    "plug-ins-bypassed",
    "A plug-in refuses what Tandem writes, until the settings leave it out and the role may",
    settings="[entities.contact]\nwinner = 'marketing'\n",
)
async def plug_ins_bypassed(scene: Scene) -> None:
    contact = await _contact(scene, "Guarded")
    await scene.settle()
    await _register_failing_plug_in(scene)
    person = await scene.person_of(contact)
    assert person is not None
    await scene.marketing_edit(person["id"], title="From Marketo")
    await scene.settle()
    scene.check("the plug-in stands in the way", not (await scene.crm_record("contact", contact) or {}).get("jobtitle"))
    scene.check("that is shown", scene.status().rejected)
    scene.configure(BYPASSING)
    checked = await scene.tandem("check")
    scene.check("check says that the privilege is missing", "crm.bypass_plugins" in checked.output)
    await scene.crm.grant("prvBypassCustomBusinessLogic")
    plan = (await scene.tandem("plan", "--json")).json()
    scene.check("the plan names what is left out", any("bypass_plugins" in text for text in plan["side_effects"]))
    await scene.marketing_edit(person["id"], title="Again")
    await scene.settle()
    record = await scene.crm_record("contact", contact) or {}
    scene.check("then the edit arrives", record.get("jobtitle") == "Again")


async def _register_failing_plug_in(scene: Scene) -> None:
    """A synchronous step on every update of a contact, at an address where nobody listens."""
    user = (await scene.web_api("GET", "WhoAmI"))["UserId"]
    await scene.crm.make_administrator(user)
    message = await _first(scene, "sdkmessages?$filter=name eq 'Update'")
    which = f"primaryobjecttypecode eq 'contact' and sdkmessageid/sdkmessageid eq {message['sdkmessageid']}"
    condition = await _first(scene, f"sdkmessagefilters?$filter={which}")
    hook = {"name": "guard", "contract": 8, "url": NOBODY_LISTENS, "authtype": 4, "authvalue": "k", "messageformat": 2}
    await scene.web_api("POST", "serviceendpoints", hook)
    endpoint = await _first(scene, "serviceendpoints?$filter=name eq 'guard'")
    step = {
        "name": "guard of contacts",
        "stage": 40,
        "mode": 0,
        "rank": 1,
        "supporteddeployment": 0,
        "asyncautodelete": False,
        "eventhandler_serviceendpoint@odata.bind": f"/serviceendpoints({endpoint['serviceendpointid']})",
        "sdkmessageid@odata.bind": f"/sdkmessages({message['sdkmessageid']})",
        "sdkmessagefilterid@odata.bind": f"/sdkmessagefilters({condition['sdkmessagefilterid']})",
    }
    await scene.web_api("POST", "sdkmessageprocessingsteps", step)
    await scene.crm.make_administrator(user, is_so=False)


async def _first(scene: Scene, path: str) -> dict[str, Any]:
    rows: list[dict[str, Any]] = (await scene.web_api("GET", path.replace(" ", "%20").replace("'", "%27")))["value"]
    return rows[0]


@story("partition-by-rule", "New people go to the partition that a rule on their record names", settings=PARTITIONS)
async def partition_by_rule(scene: Scene) -> None:
    made = await scene.marketing.create("partition", {"name": "EMEA"})
    german = await _contact(scene, "Berlin", address1_country="DE")
    other = await _contact(scene, "Boston", address1_country="US")
    await scene.settle()
    scene.check("the rule's people are in its partition", await _partition_of(scene, german) == int(made))
    scene.check("the others in the default one", await _partition_of(scene, other) == 1)
    await scene.crm_edit("contact", other, address1_country="FR")
    await scene.settle()
    scene.check("nobody is moved later", await _partition_of(scene, other) == 1)


async def _partition_of(scene: Scene, crm_id: str) -> int | None:
    person = await scene.person_of(crm_id)
    if person is None:
        return None
    answer = await scene.rest("GET", f"/rest/v1/lead/{person['id']}.json?fields=leadPartitionId")
    return int(answer["result"][0]["leadPartitionId"])
