"""The lease of a pass that takes long: whoever works keeps it, part by part, and a plan alone never takes it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from tandem.connectors.memory import MemoryConnector
from tandem.core.record import CONTACT, PERSON, Cursor, Entity
from tandem.ports import Page
from tandem.runtime.engine import Engine
from tandem.runtime.extract import extract
from tandem.runtime.lease import HeldLease
from tandem.runtime.sync_pass import run_pass
from tests.builders import World

PAGE_S = 100.0
"""Less than a lease lasts; a feed of some pages takes longer than one."""


@dataclass
class SlowConnector(MemoryConnector):
    """Each page of a feed takes a while; `left_s` is what the lease still had when it had come."""

    engine: Engine | None = None
    left_s: list[float] = field(default_factory=list)

    async def fetch_changes(self, entity: Entity, cursor: Cursor | None, fields: Sequence[str]) -> AsyncIterator[Page]:
        assert self.engine is not None
        async for page in super().fetch_changes(entity, cursor, fields):
            self.engine.clock.advance(PAGE_S)  # type: ignore[attr-defined]
            lease = self.engine.store.load_lease()
            if lease is not None and lease.expires_at is not None:
                self.left_s.append((lease.expires_at - self.engine.clock.now()).total_seconds())
            yield page


def slow(world: World) -> tuple[Engine, SlowConnector]:
    engine = world.engine()
    engine.crm = connector = SlowConnector(world.crm, page_size=2, engine=engine)
    return engine, connector


async def test_a_long_read_keeps_the_lease_from_page_to_page() -> None:
    world = World()
    for number in range(8):
        world.crm.create(CONTACT, {"lastname": f"N{number}", "emailaddress1": f"n{number}@example.com"})
    engine, connector = slow(world)
    await run_pass(engine)
    assert len(connector.left_s) > 3
    assert min(connector.left_s) > 0
    assert len(world.marketing.records[PERSON]) == 8


async def test_reading_for_a_plan_takes_no_lease() -> None:
    world = World()
    world.crm.create(CONTACT, {"lastname": "N", "emailaddress1": "n@example.com"})
    engine, connector = slow(world)
    await extract(engine)
    assert connector.left_s == []
    assert world.store.load_lease() is None


# --- calls that outlive a lease, and short ones beside them


def held(world: World, lease_s: float = 100.0) -> HeldLease:
    lease = world.store.acquire_lease("test", lease_s, world.clock.now())
    assert lease is not None
    kept = HeldLease(world.store, world.clock, lease_s)
    kept.begin(lease)
    return kept


def left_s(world: World) -> float:
    lease = world.store.load_lease()
    assert lease is not None
    assert lease.expires_at is not None
    return (lease.expires_at - world.clock.now()).total_seconds()


def test_a_call_has_a_lease_that_outlives_it_and_short_ones_beside_it_do_not_shorten_that() -> None:
    world = World()
    lease = held(world)
    with lease.during_call(3600.0):
        assert left_s(world) >= 3600.0
        with lease.during_call(30.0):
            lease.keep()
        world.clock.advance(600.0)
        lease.keep()
        assert left_s(world) >= 3000.0


def test_a_call_that_is_over_holds_up_nobody_any_more() -> None:
    world = World()
    lease = held(world)
    with lease.during_call(3600.0):
        pass
    lease.keep()
    assert left_s(world) == 100.0


@given(st.lists(st.sampled_from(["keep", "call", "long", "5", "60"]), max_size=30))
def test_a_lease_never_ends_under_whoever_keeps_it(steps: list[str]) -> None:
    world = World()
    lease = held(world)
    with ExitStack() as calls:
        ends_at = []
        for step in steps:
            if step in ("call", "long"):
                lasts_s = 30.0 if step == "call" else 500.0
                calls.enter_context(lease.during_call(lasts_s))
                ends_at.append(world.clock.now() + timedelta(seconds=lasts_s))
            elif step == "keep":
                lease.keep()
            else:
                world.clock.advance(float(step))
                lease.keep()
            assert left_s(world) >= 90.0
            assert all(left_s(world) >= (end - world.clock.now()).total_seconds() for end in ends_at)


def test_a_lease_with_time_left_is_not_written_again() -> None:
    world = World()
    lease = held(world)
    fence, renewed = world.store.load_lease(), []
    world.store.renew_lease = lambda *_: renewed.append(1)  # type: ignore[method-assign, assignment]
    for _ in range(10):
        lease.keep()
        with lease.during_call(80.0):
            world.clock.advance(0.5)
    assert (renewed, world.store.load_lease()) == ([], fence)
