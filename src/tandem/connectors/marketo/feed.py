"""What happened to people: first everyone, by ranges of ids, then three feeds of the activity log, for ever.

The cursor takes its tokens *before* the first range is read, so nothing falls between the copy and the feeds. Each
feed is a chain: the token of one answer opens the next, and a page without items is followed while ``moreResult`` is
true. Marketo may commit an activity later than its date, behind a token that has passed; so once per ``overlap_s`` all
feeds are read again from two overlaps back, and their items come twice (the store drops them by guid).

Change records say who changed, never reliably to what: their values are display strings. The caller reads the people.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from tandem.connectors.marketo.client import MarketoClient
from tandem.connectors.marketo.reader import VALUES_MAX, all_of, find_records
from tandem.connectors.marketo.wire import (
    Envelope,
    RowReader,
    WireActivity,
    parse_ids,
    parse_text,
    parse_time,
    render_time,
)
from tandem.core.errors import CursorExpiredError
from tandem.core.record import PERSON, ChangeRecord, Cursor, Presence, RecordId, RecordKey, Side
from tandem.ports import Clock, Page, Reading

CHANGES: Final = "leadchanges"
MERGES: Final = "query"
DELETIONS: Final = "deletedleads"

NEW_LEAD: Final = 12
MERGE_LEADS: Final = 32
DELETE_LEAD: Final = 37

SKEW_S: Final = 300
"""The first tokens start so long before our clock's time: Marketo's may differ."""

WINDOW_DAYS_MAX: Final = 8192
"""About 22 years: before Marketo. New Lead activities are kept for ever."""

NEVER_CHANGED: Final = frozenset({"id", "createdAt", "updatedAt"})
"""Fields that no change record names."""

PAGE_ITEMS: Final = 300


@dataclass(frozen=True, slots=True)
class FeedCadence:
    """How often each feed is asked, and how far back the late ones are looked for."""

    changes_s: float = 15
    merges_s: float = 30
    deletions_s: float = 60
    overlap_s: float = 3600

    def of(self, feed: str) -> float:
        return {CHANGES: self.changes_s, MERGES: self.merges_s, DELETIONS: self.deletions_s}[feed]


class Chain(msgspec.Struct, frozen=True):
    """One feed's place: its token, the time (epoch seconds) up to which it was read, when it is due again."""

    token: str
    at: float
    due: float


class Place(msgspec.Struct, frozen=True):
    """The cursor. ``next`` is the first id of the full read not read yet, 0 once all are. ``again`` holds the tokens of
    a re-read of the overlap that is under way."""

    next: int
    highest: int
    feeds: dict[str, Chain]
    again: dict[str, str]
    again_from: float
    again_due: float

    def as_cursor(self) -> Cursor:
        return Cursor(msgspec.json.encode(self).decode())


@dataclass(slots=True)
class _Gathered:
    """What a page will hold; small answers are gathered into one."""

    touched: list[ChangeRecord] = field(default_factory=list)
    suspects: list[Reading] = field(default_factory=list)
    complete_until: datetime | None = None

    @property
    def is_full(self) -> bool:
        return len(self.touched) + len(self.suspects) >= PAGE_ITEMS

    def add(self, activity: WireActivity) -> None:
        match activity.activity_type_id:
            case 32:
                self._add_merge(activity)
            case 37:
                self.suspects.append(Reading(RecordId(str(activity.lead_id)), presence=Presence.SUSPECT))
            case _:
                self.touched += change_records(activity)

    def _add_merge(self, activity: WireActivity) -> None:
        winner = RecordId(str(activity.lead_id))
        losers = [id_ for id_ in parse_ids(activity.attribute("Merge IDs")) if id_ != winner]
        self.suspects += [Reading(id_, presence=Presence.SUSPECT, merged_into=winner) for id_ in losers]
        self.touched += change_records(activity)

    def page(self, place: Place, *, is_last: bool) -> Page:
        return Page(
            readings=self.suspects,
            touched=self.touched,
            cursor=place.as_cursor(),
            is_last=is_last,
            complete_until=self.complete_until,
        )


class PersonFeed:
    def __init__(
        self,
        client: MarketoClient,
        clock: Clock,
        cadence: FeedCadence,
        *,
        ranges_at_once: int,
        changes_horizon_days: float,
        deletions_horizon_days: float,
    ) -> None:
        self._client = client
        self._clock = clock
        self._cadence = cadence
        self._ranges_at_once = ranges_at_once
        self._horizons_s = {
            CHANGES: changes_horizon_days * 86_400,
            MERGES: changes_horizon_days * 86_400,
            DELETIONS: deletions_horizon_days * 86_400,
        }

    async def pages(self, cursor: Cursor | None, rows: RowReader) -> AsyncIterator[Page]:
        place = await self._begin() if cursor is None else parse_cursor(cursor)
        self._check_age(place)
        while place.next:
            page, place = await self._read_ranges(place, rows)
            yield page
        async for page in self._poll(place, rows.fields):
            yield page

    # --- the full read

    async def _begin(self) -> Place:
        now = self._clock.now()
        token = await self._client.paging_token(render_time(now - timedelta(seconds=SKEW_S)))
        at = now.timestamp()
        highest = await self._find_highest_id(now)
        return Place(
            next=1 if highest else 0,
            highest=highest,
            feeds={feed: Chain(token, at, at) for feed in (CHANGES, MERGES, DELETIONS)},
            again={},
            again_from=at,
            again_due=at + self._cadence.overlap_s,
        )

    async def _find_highest_id(self, now: datetime) -> int:
        """Ids only grow, so the highest is that of the youngest person: looked for in windows that double back."""
        days = 1
        while days <= WINDOW_DAYS_MAX:
            token = await self._client.paging_token(render_time(now - timedelta(days=days)))
            highest = await self._find_highest_since(token)
            if highest:
                return highest
            days *= 2
        return 0

    async def _find_highest_since(self, token: str) -> int:
        highest, more = 0, True
        while more:
            answer = await self._client.feed("query", token, {"activityTypeIds": str(NEW_LEAD)})
            highest = max([highest, *(activity.lead_id for activity in answer.rows(WireActivity))])
            more, token = _goes_on(answer, token)
        return highest

    async def _read_ranges(self, place: Place, rows: RowReader) -> tuple[Page, Place]:
        """Several ranges at once, as one page in the order of ids."""
        end = min(place.highest + 1, place.next + VALUES_MAX * self._ranges_at_once)
        starts = range(place.next, end, VALUES_MAX)
        found = await all_of(
            find_records(self._client, PERSON, rows, "id", range(start, min(start + VALUES_MAX, end)))
            for start in starts
        )
        readings = [reading for page in found for reading in page]
        behind = msgspec.structs.replace(place, next=0 if end > place.highest else end)
        page = Page(
            readings=readings,
            cursor=behind.as_cursor(),
            is_last=False,
            is_full_read=True,
            rows_expected=place.highest,
        )
        return page, behind

    # --- the feeds

    async def _poll(self, place: Place, fields: Sequence[str]) -> AsyncIterator[Page]:
        began = self._clock.now()
        place = await self._with_overlap(place, began)
        due = [feed for feed, chain in place.feeds.items() if began.timestamp() >= chain.due]
        steps = [(feed, False) for feed in due] + [(feed, True) for feed in place.again]
        gathered = _Gathered()
        while steps:
            feed, is_again = steps[0]
            token = place.again[feed] if is_again else place.feeds[feed].token
            asked_at = self._clock.now().timestamp()
            answer = await self._client.feed(feed, token, _parameters(feed, fields))
            for activity in answer.rows(WireActivity):
                gathered.add(activity)
            more, token = _goes_on(answer, token)
            if not more:
                steps.pop(0)
            if is_again:
                place = _moved_again(place, feed, token if more else None)
            elif more:
                place = _moved(place, feed, msgspec.structs.replace(place.feeds[feed], token=token))
            else:
                due_at = began.timestamp() + self._cadence.of(feed)
                place = _moved(place, feed, Chain(token, asked_at, due_at))
                gathered.complete_until = began if feed == CHANGES else gathered.complete_until
            if gathered.is_full or not steps:
                yield gathered.page(place, is_last=not steps)
                gathered = _Gathered()

    async def _with_overlap(self, place: Place, began: datetime) -> Place:
        """The place with a re-read under way, when one is due: from one overlap before the last one began, so that
        whatever is committed less than an overlap late is seen by one of them."""
        if place.again or began.timestamp() < place.again_due:
            return place
        since = datetime.fromtimestamp(place.again_from - self._cadence.overlap_s, UTC)
        token = await self._client.paging_token(render_time(since))
        return msgspec.structs.replace(
            place,
            again=dict.fromkeys(place.feeds, token),
            again_from=began.timestamp(),
            again_due=began.timestamp() + self._cadence.overlap_s,
        )

    def _check_age(self, place: Place) -> None:
        now = self._clock.now().timestamp()
        for feed, chain in place.feeds.items():
            if now - chain.at > self._horizons_s[feed]:
                raise _expired(f"Marketo's {feed} feed was last read longer ago than Marketo remembers")


def parse_cursor(cursor: Cursor) -> Place:
    try:
        return msgspec.json.decode(cursor, type=Place)
    except msgspec.DecodeError:
        raise _expired("The cursor of Marketo's people is not readable") from None


def change_records(activity: WireActivity) -> list[ChangeRecord]:
    """One for each field that changed; one without a field for news of the whole person (New Lead, merge winner)."""
    key = RecordKey(Side.MARKETING, PERSON, RecordId(str(activity.lead_id)))
    at, source = parse_time(activity.activity_date), parse_text(activity.attribute("Source"))
    if not activity.fields:
        return [ChangeRecord(activity.guid, key, at, source=source)]
    first, *rest = activity.fields
    named = [(activity.guid, first), *((f"{activity.guid}:{change.name}", change) for change in rest)]
    return [
        ChangeRecord(guid, key, at, change.name, parse_text(change.old_value), parse_text(change.new_value), source)
        for guid, change in named
    ]


def _parameters(feed: str, fields: Sequence[str]) -> Mapping[str, str]:
    match feed:
        case "leadchanges":
            return {"fields": ",".join(name for name in dict.fromkeys(fields) if name not in NEVER_CHANGED)}
        case "query":
            return {"activityTypeIds": str(MERGE_LEADS)}
        case _:
            return {}


def _goes_on(answer: Envelope, token: str) -> tuple[bool, str]:
    """Whether more is to be read now, and from where. A server that says so without moving is not asked for ever."""
    behind = answer.next_page_token or token
    return answer.more_result and behind != token, behind


def _moved(place: Place, feed: str, chain: Chain) -> Place:
    return msgspec.structs.replace(place, feeds={**place.feeds, feed: chain})


def _moved_again(place: Place, feed: str, token: str | None) -> Place:
    again = {name: old for name, old in place.again.items() if name != feed}
    return msgspec.structs.replace(place, again={feed: token, **again} if token else again)


def _expired(text: str) -> CursorExpiredError:
    return CursorExpiredError(f"{text}; everyone is read again.", side=Side.MARKETING, operation="changes")
