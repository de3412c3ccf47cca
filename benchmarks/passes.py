"""What passes cost over both emulators: calls of a first copy, then calls and queries of a quiet pass."""

import asyncio
import contextlib
from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import Engine as Database
from sqlalchemy import event

from benchmarks.table import Line
from tandem.app import commands
from tandem.app.demo.stage import FEED_LAG_S, Stage
from tandem.app.reports import SyncReport

_QUIET_PASSES = 3


async def measure_first_copy(stage: Stage) -> tuple[SyncReport, list[Line]]:
    report = await commands.sync(stage.config)
    thousands = report.records / 1000
    least = _least_calls(report.counts) / thousands
    return report, [
        Line(
            "first copy: calls to Marketo",
            report.marketing_calls / thousands,
            "for 1,000 records",
            "one call a full batch",
            least,
        ),
        Line("first copy: calls to Dynamics", report.crm_calls / thousands, "for 1,000 records"),
        Line("first copy, at the emulated quota", report.records / report.seconds, "records a second"),
    ]


async def measure_quiet_pass(stage: Stage) -> list[Line]:
    """A pass in which nothing has changed, every feed due, once the echo of the first copy is through."""
    for _ in range(_QUIET_PASSES):
        await asyncio.sleep(FEED_LAG_S)
        with counted_queries() as queries:
            report = await commands.sync(stage.config)
    assert report.writes == 0, "a quiet pass wrote something"
    return [
        Line("quiet pass: calls to both sides, start-up included", report.crm_calls + report.marketing_calls, "calls"),
        Line("quiet pass: queries of the store, start-up included", len(queries), "queries"),
        Line("quiet pass", report.seconds, "s"),
    ]


@contextlib.contextmanager
def counted_queries() -> Iterator[list[str]]:
    """Every statement that reaches a database while this is open."""
    seen: list[str] = []

    def count(connection: object, cursor: object, statement: str, *rest: object) -> None:
        seen.append(statement)

    event.listen(Database, "before_cursor_execute", count)
    try:
        yield seen
    finally:
        event.remove(Database, "before_cursor_execute", count)


def _least_calls(counts: Mapping[str, int]) -> float:
    """Every write of the copy in batches of 300, each batch once: what no copy can undercut."""
    writes: Sequence[int] = [count for name, count in counts.items() if name.startswith("applied.marketing.")]
    return sum(-(-count // 300) for count in writes)
