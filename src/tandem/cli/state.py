"""What the state says, and the proof that both sides agree."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated

import typer

from tandem.app.reports import (
    Backlog,
    ConflictLine,
    QuarantineLine,
    RepairReport,
    StatusReport,
    VerifyReport,
    named_pair,
)
from tandem.cli.backfill import filling_line
from tandem.cli.boundary import DONE, NEEDS_A_PERSON
from tandem.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, LimitOption
from tandem.cli.output import counted, document, print_json, print_lines, print_report, print_table, shown
from tandem.cli.pause import pause_line
from tandem.cli.running import conduct
from tandem.core.record import Side
from tandem.ports import Budget

RepairOption = Annotated[bool, typer.Option("--repair", help="Repair what differs, within the rails.")]
OpenOption = Annotated[bool, typer.Option("--open", help="Only those that wait for a person.")]

conflicts_app = typer.Typer(no_args_is_help=True, help="Fields that both sides changed differently, with both values.")


def status(config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """Show for each entity what is linked, waiting, held and rejected, and how the last pass went."""
    from tandem.app import queries
    from tandem.app.settings import load_config

    report = queries.status(load_config(config))
    if json:
        print_json(document(report))
        return
    rows = [(line.entity, *(f"{getattr(line, name):,}" for name in _COLUMNS)) for line in report.entities]
    if rows:
        print_table(("entity", *_COLUMNS.values()), rows)
    if flow := list(_flow_rows(report)):
        print_lines([""])
        print_table(_flow_columns(report), flow)
        print_lines([""])
    print_lines(_status_lines(report))


_COLUMNS = {
    "linked": "linked",
    "pending": "pending",
    "tombstoned": "tombstoned",
    "waiting": "waiting",
    "open_actions": "writing",
    "rejected": "rejected",
    "held": "held",
    "conflicts": "conflicts",
}
"""Counts of an entity, and their titles: all of them fit beside each other in 80 characters."""


def _flow_columns(report: StatusReport) -> tuple[str, ...]:
    hour = report.full_hour_at
    full = f"{hour:%H:00}-{(hour + timedelta(hours=1)):%H:00}" if hour else "full hour"
    return ("entity", "inserts", "oldest", "updates", "oldest", "last hour", full)


def _flow_rows(report: StatusReport) -> Iterator[tuple[str, ...]]:
    """What waits, with the oldest of each, beside what was written: neither hides the other."""
    for line in report.entities:
        if not (line.inserts.count or line.updates.count or line.last_hour or line.full_hour):
            continue
        waiting = (text for part in (line.inserts, line.updates) for text in (f"{part.count:,}", _since(part)))
        yield line.entity, *waiting, f"{line.last_hour:,}", f"{line.full_hour:,}"


def _since(backlog: Backlog) -> str:
    if not backlog.count:
        return ""
    return f"{backlog.oldest_at:%Y-%m-%d %H:%M}" if backlog.oldest_at else "long ago"


@conflicts_app.command("settle")
def settle_conflicts(
    side: Annotated[Side, typer.Argument(help="Whose value it shall be: crm or marketing.")],
    numbers: Annotated[list[int], typer.Argument(help="Numbers of conflicts, as tandem conflicts list shows them.")],
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """Decide about held conflicts: the next pass carries that side's value, unless either has changed meanwhile."""
    from tandem.app import settling
    from tandem.app.settings import load_config

    count = settling.settle(load_config(config), numbers, side)
    if json:
        print_json({"settled": count})
    else:
        print_lines([f"{counted(count, 'conflict')} settled: the next pass carries what {side} holds."])


@conflicts_app.command("list")
def list_conflicts(
    config: ConfigOption = DEFAULT_CONFIG,
    only_open: OpenOption = False,
    limit: LimitOption = 100,
    json: JsonOption = False,
) -> None:
    """List conflicts, the newest first, with the values of both sides and who prevailed."""
    from tandem.app import queries
    from tandem.app.settings import load_config

    lines = queries.conflicts(load_config(config), limit, only_open)
    if json:
        print_json({"conflicts": [document(line) for line in lines]})
        return
    print_lines(text for line in lines for text in _conflict_lines(line))
    if not lines:
        print_lines(["No conflicts."])


def verify(
    config: ConfigOption = DEFAULT_CONFIG,
    repair: RepairOption = False,
    limit: LimitOption = 100,
    json: JsonOption = False,
) -> None:
    """Read both sides in full, never through the link table, and list every difference.

    With --repair what differs is planned anew from what both sides hold, carried out within the rails, and compared
    again. Exit status 0 only if there is no difference and everything could be read.
    """
    from tandem.app import commands
    from tandem.app.settings import load_config

    settings = load_config(config)
    if repair:
        _show_repair(conduct(lambda watch: commands.repair(settings, watch, limit)), json=json)
    report = conduct(lambda watch: commands.verify(settings, watch, limit))
    print_report(report, _verify_lines(report), json=json)
    raise typer.Exit(DONE if report.is_clean else NEEDS_A_PERSON)


def _show_repair(report: RepairReport, *, json: bool) -> None:
    if json:
        print_json(document(report) | {"verified": document(report.verified)})
    else:
        print_lines(_repair_lines(report))
    raise typer.Exit(DONE if report.is_clean else NEEDS_A_PERSON)


def _repair_lines(report: RepairReport) -> Iterator[str]:
    yield f"Found {counted(report.found, 'difference')}; {report.writes:,} written to repair."
    yield from (f"Waits for a person: {question}" for question in report.guard)
    yield from _verify_lines(report.verified)


def _conflict_lines(line: ConflictLine) -> Iterator[str]:
    ids = f"{line.crm_id or '(none)'} and {line.marketing_id or '(none)'}"
    number = f"{line.number}  " if line.is_open else ""
    yield f"{number}{line.at:%Y-%m-%d %H:%M:%S}  {line.kind}  {line.crm_entity} {ids}"
    values = f"crm {shown(line.crm)}, marketing {shown(line.marketing)}"
    yield f"    {named_pair(line.field)}: {values}  ({line.reason}{'; open' if line.is_open else ''})"


def _budget_line(budget: Budget) -> str:
    rate = f"{budget.rate_per_minute:.0f} a minute"
    until = budget.lasts_until
    forecast = f"at {rate} they last until {until:%H:%M} UTC" if until else f"at {rate} they outlast the day"
    return (
        f"Marketo calls today: {budget.calls_used_today:,} of {budget.share:,} ours, {budget.calls_of_others:,} by"
        f" others, {budget.calls_left:,} left; {forecast} (it ends at {budget.resets_at:%H:%M} UTC)"
    )


def _status_lines(report: StatusReport) -> Iterator[str]:
    yield from map(pause_line, report.pauses)
    if report.settings_trouble:
        yield f"The settings file is not in use: {report.settings_trouble}"
    if report.notices_unsent_since:
        since = f"{report.notices_unsent_since:%Y-%m-%d %H:%M:%S} UTC"
        yield f"No service took a notice at {since}: look at notify.urls and TANDEM_NOTIFY_URLS."
    yield from map(filling_line, report.filling)
    yield from map(_quarantine_line, report.quarantined)
    if report.last_pass_at is None:
        yield "No pass has run yet: `tandem sync` makes the first copy."
    else:
        took = "" if report.last_pass_seconds is None else f", took {report.last_pass_seconds:.1f} s"
        yield f"Last pass: {report.last_pass_at:%Y-%m-%d %H:%M:%S} UTC{took}"
    if report.pilot:
        pilot = report.pilot
        yield (
            f"Pilot since {pilot.since:%Y-%m-%d %H:%M:%S} UTC: {pilot.text};"
            f" {counted(pilot.waiting, 'record')} wait for `tandem sync` without it"
        )
    if report.outside:
        yield f"Outside the filters: {counted(report.outside, 'record')}; `tandem outside` lists them"
    if report.lag_s is not None:
        yield f"Lag: {report.lag_s:.0f} s"
    if report.budget:
        yield _budget_line(report.budget)
    if report.last_error:
        yield f"Last error: {report.last_error}"
    yield from (f"held  {hold}" for hold in report.holds)
    yield from (f"rejected  {action}" for action in report.rejected)


def _quarantine_line(line: QuarantineLine) -> str:
    pair = named_pair(f"{line.crm_field}|{line.marketing_field}")
    return f"Set aside: {line.entity} {pair} since {line.since:%Y-%m-%d %H:%M:%S}: {line.reason}. {line.remedy}"


def _verify_lines(report: VerifyReport) -> Iterator[str]:
    for found in report.differences:
        ids = f"{found.crm_id or '(none)'} and {found.marketing_id or '(none)'}"
        where = f" {named_pair(found.field)}" if found.field else ""
        yield f"{found.kind}  {found.entity} {ids}{where}: {found.detail}"
    if hidden := report.difference_count - len(report.differences):
        yield f"... and {hidden:,} more"
    yield from (f"could not be read: {name}" for name in report.unread)
    compared = ", ".join(f"{entity} {count:,}" for entity, count in report.compared.items())
    calls = report.crm_calls + report.marketing_calls
    yield f"Compared {compared or 'nothing'} in {report.seconds:.1f} s with {counted(calls, 'call')}."
    yield "Both sides agree." if report.is_clean else f"Differences: {report.difference_count:,}"
