"""The day's ledger: where it stops, what it knows of others, and until when it says the calls last."""

from datetime import UTC, datetime, timedelta

import pytest

from tandem.connectors.marketo.budget import DayLedger, end_of_central_day
from tandem.connectors.pacing import BudgetSpentError
from tests.connectors.fake_clock import FakeClock

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
MIDNIGHT = datetime(2026, 3, 5, 6, 0, tzinfo=UTC)
"""Of Chicago, in winter."""


def spend(ledger: DayLedger, calls: int) -> None:
    for _ in range(calls):
        ledger.spend()


def test_the_share_is_never_exceeded_and_comes_back_at_midnight_us_central() -> None:
    clock = FakeClock(NOON)
    ledger = DayLedger(clock, share=2)
    spend(ledger, 2)
    with pytest.raises(BudgetSpentError) as caught:
        ledger.spend()
    assert caught.value.retry_after_s == (MIDNIGHT - NOON).total_seconds()
    clock.advance(caught.value.retry_after_s)
    assert ledger.left == 2
    ledger.spend()


def test_a_call_given_back_can_be_made_again() -> None:
    ledger = DayLedger(FakeClock(NOON), share=1)
    ledger.spend()
    ledger.give_back()
    ledger.spend()


def test_what_earlier_processes_of_ours_used_counts_and_so_does_the_call_that_asked() -> None:
    ledger = DayLedger(FakeClock(NOON), share=100)
    ledger.spend()
    ledger.note_usage(ours=30, others=0)
    assert ledger.budget.calls_used_today == 31
    ledger.note_usage(ours=10, others=0)
    assert ledger.budget.calls_used_today == 31


@pytest.mark.parametrize(
    ("others", "left"),
    [(0, 500), (300, 500), (450, 450), (890, 10), (900, 0), (2_000, 0)],
)
def test_others_who_use_more_than_their_part_shorten_ours_and_keep_their_reserve(others: int, left: int) -> None:
    ledger = DayLedger(FakeClock(NOON), share=501, daily_calls=1_001, reserve=100)
    ledger.spend()
    ledger.note_usage(ours=0, others=others)
    assert ledger.left == left


def test_when_marketo_says_that_the_day_is_spent_it_is_until_midnight() -> None:
    clock = FakeClock(NOON)
    ledger = DayLedger(clock, share=1_000)
    ledger.close_day()
    assert ledger.left == 0
    clock.advance((MIDNIGHT - NOON).total_seconds())
    assert ledger.left == 1_000


@pytest.mark.parametrize(
    ("now", "again"),
    [
        (datetime(2026, 7, 10, 4, 0, tzinfo=UTC), datetime(2026, 7, 10, 5, 0, tzinfo=UTC)),
        (datetime(2026, 7, 10, 5, 10, tzinfo=UTC), datetime(2026, 7, 10, 6, 0, tzinfo=UTC)),
        (datetime(2026, 7, 10, 6, 0, tzinfo=UTC), datetime(2026, 7, 11, 5, 0, tzinfo=UTC)),
        (datetime(2026, 1, 10, 6, 10, tzinfo=UTC), datetime(2026, 1, 11, 6, 0, tzinfo=UTC)),
    ],
)
def test_a_day_that_ends_at_midnight_cst_all_the_year_does_not_cost_us_another(now: datetime, again: datetime) -> None:
    """Adobe writes "CST": if that is meant, a summer's day begins an hour later than in Chicago."""
    clock = FakeClock(now)
    ledger = DayLedger(clock, share=1_000)
    ledger.close_day()
    with pytest.raises(BudgetSpentError) as caught:
        ledger.spend()
    assert caught.value.retry_after_s == (again - now).total_seconds()
    clock.advance(caught.value.retry_after_s)
    assert ledger.left == 1_000


def test_what_marketo_counts_in_that_hour_is_not_taken_for_todays() -> None:
    clock = FakeClock(datetime(2026, 7, 10, 5, 10, tzinfo=UTC))
    ledger = DayLedger(clock, share=1_000)
    ledger.note_usage(ours=999, others=0)
    assert ledger.left == 1_000
    clock.advance(3600)
    ledger.note_usage(ours=999, others=0)
    assert ledger.left == 0


def test_the_forecast_says_when_the_share_is_used_up_at_this_rate() -> None:
    clock = FakeClock(NOON)
    ledger = DayLedger(clock, share=1_000)
    for _ in range(5):
        spend(ledger, 20)
        clock.advance(60)
    budget = ledger.budget
    assert (budget.calls_used_today, budget.calls_left, budget.rate_per_minute) == (100, 900, 20.0)
    assert budget.lasts_until == clock.now() + timedelta(minutes=45)
    assert budget.resets_at == MIDNIGHT


@pytest.mark.parametrize(
    ("spent", "stretch"),
    [(0, 1.0), (22_000, 1.0), (22_500, 6.048), (23_500, 10.08), (24_900, 40.0), (25_000, 40.0)],
)
def test_with_the_last_tenth_the_feeds_are_asked_more_seldom(spent: int, stretch: float) -> None:
    """18 hours are left, in which 7,560 calls would be made at 7 a minute."""
    ledger = DayLedger(FakeClock(NOON), share=25_000)
    ledger.note_usage(ours=spent - 1, others=0)
    assert ledger.stretch(7 / 60) == pytest.approx(stretch)


def test_a_rate_that_the_day_outlasts_has_no_end() -> None:
    clock = FakeClock(NOON)
    ledger = DayLedger(clock, share=25_000)
    assert ledger.budget.lasts_until is None
    ledger.spend()
    assert ledger.budget.lasts_until is None


def test_a_rate_of_a_while_ago_is_forgotten() -> None:
    clock = FakeClock(NOON)
    ledger = DayLedger(clock, share=1_000)
    spend(ledger, 900)
    assert ledger.budget.lasts_until is not None
    clock.advance(700)
    budget = ledger.budget
    assert (budget.rate_per_minute, budget.lasts_until) == (0.0, None)


@pytest.mark.parametrize(
    ("now", "midnight"),
    [
        (datetime(2026, 1, 10, 5, 59, tzinfo=UTC), datetime(2026, 1, 10, 6, 0, tzinfo=UTC)),
        (datetime(2026, 1, 10, 6, 0, tzinfo=UTC), datetime(2026, 1, 11, 6, 0, tzinfo=UTC)),
        (datetime(2026, 7, 10, 4, 59, tzinfo=UTC), datetime(2026, 7, 10, 5, 0, tzinfo=UTC)),
    ],
)
def test_the_quotas_day_ends_at_midnight_us_central(now: datetime, midnight: datetime) -> None:
    assert end_of_central_day(now) == midnight
