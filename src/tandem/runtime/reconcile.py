"""Proves that both sides agree: reads both whole and compares, never through the link table.

Dynamics is read by table, Marketo's people by id ranges up to the highest id seen, companies and sales persons by key.
What is found: a mapped field that differs, a record without its counterpart, a crm key that two people carry, a link
whose end is gone, and whatever could not be read.
"""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from itertools import islice

from tandem.core.errors import AccessError, RejectedError, TransientError
from tandem.core.mapping import EntityMapping
from tandem.core.match import fold
from tandem.core.merge import is_drift
from tandem.core.record import (
    CONTACT,
    LEAD,
    PERSON,
    Entity,
    LinkStatus,
    ReadNumber,
    RecordId,
    RecordKey,
    Side,
    State,
    Values,
)
from tandem.core.subject import is_closed
from tandem.core.values import is_empty
from tandem.ports import Reading
from tandem.runtime.engine import STAGES, Engine, News

_BATCH = 3000


@dataclass(frozen=True, slots=True)
class Difference:
    kind: str
    crm_entity: Entity
    crm_id: RecordId | None
    marketing_id: RecordId | None
    field: str | None
    detail: str


@dataclass(slots=True)
class Findings:
    """``count`` counts every difference; only the first `limit` are kept in ``differences``."""

    limit: int
    compared: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)
    count: int = 0
    unread: list[str] = field(default_factory=list)

    def add(self, difference: Difference) -> None:
        self.count += 1
        if len(self.differences) < self.limit:
            self.differences.append(difference)


async def reconcile(engine: Engine, limit: int) -> Findings:
    """Compare everything; nothing is written and no cursor moves."""
    findings = Findings(limit)
    crm: dict[RecordKey, Values] = {}
    seen: set[RecordKey] = set()
    for marketing_entity, crm_entities in STAGES:
        mapped = [entity for entity in crm_entities if entity in engine.mappings]
        for entity in mapped:
            await _read_crm(engine, entity, crm, findings)
        if mapped and marketing_entity == PERSON:
            await _compare_people(engine, crm, seen, findings)
        elif mapped:
            await _compare_by_key(engine, marketing_entity, mapped[0], crm, seen, findings)
    _check_links(engine, crm, seen, findings)
    return findings


async def _read_crm(engine: Engine, entity: Entity, crm: dict[RecordKey, Values], findings: Findings) -> None:
    try:
        async for reading in _read_all(engine, Side.CRM, entity):
            crm[RecordKey(Side.CRM, entity, reading.id)] = reading.values
    except (TransientError, AccessError, RejectedError) as error:
        findings.unread.append(f"{entity} in crm: {error}")


async def _read_all(engine: Engine, side: Side, entity: Entity) -> AsyncIterator[Reading]:
    """Every record of one full read, up to where the changes since its beginning would start."""
    done = 0
    fields = engine.fields_of(side, entity)
    async with aclosing(engine.connector(side).fetch_changes(entity, None, fields)) as pages:  # type: ignore[type-var]
        async for page in pages:
            if not page.is_full_read:
                return
            for reading in page.readings:
                yield reading
            done += len(page.readings)
            engine.tell(News("read", f"{side} {entity}", done, page.rows_expected))


# --- people


async def _compare_people(
    engine: Engine, crm: dict[RecordKey, Values], seen: set[RecordKey], findings: Findings
) -> None:
    mapped = [entity for entity in (CONTACT, LEAD) if entity in engine.mappings]
    owners: dict[str, RecordId] = {}
    mapping = engine.mapping_of(PERSON)
    try:
        async for reading in _read_all(engine, Side.MARKETING, PERSON):
            seen.add(RecordKey(Side.MARKETING, PERSON, reading.id))
            key = fold(mapping.marketing_value(reading.values, mapping.key_field))
            if key:
                _compare_person(engine, mapped, crm, reading, key, owners, findings)
    except (TransientError, AccessError, RejectedError) as error:
        findings.unread.append(f"people in marketing: {error}")
        return
    _report_missing(engine, mapped, crm, owners, findings)


def _compare_person(
    engine: Engine,
    mapped: Sequence[Entity],
    crm: dict[RecordKey, Values],
    reading: Reading,
    key: str,
    owners: dict[str, RecordId],
    findings: Findings,
) -> None:
    entity = next((e for e in mapped if RecordKey(Side.CRM, e, RecordId(key)) in crm), None)
    if key in owners:
        detail = f"people {owners[key]} and {reading.id} carry the same crm key"
        findings.add(Difference("key held twice", entity or mapped[0], RecordId(key), reading.id, None, detail))
    owners.setdefault(key, reading.id)
    if entity is None:
        if not _is_flagged(engine.mappings[mapped[0]], reading):
            detail = "the person's crm record does not exist and the person is not marked as deleted"
            findings.add(Difference("not in crm", mapped[0], RecordId(key), reading.id, None, detail))
        return
    _compare_values(engine.mappings[entity], crm[RecordKey(Side.CRM, entity, RecordId(key))], reading, findings)


def _is_flagged(mapping: EntityMapping, reading: Reading) -> bool:
    flags = [p for p, pair in zip(mapping.marketing_places, mapping.pairs, strict=True) if pair.crm == "@deleted"]
    return any(reading.values[place] is True for place in flags)


def _report_missing(
    engine: Engine,
    mapped: Sequence[Entity],
    crm: dict[RecordKey, Values],
    owners: dict[str, RecordId],
    findings: Findings,
) -> None:
    superseded = _leads_that_live_on(engine, crm)
    for entity in mapped:
        if not engine.policies[entity].create_in_marketing:
            continue
        ids = [k.id for k in crm if k.entity == entity and k.id not in owners and k not in superseded]
        links = engine.store.find_links(Side.CRM, entity, ids)
        for id_ in ids:
            if id_ in links and links[id_].status is LinkStatus.TOMBSTONE:
                continue  # Its person was deleted, or it lives on as a contact that was: wanted, not drift (N63).
            detail = "no person carries this record's key"
            findings.add(Difference("not in marketing", entity, id_, None, None, detail))


def _leads_that_live_on(engine: Engine, crm: dict[RecordKey, Values]) -> set[RecordKey]:
    """Leads whose contact is there: one person, and the contact speaks for it."""
    if CONTACT not in engine.mappings:
        return set()
    mapping = engine.mappings[CONTACT]
    origins = (fold(mapping.crm_value(v, "originatingleadid")) for k, v in crm.items() if k.entity == CONTACT)
    return {RecordKey(Side.CRM, LEAD, RecordId(origin)) for origin in origins if origin}


# --- companies and sales persons


async def _compare_by_key(
    engine: Engine,
    marketing_entity: Entity,
    crm_entity: Entity,
    crm: dict[RecordKey, Values],
    seen: set[RecordKey],
    findings: Findings,
) -> None:
    mapping = engine.mappings[crm_entity]
    ids = [key.id for key in crm if key.entity == crm_entity]
    for batch in _batches(ids):
        try:
            fields = mapping.marketing_fields
            readings = await engine.marketing.find_records(marketing_entity, fields, mapping.key_field, batch)
        except (TransientError, AccessError, RejectedError) as error:
            findings.unread.append(f"{marketing_entity} in marketing: {error}")
            return
        _compare_found(mapping, batch, readings, crm, seen, findings)


def _batches(ids: Sequence[RecordId]) -> Iterator[list[RecordId]]:
    rest = iter(ids)
    while batch := list(islice(rest, _BATCH)):
        yield batch


def _compare_found(
    mapping: EntityMapping,
    ids: Sequence[RecordId],
    readings: Sequence[Reading],
    crm: dict[RecordKey, Values],
    seen: set[RecordKey],
    findings: Findings,
) -> None:
    by_key: dict[str, list[Reading]] = defaultdict(list)
    for reading in readings:
        seen.add(RecordKey(Side.MARKETING, mapping.marketing_entity, reading.id))
        by_key[fold(mapping.marketing_value(reading.values, mapping.key_field)) or ""].append(reading)
    for id_ in ids:
        found = by_key.get(id_, [])
        if not found:
            detail = f"no {mapping.marketing_entity} carries this record's key"
            findings.add(Difference("not in marketing", mapping.crm_entity, id_, None, None, detail))
        for reading in found:
            _compare_values(mapping, crm[RecordKey(Side.CRM, mapping.crm_entity, id_)], reading, findings)
        if len(found) > 1:
            detail = f"{len(found)} records carry the same crm key"
            findings.add(Difference("key held twice", mapping.crm_entity, id_, found[1].id, None, detail))


# --- values and links


def _compare_values(mapping: EntityMapping, crm: Values, reading: Reading, findings: Findings) -> None:
    findings.compared[str(mapping.crm_entity)] += 1
    pairs = zip(mapping.pairs, mapping.crm_values(crm), mapping.marketing_values(reading.values), strict=True)
    crm_id = RecordId(str(mapping.crm_value(crm, "@id")))
    closed = is_closed(mapping, State(RecordKey(Side.CRM, mapping.crm_entity, crm_id), ReadNumber(0), crm))
    for pair, crm_value, marketing_value in pairs:
        if closed and is_empty(crm_value):
            continue  # A closed lead takes no value, so what Marketo had before it was linked stays there alone.
        if is_drift(pair, crm_value, marketing_value):
            detail = f"{pair.crm} and {pair.marketing} differ"
            findings.add(Difference("field differs", mapping.crm_entity, crm_id, reading.id, pair.name, detail))


def _check_links(engine: Engine, crm: dict[RecordKey, Values], seen: set[RecordKey], findings: Findings) -> None:
    """The one use of the link table: a live link must lead to two records that were read."""
    for crm_entity in engine.mappings:
        for link in engine.store.iter_links(crm_entity):
            for key, known in ((link.crm, crm), (link.marketing, seen)):
                if (
                    link.status is LinkStatus.LIVE
                    and key is not None
                    and key not in known
                    and not _is_unread(key, findings)
                ):
                    detail = f"link {link.number} leads to a {key.entity} that is not there"
                    crm_id = link.crm.id if link.crm else None
                    marketing_id = link.marketing.id if link.marketing else None
                    findings.add(Difference("link without end", crm_entity, crm_id, marketing_id, None, detail))


def _is_unread(key: RecordKey, findings: Findings) -> bool:
    return any(text.startswith((f"{key.entity} in", "people in")) for text in findings.unread)
