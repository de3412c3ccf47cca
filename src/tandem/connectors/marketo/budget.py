"""The day's calls: what is ours of them, what others use, and how long they last at this rate.

Marketo counts the calls of all programs of a subscription together and starts anew at midnight US Central. We stop at
our share, or earlier where others have used so much that the subscription's own limit, less a reserve for them, is
nearer: whichever comes first is the stop line.
"""

from collections import deque
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tandem.connectors.pacing import BudgetSpentError
from tandem.ports import Budget, Clock

RATE_MINUTES: Final = 10
"""The rate is that of the last minutes: enough for quiet passes to be in it, few enough to follow a first copy."""

LAST_PART: Final = 0.1
"""When so little of the share is left, the feeds are asked more seldom rather than not at all at the day's end."""

STRETCH_MAX: Final = 40.0
"""A change is seen after ten minutes at the latest."""

_MIDNIGHT_ZONE: Final = "America/Chicago"
_STANDARD: Final = timezone(timedelta(hours=-6))
"""The documentation's own word is "CST". Taken literally, a summer's day begins an hour after Chicago's midnight."""


class DayLedger:
    """Counts calls of ours and of others, and refuses those beyond the stop line."""

    def __init__(self, clock: Clock, *, share: int, daily_calls: int | None = None, reserve: int = 0) -> None:
        self._clock = clock
        self._share = share
        self._daily_calls = daily_calls
        self._reserve = reserve
        self._minutes: deque[tuple[datetime, int]] = deque()
        self._begin_day()

    def _begin_day(self) -> None:
        self._resets_at = end_of_central_day(self._clock.now())
        self._used = 0
        self._others = 0
        self._closed_until = self._clock.now()

    def spend(self) -> None:
        """Raises BudgetSpentError: no call is left today."""
        if self.left == 0:
            again_at = self._closed_until if self._is_closed else self._resets_at
            raise BudgetSpentError((again_at - self._clock.now()).total_seconds())
        self._used += 1
        minute = self._clock.now().replace(second=0, microsecond=0)
        before = self._minutes.pop()[1] if self._minutes and self._minutes[-1][0] == minute else 0
        self._minutes.append((minute, before + 1))
        self._forget_minutes(minute)

    def give_back(self) -> None:
        """The call was not made after all."""
        self._used -= 1

    def note_usage(self, *, ours: int, others: int) -> None:
        """What Marketo counts of today. The call that asked may or may not be in it; it is counted on top, for the
        budget must never be too large. In the hour in which Marketo's day may still be yesterday it says nothing."""
        self._turn_day()
        if quota_returns_at(self._clock.now()) < self._resets_at:
            return
        self._used = max(self._used, ours + 1)
        self._others = max(self._others, others)

    def close_day(self) -> None:
        """Marketo said that the day's calls are used up (607): none is left, whatever we counted."""
        self._turn_day()
        self._closed_until = quota_returns_at(self._clock.now())

    @property
    def _is_closed(self) -> bool:
        return self._clock.now() < self._closed_until

    @property
    def left(self) -> int:
        self._turn_day()
        if self._is_closed:
            return 0
        left = self._share - self._used
        if self._daily_calls is not None:
            left = min(left, self._daily_calls - self._reserve - self._others - self._used)
        return max(0, left)

    def stretch(self, calls_per_s: float) -> float:
        """How many times more seldom to ask than `calls_per_s`, so that the last tenth of the share, half of it for
        this, lasts until the day ends; 1 while there is more."""
        left = self.left
        if left > self._share * LAST_PART:
            return 1.0
        affordable = left / 2 / max(1.0, self.resets_in_s)
        return min(STRETCH_MAX, max(1.0, calls_per_s / affordable)) if affordable else STRETCH_MAX

    @property
    def resets_in_s(self) -> float:
        self._turn_day()
        return (self._resets_at - self._clock.now()).total_seconds()

    @property
    def budget(self) -> Budget:
        left, rate = self.left, self._rate_per_minute()
        empty_at = self._clock.now() + timedelta(minutes=left / rate) if rate else None
        return Budget(
            calls_used_today=self._used,
            calls_of_others=self._others,
            share=self._share,
            calls_left=left,
            rate_per_minute=rate,
            lasts_until=empty_at if empty_at and empty_at < self._resets_at else None,
            resets_at=self._resets_at,
        )

    def _rate_per_minute(self) -> float:
        """Calls a minute since the first of the last minutes that had one."""
        now = self._clock.now()
        self._forget_minutes(now)
        if not self._minutes:
            return 0.0
        minutes = max(1.0, (now - self._minutes[0][0]).total_seconds() / 60)
        return sum(calls for _, calls in self._minutes) / minutes

    def _forget_minutes(self, now: datetime) -> None:
        while self._minutes and now - self._minutes[0][0] > timedelta(minutes=RATE_MINUTES):
            self._minutes.popleft()

    def _turn_day(self) -> None:
        if self._clock.now() >= self._resets_at:
            self._begin_day()


def end_of_central_day(now: datetime) -> datetime:
    """The next midnight of US Central time, when the daily quota starts anew."""
    return _end_of_day(now, _central())


def quota_returns_at(now: datetime) -> datetime:
    """When a day that Marketo calls spent may be over: the next midnight by either reading of "CST"."""
    return min(end_of_central_day(now), _end_of_day(now, _STANDARD))


def _end_of_day(now: datetime, zone: tzinfo) -> datetime:
    local = now.astimezone(zone)
    midnight = (local + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight.astimezone(UTC)


def _central() -> tzinfo:
    try:
        return ZoneInfo(_MIDNIGHT_ZONE)
    except ZoneInfoNotFoundError:  # a machine without time zones
        return _STANDARD
