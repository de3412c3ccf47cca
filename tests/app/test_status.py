"""Status: what waits, split and dated, beside what the last hours wrote; what is paused stands above it all."""

from datetime import timedelta
from itertools import pairwise

from tandem.app import flow
from tandem.app.reports import Backlog
from tandem.core.record import CONTACT, LEAD, PERSON, RecordId
from tandem.runtime.engine import load_marks
from tandem.runtime.pauses import Pause, pause
from tandem.runtime.sync_pass import run_pass
from tests.builders import START, World


def an_id(number: int) -> RecordId:
    return RecordId(f"00000000-0000-0000-0000-{number:012}")


async def a_pass(world: World) -> None:
    await run_pass(world.engine())
    world.clock.advance(600)


async def test_the_backlog_is_split_and_its_oldest_is_dated() -> None:
    world = World()
    world.crm.create(LEAD, {"lastname": "Known", "emailaddress1": "k@example.com"}, an_id(1))
    for _ in range(2):
        await a_pass(world)
    pause(world.store, [LEAD, CONTACT], Pause(START, "ann"))
    began = world.clock.now()
    world.crm.edit(LEAD, an_id(1), {"firstname": "Ann"})
    await a_pass(world)
    world.crm.create(LEAD, {"lastname": "New", "emailaddress1": "n@example.com"}, an_id(2))
    world.crm.edit(LEAD, an_id(1), {"firstname": "Anna"})
    await a_pass(world)
    found = flow.load_flow(world.store, world.clock.now()).backlog
    assert found[LEAD, False] == Backlog(1, began)
    assert found[LEAD, True] == Backlog(1, began + timedelta(seconds=600))


async def test_the_last_hour_and_the_last_full_hour_are_counted_beside_the_backlog() -> None:
    world = World()
    for number in range(5):
        world.crm.create(CONTACT, {"lastname": "P", "emailaddress1": f"p{number}@example.com"}, an_id(number))
    for _ in range(2):
        await a_pass(world)
    assert len(world.marketing.records[PERSON]) == 5
    at = START + timedelta(minutes=30)
    now = flow.load_flow(world.store, at)
    assert (now.last_hour[CONTACT], now.full_hour[CONTACT]) == (5, 0)
    hour_later = flow.load_flow(world.store, at + timedelta(hours=1))
    assert (hour_later.last_hour[CONTACT], hour_later.full_hour[CONTACT]) == (0, 5)
    assert hour_later.full_hour_at == START


async def test_marks_of_passes_are_kept_for_long_and_stay_few() -> None:
    world = World()
    engine = world.engine()
    for _ in range(1_000):
        engine.mark_time()
        world.clock.advance(600)
    marks = load_marks(world.store)
    assert len(marks) < 260
    assert marks[0][1] == START
    gaps = {later[1] - earlier[1] for earlier, later in pairwise(marks)}
    assert max(gaps) <= timedelta(hours=1, minutes=10)
