"""Fields that are filled again for the records there are."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

import typer

from tandem.app.reports import BackfillReport, FillingLine, named_pair
from tandem.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption
from tandem.cli.output import print_report
from tandem.cli.running import conduct
from tandem.core.backfill import Since, Span
from tandem.core.record import Side

_SIDES = {"crm": "Dynamics", "marketing": "Marketo"}
_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]

FieldsArgument = Annotated[
    list[str] | None, typer.Argument(help="Dynamics columns or Marketo fields of the mapping; none: all.")
]
EntityOption = Annotated[str | None, typer.Option("--entity", help="Only this Dynamics table.")]
FromOption = Annotated[
    Side | None, typer.Option("--from", help="Whose values go over where the two differ; unset: the pair's winner.")
]
CreatedOption = Annotated[
    datetime | None, typer.Option(formats=_FORMATS, help="Only records made in Dynamics since then (UTC).")
]
UpdatedOption = Annotated[
    datetime | None, typer.Option(formats=_FORMATS, help="Only records changed in Dynamics since then (UTC).")
]
UntilOption = Annotated[datetime | None, typer.Option(formats=_FORMATS, help="... and before then (UTC).")]


def backfill(
    fields: FieldsArgument = None,
    entity: EntityOption = None,
    giver: FromOption = None,
    created_since: CreatedOption = None,
    updated_since: UpdatedOption = None,
    until: UntilOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """Fill fields again for the records there are, beside the live sync; `tandem status` shows how far it is.

    A value that neither side has changed since they last agreed is carried where the two differ, an empty one too. The
    next pass begins; a running `tandem run` goes on with it.
    """
    from tandem.app import backfill as app
    from tandem.app.settings import load_config

    span = _span(created_since, updated_since, until)
    settings = load_config(config)
    report = conduct(lambda watch: app.backfill(settings, fields or [], entity, giver, span))
    print_report(report, _lines(report), json=json)


def _span(created: datetime | None, updated: datetime | None, until: datetime | None) -> Span | None:
    if created and updated:
        raise typer.BadParameter("Give one of --created-since and --updated-since.")
    since = created or updated
    if since is None and until is None:
        return None
    by = Since.CREATED if created else Since.UPDATED
    return Span(by, since.replace(tzinfo=UTC) if since else None, until.replace(tzinfo=UTC) if until else None)


def _lines(report: BackfillReport) -> Iterator[str]:
    yield "To be filled again, from the next pass on:"
    for line in report.asked:
        names = ", ".join(map(named_pair, line.pairs))
        yield f"  {line.entity} from {_SIDES[line.giver]}: {names}"


def filling_line(line: FillingLine) -> str:
    """One line of ``tandem status``."""
    what = f"{_SIDES[line.side]} {line.entity}" + (f" ({', '.join(map(named_pair, line.pairs))})" if line.pairs else "")
    expected = f" of {line.expected:,}" if line.expected is not None else ""
    if line.finished_at:
        return f"Filled: {what}, {line.done:,} records, by {line.finished_at:%Y-%m-%d %H:%M:%S} ({line.reason})."
    word = "Reading" if line.phase == "reading" else "Filling"
    return f"{word}: {what}, {line.done:,}{expected} records since {line.since:%Y-%m-%d %H:%M:%S} ({line.reason})."
