"""While a new field is filled for everybody, or a new table is loaded, live edits go first: over both emulators, pass
by pass."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tandem.app.build import opened
from tandem.app.demo.stories.custom import shown
from tandem.app.demo.stories.registry import Story
from tandem.app.demo.stories.scene import Scene
from tandem.app.demo.stories.visits import VISITS, make_table_of_visits
from tandem.app.demo.world import MARKETING
from tandem.runtime.sync_pass import run_pass
from tests.scenarios.emulator_pair import Pair

PEOPLE = 60
VISITS_COUNT = 50
MAPPED = "[[entities.contact.fields]]\ncrm = 'department'\nmarketing = 'department'\n"


async def _nothing(scene: Scene) -> None:
    """The test itself is the story."""


@pytest.fixture
async def scene(pair: Pair, tmp_path: Path) -> AsyncIterator[Scene]:
    async with pair.scene(Story("slow-lane", "", _nothing), tmp_path) as scene:
        yield scene


async def _a_small_pass(scene: Scene) -> None:
    """As a service works, with small portions: so much of a backfill in a pass, no more."""
    async with opened(scene.config, creates_fields=True) as setup:
        engine = setup.engine
        engine.settings = replace(engine.settings, claim_size=10, slow_rounds=1, slow_pages=1)
        await run_pass(engine)


async def _departments(scene: Scene, contacts: Sequence[str]) -> list[object]:
    by_key = {
        str(person.get("tandemCrmId") or person.get("externalPersonId")): person for person in await scene.people()
    }
    return [by_key[contact].get("department") for contact in contacts]


@pytest.mark.parity("N86")
@pytest.mark.parity("N87")
@pytest.mark.parity("N135")
async def test_an_edit_arrives_within_two_passes_while_everybody_is_filled(scene: Scene) -> None:
    await scene.crm.set_clock(datetime.now(UTC) - timedelta(hours=2))
    contacts = [
        await scene.crm_enter("contact", lastname=f"P{n}", emailaddress1=f"p{n}@slow.example", department=f"Unit {n}")
        for n in range(PEOPLE)
    ]
    await scene.crm.set_clock(datetime.now(UTC))
    await scene.settle()
    scene.configure(MAPPED)
    overtaken = passes = 0
    told: list[int] = []
    while None in (shown := await _departments(scene, contacts)):
        title = f"Title {passes}"
        await scene.crm_edit("contact", contacts[-1], jobtitle=title)
        for _ in range(2):
            await _a_small_pass(scene)
        person = await scene.person_of(contacts[-1])
        assert person is not None
        assert person["title"] == title
        told += [line.done for line in scene.status().filling if line.side == "crm" and line.phase == "filling"]
        overtaken += shown.count(None) > 0
        passes += 2
        assert passes < 40, scene.status().filling
    assert overtaken > 2, "the backfill must last for edits to overtake it"
    assert shown == [f"Unit {n}" for n in range(PEOPLE)]
    assert len(set(told)) > 2, "the status must tell how far it is"
    assert told == sorted(told)


@pytest.mark.parity("N41")
async def test_an_edit_arrives_at_once_while_a_table_is_loaded(scene: Scene) -> None:
    await make_table_of_visits(scene)
    await scene.crm.set_clock(datetime.now(UTC) - timedelta(hours=2))
    visits = [await scene.crm_enter("new_visit", new_name=f"Visit {n}") for n in range(VISITS_COUNT)]
    await scene.crm.set_clock(datetime.now(UTC))
    await scene.settle()
    scene.configure(VISITS)
    await scene.apply_schema()
    overtaken = 0
    while (loaded := len(await scene.records(MARKETING, "visit"))) < VISITS_COUNT:
        assert overtaken < 20, scene.status().filling
        name = f"Edited, {loaded} are there"
        await scene.crm_edit("new_visit", visits[-1], new_name=name)
        await _a_small_pass(scene)
        assert (await shown(scene, "visit", visits[-1])).get("title") == name
        overtaken += 1
    assert overtaken > 3, "the load must last for edits to overtake it"
    titles = {str(row["title"]) for row in await scene.records(MARKETING, "visit")}
    assert titles == {name, *(f"Visit {n}" for n in range(VISITS_COUNT - 1))}
