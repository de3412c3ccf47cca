"""Every command explains itself, and has the options that all commands share."""

import re
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from tandem.cli.main import app

COMMANDS = ["init", "check", "plan", "sync", "run", "status", "conflicts list", "verify", "demo"]


def help_of(*arguments: str) -> str:
    result = CliRunner().invoke(app, [*arguments, "--help"], env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"})
    assert result.exit_code == 0
    return " ".join(result.stdout.split())


def test_the_overview_names_every_command_and_the_exit_statuses() -> None:
    overview = help_of()
    for command in COMMANDS:
        assert re.search(rf"\b{command.split()[0]}\b", overview)
    assert "Exit status: 0 done; 1 found differences or needs a person; 2 cannot start" in overview


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_sentence_and_json(command: str) -> None:
    text = help_of(*command.split())
    assert "--json" in text
    assert re.search(r"[A-Z][^.]{10,}\.", text)


@pytest.mark.parametrize("command", [command for command in COMMANDS if command != "demo"])
def test_every_command_about_a_sync_takes_its_settings_file(command: str) -> None:
    text = help_of(*command.split())
    assert "--config" in text
    assert "tandem.toml" in text


def test_the_demo_has_its_options() -> None:
    text = help_of("demo")
    for option in ("--people", "--seed", "--once", "--dir", "--minutes"):
        assert option in text


def test_help_does_not_wait_for_the_engine() -> None:
    """What makes start-up slow (store, HTTP client) is imported only by a command that runs."""
    slow = ("sqlalchemy", "aiohttp", "pydantic")
    code = f"import sys, tandem.cli.main; print([name for name in {slow} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout == "[]\n"
