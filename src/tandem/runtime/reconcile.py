"""Proves that both sides agree: reads both whole and compares, never through the link table.

Dynamics is read by table, Marketo's people by id ranges up to the highest id seen, companies and sales persons by key.
What is found: a mapped field that differs, a record without its counterpart, a crm key that two people carry, a link
whose end is gone, and whatever could not be read. Of what was not read nothing else is claimed.

Memory: the mapped values of one stage's crm records, packed, and the ids of everything; Marketo's pages pass through.
"""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from itertools import islice

import msgspec

from tandem.core.errors import AccessError, RejectedError, TransientError
from tandem.core.keys import crm_key, marketing_key, search_value
from tandem.core.mapping import EntityMapping
from tandem.core.match import fold
from tandem.core.merge import is_drift
from tandem.core.policy import DeleteRule, EditRule
from tandem.core.record import (
    CONTACT,
    LEAD,
    PERSON,
    Entity,
    Link,
    LinkStatus,
    Presence,
    ReadNumber,
    RecordId,
    RecordKey,
    Side,
    State,
    Values,
)
from tandem.core.subject import is_closed, is_outside
from tandem.core.values import is_empty, same
from tandem.ports import Reading
from tandem.runtime.engine import Engine, News
from tandem.runtime.parents import find_named, resolved

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

    def add(
        self,
        kind: str,
        entity: Entity,
        crm_id: RecordId | None,
        marketing_id: RecordId | None,
        detail: str,
        *,
        field: str | None = None,
    ) -> None:
        self.count += 1
        if len(self.differences) < self.limit:
            self.differences.append(Difference(kind, entity, crm_id, marketing_id, field, detail))


async def reconcile(engine: Engine, limit: int) -> Findings:
    """Compare everything; nothing is written and no cursor moves."""
    seen = _Seen()
    findings = Findings(limit)
    for marketing_entity, crm_entities in engine.stages:
        rows = _CrmRows({entity: engine.mappings[entity] for entity in crm_entities})
        for entity in crm_entities:
            await _read_crm(engine, entity, rows, seen, findings)
        if marketing_entity == PERSON:
            await _People(engine, rows, seen, findings).compare()
        else:
            for entity in crm_entities:
                await _ByKey(engine, engine.mappings[entity], rows, seen, findings).compare()
    await _check_links(engine, seen, findings)
    return findings


@dataclass(slots=True)
class _Seen:
    """The ids of everything that was read, and which entities could not be read to their end."""

    ids: dict[tuple[Side, Entity], set[RecordId]] = field(default_factory=lambda: defaultdict(set))
    unread: set[tuple[Side, Entity]] = field(default_factory=set)

    def add(self, side: Side, entity: Entity, id_: RecordId) -> None:
        self.ids[side, entity].add(id_)

    def lacks(self, key: RecordKey) -> bool:
        """Whether the record is surely not there."""
        place = (key.side, key.entity)
        return place not in self.unread and key.id not in self.ids[place]


class _CrmRows:
    """The values of a stage's crm records, packed: decoded they take several times the memory."""

    def __init__(self, mappings: dict[Entity, EntityMapping]) -> None:
        self.mappings = mappings
        self._packed: dict[Entity, dict[RecordId, bytes]] = {entity: {} for entity in mappings}
        self.origins: set[RecordId] = set()
        """Leads whose contact was read: one person, and the contact speaks for it."""
        self.merged: set[RecordId] = set()
        """Records that were merged into another one, which speaks for them; a person that still shows one is held."""

    def add(self, entity: Entity, reading: Reading) -> None:
        self._packed[entity][reading.id] = _ENCODER.encode(reading.values)
        if reading.merged_into is not None and entity in (CONTACT, LEAD):
            self.merged.add(reading.id)
        if entity == CONTACT and (origin := fold(self.mappings[entity].crm_value(reading.values, "originatingleadid"))):
            self.origins.add(RecordId(origin))

    def find(self, id_: RecordId) -> tuple[Entity, Values] | None:
        for entity, rows in self._packed.items():
            if id_ in rows:
                return entity, _DECODER.decode(rows[id_])
        return None

    def ids(self, entity: Entity) -> Iterable[RecordId]:
        return self._packed[entity]


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(tuple)


async def _read_crm(engine: Engine, entity: Entity, rows: _CrmRows, seen: _Seen, findings: Findings) -> None:
    try:
        async for reading in _read_all(engine, Side.CRM, entity):
            rows.add(entity, reading)
            seen.add(Side.CRM, entity, reading.id)
    except _UNREADABLE as error:
        seen.unread.add((Side.CRM, entity))
        findings.unread.append(f"{entity} in crm: {error}")


_UNREADABLE = (TransientError, AccessError, RejectedError)


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


@dataclass(slots=True)
class _People:
    """Contacts and leads against people. ``owners`` are the people by the crm key that they carry."""

    engine: Engine
    rows: _CrmRows
    seen: _Seen
    findings: Findings
    owners: dict[RecordId, RecordId] = field(default_factory=dict)

    async def compare(self) -> None:
        mapping = self.engine.mapping_of(PERSON)
        try:
            async for reading in self._read_people():
                self.seen.add(Side.MARKETING, PERSON, reading.id)
                if key := fold(mapping.marketing_value(reading.values, mapping.key_field)):
                    self._compare_person(RecordId(key), reading)
        except _UNREADABLE as error:
            self.seen.unread.add((Side.MARKETING, PERSON))
            self.findings.unread.append(f"people in marketing: {error}")
            return
        for entity in self.rows.mappings:
            self._report_missing(entity)

    async def _read_people(self) -> AsyncIterator[Reading]:
        """Marketo tells its highest id by its log, which is late: people that Tandem knows beyond it are read too."""
        highest = 0
        async for reading in _read_all(self.engine, Side.MARKETING, PERSON):
            highest = max(highest, int(reading.id))
            yield reading
        known = self.engine.store.highest_marketing_id(PERSON)
        fields = self.engine.fields_of(Side.MARKETING, PERSON)
        for batch in _batches(RecordId(str(number)) for number in range(highest + 1, known + 1)):
            for reading in await self.engine.marketing.fetch_records(PERSON, fields, batch):
                if reading.presence is Presence.PRESENT:
                    yield reading

    def _compare_person(self, key: RecordId, reading: Reading) -> None:
        found = self.rows.find(key)
        entity = found[0] if found else next(iter(self.rows.mappings))
        if key in self.owners:
            detail = f"people {self.owners[key]} and {reading.id} carry the same crm key"
            self.findings.add("key held twice", entity, key, reading.id, detail)
        self.owners.setdefault(key, reading.id)
        if found and key not in self.rows.merged and not _is_outside(self.engine, entity, found[1], is_linked=True):
            _compare_values(self.rows.mappings[entity], key, found[1], reading, self.findings)
        elif found:
            return  # Paused, or held after a merge: the two sides need not agree.
        elif not self._may_lack_its_record(entity, reading):
            detail = "the person's crm record does not exist and the person is not marked as deleted"
            self.findings.add("not in crm", entity, key, reading.id, detail)

    def _may_lack_its_record(self, entity: Entity, reading: Reading) -> bool:
        """The person is marked, or is not to be marked, or a table that may hold its record was not read."""
        if any((Side.CRM, mapped) in self.seen.unread for mapped in self.rows.mappings):
            return True
        if _is_flagged(self.rows.mappings[entity], reading):
            return True
        rules = {self.engine.policies[mapped].deleted_in_crm for mapped in self.rows.mappings}
        return DeleteRule.IGNORE in rules and self._was_deleted_in_crm(reading.id)

    def _was_deleted_in_crm(self, id_: RecordId) -> bool:
        link = self.engine.store.find_links(Side.MARKETING, PERSON, [id_]).get(id_)
        return link is not None and link.status is LinkStatus.TOMBSTONE

    def _report_missing(self, entity: Entity) -> None:
        if not self.engine.policies[entity].create_in_marketing:
            return
        ids = [id_ for id_ in self.rows.ids(entity) if id_ not in self.owners and not self._lives_on(entity, id_)]
        links = self.engine.store.find_links(Side.CRM, entity, ids)
        for id_ in ids:
            row = self.rows.find(id_) if self.engine.policies[entity].filter else None
            if row and _is_outside(self.engine, *row):
                continue
            if not self._is_wanted(links.get(id_), RecordKey(Side.CRM, entity, id_)):
                self.findings.add("not in marketing", entity, id_, None, "no person carries this record's key")

    def _lives_on(self, entity: Entity, id_: RecordId) -> bool:
        return id_ in self.rows.merged or (entity == LEAD and id_ in self.rows.origins)

    def _is_wanted(self, link: Link | None, key: RecordKey) -> bool:
        """Its person was deleted (N63), or the contact that it lives on as could not be read."""
        if link is None:
            return False
        lives_on = link.crm is not None and link.crm != key and (Side.CRM, link.crm.entity) in self.seen.unread
        return lives_on or link.status is LinkStatus.TOMBSTONE


def _is_outside(engine: Engine, entity: Entity, values: Values, *, is_linked: bool = False) -> bool:
    state = State(RecordKey(Side.CRM, entity, RecordId("")), ReadNumber(0), values)
    return is_outside(engine.mappings[entity], engine.policies[entity], state, is_linked=is_linked)


def _is_flagged(mapping: EntityMapping, reading: Reading) -> bool:
    flags = [p for p, pair in zip(mapping.marketing_places, mapping.pairs, strict=True) if pair.crm == "@deleted"]
    return any(reading.values[place] is True for place in flags)


@dataclass(slots=True)
class _ByKey:
    """Accounts against companies, users against sales persons, stakeholders against roles: Marketo lists none of them,
    so each is asked for by key."""

    engine: Engine
    mapping: EntityMapping
    rows: _CrmRows
    seen: _Seen
    findings: Findings

    async def compare(self) -> None:
        mapping, marketing = self.mapping, self.engine.marketing
        for batch in _batches(self.rows.ids(mapping.crm_entity)):
            rows = self._named_rows(batch)
            sought = dict.fromkeys(search_value(mapping, values, id_) for id_, (values, _) in rows.items())
            try:
                readings = await marketing.find_records(
                    mapping.marketing_entity, mapping.marketing_fields, mapping.key_field, list(sought)
                )
            except _UNREADABLE as error:
                self.seen.unread.add((Side.MARKETING, mapping.marketing_entity))
                self.findings.unread.append(f"{mapping.marketing_entity} in marketing: {error}")
                return
            self._compare_found(rows, readings)

    def _named_rows(self, ids: Sequence[RecordId]) -> dict[RecordId, tuple[Values, frozenset[str]]]:
        """The crm rows with their parents named as Marketo names them, and the pairs of which that is not known yet."""
        found = {id_: self.rows.find(id_) for id_ in ids}
        rows = {id_: row[1] for id_, row in found.items() if row is not None}
        parents = find_named(self.engine, [(self.mapping, values) for values in rows.values()])
        return {id_: resolved(self.mapping, values, parents) for id_, values in rows.items()}

    def _compare_found(
        self, rows: Mapping[RecordId, tuple[Values, frozenset[str]]], readings: Sequence[Reading]
    ) -> None:
        mapping = self.mapping
        by_key: dict[str | None, list[Reading]] = defaultdict(list)
        for reading in readings:
            self.seen.add(Side.MARKETING, mapping.marketing_entity, reading.id)
            by_key[marketing_key(mapping, reading.values)].append(reading)
        policy = self.engine.policies[mapping.crm_entity]
        creates, keeps = policy.create_in_marketing, policy.edited_in_marketing is EditRule.KEEP
        links = self.engine.store.find_links(Side.CRM, mapping.crm_entity, rows) if keeps else {}
        for id_, (values, unknown) in rows.items():
            key = crm_key(mapping, values, id_)
            if _is_outside(self.engine, mapping.crm_entity, values):
                continue
            found = by_key.get(key, []) if key else []
            for reading in found:
                kept = self._kept(links.get(id_), values, reading)
                _compare_values(mapping, id_, values, reading, self.findings, unknown | kept)
            if len(found) > 1:
                detail = f"{len(found)} records carry the same crm key"
                self.findings.add("key held twice", mapping.crm_entity, id_, found[1].id, detail)
            elif not found and creates and key:
                detail = f"no {mapping.marketing_entity} carries this record's key"
                self.findings.add("not in marketing", mapping.crm_entity, id_, None, detail)

    def _kept(self, link: Link | None, values: Values, reading: Reading) -> frozenset[str]:
        """The pairs whose value was edited in Marketo, and is to stay until Dynamics changes it."""
        if link is None:
            return frozenset()
        crm, marketing = self.mapping.crm_values(values), self.mapping.marketing_values(reading.values)
        halves = zip(self.mapping.names, link.base.crm, crm, link.base.marketing, marketing, strict=True)
        return frozenset(name for name, base, now, other, edit in halves if same(base, now) and not same(other, edit))


def _batches(ids: Iterable[RecordId]) -> Iterator[list[RecordId]]:
    rest = iter(ids)
    while batch := list(islice(rest, _BATCH)):
        yield batch


def _compare_values(
    mapping: EntityMapping,
    crm_id: RecordId,
    crm: Values,
    reading: Reading,
    findings: Findings,
    unknown: frozenset[str] = frozenset(),
) -> None:
    findings.compared[str(mapping.crm_entity)] += 1
    pairs = zip(mapping.pairs, mapping.crm_values(crm), mapping.marketing_values(reading.values), strict=True)
    closed = is_closed(mapping, State(RecordKey(Side.CRM, mapping.crm_entity, crm_id), ReadNumber(0), crm))
    for pair, crm_value, marketing_value in pairs:
        if pair.name in unknown:
            continue
        if closed and is_empty(crm_value):
            continue  # A closed lead takes no value, so what Marketo had before it was linked stays there alone.
        if is_drift(pair, crm_value, marketing_value):
            detail = f"{pair.crm} and {pair.marketing} differ"
            findings.add("field differs", mapping.crm_entity, crm_id, reading.id, detail, field=pair.name)


async def _check_links(engine: Engine, seen: _Seen, findings: Findings) -> None:
    """The one use of the link table: a live link must lead to two records. An end that no reading brought may have been
    made since, or never asked for; so it is read by its id before it is called gone."""
    doubtful: dict[tuple[Side, Entity], list[tuple[RecordKey, Link]]] = defaultdict(list)
    for crm_entity in engine.mappings:
        for link in engine.store.iter_links(crm_entity):
            for key in (link.crm, link.marketing) if link.status is LinkStatus.LIVE else ():
                if key is not None and seen.lacks(key):
                    doubtful[key.side, key.entity].append((key, link))
    for (side, entity), ends in doubtful.items():
        try:
            gone = await _find_gone(engine, side, entity, [key.id for key, _ in ends])
        except _UNREADABLE as error:
            findings.unread.append(f"{entity} in {side}, by id: {error}")
            continue
        for key, link in ends:
            if key.id in gone:
                crm_id, marketing_id = (end.id if end else None for end in (link.crm, link.marketing))
                detail = f"link {link.number} leads to a record of {entity} that is not there"
                findings.add("link without end", link.crm.entity if link.crm else entity, crm_id, marketing_id, detail)


async def _find_gone(engine: Engine, side: Side, entity: Entity, ids: Sequence[RecordId]) -> set[RecordId]:
    gone: set[RecordId] = set()
    for batch in _batches(ids):
        readings = await engine.connector(side).fetch_records(entity, engine.fields_of(side, entity), batch)
        gone |= {reading.id for reading in readings if reading.presence is Presence.GONE}
    return gone
