"""Reads each side's feed from its cursor into the inbox.

One transaction stores a page's states and moves the cursor with it, so a crash anywhere re-reads at most a page. What
Marketo's change records name is read by id before the page is stored; records seen before are dropped by their guid.
"""

from collections.abc import Iterable, Sequence
from contextlib import aclosing
from dataclasses import replace

from tandem.core.dedupe import crm_dedupe_key, marketing_dedupe_key
from tandem.core.errors import CursorExpiredError, TransientError
from tandem.core.keys import marketing_key
from tandem.core.record import ChangeRecord, Entity, Lane, Presence, ReadNumber, RecordId, RecordKey, Side, State
from tandem.ports import Page, Reading
from tandem.runtime.backfill import FIRST_COPY, go_live
from tandem.runtime.ceiling import count_people
from tandem.runtime.engine import Engine, News
from tandem.runtime.restores import note_newest
from tandem.runtime.schema_watch import look_at_schema

LOOK_IN_INBOX = "look_in_inbox"
"""Setting: the inbox holds every marketing person that is not linked, so the look before a plan needs no call."""

FULL_READ = "full_read:{side}:{entity}"
"""Setting: the read number at which a full read began; ids of links that it did not bring are suspicions."""


async def extract(engine: Engine) -> dict[str, int]:
    """Read every feed that is due to its end; returns how many records were read by ``read.<side>.<entity>``.

    Raises:
        TransientError: a side is away; what the other one has to tell was read all the same.
        SchemaChangedError: a mapped field is not what it was.
    """
    counts: dict[str, int] = {}
    away: dict[Side, TransientError] = {}
    for marketing_entity, crm_entities in engine.stages:
        for side, entities in ((Side.CRM, crm_entities), (Side.MARKETING, (marketing_entity,))):
            for entity in entities:
                if side in away or not engine.connector(side).has_feed(entity):
                    continue
                try:
                    counts[f"read.{side}.{entity}"] = await _extract_entity(engine, side, entity)
                except TransientError as error:
                    away[side] = error
    for reason in away.values():
        raise reason
    return counts


async def _extract_entity(engine: Engine, side: Side, entity: Entity) -> int:
    store = engine.store
    is_copied = store.load_setting(FIRST_COPY) is not None
    if is_copied and store.load_cursor(side, entity) is None:
        await go_live(engine, side, entity, "not read yet")
    try:
        return await _read_feed(engine, side, entity)
    except CursorExpiredError:
        await look_at_schema(engine, side, entity)
        since = store.load_watermark(side, entity)
        store.reset_cursor(side, entity)
        if is_copied:
            await go_live(engine, side, entity, "the feed was forgotten", since)
        return await _read_feed(engine, side, entity)


async def _read_feed(engine: Engine, side: Side, entity: Entity) -> int:
    store, fields = engine.store, engine.fields_of(side, entity)
    cursor = store.load_cursor(side, entity)
    mark = FULL_READ.format(side=side, entity=entity)
    if cursor is None:
        store.save_setting(mark, str(engine.begin_read()))
    done = 0
    waiting: Page | None = None
    async with aclosing(engine.connector(side).fetch_changes(entity, cursor, fields)) as pages:  # type: ignore[type-var]
        while True:
            number = engine.begin_read()
            page = await anext(pages, None)
            if page is None:
                assert waiting is None, "a feed ends with a page that says so"
                break
            waiting = _joined(waiting, page)
            if not waiting.is_last and len(waiting.touched) > 0 and _touched_count(waiting) < _READ_TOGETHER:
                continue
            done += await store_page(engine, side, entity, waiting, number)
            engine.tell(News("read", f"{side} {entity}", done, page.rows_expected))
            waiting = None
            if page.is_last:
                _finish_full_read(engine, side, entity, mark)
    return done


_READ_TOGETHER = 300
"""Records named by change records that are read in one call (marketo-rest 3.2); pages of a feed wait for that many."""


def _touched_count(page: Page) -> int:
    return len({record.key.id for record in page.touched})


def _joined(first: Page | None, second: Page) -> Page:
    """Two pages of a feed as one, with the cursor behind both."""
    if first is None:
        return second
    return replace(second, readings=[*first.readings, *second.readings], touched=[*first.touched, *second.touched])


async def store_page(
    engine: Engine, side: Side, entity: Entity, page: Page, number: ReadNumber, *, lane: Lane = Lane.NORMAL
) -> int:
    """How many records it brought. In the slow lane the feed's own cursor stays where it is."""
    engine.lease.keep()
    is_live = lane is not Lane.SLOW
    states = {reading.id: to_state(side, entity, reading, number) for reading in page.readings}
    fresh = _fresh_records(engine, page.touched)
    ids = list(dict.fromkeys(record.key.id for record in fresh if record.key.id not in states))
    for state in await read_by_id(engine, side, entity, ids):
        states[state.key.id] = state if state.is_present else _as_suspect(state)
    engine.store.save_page(
        side,
        entity,
        list(states.values()),
        fresh,
        page.cursor if is_live else None,
        complete_until=page.complete_until if is_live else None,
        search=waiting_keys(engine, side, entity, states.values()),
        lane=lane,
    )
    if side is Side.CRM:
        note_newest(engine.store, entity, page.readings)
    return len(states)


def _fresh_records(engine: Engine, records: Sequence[ChangeRecord]) -> list[ChangeRecord]:
    if not records:
        return []
    known = engine.store.known_guids([record.guid for record in records])
    return [record for record in records if record.guid not in known]


def _as_suspect(state: State) -> State:
    """A record named by a change and not found by id: the deletion or merge feed may tell more, so it is looked at
    again when it is claimed."""
    return State(state.key, state.read_number, presence=Presence.SUSPECT)


def _finish_full_read(engine: Engine, side: Side, entity: Entity, mark: str) -> None:
    """Links whose record a full read did not bring become suspects; the inbox now knows every marketing person."""
    started = engine.store.load_setting(mark)
    if not started:
        return
    missing = engine.store.find_unseen(side, entity, ReadNumber(int(started)))
    number = engine.begin_read()
    suspects = [State(RecordKey(side, entity, id_), number, presence=Presence.SUSPECT) for id_ in missing]
    engine.store.save_page(side, entity, suspects, [], None, complete_until=None, search={})
    if side is Side.MARKETING:
        count_people(engine)
        engine.store.save_setting(LOOK_IN_INBOX, "yes")
    engine.store.save_setting(mark, "")


async def read_by_id(engine: Engine, side: Side, entity: Entity, ids: Sequence[RecordId]) -> list[State]:
    """The present state of each id, ``GONE`` where the side has no such record."""
    if not ids:
        return []
    number = engine.begin_read()
    readings = await engine.connector(side).fetch_records(entity, engine.fields_of(side, entity), ids)
    return [to_state(side, entity, reading, number) for reading in readings]


def to_state(side: Side, entity: Entity, reading: Reading, number: ReadNumber) -> State:
    return State(
        RecordKey(side, entity, reading.id),
        number,
        reading.values,
        reading.version,
        reading.presence,
        reading.merged_into,
    )


def waiting_keys(
    engine: Engine, side: Side, entity: Entity, states: Iterable[State]
) -> dict[RecordId, tuple[str | None, str | None]]:
    """Under which keys states are found while they wait in the inbox; a crm record by its dedupe key alone."""
    if side is Side.MARKETING:
        return search_keys(engine, entity, states)
    mapping = engine.mappings[entity]
    if not mapping.dedupe_fields:
        return {}
    return {state.key.id: (None, crm_dedupe_key(mapping, state.values)) for state in states if state.is_present}


def search_keys(
    engine: Engine, entity: Entity, states: Iterable[State]
) -> dict[RecordId, tuple[str | None, str | None]]:
    """(crm key, dedupe key) of each present marketing state, as they are compared."""
    mapping = engine.mapping_of(entity)
    return {
        state.key.id: (
            marketing_key(mapping, state.values),
            marketing_dedupe_key(mapping, state.values),
        )
        for state in states
        if state.is_present
    }
