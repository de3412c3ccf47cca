"""The edge of the process: which error ends with which sentence and status. Never a traceback, unless asked for."""

import json
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from tandem.cli.boundary import Boundary, CannotReachError, Wishes
from tandem.cli.options import JsonOption
from tandem.core.errors import (
    AccessError,
    ConfigError,
    LeaseLostError,
    RejectedError,
    SchemaVersionError,
    TransientError,
    UnknownOutcomeError,
)
from tandem.core.record import Side

RAISED: list[BaseException] = []

app = typer.Typer(cls=Boundary, pretty_exceptions_enable=False)


@app.callback()
def root(context: typer.Context, debug: Annotated[bool, typer.Option("--debug")] = False) -> None:
    Wishes.of(context).debug = debug


@app.command()
def fail(json: JsonOption = False) -> None:
    raise RAISED[0]


@app.command()
def succeed() -> None:
    print("fine")


STATUSES: list[tuple[BaseException, int]] = [
    (ConfigError("crm.url is missing."), 2),
    (AccessError("Dynamics refuses the secret.", side=Side.CRM), 2),
    (SchemaVersionError("The store is newer."), 2),
    (LeaseLostError("Another process runs this sync."), 2),
    (CannotReachError("Marketo cannot be reached."), 2),
    (TransientError("Marketo answers 503.", side=Side.MARKETING), 3),
    (UnknownOutcomeError("No answer from Dynamics.", side=Side.CRM), 3),
    (RejectedError("Marketo will not take the request.", side=Side.MARKETING), 1),
    (KeyboardInterrupt(), 130),
    (RuntimeError("a secret detail"), 70),
    (AssertionError("a secret detail"), 70),
]


@pytest.mark.parametrize(("error", "status"), STATUSES, ids=lambda value: type(value).__name__)
def test_each_kind_of_error_has_its_status_and_one_line_at_most(error: BaseException, status: int) -> None:
    RAISED[:] = [error]
    result = CliRunner().invoke(app, ["fail"])
    assert result.exit_code == status
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) <= 1
    assert "Traceback" not in result.stderr


def test_the_sentence_of_an_error_we_raise_is_shown_as_it_is_on_one_line() -> None:
    RAISED[:] = [ConfigError("crm.url is missing:\n  give it in tandem.toml.")]
    assert CliRunner().invoke(app, ["fail"]).stderr == "tandem: crm.url is missing: give it in tandem.toml.\n"


def test_a_mistake_of_our_own_shows_its_kind_and_how_to_report_it_but_not_its_text() -> None:
    RAISED[:] = [RuntimeError("anna@a.example")]
    stderr = CliRunner().invoke(app, ["fail"]).stderr
    assert "RuntimeError" in stderr
    assert "--debug" in stderr
    assert "anna" not in stderr


def test_debug_shows_the_traceback_too() -> None:
    RAISED[:] = [RuntimeError("here")]
    result = CliRunner().invoke(app, ["--debug", "fail"])
    assert "Traceback" in result.stderr
    assert "RuntimeError: here" in result.stderr
    assert result.exit_code == 70


def test_with_json_an_error_is_one_document_on_standard_output() -> None:
    RAISED[:] = [ConfigError("crm.url is missing.")]
    result = CliRunner().invoke(app, ["fail", "--json"])
    assert json.loads(result.stdout) == {
        "error": "ConfigError",
        "message": "crm.url is missing.",
        "exit_status": 2,
    }
    assert result.stderr == "tandem: crm.url is missing.\n"


def test_success_is_zero() -> None:
    result = CliRunner().invoke(app, ["succeed"])
    assert (result.exit_code, result.stdout) == (0, "fine\n")


@pytest.mark.parametrize("arguments", [["nonsense"], ["succeed", "--nonsense"], ["fail", "extra"]])
def test_wrong_arguments_are_status_2_without_a_traceback(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.stderr
