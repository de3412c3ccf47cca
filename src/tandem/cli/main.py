"""The command `tandem`. Each command says in its own file what it does; errors end in `boundary`."""

from typing import Annotated

import typer

from tandem.cli import demo, passes, setup, state
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


@app.callback()
def tandem(context: typer.Context, debug: DebugOption = False) -> None:
    Wishes.of(context).debug = debug


for command in (setup.init, setup.check, passes.plan, passes.sync, passes.run, state.status, state.verify, demo.demo):
    app.command()(command)
app.add_typer(state.conflicts_app, name="conflicts")


def run() -> None:
    app()


if __name__ == "__main__":
    run()
