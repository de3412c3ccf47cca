"""The lease of a pass that takes long: whoever works keeps it, part by part, and a plan alone never takes it."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from tandem.connectors.memory import MemoryConnector
from tandem.core.record import CONTACT, PERSON, Cursor, Entity
from tandem.ports import Page
from tandem.runtime.engine import Engine
from tandem.runtime.extract import extract
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
