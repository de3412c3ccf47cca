"""The smallest correct connector, over a system kept in memory.

``MemorySystem`` behaves like the side it stands for: the crm side has versions, refuses stale writes and its feed
carries values; the marketing side has no versions, its feed carries change records with display strings, and a create
can be made to look a field up. Faults are scripted per write call: see ``Fault``.
"""

from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from tandem.core.backfill import Since, Span
from tandem.core.errors import CursorExpiredError, RejectedError, TransientError, UnknownOutcomeError
from tandem.core.permissions import Feature
from tandem.core.plan import ActionKind
from tandem.core.record import (
    PERSON,
    ChangeRecord,
    Cursor,
    Entity,
    Presence,
    RecordId,
    RecordKey,
    Side,
    Value,
    Version,
)
from tandem.core.schema import EntitySchema, FieldInfo, FieldKind, NewField, NewObject
from tandem.core.values import display, same
from tandem.ports import (
    Access,
    Budget,
    Clock,
    Missing,
    Page,
    Reading,
    Refused,
    Stale,
    Sweep,
    Taken,
    Write,
    WriteResult,
    Written,
)


class Fault(StrEnum):
    """What becomes of one write call: refused before anything happened; applied with the answer lost; lost on the way
    there; or lost now and applied by ``MemorySystem.land_late``."""

    BUSY = "busy"
    LOST_RESPONSE = "lost response"
    LOST_REQUEST = "lost request"
    LATE = "late"


@dataclass(frozen=True, slots=True)
class LogEntry:
    number: int
    at: datetime
    key: RecordKey
    field: str | None
    old: Value = None
    new: Value = None
    source: str = ""
    is_deletion: bool = False
    merged_into: RecordId | None = None


@dataclass(slots=True)
class MemorySystem:
    """One side's records, its log and the people who edit them. `narrow` is what the side makes of a written value,
    `key_parts` are the fields that make the key of an entity, where it is not the one a create looks up."""

    side: Side
    clock: Clock
    records: dict[Entity, dict[RecordId, dict[str, Value]]] = field(default_factory=dict)
    versions: dict[RecordKey, int] = field(default_factory=dict)
    log: list[LogEntry] = field(default_factory=list)
    faults: deque[Fault | None] = field(default_factory=deque)
    late: list[tuple[Entity, Sequence[Write]]] = field(default_factory=list)
    narrow: Callable[[str, Value], Value] = lambda name, value: value
    refuse: Callable[[str, Value], bool] = lambda name, value: False
    key_parts: Mapping[Entity, tuple[str, ...]] = field(default_factory=dict)
    writes: int = 0
    next_id: int = 1
    forgotten_before: int = 0

    def create(
        self, entity: Entity, values: Mapping[str, Value], id_: RecordId | None = None, source: str = "person"
    ) -> RecordId:
        made = id_ or RecordId(str(self.next_id))
        self.next_id += 1
        key = RecordKey(self.side, entity, made)
        self.records.setdefault(entity, {})[made] = {n: self.narrow(n, v) for n, v in values.items() if v is not None}
        self._note(LogEntry(len(self.log), self.clock.now(), key, None, source=source))
        return made

    def edit(self, entity: Entity, id_: RecordId, values: Mapping[str, Value], source: str = "person") -> None:
        """Change fields; a value that is there already leaves no trace on the marketing side."""
        record = self.records[entity][id_]
        key = RecordKey(self.side, entity, id_)
        for name, given in values.items():
            old, new = record.get(name), self.narrow(name, given)
            if same(old, new) and self.side is Side.MARKETING:
                continue
            record[name] = new
            self._note(LogEntry(len(self.log), self.clock.now(), key, name, old, new, source))

    def delete(self, entity: Entity, id_: RecordId, merged_into: RecordId | None = None) -> None:
        del self.records[entity][id_]
        key = RecordKey(self.side, entity, id_)
        entry = LogEntry(len(self.log), self.clock.now(), key, None, is_deletion=True, merged_into=merged_into)
        self._note(entry)

    def land_late(self) -> None:
        """Apply the writes that were lost and are under way still."""
        landing, self.late = self.late, []
        for entity, writes in landing:
            for write in writes:
                self.apply(entity, write)

    def forget_log(self) -> None:
        """Every cursor handed out so far is expired from now on."""
        self.forgotten_before = len(self.log) + 1
        self._note(LogEntry(len(self.log), self.clock.now(), RecordKey(self.side, PERSON, RecordId("0")), "-"))

    def version(self, key: RecordKey) -> Version | None:
        return Version(str(self.versions.get(key, 0))) if self.side is Side.CRM else None

    def apply(self, entity: Entity, write: Write) -> WriteResult:
        if any(self.refuse(name, value) for name, value in write.values.items()):
            name = next(name for name, value in write.values.items() if self.refuse(name, value))
            return Refused("1003", "invalid value", name)
        match write.kind:
            case ActionKind.CREATE:
                return self._create(entity, write)
            case ActionKind.UPDATE:
                return self._update(entity, write)
            case ActionKind.DELETE:
                return self._delete(entity, write)
            case ActionKind.MERGE:
                return self._merge(entity, write)

    def find(self, entity: Entity, name: str, value: Value) -> list[RecordId]:
        wanted = str(value).lower()
        return [id_ for id_, r in self.records.get(entity, {}).items() if str(r.get(name) or "").lower() == wanted]

    def _create(self, entity: Entity, write: Write) -> WriteResult:
        if write.id is not None and write.id in self.records.get(entity, {}):
            return Taken()
        if self._is_taken(entity, write):
            return Taken()
        made = self.create(entity, write.values, write.id, source="Web service API")
        return Written(made, self.version(RecordKey(self.side, entity, made)))

    def _is_taken(self, entity: Entity, write: Write) -> bool:
        """Whether a record has the key of a create already, every part of it."""
        names = self.key_parts.get(entity) or ((write.lookup,) if write.lookup else ())
        wanted = [(name, write.values.get(name)) for name in names]
        if not wanted or None in (value for _, value in wanted):
            return False
        return bool(set.intersection(*(set(self.find(entity, name, value)) for name, value in wanted)))

    def _update(self, entity: Entity, write: Write) -> WriteResult:
        assert write.id is not None
        key = RecordKey(self.side, entity, write.id)
        if write.id not in self.records.get(entity, {}):
            return Missing()
        if write.version is not None and write.version != self.version(key):
            return Stale()
        self.edit(entity, write.id, write.values, source="Web service API")
        record = self.records[entity][write.id]
        answered = {name: record.get(name) for name in write.values} if self.side is Side.CRM else None
        return Written(write.id, self.version(key), answered)

    def _delete(self, entity: Entity, write: Write) -> WriteResult:
        assert write.id is not None
        if write.id not in self.records.get(entity, {}):
            return Missing()
        if write.version is not None and write.version != self.version(RecordKey(self.side, entity, write.id)):
            return Stale()
        self.delete(entity, write.id)
        return Written(write.id)

    def merge(self, entity: Entity, loser: RecordId, survivor: RecordId, source: str = "person") -> None:
        """The crm side keeps the loser, inactive; the marketing side fills what the survivor lacks and forgets it."""
        if self.side is Side.CRM:
            self.edit(entity, loser, {"statecode": 1, "merged": True, "masterid": survivor}, source)
            self._note(LogEntry(len(self.log), self.clock.now(), RecordKey(self.side, entity, survivor), None))
            return
        mine, theirs = self.records[entity][loser], self.records[entity][survivor]
        self.delete(entity, loser, merged_into=survivor)
        self.records[entity][survivor] = {**mine, **{n: value for n, value in theirs.items() if value is not None}}
        self._note(LogEntry(len(self.log), self.clock.now(), RecordKey(self.side, entity, survivor), None))

    def _merge(self, entity: Entity, write: Write) -> WriteResult:
        assert write.id is not None
        assert write.survivor is not None
        there = self.records.get(entity, {})
        if write.id not in there or write.survivor not in there:
            return Missing()
        if self.side is Side.CRM and any(there[id_].get("statecode") for id_ in (write.id, write.survivor)):
            return Refused("0x80045304", "one of them is inactive")
        self.edit(entity, write.survivor, write.values, source="Web service API")
        self.merge(entity, write.id, write.survivor, source="Web service API")
        return Written(write.id)

    def _note(self, entry: LogEntry) -> None:
        self.log.append(entry)
        self.versions[entry.key] = self.versions.get(entry.key, 0) + 1


_TYPES = {"lead": "Lead", "contact": "Contact", "account": "Account", "systemuser": "User"}


@dataclass(slots=True)
class MemoryConnector:
    """The Connector port over a MemorySystem; `page_size` makes page boundaries testable."""

    system: MemorySystem
    page_size: int = 3
    settle: float = 60.0
    schemas: Mapping[Entity, EntitySchema] = field(default_factory=dict)
    calls: int = 0
    budget: Budget | None = None
    untracked: frozenset[Entity] = frozenset()
    """Entities whose feed tells no deletions."""

    @property
    def side(self) -> Side:
        return self.system.side

    async def close(self) -> None:
        return None

    async def fetch_identity(self) -> Mapping[str, str]:
        return {"system": f"memory {self.side}"}

    async def fetch_schema(self, entity: Entity, paths: Collection[str] = ()) -> EntitySchema:
        return self.schemas.get(entity, EntitySchema(entity, {}))

    async def check_access(self, entities: Sequence[Entity], features: Sequence[Feature] = ()) -> Sequence[Access]:
        return [Access(f"read {entity}", True) for entity in entities]

    async def has_entity(self, entity: Entity) -> bool:
        return not self.schemas or entity in self.schemas

    async def create_fields(self, entity: Entity, fields: Sequence[NewField]) -> None:
        known = dict((await self.fetch_schema(entity)).fields)
        known = {new.name: _described(new) for new in fields} | known
        self.schemas = {**self.schemas, entity: EntitySchema(entity, known)}

    async def create_object(self, new: NewObject) -> None:
        if self.side is Side.CRM:
            raise RejectedError(f"an admin makes the table {new.name}", side=self.side)
        fields = {field.name: _described(field) for field in new.fields}
        self.schemas = {**self.schemas, new.name: EntitySchema(new.name, fields)}

    async def track_changes(self, entity: Entity) -> None:
        if self.side is Side.MARKETING:
            raise RejectedError(f"no one tracks {entity}", side=self.side)
        self.untracked -= {entity}

    async def sweep_of(self, entity: Entity) -> Sweep:
        return Sweep.DELETIONS if entity in self.untracked else Sweep.NOTHING

    async def fetch_ids(self, entity: Entity) -> AsyncIterator[Sequence[RecordId]]:
        ids = sorted(self.system.records.get(entity, {}))
        for start in range(0, max(1, len(ids)), self.page_size):
            self.calls += 1
            yield ids[start : start + self.page_size]

    def has_feed(self, entity: Entity) -> bool:
        return self.side is Side.CRM or entity == PERSON

    async def fetch_changes(self, entity: Entity, cursor: Cursor | None, fields: Sequence[str]) -> AsyncIterator[Page]:
        place = cursor or f"full:{len(self.system.log)}:"
        while place.startswith("full:"):
            _, start, after = place.split(":", 2)
            page = self._full_page(entity, start, after, fields)
            place = page.cursor
            yield page
        async for page in self._log_pages(entity, int(place), fields):
            yield page

    async def fetch_live_cursor(self, entity: Entity, fields: Sequence[str], since: datetime | None) -> Cursor:
        self.calls += 1
        old = [entry for entry in self.system.log if since is None or entry.at < since]
        return Cursor(str(max(len(old), self.system.forgotten_before)))

    async def fetch_span(
        self, entity: Entity, cursor: Cursor | None, fields: Sequence[str], span: Span
    ) -> AsyncIterator[Page]:
        """`cursor` counts the records that have come."""
        times: dict[RecordId, list[datetime]] = {}
        for entry in self.system.log:
            if entry.key.entity == entity and entry.key.id in self.system.records.get(entity, {}):
                times.setdefault(entry.key.id, []).append(entry.at)
        when = {id_: at[0] if span.by is Since.CREATED else at[-1] for id_, at in times.items()}
        ids = [id_ for id_, at in sorted(when.items()) if _is_in(span, at)]
        start, is_last = int(cursor or 0), False
        while not is_last:
            self.calls += 1
            readings = [self._read(entity, id_, fields) for id_ in ids[start : start + self.page_size]]
            start += len(readings)
            is_last = start >= len(ids)
            yield Page(readings, Cursor(str(start)), is_last=is_last, is_full_read=True)

    async def fetch_records(self, entity: Entity, fields: Sequence[str], ids: Sequence[RecordId]) -> Sequence[Reading]:
        self.calls += bool(ids)
        return [self._read(entity, id_, fields) for id_ in ids]

    async def find_records(
        self, entity: Entity, fields: Sequence[str], by: str, values: Sequence[Value]
    ) -> Sequence[Reading]:
        wanted = [value for value in values if value is not None]
        self.calls += bool(wanted)
        ids = dict.fromkeys(id_ for value in wanted for id_ in self.system.find(entity, by, value))
        return [self._read(entity, id_, fields) for id_ in ids]

    def batch_size(self, entity: Entity, kind: ActionKind, waiting: int = 0, lookup: str | None = None) -> int:
        return self.page_size

    def settle_s(self, entity: Entity, together: int = 1, kind: ActionKind = ActionKind.UPDATE) -> float:
        return self.settle

    async def write(self, entity: Entity, writes: Sequence[Write]) -> Sequence[WriteResult]:
        self.calls += 1
        fault = self.system.faults.popleft() if self.system.faults else None
        if fault is Fault.BUSY:
            raise TransientError("busy", side=self.side)
        if fault in (Fault.LOST_REQUEST, Fault.LATE):
            self.system.late.extend([(entity, writes)] if fault is Fault.LATE else [])
            raise UnknownOutcomeError("no answer", side=self.side)
        self.system.writes += len(writes)
        results = [self.system.apply(entity, write) for write in writes]
        if fault is Fault.LOST_RESPONSE:
            raise UnknownOutcomeError("no answer", side=self.side)
        return results

    def _full_page(self, entity: Entity, start: str, after: str, fields: Sequence[str]) -> Page:
        self.calls += 1
        everyone = self.system.records.get(entity, {})
        ids = sorted(id_ for id_ in everyone if id_ > after)
        shown, rest = ids[: self.page_size], ids[self.page_size :]
        cursor = Cursor(f"full:{start}:{shown[-1]}" if rest else start)
        readings = [self._read(entity, id_, fields) for id_ in shown]
        return Page(readings, cursor, is_last=False, is_full_read=True, rows_expected=len(everyone))

    async def _log_pages(self, entity: Entity, start: int, fields: Sequence[str]) -> AsyncIterator[Page]:
        if start < self.system.forgotten_before:
            raise CursorExpiredError("the log was forgotten", side=self.side)
        while True:
            self.calls += 1
            began = self.system.clock.now()
            entries = self.system.log[start : start + self.page_size]
            start += len(entries)
            is_last = start >= len(self.system.log)
            mine = [entry for entry in entries if entry.key.entity == entity]
            mine = [entry for entry in mine if not (entry.is_deletion and entity in self.untracked)]
            yield Page(
                readings=self._readings(mine, fields),
                touched=[_to_record(e) for e in mine if self.side is Side.MARKETING and not e.is_deletion],
                cursor=Cursor(str(start)),
                is_last=is_last,
                complete_until=began if is_last else None,
            )
            if is_last:
                return

    def _readings(self, entries: Sequence[LogEntry], fields: Sequence[str]) -> list[Reading]:
        gone = [
            Reading(entry.key.id, presence=Presence.SUSPECT, merged_into=entry.merged_into)
            for entry in entries
            if entry.is_deletion
        ]
        if self.side is Side.MARKETING:
            return gone
        present = (self._read(e.key.entity, e.key.id, fields) for e in entries if not e.is_deletion)
        return [reading for reading in present if reading.presence is Presence.PRESENT] + gone

    def _read(self, entity: Entity, id_: RecordId, fields: Sequence[str]) -> Reading:
        record = self.system.records.get(entity, {}).get(id_)
        if record is None:
            return Reading(id_, presence=Presence.GONE)
        virtual: dict[str, Value] = {
            "@id": id_,
            "@type": _TYPES.get(entity),
            "@deleted": False,
            "@paused": False,
            **record,
        }
        values = tuple(virtual.get(n.partition(".")[0]) for n in fields)
        merged = record.get("masterid")
        version = self.system.version(RecordKey(self.side, entity, id_))
        return Reading(id_, values, version, merged_into=RecordId(str(merged)) if merged else None)


def _to_record(entry: LogEntry) -> ChangeRecord:
    return ChangeRecord(
        f"{entry.number}", entry.key, entry.at, entry.field, display(entry.old), display(entry.new), entry.source
    )


def _is_in(span: Span, at: datetime) -> bool:
    return (span.since is None or at >= span.since) and (span.until is None or at < span.until)


def _described(new: NewField) -> FieldInfo:
    return FieldInfo(new.name, new.label, FieldKind.TEXT, new.native_type, max_length=new.max_length)
