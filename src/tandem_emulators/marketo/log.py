"""The activity log: what happened, when it happened, and when a reader may see it.

An activity has a date and a commit time. Feeds walk in *commit* order, so that a reader who chains its token never
misses an entry that commits late with an older date; a fresh date token also filters by date, until its chain has
caught up with the present. One call looks at one block of the log: what it returns may be short, or empty, while
there is more (5.2).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from tandem_emulators.marketo.paging import FeedToken
from tandem_emulators.marketo.settings import Settings
from tandem_emulators.marketo.store import Store, encode, marks

NEW_LEAD, CHANGE_DATA_VALUE, CHANGE_SCORE = 12, 13, 22
ADD_TO_LIST, REMOVE_FROM_LIST, MERGE_LEADS, DELETE_LEAD = 24, 25, 32, 37

DAY_S = 86_400
# Days an entry is kept (5.4): a deletion 14, what is frequent 90, the rest 25 months, a new lead for ever.
RETENTION_DAYS = {37: 14} | dict.fromkeys((1, 3, 6, 7, 13, 19, 22, 24, 28, 36, 47, 300), 90)
REST_DAYS = 761


@dataclass(slots=True)
class Activity:
    """What is to be logged; not frozen, as one is made for every changed field and freezing doubles its cost."""

    lead_id: int
    type_id: int
    primary_id: int | None
    primary_value: str | None
    attributes: dict[str, Any] = field(default_factory=dict)
    field: str | None = None
    date_s: int | None = None  # when it happened, where that is not when it was written


class Entry(NamedTuple):
    """An activity as it stands in the log."""

    id: int
    lead_id: int
    type_id: int
    date_s: int
    field: str | None
    primary_id: int | None
    primary_value: str | None
    attributes: bytes
    campaign_id: int | None


@dataclass(frozen=True, slots=True)
class Page:
    entries: list[Entry]
    token: FeedToken
    more: bool


class ActivityLog:
    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings

    def write(self, activities: Sequence[Activity], at_ms: int, campaign_id: int | None = None) -> int:
        """Log what happened at that moment; each entry becomes readable after its own delay. The id of the first."""
        first = self._next_id()
        self._store.run_many(
            "INSERT INTO activity VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(*self._row(first + offset, activity, at_ms), campaign_id) for offset, activity in enumerate(activities)],
        )
        return first

    def repoint(self, losers: Sequence[int], winner: int) -> None:
        """A merge takes the losers' history along."""
        self._store.run(
            f"UPDATE activity SET lead_id = ? WHERE type_id <> ? AND lead_id IN ({marks(losers)})",
            (winner, DELETE_LEAD, *losers),
        )

    def read(self, token: FeedToken, now_ms: int, wanted: Callable[[Entry], bool], size: int) -> Page:
        """One page: at most `size` wanted entries out of one block of the log."""
        now_s = now_ms // 1000
        found: list[Entry] = []
        place = token
        for position, (committed_ms, *columns) in enumerate(self._block(token, now_ms)):
            if len(found) == size or position == self._settings.feed_block:
                return Page(found, place, more=True)
            entry = Entry._make(columns)
            place = FeedToken(token.since_s, committed_ms, entry.id)
            if entry.date_s >= token.since_s and is_kept(entry.type_id, entry.date_s, now_s) and wanted(entry):
                found.append(entry)
        return Page(found, FeedToken(0, place.committed_ms, place.activity_id), more=False)

    def start(self, since_s: int) -> FeedToken:
        """The token of a date: an activity is never committed before its date."""
        return FeedToken(since_s, since_s * 1000 - 1, 0)

    def _block(self, token: FeedToken, now_ms: int) -> Iterator[tuple[Any, ...]]:
        return self._store.rows(
            "SELECT committed_ms, id, lead_id, type_id, date_s, field, primary_id, primary_value, attributes,"
            " campaign_id FROM activity WHERE (committed_ms, id) > (?, ?) AND committed_ms <= ?"
            " ORDER BY committed_ms, id LIMIT ?",
            (token.committed_ms, token.activity_id, now_ms, self._settings.feed_block + 1),
        )

    def _next_id(self) -> int:
        return self._store.number("SELECT seq FROM sqlite_sequence WHERE name = 'activity'") + 1

    def _row(self, number: int, activity: Activity, at_ms: int) -> tuple[Any, ...]:
        return (
            number,
            activity.lead_id,
            activity.type_id,
            at_ms // 1000 if activity.date_s is None else activity.date_s,
            at_ms + self._delay_ms(number),
            activity.field,
            activity.primary_id,
            activity.primary_value,
            encode(activity.attributes).decode(),
        )

    def _delay_ms(self, number: int) -> int:
        """Between nothing and the lag, always the same for the same entry; some come much later if so set."""
        share = (number * 2_654_435_761 % 2**32) / 2**32
        delay_s = share * self._settings.activity_lag_s
        if (number * 40_503 % 65_536) / 65_536 < self._settings.late_share:
            delay_s += self._settings.late_delay_s
        return int(delay_s * 1000)


def is_kept(type_id: int, date_s: int, now_s: int) -> bool:
    """Whether an entry of that date is not yet too old to be told of."""
    return type_id == NEW_LEAD or date_s >= now_s - RETENTION_DAYS.get(type_id, REST_DAYS) * DAY_S


def of_types(types: Iterable[int]) -> Callable[[Entry], bool]:
    wanted = frozenset(types)
    return lambda entry: entry.type_id in wanted


def attribute_list(entry: Entry) -> list[dict[str, Any]]:
    return [{"name": name, "value": value} for name, value in msgspec.json.decode(entry.attributes).items()]
