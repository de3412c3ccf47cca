"""The change feed of one table: a full read, then only what changed, one opaque cursor through both.

Where Dataverse tracks changes, the full read ends in a delta link and each delta in the next one: no gap, deletions
included. Where it does not (``systemuser`` in many environments), the feed reads by ``modifiedon``: whole seconds, so
each sweep overlaps the one before, and rows whose version stands are left out. A page that comes again byte for byte is
not even decoded: a table at rest answers with its newest minute for ever, and that may be all of it after an import.
That feed knows no deletions, and a table of pairs has no time of modification at all: what these lack is found by
comparing ids (``sweep``).

A cursor carries the fields it was made for, because a delta link fixes its columns: with other fields it is expired.
"""

import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

import msgspec

from tandem.connectors.dynamics.client import DynamicsClient
from tandem.connectors.dynamics.errors import NO_RESOURCE, NOT_TRACKED
from tandem.connectors.dynamics.schema import Table
from tandem.connectors.dynamics.wire import Rows, RowShape
from tandem.core.backfill import Since, Span
from tandem.core.errors import CursorExpiredError, RejectedError, SchemaChangedError
from tandem.core.record import Cursor, Side
from tandem.ports import Clock, Page

COUNT_MAX: Final = 5000
"""``$count`` never says more."""

OVERLAP_S: Final = 60.0
_SKEW: Final = timedelta(minutes=5)
"""Our clock may be ahead of the service's by so much."""
_WINDOW_MAX: Final = 1000
_DIGESTS_MAX: Final = 20
MODIFIED_AT: Final = "modifiedon"
_SPAN_COLUMNS: Final = {Since.CREATED: "createdon", Since.UPDATED: MODIFIED_AT}
_TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%SZ"


class _Place(msgspec.Struct, omit_defaults=True, frozen=True):
    """What a cursor holds. ``path`` is a link without its host: the service may move to another address.

    ``full``: inside a tracked full read. ``delta``: at or inside a delta. ``rows``: inside the full read of a table of
    pairs, or (``path`` None) behind it: nothing follows. ``modified``: in a sweep by modification time
    (``path`` None: before the next one); ``since`` is None in the first sweep, the full read; ``highest`` is the latest
    modification seen, ``window`` the (time, version) of the rows that the next overlap brings again. ``before`` are
    digests of the pages of the sweep before this one, ``pages`` those of this one so far. ``is_refused``: the table
    says that it is tracked, and the service would not tell its changes. ``is_beside``: read by modification only until
    a full read beside it comes to its end, whatever the table says.
    """

    kind: Literal["full", "delta", "modified", "rows", "span"]
    fields: str
    path: str | None = None
    since: str | None = None
    highest: str | None = None
    window: dict[str, tuple[str, str]] = {}
    before: tuple[str, ...] = ()
    pages: tuple[str, ...] = ()
    is_refused: bool = False
    is_beside: bool = False

    def cursor(self) -> Cursor:
        return Cursor(msgspec.json.encode(self).decode())


class ChangeFeed:
    """The feed of one table for one list of fields. A cursor expires with another `salt`, too: whatever the readings
    depend on besides the rows."""

    def __init__(
        self,
        client: DynamicsClient,
        clock: Clock,
        table: Table,
        fields: Sequence[str],
        *,
        page_size: int,
        salt: str = "",
    ) -> None:
        self._client = client
        self._clock = clock
        self.table = table
        self._fields = fields
        self._page_size = page_size
        self._digest = fields_digest([*fields, salt] if salt else fields)
        self._operation = f"read changes of {table.entity}"

    async def pages(self, cursor: Cursor | None) -> AsyncIterator[Page]:
        """Pages from `cursor` to the end of the feed for now.

        Raises:
            CursorExpiredError: the service forgot the delta link, or the fields are others than the cursor's.
            SchemaChangedError: the table is not there any more.
        """
        try:
            async for page in self._pages(cursor):
                yield page
        except RejectedError as error:
            if error.code != NO_RESOURCE:
                raise
            text = f"Dynamics, {self._operation}: the table is not there any more; the mapping is made anew."
            raise SchemaChangedError(text, side=Side.CRM, operation=self._operation, code=error.code) from error

    async def _pages(self, cursor: Cursor | None) -> AsyncIterator[Page]:
        place = self._place(cursor)
        if place is None and self.table.is_tracked:
            try:
                async for page in self._tracked(None):
                    yield page
                return
            except RejectedError as error:
                if error.code not in NOT_TRACKED:
                    raise
            self._note_refused()
            place = self._first_place(is_refused=True)
        async for page in self._pages_from(place or self._first_place(is_refused=False)):
            yield page

    def _first_place(self, *, is_refused: bool) -> _Place:
        """Where a full read without change tracking begins."""
        if MODIFIED_AT in self.table.columns:
            return _Place("modified", self._digest, is_refused=is_refused)
        path = f"{self.table.set_name}?$select={RowShape(self.table, self._fields).select}"
        return _Place("rows", self._digest, path, is_refused=is_refused)

    def _pages_from(self, place: _Place) -> AsyncIterator[Page]:
        if place.kind == "rows":
            return self._all_rows(place)
        return self._by_modification(place) if place.kind == "modified" else self._tracked(place)

    def _note_refused(self) -> None:
        self.table = replace(self.table, is_tracked=False)

    def _place(self, cursor: Cursor | None) -> _Place | None:
        if cursor is None:
            return None
        try:
            place = msgspec.json.decode(cursor, type=_Place)
        except msgspec.DecodeError:
            raise self._expired("the stored cursor is not one of this connector") from None
        if place.fields != self._digest:
            raise self._expired("the mapped fields have changed since")
        if place.kind in ("modified", "rows") and self.table.is_tracked and not place.is_beside:
            if not place.is_refused:
                raise self._expired("change tracking has been switched on since")
            self._note_refused()
        return place

    def _expired(self, reason: str) -> CursorExpiredError:
        text = f"Dynamics, {self._operation}: {reason}; a full read is due."
        return CursorExpiredError(text, side=Side.CRM, operation=self._operation)

    # --- change tracking

    async def _tracked(self, place: _Place | None) -> AsyncIterator[Page]:
        """After the full read's last page come the changes since it began: they end the feed, not the full read."""
        expected = None if place is not None else await self._count()
        shape = RowShape(self.table, self._fields)
        place = place or _Place("full", self._digest, f"{self.table.set_name}?$select={shape.select}")
        began_at = self._clock.now()
        while True:
            is_full = place.kind == "full"
            rows = shape.parse_page(await self._read(str(place.path), is_tracking=is_full), self._operation)
            path = rows.next_path or rows.delta_path
            if path is None:
                raise self._no_link()
            is_last = rows.next_path is None and not is_full
            place = _Place("full" if is_full and rows.next_path else "delta", self._digest, path)
            yield Page(
                rows.readings,
                place.cursor(),
                is_last=is_last,
                is_full_read=is_full,
                complete_until=began_at if is_last else None,
                rows_expected=expected,
            )
            if is_last:
                return
            if is_full and place.kind == "delta":
                began_at, expected = self._clock.now(), None

    # --- beside a full read

    async def live_cursor(self, since: datetime | None) -> Cursor:
        """By modification time, tracked or not: no delta link begins without a full read. From now on means from the
        latest modification there is: the service's own time, so that our clock does not matter."""
        if MODIFIED_AT not in self.table.columns:
            return _Place("rows", self._digest, is_beside=True).cursor()
        start = (since - _SKEW).strftime(_TIME_FORMAT) if since else await self._latest()
        return _Place("modified", self._digest, since=start, highest=start, is_beside=True).cursor()

    async def _latest(self) -> str:
        shape = RowShape(self.table, (), [MODIFIED_AT])
        path = f"{self.table.set_name}?$select={MODIFIED_AT}&$orderby={MODIFIED_AT}%20desc&$top=1"
        newest = shape.parse_page(await self._read(path, is_tracking=False), self._operation)
        times = [getattr(row, shape.place[MODIFIED_AT]) for row in newest.raw]
        return next((str(at) for at in times if at), self._clock.now().strftime(_TIME_FORMAT))

    async def span_pages(self, cursor: Cursor | None, span: Span) -> AsyncIterator[Page]:
        """The rows made or modified in `span`, oldest first; the last page ends it."""
        place, shape = self._place(cursor), RowShape(self.table, self._fields)
        path = place.path if place else self._span_path(shape, span)
        while path is not None:
            rows = shape.parse_page(await self._read(path, is_tracking=False), self._operation)
            path = rows.next_path
            after = _Place("span", self._digest, path).cursor()
            yield Page(rows.readings, after, is_last=path is None, is_full_read=True)

    def _span_path(self, shape: RowShape, span: Span) -> str:
        column = _SPAN_COLUMNS[span.by]
        ends = ((span.since, "ge"), (span.until, "lt"))
        terms = [f"{column}%20{word}%20{at.astimezone(UTC).strftime(_TIME_FORMAT)}" for at, word in ends if at]
        order = f"$orderby={column}%20asc,{self.table.primary_id}%20asc"
        return f"{self.table.set_name}?$select={shape.select}&{order}&$filter={'%20and%20'.join(terms)}"

    async def _read(self, path: str, *, is_tracking: bool) -> bytes:
        """The page size is not part of a link: it is asked for each time."""
        size = f"odata.maxpagesize={self._page_size}"
        prefer = f"odata.track-changes,{size}" if is_tracking else size
        return (await self._client.get(self._operation, path, prefer=prefer)).body

    def _no_link(self) -> RejectedError:
        text = f"Dynamics, {self._operation}: the answer holds neither a next link nor a delta link."
        return RejectedError(text, side=Side.CRM, operation=self._operation, code="links")

    # --- by modification time

    async def _by_modification(self, place: _Place) -> AsyncIterator[Page]:
        expected = await self._count() if place.since is None and place.path is None else None
        shape = RowShape(self.table, self._fields, [MODIFIED_AT])
        began_at = self._clock.now()
        while True:
            body = await self._read(place.path or self._sweep(shape, place.since), is_tracking=False)
            digest = hashlib.blake2b(body, digest_size=8).hexdigest()
            came_before = place.before[len(place.pages) :][:1] == (digest,)
            rows = shape.parse_links(body, self._operation) if came_before else shape.parse_page(body, self._operation)
            fresh = [r for r in rows.readings if place.window.get(r.id, ("", ""))[1] != r.version]
            is_last, is_full = rows.next_path is None, place.since is None
            place = self._after(place, rows, shape.place[MODIFIED_AT], digest)
            yield Page(
                fresh,
                place.cursor(),
                is_last=is_last,
                is_full_read=is_full,
                complete_until=began_at if is_last else None,
                rows_expected=expected,
            )
            if is_last:
                return

    def _sweep(self, shape: RowShape, since: str | None) -> str:
        key = self.table.primary_id
        path = f"{self.table.set_name}?$select={shape.select}&$orderby={MODIFIED_AT}%20asc,{key}%20asc"
        if since is None:
            return path
        return f"{path}&$filter={MODIFIED_AT}%20ge%20{_earlier(since, OVERLAP_S)}"

    def _after(self, place: _Place, rows: Rows, modified_at: str, digest: str) -> _Place:
        modified = [str(getattr(row, modified_at) or "") for row in rows.raw]
        highest = max([place.highest or "", *modified])
        window = dict(place.window)
        window.update((str(r.id), (at, str(r.version))) for r, at in zip(rows.readings, modified, strict=True))
        if highest:
            edge = _earlier(highest, OVERLAP_S)
            window = {key: seen for key, seen in window.items() if seen[0] >= edge}
        if len(window) > _WINDOW_MAX:
            window = {}  # Rows that come twice do no harm; a cursor of megabytes would.
        is_end = rows.next_path is None
        pages = (*place.pages, digest)[:_DIGESTS_MAX] if place.since else ()
        return _Place(
            "modified",
            self._digest,
            path=rows.next_path,
            since=(highest or None) if is_end else place.since,
            highest=highest or None,
            window=window,
            before=pages if is_end else place.before,
            pages=() if is_end else pages,
            is_refused=place.is_refused,
            is_beside=place.is_beside,
        )

    # --- a table of pairs

    async def _all_rows(self, place: _Place) -> AsyncIterator[Page]:
        """One full read; what comes and goes afterwards is found by its ids."""
        shape, began_at = RowShape(self.table, self._fields), self._clock.now()
        expected = await self._count() if place.path else None
        while place.path is not None:
            rows = shape.parse_page(await self._read(place.path, is_tracking=False), self._operation)
            place = msgspec.structs.replace(place, path=rows.next_path)
            yield Page(
                rows.readings,
                place.cursor(),
                is_last=place.path is None,
                is_full_read=True,
                complete_until=began_at if place.path is None else None,
                rows_expected=expected,
            )

    # --- how many there are

    async def _count(self) -> int | None:
        """For a progress bar: exact below 5,000, above that the service's snapshot, which may be a day old."""
        operation = f"count {self.table.entity}"
        try:
            response = await self._client.get(operation, f"{self.table.set_name}/$count")
            count = int(response.body.decode("utf-8-sig"))
            if count < COUNT_MAX:
                return count
            path = f"RetrieveTotalRecordCount(EntityNames=@p1)?@p1=%5B%22{self.table.entity}%22%5D"
            totals = (await self._client.get_json(operation, path, _Totals)).counts.values
            return max(totals[0], COUNT_MAX) if totals else None
        except (RejectedError, ValueError):
            return None


class _Counts(msgspec.Struct):
    values: Sequence[int] = msgspec.field(name="Values", default=())


class _Totals(msgspec.Struct):
    counts: _Counts = msgspec.field(name="EntityRecordCountCollection")


def fields_digest(fields: Sequence[str]) -> str:
    return hashlib.sha256(",".join(sorted(set(fields))).encode()).hexdigest()[:16]


def _earlier(time: str, seconds: float) -> str:
    at = datetime.strptime(time, _TIME_FORMAT).replace(tzinfo=UTC) - timedelta(seconds=seconds)
    return at.strftime(_TIME_FORMAT)
