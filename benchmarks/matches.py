"""`python -m benchmarks matches`: what held matches cost a pass that has nothing to do with them.

A pass without changes and one with a hundred are timed over systems in memory and a state in SQLite, first with no held
match and then with very many, each the best of several.
"""

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Final

from benchmarks.table import Line, render
from tandem import telemetry
from tandem.core.match import SEVERAL_PEOPLE
from tandem.core.plan import Candidate, Hold, LinkPlan, Plan, Question
from tandem.core.record import CONTACT, PERSON, Base, Cursor, LinkStatus, RecordId, RecordKey, Side
from tandem.ports import Store
from tandem.runtime.sync_pass import run_pass
from tandem.store import open_store
from tests.builders import START, World, declare, small_mappings

CHANGES: Final = 100
ROUNDS: Final = 5
_CHUNK: Final = 1_000


async def measure(held: int) -> list[Line]:
    quiet, busy = await _times(0)
    quiet_held, busy_held = await _times(held)
    return [
        Line("quiet pass, no held match", 1000 * quiet, "ms"),
        Line(f"quiet pass, {held:,} held matches", 1000 * quiet_held, "ms", "none", 1000 * quiet),
        Line(f"pass with {CHANGES} changes, no held match", 1000 * busy, "ms"),
        Line(f"pass with {CHANGES} changes, {held:,} held matches", 1000 * busy_held, "ms", "none", 1000 * busy),
    ]


async def _times(held: int) -> tuple[float, float]:
    """Seconds of a quiet pass and of one with changes."""
    with TemporaryDirectory(prefix="tandem-bench-") as folder:
        store = open_store(f"sqlite:///{Path(folder) / 'state.db'}", "bench")
        try:
            declare(store, small_mappings())
            _begin_at_the_feeds(store)
            _hold(store, held)
            return await _run(World(page_size=500, claim_size=3_000), store)
        finally:
            store.close()


async def _run(world: World, store: Store) -> tuple[float, float]:
    contacts = [RecordId(f"00000000-0000-0000-0001-{number:012d}") for number in range(CHANGES)]
    for number, contact in enumerate(contacts):
        world.crm.create(CONTACT, {"lastname": "Bench", "emailaddress1": f"bench.{number}@example.com"}, contact)
    for _ in range(3):
        await _pass(world, store)
    quiet = [await _pass(world, store) for _ in range(ROUNDS)]
    busy = []
    for turn in range(ROUNDS):
        for contact in contacts:
            world.crm.edit(CONTACT, contact, {"firstname": f"Turn {turn}"})
        busy.append(await _pass(world, store))
        await _pass(world, store)
    return min(quiet), min(busy)


async def _pass(world: World, store: Store) -> float:
    world.clock.advance(100)
    began = perf_counter()
    await run_pass(world.engine(store))
    return perf_counter() - began


def _begin_at_the_feeds(store: Store) -> None:
    """As after a first copy: nothing is read whole any more, so the held records need not be in the systems."""
    for entity, mapping in small_mappings().items():
        for side, kind in ((Side.CRM, entity), (Side.MARKETING, mapping.marketing_entity)):
            store.save_page(side, kind, [], [], Cursor("0"), complete_until=None, search={})


def _hold(store: Store, count: int) -> None:
    base = Base.unknown(len(small_mappings()[CONTACT].pairs))
    for start in range(0, count, _CHUNK):
        plans = [_held_plan(number, base) for number in range(start, min(start + _CHUNK, count))]
        store.commit_plan(Plan(tuple(plans)), "bench", START)


def _held_plan(number: int, base: Base) -> LinkPlan:
    people = (Candidate(RecordId(str(10_000_000 + 2 * number))), Candidate(RecordId(str(10_000_001 + 2 * number))))
    return LinkPlan(
        title="hold",
        crm_entity=CONTACT,
        link=None,
        crm=RecordKey(Side.CRM, CONTACT, RecordId(f"00000000-0000-0000-0000-{number:012d}")),
        marketing=None,
        status=LinkStatus.PENDING,
        base=base,
        holds=(Hold(None, f"2 people in Marketo match (same email) and no rule prefers one, {PERSON}"),),
        question=Question(SEVERAL_PEOPLE, people),
    )


def main(arguments: Sequence[str]) -> None:
    telemetry.configure(level="warning")
    parser = argparse.ArgumentParser(prog="python -m benchmarks matches", description=__doc__)
    parser.add_argument("--held", type=int, default=100_000, help="how many matches are held")
    print(render(asyncio.run(measure(parser.parse_args(arguments).held))), end="")
