"""Reference pages are what the code renders today."""

import re
from collections.abc import Callable

import pytest

from tandem.app import error_codes, permissions, types_reference
from tandem.cli import boundary
from tandem.cli import reference as commands
from tandem.config import mapping_reference as mapping
from tandem.config import reference as settings
from tests.ground.repository import ROOT

REFERENCE = ROOT / "docs" / "reference"


@pytest.mark.parametrize(
    ("page", "render", "module"),
    [
        ("cli.md", commands.render_page, "tandem.cli.reference"),
        ("mapping.md", mapping.render_page, "tandem.config.mapping_reference"),
        ("settings.md", settings.render_page, "tandem.config.reference"),
        ("errors.md", error_codes.render_page, "tandem.app.error_codes"),
        ("../how-to/permissions.md", permissions.render_page, "tandem.app.permissions"),
        ("types.md", types_reference.render_page, "tandem.app.types_reference"),
    ],
)
def test_a_generated_page_is_up_to_date(page: str, render: Callable[[], str], module: str) -> None:
    written = (REFERENCE / page).read_text(encoding="utf-8")
    assert written == render(), f"render it anew: .venv/bin/python -m {module} > docs/reference/{page}"


def test_the_table_of_exit_statuses_has_every_one() -> None:
    text = (REFERENCE / "exit-status.md").read_text(encoding="utf-8")
    rows = {int(number) for number in re.findall(r"^\| (\d+) \|", text, flags=re.MULTILINE)}
    constants = {value for name, value in vars(boundary).items() if name.isupper() and isinstance(value, int)}
    assert rows == constants


def test_every_command_has_its_section() -> None:
    text = (REFERENCE / "cli.md").read_text(encoding="utf-8")
    for command in ("init", "check", "plan", "sync", "run", "status", "conflicts list", "verify", "demo"):
        assert f"\n## `tandem {command}`\n" in text
