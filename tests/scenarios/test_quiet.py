"""R1: where nothing changes nothing is written, and asking costs one call for each feed."""

import asyncio
from pathlib import Path

import pytest

from tandem.app import commands
from tandem.app.reports import SyncReport
from tests.scenarios.stage import Row, Stage, running_stage

EACH_FEED_ONCE = (
    {"systemusers.changes": 1, "teams.changes": 1, "accounts.changes": 1, "contacts.changes": 1, "leads.changes": 1},
    {"activities.leadchanges": 1, "activities.query": 1, "activities.deletedleads": 1},
)
"""A delta call for each tracked table, and a call for each of Marketo's feeds that is due."""


async def passes(stage: Stage, monkeypatch: pytest.MonkeyPatch, count: int) -> list[tuple[Row, Row]]:
    """What each of `count` passes of one process asked of both sides; the first one pays for the start."""
    for name, value in stage.secrets.items():
        monkeypatch.setenv(name, value)
    stop, seen = asyncio.Event(), []

    def on_pass(report: SyncReport) -> None:
        assert report.writes == 0
        seen.append(stage.counters())
        stage.reset_counters()
        if len(seen) == count:
            stop.set()

    stage.reset_counters()
    await commands.run(stage.config, stop, on_pass)
    return seen


async def test_a_quiet_pass_writes_nothing_and_asks_each_feed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = "[run]\npass_interval_s = 0.05\n"
    with running_stage(tmp_path, people=60, marketing_people=40, seed=81, more=more) as stage:
        await stage.sync_until_quiet()
        _, *later = await passes(stage, monkeypatch, 6)
        assert [(crm["requests"], marketing["requests"]) for crm, marketing in later] == [EACH_FEED_ONCE] * 5
        assert {side["records_written"] for both in later for side in both} == {0}


async def test_a_quiet_pass_costs_the_same_with_ten_times_the_people(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cost is proportional to changes, not to size; the calls of a start do not grow either."""
    starts = []
    more = "[run]\npass_interval_s = 0.05\n"
    for people in (25, 250):
        folder = tmp_path / str(people)
        folder.mkdir()
        with running_stage(folder, people=people, marketing_people=people // 2, seed=82, more=more) as stage:
            await stage.sync_until_quiet()
            starts.append(
                [(crm["requests"], marketing["requests"]) for crm, marketing in await passes(stage, monkeypatch, 2)]
            )
    assert starts[0] == starts[1]


async def test_one_edit_is_one_record_in_one_call(tmp_path: Path) -> None:
    """R2: what one edit asks beside the feeds is the reading of the other end, and the write."""
    with running_stage(tmp_path, people=30, seed=83) as stage:
        await stage.sync_until_quiet()
        id_, row = next((id_, row) for id_, row in stage.crm.records("contact").items() if row["statecode"] == 0)
        stage.crm.edit("contact", id_, jobtitle=f"Not {row['jobtitle']}")
        stage.reset_counters()
        await stage.sync()
        crm, marketing = stage.counters()
        assert (crm["records_written"], marketing["records_written"]) == (0, 1)
        assert marketing["requests"]["leads.sync"] == 1
        assert marketing["requests"]["leads.query"] <= 1
        stage.reset_counters()
        await stage.sync_until_quiet()
        assert [side["records_written"] for side in stage.counters()] == [0, 0]
