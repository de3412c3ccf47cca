"""A batch of writes as one sync call, and its answer record by record.

People are created by ``createOnly`` with the field that must not be taken, everything is updated by its id; an upsert
or ``createDuplicate`` is never sent. Two creates of one key never travel together: Marketo would make twins of them.
A batch whose body would pass 1 MB is cut: the first records go, the others are answered as ``Stale`` (not sent, plan
again), so that one ``write`` stays one call with one outcome.

Only a record that makes Marketo fail (611) takes more calls: where Marketo is well otherwise, the batch is halved until
the bad record is alone. From then on something may be written, so what fails afterwards is said record by record.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeAlias

from tandem.connectors.marketo.client import MarketoClient
from tandem.connectors.marketo.costs import BATCH_MAX, BODY_MAX, ImportEstimate
from tandem.connectors.marketo.errors import SYSTEM_ERROR, results_of
from tandem.connectors.marketo.named import tell_apart
from tandem.connectors.marketo.objects import MarketoObject, object_of
from tandem.connectors.marketo.partitions import fields_of, partition_of
from tandem.connectors.marketo.reader import all_of
from tandem.connectors.marketo.wire import WireResult, render_json
from tandem.core.errors import AccessError, RejectedError, TransientError, UnknownOutcomeError
from tandem.core.plan import ActionKind
from tandem.core.record import PERSON, Entity, RecordId, Side, Value
from tandem.ports import Refused, Stale, Taken, Write, WriteResult

NOBODY: Final = RecordId("0")
"""An id that no record has."""

PART_ATTEMPTS: Final = 2
"""Halves of a batch that failed for good are not tried as patiently as the whole."""


class KeysInFlight:
    """Keys of creates that are under way: another create of one of them waits until it is known what became of it."""

    def __init__(self) -> None:
        self._held: set[tuple[Entity, str, str]] = set()
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def held(self, keys: set[tuple[Entity, str, str]]) -> AsyncIterator[None]:
        async with self._changed:
            await self._changed.wait_for(lambda: self._held.isdisjoint(keys))
            self._held |= keys
        try:
            yield
        finally:
            self._held -= keys
            async with self._changed:
                self._changed.notify_all()


class Writer:
    def __init__(self, client: MarketoClient, estimate: ImportEstimate, keys: KeysInFlight) -> None:
        self._client = client
        self._estimate = estimate
        self._keys = keys

    async def write(self, entity: Entity, writes: Sequence[Write]) -> list[WriteResult]:
        if not writes:
            return []
        if writes[0].kind is not ActionKind.CREATE:
            return await self._write(entity, writes)
        keys = [key_of(entity, write) for write in writes]
        first = {key: place for place, key in reversed(list(enumerate(keys))) if key is not None}
        twins = {place for place, key in enumerate(keys) if key is not None and first[key] != place}
        async with self._keys.held(set(first)):
            alone = [write for place, write in enumerate(writes) if place not in twins] if twins else writes
            results = await self._write(entity, alone)
        if not twins:
            return results
        of_alone = iter(results)
        return [Taken() if place in twins else next(of_alone) for place in range(len(writes))]

    async def write_many(self, entity: Entity, writes: Sequence[Write], *, may_raise: bool) -> list[WriteResult]:
        """Any number of writes of one kind. Once something may be written (not `may_raise`, or behind the first call)
        it raises UnknownOutcomeError only."""
        parts = [writes[start : start + BATCH_MAX] for start in range(0, len(writes), BATCH_MAX)]
        first = [await self.write(entity, parts.pop(0))] if may_raise and parts else []
        others = await all_of(self._write_part(entity, part) for part in parts)
        return [result for results in (*first, *others) for result in results]

    async def _write_part(self, entity: Entity, writes: Sequence[Write]) -> list[WriteResult]:
        try:
            return await self.write(entity, writes)
        except (TransientError, AccessError):
            return [Stale()] * len(writes)
        except RejectedError as error:
            if len(writes) == 1:
                return [Refused(error.code, str(error))]
            middle = len(writes) // 2
            halves = (writes[:middle], writes[middle:])
            return [result for half in halves for result in await self._write_part(entity, half)]

    async def _write(self, entity: Entity, writes: Sequence[Write]) -> list[WriteResult]:
        object_, head = object_of(entity), render_head(entity, writes)
        call = _SyncCall(self._client, object_, writes[0].kind, head)
        records = to_records(object_, writes)
        body = render_json({**head, "input": records})
        self._estimate.note_rows(len(records), len(body))
        if len(body) <= BODY_MAX:
            return await call.send(records, body)
        count = count_that_fits(head, records)
        if count == 0:
            text = "The record is larger than the 1 MB that Marketo takes."
            return [Refused("413", text), *([Stale()] * (len(writes) - 1))]
        return [*await call.send(records[:count]), *([Stale()] * (len(writes) - count))]


_Record: TypeAlias = dict[str, Value]


class _SyncCall:
    """Sends records of one kind under one head."""

    def __init__(
        self, client: MarketoClient, object_: MarketoObject, kind: ActionKind, head: Mapping[str, Any]
    ) -> None:
        self._client = client
        self.object = object_
        self.kind = kind
        self.head = head

    async def send(self, records: Sequence[_Record], body: bytes | None = None) -> list[WriteResult]:
        """`body` is the call's, where it is rendered already."""
        try:
            return await self._sync(records, body)
        except TransientError as error:
            if error.code != SYSTEM_ERROR or not await self._is_marketo_well():
                raise
            return await self._halve(records, error)

    async def _sync(
        self, records: Sequence[_Record], body: bytes | None = None, attempts_max: int | None = None
    ) -> list[WriteResult]:
        operation = f"{self.object.operation}.sync"
        body = body or render_json({**self.head, "input": records})
        answer = await self._client.command(operation, f"{self.object.path}.json", body, attempts_max=attempts_max)
        results = answer.rows(WireResult)
        if len(results) != len(records):
            text = f"Marketo answered {operation} with {len(results)} results for {len(records)} records."
            raise UnknownOutcomeError(text, side=Side.MARKETING, operation=operation, request_id=answer.request_id)
        fates = results_of(self.object.entity, self.kind, results)
        if self.kind is not ActionKind.UPDATE:
            return fates
        return await tell_apart(self._client, self.object, records, results, fates)

    async def _halve(self, records: Sequence[_Record], error: RejectedError | TransientError) -> list[WriteResult]:
        if len(records) == 1:
            return [Refused(error.code, str(error))]
        middle = len(records) // 2
        return [*await self._send_part(records[:middle]), *await self._send_part(records[middle:])]

    async def _send_part(self, records: Sequence[_Record]) -> list[WriteResult]:
        """Raises nothing that would say that nothing was written: another part may have been."""
        try:
            return await self._sync(records, attempts_max=PART_ATTEMPTS)
        except RejectedError as error:
            return await self._halve(records, error)
        except TransientError as error:
            if error.code == SYSTEM_ERROR and (len(records) > 1 or await self._is_marketo_well()):
                return await self._halve(records, error)
            return [Stale()] * len(records)
        except AccessError:
            return [Stale()] * len(records)

    async def _is_marketo_well(self) -> bool:
        """Whether it answers a harmless call of the same kind: then it is a record that makes it fail."""
        body = no_update(self.object.entity)
        try:
            await self._client.command(
                f"{self.object.operation}.sync", f"{self.object.path}.json", body, attempts_max=1
            )
        except (TransientError, UnknownOutcomeError):
            return False
        return True


def key_of(entity: Entity, write: Write) -> tuple[Entity, str, str] | None:
    """The key a create must not find taken, as Marketo compares it; None where one field is not all of it."""
    if write.kind is not ActionKind.CREATE or write.lookup is None or not object_of(entity).has_one_key:
        return None
    value = write.values.get(write.lookup)
    return (entity, write.lookup, str(value).strip().lower()) if value is not None else None


def no_update(entity: Entity) -> bytes:
    """The body of an update that changes nothing: of a record that does not exist."""
    kind = object_of(entity)
    head = _update_head(entity)
    return render_json({**head, "input": [{kind.id_field: kind.wire_id(NOBODY)}]})


def render_head(entity: Entity, writes: Sequence[Write]) -> dict[str, Any]:
    """What all records of the call share: one kind, and for people created one lookup field."""
    kind, lookup = writes[0].kind, writes[0].lookup
    assert len(writes) <= BATCH_MAX, "a batch is larger than batch_size"
    assert all(write.kind is kind and write.lookup == lookup for write in writes), "a batch is not of one kind"
    if kind is ActionKind.UPDATE:
        return _update_head(entity)
    if entity != PERSON:
        return {"action": "createOnly", "dedupeBy": "dedupeFields"}
    assert lookup is not None, "a person is created by a field that must not be taken"
    partition = partition_of(writes)
    return {"action": "createOnly", "lookupField": lookup} | ({"partitionName": partition} if partition else {})


def _update_head(entity: Entity) -> dict[str, Any]:
    return {"action": "updateOnly", **({"lookupField": "id"} if entity == PERSON else {"dedupeBy": "idField"})}


def to_records(object_: MarketoObject, writes: Sequence[Write]) -> list[_Record]:
    """As JSON wants them; None travels as null, which clears."""
    if writes[0].kind is ActionKind.CREATE:
        return [{**fields_of(write)} for write in writes]
    assert all(write.id is not None for write in writes), "an update names its record"
    id_field = object_.id_field
    if id_field == "id":
        return [{**write.values, "id": int(write.id)} for write in writes]  # type: ignore[arg-type]
    return [{**write.values, id_field: write.id} for write in writes]


def count_that_fits(head: Mapping[str, Any], records: Sequence[_Record]) -> int:
    """How many of the records, from the first, make a body that Marketo takes."""
    size = len(render_json({**head, "input": []}))
    for count, record in enumerate(records):
        size += len(render_json(record)) + 1
        if size > BODY_MAX + 1:  # the last one has no comma
            return count
    return len(records)
