"""Writes: one batch call, every record with its own outcome.

What a person can edit goes out as one request for each record. A create names its own GUID and says
``If-None-Match: *``: a second try finds it taken. An update says ``If-Match`` with the version it was planned against,
and ``*`` where none is known: never without, because a PATCH alone would bring a deleted record back.

Creates of several records, and updates of columns that Tandem alone writes, need no version: they go out as bulk
messages, which the service carries out several times faster.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Final

from tandem.connectors.dynamics.batch import Part, PartAnswer
from tandem.connectors.dynamics.bulk import BulkWrite, NoBulkMessageError
from tandem.connectors.dynamics.client import DynamicsClient, fault_of
from tandem.connectors.dynamics.merges import merge_part, merge_result
from tandem.connectors.dynamics.schema import Table
from tandem.connectors.dynamics.side_effects import USUAL, SideEffects
from tandem.connectors.dynamics.single import Shapes, SingleWrites, check_privilege
from tandem.core.plan import ActionKind
from tandem.core.record import Entity
from tandem.core.schema import FieldKind
from tandem.ports import Write, WriteResult

UPDATES_MAX: Final = 100
"""A write with its synchronous plug-ins takes 0.1 to 1 s, the parts run one after the other, and a request has two
minutes: a hundred fit, a thousand would not. A throttled batch also costs less when it is small."""

CREATES_MAX: Final = 200
"""CreateMultiple was measured at the same 91 to 100 rows/s for a hundred rows and for a thousand: beyond a hundred,
size brings fewer calls and no more. Two hundred halve the calls, leave each record 0.6 s of the two minutes, and cost
at most eight calls more where some of them are bad."""


class Writer:
    def __init__(
        self,
        client: DynamicsClient,
        set_name_of: Callable[[str], Awaitable[str]],
        pause: Callable[[float], None],
        *,
        own_columns: Mapping[Entity, Collection[str]],
        timeout_s: float,
        side_effects: SideEffects = USUAL,
    ) -> None:
        """`pause` holds back all later calls for so many seconds."""
        self._client = client
        self._set_name_of = set_name_of
        self._pause = pause
        self._own_columns = {entity: frozenset(columns) for entity, columns in own_columns.items()}
        self._timeout_s = timeout_s
        self._side_effects = side_effects
        self._shapes = Shapes()
        self._without_bulk: set[tuple[Entity, ActionKind]] = set()

    async def write(self, table: Table, writes: Sequence[Write]) -> list[WriteResult]:
        """One HTTP call, and a few more where a bulk message failed; the results in the order given.

        Raises:
            AccessError: the role lacks the privilege altogether, so that nothing was written.
        """
        if not writes:
            return []
        assert len(writes) <= batch_size(writes[0].kind), "more writes than one call takes"
        if writes[0].kind is ActionKind.MERGE:
            return await self._merge(table, writes)
        singles = SingleWrites(table, writes, await self._set_names(table, writes), self._shapes)

        async def send(parts: Sequence[Part]) -> list[PartAnswer]:
            return await self._send(singles.operation, parts)

        if self._goes_in_bulk(singles):
            try:
                return await BulkWrite(singles, send).run()
            except NoBulkMessageError:
                self._without_bulk.add((table.entity, singles.kind))
        answers = await send([singles.part(number) for number in range(len(writes))])
        check_privilege([fault_of(answer) for answer in answers], singles.operation)
        return [singles.result(number, answer) for number, answer in enumerate(answers)]

    async def _merge(self, table: Table, writes: Sequence[Write]) -> list[WriteResult]:
        operation, names = f"merge {table.entity}", await self._set_names(table, writes)
        answers = await self._send(operation, [merge_part(table, write, names) for write in writes])
        check_privilege([fault_of(answer) for answer in answers], operation)
        return [merge_result(write, answer) for write, answer in zip(writes, answers, strict=True)]

    def _goes_in_bulk(self, singles: SingleWrites) -> bool:
        entity = singles.table.entity
        if len(singles.writes) < 2 or (entity, singles.kind) in self._without_bulk:
            return False
        if singles.kind is not ActionKind.UPDATE:
            return singles.kind is ActionKind.CREATE
        own = self._own_columns.get(entity, frozenset())
        return all(own.issuperset(write.values) for write in singles.writes)

    async def _send(self, operation: str, parts: Sequence[Part]) -> list[PartAnswer]:
        parts = [self._side_effects.on(part) for part in parts]
        answers = await self._client.send_batch(operation, parts, is_write=True, timeout_s=self._timeout_s)
        for answer in answers:
            if answer.status >= 400 and answer.retry_after_s is not None:
                self._pause(answer.retry_after_s)
        return answers

    async def _set_names(self, table: Table, writes: Sequence[Write]) -> Mapping[str, str]:
        filled = {name for write in writes for name, value in write.values.items() if value is not None}
        columns = [table.column(name) for name in sorted(filled)]
        targets = {c.target for c in columns if c.kind is FieldKind.REFERENCE and c.target}
        return {target: await self._set_name_of(target) for target in sorted(targets)}


def batch_size(kind: ActionKind) -> int:
    return CREATES_MAX if kind is ActionKind.CREATE else UPDATES_MAX
