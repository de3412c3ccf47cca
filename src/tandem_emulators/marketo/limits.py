"""Quotas and usage, on the emulator's clock (2.4).

A day ends at midnight in Chicago. The rate is a sliding window. Calls answered with 601, 602, 604, 605, 608 or 611
are free; a call refused for its rate does not itself fill the window, or a client that backs off badly would never
get out of it.
"""

from collections import Counter, deque
from datetime import UTC, date, datetime, timedelta

from tandem_emulators.marketo.errors import UNCHARGED, concurrency_reached, quota_reached, rate_exceeded
from tandem_emulators.marketo.fields import SUBSCRIPTION_ZONE
from tandem_emulators.marketo.settings import Settings


class Limits:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._recent: deque[float] = deque()
        self._calls: dict[date, Counter[str]] = {}
        self._errors: dict[date, Counter[str]] = {}

    def admit(self, now_s: float, in_flight: int) -> None:
        """Take the call into the window.

        Raises:
            ApiError: 607, 606 or 615: the subscription has no call left for now.
        """
        if self._settings.limits == "off":
            return
        if self._calls.get(_day(now_s), Counter()).total() >= self._settings.daily_calls:
            raise quota_reached()
        calls, window_s = self._settings.rate_calls, self._settings.rate_window_s
        while self._recent and not now_s - window_s < self._recent[0] <= now_s:
            self._recent.popleft()
        if len(self._recent) >= calls:
            raise rate_exceeded(calls, window_s)
        if in_flight > self._settings.concurrent_calls:
            raise concurrency_reached(self._settings.concurrent_calls)
        self._recent.append(now_s)

    def note(self, now_s: float, user: str, error_code: str | None) -> None:
        """Charge an answered call, and remember its error."""
        day = _day(now_s)
        if error_code not in UNCHARGED:
            self._calls.setdefault(day, Counter())[user] += 1
        if error_code is not None:
            self._errors.setdefault(day, Counter())[error_code] += 1

    def usage(self, now_s: float, days: int) -> list[dict[str, object]]:
        return [
            {
                "date": day.isoformat(),
                "total": calls.total(),
                "users": [{"userId": user, "count": count} for user, count in sorted(calls.items())],
            }
            for day, calls in _last(self._calls, now_s, days)
        ]

    def errors(self, now_s: float, days: int) -> list[dict[str, object]]:
        return [
            {
                "date": day.isoformat(),
                "total": errors.total(),
                "errors": [{"errorCode": code, "count": count} for code, count in sorted(errors.items())],
            }
            for day, errors in _last(self._errors, now_s, days)
        ]


def _day(now_s: float) -> date:
    return datetime.fromtimestamp(now_s, UTC).astimezone(SUBSCRIPTION_ZONE).date()


def _last(counts: dict[date, Counter[str]], now_s: float, days: int) -> list[tuple[date, Counter[str]]]:
    """Today first; a day without a call counts nothing."""
    today = _day(now_s)
    wanted = [today - timedelta(days=back) for back in range(days)]
    return [(day, counts.get(day, Counter())) for day in wanted]
