"""What moves records: show the next pass, carry one out, or carry passes out for ever."""

import asyncio
import signal
from collections.abc import Iterator, Mapping
from typing import Annotated

import typer

from tandem.app.reports import PlannedAction, PlannedConflict, PlanReport, SyncReport, named_pair
from tandem.cli.boundary import DONE, NEEDS_A_PERSON
from tandem.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, LimitOption
from tandem.cli.output import counted, document, print_json, print_lines, print_report, shown
from tandem.cli.running import conduct

OnlyOption = Annotated[
    str | None,
    typer.Option(help="A pilot: only people whose Dynamics record passes this expression (CEL) over mapped columns."),
]
FirstOption = Annotated[int | None, typer.Option("--limit", min=1, help="A pilot: the first so many people.")]
PeopleOption = Annotated[int | None, typer.Option("--people", min=1, help="As --limit of tandem sync.")]


def plan(
    config: ConfigOption = DEFAULT_CONFIG,
    limit: LimitOption = 100,
    only: OnlyOption = None,
    people: PeopleOption = None,
    json: JsonOption = False,
) -> None:
    """Show what the next pass would write, field by field. Nothing is written."""
    from tandem.app import commands
    from tandem.app.pilots import wish
    from tandem.app.settings import load_config

    settings = load_config(config)
    report = conduct(lambda watch: commands.plan(settings, watch, limit, wish(only, people)))
    print_report(report, _plan_lines(report), json=json)


def sync(
    config: ConfigOption = DEFAULT_CONFIG,
    only: OnlyOption = None,
    limit: FirstOption = None,
    json: JsonOption = False,
) -> None:
    """Carry out one pass; the first one is the first copy, and goes on where it was interrupted."""
    from tandem.app import commands
    from tandem.app.pilots import wish
    from tandem.app.settings import load_config

    settings = load_config(config)
    pilot = wish(only, limit)
    report = conduct(lambda watch: commands.sync(settings, watch, pilot))
    print_report(report, _sync_lines(report, f"Pilot ({pilot})" if pilot else ""), json=json)
    raise typer.Exit(NEEDS_A_PERSON if needs_a_person(report) else DONE)


def run(config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """Carry out pass after pass until told to stop (Ctrl-C, SIGTERM). A changed settings file is taken over between two
    passes; one that cannot be used is reported, and the settings before it go on. With --json: one document for each
    pass."""
    from tandem.app import commands
    from tandem.app.settings import load_config
    from tandem.web.hooks import serving_hooks

    settings = load_config(config)

    def tell(report: SyncReport) -> None:
        if json:
            print_json(document(report))
        elif report.writes or needs_a_person(report) or report.is_first_copy:
            print_lines(_sync_lines(report))

    async def passes(watch: asyncio.Event) -> None:
        await commands.run(settings, watch, tell, file=config, beside=serving_hooks)

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
    if report.pilot:
        yield f"Pilot: {report.pilot}; everybody else waits."
    yield from (f"In Dynamics {text}." for text in report.side_effects)
    if report.people is not None:
        known = report.people
        default = "a tenth more than at the first read; marketing.max_people names another"
        origin = default if known.is_default else "marketing.max_people"
        yield f"People in Marketo: {known.present:,}, at most {known.ceiling:,} ({origin})."
    if report.fields_to_create:
        yield f"Fields to create in Marketo: {', '.join(report.fields_to_create)}"
    for action in report.actions:
        yield from action_lines(action)
    for conflict in report.conflicts:
        yield _conflict_line(conflict)
    yield from (f"held  {hold}" for hold in report.holds)
    for field, count in report.first_link_fields.items():
        yield f"first link: {counted(count, 'difference')} in {named_pair(field)}"
    if report.is_empty:
        yield "Nothing to write."
        return
    for side, title in (("crm", "In Dynamics"), ("marketing", "In Marketo")):
        if written := _named(report.counts, f"{side}."):
            yield f"{title}: {written}"
    if links := report.counts.get("link"):
        yield f"Linked without a write: {links:,}"
    yield f"Applying it takes about {counted(report.calls, 'call')} and {report.seconds:,.0f} s."


def action_lines(action: PlannedAction) -> Iterator[str]:
    record = action.crm_id if action.side == "crm" else action.marketing_id
    other = action.marketing_id if action.side == "crm" else action.crm_id
    yield f"{action.side} {action.kind} {action.entity} {record or '(new)'}  for {other or '(none)'}"
    for field in action.fields:
        before = field.crm if action.side == "crm" else field.marketing
        yield f"    {field.target}: {shown(before)} -> {shown(field.after)}  ({field.reason})"


def _conflict_line(conflict: PlannedConflict) -> str:
    where = f"{conflict.entity} {conflict.crm_id} and {conflict.marketing_id}: {named_pair(conflict.field)}"
    return (
        f"{conflict.kind}  {where}: "
        f"crm {shown(conflict.crm)}, marketing {shown(conflict.marketing)}  ({conflict.reason})"
    )


def _sync_lines(report: SyncReport, pilot: str = "") -> Iterator[str]:
    name = pilot or ("First copy" if report.is_first_copy else "Pass")
    calls = report.crm_calls + report.marketing_calls
    did = f"{counted(report.records, 'record')}, {report.writes:,} written, {counted(calls, 'call')}"
    yield f"{name} done in {report.seconds:.1f} s: {did}."
    if report.is_first_copy and report.records:
        yield f"Calls per 1,000 records: {report.calls_per_1000_records:.1f}"
    for side, title in _SIDES.items():
        if written := _named(report.counts, f"applied.{side}."):
            yield f"    {title}: {written}"
    for count, meaning in _MEANINGS.items():
        if report.counts.get(count):
            yield f"    {meaning}: {report.counts[count]:,}"
    for question in report.guard:
        yield f"Waits for a person: {question}"


_SIDES = {"crm": "written to Dynamics", "marketing": "written to Marketo"}

_MEANINGS = {
    "linked": "newly linked",
    "conflicts": "conflicts, with both values in `tandem conflicts list`",
    "held": "held, with the reason in `tandem status`",
    "rejected": "rejected, with the reason in `tandem status`",
    "unknown": "written without an answer; the next pass looks what came of it",
    "withdrawn": "withdrawn because they moved under us; planned again",
    "undecided": "written earlier without an answer, and not yet settled",
}
"""The counts of a pass that a person can do something with; `--json` has all of them."""


def _named(counts: Mapping[str, int], prefix: str) -> str:
    """``create person 5, update person 3`` of the counts under `prefix`."""
    found = {name.removeprefix(prefix): count for name, count in counts.items() if name.startswith(prefix)}
    return ", ".join(f"{name.replace('.', ' ')} {count:,}" for name, count in sorted(found.items()))
