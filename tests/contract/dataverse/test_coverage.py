"""The table of coverage in the emulator's README, and the messages that `$metadata` declares, against the routes."""

import re
from pathlib import Path
from xml.etree import ElementTree

from tandem_emulators.dataverse import settings
from tandem_emulators.dataverse.metadata_api import METADATA_NAMES
from tests.contract.dataverse.client import InProcess

README = Path(settings.__file__).with_name("README.md")
# Names in the first column that are no routes of their own: what is written below one, or beside it.
PARTS = frozenset({"$filter", "$expand", "$apply", "?sql="})


def rows() -> list[list[str]]:
    """The cells of each row of the table."""
    text = README.read_text(encoding="utf-8")
    table = text[text.index("## Coverage") : text.index("## Control API")]
    lines = [line for line in table.splitlines() if line.startswith("| ") and not line.startswith(("| ---", "| Oper"))]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def named(text: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", text))


def test_every_row_says_what_is_covered_and_on_whose_word() -> None:
    for operation, covered, *rest in rows():
        assert len(rest) == 2, operation
        assert operation
        assert covered
        assert set(rest[1].split(", ")) <= {"D", "O", "S"}, operation


def test_every_route_is_in_the_table(org: InProcess) -> None:
    told = {name for cells in rows() for cell in cells[:3] for name in named(cell)}
    assert set(org.emulator.api.routes) - told == set()


def test_every_operation_of_the_table_is_a_route(org: InProcess) -> None:
    told = {name for operation, *_ in rows() for name in named(operation)}
    assert told - set(org.emulator.api.routes) - PARTS == set()


def test_every_switch_of_the_table_exists() -> None:
    told = {name for cells in rows() for name in re.findall(r"[Ss]witch `(\w+)`", " ".join(cells))}
    assert told - set(settings.Settings.__dataclass_fields__) == set()


def test_the_document_declares_the_messages_that_are_served(org: InProcess) -> None:
    root = ElementTree.fromstring(org.get("$metadata").raw)
    namespace = "{http://docs.oasis-open.org/odata/ns/edm}"
    declared = {found.get("Name") for kind in ("Action", "Function") for found in root.iter(f"{namespace}{kind}")}
    not_messages = {"$metadata", "$batch", "EntityDefinitions", "RelationshipDefinitions", "GlobalOptionSetDefinitions"}
    assert declared == set(org.emulator.api.routes) - not_messages
    assert not_messages - {"$batch"} <= METADATA_NAMES
