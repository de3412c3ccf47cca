"""A table of the mapping that Dynamics does not have, or has no longer."""

from typing import Final

from tandem.app.demo.stories.registry import story
from tandem.app.demo.stories.scene import Scene
from tandem.app.demo.stories.tables import make_table
from tandem.app.demo.world import MARKETING

_FAIRS: Final = """
[[custom]]
table = "new_fair"
object = "fair"
[[custom.fields]]
crm = "new_name"
marketing = "name"
"""


@story("table-deleted", "A custom table is deleted in Dynamics while everything runs: it alone is set aside")
async def table_deleted(scene: Scene) -> None:
    scene.configure(_FAIRS)
    contact = await scene.crm_enter("contact", lastname="Goes on", emailaddress1="goes.on@story.example")
    await scene.settle()
    scene.check("a table that is not there yet stops nobody", await scene.person_of(contact))
    scene.check("the status says that there is none", _reasons(scene) == ["Dynamics has no table new_fair"])

    for command in (["check"], ["schema", "plan"]):
        told = await scene.tandem(*command)
        is_named = "new_fair" in told.output + told.complaints and "logical name" in told.output + told.complaints
        scene.check(f"tandem {command[0]} says so too, with the remedy", told.status and is_named)

    await make_table(scene, "fair")
    fair = await scene.crm_enter("new_fair", new_name="Spring Fair")
    await scene.apply_schema()
    await scene.settle()
    scene.check("once it is there it is carried", await scene.object_of("fair", "crmId", fair))
    scene.check("and nothing is set aside", _reasons(scene) == [])

    await scene.web_api("DELETE", "EntityDefinitions(LogicalName='new_fair')")
    await scene.crm_edit("contact", contact, jobtitle="Still here")
    await scene.settle()
    scene.check("the rest goes on without it", (await scene.get_person_of(contact)).get("title") == "Still here")
    scene.check("the status says that it is gone", _reasons(scene) == ["Dynamics has no table new_fair"])
    scene.check("what Marketo shows of it stays", len(await scene.records(MARKETING, "fair")) == 1)


def _reasons(scene: Scene) -> list[str]:
    return [line.reason for line in scene.status().quarantined if line.entity == "new_fair"]
