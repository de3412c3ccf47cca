"""docs/parity.md has every row of the native sync, and each names a test that is run and says so of itself."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.docs import collected
from tests.docs.parity_page import PAGE, Row, parse
from tests.ground.repository import ROOT
from tests.scenarios.switched_off.cases import all_cases

STATUSES = {"same", "better", "not applicable"}
VENDOR_ARTEFACTS = {"N72", "N103", "N107", "N114", "N125", "N134"}
"""Plug-in versions, its solution and settings in Dynamics, releases without the Web API, certificates for Java: nothing
else may be not applicable."""
EMULATED = ("emulator", "stage", "Stage")
"""A test that shows a row asserts through the emulators, so its module names them."""


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return parse(PAGE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def tests(rows: list[Row], tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """What pytest collects of the files that the page names."""
    files = sorted({test.partition("::")[0] for row in rows for test in row.tests})
    there = [file for file in files if (ROOT / file).is_file()]
    if not there:
        return {}
    place = tmp_path_factory.mktemp("parity") / "collected.json"
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "tests.docs.collected"]
    environment = {**os.environ, collected.PLACE: str(place), "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    done = subprocess.run([*command, *there], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    found: Mapping[str, Any] = json.loads(place.read_text(encoding="utf-8"))
    return found


def test_every_row_is_there_once(rows: list[Row]) -> None:
    assert [row.number for row in rows] == [f"N{number}" for number in range(1, 141)]


def test_every_row_has_a_status_and_says_what_tandem_does(rows: list[Row]) -> None:
    assert [row.number for row in rows if row.status not in STATUSES] == []
    assert [row.number for row in rows if len(row.text.split()) < 3] == []


def test_only_what_the_vendor_made_is_not_applicable(rows: list[Row]) -> None:
    assert {row.number for row in rows if row.status == "not applicable"} <= VENDOR_ARTEFACTS


def test_every_other_row_names_tests_that_are_run_and_carry_its_mark(rows: list[Row], tests: Mapping[str, Any]) -> None:
    shown = [row for row in rows if row.status in ("same", "better")]
    complaints = [(row.number, complaint_of(row, test, tests)) for row in shown for test in row.tests or ("",)]
    assert [(number, complaint) for number, complaint in complaints if complaint is not None] == []


def test_each_test_of_a_row_is_known_to_fail_without_its_rule(rows: list[Row]) -> None:
    """The long runs play these cases (``tests/scenarios/test_rules_switched_off.py``)."""
    shown = {(row.number, test) for row in rows for test in row.tests}
    switched = {(row, case.test) for case in all_cases().values() for row in case.rows}
    assert (sorted(shown - switched), sorted(switched - shown)) == ([], [])


def complaint_of(row: Row, test: str, tests: Mapping[str, Any]) -> str | None:
    found = tests.get(test)
    if found is None:
        return f"there is no test {test}"
    if found["may_be_skipped"]:
        return f"{test} may be skipped"
    if row.number not in found["rows"]:
        return f"{test} does not carry its mark"
    if not any(word in (ROOT / test.partition("::")[0]).read_text(encoding="utf-8") for word in EMULATED):
        return f"{test} does not look at the emulators"
    return None


# --- the check itself


@pytest.mark.parametrize(
    ("tests", "complaint"),
    [
        ({}, "there is no test"),
        ({"t": {"rows": [], "may_be_skipped": False}}, "does not carry its mark"),
        ({"t": {"rows": ["N2"], "may_be_skipped": False}}, "does not carry its mark"),
        ({"t": {"rows": ["N1"], "may_be_skipped": True}}, "may be skipped"),
    ],
)
def test_a_row_is_refused_whose_test_does_not_show_it(tests: Mapping[str, Any], complaint: str) -> None:
    assert complaint in str(complaint_of(Row("N1", "same", "It does the same.", ("t",)), "t", tests))


def test_a_parametrized_test_that_carries_the_mark_is_collected_by_its_id(tmp_path: Path) -> None:
    test = tmp_path / "test_some.py"
    marks = 'marks=[pytest.mark.parity("N1"), pytest.mark.parity("N2")]'
    test.write_text(
        "import pytest\n\n"
        f'@pytest.mark.parametrize("n", [pytest.param(1, id="one", {marks}), pytest.param(2, id="two", marks='
        'pytest.mark.skip("no"))])\n'
        "def test_it(n): pass\n"
    )
    place = tmp_path / "collected.json"
    environment = {**os.environ, collected.PLACE: str(place), "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "tests.docs.collected", "-c", "/dev/null"]
    subprocess.run([*command, "--rootdir", str(tmp_path), str(test)], env=environment, capture_output=True, check=True)
    assert json.loads(place.read_text()) == {
        "test_some.py::test_it[one]": {"rows": ["N1", "N2"], "may_be_skipped": False},
        "test_some.py::test_it[two]": {"rows": [], "may_be_skipped": True},
    }
