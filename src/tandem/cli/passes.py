"""What moves records: show the next pass, carry one out, or carry passes out for ever."""

import asyncio
import signal
from collections.abc import Iterator

import typer

from tandem.app.reports import PlannedAction, PlannedConflict, PlanReport, SyncReport
from tandem.cli.boundary import DONE, NEEDS_A_PERSON
from tandem.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, LimitOption
from tandem.cli.output import document, print_json, print_lines, shown
from tandem.cli.running import conduct


def plan(config: ConfigOption = DEFAULT_CONFIG, limit: LimitOption = 100, json: JsonOption = False) -> None:
    """Show what the next pass would write, field by field. Nothing is written."""
    from tandem.app import commands
    from tandem.app.settings import load_config

    settings = load_config(config)
    report = conduct(lambda watch: commands.plan(settings, watch, limit))
    if json:
        print_json(document(report))
    else:
        print_lines(_plan_lines(report))


def sync(config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """Carry out one pass; the first one is the first copy, and goes on where it was interrupted."""
    from tandem.app import commands
    from tandem.app.settings import load_config

    settings = load_config(config)
    report = conduct(lambda watch: commands.sync(settings, watch))
    if json:
        print_json(document(report))
    else:
        print_lines(_sync_lines(report))
    raise typer.Exit(NEEDS_A_PERSON if needs_a_person(report) else DONE)


def run(config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """Carry out pass after pass until told to stop (Ctrl-C, SIGTERM). With --json: one document for each pass."""
    from tandem.app import commands
    from tandem.app.settings import load_config

    settings = load_config(config)

    def tell(report: SyncReport) -> None:
        if json:
            print_json(document(report))
        elif report.writes or needs_a_person(report) or report.is_first_copy:
            print_lines(_sync_lines(report))

    async def passes(watch: asyncio.Event) -> None:
        await commands.run(settings, watch, tell)

    conduct(lambda watch: passes(_stop_on_signals()))


def needs_a_person(report: SyncReport) -> bool:
    return bool(report.guard or report.counts.get("rejected"))


def _stop_on_signals() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set, so that the pass under way ends in order."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def _plan_lines(report: PlanReport) -> Iterator[str]:
    if report.fields_to_create:
        yield f"Fields to create in Marketo: {', '.join(report.fields_to_create)}"
    for action in report.actions:
        yield from _action_lines(action)
    for conflict in report.conflicts:
        yield _conflict_line(conflict)
    yield from (f"held  {hold}" for hold in report.holds)
    for field, count in report.first_link_fields.items():
        yield f"first link: {count:,} records differ in {field}"
    if report.is_empty:
        yield "Nothing to write."
        return
    yield "In all: " + ", ".join(f"{name} {count:,}" for name, count in sorted(report.counts.items()))
    yield f"Applying it takes about {report.calls:,} calls and {report.seconds:,.0f} s."


def _action_lines(action: PlannedAction) -> Iterator[str]:
    record = action.crm_id if action.side == "crm" else action.marketing_id
    other = action.marketing_id if action.side == "crm" else action.crm_id
    yield f"{action.side} {action.kind} {action.entity} {record or '(new)'}  for {other or '(none)'}"
    for field in action.fields:
        before = field.crm if action.side == "crm" else field.marketing
        yield f"    {field.target}: {shown(before)} -> {shown(field.after)}  ({field.reason})"


def _conflict_line(conflict: PlannedConflict) -> str:
    return (
        f"{conflict.kind}  {conflict.entity} {conflict.crm_id}/{conflict.marketing_id} {conflict.field}: "
        f"crm {shown(conflict.crm)}, marketing {shown(conflict.marketing)}: {conflict.winner} ({conflict.reason})"
    )


def _sync_lines(report: SyncReport) -> Iterator[str]:
    name = "First copy" if report.is_first_copy else "Pass"
    calls = report.crm_calls + report.marketing_calls
    did = f"{report.records:,} records, {report.writes:,} writes, {calls:,} calls"
    yield f"{name} done in {report.seconds:.1f} s: {did}."
    if report.is_first_copy:
        yield f"Calls per 1,000 records: {report.calls_per_1000_records:.1f}"
    for name, count in sorted(report.counts.items()):
        yield f"    {name}: {count:,}"
    for question in report.guard:
        yield f"Waits for a person: {question}"
