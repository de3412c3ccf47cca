"""How answers reach the terminal: text through rich on standard output, or one JSON document and nothing else."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from tandem.core.record import Value

_WIDTH_IN_A_FILE = 240  # tables in a pipe or a file are not cut to a terminal that is not there


def console() -> Console:
    """Made at each use, so that it writes to the standard output of the moment."""
    width = None if sys.stdout.isatty() else _WIDTH_IN_A_FILE
    return Console(highlight=False, soft_wrap=True, width=width)


def error_console() -> Console:
    return Console(stderr=True, highlight=False)


def document(report: Any) -> dict[str, Any]:
    """A report as JSON knows it: its fields, and its answers (properties) beside them."""
    answers = [name for name, member in vars(type(report)).items() if isinstance(member, property)]
    return {**msgspec.to_builtins(report), **{name: getattr(report, name) for name in answers}}


def print_json(value: object) -> None:
    print(json.dumps(value, ensure_ascii=False))
    sys.stdout.flush()


def print_lines(lines: Iterable[str]) -> None:
    out = console()
    for line in lines:
        out.print(line, markup=False)


def print_report(report: Any, lines: Iterable[str], *, json: bool) -> None:
    """A report either way; its `lines` are made only where they are wanted, if they come from a generator."""
    if json:
        print_json(document(report))
    else:
        print_lines(lines)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """The first column names the row; the others are numbers."""
    table = Table(box=None, pad_edge=False, collapse_padding=True, header_style="bold")
    for place, name in enumerate(columns):
        table.add_column(name, justify="right" if place else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    console().print(table)


def shown(value: Value) -> str:
    """One field value for people's eyes, short and on one line."""
    if value is None:
        return "(empty)"
    text = " ".join(str(value).split())
    return text if len(text) <= 40 else f"{text[:39]}…"


def counted(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return text.replace("[", r"\[")
