"""The rows of docs/parity.md, for the tests that hold the page to its word."""

import re
from dataclasses import dataclass
from typing import Final

from tests.ground.repository import ROOT

PAGE: Final = ROOT / "docs" / "parity.md"


@dataclass(frozen=True)
class Row:
    number: str
    status: str
    text: str
    tests: tuple[str, ...]


def parse(page: str) -> list[Row]:
    rows = []
    for line in page.splitlines():
        if re.match(r"\| N\d+ \|", line):
            number, _, status, text, tests = (cell.strip() for cell in line.strip("|").split(" |"))
            rows.append(Row(number, status, text, tuple(re.findall(r"`([^`]+)`", tests))))
    return rows
