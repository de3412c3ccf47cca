"""What extract stores: inbox rows, change records, cursors and watermarks."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, case, delete, exists, func, or_, select, update

from tandem.core.plan import InboxRef
from tandem.core.record import ChangeRecord, Cursor, Entity, Lane, Presence, RecordId, RecordKey, Side, State
from tandem.store import codec, rules
from tandem.store.tables import IS_OPEN, aliases, change_records, cursors, inbox, journal, links
from tandem.store.transaction import Transaction, in_chunks

Search = Mapping[RecordId, tuple[str | None, str | None]]

_STATE = (
    inbox.c.side,
    inbox.c.entity,
    inbox.c.record_id,
    inbox.c.read_number,
    inbox.c.version,
    inbox.c.shape_id,
    inbox.c["values"],
    inbox.c.presence,
    inbox.c.merged_into,
)


# --- inbox -------------------------------------------------------------------------------------------------------


def save_states(
    tx: Transaction,
    states: Iterable[State],
    search: Search,
    lane: Lane = Lane.NORMAL,
    known_until: datetime | None = None,
) -> int:
    """How many were new or newer."""
    more = {"lane": int(lane), "known_until": known_until}
    rows = [_row_of(tx, state, search) | more for state in rules.newest(states).values()]
    saved = _save_newer(tx).returning(inbox.c.number)
    return len(tx.connection.execute(saved, rows).all()) if rows else 0


def _save_newer(tx: Transaction) -> Any:
    """rules.replaces, in SQL. The row keeps its number and the more urgent lane: news about a record does not lose it
    its place."""
    insert = tx.insert(inbox)
    new = insert.excluded
    is_newer = or_(
        new.read_number > inbox.c.read_number,
        and_(
            new.read_number == inbox.c.read_number,
            or_(inbox.c.presence != Presence.SUSPECT.value, new.presence != Presence.PRESENT.value),
        ),
    )
    kept = {"number", "sync_id", "side", "entity", "record_id", "lane", "first_read", "known_until"}
    lane = case((new.lane < inbox.c.lane, new.lane), else_=inbox.c.lane)
    return insert.on_conflict_do_update(
        index_elements=[inbox.c.sync_id, inbox.c.side, inbox.c.entity, inbox.c.record_id],
        set_={column.name: new[column.name] for column in inbox.c if column.name not in kept} | {"lane": lane},
        where=is_newer,
    )


def _row_of(tx: Transaction, state: State, search: Search) -> dict[str, Any]:
    crm_key, dedupe_key = search.get(state.key.id, (None, None))
    return {
        "sync_id": tx.sync,
        "side": state.key.side.value,
        "entity": state.key.entity,
        "record_id": state.key.id,
        "read_number": state.read_number,
        "first_read": state.read_number,
        "version": state.version,
        "shape_id": tx.shapes.fields.get((state.key.side, state.key.entity)),
        "values": codec.encode_values(state.values),
        "presence": state.presence.value,
        "merged_into": state.merged_into,
        "crm_key": crm_key,
        "dedupe_key": dedupe_key,
        "not_before": None,
    }


def _state_of(tx: Transaction, row: Sequence[Any]) -> State:
    side, entity, record_id, read_number, version, shape, values, presence, merged_into = row
    key = RecordKey(Side(side), entity, record_id)
    state = State(key, read_number, codec.decode_values(values), version, Presence(presence), merged_into)
    wanted = tx.shapes.fields.get((key.side, key.entity))
    return rules.under_shape(state, is_current=wanted is None or wanted == shape)


def has_rows(tx: Transaction, side: Side, entities: Sequence[Entity], lane: Lane) -> Any:
    """A condition: anything waits there."""
    c = inbox.c
    is_it = and_(c.sync_id == tx.sync, c.side == side.value, c.entity.in_(entities), c.lane == int(lane))
    return exists().where(is_it)


def count_waiting(tx: Transaction, side: Side, entity: Entity, lane: Lane) -> int:
    c = inbox.c
    is_it = and_(c.sync_id == tx.sync, c.side == side.value, c.entity == entity, c.lane == int(lane))
    return int(tx.connection.execute(select(func.count()).select_from(inbox).where(is_it)).scalar_one())


def load_waiting(tx: Transaction, side: Side, entity: Entity, lane: Lane, limit: int, now: datetime) -> list[State]:
    """Rows by arrival, without deferred ones and those of links with an open journal row."""
    rows = (
        select(*_STATE)
        .where(
            inbox.c.sync_id == tx.sync,
            inbox.c.side == side.value,
            inbox.c.entity == entity,
            inbox.c.lane == int(lane),
            or_(inbox.c.not_before.is_(None), inbox.c.not_before <= now),
            inbox.c.record_id.not_in(_blocked_ids(tx, side, entity)),
        )
        .order_by(inbox.c.number)
        .limit(limit)
    )
    return [_state_of(tx, row) for row in tx.connection.execute(rows)]


def _blocked_ids(tx: Transaction, side: Side, entity: Entity) -> Any:
    """Ends and aliases of links with an open journal row: few, so that the database lists them once a query."""
    end_entity, end_id = (links.c[f"{side.value}_entity"], links.c[f"{side.value}_id"])
    is_open = and_(journal.c.sync_id == tx.sync, IS_OPEN)
    ends = (
        select(end_id)
        .join(journal, journal.c.link == links.c.number)
        .where(is_open, end_entity == entity, end_id.is_not(None))
    )
    others = (
        select(aliases.c.record_id)
        .join(journal, journal.c.link == aliases.c.link)
        .where(is_open, aliases.c.side == side.value, aliases.c.entity == entity)
    )
    return ends.union_all(others)


def load_states(tx: Transaction, keys: Iterable[RecordKey]) -> dict[RecordKey, State]:
    found: dict[RecordKey, State] = {}
    for (side, entity), ids in by_entity(keys).items():
        for chunk in in_chunks(ids):
            rows = select(*_STATE).where(_is_of(tx, side, entity), inbox.c.record_id.in_(chunk))
            found |= {state.key: state for state in (_state_of(tx, row) for row in tx.connection.execute(rows))}
    return found


def find_inbox(tx: Transaction, entity: Entity, by: str, values: Iterable[str], side: Side) -> list[State]:
    assert by in ("crm_key", "dedupe_key"), by
    found: list[State] = []
    for chunk in in_chunks(sorted(set(values))):
        is_it = and_(inbox.c.sync_id == tx.sync, inbox.c[by].in_(chunk))
        rows = select(*_STATE).where(is_it, inbox.c.side == side.value, inbox.c.entity == entity)
        found += [_state_of(tx, row) for row in tx.connection.execute(rows.order_by(inbox.c.number))]
    return found


def find_losers(tx: Transaction, survivors: Iterable[RecordKey]) -> list[State]:
    found: list[State] = []
    for (side, entity), ids in by_entity(survivors).items():
        for chunk in in_chunks(ids):
            rows = select(*_STATE).where(_is_of(tx, side, entity), inbox.c.merged_into.in_(chunk))
            found += [_state_of(tx, row) for row in tx.connection.execute(rows.order_by(inbox.c.number))]
    return found


def _is_of(tx: Transaction, side: Side, entity: Entity) -> Any:
    return and_(inbox.c.sync_id == tx.sync, inbox.c.side == side.value, inbox.c.entity == entity)


def find_rows(tx: Transaction, refs: Iterable[InboxRef]) -> dict[InboxRef, int]:
    """Numbers of the rows that still hold the readings named; one query a kind, where a statement a row would let
    PostgreSQL read the whole inbox each time until it has counted it."""
    wanted = set(refs)
    found: dict[InboxRef, int] = {}
    for (side, entity), ids in by_entity(ref.key for ref in wanted).items():
        for chunk in in_chunks(ids):
            rows = select(inbox.c.number, inbox.c.record_id, inbox.c.read_number)
            rows = rows.where(_is_of(tx, side, entity), inbox.c.record_id.in_(chunk))
            for number, record_id, read_number in tx.connection.execute(rows):
                ref = InboxRef(RecordKey(side, entity, record_id), read_number)
                if ref in wanted:
                    found[ref] = number
    return found


def delete_rows(tx: Transaction, numbers: Iterable[int]) -> None:
    for chunk in in_chunks(numbers):
        tx.connection.execute(delete(inbox).where(inbox.c.number.in_(chunk)))


def defer_rows(tx: Transaction, until: Mapping[int, datetime]) -> None:
    rows = [{"b_number": number, "b_not_before": at} for number, at in until.items()]
    if rows:
        deferred = update(inbox).where(inbox.c.number == bindparam("b_number"))
        tx.connection.execute(deferred.values(not_before=bindparam("b_not_before")), rows)


def by_entity(keys: Iterable[RecordKey]) -> dict[tuple[Side, Entity], list[RecordId]]:
    grouped: dict[tuple[Side, Entity], list[RecordId]] = {}
    for key in keys:
        grouped.setdefault((key.side, key.entity), []).append(key.id)
    return grouped


# --- change records ----------------------------------------------------------------------------------------------


def save_records(tx: Transaction, records: Sequence[ChangeRecord]) -> None:
    rows = [
        {
            "sync_id": tx.sync,
            "guid": record.guid,
            "side": record.key.side.value,
            "entity": record.key.entity,
            "record_id": record.key.id,
            "at": record.at,
            "field": record.field,
            "old": record.old,
            "new": record.new,
            "source": record.source,
        }
        for record in records
    ]
    if rows:
        tx.connection.execute(tx.insert(change_records).on_conflict_do_nothing(), rows)


def known_guids(tx: Transaction, guids: Iterable[str]) -> set[str]:
    known: set[str] = set()
    for chunk in in_chunks(guids):
        is_it = and_(change_records.c.sync_id == tx.sync, change_records.c.guid.in_(chunk))
        known |= set(tx.connection.execute(select(change_records.c.guid).where(is_it)).scalars())
    return known


def load_records(tx: Transaction, keys: Iterable[RecordKey], since: datetime) -> list[ChangeRecord]:
    """Oldest first."""
    c = change_records.c
    found: list[ChangeRecord] = []
    for (side, entity), ids in by_entity(keys).items():
        for chunk in in_chunks(ids):
            is_it = and_(c.sync_id == tx.sync, c.side == side.value, c.entity == entity, c.record_id.in_(chunk))
            rows = select(c.guid, c.record_id, c.at, c.field, c.old, c.new, c.source).where(is_it, c.at >= since)
            for guid, record_id, *rest in tx.connection.execute(rows):
                found.append(ChangeRecord(guid, RecordKey(side, entity, record_id), *rest))
    return sorted(found, key=lambda record: record.at)


def drop_records_before(tx: Transaction, at: datetime) -> None:
    c = change_records.c
    tx.connection.execute(delete(change_records).where(c.sync_id == tx.sync, c.at < at))


# --- cursors -----------------------------------------------------------------------------------------------------


def load_cursor(tx: Transaction, side: Side, entity: Entity) -> tuple[Cursor | None, datetime | None]:
    """The cursor and the watermark."""
    row = tx.connection.execute(
        select(cursors.c.cursor, cursors.c.complete_until).where(_is_cursor_of(tx, side, entity))
    ).one_or_none()
    return (None, None) if row is None else (row.cursor, row.complete_until)


def save_cursor(
    tx: Transaction, side: Side, entity: Entity, cursor: Cursor | None, complete_until: datetime | None
) -> None:
    """What is None stays as it is."""
    _ensure_cursor(tx, side, entity)
    news = {"cursor": cursor, "complete_until": complete_until}
    values = {name: value for name, value in news.items() if value is not None}
    if values:
        tx.connection.execute(update(cursors).where(_is_cursor_of(tx, side, entity)).values(values))


def reset_cursor(tx: Transaction, side: Side, entity: Entity) -> None:
    forgotten = update(cursors).where(_is_cursor_of(tx, side, entity)).values(cursor=None, complete_until=None)
    tx.connection.execute(forgotten)


def note_ids(tx: Transaction, keys: Iterable[RecordKey | None]) -> None:
    """Remember the highest numeric id of each marketing entity, so that nobody has to search for it."""
    for (side, entity), ids in by_entity(key for key in keys if key).items():
        highest = rules.highest_number(ids) if side is Side.MARKETING else 0
        if highest:
            _ensure_cursor(tx, side, entity)
            known = cursors.c.highest_id
            raised = update(cursors).where(_is_cursor_of(tx, side, entity), known < highest)
            tx.connection.execute(raised.values(highest_id=highest))


def highest_id(tx: Transaction, entity: Entity) -> int:
    found = select(cursors.c.highest_id).where(_is_cursor_of(tx, Side.MARKETING, entity))
    return tx.connection.execute(found).scalar_one_or_none() or 0


def _ensure_cursor(tx: Transaction, side: Side, entity: Entity) -> None:
    row = {"sync_id": tx.sync, "side": side.value, "entity": entity, "highest_id": 0}
    tx.connection.execute(tx.insert(cursors).on_conflict_do_nothing(), row)


def _is_cursor_of(tx: Transaction, side: Side, entity: Entity) -> Any:
    return and_(cursors.c.sync_id == tx.sync, cursors.c.side == side.value, cursors.c.entity == entity)
