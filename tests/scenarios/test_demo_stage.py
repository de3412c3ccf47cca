"""The demonstration's stage over the real emulators: processes that always end, people who act, a judge who looks."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from tandem.app.demo.checker import judge
from tandem.app.demo.services import PROGRAM
from tandem.app.demo.stage import Stage, prepared_stage
from tandem.app.demo.world import Deeds
from tests.scenarios.processes import is_alive, wait_until_gone

PEOPLE, SEED = 60, 7

CHILD = f"""
import asyncio
from pathlib import Path
from tandem.app.demo.stage import prepared_stage

async def main():
    async with prepared_stage(people={PEOPLE}, seed={SEED}, folder=None) as stage:
        print(stage.crm.process_id, stage.marketing.process_id, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_stage_has_two_services_and_settings_and_leaves_nothing_behind(tmp_path: Path) -> None:
    assert "TANDEM_CRM_CLIENT_SECRET" not in os.environ
    async with prepared_stage(people=PEOPLE, seed=SEED, folder=tmp_path) as stage:
        processes = stage.crm.process_id, stage.marketing.process_id
        assert all(map(is_alive, processes))
        assert stage.config.crm.url == stage.crm.fact("url")
        secret = stage.crm.fact("client_secret")
        assert os.environ["TANDEM_CRM_CLIENT_SECRET"] == secret
        assert secret not in (tmp_path / "tandem.toml").read_text(encoding="utf-8")
    await wait_until_gone(*processes, within_s=0.5)
    assert "TANDEM_CRM_CLIENT_SECRET" not in os.environ


async def test_the_services_end_when_the_demonstration_fails(tmp_path: Path) -> None:
    processes: list[int] = []

    async def failing() -> None:
        async with prepared_stage(people=PEOPLE, seed=SEED, folder=tmp_path) as stage:
            processes.extend((stage.crm.process_id, stage.marketing.process_id))
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        await failing()
    assert len(processes) == 2
    await wait_until_gone(*processes, within_s=0.5)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_the_services_end_when_the_demonstration_is_killed(number: signal.Signals) -> None:
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", CHILD, stdout=asyncio.subprocess.PIPE)
    assert child.stdout is not None
    processes = [int(word) for word in (await child.stdout.readline()).split()]
    assert len(processes) == 2
    child.send_signal(number)
    await child.wait()
    await wait_until_gone(*processes)


async def test_people_act_and_the_judge_sees_what_nobody_synced(tmp_path: Path) -> None:
    async with prepared_stage(people=PEOPLE, seed=SEED, folder=tmp_path) as stage:
        before = await stage.look()
        await check_single_records(stage)
        verdict = judge(before, await stage.look(), Deeds(), ())
        assert len(verdict.missing) == len(before.crm_persons()) > 40
        assert (verdict.doubled, verdict.lost, verdict.people_linked) == ((), (), 0)
        assert len(before.marketing["person"]) == 50


async def check_single_records(stage: Stage) -> None:
    """One record is found by its id among many, and shows what somebody typed into it."""
    world = await stage.look()
    lead = sorted(world.crm["lead"])[2]
    await stage.crm.control.edit([{"entity": "lead", "id": lead, "values": {"jobtitle": "Head of Tests"}}])
    found = await stage.crm.control.record("lead", lead)
    assert found is not None
    assert (found["leadid"], found["jobtitle"]) == (lead, "Head of Tests")
    await stage.marketing.control.edit([{"entity": "person", "id": 3, "values": {"title": "Head of Tests"}}])
    person = await stage.marketing.control.record("person", "3")
    assert person is not None
    assert (person["id"], person["title"]) == (3, "Head of Tests")
    assert await stage.marketing.control.record("person", "999") is None


async def test_nothing_that_people_do_is_counted_as_a_call(tmp_path: Path) -> None:
    async with prepared_stage(people=PEOPLE, seed=SEED, folder=tmp_path) as stage:
        await stage.marketing.control.edit([{"entity": "person", "id": 1, "values": {"title": "x"}}])
        counters = await stage.counters()
        assert [(side.calls, side.written) for side in counters] == [(0, 0), (0, 0)]


def test_the_emulators_are_found_beside_the_interpreter() -> None:
    assert (Path(sys.executable).parent / PROGRAM).exists()
