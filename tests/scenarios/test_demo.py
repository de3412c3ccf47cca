"""`tandem demo` from outside, as a process: its sum, its live part, and that nothing of it stays behind."""

import asyncio
import dataclasses
import json
import re
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tandem.app.demo import live, story
from tandem.app.demo.stories.catalogue import find_story
from tests.scenarios.processes import children_of, wait_until_gone

SUMMARY_NAMES = {
    "people_linked", "accounts_linked", "users_linked", "edits", "conflicts", "conflicts_recorded", "crm_calls",
    "marketing_calls", "differences", "extra_pass_writes", "people_missing", "people_doubled", "edits_lost", "seconds",
}  # fmt: skip


@asynccontextmanager
async def running_demo(*arguments: str, folder: Path) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tandem.cli.main", "demo", "--dir", str(folder), *arguments),
        stdout=PIPE,
        stderr=DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def lines_until(process: Process, pattern: str) -> str:
    assert process.stdout is not None
    seen = ""
    while line := (await process.stdout.readline()).decode():
        seen += line
        if re.search(pattern, line):
            return seen
    pytest.fail(f"{pattern!r} never came:\n{seen}")


async def test_once_both_sides_agree_every_conflict_is_recorded_and_another_pass_writes_nothing(tmp_path: Path) -> None:
    async with running_demo("--once", "--people", "150", "--json", folder=tmp_path) as process:
        output, _ = await process.communicate()
    summary: dict[str, Any] = json.loads(output.splitlines()[-1])
    harm = {
        name: summary[name]
        for name in ("differences", "extra_pass_writes", "people_missing", "people_doubled", "edits_lost")
    }
    assert set(harm.values()) == {0}, harm
    assert (summary["edits"], summary["conflicts"], summary["conflicts_recorded"]) == (200, 50, 50)
    assert summary["people_linked"] > 140  # a qualified lead and its contact are one of the 150
    assert summary.keys() >= SUMMARY_NAMES
    assert process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_the_demonstration_and_its_processes(tmp_path: Path, number: signal.Signals) -> None:
    async with running_demo("--people", "60", folder=tmp_path) as process:
        await lines_until(process, "arrived in")
        services = children_of(process.pid)
        assert len(services) == 2
        process.send_signal(number)
        assert await asyncio.wait_for(process.wait(), 15) == 0
        await wait_until_gone(*services)


@pytest.mark.parametrize("arguments", [(), ("--json",)])
async def test_a_closed_pipe_ends_the_demonstration_and_its_processes(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    async with running_demo("--people", "60", *arguments, folder=tmp_path) as process:
        assert process.stdout is not None
        while len(services := children_of(process.pid)) < 2:
            assert process.returncode is None, "the demonstration ended before it began"
            await asyncio.sleep(0.05)
        process.stdout._transport.close()  # type: ignore[attr-defined]  # as a reader that has seen enough
        await asyncio.wait_for(process.wait(), 20)
        await wait_until_gone(*services)


async def test_live_edits_arrive_and_the_setting_decides_about_people_only_marketo_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "STRANGER_STAYS_S", 4.0)
    told: list[str] = []
    await story.perform(story.Settings(people=60, minutes=0.4, folder=tmp_path), told.append)
    text = "\n".join(told)
    arrivals = [float(seconds) for seconds in re.findall(r"arrived in \w+ \(.*\) after ([0-9.]+) s", text)]
    assert len(arrivals) >= 4
    assert arrivals[0] < 5
    assert "is not created in Dynamics: the default" in text
    assert re.search(r"arrived in Dynamics as a lead after [0-9.]+ s", text)
    assert "OVERDUE" not in text
    assert "UNEXPECTED" not in text


async def test_in_full_every_kind_of_object_is_there_and_the_stories_are_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(story, "all_stories", lambda: (find_story("edits-both-ways"),))
    monkeypatch.setattr(story, "ROUNDS", 1)
    told: list[str] = []
    settings = story.Settings(people=100, is_once=True, is_full=True, folder=tmp_path)
    summary = await story.perform(settings, told.append)
    assert (summary.differences, summary.extra_pass_writes, summary.people_missing, summary.people_doubled) == (0,) * 4
    assert min(summary.objects.values()) > 0
    assert summary.objects.keys() == {"teams", "opportunities", "roles", "visits", "campaigns"}
    assert (summary.stories, summary.stories_passed) == (1, 1)


def test_a_summary_with_a_failed_story_is_not_good() -> None:
    nothing: dict[str, Any] = dict.fromkeys((field.name for field in dataclasses.fields(story.Summary)), 0)
    good = story.Summary(**{**nothing, "objects": {}, "stories": 2, "stories_passed": 2})
    assert good.is_good
    assert not dataclasses.replace(good, stories_passed=1).is_good
