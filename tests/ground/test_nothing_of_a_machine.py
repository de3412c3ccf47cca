"""Nothing tracked names the machine it was written on or the package index that machine uses."""

import re

import pytest

from tests.ground.repository import ROOT, tracked_files

MACHINE_PATH = re.compile(
    r"(?<![\w.~)}-])/(?:home|root|Users|work|mnt|srv)/[\w.-]+|(?<!\w)[A-Z]:\\Users\\\w+|file:/{2,3}\w"
)
INDEX_ADDRESS = re.compile(
    r"https?://[^\s\"'<>]*/(?:simple|packages/[0-9a-f]{2})(?:/|\b)|(?:index-url|find-links)[ =]+\S+:/"
)
# The bars keep these examples from being findings themselves.
POINTED_OUT = [
    ("see /|home/ann/tandem/notes", MACHINE_PATH),
    ("wheels from file:|///opt/wheels", MACHINE_PATH),
    (r"in C:\|Users\ann", MACHINE_PATH),
    ("https://index.example/sim|ple/rich", INDEX_ADDRESS),
    ("--extra-index-|url https://index.example", INDEX_ADDRESS),
]
LEFT_ALONE = [
    "https://example.com/home/ann",
    "GET /api/data/v9.2/contacts",
    "/usr/lib/postgresql",
    "$HOME/work/tandem",
    "a simple/rich choice",
]


@pytest.mark.parametrize(("text", "pattern"), POINTED_OUT)
def test_the_patterns_find_what_they_should(text: str, pattern: re.Pattern[str]) -> None:
    assert pattern.search(text.replace("|", ""))
    assert not pattern.search(text)


@pytest.mark.parametrize("text", LEFT_ALONE)
def test_the_patterns_leave_harmless_text_alone(text: str) -> None:
    assert not MACHINE_PATH.search(text)
    assert not INDEX_ADDRESS.search(text)


@pytest.mark.parametrize("pattern", [MACHINE_PATH, INDEX_ADDRESS], ids=["paths", "indexes"])
def test_no_tracked_file_names_a_machine(pattern: re.Pattern[str]) -> None:
    found = [
        f"{file.relative_to(ROOT)}: {match.group()}"
        for file in tracked_files()
        for match in pattern.finditer(file.read_text(errors="replace"))
    ]
    assert found == []


def test_no_tracked_file_names_the_folder_that_holds_it() -> None:
    here = re.compile(rf"(?<![\w.-]){re.escape(str(ROOT))}/")
    assert [file.name for file in tracked_files() if here.search(file.read_text(errors="replace"))] == []
