"""Deletes, by the id that Marketo gave: up to 300 a call, each record with its own outcome (marketo-rest 3.4, 4.1)."""

from collections.abc import Sequence
from typing import Final

from tandem.connectors.marketo.client import MarketoClient
from tandem.connectors.marketo.errors import result_of
from tandem.connectors.marketo.objects import object_of
from tandem.connectors.marketo.wire import WireResult, render_json
from tandem.core.errors import UnknownOutcomeError
from tandem.core.plan import ActionKind
from tandem.core.record import PERSON, Entity, RecordId, Side
from tandem.ports import Missing, Write, WriteResult, Written

_NOT_THERE: Final = frozenset({"1004", "1013"})


async def delete(client: MarketoClient, entity: Entity, writes: Sequence[Write]) -> list[WriteResult]:
    """One call. A record that is not there is ``Missing``; one that others still need (1022) is refused."""
    kind = object_of(entity)
    ids = [write.id for write in writes if write.id is not None]
    assert len(ids) == len(writes), "a delete names its record"
    head = {} if entity == PERSON else {"deleteBy": "idField"}
    body = render_json({**head, "input": [{kind.id_field: kind.wire_id(id_)} for id_ in ids]})
    operation = f"{kind.operation}.delete"
    answer = await client.command(operation, f"{kind.path}/delete.json", body)
    results = answer.rows(WireResult)
    if len(results) != len(ids):
        text = f"Marketo answered {operation} with {len(results)} results for {len(ids)} records."
        raise UnknownOutcomeError(text, side=Side.MARKETING, operation=operation, request_id=answer.request_id)
    return [_fate(entity, id_, result) for id_, result in zip(ids, results, strict=True)]


def _fate(entity: Entity, id_: RecordId, result: WireResult) -> WriteResult:
    if result.status == "deleted":
        return Written(id_)
    if result.reasons and str(result.reasons[0].code) in _NOT_THERE:
        return Missing()
    return result_of(entity, ActionKind.DELETE, result)
