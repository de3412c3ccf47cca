"""Records that are carried at once, and what was asked for at once."""

from collections.abc import Iterator
from typing import Annotated, Literal

import typer

from tandem.app.request_reports import MembershipLine, PushReport, RequestLine, Wish
from tandem.cli.boundary import DONE, NEEDS_A_PERSON
from tandem.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, LimitOption
from tandem.cli.output import document, print_json, print_lines, print_report
from tandem.cli.passes import action_lines
from tandem.cli.running import conduct

RecordArgument = Annotated[
    str,
    typer.Argument(metavar="RECORD", help="GUID or address of a record in Dynamics; e-mail address or id in Marketo."),
]


def push(
    record: RecordArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    as_: Annotated[
        Literal["lead", "contact"] | None,
        typer.Option("--as", help="What a person known only to Marketo is made as; a lead unless you say so."),
    ] = None,
    owner: Annotated[
        str | None, typer.Option(help="The user who gets a record that is made: e-mail address or GUID.")
    ] = None,
    account: Annotated[
        Literal["none", "company"] | None,
        typer.Option(help="The account of a contact that is made; webhooks.account unless you say so."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Carry all values of the person to Dynamics, whoever changed them last.")
    ] = False,
    resurrect: Annotated[
        bool, typer.Option("--resurrect", help="Make the person's record anew though it was deleted in Dynamics.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Carry one record now. A person known only to Marketo is made in Dynamics, whatever the policy says."""
    from tandem.app import push as pushing
    from tandem.app.settings import load_config

    settings = load_config(config)
    wish = Wish(record, as_, owner, account, force, resurrect)
    report = conduct(lambda watch: pushing.push(settings, wish, watch))
    print_report(report, _push_lines(report), json=json)
    raise typer.Exit(NEEDS_A_PERSON if report.is_refused else DONE)


def _push_lines(report: PushReport) -> Iterator[str]:
    for action in report.actions:
        yield from action_lines(action)
    yield f"{report.record}: {report.outcome} ({report.reason})"


requests_app = typer.Typer(no_args_is_help=True, help="What was asked for at once, by webhooks and by hand.")


@requests_app.command("list")
def list_requests(config: ConfigOption = DEFAULT_CONFIG, limit: LimitOption = 50, json: JsonOption = False) -> None:
    """The newest requests, with what came of each."""
    from tandem.app.requests import requests
    from tandem.app.settings import load_config

    found = requests(load_config(config), limit)
    if json:
        print_json([document(line) for line in found])
    else:
        print_lines(map(_request_line, found) if found else ["No requests."])


def _request_line(line: RequestLine) -> str:
    when = f"{line.number}  {line.asked_at:%Y-%m-%d %H:%M:%S}  {line.origin}"
    said = f"  ({line.said})" if line.said else ""
    change = f"  [{line.before} -> {line.after}]" if line.after else ""
    return f"{when}  {line.deed} person {line.person}: {line.state}{said}{change}"


@requests_app.command("memberships")
def list_memberships(config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """The lists and programs of Marketo that Dynamics follows, and how the last comparison went."""
    from tandem.app.requests import memberships
    from tandem.app.settings import load_config

    found = memberships(load_config(config))
    if json:
        print_json([document(line) for line in found])
    else:
        print_lines(map(_membership_line, found) if found else ["Dynamics follows no list and no program."])


def _membership_line(line: MembershipLine) -> str:
    what = f"campaign {line.campaign}" if line.campaign else "who is in Dynamics"
    return f"{line.follows}: {what}, compared {line.compared_at or 'never'}" + (
        f": {line.trouble}" if line.trouble else ""
    )
