"""Dates and times. A time of Dynamics is an instant in UTC, or (time zone independent) what a clock on the wall shows.

Where one side keeps dates and the other times, a date is the day in the zone of the settings (``crm.time_zone``): the
day on which people there saw it happen. A date alone becomes that day's midnight there.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final

from tandem.core.mapping import NotExpressibleError
from tandem.core.record import Value

_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
_DATETIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@dataclass(frozen=True, slots=True)
class Moment:
    """A date or a time on each side. ``zone`` is UTC for what is no instant: a date, or a time without a zone."""

    crm_is_date: bool = False
    marketing_is_date: bool = False
    zone: tzinfo = UTC

    def to_marketing(self, value: Value) -> Value:
        return self._moment(self._moment(value, is_date=self.crm_is_date), is_date=self.marketing_is_date)

    def to_crm(self, value: Value) -> Value:
        return self._moment(self._moment(value, is_date=self.marketing_is_date), is_date=self.crm_is_date)

    def _moment(self, value: Value, *, is_date: bool) -> str | None:
        match value:
            case None:
                return None
            case str() if _DATETIME.fullmatch(value):
                return self._day_of(value) if is_date else value
            case str() if _DATE.fullmatch(value):
                return value if is_date else self._midnight_of(value)
            case _:
                raise NotExpressibleError("the value is not a date or time")

    def _day_of(self, time: str) -> str:
        if self.zone is UTC:
            return time[:10]
        return _iso_date(_parsed(time[:19], UTC, self.zone))

    def _midnight_of(self, day: str) -> str:
        if self.zone is UTC:
            return f"{day}T00:00:00Z"
        there = _parsed(f"{day}T00:00:00", self.zone, UTC)
        return f"{_iso_date(there)}T{there:%H:%M:%S}Z"


def _parsed(text: str, zone: tzinfo, target: tzinfo) -> datetime:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(target)
    except (ValueError, OverflowError) as error:
        raise NotExpressibleError("the value is not a date or time") from error


def _iso_date(at: datetime) -> str:
    return f"{at.year:04}-{at.month:02}-{at.day:02}"
