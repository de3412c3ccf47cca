"""The whole of Adobe's API definition against the emulator: every operation is covered, or its absence explained."""

import json
import re
from fnmatch import fnmatchcase
from importlib.resources import files
from typing import Any

import pytest

from tests.contract.marketo.client import InProcess
from tests.contract.marketo.swagger import ABSENT, DATA, DEFECTS, OPEN, OTHERS, UNLISTED, complaints

PACKAGE = files("tandem_emulators.marketo")
NAMES = {
    (each["method"], each["path"]): each["name"]
    for each in json.loads(PACKAGE.joinpath("data", "operations.json").read_text())["operations"]
}
OPERATIONS = sorted((each["method"], each["path"]) for each in DATA["operations"])


def rows_of(heading: str) -> list[str]:
    """The first cells of the table under a heading of the README."""
    text = PACKAGE.joinpath("README.md").read_text()
    section = re.split(r"\n##+ ", text.partition(heading)[2])[0]
    return [line.split("|")[1] for line in section.splitlines() if line.startswith("|")]


def patterns(rows: list[str]) -> list[str]:
    return [pattern for row in rows for pattern in re.findall(r"`([\w.*]+)`", row)]


COVERED, NOT_COVERED = patterns(rows_of("## What it covers")), patterns(rows_of("### Not covered"))


def matches(name: str, wanted: list[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in wanted)


@pytest.fixture(scope="module")
def marketo() -> Any:
    emulator = InProcess()
    emulator.sign_in()
    yield emulator
    emulator.close()


def test_there_are_147_operations_and_each_has_a_name() -> None:
    assert len(OPERATIONS) == 147
    assert set(OPERATIONS) <= set(NAMES)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_operation_is_covered_or_said_not_to_be(marketo: InProcess, method: str, path: str) -> None:
    """An operation that is not covered answers as an unknown path does; the README says which and why."""
    answer = marketo.call(method, re.sub(r"\{\w+\}", "1", path))
    is_covered = answer.status != 200 or answer.body["success"] or answer.error[0] != "610"
    name = NAMES[method, path]
    assert matches(name, COVERED if is_covered else NOT_COVERED), f"{name}, covered: {is_covered}"
    assert not (is_covered and matches(name, NOT_COVERED)), name


def test_every_pattern_of_the_readme_means_something() -> None:
    unused = [pattern for pattern in COVERED + NOT_COVERED if not any(fnmatchcase(n, pattern) for n in NAMES.values())]
    assert unused == []


def test_every_listed_defect_is_one() -> None:
    """What a later edition of the definitions mends must leave the list."""
    for defect in DEFECTS:
        if defect.definition == "*":
            continue
        definition = (DATA["definitions"] | OTHERS["definitions"])[defect.definition]
        known = definition["required"] if defect.kind == ABSENT else definition["properties"]
        for member in defect.members.split():
            assert (member in known) != (defect.kind == UNLISTED), (defect, member)
    assert set(DATA["definitions"]) >= OPEN


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        ({"success": True, "result": []}, "$: 'requestId' is a required property"),
        ({"requestId": "a", "success": "yes", "result": []}, "$.success: 'yes' is not of type 'boolean'"),
        (
            {"requestId": "a", "success": True, "result": [], "odd": 1},
            "$: Additional properties are not allowed ('odd' was unexpected)",
        ),
        (
            {"requestId": "a", "success": False, "errors": [{"code": 610, "message": "x"}]},
            "$.errors[0].code: 610 is not of type 'string'",
        ),
        (
            {"requestId": "a", "success": True, "result": [{"leadId": 1}]},
            "$.result[0]: 'activityTypeId' is a required property",
        ),
    ],
)
def test_the_check_itself_complains(answer: dict[str, Any], complaint: str) -> None:
    assert complaint in complaints("ResponseOfLeadChange", answer)
