"""What operators do while the sync runs, over both emulators: status, refused writes, pauses, permissions."""

import asyncio
import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tandem.app import errors, pauses, queries
from tandem.app.build import open_state
from tandem.app.errors import Wanted
from tandem.app.flow import Flow, load_flow
from tandem.app.reports import EntityLine
from tandem.core.errors import PausedError
from tandem.core.record import CONTACT
from tests.scenarios.stage import Stage, running_stage


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with running_stage(tmp_path_factory.mktemp("operations"), seed=91) as stage:
        asyncio.run(stage.prepare(contact=8))
        yield stage


def line_of(stage: Stage, entity: str) -> EntityLine:
    return next(line for line in queries.status(stage.config).entities if line.entity == entity)


# --- status


@pytest.mark.parity("N119", "N120", "N121")
async def test_status_splits_what_waits_and_counts_what_was_written(stage: Stage) -> None:
    id_ = stage.take("contact")
    await stage.sync_until_quiet()
    written = line_of(stage, "contact").last_hour
    assert written >= 8
    paused_at = datetime.now(UTC)
    pauses.pause(stage.config, ["contact"], "an import")
    stage.crm.edit("contact", id_, jobtitle="Waits")
    new = stage.enter("contact", lastname="Waits too")
    await stage.sync()
    line = line_of(stage, "contact")
    assert (line.inserts.count, line.updates.count) == (1, 1)
    since = (line.inserts.oldest_at, line.updates.oldest_at)
    assert all(at is not None and paused_at <= at <= datetime.now(UTC) for at in since)
    await stage.sync()
    line = line_of(stage, "contact")
    assert (line.inserts.oldest_at, line.updates.oldest_at) == since
    assert line.last_hour == written
    (paused, _) = queries.status(stage.config).pauses
    assert (paused.what, paused.why) == ("contact", "an import")
    told = (await asyncio.to_thread(stage.tandem, "status")).output
    assert "an import" in told
    pauses.resume(stage.config, ["lead"])
    await stage.sync_until_quiet()
    line = line_of(stage, "contact")
    assert (line.inserts.count, line.updates.count) == (0, 0)
    assert line.last_hour > written
    assert stage.has(id_, title="Waits")
    assert stage.has(new, lastName="Waits too")
    hours = flow_of_hours(stage)
    assert [hour.last_hour[CONTACT] for hour in hours] == [line.last_hour, 0]
    assert sum(hour.full_hour[CONTACT] for hour in hours) == line.last_hour


def flow_of_hours(stage: Stage) -> list[Flow]:
    """What the status says now, and what it would say an hour later: whatever was written is in one full hour."""
    store, now = open_state(stage.config), datetime.now(UTC)
    try:
        return [load_flow(store, now), load_flow(store, now + timedelta(hours=1))]
    finally:
        store.close()


# --- what stands in the way


@pytest.mark.parity("N117", "N128", "N130")
async def test_check_finds_a_native_crm_sync_before_anything_is_written(stage: Stage) -> None:
    stage.configure("[entities.opportunity]\nenabled = true\n")
    stage.marketing.control("settings", {"native_crm": "dynamics"})
    report = await stage.check()
    stage.marketing.control("settings", {"native_crm": "none"})
    stage.configure()
    refused = {line.what: line.remedy for line in report.access if not line.is_ok}
    assert not report.is_ok
    for entity in ("company", "salesperson", "opportunity", "opportunityrole"):
        assert "native CRM sync" in refused.get(f"Marketo: {entity} is free of a native CRM sync", "")
    assert all("1018" in remedy for remedy in refused.values())


# --- pauses


@pytest.mark.parity("N124", "N137")
async def test_a_paused_sync_calls_neither_side_and_catches_up(stage: Stage) -> None:
    id_ = stage.take("contact")
    pauses.pause(stage.config, [], "the office moves")
    stage.crm.edit("contact", id_, jobtitle="Director")
    stage.edit_person(stage.person_of(id_)["id"], phone="+44 7")
    with pytest.raises(PausedError, match="the office moves"):
        await stage.sync()
    result = await asyncio.to_thread(stage.tandem, "sync")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert stage.has(id_, title="Clerk")
    pauses.resume(stage.config, [])
    await stage.sync_until(lambda: stage.has(id_, title="Director"))
    await stage.sync_until(lambda: stage.crm_has("contact", id_, telephone1="+44 7"))


# --- refused writes


@pytest.mark.parity("N122")
async def test_a_refused_write_is_listed_with_its_remedy_exported_and_tried_again(stage: Stage, tmp_path: Path) -> None:
    id_ = stage.take("contact")
    person = stage.person_of(id_)["id"]
    stage.crm.fault("contacts.update", "status", status=400, times=1, body=REFUSAL)
    stage.edit_person(person, title="Refused")
    await stage.sync_until(lambda: errors.list_errors(stage.config, Wanted(record=id_), 5))
    (line,) = errors.list_errors(stage.config, Wanted(record=id_), 5)
    assert (line.entity, line.operation, line.direction, line.code) == (
        "contact",
        "update",
        "to Dynamics",
        "0x80040265",
    )
    assert "plug-in" in line.meaning
    assert line.remedy
    assert "Refused" not in line.message
    assert errors.list_errors(stage.config, Wanted(code="0x80040237"), 5) == []

    file = tmp_path / "errors.csv"
    told = await asyncio.to_thread(stage.tandem, "errors list", "--record", id_, "--csv", str(file))
    assert told.exit_code == 1
    (row,) = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
    assert (row["crm_id"], row["code"]) == (id_, "0x80040265")

    await stage.sync_until_quiet()
    assert stage.crm_has("contact", id_, jobtitle="Clerk")
    told = await asyncio.to_thread(stage.tandem, "errors retry", "--code", "0x80040265", "--json")
    assert json.loads(told.stdout) == {"records": 1}
    await stage.sync_until(lambda: stage.crm_has("contact", id_, jobtitle="Refused"))
    assert errors.list_errors(stage.config, Wanted(record=id_), 5) == []


REFUSAL = {"error": {"code": "0x80040265", "message": "The plug-in says no to 'Refused'."}}


# --- an organisation that was set back


@pytest.mark.parity("N126")
def test_an_organisation_that_was_set_back_is_refused_and_found_again_by_a_new_store(tmp_path: Path) -> None:
    with running_stage(tmp_path, seed=97) as stage:
        id_ = stage.enter("contact", lastname="Before", emailaddress1="before@story.example")
        asyncio.run(stage.sync_until_quiet())
        backup = stage.crm.control("snapshots", {})["id"]
        stage.crm.edit("contact", id_, jobtitle="After")
        asyncio.run(stage.sync_until(lambda: stage.has(id_, title="After")))
        stage.crm.control(f"snapshots/{backup}/restore", {})

        result = stage.tandem("sync")
        assert result.exit_code == 2
        assert "in an earlier state" in result.stderr
        assert stage.has(id_, title="After")
        people = len(stage.everyone())

        stage.configure('[store]\nurl = "sqlite:///new.db"\n')
        asyncio.run(stage.sync_until_quiet())
        assert len(stage.everyone()) == people
        assert stage.person_of(id_)["lastName"] == "Before"
