"""What `tandem push` and `tandem requests` print and how they end, over an application that answers at once."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tandem.app.reports import PlannedAction, PlannedField
from tandem.app.request_reports import MembershipLine, PushReport, RequestLine, Wish
from tandem.app.settings import write_settings
from tandem.cli.main import app

FIELD = PlannedField("lastname|lastName", "lastname", None, None, "Lovelace", "Lovelace", "new")
CREATE = PlannedAction("crm", "create", "lead", None, "7", (FIELD,))
MADE = PushReport("person 7", "done", "created: lead l1", (CREATE,))
LINE = RequestLine(
    number=17,
    asked_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    deed="change-owner",
    person="7",
    origin="webhook",
    state="done",
    said="assigned to systemuser u2",
    before="u1",
    after="u2",
)


@pytest.fixture
def settings(tmp_path: Path) -> str:
    path = tmp_path / "tandem.toml"
    sides = {"crm": ("url", "tenant_id", "client_id"), "marketing": ("url", "munchkin_id", "client_id")}
    values = {f"{side}.{name}": "https://x.example" for side, names in sides.items() for name in names}
    write_settings(path, values)
    return str(path)


def pushed(monkeypatch: pytest.MonkeyPatch, report: PushReport) -> list[Wish]:
    wishes: list[Wish] = []

    async def push(config: Any, wish: Wish, observer: Any) -> PushReport:
        wishes.append(wish)
        return report

    monkeypatch.setattr("tandem.app.push.push", push)
    return wishes


def test_a_push_shows_its_plan_and_what_came_of_it(monkeypatch: pytest.MonkeyPatch, settings: str) -> None:
    wishes = pushed(monkeypatch, MADE)
    options = ["--as", "contact", "--owner", "ann@x.example", "--account", "company", "--force", "--resurrect"]
    result = CliRunner().invoke(app, ["push", "7", "--config", settings, *options])
    assert result.exit_code == 0
    assert "lastname: (empty) -> Lovelace" in result.output
    assert result.output.splitlines()[-1] == "person 7: done (created: lead l1)"
    assert wishes == [Wish("7", "contact", "ann@x.example", "company", force=True, resurrect=True)]


def test_what_is_refused_needs_a_person(monkeypatch: pytest.MonkeyPatch, settings: str) -> None:
    pushed(monkeypatch, replace(MADE, outcome="refused", reason="gone", actions=()))
    result = CliRunner().invoke(app, ["push", "7", "--config", settings, "--json"])
    assert result.exit_code == 1
    assert json.loads(result.output)["outcome"] == "refused"


def test_nothing_to_do_is_no_failure(monkeypatch: pytest.MonkeyPatch, settings: str) -> None:
    pushed(monkeypatch, replace(MADE, outcome="nothing to do", reason="lead l1", actions=()))
    result = CliRunner().invoke(app, ["push", "7", "--config", settings])
    assert (result.exit_code, result.output) == (0, "person 7: nothing to do (lead l1)\n")


def test_requests_are_listed_with_what_came_of_each(monkeypatch: pytest.MonkeyPatch, settings: str) -> None:
    monkeypatch.setattr("tandem.app.requests.requests", lambda config, limit: [LINE])
    result = CliRunner().invoke(app, ["requests", "list", "--config", settings])
    assert result.output.split("  ") == [
        "17",
        "2026-01-02 03:04:05",
        "webhook",
        "change-owner person 7: done",
        "(assigned to systemuser u2)",
        "[u1 -> u2]\n",
    ]
    result = CliRunner().invoke(app, ["requests", "list", "--config", settings, "--json"])
    assert json.loads(result.output)[0]["number"] == 17


def test_without_requests_it_says_so(settings: str) -> None:
    assert CliRunner().invoke(app, ["requests", "list", "--config", settings]).output == "No requests.\n"


def test_memberships_say_how_the_last_comparison_went(monkeypatch: pytest.MonkeyPatch, settings: str) -> None:
    lines = [
        MembershipLine("list 1001", None, "2026-01-02T03:04:05+00:00", None),
        MembershipLine("program 7", "Fair", None, "Dynamics has no active campaign Fair."),
    ]
    monkeypatch.setattr("tandem.app.requests.memberships", lambda config: lines)
    result = CliRunner().invoke(app, ["requests", "memberships", "--config", settings])
    assert result.output.splitlines() == [
        "list 1001: who is in Dynamics, compared 2026-01-02T03:04:05+00:00",
        "program 7: campaign Fair, compared never: Dynamics has no active campaign Fair.",
    ]
    result = CliRunner().invoke(app, ["requests", "memberships", "--config", settings, "--json"])
    assert json.loads(result.output)[1]["trouble"] == "Dynamics has no active campaign Fair."
