"""What a pass tells of its progress, drawn as bars on standard error: rows, rate and time left."""

from datetime import timedelta
from types import TracebackType

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from tandem.app import reports
from tandem.cli.output import error_console

_VERBS = {"read": "reading", "plan": "planning", "apply": "writing"}
_BAR_WIDTH = 16  # every column fits into 80 characters beside it


def _column() -> Column:
    return Column(no_wrap=True, justify="right")


class RowsColumn(ProgressColumn):
    """How many rows of how many; no second number while nobody knows it."""

    def render(self, task: Task) -> Text:
        done = f"{int(task.completed):,}"
        return Text(done if task.total is None else f"{done}/{int(task.total):,}", style="progress.download")


class RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} rows/s" if speed else "", style="progress.data.speed")


class TimeLeftColumn(ProgressColumn):
    """Empty where nobody knows how much is to come, and where nothing is."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        left = task.time_remaining
        return Text(f"{timedelta(seconds=int(left))} left" if left else "", style="progress.remaining")


class Watch:
    """Observes a pass: remembers whether anything was heard of it, and draws bars where a terminal is watching.

    `has_started` tells a side that was never reached from one that went away on the way.
    """

    def __init__(self, *, draws: bool = True) -> None:
        self.has_started = False
        terminal = error_console()
        self._bars = Progress(
            TextColumn("{task.description}", table_column=Column(no_wrap=True)),
            BarColumn(_BAR_WIDTH),
            RowsColumn(_column()),
            RateColumn(_column()),
            TimeLeftColumn(_column()),
            console=terminal,
            disable=not (draws and terminal.is_terminal),
        )
        self._tasks: dict[tuple[str, str], TaskID] = {}

    def __enter__(self) -> "Watch":
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:  # what was done is all there was
            for task in self._bars.tasks:
                self._bars.update(task.id, total=task.completed)
        self._bars.stop()

    def __call__(self, news: reports.Progress) -> None:
        """A feed that is read once more in the same pass starts from nothing; its bar keeps the longer reading."""
        self.has_started = self.has_started or news.done > 0
        key = (news.phase, news.entity)
        if key not in self._tasks:
            what = news.entity.rpartition(" ")[2]
            self._tasks[key] = self._bars.add_task(f"{_VERBS.get(news.phase, news.phase)} {what}", total=news.expected)
        task = self._bars.tasks[self._tasks[key]]
        if news.done >= task.completed:
            self._bars.update(task.id, completed=news.done, total=news.expected)
