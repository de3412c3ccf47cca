"""The command: its first line, its ends, and that it dies with its parent when asked to."""

import json
import signal
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

COMMAND = [sys.executable, "-c", "from tandem_emulators.cli import run; run()"]


class Process:
    def __init__(self, *arguments: str, service: str = "dataverse") -> None:
        pipe = subprocess.PIPE
        self.popen = subprocess.Popen([*COMMAND, service, *arguments], stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        assert self.popen.stdout is not None
        self.first_line: dict[str, Any] = json.loads(self.popen.stdout.readline())

    def end(self) -> None:
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.communicate(timeout=10)


@pytest.fixture
def processes() -> Iterator[list[Process]]:
    started: list[Process] = []
    yield started
    for process in started:
        process.end()


def test_the_first_line_is_all_that_a_client_needs(processes: list[Process]) -> None:
    processes.append(Process("--people", "20", "--control"))
    line = processes[0].first_line
    assert list(line) == [
        "service",
        "url",
        "authority",
        "tenant_id",
        "client_id",
        "client_secret",
        "username",
        "password",
        "ca_file",
        "control_url",
    ]
    assert (line["service"], line["ca_file"]) == ("dataverse", None)
    assert line["url"].startswith("http://127.0.0.1:")
    assert line["control_url"] == f"{line['url']}/_emulator"
    with urllib.request.urlopen(f"{line['control_url']}/health", timeout=10) as answer:
        assert json.load(answer)["status"] == "ok"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_cleanly_on_a_signal(processes: list[Process], number: signal.Signals) -> None:
    processes.append(Process())
    assert processes[0].first_line["control_url"] is None
    processes[0].popen.send_signal(number)
    assert processes[0].popen.wait(10) == 0


def test_it_ends_when_its_parents_pipe_closes(processes: list[Process]) -> None:
    processes.append(Process("--die-with-parent"))
    stdin = processes[0].popen.stdin
    assert stdin is not None
    stdin.close()
    assert processes[0].popen.wait(10) == 0
    processes[0].popen.stdin = None


@pytest.mark.parametrize("service", ["dataverse", "marketo"])
def test_https_comes_with_an_authority_that_goes_away_with_the_process(processes: list[Process], service: str) -> None:
    processes.append(Process("--tls", "--control", service=service))
    line = processes[0].first_line
    assert line["url"].startswith("https://127.0.0.1:")
    assert line["control_url"] == f"{line['url']}/_emulator"
    authority = Path(line["ca_file"])
    trust = ssl.create_default_context(cafile=authority)
    with urllib.request.urlopen(f"{line['control_url']}/health", timeout=10, context=trust) as answer:
        assert json.load(answer)["service"] == service
    processes[0].popen.send_signal(signal.SIGTERM)
    assert processes[0].popen.wait(10) == 0
    assert not authority.parent.exists()


def test_files_that_were_named_are_written_there_and_stay(processes: list[Process], tmp_path: Path) -> None:
    authority, application = tmp_path / "ca.pem", tmp_path / "application.pem"
    processes.append(Process("--tls", "--ca-file", str(authority), "--app-certificate", str(application)))
    line = processes[0].first_line
    assert (line["ca_file"], line["client_certificate_file"]) == (str(authority), str(application))
    processes[0].popen.send_signal(signal.SIGTERM)
    assert processes[0].popen.wait(10) == 0
    assert authority.read_text().startswith("-----BEGIN CERTIFICATE-----")
    assert application.stat().st_mode & 0o077 == 0


def test_limits_may_come_from_a_file(processes: list[Process], tmp_path: Path) -> None:
    file = tmp_path / "limits.json"
    file.write_text('{"requests_limit": 7, "servers": 2, "concurrency_limit": 3}')
    processes.append(Process("--limits", str(file), "--control"))
    with urllib.request.urlopen(f"{processes[0].first_line['control_url']}/settings", timeout=10) as answer:
        settings = json.load(answer)
    assert (settings["limits"], settings["requests_limit"], settings["servers"]) == ("published", 7, 2)


@pytest.mark.parametrize(
    "arguments",
    [["--limits", "x"], ["--app-certificate", "/dev/null"], ["--set", "x"], ["--set", "nothing=1"], ["--port", "-1"]],
)
def test_a_bad_argument_is_one_clear_refusal(arguments: list[str]) -> None:
    done = subprocess.run([*COMMAND, "dataverse", *arguments], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
