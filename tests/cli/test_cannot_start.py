"""What keeps a sync from starting, with the real application: one sentence each, status 2, no traceback."""

import json
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tandem.app.demo.services import find_program
from tandem.app.demo.stage import secrets_of, write_config
from tandem.cli.main import app

COMMANDS = ["check", "plan", "sync", "verify", "run"]
Facts = dict[str, Any]


@contextmanager
def service(name: str, people: str) -> Iterator[Facts]:
    command = [find_program(), name, "--people", people, "--seed", "3", "--port", "0", "--control", "--die-with-parent"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def services() -> Iterator[tuple[Facts, Facts]]:
    with ExitStack() as stack:
        yield stack.enter_context(service("dataverse", "20")), stack.enter_context(service("marketo", "20"))


@pytest.fixture
def control(services: tuple[Facts, Facts]) -> Iterator[Any]:
    """Takes privileges away on a side, and gives them back in the end."""
    taken: list[tuple[Facts, list[str]]] = []

    def revoke(side: int, *privileges: str) -> None:
        taken.append((services[side], list(privileges)))
        post(services[side], {"revoke": list(privileges)})

    yield revoke
    for facts, privileges in taken:
        post(facts, {"grant": privileges})


def post(facts: Facts, body: Mapping[str, Any]) -> None:
    request = urllib.request.Request(
        f"{facts['control_url']}/privileges", data=json.dumps(body).encode(), method="POST"
    )
    with urllib.request.urlopen(request) as response:
        assert response.status == 200


def tandem(
    command: str, folder: Path, crm: Facts, marketing: Facts, *options: str, secrets: Mapping[str, str] | None = None
) -> Result:
    write_config(folder, crm, marketing)
    environment = secrets_of(crm, marketing) if secrets is None else secrets
    return CliRunner().invoke(app, [command, "--config", str(folder / "tandem.toml"), *options], env=dict(environment))


def sentence_of(result: Result) -> str:
    """The one line of an ending with status 2."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("tandem: ")
    return result.stderr


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("variable", ["TANDEM_CRM_CLIENT_SECRET", "TANDEM_MARKETING_CLIENT_SECRET"])
def test_a_missing_secret(tmp_path: Path, services: tuple[Facts, Facts], variable: str, command: str) -> None:
    secrets = {name: value for name, value in secrets_of(*services).items() if name != variable}
    assert variable in sentence_of(tandem(command, tmp_path, *services, secrets=secrets))


@pytest.mark.parametrize("command", ["check", "sync"])
@pytest.mark.parametrize("variable", ["TANDEM_CRM_CLIENT_SECRET", "TANDEM_MARKETING_CLIENT_SECRET"])
def test_a_wrong_secret(tmp_path: Path, services: tuple[Facts, Facts], variable: str, command: str) -> None:
    secrets = secrets_of(*services) | {variable: "wrong-secret"}
    result = tandem(command, tmp_path, *services, secrets=secrets)
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.stderr
    assert "wrong-secret" not in result.output
    assert variable in result.output or "secret" in result.output


@pytest.mark.parametrize("command", ["check", "sync"])
@pytest.mark.parametrize("side", [0, 1])
def test_an_unreachable_host(tmp_path: Path, services: tuple[Facts, Facts], side: int, command: str) -> None:
    facts = [dict(services[0]), dict(services[1])]
    facts[side]["url"] = "http://127.0.0.1:9"
    result = tandem(command, tmp_path, facts[0], facts[1])
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.stderr
    assert ("Dynamics", "Marketo")[side] in result.output


@pytest.mark.parametrize(
    ("side", "privilege", "named"),
    [(0, "prvWriteContact", "prvWriteContact"), (1, "Read-Write Lead", "Read-Write Person")],
)
def test_a_missing_permission_is_named_by_check(
    tmp_path: Path, services: tuple[Facts, Facts], control: Any, side: int, privilege: str, named: str
) -> None:
    control(side, privilege)
    result = tandem("check", tmp_path, *services)
    assert result.exit_code == 2, result.output
    assert named in result.output
    assert "Traceback" not in result.output


def test_check_passes_where_nothing_is_missing(tmp_path: Path, services: tuple[Facts, Facts]) -> None:
    result = tandem("check", tmp_path, *services)
    assert result.exit_code == 0, result.output
    document = json.loads(tandem("check", tmp_path, *services, "--json").stdout)
    assert document["is_ok"] is True


def test_a_store_that_cannot_be_opened(tmp_path: Path, services: tuple[Facts, Facts]) -> None:
    (tmp_path / "tandem.db").write_text("no database", encoding="utf-8")
    sentence_of(tandem("sync", tmp_path, *services))
    assert (tmp_path / "tandem.db").read_text(encoding="utf-8") == "no database"
