"""The commands around the code: `make` explains itself, and CI runs what a developer runs."""

import os
import re
import subprocess

from tests.ground.repository import ROOT


def test_make_alone_lists_every_target_with_a_line_of_help() -> None:
    phony = re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    targets = {name for line in phony for name in line.split()}
    listed = dict(re.findall(r"^  make (\S+) +(\S.+)$", printed_by_make(), flags=re.MULTILINE))
    assert {"setup", "demo", "test", "fast", "soak", "lock"} <= targets
    assert set(listed) == targets
    assert all(listed.values())


def test_ci_runs_make_test_and_nothing_else() -> None:
    script = ROOT / ".ci" / "run"
    lines = [line.strip() for line in script.read_text().splitlines()]
    commands = [line for line in lines if line and not line.startswith("#")]
    assert commands == ["set -euo pipefail", 'cd "$(dirname "${BASH_SOURCE[0]}")/.."', "make test"]
    assert os.access(script, os.X_OK)


def test_a_test_run_names_its_seed_and_takes_the_same_examples_each_time() -> None:
    commands = printed_by_make("--dry-run", "--always-make", "test", "SEED=7")
    assert "--randomly-seed=7" in commands
    assert "soak" not in commands


def test_a_soak_run_takes_fresh_examples_from_a_seed_that_can_be_given() -> None:
    commands = printed_by_make("--dry-run", "--always-make", "soak", "SEED=7")
    assert "--hypothesis-profile=soak --hypothesis-seed=7 --randomly-seed=7" in commands
    first, second = (re.findall(r"--hypothesis-seed=(\d+)", printed_by_make("--dry-run", "soak")) for _ in range(2))
    assert first
    assert first != second


def printed_by_make(*arguments: str) -> str:
    # Where make itself runs the tests, its flags would reach this make too.
    environment = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MFLAGS", "SEED"}}
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
