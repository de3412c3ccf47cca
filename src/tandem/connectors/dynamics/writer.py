"""Writes: one batch call, one request in it for each record, every record with its own outcome.

A create names its own GUID and says ``If-None-Match: *``: a second try finds it taken. An update says ``If-Match`` with
the version it was planned against, and ``*`` where none is known: never without, because a PATCH alone would bring a
deleted record back. Each answer carries the written columns as the service stored them, with the new version.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from tandem.connectors.dynamics.batch import Part, PartAnswer
from tandem.connectors.dynamics.client import DynamicsClient, absolute, fault_of
from tandem.connectors.dynamics.errors import access_remedy, classify_write, missing_privilege
from tandem.connectors.dynamics.schema import Table
from tandem.connectors.dynamics.wire import RowShape, render_record
from tandem.connectors.pacing import RETRY_AFTER_MAX_S
from tandem.core.errors import AccessError, RemoteError
from tandem.core.plan import ActionKind
from tandem.core.record import RecordId, Side, Value, Version
from tandem.core.schema import FieldKind
from tandem.ports import Write, WriteResult, Written

WRITE_BATCH_SIZE: Final = 100
"""A write with its synchronous plug-ins takes 0.1 to 1 s, the parts run one after the other, and a request has two
minutes: a hundred fit, a thousand would not. A throttled batch also costs less when it is small."""


class Writer:
    def __init__(
        self,
        client: DynamicsClient,
        set_name_of: Callable[[str], Awaitable[str]],
        pause: Callable[[float], None],
        *,
        timeout_s: float,
    ) -> None:
        """`pause` holds back all later calls for so many seconds."""
        self._client = client
        self._set_name_of = set_name_of
        self._pause = pause
        self._timeout_s = timeout_s
        self._shapes: dict[tuple[str, tuple[str, ...]], RowShape] = {}

    async def write(self, table: Table, writes: Sequence[Write]) -> list[WriteResult]:
        """One HTTP call; the results in the order given.

        Raises:
            AccessError: the role lacks the privilege altogether, so that nothing was written.
        """
        assert len(writes) <= WRITE_BATCH_SIZE, "more writes than one call takes"
        if not writes:
            return []
        operation = f"{writes[0].kind} {table.entity}"
        set_names = await self._set_names(table, writes)
        parts = [self._part(table, write, set_names) for write in writes]
        answers = await self._client.send_batch(operation, parts, is_write=True, timeout_s=self._timeout_s)
        _check_privilege(answers, operation)
        return [self._result(table, write, answer) for write, answer in zip(writes, answers, strict=True)]

    async def _set_names(self, table: Table, writes: Sequence[Write]) -> Mapping[str, str]:
        filled = {name for write in writes for name, value in write.values.items() if value is not None}
        columns = [table.column(name) for name in sorted(filled)]
        targets = {c.target for c in columns if c.kind is FieldKind.REFERENCE and c.target}
        return {target: await self._set_name_of(target) for target in sorted(targets)}

    def _part(self, table: Table, write: Write, set_names: Mapping[str, str]) -> Part:
        assert write.id is not None, "a create in Dynamics names its own GUID"
        is_create = write.kind is ActionKind.CREATE
        values = {name: v for name, v in write.values.items() if v is not None} if is_create else write.values
        condition = {"If-None-Match": "*"} if is_create else {"If-Match": write.version or "*"}
        headers = {"Content-Type": "application/json", "Prefer": "return=representation", **condition}
        path = absolute(f"{table.set_name}({write.id})?$select={self._shape(table, write).select}")
        return Part("PATCH", path, headers, render_record(table, values, set_names))

    def _shape(self, table: Table, write: Write) -> RowShape:
        fields = tuple(name for name in sorted(write.values) if table.column(name).is_readable)
        key = (table.entity, fields)
        if key not in self._shapes or self._shapes[key].table is not table:
            self._shapes[key] = RowShape(table, fields)
        return self._shapes[key]

    def _result(self, table: Table, write: Write, answer: PartAnswer) -> WriteResult:
        fault = fault_of(answer)
        if fault is not None:
            if fault.retry_after_s is not None:
                self._pause(min(fault.retry_after_s, RETRY_AFTER_MAX_S))
            return classify_write(write.kind, fault, write.values)
        assert write.id is not None
        return _written(write.id, self._shape(table, write), answer)


def _written(record_id: RecordId, shape: RowShape, answer: PartAnswer) -> Written:
    """It is done whatever the answer looks like: one that cannot be read only leaves the values unknown."""
    version = Version(answer.headers["etag"]) if "etag" in answer.headers else None
    try:
        reading = shape.parse_row(answer.body, "written record")
    except RemoteError:
        return Written(record_id, version)
    values: dict[str, Value] = dict(zip(shape.fields, reading.values, strict=True))
    return Written(record_id, reading.version or version, values)


def _check_privilege(answers: Sequence[PartAnswer], operation: str) -> None:
    """A privilege that every record misses is news about the role, not about the records."""
    faults = [fault_of(answer) for answer in answers]
    first = faults[0]
    if first is not None and all(fault is not None and missing_privilege(fault) for fault in faults):
        text = f"Dynamics, {operation}: {access_remedy(first)}."
        raise AccessError(text, side=Side.CRM, operation=operation, code=first.code, request_id=first.request_id)
