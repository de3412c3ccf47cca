"""The command `tandem`. Each command says in its own file what it does; errors end in `boundary`."""

from typing import Annotated

import typer

from tandem import telemetry
from tandem.cli import backfill, demo, errors, matches, outside, passes, pause, push, schema, setup, state
from tandem.cli.boundary import Boundary, Wishes

app = typer.Typer(
    cls=Boundary,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Keep Microsoft Dynamics 365 and Marketo Engage in step.",
    epilog="Exit status: 0 done; 1 found differences or needs a person; 2 cannot start; 3 a side is unavailable.",
)

DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
VerboseOption = Annotated[bool, typer.Option("--verbose", help="Tell every event of a pass on standard error.")]


@app.callback()
def tandem(context: typer.Context, debug: DebugOption = False, verbose: VerboseOption = False) -> None:
    Wishes.of(context).debug = debug
    # A service tells its passes without being asked; elsewhere only what went wrong is worth a line.
    telemetry.configure(level="info" if verbose or context.invoked_subcommand == "run" else "warning")


for command in (setup.init, setup.check, passes.plan, passes.sync, passes.run, state.status, state.verify, demo.demo):
    app.command()(command)
app.command()(pause.pause)
app.command()(backfill.backfill)
app.command()(pause.resume)
app.command()(push.push)
app.command()(outside.outside)
app.add_typer(push.requests_app, name="requests")
app.add_typer(state.conflicts_app, name="conflicts")
app.add_typer(errors.errors_app, name="errors")
app.add_typer(schema.schema_app, name="schema")
app.add_typer(matches.matches_app, name="matches")


def run() -> None:
    app()


if __name__ == "__main__":
    run()
