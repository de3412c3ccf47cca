"""The judge over the real emulators, with an engine broken on purpose: each kind of harm is counted as what it is.

The engine is broken at its boundary: the real pass, and then what a wrong one would have done, through the control
API or as an API client of its own.
"""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tandem.app import commands
from tandem.app.demo import story
from tandem.app.demo.services import Control
from tandem.app.demo.story import Summary
from tandem.app.demo.typists import JOB_TITLES
from tandem.app.demo.world import crm_key
from tandem.app.reports import Observer, SyncReport
from tandem.app.settings import Config

TYPED = tuple(f"{title} " for title in JOB_TITLES)
Harm = Callable[[Control, Control, Config], Awaitable[None]]


@pytest.fixture(autouse=True)
def _a_short_story(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(story, "ROUNDS", 1)
    monkeypatch.setattr(story, "RIVALS_A_ROUND", 3)
    monkeypatch.setattr(story, "SINGLES_A_ROUND", 6)
    monkeypatch.setattr(story, "DEEDS", ())


async def summary_with(harm: Harm | None, folder: Path, monkeypatch: pytest.MonkeyPatch, *, at: int) -> Summary:
    """The sum of a demonstration in which `harm` is done after pass `at` (1 is the first copy, 0 all of them)."""
    real, passes = commands.sync, 0

    async def broken(config: Config, observer: Observer | None = None) -> SyncReport:
        nonlocal passes
        passes += 1
        report = await real(config, observer)
        if harm is not None and at in (0, passes):
            async with aiohttp.ClientSession() as session:
                crm, marketing = (Control(session, f"{side.url}/_emulator") for side in (config.crm, config.marketing))
                await harm(crm, marketing, config)
        return report

    monkeypatch.setattr(commands, "sync", broken)
    return await story.perform(story.Settings(people=60, is_once=True, folder=folder), lambda line: None)


def harm_of(summary: Summary) -> dict[str, int]:
    names = "differences", "extra_pass_writes", "people_missing", "people_doubled", "edits_lost"
    return {name: getattr(summary, name) for name in names if getattr(summary, name)}


async def test_the_engine_as_it_is_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    summary = await summary_with(None, tmp_path, monkeypatch, at=0)
    assert harm_of(summary) == {}
    assert (summary.edits, summary.conflicts, summary.conflicts_recorded) == (12, 3, 3)
    assert summary.is_good


async def test_a_dropped_edit_is_counted_though_both_sides_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both sides get one old value back, as if the edit had never been made: convergence alone would be content."""
    dropped: list[str] = []

    async def drop(crm: Control, marketing: Control, config: Config) -> None:
        people = {crm_key(person): person for person in await marketing.records("person")}
        for entity in ("lead", "contact"):
            for record in await crm.records(entity):
                person = people.get(str(record[f"{entity}id"]).lower())
                if person is not None and str(record["jobtitle"]).startswith(TYPED) and not dropped:
                    dropped.append(entity)
                    edit = {"entity": entity, "id": record[f"{entity}id"], "values": {"jobtitle": "As before"}}
                    await crm.edit([edit])
                    await marketing.edit([{"entity": "person", "id": person["id"], "values": {"title": "As before"}}])

    summary = await summary_with(drop, tmp_path, monkeypatch, at=2)
    assert dropped
    assert summary.edits_lost == 1
    assert not summary.is_good


async def test_a_doubled_person_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def double(crm: Control, marketing: Control, config: Config) -> None:
        person = next(person for person in await marketing.records("person") if crm_key(person))
        await marketing.create(
            "person", {"lastName": "Twin", "email": "twin@a.example", "tandemCrmId": crm_key(person)}
        )

    summary = await summary_with(double, tmp_path, monkeypatch, at=1)
    assert summary.people_doubled >= 1
    assert not summary.is_good


async def test_a_missing_person_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def lose(crm: Control, marketing: Control, config: Config) -> None:
        person = next(person for person in await marketing.records("person") if crm_key(person))
        await marketing.delete("person", person["id"])

    summary = await summary_with(lose, tmp_path, monkeypatch, at=1)
    assert (summary.people_missing, summary.is_good) == (1, False)


async def test_rewriting_everything_is_counted_though_nothing_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def rewrite(crm: Control, marketing: Control, config: Config) -> None:
        people = await marketing.records("person")
        same = [{"id": person["id"], "lastName": person.get("lastName")} for person in people]
        await write_people(config, same)

    summary = await summary_with(rewrite, tmp_path, monkeypatch, at=0)
    assert summary.extra_pass_writes >= 60
    assert harm_of(summary).keys() == {"extra_pass_writes"}
    assert not summary.is_good


async def write_people(config: Config, people: list[dict[str, Any]]) -> None:
    secret = os.environ["TANDEM_MARKETING_CLIENT_SECRET"]
    query = {"grant_type": "client_credentials", "client_id": config.marketing.client_id, "client_secret": secret}
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{config.marketing.url}/identity/oauth/token", params=query) as response:
            token = (await response.json())["access_token"]
        body = {"action": "updateOnly", "lookupField": "id", "input": people}
        headers = {"Authorization": f"Bearer {token}"}
        async with session.post(f"{config.marketing.url}/rest/v1/leads.json", json=body, headers=headers) as response:
            assert (await response.json())["success"]
