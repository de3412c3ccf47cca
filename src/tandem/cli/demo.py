"""`tandem demo`: both sides on this machine, no account and no secret needed."""

import asyncio
import contextlib
import select
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from tandem.cli.boundary import DONE, INTERRUPTED, NEEDS_A_PERSON, silence_stdout
from tandem.cli.options import JsonOption
from tandem.cli.output import document, print_json, print_lines
from tandem.cli.progress import Watch

Answer = TypeVar("Answer")

PeopleOption = Annotated[int, typer.Option(min=1, help="How many leads and contacts Dynamics starts with.")]
SeedOption = Annotated[int, typer.Option(help="The same seed makes the same people and the same edits.")]
OnceOption = Annotated[bool, typer.Option("--once", help="200 edits, sync until quiet, verify, judge, end.")]
DirOption = Annotated[
    Path | None, typer.Option("--dir", help="Keep settings, state and logs here instead of in a temporary folder.")
]
FullOption = Annotated[
    bool, typer.Option("--full", help="All kinds of objects are synced, and every story is played afterwards.")
]
StoryOption = Annotated[
    str | None, typer.Option("--story", metavar="NAME", help="Play this story alone, from its opening on, and end.")
]
ListOption = Annotated[bool, typer.Option("--list-stories", help="Show the stories there are, and end.")]
MinutesOption = Annotated[float, typer.Option(min=0, help="End the live part after this time.")]


def demo(
    people: PeopleOption = 5000,
    seed: SeedOption = 7,
    once: OnceOption = False,
    folder: DirOption = None,
    minutes: MinutesOption = 30,
    full: FullOption = False,
    story: StoryOption = None,
    list_stories: ListOption = False,
    json: JsonOption = False,
) -> None:
    """Start both emulators, copy everybody, and watch edits on either side arrive on the other.

    With --once the exit status is 0 only if both sides agree, every conflict is recorded with both values, and one
    more pass writes nothing. With --json the last line on standard output is one object.
    """
    from tandem.app.demo.story import Settings, perform

    if list_stories:
        _list_stories(json)
        return
    if story is not None:
        _play(story, json)
        return
    settings = Settings(people=people, seed=seed, is_once=once, minutes=minutes, folder=folder, is_full=full)
    summary = _until_told_to_stop(lambda: perform(settings, _teller(json), Watch))
    if summary is None:
        raise typer.Exit(INTERRUPTED if once else DONE)
    if json:
        print_json(document(summary))
    raise typer.Exit(DONE if summary.is_good else NEEDS_A_PERSON)


def _list_stories(json: bool) -> None:
    from tandem.app.demo.stories.catalogue import all_stories

    stories = all_stories()
    if json:
        print_json([{"story": each.name, "sentence": each.sentence, "rows": list(each.rows)} for each in stories])
    else:
        print_lines(f"{each.name}: {each.sentence}." for each in stories)


def _play(name: str, json: bool) -> None:
    """One story; the exit status is 0 only if all of it is as it should be."""
    from tandem.app.demo.stories.catalogue import find_story
    from tandem.app.demo.stories.runner import play_all

    found = find_story(name)
    results = _until_told_to_stop(lambda: play_all([found], _teller(json)))
    if results is None:
        raise typer.Exit(INTERRUPTED)
    (result,) = results
    if json:
        print_json(document(result))
    raise typer.Exit(DONE if result.passed else NEEDS_A_PERSON)


def _teller(json: bool) -> Callable[[str], None]:
    """Tells people what happens; on standard error when standard output is for the one object."""

    def tell(line: str) -> None:
        print(line, file=sys.stderr if json else sys.stdout, flush=True)

    return tell


def _until_told_to_stop(work: Callable[[], Awaitable[Answer]]) -> Answer | None:
    """The answer of `work`; None where a signal or a closed pipe ended it first. Its processes are gone by then."""

    async def guarded() -> Answer | None:
        task = asyncio.ensure_future(work())
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        async with _cancelled_when_unread(task):
            try:
                return await task
            except asyncio.CancelledError:
                return None
            except BrokenPipeError:
                silence_stdout()
                return None

    return asyncio.run(guarded())


@contextlib.asynccontextmanager
async def _cancelled_when_unread(task: "asyncio.Future[Answer]") -> AsyncIterator[None]:
    """Cancel `task` once nobody reads our standard output, even while there is nothing to print."""

    async def watch() -> None:
        poll = select.poll()
        with contextlib.suppress(OSError, ValueError):  # no real standard output: nothing to watch
            poll.register(sys.stdout.fileno(), 0)
            # Asked for nothing, it reports errors only. asyncio has no event for the end of a reader.
            while not poll.poll(0):  # noqa: ASYNC110
                await asyncio.sleep(0.25)
            silence_stdout()
            task.cancel()

    watcher = asyncio.create_task(watch())
    try:
        yield
    finally:
        watcher.cancel()
