"""Kill -9 of the first copy at ten moments, restarted each time: nobody is doubled, nobody is missing.

The moments come from a seed. Those inside apply are hit by holding a call back in the emulator and killing its caller
meanwhile, so that the write lands when nobody is there for the answer, or gets lost; or by keeping the answer back.
The emulators go on all the time, and their own records are the evidence.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any, Final

import pytest

from tandem.app.build import open_state
from tandem.app.demo.world import CRM, MARKETING, Record, World, crm_key
from tandem.ports import JournalRow, JournalState
from tests.faults.scene import Rule, Scene, ended, kill, set_scene

ANY, READ, JOURNAL, APPLY = "any", "read or plan", "journal", "apply"
ON_ITS_WAY_S: Final = 1.0

HELD: Final[Rule] = {"action": "delay", "delay_s": ON_ITS_WAY_S}
"""The call is in flight when its caller dies, and is carried out afterwards."""

NEVER_ARRIVES: Final[Rule] = {"action": "drop_before", "delay_s": ON_ITS_WAY_S}
"""The call is in flight when its caller dies, and is lost on its way."""

ANSWER_LOST: Final[Rule] = {"action": "drop_after"}
"""The call is carried out, and its answer reaches nobody."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When to kill: once `rule` has struck `operation`, up to `reach` calls of it later; without a rule, as soon as a
    plan is in the journal, or (`reach` in seconds) whatever is going on. `phase` is what the journal must show."""

    phase: str
    side: str = MARKETING
    operation: str = ""
    rule: Rule | None = None
    reach: int = 0


def moments(scale: int) -> Sequence[Moment]:
    """In the order of a copy. `scale`: how far into it a call may be."""
    return (
        Moment(READ, CRM, "leads.list", HELD, reach=scale // 8),
        Moment(READ, MARKETING, "leads.query", HELD, reach=scale // 4),
        Moment(JOURNAL),
        Moment(APPLY, MARKETING, "companies.sync", HELD, reach=scale // 4),
        Moment(APPLY, MARKETING, "leads.sync", HELD, reach=scale),
        Moment(APPLY, CRM, "leads.update", ANSWER_LOST, reach=scale),
        Moment(APPLY, MARKETING, "leads.sync", NEVER_ARRIVES, reach=scale),
        Moment(APPLY, MARKETING, "leads.sync", ANSWER_LOST, reach=scale),
        Moment(ANY, reach=2 + scale),
        Moment(ANY, reach=2 + scale),
    )


async def test_a_copy_killed_at_ten_moments_and_restarted_equals_one_never_killed(tmp_path: Path) -> None:
    await check_a_killed_copy(tmp_path, people=800, seed=20, scale=0)


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_a_copy_of_twenty_thousand_killed_at_ten_moments(
    tmp_path: Path, pytestconfig: pytest.Config, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = int(pytestconfig.getoption("randomly_seed"))
    began = monotonic()
    hit = await check_a_killed_copy(tmp_path, people=20_000, seed=seed, scale=8)
    with capsys.disabled():
        print(f"\nseed {seed}, {monotonic() - began:.0f} s, nobody doubled, nobody missing, {len(hit)} kills:")
        print("\n".join(hit))


async def check_a_killed_copy(folder: Path, *, people: int, seed: int, scale: int) -> list[str]:
    """What each kill hit."""
    rng = Random(f"kills/{seed}")
    async with set_scene(folder, people=people, seed=seed) as scene:
        hit = [await start_and_kill(scene, moment, rng) for moment in moments(scale)]
        (await scene.tandem("sync")).assert_in_order(0)
        await scene.heal()
        after = await scene.stage.look()
        check_numbers(scene.before, after)
        assert (await scene.tandem("verify")).status == 0
        assert await scene.harm() == {}
    counts = Counter(what.partition(":")[0] for what in hit)
    assert (len(hit), counts[APPLY] >= 3, sum("response lost" in what for what in hit) >= 2) == (10, True, True), hit
    return hit


# --- the kills


async def start_and_kill(scene: Scene, moment: Moment, rng: Random) -> str:
    """Start the copy and kill it at `moment`; what the kill hit, as the journal shows it."""
    earlier = {row.number for row in scene.open_rows()}
    strike = await arm(scene, moment, rng)
    process = await scene.start("sync")
    try:
        await before_the_end(ended(process), reached(scene, moment, strike, earlier, rng))
    finally:
        await kill(process)
    await scene.faults.clear()
    phase = phase_of([row for row in scene.open_rows() if row.number not in earlier])
    assert moment.phase in (ANY, phase), (moment, phase)
    lost = ", response lost" if moment.rule in (HELD, ANSWER_LOST) and phase == APPLY else ""
    return f"{phase}: {moment.operation or 'anything'}{lost}"


async def arm(scene: Scene, moment: Moment, rng: Random) -> int | None:
    """Besides the call that is struck, no person gets through: enough is left for the moments to come. A plan stays
    in the journal alone for as long as the look before its creates is held back."""
    if moment.phase == JOURNAL:
        await scene.faults.arm(MARKETING, operation="*.query", times=None, **HELD)
    if moment.rule is None:
        return None
    skip = rng.randint(0, moment.reach)
    strike = await scene.faults.arm(moment.side, operation=moment.operation, skip=skip, **moment.rule)
    if moment.phase == APPLY:
        skip = skip if moment.operation == "leads.sync" else rng.randint(0, moment.reach)
        await scene.faults.arm(MARKETING, operation="leads.sync", skip=skip, times=None, **NEVER_ARRIVES)
        if moment.side == MARKETING:
            await scene.faults.arm(CRM, operation="leads.update", times=None, **NEVER_ARRIVES)
    return strike


async def reached(scene: Scene, moment: Moment, strike: int | None, earlier: set[int], rng: Random) -> None:
    if strike is not None:
        await scene.faults.wait_for(moment.side, strike)
        await asyncio.sleep(0 if moment.rule is ANSWER_LOST else rng.uniform(0, ON_ITS_WAY_S / 2))
    elif moment.phase == JOURNAL:
        await planned(scene, earlier)
    else:
        await asyncio.sleep(rng.uniform(0.2, moment.reach))


async def planned(scene: Scene, earlier: set[int]) -> None:
    store = open_state(scene.stage.config)
    try:
        while all(row.number in earlier for row in store.load_open_rows()):  # noqa: ASYNC110 - another process writes
            await asyncio.sleep(0.001)
    finally:
        store.close()


async def before_the_end(end: Coroutine[Any, Any, object], moment: Coroutine[Any, Any, None]) -> None:
    """Wait for the moment: a copy that ends before it was never killed."""
    async with asyncio.TaskGroup() as race:
        came = race.create_task(moment)
        over = race.create_task(end)
        await asyncio.wait((came, over), return_when=asyncio.FIRST_COMPLETED)
        assert came.done(), f"the copy ended before the moment: {over.result()}"
        over.cancel()


def phase_of(rows: Sequence[JournalRow]) -> str:
    states = {row.state for row in rows}
    if states & {JournalState.SENT, JournalState.UNKNOWN}:
        return APPLY
    return JOURNAL if states else READ


# --- the numbers, from the emulators' records alone


def check_numbers(before: World, after: World) -> None:
    """Everybody in Dynamics has one Marketo person, and so many were made as had none before."""
    persons = after.crm_persons()
    carriers = Counter(key for person in after.marketing["person"].values() if (key := crm_key(person)))
    assert carriers == Counter(dict.fromkeys(persons, 1))
    adopted = {key for key in before.marketing["person"] if crm_key(after.marketing["person"][key])}
    assert len(after.marketing["person"]) == len(before.marketing["person"]) + len(persons) - len(adopted)
    assert adopted >= certain_adoptions(before)
    check_companies_and_sales_persons(before, after)


def check_companies_and_sales_persons(before: World, after: World) -> None:
    for name, key, expected in (
        ("company", "externalCompanyId", [*after.crm["account"]]),
        ("salesperson", "externalSalesPersonId", [*after.crm["systemuser"], *after.crm["team"]]),
    ):
        held = Counter(str(record[key]).lower() for record in after.marketing[name].values() if record.get(key))
        assert held == Counter(dict.fromkeys(expected, 1)), name
        assert len(after.marketing[name]) == len(before.marketing[name]) + len(expected), name


def certain_adoptions(world: World) -> set[str]:
    """Marketo persons with an e-mail address that exactly one of them and exactly one in Dynamics has."""
    crm = Counter(email_of(record, "emailaddress1") for _, record in world.crm_persons().values())
    marketing: Mapping[str, list[str]] = by_email(world.marketing["person"])
    return {ids[0] for email, ids in marketing.items() if email and len(ids) == 1 and crm[email] == 1}


def by_email(people: Mapping[str, Record]) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for record_id, record in people.items():
        found[email_of(record, "email")].append(record_id)
    return found


def email_of(record: Record, name: str) -> str:
    return str(record.get(name) or "").strip().lower()
