"""The Marketo benchmark in its tiny form: both clients do the same work, and the pace is counted."""

import pytest

from benchmarks.marketo import BATCH, measure_pace, measure_rounds
from benchmarks.table import render

pytestmark = [  # the peer leaves files and sockets to the garbage collector
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


async def test_a_tiny_round_measures_both_clients() -> None:
    lines = await measure_rounds(40, 1)
    assert {line.what.split(":")[0] for line in lines} == {
        "create by sync calls",
        "update by sync calls",
        "update by bulk import",
        "read changes and who changed",
    }
    assert all(line.value >= 0 for line in lines)
    assert "marketorestpython" in render(lines)


async def test_a_tiny_pace_is_counted_and_nothing_is_refused() -> None:
    pace = await measure_pace(0.5, 20, calls_per_20_s=100, at_once=10, daily_share=1_000, rest_s=0)
    assert pace.records_per_s >= BATCH
    assert pace.ceiling_per_s == 1_500
    assert pace.refused == {}
