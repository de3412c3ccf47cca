"""What the commands print and how they end, over an application that answers at once."""

import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tandem.app.reports import (
    AccessLine,
    CheckReport,
    ConflictLine,
    Difference,
    EntityLine,
    LeftOutField,
    OutsideLine,
    OutsideReport,
    PeopleLine,
    PilotLine,
    PlannedAction,
    PlannedField,
    PlanReport,
    Progress,
    StatusReport,
    SyncReport,
    VerifyReport,
)
from tandem.app.settings import write_settings
from tandem.cli.main import app
from tandem.core.errors import TransientError
from tandem.core.record import Side
from tandem.ports import Budget

KEY = "00000000-0000-4000-8000-000000000001"
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PASS = SyncReport(
    run_id="r1",
    is_first_copy=False,
    seconds=1.5,
    counts={"applied.marketing.update.person": 3, "read.crm.lead": 4},
    crm_calls=2,
    marketing_calls=3,
    records=1000,
)
Answers = Callable[[str, Any], None]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "tandem.toml"
    values: dict[str, object] = {
        "crm.url": "http://127.0.0.1:1", "crm.tenant_id": "t", "crm.client_id": "c",
        "marketing.url": "http://127.0.0.1:2", "marketing.munchkin_id": "m", "marketing.client_id": "c",
    }  # fmt: skip
    write_settings(path, values)
    return path


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Sets what a coroutine of the application answers, or raises."""

    def set_answer(name: str, answer: Any, *, news: Progress | None = None) -> None:
        async def answering(config: Any, observer: Any = None, *rest: Any) -> Any:
            if news is not None:
                observer(news)
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr(f"tandem.app.commands.{name}", answering)

    return set_answer


def tandem(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})


class TestSync:
    def test_a_pass_without_questions_is_done(self, config: Path, answers: Answers) -> None:
        answers("sync", PASS)
        result = tandem("sync", "--config", config)
        assert result.exit_code == 0
        assert "1,000 records, 3 written, 5 calls" in result.stdout
        assert "Calls per 1,000" not in result.stdout

    def test_a_first_copy_says_what_it_cost(self, config: Path, answers: Answers) -> None:
        answers("sync", replace(PASS, is_first_copy=True))
        assert "Calls per 1,000 records: 5.0" in tandem("sync", "--config", config).stdout

    def test_a_pilot_is_not_called_the_first_copy(self, config: Path, answers: Answers) -> None:
        answers("sync", replace(PASS, is_first_copy=True))
        assert "Pilot (the first 5) done" in tandem("sync", "--config", config, "--limit", "5").stdout

    @pytest.mark.parametrize(
        "report", [replace(PASS, guard=("Delete 900 people?",)), replace(PASS, counts={"rejected": 1})]
    )
    def test_a_question_or_a_rejected_record_needs_a_person(
        self, config: Path, answers: Answers, report: SyncReport
    ) -> None:
        answers("sync", report)
        assert tandem("sync", "--config", config).exit_code == 1

    def test_json_is_the_report_with_its_sums(self, config: Path, answers: Answers) -> None:
        answers("sync", PASS)
        report = json.loads(tandem("sync", "--config", config, "--json").stdout)
        assert (report["run_id"], report["writes"], report["calls_per_1000_records"]) == ("r1", 3, 5.0)

    def test_a_side_that_never_answered_could_not_start(self, config: Path, answers: Answers) -> None:
        answers("sync", TransientError("no route to 127.0.0.1", side=Side.CRM))
        result = tandem("sync", "--config", config)
        assert result.exit_code == 2
        assert result.stderr == "tandem: Dynamics cannot be reached: no route to 127.0.0.1\n"

    def test_a_side_that_went_away_on_the_way_is_unavailable(self, config: Path, answers: Callable[..., None]) -> None:
        answers("sync", TransientError("503", side=Side.CRM), news=Progress("read", "lead", done=5))
        assert tandem("sync", "--config", config).exit_code == 3


class TestCheck:
    REPORT = CheckReport(
        access=(AccessLine("crm", "read leads", True), AccessLine("crm", "write leads", False, "Grant prvWriteLead.")),
        fields_to_create=("tandemCrmId",),
        left_out=(LeftOutField("account", "revenue", "annualRevenue", "no such field", "Create annualRevenue."),),
    )

    def test_what_fails_is_shown_with_its_remedy_and_cannot_start(self, config: Path, answers: Answers) -> None:
        answers("check", self.REPORT)
        result = tandem("check", "--config", config)
        assert result.exit_code == 2
        for part in ("ok    read leads", "FAIL  write leads", "Grant prvWriteLead.", "Create annualRevenue."):
            assert part in result.stdout

    def test_what_is_not_required_only_warns(self, config: Path, answers: Answers) -> None:
        optional = AccessLine("crm", "read teams", False, "Grant prvReadTeam.", is_required=False)
        answers("check", replace(self.REPORT, access=(optional,)))
        result = tandem("check", "--config", config)
        assert result.exit_code == 0
        assert "warn  read teams" in result.stdout

    def test_json_says_whether_it_is_ok(self, config: Path, answers: Answers) -> None:
        answers("check", self.REPORT)
        result = tandem("check", "--config", config, "--json")
        assert json.loads(result.stdout)["is_ok"] is False
        assert result.exit_code == 2


class TestPlan:
    FIELD = PlannedField("phone", "phone", base="1", crm="2", marketing="1", after="2", reason="crm changed")
    REPORT = PlanReport(
        counts={"marketing.update.person": 1},
        first_link_fields={"jobtitle": 4},
        actions=(PlannedAction("marketing", "update", "person", KEY, "7", (FIELD,)),),
        conflicts=(),
        holds=("lead 1: merged twice",),
        fields_to_create=(),
        calls=3,
        seconds=2.0,
    )

    def test_it_shows_each_field_with_before_after_and_reason(self, config: Path, answers: Answers) -> None:
        answers("plan", self.REPORT)
        result = tandem("plan", "--config", config)
        assert result.exit_code == 0
        assert f"marketing update person 7  for {KEY}" in result.stdout
        assert "phone: 1 -> 2  (crm changed)" in result.stdout
        assert "first link: 4 differences in jobtitle" in result.stdout
        assert "about 3 calls and 2 s" in result.stdout

    def test_it_names_the_pilot_the_people_and_what_our_writes_leave_out(self, config: Path, answers: Answers) -> None:
        people = PeopleLine(present=1_000, ceiling=1_100, is_default=True)
        answers(
            "plan", replace(self.REPORT, pilot="the first 5", people=people, side_effects=("flows are not started",))
        )
        told = tandem("plan", "--config", config, "--people", "5").stdout
        assert "Pilot: the first 5; everybody else waits." in told
        assert "In Dynamics flows are not started." in told
        assert "People in Marketo: 1,000, at most 1,100 (a tenth more than at the first read" in told
        named = replace(people, is_default=False)
        answers("plan", replace(self.REPORT, people=named))
        assert "at most 1,100 (marketing.max_people)." in tandem("plan", "--config", config).stdout

    def test_an_empty_plan_says_so(self, config: Path, answers: Answers) -> None:
        answers("plan", PlanReport({}, {}, (), (), (), (), 0, 0.0))
        assert tandem("plan", "--config", config).stdout == "Nothing to write.\n"

    def test_json_has_the_actions(self, config: Path, answers: Answers) -> None:
        answers("plan", self.REPORT)
        report = json.loads(tandem("plan", "--config", config, "--json").stdout)
        assert report["actions"][0]["fields"][0]["after"] == "2"
        assert report["is_empty"] is False


class TestVerify:
    CLEAN = VerifyReport({"lead": 5}, (), 0, (), 1, 2, 0.5)
    DIFFERENCE = Difference("value", "lead", KEY, "7", "phone", "differs")

    @pytest.mark.parametrize(
        ("report", "status"),
        [
            (CLEAN, 0),
            (replace(CLEAN, differences=(DIFFERENCE,), difference_count=3), 1),
            (replace(CLEAN, unread=("company",)), 1),
        ],
    )
    def test_only_full_agreement_is_0(self, config: Path, answers: Answers, report: VerifyReport, status: int) -> None:
        answers("verify", report)
        assert tandem("verify", "--config", config).exit_code == status

    def test_differences_beyond_the_limit_are_counted(self, config: Path, answers: Answers) -> None:
        answers("verify", replace(self.CLEAN, differences=(self.DIFFERENCE,), difference_count=3))
        told = tandem("verify", "--config", config).stdout
        assert f"value  lead {KEY} and 7 phone: differs" in told
        assert "... and 2 more" in told


class TestState:
    def test_status_shows_every_entity(self, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        line = EntityLine("lead", 1200, 1, 0, 2, 0, 0, 3, 4)
        budget = Budget(1_200, 300, 25_000, 23_800, 30.4, None, AT.replace(day=3, hour=6))
        report = StatusReport((line,), AT, 1.5, None, 12.0, holds=("lead 1: merged twice",), budget=budget)
        monkeypatch.setattr("tandem.app.queries.status", lambda config: report)
        told = tandem("status", "--config", config).stdout
        spent = (
            "1,200 of 25,000 ours, 300 by others, 23,800 left; at 30 a minute they outlast the day (it ends at 06:04"
        )
        assert spent in told
        for part in ("lead", "1,200", "Last pass: 2026-01-02 03:04:05 UTC", "Lag: 12 s", "held  lead 1: merged twice"):
            assert part in told
        document = json.loads(tandem("status", "--config", config, "--json").stdout)
        assert document["entities"][0]["linked"] == 1200
        assert document["last_pass_at"] == "2026-01-02T03:04:05Z"

    def test_conflicts_show_both_values_and_the_winner(self, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        line = ConflictLine(AT, "both changed", "lead", KEY, "7", "jobtitle|title", "[Chief]", None, "crm", True, "why")
        asked: list[tuple[int, bool]] = []

        def conflicts(config: Any, limit: int, only_open: bool = False) -> list[ConflictLine]:
            asked.append((limit, only_open))
            return [line]

        monkeypatch.setattr("tandem.app.queries.conflicts", conflicts)
        told = tandem("conflicts", "list", "--config", config, "--open", "--limit", "5").stdout
        for part in (KEY, "[Chief]", "(empty)", "(why; open)"):
            assert part in told
        document = json.loads(tandem("conflicts", "list", "--config", config, "--json").stdout)
        assert document["conflicts"][0]["crm"] == "[Chief]"
        assert asked == [(5, True), (100, False)]


class TestRun:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_it_tells_passes_and_stops_cleanly_on_a_signal(
        self, config: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
    ) -> None:
        async def passes(config: Any, stop: Any, on_pass: Any, observer: Any = None, **more: Any) -> None:
            on_pass(PASS)
            os.kill(os.getpid(), number)
            await stop.wait()

        monkeypatch.setattr("tandem.app.commands.run", passes)
        result = tandem("run", "--config", config, "--json")
        assert result.exit_code == 0
        assert [json.loads(line)["run_id"] for line in result.stdout.splitlines()] == ["r1"]

    def test_a_quiet_pass_is_not_told(self, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        async def passes(config: Any, stop: Any, on_pass: Any, observer: Any = None, **more: Any) -> None:
            on_pass(replace(PASS, counts={}))

        monkeypatch.setattr("tandem.app.commands.run", passes)
        assert tandem("run", "--config", config).stdout == ""


class TestSettings:
    """Nothing starts with wrong settings: one sentence, status 2."""

    @pytest.mark.parametrize(
        "command", [["check"], ["plan"], ["sync"], ["run"], ["status"], ["verify"], ["conflicts", "list"]]
    )
    def test_a_missing_file(self, tmp_path: Path, command: list[str]) -> None:
        result = tandem(*command, "--config", tmp_path / "none.toml")
        assert result.exit_code == 2
        assert "tandem init" in result.stderr
        assert len(result.stderr.splitlines()) == 1

    @pytest.mark.parametrize(
        ("text", "part"),
        [
            ("[crm", "not valid TOML"),
            ("[crm]\nurl = 5\n", "crm.url"),
            ("[crm]\nclient_secret = 'x'\n", "TANDEM_CRM_CLIENT_SECRET"),
            ("[rails]\n", "[crm] is missing"),
        ],
    )
    def test_a_malformed_file(self, tmp_path: Path, text: str, part: str) -> None:
        path = tmp_path / "tandem.toml"
        path.write_text(text, encoding="utf-8")
        result = tandem("sync", "--config", path)
        assert result.exit_code == 2
        assert part in result.stderr
        assert len(result.stderr.splitlines()) == 1


class TestOutside:
    LINE = OutsideLine("contact", KEY, "7", None, AT, "paused: it does not pass the filter statecode == 0")

    def test_who_is_outside_is_listed_with_reason_and_date(self, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        field = replace(self.LINE, field="jobtitle|title", reason="paused: the person does not pass filter_to_crm x")
        report = OutsideReport(2, (self.LINE, field))
        monkeypatch.setattr("tandem.app.queries.outside", lambda *rest: report)
        told = tandem("outside", "--config", config).stdout
        assert f"2026-01-02 03:04:05  contact {KEY} and 7: paused: it does not pass the filter statecode == 0" in told
        assert "jobtitle and title: paused: the person" in told
        assert "2 records outside." in told
        assert json.loads(tandem("outside", "--config", config, "--json").stdout)["count"] == 2

    def test_nobody_outside_is_said(self, config: Path) -> None:
        assert tandem("outside", "--config", config).stdout == "Nobody is outside.\n"

    def test_status_names_the_pilot_and_whom_filters_keep_out(
        self, config: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        report = StatusReport((), AT, 1.0, None, None, outside=3, pilot=PilotLine("the first 5", AT, 12))
        monkeypatch.setattr("tandem.app.queries.status", lambda *rest: report)
        told = tandem("status", "--config", config).stdout
        assert "Pilot since 2026-01-02 03:04:05 UTC: the first 5; 12 records wait for `tandem sync` without it" in told
        assert "Outside the filters: 3 records; `tandem outside` lists them" in told


class TestSettle:
    def test_decisions_are_counted(self, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[object] = []

        def settle(config: Any, numbers: list[int], side: Side) -> int:
            asked.append((numbers, side))
            return len(numbers)

        monkeypatch.setattr("tandem.app.settling.settle", settle)
        told = tandem("conflicts", "settle", "marketing", "3", "4", "--config", config).stdout
        assert told == "2 conflicts settled: the next pass carries what marketing holds.\n"
        assert asked == [([3, 4], Side.MARKETING)]
        assert json.loads(tandem("conflicts", "settle", "crm", "3", "--config", config, "--json").stdout) == {
            "settled": 1
        }

    def test_what_does_not_wait_is_told(self, config: Path) -> None:
        result = tandem("conflicts", "settle", "crm", "99", "--config", config)
        assert result.exit_code == 2
        assert "Conflict 99 does not wait for a choice" in result.stderr
