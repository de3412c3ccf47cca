"""Whom a filter keeps out of the sync."""

from collections.abc import Iterator

from tandem.app.reports import OutsideLine, OutsideReport, named_pair
from tandem.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, LimitOption
from tandem.cli.output import counted, print_report


def outside(config: ConfigOption = DEFAULT_CONFIG, limit: LimitOption = 100, json: JsonOption = False) -> None:
    """List the linked records that a filter keeps out, the oldest first, with the reason and since when."""
    from tandem.app import queries
    from tandem.app.settings import load_config

    report = queries.outside(load_config(config), limit)
    print_report(report, _lines(report), json=json)


def _lines(report: OutsideReport) -> Iterator[str]:
    yield from map(_line, report.paused)
    yield f"{counted(report.count, 'record')} outside." if report.count else "Nobody is outside."


def _line(line: OutsideLine) -> str:
    what = f"  {named_pair(line.field)}" if line.field else ""
    ids = f"{line.crm_id or '(none)'} and {line.marketing_id or '(none)'}"
    return f"{line.since:%Y-%m-%d %H:%M:%S}  {line.entity} {ids}{what}: {line.reason}"
