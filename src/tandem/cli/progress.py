"""What a pass tells of its progress, drawn as bars on standard error: rows, rate and time left."""

from types import TracebackType

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from tandem.app import reports
from tandem.cli.output import error_console

_VERBS = {"read": "reading", "plan": "planning", "apply": "writing"}


class RowsColumn(ProgressColumn):
    """How many rows of how many; no second number while nobody knows it."""

    def render(self, task: Task) -> Text:
        done = f"{int(task.completed):,}"
        return Text(done if task.total is None else f"{done}/{int(task.total):,}", style="progress.download")


class RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} rows/s" if speed else "", style="progress.data.speed")


class Watch:
    """Observes a pass: remembers whether anything was heard of it, and draws bars where a terminal is watching.

    `has_started` tells a side that was never reached from one that went away on the way.
    """

    def __init__(self, *, draws: bool = True) -> None:
        self.has_started = False
        terminal = error_console()
        columns = TextColumn("{task.description}"), BarColumn(), RowsColumn(), RateColumn(), TimeRemainingColumn()
        self._bars = Progress(*columns, console=terminal, disable=not (draws and terminal.is_terminal))
        self._tasks: dict[tuple[str, str], TaskID] = {}

    def __enter__(self) -> "Watch":
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bars.stop()

    def __call__(self, news: reports.Progress) -> None:
        self.has_started = self.has_started or news.done > 0
        key = (news.phase, news.entity)
        if key not in self._tasks:
            title = f"{_VERBS.get(news.phase, news.phase)} {news.entity}"
            self._tasks[key] = self._bars.add_task(title, total=news.expected)
        self._bars.update(self._tasks[key], completed=news.done, total=news.expected)
