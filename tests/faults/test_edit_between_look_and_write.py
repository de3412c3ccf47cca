"""A person edits between our look and our write. Marketo has no versions: the change log tells what was run over.
Dynamics has them, and refuses."""

import asyncio
from pathlib import Path

import pytest

from tandem.app.demo.typists import Candidate, Typist
from tandem.app.demo.world import CRM, MARKETING, Typed
from tandem.core.record import Side
from tandem.ports import JournalState
from tests.faults.scene import Scene, ended, set_scene

PEOPLE = 100
HELD_S = 0.8


@pytest.mark.parametrize(("entity", "winner"), [("lead", "typed in Marketo"), ("contact", "typed in Dynamics")])
async def test_an_edit_in_marketo_that_our_write_overtakes_is_a_conflict_with_its_text(
    entity: str, winner: str, tmp_path: Path
) -> None:
    """The winner of the entity decides, as if both had typed before the look."""
    async with set_scene(tmp_path, people=PEOPLE, seed=8) as scene:
        one = await copied(scene, entity)
        await scene.type([in_crm(one, "jobtitle", "typed in Dynamics")])
        await scene.faults.arm(MARKETING, operation="leads.sync", action="delay", delay_s=HELD_S)
        process = await scene.start("sync")
        await write_is_under_way(scene, Side.MARKETING)
        await scene.type([in_marketing(one, "title", "typed in Marketo"), in_marketing(one, "phone", "+1 555")])
        (await ended(process)).assert_in_order(0)
        await scene.heal()
        assert await scene.harm() == {}
        assert await titles(scene, one) == (winner, winner)


@pytest.mark.parametrize("entity", ["lead", "contact"])
async def test_an_edit_in_dynamics_during_our_write_stops_that_write(entity: str, tmp_path: Path) -> None:
    winner = {"lead": "typed in Marketo", "contact": "typed in Dynamics"}[entity]
    async with set_scene(tmp_path, people=PEOPLE, seed=8) as scene:
        one = await copied(scene, entity)
        await scene.type([in_marketing(one, "title", "typed in Marketo")])
        await asyncio.sleep(0.8)
        await scene.faults.arm(CRM, operation="batch", action="delay", delay_s=HELD_S, times=None)
        process = await scene.start("sync")
        await write_is_under_way(scene, Side.CRM)
        await scene.type([in_crm(one, "jobtitle", "typed in Dynamics"), in_crm(one, "telephone1", "+1 555")])
        end = await ended(process)
        end.assert_in_order(0)
        assert '"withdrawn": 1' in end.output, end
        await scene.heal()
        assert await scene.harm() == {}
        assert await titles(scene, one) == (winner, winner)


async def copied(scene: Scene, entity: str) -> Candidate:
    """Everybody is copied; somebody of `entity` whose record can be changed."""
    (await scene.tandem("sync")).assert_in_order(0)
    return Typist(await scene.stage.look(), seed=8).take(entity)


def in_crm(one: Candidate, field: str, value: str) -> Typed:
    return Typed(1, CRM, one.entity, one.crm_id, field, value)


def in_marketing(one: Candidate, field: str, value: str) -> Typed:
    return Typed(1, MARKETING, "person", one.marketing_id, field, value)


async def write_is_under_way(scene: Scene, side: Side) -> None:
    """The journal says that a write to `side` was sent; the emulator holds it back."""

    def sent() -> bool:
        return any(row.state is JournalState.SENT and row.action.side is side for row in scene.open_rows())

    async with asyncio.timeout(30):
        while not sent():  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.02)


async def titles(scene: Scene, one: Candidate) -> tuple[object, object]:
    crm = await scene.stage.crm.control.record(one.entity, one.crm_id)
    marketing = await scene.stage.marketing.control.record("person", one.marketing_id)
    assert crm is not None
    assert marketing is not None
    return crm["jobtitle"], marketing["title"]
