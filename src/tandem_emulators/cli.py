"""The command `tandem-emulators`: one sub-command for each service."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from tandem_emulators.kit import server
from tandem_emulators.kit.emulator import Emulator, Options
from tandem_emulators.kit.errors import ControlError
from tandem_emulators.kit.server import Serving

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Local stand-ins for Dataverse and Marketo Engage.")

PortOption = Annotated[int, typer.Option(min=0, max=65535, help="Port of 127.0.0.1; 0 takes a free one.")]
PeopleOption = Annotated[int, typer.Option(min=0, help="How many people to seed into an empty database.")]
SeedOption = Annotated[int, typer.Option(help="The same seed makes the same people on both services.")]
DbOption = Annotated[str | None, typer.Option(help="SQLite file; memory when left out.")]
ControlOption = Annotated[bool, typer.Option("--control", help="Serve the control API under /_emulator.")]
LatencyOption = Annotated[float, typer.Option(min=0, help="Milliseconds that every operation waits.")]
LimitsOption = Annotated[
    str,
    typer.Option(help="published: the vendor's quotas; off: none; else a JSON file with the settings that say them."),
]
TlsOption = Annotated[bool, typer.Option("--tls", help="Serve https; the authority to trust is in the first line.")]
CaFileOption = Annotated[str | None, typer.Option(help="Where the certificate of that authority is written.")]
CertificateOption = Annotated[
    str | None,
    typer.Option(help="PEM file with the application's key and certificate; a new pair is written if it is missing."),
]
OnPremisesOption = Annotated[
    bool, typer.Option("--on-premises", help="A server on premises, signed in to with AD FS, in place of the cloud.")
]
OverlapOption = Annotated[int | None, typer.Option(min=0, help="Population of the other service (default: the same).")]
ParentOption = Annotated[bool, typer.Option("--die-with-parent", help="Stop when standard input ends.")]
LagOption = Annotated[float | None, typer.Option(min=0, help="Longest time, in s, until an activity shows in a feed.")]
ExternalPersonIdOption = Annotated[
    str, typer.Option(help="on: the standard field externalPersonId is described and searchable; off: it is not.")
]
NativeCrmOption = Annotated[
    str, typer.Option(help="none, salesforce or dynamics: a native sync makes companies and their like read-only.")
]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="A switch, as name=value; may be repeated.")]


@app.command()
def dataverse(
    port: PortOption = 0,
    people: PeopleOption = 0,
    seed: SeedOption = 1,
    db: DbOption = None,
    control: ControlOption = False,
    latency_ms: LatencyOption = 0.0,
    limits: LimitsOption = "published",
    tls: TlsOption = False,
    ca_file: CaFileOption = None,
    app_certificate: CertificateOption = None,
    on_premises: OnPremisesOption = False,
    die_with_parent: ParentOption = False,
    set_: SetOption = None,
) -> None:
    """Serve the Dataverse Web API and the sign-in service in front of it."""
    switches = [f"on_premises={str(on_premises).lower()}", *(set_ or [])]
    options = replace(_options(people, seed, db, latency_ms, limits, None, switches), app_certificate=app_certificate)
    _run("dataverse", options, Serving(port, control, die_with_parent, tls, ca_file))


@app.command()
def marketo(
    port: PortOption = 0,
    people: PeopleOption = 0,
    seed: SeedOption = 1,
    db: DbOption = None,
    control: ControlOption = False,
    latency_ms: LatencyOption = 0.0,
    limits: LimitsOption = "published",
    overlap: OverlapOption = None,
    activity_lag: LagOption = None,
    external_person_id: ExternalPersonIdOption = "off",
    native_crm: NativeCrmOption = "none",
    tls: TlsOption = False,
    ca_file: CaFileOption = None,
    die_with_parent: ParentOption = False,
    set_: SetOption = None,
) -> None:
    """Serve the Marketo Engage REST API and its identity endpoint."""
    if external_person_id not in ("on", "off"):
        raise typer.BadParameter("external-person-id is on or off", param_hint="--external-person-id")
    switches = [f"external_person_id={str(external_person_id == 'on').lower()}", f"native_crm={native_crm}"]
    if activity_lag is not None:
        switches.append(f"activity_lag_s={activity_lag}")
    options = _options(people, seed, db, latency_ms, limits, overlap, [*switches, *(set_ or [])])
    _run("marketo", options, Serving(port, control, die_with_parent, tls, ca_file))


def _options(
    people: int, seed: int, db: str | None, latency_ms: float, limits: str, overlap: int | None, pairs: list[str] | None
) -> Options:
    settings: dict[str, Any] = {}
    if limits not in ("published", "off"):
        settings, limits = _limits_of_file(limits), "published"
    for pair in pairs or []:
        name, equals, value = pair.partition("=")
        if not equals:
            raise typer.BadParameter("a switch is given as name=value", param_hint="--set")
        settings[name] = value
    return Options(people, seed, db, latency_ms, limits, overlap, settings)


def _limits_of_file(path: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=dict[str, Any])
    except (OSError, ValueError) as error:
        raise typer.BadParameter(
            f"limits is published, off, or a file with a JSON object of settings: {error}", param_hint="--limits"
        ) from error


def _run(service: str, options: Options, serving: Serving) -> None:
    """The two services are imported only when asked for, by the same name: `build(options)` in each package."""
    build = import_module(f"tandem_emulators.{service}.emulator").build
    try:
        emulator: Emulator = build(options)
    except ControlError as error:
        raise typer.BadParameter(str(error)) from error
    server.run(emulator, serving)


def run() -> None:
    app()
