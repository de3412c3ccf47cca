"""The recipe "only people with an e-mail address" (N102), as its example says it, over both emulators."""

import tomllib
from pathlib import Path

import pytest

from tandem.app.demo.stories import settings
from tandem.app.demo.stories.registry import Story
from tandem.app.demo.stories.scene import Scene
from tests.ground.repository import ROOT
from tests.scenarios.emulator_pair import Pair

EXAMPLE = ROOT / "examples" / "only-people-with-email.toml"


async def _play(scene: Scene) -> None:
    account = await scene.crm_enter("account", name="Mail Ltd")
    employer = {"entity": "account", "id": account}
    with_mail = await scene.crm_enter(
        "contact", lastname="Mail", emailaddress1="mail@story.example", parentcustomerid=employer
    )
    without = {
        entity: await scene.crm_enter(entity, lastname=f"Silent {entity}", telephone1="+44 1")
        for entity in ("lead", "contact")
    }
    await scene.settle()
    scene.check("who has an address is there", await scene.person_of(with_mail))
    scene.check("with the account", await scene.company_of(account))
    for entity, id_ in without.items():
        scene.check(f"a {entity} without one is not", await scene.person_of(id_) is None)
        await scene.crm_edit(entity, id_, emailaddress1=f"now.{entity}@story.example")
    await scene.crm_edit("contact", with_mail, emailaddress1=None, telephone1="+44 2")
    await scene.settle()
    for entity, id_ in without.items():
        scene.check(f"a {entity} that gets one follows", await scene.person_of(id_))
    person = await scene.person_of(with_mail)
    scene.check("who loses it stays as it was", person and person["email"] == "mail@story.example")
    scene.check("and is listed", scene.status().outside == 1)
    for field in ("emailaddress1", "telephone1"):
        scene.leave_apart(with_mail, field, why="it is paused")


@pytest.mark.parity("N102")
async def test_the_recipe_needs_no_column_and_no_workflow(pair: Pair, tmp_path: Path) -> None:
    entities = tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))["entities"]
    story = Story("email-only", "Only people with an address", _play, settings=settings.render({"entities": entities}))
    result = await pair.play(story, tmp_path)
    assert result.passed, result
