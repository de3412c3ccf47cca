"""Records that match several people, or share one: look at them, decide, and let the next pass do it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from tandem.app.reports import MatchLine, MatchReport, SettleReport
from tandem.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, LimitOption
from tandem.cli.output import counted, print_json, print_lines, print_report

CauseOption = Annotated[str | None, typer.Option("--cause", help="Only matches held for this reason, as listed.")]
OfCauseOption = Annotated[str, typer.Option("--cause", help="The reason for which they are held, as listed.")]
PeopleOption = Annotated[int | None, typer.Option("--people", help="Only matches with so many people.")]
RuleOption = Annotated[
    str,
    typer.Option(
        "--rule",
        help="'last-modified' or 'lowest-id' takes that person, 'create' makes a new one, 'never' leaves the record"
        " without one, 'merge' merges the two people of merged records.",
    ),
]
AllOption = Annotated[bool, typer.Option("--all", help="Decided ones too.")]
ApplyOption = Annotated[bool, typer.Option("--apply", help="Store the decisions; without it only the effect is shown.")]
FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The CSV file.")]

matches_app = typer.Typer(
    no_args_is_help=True, help="Records whose counterpart is not certain: who is who, for a person to decide."
)


@matches_app.command("list")
def list_matches(
    config: ConfigOption = DEFAULT_CONFIG,
    cause: CauseOption = None,
    everything: AllOption = False,
    limit: LimitOption = 20,
    json: JsonOption = False,
) -> None:
    """List held matches: the groups by cause and number of people, and the first matches of them."""
    from tandem.app import matches
    from tandem.app.settings import load_config

    report = matches.matches(load_config(config), limit, cause=cause, only_open=not everything)
    print_report(report, _list_lines(report), json=json)


@matches_app.command("settle")
def settle(
    cause: OfCauseOption,
    rule: RuleOption,
    config: ConfigOption = DEFAULT_CONFIG,
    people: PeopleOption = None,
    apply: ApplyOption = False,
    json: JsonOption = False,
) -> None:
    """Decide a whole group by one rule. The next pass plans each record again and does it, or asks anew."""
    from tandem.app import matches
    from tandem.app.settings import load_config

    report = matches.settle(load_config(config), cause, rule, size=people, is_applied=apply)
    print_report(report, _settle_lines(report), json=json)


@matches_app.command("export")
def export(file: FileArgument, config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """Write every match into a CSV file, with an empty column for decisions."""
    from tandem.app import matches
    from tandem.app.settings import load_config

    count = matches.export(load_config(config), file)
    if json:
        print_json({"file": str(file), "matches": count})
    else:
        print_lines([f"Wrote {counted(count, 'held record')} to {file}."])


@matches_app.command("import")
def import_matches(
    file: FileArgument, config: ConfigOption = DEFAULT_CONFIG, apply: ApplyOption = False, json: JsonOption = False
) -> None:
    """Read decisions back from such a file: in the column decision, the number of a person, create, never or merge."""
    from tandem.app import matches
    from tandem.app.settings import load_config

    report = matches.import_decisions(load_config(config), file, is_applied=apply)
    print_report(report, _settle_lines(report), json=json)


def _list_lines(report: MatchReport) -> Iterator[str]:
    if not report.groups:
        yield "No matches are held."
    for group in report.groups:
        decided = f", {group.decided:,} decided" if group.decided else ""
        yield f"{group.count:,}  {group.cause} ({group.people} people{decided})"
    yield from map(_line, report.matches)


def _settle_lines(report: SettleReport) -> Iterator[str]:
    for what, count in report.effect.items():
        yield f"{count:,} {what}"
    if report.undecided:
        yield f"{report.undecided:,} stay undecided: the rule cannot tell their people apart"
    yield from map(_line, report.sample)
    if report.is_applied:
        yield "Stored. The next pass plans each of them again."
    else:
        yield "Nothing is stored yet: add --apply."


def _line(line: MatchLine) -> str:
    people = ", ".join(line.people) or "nobody"
    decision = f" -> {line.decision}" if line.decision else ""
    return f"  {line.match}  {line.entity} {line.crm_id}: {people}{decision}"
