"""Marketo as it would be with the fields that the first sync creates: for a plan, which must create nothing."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import msgspec

from tandem.core.record import Cursor, Entity, RecordId, Value
from tandem.core.schema import NewField
from tandem.ports import Connector, Page, Reading


class PreviewConnector:
    """Reads the fields that are `missing` as Marketo shows a field nobody has filled (a boolean as false), finds nobody
    by them, and hands everything else on."""

    def __init__(self, connector: Connector, missing: Iterable[NewField]) -> None:
        self._connector = connector
        self._absent: dict[str, Value] = {
            field.name: False if field.native_type == "boolean" else None for field in missing
        }

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connector, name)

    async def fetch_changes(self, entity: Entity, cursor: Cursor | None, fields: Sequence[str]) -> AsyncIterator[Page]:
        real = self._real(fields)
        pages = self._connector.fetch_changes(entity, cursor, real)
        async with aclosing(pages):  # type: ignore[type-var]
            async for page in pages:
                yield replace(page, readings=[self._filled(reading, fields, real) for reading in page.readings])

    async def fetch_records(self, entity: Entity, fields: Sequence[str], ids: Sequence[RecordId]) -> Sequence[Reading]:
        real = self._real(fields)
        readings = await self._connector.fetch_records(entity, real, ids)
        return [self._filled(reading, fields, real) for reading in readings]

    async def find_records(
        self, entity: Entity, fields: Sequence[str], by: str, values: Sequence[Value]
    ) -> Sequence[Reading]:
        if by in self._absent:
            return []
        real = self._real(fields)
        readings = await self._connector.find_records(entity, real, by, values)
        return [self._filled(reading, fields, real) for reading in readings]

    def _real(self, fields: Sequence[str]) -> tuple[str, ...]:
        return tuple(name for name in fields if name not in self._absent)

    def _filled(self, reading: Reading, fields: Sequence[str], real: Sequence[str]) -> Reading:
        if not reading.values:
            return reading
        values = {**self._absent, **dict(zip(real, reading.values, strict=True))}
        return msgspec.structs.replace(reading, values=tuple(values[name] for name in fields))
