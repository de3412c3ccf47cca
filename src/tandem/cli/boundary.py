"""The edge of the process: every error becomes one sentence and an exit status, never a traceback.

0 done; 1 ran, and found differences or needs a person; 2 cannot start (arguments, settings, access, state, or a side
that cannot be reached at the start); 3 a side became unavailable on the way; 70 a mistake in Tandem itself.
"""

import os
import sys
import traceback
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import typer
from typer.core import TyperGroup

from tandem.core.errors import PausedError, RejectedError, TandemError, TransientError, UnknownOutcomeError
from tandem.core.record import Side

DONE: Final = 0
NEEDS_A_PERSON: Final = 1
CANNOT_START: Final = 2
UNAVAILABLE: Final = 3
OWN_MISTAKE: Final = 70
INTERRUPTED: Final = 130

_SIDES: Final = {Side.CRM: "Dynamics", Side.MARKETING: "Marketo"}


class CannotReachError(TandemError):
    """A side was unavailable before anything was done, so the command could not start."""

    @classmethod
    def of(cls, error: TransientError) -> "CannotReachError":
        return cls(f"{_SIDES[error.side]} cannot be reached: {error}")


def exit_status(error: TandemError) -> int:
    match error:
        case TransientError() | UnknownOutcomeError():
            return UNAVAILABLE
        case RejectedError() | PausedError():
            return NEEDS_A_PERSON
        case _:
            return CANNOT_START


@dataclass(slots=True)
class Wishes:
    """What the options say about the form of every answer, errors included; it travels as the root context's object."""

    debug: bool = False
    json: bool = False

    @staticmethod
    def of(context: Any) -> "Wishes":
        found = context.find_root().ensure_object(Wishes)
        assert isinstance(found, Wishes)
        return found


class Boundary(TyperGroup):
    """The group of all commands, and the one place where ``except Exception`` stands."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except TandemError as error:
            raise _ended(ctx, error, str(error), exit_status(error)) from error
        except KeyboardInterrupt as error:
            raise typer.Exit(INTERRUPTED) from error
        except BrokenPipeError as error:
            silence_stdout()
            raise typer.Exit(NEEDS_A_PERSON) from error
        except Exception as error:
            if isinstance(error, typer.Abort) or hasattr(error, "exit_code"):  # the ways out of typer itself
                raise
            raise _ended(ctx, error, _own_mistake(error), OWN_MISTAKE) from error


def silence_stdout() -> None:
    """Nobody reads standard output any more: without this the interpreter complains once more when it flushes."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _ended(context: Any, error: Exception, sentence: str, status: int) -> typer.Exit:
    wishes = Wishes.of(context)
    if wishes.debug:
        traceback.print_exception(error)
    print(f"tandem: {' '.join(sentence.split())}", file=sys.stderr)
    if wishes.json:
        document = {"error": type(error).__name__, "message": sentence, "exit_status": status}
        print(msgspec.json.encode(document).decode())
    return typer.Exit(status)


def _own_mistake(error: Exception) -> str:
    return (
        f"Tandem made a mistake of its own ({type(error).__name__}); "
        "please report it with what `tandem --debug` prints for the same command."
    )
