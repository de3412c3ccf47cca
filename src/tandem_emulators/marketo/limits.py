"""Quotas and usage, on the emulator's clock (2.4).

A day ends at midnight in Chicago, by switch at UTC-6 in summer, too. The rate is a sliding window. Calls answered
with 601, 602, 604, 605, 608 or 611 are free; a call refused for its rate does not itself fill the window, or a client
that backs off badly would never get out of it. What was counted is stored, so a restart on the same file goes on
counting.
"""

from collections import Counter, deque
from datetime import date, datetime, timedelta, timezone, tzinfo

from tandem_emulators.marketo.errors import UNCHARGED, concurrency_reached, quota_reached, rate_exceeded
from tandem_emulators.marketo.fields import SUBSCRIPTION_ZONE
from tandem_emulators.marketo.settings import Settings
from tandem_emulators.marketo.store import Store

_STANDARD = timezone(timedelta(hours=-6))
_TABLE = """
CREATE TABLE IF NOT EXISTS usage (day TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (day, kind, name)) WITHOUT ROWID;
"""
_SAVE = "INSERT INTO usage VALUES (?, ?, ?, 1) ON CONFLICT DO UPDATE SET count = count + 1"


class Limits:
    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._recent: deque[float] = deque()
        self._today = date.min
        self._today_s = (0.0, 0.0)
        self._midnight = ""
        self._calls: dict[date, Counter[str]] = {}
        self._errors: dict[date, Counter[str]] = {}
        store.db.executescript(_TABLE)
        for day, kind, name, count in store.rows("SELECT day, kind, name, count FROM usage"):
            counts = self._calls if kind == "call" else self._errors
            counts.setdefault(date.fromisoformat(day), Counter())[name] = count

    def admit(self, now_s: float, in_flight: int) -> None:
        """Take the call into the window.

        Raises:
            ApiError: 607, 606 or 615: the subscription has no call left for now.
        """
        if self._settings.limits == "off":
            return
        if self._calls.get(self.day(now_s), Counter()).total() >= self._settings.daily_calls:
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
        day = self.day(now_s)
        if error_code not in UNCHARGED:
            self._calls.setdefault(day, Counter())[user] += 1
            self._store.run(_SAVE, (day.isoformat(), "call", user))
        if error_code is not None:
            self._errors.setdefault(day, Counter())[error_code] += 1
            self._store.run(_SAVE, (day.isoformat(), "error", error_code))

    def usage(self, now_s: float, days: int) -> list[dict[str, object]]:
        return [
            {
                "date": day.isoformat(),
                "total": calls.total(),
                "users": [{"userId": user, "count": count} for user, count in sorted(calls.items())],
            }
            for day, calls in self._last(self._calls, now_s, days)
        ]

    def errors(self, now_s: float, days: int) -> list[dict[str, object]]:
        return [
            {
                "date": day.isoformat(),
                "total": errors.total(),
                "errors": [{"errorCode": code, "count": count} for code, count in sorted(errors.items())],
            }
            for day, errors in self._last(self._errors, now_s, days)
        ]

    def day(self, now_s: float) -> date:
        """The subscription's day; worked out anew only when the clock leaves the one it was in."""
        begin_s, end_s = self._today_s
        if not begin_s <= now_s < end_s or self._midnight != self._settings.quota_midnight:
            self._midnight = self._settings.quota_midnight
            zone = midnight_zone(self._settings)
            self._today = local_day(now_s, zone)
            self._today_s = (day_start_s(self._today, zone), day_start_s(self._today + timedelta(days=1), zone))
        return self._today

    def _last(self, counts: dict[date, Counter[str]], now_s: float, days: int) -> list[tuple[date, Counter[str]]]:
        """Today first; a day without a call counts nothing."""
        today = self.day(now_s)
        wanted = [today - timedelta(days=back) for back in range(days)]
        return [(day, counts.get(day, Counter())) for day in wanted]


def midnight_zone(settings: Settings) -> tzinfo:
    return SUBSCRIPTION_ZONE if settings.quota_midnight == "daylight" else _STANDARD


def local_day(now_s: float, zone: tzinfo) -> date:
    return datetime.fromtimestamp(now_s, zone).date()


def day_start_s(day: date, zone: tzinfo) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()
