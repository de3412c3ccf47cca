"""The slow lane: what a pass does of a backfill, a bounded part each time, once the hot and the normal work is done.

First a backfill's pages are read into the inbox. When all of a stage's are there, its rows are worked off, some rounds
a pass; the end of a full read gives the feed a cursor that knows deletions too. A page's rows are stored before the
backfill's own cursor moves, so a crash re-reads at most a page.
"""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace

from tandem.core.backfill import Backfill
from tandem.core.errors import CursorExpiredError
from tandem.core.record import Entity, Lane, Presence, RecordKey, Side, State
from tandem.ports import Page
from tandem.runtime.backfill import join_same_work, open_backfills, remaining
from tandem.runtime.engine import Engine, News
from tandem.runtime.extract import store_page
from tandem.telemetry import get_logger

log = get_logger()


async def read_backfills(engine: Engine) -> dict[str, int]:
    """Go on reading, so many pages as a pass may; how many records came, by ``backfill.<side>.<entity>``."""
    join_same_work(engine.store, engine.clock.now())
    counts: dict[str, int] = {}
    pages_left = engine.settings.slow_pages
    for backfill in open_backfills(engine.store):
        if not _is_readable(engine, backfill):
            _saved(engine, replace(backfill, finished_at=engine.clock.now()))
        elif pages_left > 0 and not backfill.is_read:
            pages_left, count = await _read(engine, backfill, pages_left)
            counts[f"backfill.{backfill.side}.{backfill.entity}"] = count
    return counts


def _is_readable(engine: Engine, backfill: Backfill) -> bool:
    """A table may have been taken out of the settings since, and some objects of Marketo are only read by id."""
    entities = engine.mappings if backfill.side is Side.CRM else {m.marketing_entity for m in engine.mappings.values()}
    return backfill.entity in entities and engine.connector(backfill.side).has_feed(backfill.entity)


async def _read(engine: Engine, backfill: Backfill, pages_left: int) -> tuple[int, int]:
    """The pages left, and how many records came."""
    before = backfill.read
    if backfill.began is None:
        backfill = _saved(engine, replace(backfill, began=engine.begin_read()))
    try:
        async with aclosing(_pages(engine, backfill)) as pages:  # type: ignore[type-var]
            while pages_left > 0 and not backfill.is_read:
                number = engine.begin_read()
                page = await anext(pages, None)
                if page is not None:
                    await store_page(engine, backfill.side, backfill.entity, page, number, lane=Lane.SLOW)
                    engine.tell(News("backfill", backfill.name, backfill.read, page.rows_expected))
                backfill = _moved(engine, backfill, page)
                pages_left -= 1
    except CursorExpiredError:
        _saved(engine, replace(backfill, began=None, cursor=None, read=0))
        return pages_left, 0
    return pages_left, backfill.read - before


def _pages(engine: Engine, backfill: Backfill) -> AsyncIterator[Page]:
    connector, fields = engine.connector(backfill.side), engine.fields_of(backfill.side, backfill.entity)
    if backfill.span is not None:
        return connector.fetch_span(backfill.entity, backfill.cursor, fields, backfill.span)
    return connector.fetch_changes(backfill.entity, backfill.cursor, fields)


def _moved(engine: Engine, backfill: Backfill, page: Page | None) -> Backfill:
    """Behind `page`; None: the feed has nothing to tell just now, which a full read ends with too."""
    if page is not None:
        read = backfill.read + (len(page.readings) if page.is_full_read else 0)
        expected = page.rows_expected if page.rows_expected is not None else backfill.expected
        backfill = replace(backfill, cursor=page.cursor, read=read, expected=expected)
    if page is None or page.is_last:
        if backfill.span is None:
            _end_full_read(engine, backfill, page)
        backfill = replace(backfill, is_read=True, expected=backfill.read)
    return _saved(engine, backfill)


def _end_full_read(engine: Engine, backfill: Backfill, page: Page | None) -> None:
    """Links whose record did not come become suspects (one that was worked off meanwhile is read by id in vain), and
    the feed goes on from here."""
    side, entity, store = backfill.side, backfill.entity, engine.store
    assert backfill.began is not None
    number = engine.begin_read()
    missing = store.find_unseen(side, entity, backfill.began)
    suspects = [State(RecordKey(side, entity, id_), number, presence=Presence.SUSPECT) for id_ in missing]
    until = page.complete_until if page else None
    store.save_page(side, entity, suspects, [], backfill.cursor, complete_until=until, search={}, lane=Lane.SLOW)


def _saved(engine: Engine, backfill: Backfill) -> Backfill:
    engine.store.save_backfill(backfill)
    return backfill


# --- working off --------------------------------------------------------------------------------------------------


def stages_to_fill(engine: Engine) -> list[tuple[Entity, tuple[Entity, ...]]]:
    """Stages whose slow rows are all there: with both sides' rows in the inbox the look needs no call."""
    reading = {(b.side, b.entity) for b in open_backfills(engine.store) if not b.is_read}
    return [
        (marketing, crm)
        for marketing, crm in engine.stages
        if reading.isdisjoint([(Side.MARKETING, marketing), *((Side.CRM, entity) for entity in crm)])
    ]


def finish_backfills(engine: Engine) -> None:
    """Those of which nothing waits any more have come to their end."""
    for backfill in open_backfills(engine.store):
        if backfill.is_read and remaining(engine.store, backfill) == 0:
            engine.store.save_backfill(replace(backfill, finished_at=engine.clock.now()))
            facts = {"side": str(backfill.side), "entity": str(backfill.entity), "fields": list(backfill.pairs)}
            log.info("backfill.finished", records=backfill.read, **facts)
