"""What happened to people: first everyone (``full_read``), then three feeds of the activity log, for ever: changes,
deletions, and merges with what lists people came into or left.

The cursor takes its tokens *before* anybody is read, so nothing falls between the copy and the feeds. Each feed is a
chain: the token of one answer opens the next, and a page without items is followed while ``moreResult`` is
true. Marketo may commit an activity later than its date, behind a token that has passed; so once per ``overlap_s`` all
feeds are read again from two overlaps back, and their items come twice (the store drops them by guid).

Change records say who changed, never reliably to what: their values are display strings. The caller reads the people.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

import msgspec

from tandem.connectors.marketo.budget import DayLedger
from tandem.connectors.marketo.client import MarketoClient
from tandem.connectors.marketo.full_read import FullRead
from tandem.connectors.marketo.place import Chain, Place, expired, parse_cursor
from tandem.connectors.marketo.reader import all_of
from tandem.connectors.marketo.wire import (
    Envelope,
    RowReader,
    WireActivity,
    goes_on,
    parse_ids,
    parse_text,
    parse_time,
    render_time,
)
from tandem.core.record import PERSON, ChangeRecord, Cursor, Presence, RecordId, RecordKey, Side
from tandem.ports import Clock, Page, Reading

CHANGES: Final = "leadchanges"
MERGES: Final = "query"
DELETIONS: Final = "deletedleads"

ADD_TO_LIST: Final = 24
REMOVE_FROM_LIST: Final = 25
MERGE_LEADS: Final = 32

STREAMS_AT_ONCE: Final = 2
"""Feeds asked at the same time: the others' calls are not kept waiting behind ours."""

SKEW_S: Final = 300
"""The first tokens start so long before our clock's time: Marketo's may differ."""

NEVER_CHANGED: Final = frozenset({"id", "createdAt", "updatedAt"})
"""Fields that no change record names."""

PAGE_ITEMS: Final = 300

_Step: TypeAlias = tuple[str, bool]
"""A feed to be asked, and whether it is the re-read of its overlap."""


@dataclass(frozen=True, slots=True)
class FeedCadence:
    """How often each feed is asked, and how far back the late ones are looked for."""

    changes_s: float = 15
    merges_s: float = 30
    deletions_s: float = 60
    overlap_s: float = 3600

    @property
    def calls_per_s(self) -> float:
        """Of a quiet subscription."""
        return 1 / self.changes_s + 1 / self.merges_s + 1 / self.deletions_s

    def of(self, feed: str) -> float:
        return {CHANGES: self.changes_s, MERGES: self.merges_s, DELETIONS: self.deletions_s}[feed]


@dataclass(slots=True)
class _Gathered:
    """What a page will hold; small answers are gathered into one."""

    touched: list[ChangeRecord] = field(default_factory=list)
    suspects: list[Reading] = field(default_factory=list)
    complete_until: datetime | None = None
    _guids: set[str] = field(default_factory=set)

    @property
    def is_full(self) -> bool:
        return len(self.touched) + len(self.suspects) >= PAGE_ITEMS

    def add(self, activity: WireActivity) -> None:
        match activity.activity_type_id:
            case 32:
                self._add_merge(activity)
            case 37:
                self.suspects.append(Reading(RecordId(str(activity.lead_id)), presence=Presence.SUSPECT))
            case 24 | 25:
                self.touched.append(membership_record(activity))
            case _:
                self.touched += change_records(activity)

    def add_all(self, activities: Iterable[WireActivity]) -> None:
        """Each activity once, though a re-read of the overlap brings it again."""
        for activity in activities:
            if activity.guid == "" or activity.guid not in self._guids:
                self._guids.add(activity.guid)
                self.add(activity)

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
        full_read: FullRead,
        ledger: DayLedger,
        *,
        changes_horizon_days: float,
        deletions_horizon_days: float,
    ) -> None:
        self._client = client
        self._clock = clock
        self._cadence = cadence
        self._full_read = full_read
        self._ledger = ledger
        self._horizons_s = {
            CHANGES: changes_horizon_days * 86_400,
            MERGES: changes_horizon_days * 86_400,
            DELETIONS: deletions_horizon_days * 86_400,
        }

    async def pages(self, cursor: Cursor | None, rows: RowReader) -> AsyncIterator[Page]:
        place = await self._full_read.begin(await self.begin(), rows) if cursor is None else parse_cursor(cursor)
        self._check_age(place)
        while place.is_full_read:
            page, place = await self._full_read.next_page(place, rows)
            yield page
        async for page in self._poll(place, rows.fields):
            yield page

    async def begin(self, since: datetime | None = None) -> Place:
        """Before anybody is read, the tokens: what happens from now on is in the feeds."""
        now = self._clock.now()
        token = await self._client.paging_token(render_time((since or now) - timedelta(seconds=SKEW_S)))
        at = now.timestamp()
        return Place(
            next=0,
            highest=0,
            feeds={feed: Chain(token, at, at) for feed in (CHANGES, MERGES, DELETIONS)},
            again={},
            again_from=at,
            again_due=at + self._cadence.overlap_s,
        )

    # --- the feeds

    async def _poll(self, place: Place, fields: Sequence[str]) -> AsyncIterator[Page]:
        began = self._clock.now()
        place = await self._with_overlap(place, began)
        due = [feed for feed, chain in place.feeds.items() if began.timestamp() >= chain.due]
        steps = [(feed, False) for feed in due] + [(feed, True) for feed in place.again]
        gathered = _Gathered()
        while steps:
            asked_at = self._clock.now().timestamp()
            asked = steps[:STREAMS_AT_ONCE]
            answers = await all_of(self._ask(place, step, fields) for step in asked)
            for step, answer in zip(asked, answers, strict=True):
                gathered.add_all(answer.rows(WireActivity))
                place, is_over = self._behind(place, step, answer, began.timestamp(), asked_at)
                if is_over:
                    steps.remove(step)
                if is_over and step == (CHANGES, False):
                    gathered.complete_until = began
            if gathered.is_full or not steps:
                yield gathered.page(place, is_last=not steps)
                gathered = _Gathered()

    async def _ask(self, place: Place, step: _Step, fields: Sequence[str]) -> Envelope:
        feed, is_again = step
        token = place.again[feed] if is_again else place.feeds[feed].token
        return await self._client.feed(feed, token, _parameters(feed, fields))

    def _behind(self, place: Place, step: _Step, answer: Envelope, began: float, asked_at: float) -> tuple[Place, bool]:
        """The place behind an answer, and whether its chain is at its end for now."""
        feed, is_again = step
        if is_again:
            more, token = goes_on(answer, place.again[feed])
            return _moved_again(place, feed, token if more else None), not more
        chain = place.feeds[feed]
        more, token = goes_on(answer, chain.token)
        if more:
            return _moved(place, feed, msgspec.structs.replace(chain, token=token)), False
        due = began + self._cadence.of(feed) * self._ledger.stretch(self._cadence.calls_per_s)
        return _moved(place, feed, Chain(token, asked_at, due)), True

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
                raise expired(f"Marketo's {feed} feed was last read longer ago than Marketo remembers")


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


def membership_record(activity: WireActivity) -> ChangeRecord:
    """A person came into a list, or left it: no field of the person, so ``field`` is None; ``new`` is the id of the
    list that the person is in since, ``old`` of the one it is no longer in."""
    key = RecordKey(Side.MARKETING, PERSON, RecordId(str(activity.lead_id)))
    list_id = parse_text(activity.primary_attribute_value_id)
    old, new = (None, list_id) if activity.activity_type_id == ADD_TO_LIST else (list_id, None)
    at = parse_time(activity.activity_date)
    return ChangeRecord(activity.guid, key, at, None, old, new, parse_text(activity.attribute("Source")))


def _parameters(feed: str, fields: Sequence[str]) -> Mapping[str, str]:
    match feed:
        case "leadchanges":
            return {"fields": ",".join(name for name in dict.fromkeys(fields) if name not in NEVER_CHANGED)}
        case "query":
            return {"activityTypeIds": ",".join(map(str, (MERGE_LEADS, ADD_TO_LIST, REMOVE_FROM_LIST)))}
        case _:
            return {}


def _moved(place: Place, feed: str, chain: Chain) -> Place:
    return msgspec.structs.replace(place, feeds={**place.feeds, feed: chain})


def _moved_again(place: Place, feed: str, token: str | None) -> Place:
    again = {name: old for name, old in place.again.items() if name != feed}
    return msgspec.structs.replace(place, again={feed: token, **again} if token else again)
