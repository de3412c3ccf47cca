"""One line of the table, and how it is measured: the best of several runs, as the machine is shared."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_RUNS = 5


@dataclass(frozen=True, slots=True)
class Line:
    """What was measured, in `unit`; `peer` is the other way to do it, where there is one."""

    what: str
    value: float
    unit: str
    peer_name: str = ""
    peer: float | None = None

    @property
    def ratio(self) -> str:
        return f"{self.peer / self.value:.1f}x" if self.peer is not None and self.value else ""


def best_us(work: Callable[[], object], rows: int) -> float:
    """Microseconds a row."""
    return min(_timed(work) for _ in range(_RUNS)) * 1e6 / rows


def once_us(work: Callable[[], object], rows: int) -> float:
    """Microseconds a row, for work that cannot be done twice on the same store."""
    return _timed(work) * 1e6 / rows


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def render(lines: Sequence[Line]) -> str:
    """As Markdown, so that it can be pasted anywhere."""
    head = "| measured | tandem | unit | peer | of the peer | ratio |\n| --- | ---: | --- | ---: | --- | ---: |\n"
    return head + "".join(
        f"| {line.what} | {line.value:,.1f} | {line.unit} | {_number(line.peer)} | {line.peer_name} | {line.ratio} |\n"
        for line in lines
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.1f}"
