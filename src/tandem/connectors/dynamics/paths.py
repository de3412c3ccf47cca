"""What a lookup leads to: ``lookup.column`` and ``lookup.@name``, read with the record that the lookup belongs to.

A change feed takes no ``$expand``, and an annotation with the name would come with one for every other column (ADR 31).
So the rows at the lookups' ends are asked for by their ids, those of a whole page in one call. A lookup that may lead
to several tables does not say to which: its tables are asked one after the other for the rows that are still missing.
"""

from collections.abc import Awaitable, Callable, Container, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeAlias

from tandem.connectors.dynamics.client import DynamicsClient
from tandem.connectors.dynamics.reader import find_by_ids
from tandem.connectors.dynamics.schema import Table
from tandem.connectors.dynamics.views import Derived, Facts, FindFacts, Row
from tandem.connectors.dynamics.wire import RowShape
from tandem.core.errors import RejectedError
from tandem.core.mapping import AT_ITS_END
from tandem.core.record import Entity, Value
from tandem.core.schema import FieldInfo, FieldKind

NAME: Final = "@name"
"""Stands for the column that Dynamics shows a row of the table by."""

TableOf: TypeAlias = Callable[[Entity], Awaitable[Table]]


@dataclass(frozen=True, slots=True)
class Path:
    lookup: str
    column: str

    @property
    def by(self) -> str:
        return f"{self.lookup}.{AT_ITS_END}"

    def derived(self) -> Derived:
        def shown(row: Row, facts: Facts) -> Value:
            return facts.get(f"{row[self.by]}.{self.column}")

        info = FieldInfo(f"{self.lookup}.{self.column}", self.column, FieldKind.OTHER, "virtual", is_writable=False)
        return Derived(info, (self.by,), shown, asks=(self.by, self.lookup))


def paths_in(fields: Iterable[str]) -> dict[str, Path]:
    """The fields that show what a lookup leads to; its id is a column of the row itself."""
    parts = {name: name.partition(".") for name in fields if "." in name}
    return {name: Path(p[0], p[2]) for name, p in parts.items() if not p[2].startswith(AT_ITS_END)}


class LookupEnds:
    """The rows that lookups lead to. `described` gives a table as it is now, `table_of` as it is known."""

    def __init__(self, client: DynamicsClient, table_of: TableOf, described: TableOf) -> None:
        self._client = client
        self._table_of = table_of
        self._described = described
        self._readable: dict[Entity, Table] = {}

    async def describe(self, table: Table, paths: Iterable[str]) -> dict[str, FieldInfo]:
        """Those of `paths` that lead to a column of one type in all tables that have it. One that our user may not
        read in one of them is not readable, so that it is left out by itself."""
        ends = {name: await self._ends_of(table, path) for name, path in paths_in(paths).items()}
        closed = await self._closed({there.entity: there for having in ends.values() for there, _ in having}.values())
        found = {name: _described(name, having, closed) for name, having in ends.items()}
        return {name: info for name, info in found.items() if info is not None}

    async def _ends_of(self, table: Table, path: Path) -> list[tuple[Table, str]]:
        """The tables that the path may lead to and that have the column, with its name there."""
        ends = [await _end(self._described, target) for target in _targets(table, path.lookup)]
        return [(there, column) for there in ends if there and (column := _column_of(there, path.column))]

    async def _closed(self, tables: Iterable[Table]) -> set[Entity]:
        """Those that our user has no right to, asked in one call, once for each description."""
        asked = [there for there in tables if self._readable.get(there.entity) is not there]
        paths = [f"{there.set_name}?$select={there.primary_id}&$top=1" for there in asked]
        answers = await self._client.get_many("try to read what lookups lead to", paths) if paths else []
        closed = {there.entity for there, answer in zip(asked, answers, strict=True) if answer.status == 403}
        self._readable |= {there.entity: there for there in asked if there.entity not in closed}
        return closed

    def finders(self, entity: Entity, paths: Iterable[Path]) -> dict[str, FindFacts]:
        """By lookup: the columns that are wanted of the rows at its ends, by ``id.column``."""
        columns: dict[str, list[str]] = {}
        for path in paths:
            columns.setdefault(path.lookup, []).append(path.column)
        return {lookup: partial(self._find, entity, lookup, wanted) for lookup, wanted in columns.items()}

    async def _find(self, entity: Entity, lookup: str, columns: Sequence[str], ids: Sequence[str]) -> Facts:
        facts: dict[str, Value] = {}
        missing = dict.fromkeys(ids)
        for target in _targets(await self._table_of(entity), lookup):
            there = await _end(self._table_of, target) if missing else None
            known = {column: name for column in columns if (name := _column_of(there, column))} if there else {}
            if there is None or not known:
                continue
            for reading in await find_by_ids(self._client, RowShape(there, list(known.values())), list(missing)):
                missing.pop(reading.id, None)
                facts |= {f"{reading.id}.{column}": v for column, v in zip(known, reading.values, strict=True)}
        return facts


def _described(name: str, having: Sequence[tuple[Table, str]], closed: Container[Entity]) -> FieldInfo | None:
    infos = [replace(there.columns[column].info(), shows=((there.entity, column),)) for there, column in having]
    if len({(info.kind, *sorted(info.choices.items()), *info.targets) for info in infos}) != 1:
        return None
    return replace(
        infos[0],
        name=name,
        is_readable=not any(there.entity in closed for there, _ in having),
        is_writable=False,
        is_searchable=False,
        is_secured=any(info.is_secured for info in infos),
        max_length=max((info.max_length for info in infos if info.max_length), default=None),
        shows=tuple(end for info in infos for end in info.shows),
    )


def _targets(table: Table, lookup: str) -> tuple[str, ...]:
    column = table.columns.get(lookup)
    return column.targets if column else ()


async def _end(table_of: TableOf, target: str) -> Table | None:
    """A table that a lookup may lead to; None where the Web API does not show it."""
    try:
        return await table_of(Entity(target))
    except RejectedError:
        return None


def _column_of(table: Table, column: str) -> str:
    """Empty where the table has none that can be read."""
    name = table.primary_name if column == NAME else column
    return name if name in table.columns and table.columns[name].is_readable else ""
