"""The tutorial, typed into a shell as it stands, but for the two ports."""

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import blocks
from tests.ground.repository import ROOT

STOP = "kill %1 %2"


@pytest.fixture
def ports() -> tuple[int, int]:
    """Two ports that nobody uses right now; the tutorial's own may be taken."""
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        return one.getsockname()[1], two.getsockname()[1]


def test_the_tutorial_ends_with_two_sides_that_agree(tmp_path: Path, ports: tuple[int, int]) -> None:
    steps = [_step(number, text) for number, text in enumerate(blocks(ROOT / "docs" / "tutorial.md", "sh"))]
    script = _on_ports("\n".join(["set -eum", f"trap '{STOP} 2>/dev/null' EXIT", *steps]), ports)
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    example = tmp_path / "examples" / "emulators.toml"
    example.write_text(_on_ports(example.read_text(encoding="utf-8"), ports), encoding="utf-8")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "80"}
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200
    )
    told = _told(done.stdout)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    check, plan, sync, conflicts, edits, verify = (told[number] for number in _numbers(told))
    assert "Everything that the sync needs works." in check
    assert re.search(r"^In Marketo: create company 125, create person 7\d\d, ", plan, re.MULTILINE)
    assert "First copy done" in sync
    assert "Waits for a person" not in plan + sync
    assert "first link" in conflicts
    assert "jobtitle" in edits or "title: " in edits
    assert "update contact 1" in edits
    assert "update person 1" in edits
    assert "Both sides agree." in verify


def _step(number: int, text: str) -> str:
    return f"echo '== {number}'\n{text}"


def _told(output: str) -> dict[int, str]:
    parts = re.split(r"^== (\d+)$", output, flags=re.MULTILINE)[1:]
    return {int(number): text for number, text in zip(parts[::2], parts[1::2], strict=True)}


def _numbers(told: dict[int, str]) -> list[int]:
    """The steps that print something; the others set the scene."""
    return [number for number, text in told.items() if text.strip()]


def _on_ports(text: str, ports: tuple[int, int]) -> str:
    return text.replace("8801", str(ports[0])).replace("8802", str(ports[1]))
