"""The list of all commands, made from the commands themselves.

``python -m tandem.cli.reference`` prints the page ``docs/reference/cli.md``.
"""

from collections.abc import Iterator
from typing import Any, Final

import typer

from tandem.cli.main import app

PAGE_HEAD: Final = """# Commands

Every command that is about a sync takes `--config PATH` (default `tandem.toml`), and every command takes `--json`. How
they end: [exit status](exit-status.md). `tandem --debug COMMAND` shows the traceback of an error, and
`tandem --verbose COMMAND` tells every event of a pass on standard error.
"""


def render_page() -> str:
    """The reference page, in Markdown."""
    return PAGE_HEAD + "".join(_section(name, command) for name, command in iter_commands(typer.main.get_command(app)))


def iter_commands(command: Any, name: str = "tandem") -> Iterator[tuple[str, Any]]:
    """Every command that does something, by its full name, in the order of the help."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield name, command
        return
    for key, below in inner.items():
        yield from iter_commands(below, f"{name} {key}")


def _section(name: str, command: Any) -> str:
    text = " ".join((command.help or "").split())
    rows = "".join(_row(option) for option in command.params if option.opts != ["--help"])
    return f"\n## `{name}`\n\n{text}\n\n| option | default | meaning |\n| --- | --- | --- |\n{rows}"


def _row(option: Any) -> str:
    several = " ..." if option.nargs == -1 else ""
    is_argument = option.param_type_name == "argument"
    names = ", ".join(f"`{name.upper()}{several}`" if is_argument else f"`{name}`" for name in option.opts)
    default = "" if getattr(option, "is_flag", False) or option.default is None else f"`{option.default}`"
    return f"| {names} | {default} | {option.help or ''} |\n"


if __name__ == "__main__":
    print(render_page(), end="")
