"""A batch of writes as one sync call, and its answer record by record.

People are created by ``createOnly`` with the field that must not be taken, everything is updated by ``id``; an upsert
or ``createDuplicate`` is never sent. A batch whose body would pass 1 MB is cut: the first records go, the others are
answered as ``Stale`` (not sent, plan again), so that one ``write`` stays one call with one outcome.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tandem.connectors.marketo.client import MarketoClient
from tandem.connectors.marketo.errors import result_of
from tandem.connectors.marketo.schema import OPERATIONS, PATHS
from tandem.connectors.marketo.wire import WireResult, render_json
from tandem.core.errors import UnknownOutcomeError
from tandem.core.plan import ActionKind
from tandem.core.record import PERSON, Entity, Side, Value
from tandem.ports import Refused, Stale, Write, WriteResult

BATCH_MAX: Final = 300
BODY_MAX: Final = 1_000_000


async def write(client: MarketoClient, entity: Entity, writes: Sequence[Write]) -> list[WriteResult]:
    if not writes:
        return []
    head, records = render_head(entity, writes), [render_record(write) for write in writes]
    count = count_that_fits(head, records)
    if count == 0:
        return [
            Refused("413", "The record is larger than the 1 MB that Marketo takes."),
            *([Stale()] * (len(writes) - 1)),
        ]
    operation = f"{OPERATIONS[entity]}.sync"
    body = render_json({**head, "input": records[:count]})
    answer = await client.command(operation, f"{PATHS[entity]}.json", body)
    results = answer.rows(WireResult)
    if len(results) != count:
        text = f"Marketo answered {operation} with {len(results)} results for {count} records."
        raise UnknownOutcomeError(text, side=Side.MARKETING, operation=operation, request_id=answer.request_id)
    done = [result_of(entity, writes[0].kind, result) for result in results]
    return [*done, *([Stale()] * (len(writes) - count))]


def render_head(entity: Entity, writes: Sequence[Write]) -> dict[str, Any]:
    """What all records of the call share: one kind, and for people created one lookup field."""
    kind, lookup = writes[0].kind, writes[0].lookup
    assert len(writes) <= BATCH_MAX, "a batch is larger than batch_size"
    assert all(write.kind is kind and write.lookup == lookup for write in writes), "a batch is not of one kind"
    if kind is ActionKind.UPDATE:
        return {"action": "updateOnly", **({"lookupField": "id"} if entity == PERSON else {"dedupeBy": "idField"})}
    if entity != PERSON:
        return {"action": "createOnly", "dedupeBy": "dedupeFields"}
    assert lookup is not None, "a person is created by a field that must not be taken"
    return {"action": "createOnly", "lookupField": lookup}


def render_record(write: Write) -> Mapping[str, Value]:
    """None travels as null, which clears."""
    if write.kind is ActionKind.CREATE:
        return write.values
    assert write.id is not None, "an update names its record"
    return {**write.values, "id": int(write.id)}


def count_that_fits(head: Mapping[str, Any], records: Sequence[Mapping[str, Value]]) -> int:
    """How many of the records, from the first, make a body that Marketo takes."""
    size = len(render_json({**head, "input": []}))
    for count, record in enumerate(records):
        size += len(render_json(record)) + 1
        if size > BODY_MAX:
            return count
    return len(records)
