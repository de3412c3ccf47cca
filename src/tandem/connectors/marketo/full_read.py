"""Everyone there is, with present values: by ranges of ids, or by files where these cost less.

Nobody can ask Marketo for all people. Ids only grow, so ranges of 300 up to the youngest person's id bring everybody;
a file brings everybody created in a month. A look at a few ranges tells which is cheaper. Either way goes on behind
each of its pages, and a way by files that comes to nothing is left for the ranges.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from math import ceil
from typing import Final

import msgspec

from tandem.connectors.marketo.budget import DayLedger
from tandem.connectors.marketo.client import MarketoClient
from tandem.connectors.marketo.costs import BATCH_MAX, Population, Prices, is_extract_cheaper
from tandem.connectors.marketo.extract import WINDOW, ExtractReader, can_be_extracted, full_page
from tandem.connectors.marketo.place import ExtractPlace, Place
from tandem.connectors.marketo.reader import all_of, find_records
from tandem.connectors.marketo.wire import (
    Envelope,
    RowReader,
    WireActivity,
    WireCreated,
    goes_on,
    parse_time,
    render_time,
)
from tandem.core.record import PERSON
from tandem.ports import Clock, Page

NEW_LEAD: Final = 12

SEARCH_DAYS_MAX: Final = 8192
"""About 22 years: before Marketo. New Lead activities are kept for ever."""

SMALL: Final = 6_000
"""Ids that are read by ranges without another thought: 20 calls."""

LOOKS_MAX: Final = 100
"""Calls to find the first person: a small part of what a file is chosen to save."""


class Way(StrEnum):
    """How everybody is read."""

    CHEAPEST = "cheapest"
    RANGES = "ranges"
    FILES = "files"


class FullRead:
    def __init__(
        self,
        client: MarketoClient,
        clock: Clock,
        ledger: DayLedger,
        *,
        way: Way,
        ranges_at_once: int,
        calls_per_s: float,
        bytes_a_day: int,
        part_bytes: int,
    ) -> None:
        self._client = client
        self._clock = clock
        self._ledger = ledger
        self._way = way
        self._ranges_at_once = ranges_at_once
        self._calls_per_s = calls_per_s
        self._bytes_a_day = bytes_a_day
        self._extract = ExtractReader(client, clock, part_bytes=part_bytes)

    async def begin(self, place: Place, rows: RowReader) -> Place:
        """`place` with the full read before it."""
        now = self._clock.now()
        highest = await self._find_highest_id(now)
        if highest == 0:
            return place
        by_ranges = msgspec.structs.replace(place, next=1, highest=highest)
        if self._way is Way.RANGES or not can_be_extracted(rows):
            return by_ranges
        if self._way is Way.CHEAPEST and highest <= SMALL:
            return by_ranges
        since = await self._find_first_creation(highest)
        if since is None:
            return by_ranges
        if self._way is Way.CHEAPEST and not await self._are_files_cheaper(highest, since, now, rows):
            return by_ranges
        extract = ExtractPlace(since=since.timestamp(), until=now.timestamp())
        return msgspec.structs.replace(place, highest=highest, extract=extract)

    async def next_page(self, place: Place, rows: RowReader) -> tuple[Page, Place]:
        if place.extract is not None:
            return await self._extract.next_page(place, rows)
        return await self._read_ranges(place, rows)

    # --- by ranges

    async def _read_ranges(self, place: Place, rows: RowReader) -> tuple[Page, Place]:
        """Several ranges at once, as one page in the order of ids."""
        end = min(place.highest + 1, place.next + BATCH_MAX * self._ranges_at_once)
        found = await all_of(
            find_records(self._client, PERSON, rows, "id", range(start, min(start + BATCH_MAX, end)))
            for start in range(place.next, end, BATCH_MAX)
        )
        readings = [reading for page in found for reading in page]
        behind = msgspec.structs.replace(place, next=0 if end > place.highest else end)
        return full_page(readings, behind), behind

    async def _find_highest_id(self, now: datetime) -> int:
        """Ids only grow, so the highest is that of the youngest person: looked for in windows that double back."""
        days = 1
        while days <= SEARCH_DAYS_MAX:
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
            more, token = goes_on(answer, token)
        return highest

    # --- which way

    async def _find_first_creation(self, highest: int) -> datetime | None:
        """When the first person of those that are left was created, less a day: ids grow with time, so it is one of the
        first range that has anybody. None where that is far from the start: most ids are nobody's."""
        for start in range(1, min(highest, LOOKS_MAX * BATCH_MAX) + 1, BATCH_MAX):
            answer = await self._sample(start, ["createdAt"])
            times = [parse_time(each.created_at) for each in answer.rows(WireCreated) if each.created_at]
            if times:
                return min(times) - timedelta(days=1)
        return None

    async def _are_files_cheaper(self, highest: int, since: datetime, now: datetime, rows: RowReader) -> bool:
        starts = [max(1, highest * part // 4) for part in (1, 2, 3)]
        samples = await all_of(self._sample(start, rows.fields) for start in starts)
        people = sum(len(answer.rows(WireCreated)) for answer in samples)
        size = sum(len(bytes(answer.result)) for answer in samples)
        population = Population(
            highest=highest,
            people=ceil(highest * people / (BATCH_MAX * len(samples))),
            row_bytes=size / max(1, people),
            windows=ceil((now - since) / WINDOW),
        )
        prices = Prices(self._calls_per_s, self._ledger.left, self._ledger.resets_in_s)
        return is_extract_cheaper(population, prices, bytes_left=self._bytes_a_day)

    async def _sample(self, start: int, fields: Sequence[str]) -> Envelope:
        ids = ",".join(map(str, range(start, start + BATCH_MAX)))
        params = {"filterType": "id", "filterValues": ids, "fields": ",".join(dict.fromkeys(["id", *fields]))}
        return await self._client.query("leads.query", "/rest/v1/leads.json", params)
