"""What `tandem schema` prints, and how it ends."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tandem.app.reports import NewFieldLine, NewObjectLine, SchemaReport
from tandem.app.settings import write_settings
from tandem.cli.main import app

COLUMN = NewFieldLine("crm", "contact", "new_marketoid", "Marketo Id", "Integer", is_key=True, link=None)
LINK = NewFieldLine("marketing", "event", "person", "Person", "link", is_key=False, link="person.id")
NEEDS = SchemaReport(False, (COLUMN,), (NewObjectLine("event", "Event", (LINK,)),))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "tandem.toml"
    values: dict[str, object] = {
        "crm.url": "http://127.0.0.1:1", "crm.tenant_id": "t", "crm.client_id": "c",
        "marketing.url": "http://127.0.0.1:2", "marketing.munchkin_id": "m", "marketing.client_id": "c",
    }  # fmt: skip
    write_settings(path, values)
    return path


def run(monkeypatch: pytest.MonkeyPatch, config: Path, command: str, report: SchemaReport, *more: str) -> Result:
    async def answering(settings: Any, *track: Any) -> SchemaReport:
        return report

    monkeypatch.setattr(f"tandem.app.schema.{command}_schema", answering)
    return CliRunner().invoke(app, ["schema", command, "--config", str(config), *more])


def test_a_plan_with_something_missing_needs_a_person(monkeypatch: pytest.MonkeyPatch, config: Path) -> None:
    result = run(monkeypatch, config, "plan", NEEDS)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "Missing, to be made by tandem schema apply:",
        "  Dynamics contact: new_marketoid (Integer, key) 'Marketo Id'",
        "  Marketo custom object event (Event) with",
        "    person (link, links to person.id) 'Person'",
    ]


def test_a_plan_with_nothing_missing_is_done(monkeypatch: pytest.MonkeyPatch, config: Path) -> None:
    result = run(monkeypatch, config, "plan", SchemaReport(False, (), ()))
    assert result.exit_code == 0
    assert result.stdout == "Both sides have every field and object that the mapping needs.\n"


def test_what_was_made_is_told(monkeypatch: pytest.MonkeyPatch, config: Path) -> None:
    result = run(monkeypatch, config, "apply", SchemaReport(True, (COLUMN,), ()))
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == "Made:"


def test_json_is_the_report(monkeypatch: pytest.MonkeyPatch, config: Path) -> None:
    report = json.loads(run(monkeypatch, config, "plan", NEEDS, "--json").stdout)
    assert report["objects"][0]["fields"][0]["link"] == "person.id"
    assert (report["is_done"], report["fields"][0]["is_key"]) == (False, True)


def test_a_table_without_change_tracking_is_told_with_the_offer(monkeypatch: pytest.MonkeyPatch, config: Path) -> None:
    result = run(monkeypatch, config, "plan", SchemaReport(False, (), (), ("new_event",)))
    assert result.exit_code == 0, "a sync works without it"
    line = result.stdout.splitlines()[1]
    assert line.startswith("Dynamics does not track the changes of new_event: ")
    assert "tandem schema apply --track new_event switches it on; nobody can switch it off again" in line


def test_tracking_is_switched_on_only_for_the_tables_named(monkeypatch: pytest.MonkeyPatch, config: Path) -> None:
    asked: list[Any] = []

    async def answering(settings: Any, track: Any) -> SchemaReport:
        asked.append(list(track))
        return SchemaReport(True, (), (), tuple(track))

    monkeypatch.setattr("tandem.app.schema.apply_schema", answering)
    start = ["schema", "apply", "--config", str(config)]
    plain = CliRunner().invoke(app, start)
    named = CliRunner().invoke(app, [*start, "--track", "new_event", "--track", "new_visit"])
    assert (plain.exit_code, named.exit_code) == (0, 0)
    assert asked == [[], ["new_event", "new_visit"]]
    assert "Dynamics tracks the changes of new_visit from now on." in named.stdout
