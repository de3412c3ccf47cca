"""Columns, fields and custom objects that the mapping needs and the two sides lack."""

from collections.abc import Iterator
from typing import Annotated

import typer

from tandem.app.reports import NewFieldLine, SchemaReport
from tandem.cli.boundary import DONE, NEEDS_A_PERSON
from tandem.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption
from tandem.cli.output import print_report
from tandem.cli.running import conduct

schema_app = typer.Typer(no_args_is_help=True, help="Show and make the fields and objects that the mapping lacks.")

_SIDES = {"crm": "Dynamics", "marketing": "Marketo"}


@schema_app.command()
def plan(config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """Show what `tandem schema apply` would make. Nothing is written."""
    from tandem.app import schema
    from tandem.app.settings import load_config

    settings = load_config(config)
    report = conduct(lambda watch: schema.plan_schema(settings))
    print_report(report, _lines(report), json=json)
    raise typer.Exit(NEEDS_A_PERSON if report.fields or report.objects else DONE)


@schema_app.command()
def apply(
    config: ConfigOption = DEFAULT_CONFIG,
    track: Annotated[
        list[str] | None,
        typer.Option(
            help="Also switch the change tracking of this Dynamics table on, for good: nobody can switch it off again."
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Make what `tandem schema plan` shows. What is there already is left as it is."""
    from tandem.app import schema
    from tandem.app.settings import load_config

    settings = load_config(config)
    report = conduct(lambda watch: schema.apply_schema(settings, track or ()))
    print_report(report, _lines(report), json=json)


def _lines(report: SchemaReport) -> Iterator[str]:
    yield from _missing(report)
    for table in report.untracked:
        yield _tracking(table, is_done=report.is_done)


def _tracking(table: str, *, is_done: bool) -> str:
    if is_done:
        return f"Dynamics tracks the changes of {table} from now on."
    return (
        f"Dynamics does not track the changes of {table}: they are read by modification time, and deletions are found"
        f" by comparing ids now and then. tandem schema apply --track {table} switches it on; nobody can switch it off"
        " again."
    )


def _missing(report: SchemaReport) -> Iterator[str]:
    if not report.fields and not report.objects:
        yield "Both sides have every field and object that the mapping needs."
        return
    yield "Made:" if report.is_done else "Missing, to be made by tandem schema apply:"
    for field in report.fields:
        yield f"  {_SIDES[field.side]} {field.entity}: {_described(field)}"
    for new in report.objects:
        yield f"  Marketo custom object {new.name} ({new.label}) with"
        yield from (f"    {_described(field)}" for field in new.fields)


def _described(field: NewFieldLine) -> str:
    link = f", links to {field.link}" if field.link else ""
    key = ", key" if field.is_key else ""
    return f"{field.name} ({field.native_type}{link}{key}) {field.label!r}"
