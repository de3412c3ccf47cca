"""Stop the sync, or some tables of it, for a while, and let it go on."""

from collections.abc import Iterator
from typing import Annotated

import typer

from tandem.app.reports import PauseLine, PauseReport
from tandem.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption
from tandem.cli.output import print_report

EntityOption = Annotated[
    list[str] | None,
    typer.Option("--entity", help="A table, such as account; may be given several times. Without it: everything."),
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, for whoever finds the sync paused.")]


def pause(
    config: ConfigOption = DEFAULT_CONFIG,
    entity: EntityOption = None,
    reason: ReasonOption = "",
    json: JsonOption = False,
) -> None:
    """Pause the sync, or some tables of it; a running process stops after the batch under way. What changes meanwhile
    is kept, and caught up when it goes on. Leads and contacts are paused together."""
    from tandem.app import pauses
    from tandem.app.settings import load_config

    report = pauses.pause(load_config(config), entity or (), reason)
    print_report(report, _lines(report), json=json)


def resume(config: ConfigOption = DEFAULT_CONFIG, entity: EntityOption = None, json: JsonOption = False) -> None:
    """Let what was paused go on, and catch up with what changed meanwhile."""
    from tandem.app import pauses
    from tandem.app.settings import load_config

    report = pauses.resume(load_config(config), entity or ())
    print_report(report, _lines(report), json=json)


def pause_line(line: PauseLine) -> str:
    why = f": {line.why}" if line.why else ""
    return f"paused  {line.what} since {line.since:%Y-%m-%d %H:%M:%S} UTC by {line.who}{why}"


def _lines(report: PauseReport) -> Iterator[str]:
    if report.resumed:
        yield f"Resumed: {', '.join(report.resumed)}"
    yield from map(pause_line, report.pauses)
    if not report.pauses:
        yield "Nothing is paused."
