"""A pause stops passes between two batches, keeps what changes meanwhile, and ends where it began."""

import asyncio
from datetime import timedelta

import pytest

from tandem.core.errors import PausedError
from tandem.core.record import ACCOUNT, COMPANY, CONTACT, LEAD, PERSON, RecordId
from tandem.runtime.engine import News
from tandem.runtime.pauses import EVERYTHING, Pause, ensure_running, load_pauses, pause, resume
from tandem.runtime.sync_pass import run_pass
from tests.builders import START, World

WHO = Pause(START, "ann", "the office moves")


def an_id(number: int) -> RecordId:
    return RecordId(f"00000000-0000-0000-0000-{number:012}")


def passes(world: World, count: int = 3) -> None:
    for _ in range(count):
        asyncio.run(run_pass(world.engine()))
        world.clock.advance(100)


def test_a_paused_sync_says_since_when_by_whom_why_and_how_it_goes_on() -> None:
    world = World()
    pause(world.store, [EVERYTHING], WHO)
    with pytest.raises(PausedError, match=r"2026-03-01 12:00 UTC by ann: the office moves\..*tandem resume"):
        asyncio.run(run_pass(world.engine()))
    assert (world.crm.records, world.marketing.records) == ({}, {})
    assert world.store.load_runs(1) == []


def test_the_first_pause_is_the_one_that_counts_until_it_is_resumed() -> None:
    world = World()
    pause(world.store, [LEAD], WHO)
    pause(world.store, [LEAD], Pause(START + timedelta(days=1), "bob"))
    assert load_pauses(world.store) == {LEAD: WHO}
    assert resume(world.store, [ACCOUNT, LEAD]) == [LEAD]
    assert load_pauses(world.store) == {}
    ensure_running(world.store)


def test_what_changes_while_one_object_is_paused_is_caught_up(world: World) -> None:
    pause(world.store, [CONTACT, LEAD], WHO)
    world.crm.edit(CONTACT, an_id(1), {"firstname": "Ann"})
    world.crm.edit(ACCOUNT, an_id(2), {"name": "Contoso Ltd"})
    [person] = world.marketing.records[PERSON]
    world.marketing.edit(PERSON, person, {"phone": "1"})
    passes(world)
    assert world.marketing.records[PERSON][person].get("firstName") is None
    assert [row["company"] for row in world.marketing.records[COMPANY].values()] == ["Contoso Ltd"]
    resume(world.store, [CONTACT, LEAD])
    passes(world)
    assert world.marketing.records[PERSON][person]["firstName"] == "Ann"
    assert world.crm.records[CONTACT][an_id(1)]["telephone1"] == "1"


def test_a_pause_of_everything_takes_effect_between_two_batches(world: World) -> None:
    for number in range(10, 40):
        world.crm.create(CONTACT, {"lastname": "P", "emailaddress1": f"p{number}@example.com"}, an_id(number))
    engine = world.engine()

    def pause_after_one(news: News) -> None:
        if news.phase == "apply":
            pause(world.store, [EVERYTHING], WHO)

    engine.tell = pause_after_one
    asyncio.run(run_pass(engine))
    made = len(world.marketing.records[PERSON])
    assert 1 < made <= 1 + world.claim_size
    resume(world.store, [EVERYTHING])
    passes(world)
    assert len(world.marketing.records[PERSON]) == 31


def test_a_first_copy_that_was_paused_is_not_called_done() -> None:
    world = World()
    world.crm.create(CONTACT, {"lastname": "P", "emailaddress1": "p@example.com"}, an_id(1))
    pause(world.store, [CONTACT], WHO)
    passes(world)
    assert world.store.load_setting("first_copy") is None
    resume(world.store, [CONTACT])
    passes(world)
    assert world.store.load_setting("first_copy") == "done"


@pytest.fixture
def world() -> World:
    """A person and an account that are in step."""
    world = World()
    world.crm.create(CONTACT, {"lastname": "P", "emailaddress1": "p@example.com"}, an_id(1))
    world.crm.create(ACCOUNT, {"name": "Contoso"}, an_id(2))
    passes(world)
    return world
