"""People known only to Marketo: by default Dynamics never hears of them, on request each becomes one lead."""

from collections import Counter
from pathlib import Path
from typing import Final

from tandem.app.demo.world import CRM, Record, World, crm_key
from tests.faults.scene import Scene, configure, kill, set_scene

PEOPLE: Final = 150


async def test_by_default_nobody_known_only_to_marketo_is_written_to_dynamics(tmp_path: Path) -> None:
    async with set_scene(tmp_path, people=PEOPLE, seed=10) as scene:
        form = {"firstName": "Only", "lastName": "Marketo", "email": "form@only-marketo.example"}
        await scene.stage.marketing.control.create("person", form)
        (await scene.tandem("sync")).assert_in_order(0)
        await scene.stage.marketing.control.create("person", form | {"email": "later@only-marketo.example"})
        await scene.heal()
        after = await scene.stage.look()
        assert len(strangers(after)) > 10
        assert {entity: records.keys() for entity, records in after.crm.items()} == {
            entity: records.keys() for entity, records in scene.before.crm.items()
        }


async def test_on_request_each_becomes_one_lead_though_the_answer_is_lost_and_the_process_killed(
    tmp_path: Path,
) -> None:
    async with set_scene(tmp_path, people=PEOPLE, seed=10) as scene:
        (await scene.tandem("sync")).assert_in_order(0)
        unknown = strangers(await scene.stage.look())
        configure(scene.stage, entities__lead__create_in_crm="lead")
        await kill_when_the_answer_is_lost(scene)
        written = await scene.stage.look()
        assert written.crm["lead"].keys() - scene.before.crm["lead"].keys(), "the write itself was lost"
        await scene.heal()
        after = await scene.stage.look()
        new = after.crm["lead"].keys() - scene.before.crm["lead"].keys()
        carriers = Counter(key for person in after.marketing["person"].values() if (key := crm_key(person)) in new)
        assert carriers == Counter(dict.fromkeys(new, 1))
        assert {person for person in unknown if crm_key(after.marketing["person"][person])} == set(unknown)
        assert len(new) == len(unknown)
        assert await scene.harm() == {}


async def kill_when_the_answer_is_lost(scene: Scene) -> None:
    strike = await scene.faults.arm(CRM, operation="leads.create_multiple", action="drop_after")
    process = await scene.start("sync")
    try:
        await scene.faults.wait_for(CRM, strike)
    finally:
        await kill(process)


def strangers(world: World) -> dict[str, Record]:
    """Marketo people whose e-mail address nobody in Dynamics has, and who carry no key."""
    known = {email_of(record, "emailaddress1") for e in ("lead", "contact") for record in world.crm[e].values()}
    return {
        record_id: person
        for record_id, person in world.marketing["person"].items()
        if crm_key(person) is None and email_of(person, "email") not in known - {""}
    }


def email_of(record: Record, name: str) -> str:
    return str(record.get(name) or "").strip().lower()
