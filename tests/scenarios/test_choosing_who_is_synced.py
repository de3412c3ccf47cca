"""Filters and deletions that are carried over, as an operator sets them, over both emulators."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.scenarios.stage import Stage, running_stage

SETTINGS = """
[entities.contact]
filter = "jobtitle != 'Private'"
deleted_in_crm = "propagate"
deleted_in_marketing = "propagate"
"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with running_stage(tmp_path_factory.mktemp("chosen"), people=6, marketing_people=3, seed=37) as stage:
        stage.configure(SETTINGS)
        asyncio.run(stage.prepare(contact=5))
        yield stage


async def test_a_contact_outside_is_not_copied_until_it_enters(stage: Stage) -> None:
    contact = stage.enter("contact", lastname="Outside", jobtitle="Private", emailaddress1="out@story.example")
    await stage.sync()
    await stage.sync_until_quiet()
    assert stage.people_of(contact) == []
    stage.crm.edit("contact", contact, jobtitle="Public")
    await stage.sync_until(lambda: stage.has(contact, title="Public", lastName="Outside"))


async def test_a_contact_that_leaves_is_paused_both_ways_and_goes_on_where_it_stopped(stage: Stage) -> None:
    contact = stage.take("contact")
    person = stage.person_of(contact)["id"]
    stage.crm.edit("contact", contact, jobtitle="Private", telephone1="+44 2")
    await stage.sync_until(lambda: f"contact {contact}: the record since" in stage.holds())
    stage.edit_person(person, middleName="Waiting")
    await stage.sync()
    await stage.sync_until_quiet()
    assert stage.has(contact, title="Clerk", phone="+44 1")
    assert stage.crm_has("contact", contact, middlename=None)
    assert (await stage.verify()).differences == ()
    stage.crm.edit("contact", contact, jobtitle="Public")
    await stage.sync_until(
        lambda: (
            stage.has(contact, title="Public", phone="+44 2")
            and stage.crm_has("contact", contact, middlename="Waiting")
        )
    )
    assert contact not in stage.holds()


async def test_a_deletion_goes_over_either_way(stage: Stage) -> None:
    in_crm, in_marketing = stage.take("contact"), stage.take("contact")
    person, other = stage.person_of(in_crm)["id"], stage.person_of(in_marketing)["id"]
    stage.crm.control("people/delete", {"entity": "contact", "id": in_crm})
    stage.delete_person(other)
    await stage.sync_until(lambda: person not in stage.everyone() and in_marketing not in stage.crm.records("contact"))
    await stage.sync_until_quiet()


async def test_all_of_it_agrees(stage: Stage) -> None:
    await stage.sync_until_quiet()
    assert (await stage.verify()).differences == ()
