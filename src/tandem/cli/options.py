"""The options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from tandem.cli.boundary import Wishes

DEFAULT_CONFIG = Path("tandem.toml")


def _remember_json(context: typer.Context, value: bool) -> bool:
    """The boundary answers in JSON too when the command would have."""
    Wishes.of(context).json = value
    return value


ConfigOption = Annotated[Path, typer.Option("--config", help="The settings file.", metavar="PATH")]
JsonOption = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON document instead of text.", callback=_remember_json, is_eager=True),
]
LimitOption = Annotated[int, typer.Option(min=0, help="How many lines to show; everything is counted.")]
