"""Writes that a side refused: shown with their remedy, exported, and tried again."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from tandem.app.reports import ErrorLine
from tandem.cli.boundary import DONE, NEEDS_A_PERSON
from tandem.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, LimitOption
from tandem.cli.output import counted, document, print_json, print_lines, print_report
from tandem.cli.running import conduct
from tandem.core.errors import ConfigError

CodeOption = Annotated[str | None, typer.Option("--code", help="Only those with this code, such as 1003.")]
EntityOption = Annotated[str | None, typer.Option("--entity", help="Only those of this table.")]
RecordOption = Annotated[str | None, typer.Option("--record", help="Only those of the record with this id.")]
CsvOption = Annotated[
    Path | None, typer.Option("--csv", help="Write all of them to this file instead.", metavar="FILE")
]

errors_app = typer.Typer(no_args_is_help=True, help="Writes that a side refused, and what to do about them.")


@errors_app.command("list")
def list_errors(
    config: ConfigOption = DEFAULT_CONFIG,
    code: CodeOption = None,
    entity: EntityOption = None,
    record: RecordOption = None,
    csv_file: CsvOption = None,
    limit: LimitOption = 100,
    json: JsonOption = False,
) -> None:
    """List the refused writes that wait, the newest first: what was to be done where, the code, and the remedy.

    Exit status 1 if there are any.
    """
    from tandem.app import errors
    from tandem.app.settings import load_config

    wanted = errors.Wanted(code, entity, record)
    lines = errors.list_errors(load_config(config), wanted, _EVERY if csv_file else limit)
    if csv_file:
        _export(csv_file, lines)
    if json:
        print_json({"errors": [document(line) for line in lines], "csv": str(csv_file) if csv_file else None})
    elif csv_file:
        print_lines([f"Wrote {counted(len(lines), 'line')} to {csv_file}."])
    else:
        print_lines(_lines(lines))
    raise typer.Exit(NEEDS_A_PERSON if lines else DONE)


@errors_app.command()
def retry(
    config: ConfigOption = DEFAULT_CONFIG,
    code: CodeOption = None,
    entity: EntityOption = None,
    record: RecordOption = None,
    json: JsonOption = False,
) -> None:
    """Plan refused writes again with the next pass, from what both sides hold then. Without an option: all of them."""
    from tandem.app import errors
    from tandem.app.settings import load_config

    settings = load_config(config)
    report = conduct(lambda watch: errors.retry_errors(settings, errors.Wanted(code, entity, record)))
    print_report(report, [f"{counted(report.records, 'record')} will be planned again with the next pass."], json=json)


_EVERY = 10_000_000
_COLUMNS = (
    "since",
    "entity",
    "crm_id",
    "marketing_id",
    "operation",
    "direction",
    "code",
    "message",
    "fields",
    "remedy",
)


def _export(path: Path, lines: Sequence[ErrorLine]) -> None:
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(_COLUMNS)
            rows.writerows([_cell(getattr(line, name)) for name in _COLUMNS] for line in lines)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written ({error.strerror}): check its name and permissions.") from error


def _cell(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(value)
    return "" if value is None else str(value)


def _lines(lines: Sequence[ErrorLine]) -> Iterator[str]:
    for line in lines:
        ids = f"{line.crm_id or '(none)'} and {line.marketing_id or '(none)'}"
        since = f"{line.since:%Y-%m-%d %H:%M:%S}" if line.since else "?"
        yield f"{since}  {line.operation} {line.direction}  {line.entity} {ids}"
        yield f"    {line.code or 'no code'}: {line.message}"
        yield f"    {line.remedy}"
    if not lines:
        yield "Nothing was refused that is still to be written."
