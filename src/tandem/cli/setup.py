"""Before the first pass: write the settings file, and try every connection and permission."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from tandem.app.reports import CheckReport, LeftOutField
from tandem.cli.boundary import CANNOT_START, DONE
from tandem.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption
from tandem.cli.output import print_json, print_lines, print_report
from tandem.cli.running import conduct

ForceOption = Annotated[bool, typer.Option("--force", help="Replace an existing file.")]


def init(config: ConfigOption = DEFAULT_CONFIG, force: ForceOption = False, json: JsonOption = False) -> None:
    """Write a commented settings file. Secrets never stand in it: they come from the environment or the keyring."""
    from tandem.app.settings import write_settings

    write_settings(config, {"entities.opportunity.enabled": True}, replaces=force)
    if json:
        print_json({"written": str(config)})
    else:
        print_lines(_next_steps(config))


def check(config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """Try each connection and permission, and say what to do where one fails."""
    from tandem.app import commands
    from tandem.app.settings import load_config

    settings = load_config(config)
    report = conduct(lambda watch: commands.check(settings))
    print_report(report, _check_lines(report), json=json)
    raise typer.Exit(DONE if report.is_ok else CANNOT_START)


def _next_steps(config: Path) -> list[str]:
    return [
        f"Wrote {config}. Now",
        "  1. fill in where Dynamics and Marketo are;",
        "  2. put the secrets into TANDEM_CRM_CLIENT_SECRET and TANDEM_MARKETING_CLIENT_SECRET,",
        "     or into the keyring: keyring set tandem crm_client_secret (and marketing_client_secret);",
        f"  3. try it: tandem check --config {config};",
        f"  4. see what it would write: tandem plan --config {config}",
    ]


def _check_lines(report: CheckReport) -> list[str]:
    lines = []
    for line in report.access:
        mark = "ok  " if line.is_ok else "FAIL" if line.is_required else "warn"
        lines.append(f"{mark}  {line.what}")
        if not line.is_ok and line.remedy:
            lines.append(f"      {line.remedy}")
    if report.fields_to_create:
        lines.append(f"The first pass creates in Marketo: {', '.join(report.fields_to_create)}")
    lines.extend(_closed_lines([field for field in report.left_out if field.is_permission]))
    lines.extend(_left_out_lines(field for field in report.left_out if not field.is_permission))
    lines.append("Everything that the sync needs works." if report.is_ok else "The sync cannot start like this.")
    return lines


def _closed_lines(fields: Sequence[LeftOutField]) -> Iterator[str]:
    """Columns that Tandem's user may not use as the mapping wants it."""
    if fields:
        yield "Columns that Tandem's user has no right to:"
    for field in fields:
        yield f"warn  {field.entity}.{field.crm_field} (for {field.marketing_field}): {field.reason}"
        yield f"      {field.remedy}"


def _left_out_lines(fields: Iterable[LeftOutField]) -> Iterator[str]:
    """Each remedy once, below everything that it helps."""
    by_remedy: dict[str, list[LeftOutField]] = {}
    for field in fields:
        by_remedy.setdefault(field.remedy, []).append(field)
    for remedy, helped in by_remedy.items():
        for field in helped:
            pair = f"{field.crm_field} and {field.marketing_field}"
            yield f"Not synced  {field.entity}: {pair}: {field.reason}"
        if remedy:
            yield f"      {remedy}"
