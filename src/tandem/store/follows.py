"""What links show of other records, and which of them are due when that moves."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import delete, exists, insert, select

from tandem.core.plan import Follow
from tandem.core.record import Entity, LinkNumber, RecordId, RecordKey
from tandem.store import links
from tandem.store.tables import follows
from tandem.store.transaction import Transaction, in_chunks


def replace_follows(tx: Transaction, following: Mapping[LinkNumber, Sequence[Follow]]) -> None:
    for chunk in in_chunks(following):
        tx.connection.execute(delete(follows).where(follows.c.link.in_(chunk)))
    rows = [
        {"link": number, "sync_id": tx.sync, "entity": f.parent.entity, "record_id": f.parent.id, "pair": f.pair}
        for number, wanted in following.items()
        for f in dict.fromkeys(wanted)
    ]
    if rows:
        tx.connection.execute(insert(follows), rows)


def wake(tx: Transaction, moved: Mapping[RecordKey, Collection[str]]) -> None:
    """Links that show one of these are due, and what they show is read again. Most syncs have no such links, and ask
    once."""
    if not moved or not tx.connection.execute(select(exists().where(follows.c.sync_id == tx.sync))).scalar_one():
        return
    by_entity: dict[Entity, dict[RecordId, Collection[str]]] = defaultdict(dict)
    for key, pairs in moved.items():
        by_entity[key.entity][key.id] = pairs
    for entity, parents in by_entity.items():
        for chunk in in_chunks(parents):
            is_it = (follows.c.sync_id == tx.sync, follows.c.entity == entity, follows.c.record_id.in_(chunk))
            rows = tx.connection.execute(select(follows.c.link, follows.c.record_id, follows.c.pair).where(*is_it))
            woken = sorted({row.link for row in rows if row.pair in parents[row.record_id]})
            links.forget_versions(tx, woken)
            links.make_due(tx, woken)
