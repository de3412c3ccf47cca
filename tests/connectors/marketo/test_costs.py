"""Which way costs less, as tables: the sheet's arithmetic, and what the day has left."""

import pytest

from tandem.connectors.marketo.costs import (
    BATCH_MAX,
    ImportEstimate,
    Population,
    Prices,
    is_extract_cheaper,
    rows_at_once,
)

FAIR = Prices(calls_per_s=2.5, calls_left=25_000, day_left_s=86_400)
"""Half of a usual quota at the start of a day."""

PLENTY = Prices(calls_per_s=5, calls_left=50_000, day_left_s=20_000)
"""More calls left than the rate can use."""

SCARCE = Prices(calls_per_s=2.5, calls_left=400, day_left_s=40_000)


@pytest.mark.parametrize(
    ("prices", "waiting", "is_create", "is_file"),
    [
        (FAIR, 300, False, False),
        (FAIR, 5_000, False, False),
        (FAIR, 20_000, False, True),
        (FAIR, 100_000, False, True),
        (FAIR, 100_000, True, False),  # two reads of every row cost more calls than the sync calls do
        (PLENTY, 100_000, False, False),
        (SCARCE, 3_000, False, True),
        (SCARCE, 2_999, False, False),
    ],
)
def test_a_file_is_worth_it_when_many_wait_and_calls_are_dear(
    prices: Prices, waiting: int, is_create: bool, is_file: bool
) -> None:
    assert (rows_at_once(waiting, ImportEstimate(), prices, is_create=is_create) > BATCH_MAX) is is_file


def test_creates_of_long_records_are_worth_a_file_when_calls_are_dear() -> None:
    """Few of them fit in a call, and 300 in a read."""
    assert rows_at_once(10_000, ImportEstimate(row_bytes=20_000), SCARCE, is_create=True) > BATCH_MAX
    assert rows_at_once(10_000, ImportEstimate(row_bytes=2_000), SCARCE, is_create=True) == BATCH_MAX


def test_a_slow_import_is_not_used_and_a_fast_one_is_used_earlier() -> None:
    assert rows_at_once(20_000, ImportEstimate(rows_per_s=20), FAIR, is_create=False) == BATCH_MAX
    assert rows_at_once(6_000, ImportEstimate(rows_per_s=2_000, overhead_s=20), FAIR, is_create=False) > BATCH_MAX


def test_a_file_holds_no_more_than_marketo_takes() -> None:
    for row_bytes in (50, 400, 20_000, 900_000):
        estimate = ImportEstimate(row_bytes=row_bytes)
        assert estimate.rows_per_file * row_bytes <= max(10_000_000, 300 * row_bytes)
        assert estimate.rows_per_file <= 50_000
        assert 1 <= estimate.rows_per_call <= BATCH_MAX


def test_estimates_follow_what_is_measured() -> None:
    estimate = ImportEstimate()
    for _ in range(20):
        estimate.note_job(50_000, 90)
        estimate.note_rows(50_000, 10_000_000)
    assert 700 < estimate.rows_per_s < 900
    assert 199 < estimate.row_bytes < 202


@pytest.mark.parametrize(
    ("population", "prices", "bytes_left", "is_cheaper"),
    [
        (Population(100_000, 90_000, 500, 60), FAIR, 250_000_000, False),
        (Population(1_000_000, 500_000, 400, 60), FAIR, 250_000_000, True),
        (Population(1_000_000, 500_000, 400, 60), FAIR, 100_000_000, False),
        (Population(1_000_000, 500_000, 400, 60), PLENTY, 250_000_000, False),
        (Population(10_000_000, 100_000, 400, 120), FAIR, 250_000_000, True),  # most ids are nobody's any longer
    ],
)
def test_files_are_worth_it_for_a_large_subscription_while_the_volume_lasts(
    population: Population, prices: Prices, bytes_left: int, is_cheaper: bool
) -> None:
    assert is_extract_cheaper(population, prices, bytes_left=bytes_left) is is_cheaper
