"""Links, their aliases, and which of them are due or waiting for a parent."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, delete, exists, func, insert, or_, select, update

from tandem.core.record import Entity, Lane, Link, LinkNumber, LinkStatus, ReadNumber, RecordId, RecordKey, Side
from tandem.store import codec, rules
from tandem.store.feeds import by_entity
from tandem.store.tables import IS_DUE, IS_NOT_TOMBSTONE, IS_OPEN, IS_TOMBSTONE, aliases, inbox, journal, links, waits
from tandem.store.transaction import Transaction, in_chunks

_LINK = (
    links.c.number,
    links.c.crm_entity,
    links.c.crm_id,
    links.c.marketing_entity,
    links.c.marketing_id,
    links.c.status,
    links.c.shape_id,
    links.c.base,
    links.c.crm_version,
    links.c.crm_written,
    links.c.marketing_written,
)
PAGE_SIZE = 1_000


# --- reading -----------------------------------------------------------------------------------------------------


def _link_of(tx: Transaction, row: Sequence[Any]) -> Link:
    """The link, its base under the mapping in use."""
    number, crm_entity, crm_id, marketing_entity, marketing_id, status, shape, base, version, crm_w, marketing_w = row
    link = Link(
        number=number,
        crm=RecordKey(Side.CRM, crm_entity, crm_id) if crm_id is not None else None,
        marketing=RecordKey(Side.MARKETING, marketing_entity, marketing_id) if marketing_id is not None else None,
        base=codec.decode_base(base),
        status=LinkStatus(status),
        crm_version=version,
        crm_written=crm_w,
        marketing_written=marketing_w,
    )
    wanted = tx.shapes.pairs.get(crm_entity, shape)
    return link if wanted == shape else rules.reshaped(link, tx.names_of(shape), tx.names_of(wanted))


def load_links(tx: Transaction, numbers: Iterable[LinkNumber]) -> dict[LinkNumber, Link]:
    found: dict[LinkNumber, Link] = {}
    for chunk in in_chunks(numbers):
        rows = select(*_LINK).where(links.c.sync_id == tx.sync, links.c.number.in_(chunk))
        found |= {row.number: _link_of(tx, row) for row in tx.connection.execute(rows)}
    return found


def find_links(tx: Transaction, side: Side, entity: Entity, ids: Iterable[RecordId]) -> dict[RecordId, Link]:
    """Live links first, then those an id is an alias of, then tombstoned ones."""
    wanted = list(dict.fromkeys(ids))
    found = _find_by_end(tx, side, entity, wanted, IS_NOT_TOMBSTONE)
    if len(found) < len(wanted):
        found |= _find_by_alias(tx, side, entity, [id_ for id_ in wanted if id_ not in found])
    if len(found) < len(wanted):
        found |= _find_by_end(tx, side, entity, [id_ for id_ in wanted if id_ not in found], IS_TOMBSTONE)
    return found


def _find_by_end(
    tx: Transaction, side: Side, entity: Entity, ids: Sequence[RecordId], status: Any
) -> dict[RecordId, Link]:
    """The newest link of several; only tombstones can be several."""
    end_entity, end_id = links.c[f"{side.value}_entity"], links.c[f"{side.value}_id"]
    found: dict[RecordId, Link] = {}
    for chunk in in_chunks(ids):
        is_it = and_(links.c.sync_id == tx.sync, end_entity == entity, end_id.in_(chunk), status)
        rows = tx.connection.execute(select(end_id, *_LINK).where(is_it).order_by(links.c.number))
        found |= {id_: _link_of(tx, rest) for id_, *rest in rows}
    return found


def _find_by_alias(tx: Transaction, side: Side, entity: Entity, ids: Sequence[RecordId]) -> dict[RecordId, Link]:
    numbers: dict[RecordId, LinkNumber] = {}
    for chunk in in_chunks(ids):
        is_it = and_(aliases.c.sync_id == tx.sync, aliases.c.side == side.value, aliases.c.entity == entity)
        rows = select(aliases.c.record_id, aliases.c.link).where(is_it, aliases.c.record_id.in_(chunk))
        numbers |= {row.record_id: row.link for row in tx.connection.execute(rows)}
    known = load_links(tx, set(numbers.values()))
    return {id_: known[number] for id_, number in numbers.items()}


def count_linked(tx: Transaction, marketing_entities: Sequence[Entity]) -> int:
    """From the index of ends alone, in which links without a record in marketing come before all others."""
    is_it = and_(links.c.sync_id == tx.sync, links.c.marketing_entity.in_(marketing_entities), IS_NOT_TOMBSTONE)
    return tx.connection.execute(select(func.count(links.c.marketing_id)).where(is_it)).scalar_one()


def find_unseen(tx: Transaction, side: Side, entity: Entity, since: ReadNumber) -> list[RecordId]:
    end_entity, end_id = links.c[f"{side.value}_entity"], links.c[f"{side.value}_id"]
    has_been_read = exists().where(
        inbox.c.sync_id == tx.sync,
        inbox.c.side == side.value,
        inbox.c.entity == entity,
        inbox.c.record_id == end_id,
        inbox.c.read_number >= since,
    )
    is_it = and_(links.c.sync_id == tx.sync, end_entity == entity, end_id.is_not(None), IS_NOT_TOMBSTONE)
    found = select(end_id).where(is_it, ~has_been_read).order_by(links.c.number)
    return list(tx.connection.execute(found).scalars())


def has_due(tx: Transaction, crm_entities: Sequence[Entity], lane: Lane) -> Any:
    """A condition: a link of these entities is due."""
    is_it = and_(links.c.sync_id == tx.sync, IS_DUE, links.c.due_lane == int(lane))
    return exists().where(is_it, links.c.crm_entity.in_(crm_entities))


def load_due(tx: Transaction, crm_entities: Sequence[Entity], lane: Lane, limit: int) -> list[Link]:
    """Oldest first, without links with an open journal row."""
    is_blocked = select(journal.c.link).where(journal.c.sync_id == tx.sync, IS_OPEN)
    rows = (
        select(*_LINK)
        .where(links.c.sync_id == tx.sync, IS_DUE, links.c.due_lane == int(lane))
        .where(links.c.crm_entity.in_(crm_entities))
        .where(links.c.number.not_in(is_blocked))
        .order_by(links.c.due_number, links.c.number)
        .limit(limit)
    )
    return [_link_of(tx, row) for row in tx.connection.execute(rows)]


def load_page(tx: Transaction, crm_entity: Entity, after: LinkNumber) -> list[Link]:
    is_it = and_(links.c.sync_id == tx.sync, links.c.crm_entity == crm_entity, links.c.number > after)
    rows = select(*_LINK).where(is_it).order_by(links.c.number).limit(PAGE_SIZE)
    return [_link_of(tx, row) for row in tx.connection.execute(rows)]


# --- writing -----------------------------------------------------------------------------------------------------


def insert_links(tx: Transaction, new: Sequence[tuple[Entity, Link]], now: datetime) -> list[LinkNumber]:
    """Their numbers, in order; the number of the link given is not looked at."""
    fixed = {"sync_id": tx.sync, "created_at": now, "updated_at": now}
    rows = [fixed | _values_of(tx, entity, link) | _written_of(link) for entity, link in new]
    if not rows:
        return []
    numbered = insert(links).returning(links.c.number, sort_by_parameter_order=True)
    return [LinkNumber(number) for number in tx.connection.execute(numbered, rows).scalars()]


def plan_links(tx: Transaction, changed: Sequence[tuple[Entity, Link]], now: datetime) -> None:
    """Ends, base and status as planned; the written numbers stay. Tombstones come first: they give up their ids."""
    ordered = sorted(changed, key=lambda pair: pair[1].status is not LinkStatus.TOMBSTONE)
    _update(tx, [{"b_number": link.number, **_values_of(tx, entity, link)} for entity, link in ordered], now)


def save_outcomes(tx: Transaction, changed: Sequence[tuple[Entity, Link]], now: datetime) -> None:
    rows = [{"b_number": link.number} | _values_of(tx, entity, link) | _written_of(link) for entity, link in changed]
    _update(tx, rows, now)


def _update(tx: Transaction, rows: Sequence[Mapping[str, Any]], now: datetime) -> None:
    if rows:
        names: dict[str, Any] = {name: bindparam(name) for name in rows[0] if name != "b_number"}
        is_it = and_(links.c.number == bindparam("b_number"), links.c.sync_id == tx.sync)
        tx.connection.execute(update(links).where(is_it).values(**names, updated_at=now), list(rows))


def _values_of(tx: Transaction, crm_entity: Entity, link: Link) -> dict[str, Any]:
    shape = tx.shapes.pairs.get(crm_entity)
    assert shape is not None, f"use_mappings comes before a link of {crm_entity} is stored"
    size = len(tx.names_of(shape))
    assert len(link.base.crm) == len(link.base.marketing) == size, f"a base of {crm_entity} misses its mapping"
    assert link.crm is None or link.crm.entity == crm_entity, f"a link of {crm_entity} has an end of another entity"
    return {
        "crm_entity": crm_entity,
        "crm_id": link.crm.id if link.crm else None,
        "marketing_entity": link.marketing.entity if link.marketing else None,
        "marketing_id": link.marketing.id if link.marketing else None,
        "status": link.status.value,
        "shape_id": shape,
        "base": codec.encode_base(link.base),
        "crm_version": link.crm_version,
    }


def _written_of(link: Link) -> dict[str, ReadNumber]:
    return {"crm_written": link.crm_written, "marketing_written": link.marketing_written}


def save_aliases(tx: Transaction, rows: Sequence[tuple[RecordKey, LinkNumber]]) -> None:
    """An alias belongs to one link: the last that claimed it."""
    statement = tx.insert(aliases)
    statement = statement.on_conflict_do_update(
        index_elements=[aliases.c.sync_id, aliases.c.side, aliases.c.entity, aliases.c.record_id],
        set_={"link": statement.excluded.link},
    )
    values = [_key_values(tx, key) | {"link": number} for key, number in rows]
    if values:
        tx.connection.execute(statement, values)


def _key_values(tx: Transaction, key: RecordKey) -> dict[str, Any]:
    return {"sync_id": tx.sync, "side": key.side.value, "entity": key.entity, "record_id": key.id}


# --- due and waiting ---------------------------------------------------------------------------------------------


def make_due(tx: Transaction, numbers: Iterable[LinkNumber], lane: Lane = Lane.NORMAL) -> None:
    """A link that is due already keeps its place, and the more urgent lane."""
    wanted = list(numbers)
    if not wanted:
        return
    place = tx.next_read_number()
    is_news = or_(links.c.due_number.is_(None), links.c.due_lane > int(lane))
    news = {"due_number": func.coalesce(links.c.due_number, place), "due_lane": int(lane)}
    for chunk in in_chunks(wanted):
        is_it = and_(links.c.sync_id == tx.sync, links.c.number.in_(chunk), is_news)
        tx.connection.execute(update(links).where(is_it).values(news))


def forget_versions(tx: Transaction, numbers: Sequence[LinkNumber]) -> None:
    """No version stands for the base of these: they are read before they are planned."""
    for chunk in in_chunks(numbers):
        is_it = and_(links.c.sync_id == tx.sync, links.c.number.in_(chunk))
        tx.connection.execute(update(links).where(is_it).values(crm_version=None))


def forget_base(tx: Transaction, pairs: Mapping[LinkNumber, Sequence[str]]) -> None:
    forgetting = {number: names for number, names in pairs.items() if names}
    rows = [
        {"b_number": number, "base": codec.encode_base(changed.base), "crm_version": None}
        for number, link in load_links(tx, forgetting).items()
        if (changed := rules.forgotten(link, _names_of(tx, link), forgetting[number])) is not link
    ]
    if rows:
        is_it = and_(links.c.number == bindparam("b_number"), links.c.sync_id == tx.sync)
        values: dict[str, Any] = {name: bindparam(name) for name in ("base", "crm_version")}
        tx.connection.execute(update(links).where(is_it).values(**values), rows)
    make_due(tx, pairs)


def _names_of(tx: Transaction, link: Link) -> rules.Names:
    return tx.names_of(tx.shapes.pairs[link.crm.entity]) if link.crm else ()


def clear_due(tx: Transaction, numbers: Iterable[LinkNumber]) -> None:
    for chunk in in_chunks(numbers):
        is_it = and_(links.c.sync_id == tx.sync, links.c.number.in_(chunk), IS_DUE)
        tx.connection.execute(update(links).where(is_it).values(due_number=None))


def replace_waits(tx: Transaction, waiting: Mapping[LinkNumber, Sequence[RecordKey]]) -> None:
    """A parent that was linked since the plan was made is not waited for: the link is due again at once."""
    for chunk in in_chunks(waiting):
        # Without the sync's id, which would lead SQLite to the index of the other end.
        tx.connection.execute(delete(waits).where(waits.c.link.in_(chunk)))
    there = _live_keys(tx, {key for keys in waiting.values() for key in keys})
    rows = [
        _key_values(tx, key) | {"link": number}
        for number, keys in waiting.items()
        for key in dict.fromkeys(keys)
        if key not in there
    ]
    if rows:
        tx.connection.execute(insert(waits), rows)
    make_due(tx, [number for number, keys in waiting.items() if not there.isdisjoint(keys)])


def _live_keys(tx: Transaction, keys: Iterable[RecordKey]) -> set[RecordKey]:
    """Those of `keys` that are an end of a live link."""
    return {
        RecordKey(side, entity, id_)
        for (side, entity), ids in by_entity(keys).items()
        for id_, link in _find_by_end(tx, side, entity, ids, IS_NOT_TOMBSTONE).items()
        if link.status is LinkStatus.LIVE
    }


def wake(tx: Transaction, live: Iterable[Link]) -> None:
    """Links waiting for an end of one of these are due."""
    ends = [key for link in live for key in (link.crm, link.marketing) if key]
    woken: set[LinkNumber] = set()
    for (side, entity), ids in by_entity(ends).items():
        for chunk in in_chunks(ids):
            c = waits.c
            is_it = and_(c.sync_id == tx.sync, c.side == side.value, c.entity == entity, c.record_id.in_(chunk))
            found = set(tx.connection.execute(select(c.link).where(is_it)).scalars())
            if found:
                tx.connection.execute(delete(waits).where(is_it))
            woken |= found
    make_due(tx, sorted(woken))
