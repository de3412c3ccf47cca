"""What a feed does not tell: found now and then by comparing what is there with what was.

A table whose changes Dynamics does not track tells no deletions, and a table of pairs nothing at all after its first
read: a *sweep* reads the ids that are there. Of Marketo's objects only people have a log: a *comparison* reads what was
linked and finds what differs from the base. Neither decides anything: a missing id is a suspicion, a new one is read,
a link whose record differs is due; what becomes of them is the plan's business. Both begin anew after a crash.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice

from tandem.core.policy import EditRule
from tandem.core.record import Entity, Lane, Link, LinkStatus, Presence, RecordId, RecordKey, Side, State
from tandem.core.values import same
from tandem.ports import Sweep
from tandem.runtime.backfill import FIRST_COPY, open_backfills
from tandem.runtime.engine import Engine
from tandem.runtime.extract import read_by_id

_COMPARED_AT_ONCE = 3_000


async def look_further(engine: Engine) -> Counter[str]:
    """The sweeps and comparisons that are due; counts by ``swept.<crm entity>`` and ``compared.<crm entity>``. A table
    that is being read in full needs no sweep: the read finds as much."""
    counts: Counter[str] = Counter()
    settings = engine.settings
    being_read = {backfill.entity for backfill in open_backfills(engine.store) if backfill.side is Side.CRM}
    for entity, policy in engine.policies.items():
        is_swept = entity not in being_read and await engine.crm.sweep_of(entity) is not Sweep.NOTHING
        if is_swept and _is_due(engine, swept := f"swept:{entity}", settings.sweep_interval_s):
            counts[f"swept.{entity}"] = await _sweep(engine, entity)
            _note(engine, swept)
        is_compared = policy.edited_in_marketing is EditRule.ENFORCE
        if is_compared and _is_due(engine, compared := f"compared:{entity}", settings.compare_interval_s):
            counts[f"compared.{entity}"] = await _compare(engine, entity)
            _note(engine, compared)
    return counts


def _is_due(engine: Engine, name: str, every_s: float) -> bool:
    """Whether the last time was so long ago. The first copy, or a table's first pass, counts as the first time."""
    last = engine.store.load_setting(name)
    if last is None or engine.store.load_setting(FIRST_COPY) is None:
        _note(engine, name)
        return False
    return engine.clock.now() - datetime.fromisoformat(last) >= timedelta(seconds=every_s)


def _note(engine: Engine, name: str) -> None:
    engine.store.save_setting(name, engine.clock.now().isoformat())


async def _sweep(engine: Engine, entity: Entity) -> int:
    """The ids that are there against those that are linked."""
    began, began_at = engine.begin_read(), engine.clock.now()
    tells_nothing = await engine.crm.sweep_of(entity) is Sweep.EVERYTHING
    present: set[bytes] = set()
    async for ids in engine.crm.fetch_ids(entity):
        engine.lease.keep()
        present.update(map(_packed, ids))
        if tells_nothing:
            await _read_new(engine, entity, ids)
    unseen = engine.store.find_unseen(Side.CRM, entity, began)
    _save(engine, entity, _suspects(engine, entity, (id_ for id_ in unseen if _packed(id_) not in present)), began_at)
    return len(present)


def _packed(id_: RecordId) -> bytes:
    """A GUID as its bytes: as many texts would take twice the memory."""
    try:
        return bytes.fromhex(id_.replace("-", ""))
    except ValueError:
        return id_.encode()


async def _read_new(engine: Engine, entity: Entity, ids: Sequence[RecordId]) -> None:
    known = engine.store.find_links(Side.CRM, entity, ids)
    states = await read_by_id(engine, Side.CRM, entity, [id_ for id_ in ids if id_ not in known])
    _save(engine, entity, [state for state in states if state.is_present])


def _suspects(engine: Engine, entity: Entity, ids: Iterable[RecordId]) -> list[State]:
    number = engine.begin_read()
    return [State(RecordKey(Side.CRM, entity, id_), number, presence=Presence.SUSPECT) for id_ in ids]


def _save(engine: Engine, entity: Entity, states: Sequence[State], complete_until: datetime | None = None) -> None:
    """Into the inbox; the feed's cursor stays where it is."""
    engine.store.save_page(Side.CRM, entity, states, [], None, complete_until=complete_until, search={})


async def _compare(engine: Engine, entity: Entity) -> int:
    """What Marketo holds against what was agreed: 300 records a call."""
    mapping, compared = engine.mappings[entity], 0
    links = (link for link in engine.store.iter_links(entity) if link.status is LinkStatus.LIVE and link.marketing)
    for batch in _batches(links):
        engine.lease.keep()
        by_id = {link.marketing.id: link for link in batch if link.marketing}
        readings = await engine.marketing.fetch_records(mapping.marketing_entity, mapping.marketing_fields, list(by_id))
        differing = [
            by_id[reading.id].number
            for reading in readings
            if reading.presence is not Presence.PRESENT
            or not all(map(same, mapping.marketing_values(reading.values), by_id[reading.id].base.marketing))
        ]
        engine.store.make_due(differing, lane=Lane.SLOW)
        compared += len(batch)
    return compared


def _batches(links: Iterator[Link]) -> Iterator[list[Link]]:
    while batch := list(islice(links, _COMPARED_AT_ONCE)):
        yield batch
