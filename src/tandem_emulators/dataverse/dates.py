"""What "last month" and its like mean: spans of time on the emulator's clock, in the caller's time zone.

A span runs from its start up to, not including, its end; a missing side is open. Weeks begin on Sunday; the fiscal
year is the calendar year, in quarters.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Span = tuple[datetime | None, datetime | None]
COUNT_MAX = 100_000

_COUNTED = re.compile(r"(last|next|olderthan)-x-(minutes|hours|days|weeks|months|years|fiscal-periods|fiscal-years)")
_NAMED = re.compile(r"(last|this|next)-(week|month|year|fiscal-period|fiscal-year)")
_UNIT_OF = {"fiscal-period": "quarter", "fiscal-year": "year"}
_SECOND = timedelta(seconds=1)


def span_of(operator: str, now: datetime, count: int = 1) -> Span | None:
    """None if the operator does not speak of time. `now` is aware, in the caller's zone."""
    if counted := _COUNTED.fullmatch(operator):
        return _counted(counted[1], _unit(counted[2].removesuffix("s")), now, count)
    if named := _NAMED.fullmatch(operator):
        unit = _unit(named[2])
        start = shift(start_of(unit, now), unit, {"last": -1, "this": 0, "next": 1}[named[1]])
        return start, shift(start, unit, 1)
    made = _DAYS.get(operator)
    return made(start_of("day", now), now) if made else None


_DAYS: dict[str, Callable[[datetime, datetime], Span]] = {
    "today": lambda day, now: (day, shift(day, "day", 1)),
    "yesterday": lambda day, now: (shift(day, "day", -1), day),
    "tomorrow": lambda day, now: (shift(day, "day", 1), shift(day, "day", 2)),
    "last-seven-days": lambda day, now: (shift(day, "day", -7), now + _SECOND),
    "next-seven-days": lambda day, now: (now, shift(day, "day", 8)),
}


def _unit(name: str) -> str:
    return _UNIT_OF.get(name, name)


def _counted(direction: str, unit: str, now: datetime, count: int) -> Span:
    """Days and longer units begin at midnight; the present moment is inside."""
    exact = unit in ("minute", "hour")
    here = now if exact else start_of("day", now)
    if direction == "olderthan":
        return None, shift(here, unit, -count)
    if direction == "last":
        return shift(here, unit, -count), now + _SECOND
    end = shift(here, unit, count)
    return now, end + _SECOND if exact else shift(end, "day", 1)


def start_of(unit: str, moment: datetime) -> datetime:
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    match unit:
        case "week":
            return shift(day, "day", -((day.weekday() + 1) % 7))
        case "month":
            return day.replace(day=1)
        case "quarter":
            return day.replace(day=1, month=(day.month - 1) // 3 * 3 + 1)
        case "year":
            return day.replace(day=1, month=1)
    return day


def shift(moment: datetime, unit: str, count: int) -> datetime:
    """So many units away; the last day of a month stays in it, and the calendar's ends stop the way."""
    try:
        if unit in ("month", "quarter", "year"):
            return _months_away(moment, count * {"month": 1, "quarter": 3, "year": 12}[unit])
        return moment + timedelta(**{f"{unit}s": count})
    except (OverflowError, ValueError):
        return datetime(2 if count < 0 else 9998, 1, 1, tzinfo=moment.tzinfo)


def _months_away(moment: datetime, count: int) -> datetime:
    year, month = divmod(moment.year * 12 + moment.month - 1 + count, 12)
    first = moment.replace(year=year, month=month + 1, day=1)
    days = ((first + timedelta(days=31)).replace(day=1) - first).days
    return first.replace(day=min(moment.day, days))


def day_span(day: str, now: datetime) -> Span:
    start = datetime.fromisoformat(day).replace(tzinfo=now.tzinfo)
    return start, shift(start, "day", 1)


def utc_text(moment: datetime) -> str:
    """In the form in which the store keeps a time; a moment outside the store's calendar is its edge."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")
