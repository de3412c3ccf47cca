"""What Tandem reads of a table beyond its rows and columns: derived columns, and views.

A *derived column* is made of several columns of its row, and now and then of another row: the amount of an opportunity
is what is expected until it is closed and what came of it then. Its name begins with ``@``, like those of the columns
that Tandem itself supplies. A *view* is an entity of its own over a table: some of its rows, under a name by which they
can be mapped. A row that does not belong to a view is not there for whoever reads the view.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, Protocol, TypeAlias

from tandem.core.record import Entity, Presence, Value
from tandem.core.schema import EntitySchema, FieldInfo
from tandem.ports import Page, Reading

Row: TypeAlias = Mapping[str, Value]
Facts: TypeAlias = Mapping[str, Value]
"""What other rows say: a value by the id of the row, or by ``id.column`` where they say several things."""


class FindFacts(Protocol):
    """Facts about the rows with these ids, by id."""

    def __call__(self, ids: Sequence[str]) -> Awaitable[Facts]: ...


@dataclass(frozen=True, slots=True)
class Derived:
    """A column made of those it ``needs``. ``asks``: the column whose value is the id of another row, and the name of
    the facts to ask for it (``View.facts``)."""

    info: FieldInfo
    needs: tuple[str, ...]
    compute: Callable[[Row, Facts], Value]
    asks: tuple[str, str] | None = None


def _is_any(row: Row) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class View:
    """``table`` is what is read; ``belongs`` says of a row, from the columns in ``tells``, whether it is one of the
    view's."""

    table: Entity
    derived: Mapping[str, Derived] = field(default_factory=dict)
    tells: tuple[str, ...] = ()
    belongs: Callable[[Row], bool] = _is_any

    def schema(self, entity: Entity, table: EntitySchema) -> EntitySchema:
        fields = {**table.fields, **{name: column.info for name, column in self.derived.items()}}
        return EntitySchema(entity, fields, table.is_tracked)


class Lens:
    """A view for one list of fields: the columns to ask the table for, and what its readings come to. `more` are
    derived columns of these fields alone."""

    def __init__(
        self,
        view: View,
        fields: Sequence[str],
        facts: Mapping[str, FindFacts],
        more: Mapping[str, Derived] = MappingProxyType({}),
    ) -> None:
        self._fields = tuple(fields)
        known = {**view.derived, **more}
        self._derived = {name: known[name] for name in fields if name in known}
        plain = [name for name in fields if name not in known]
        needed = [name for column in self._derived.values() for name in column.needs]
        self.columns: Final = tuple(dict.fromkeys([*plain, *needed, *view.tells]))
        self._view = view
        self._facts = facts
        self._is_plain = not self._derived and not view.tells

    async def page(self, page: Page) -> Page:
        """A row outside the view that changed may have been inside, so it is told to be gone. In a full read, where
        what does not come is missing anyway, it is left out."""
        if self._is_plain:
            return page
        readings = await self.readings(page.readings)
        if page.is_full_read:
            readings = [reading for reading in readings if reading.presence is not Presence.GONE]
        return replace(page, readings=readings)

    async def readings(self, readings: Sequence[Reading]) -> Sequence[Reading]:
        """The readings as the view has them; GONE for a row outside it."""
        if self._is_plain:
            return readings
        rows = [dict(zip(self.columns, r.values, strict=True)) if r.values else None for r in readings]
        rows = [row if row is not None and self._view.belongs(row) else None for row in rows]
        asked = dict.fromkeys(column.asks for column in self._derived.values() if column.asks)
        facts = {each: await self._ask(*each, rows) for each in asked}
        return [self._reading(reading, row, facts) for reading, row in zip(readings, rows, strict=True)]

    async def _ask(self, by: str, name: str, rows: Sequence[Row | None]) -> Facts:
        ids = dict.fromkeys(str(row[by]) for row in rows if row is not None and row[by] is not None)
        return await self._facts[name](list(ids)) if ids else {}

    def _reading(self, reading: Reading, row: Row | None, facts: Mapping[tuple[str, str], Facts]) -> Reading:
        if reading.presence is not Presence.PRESENT:
            return reading
        if row is None:
            return Reading(reading.id, presence=Presence.GONE)
        values = (self._value(name, row, facts) for name in self._fields)
        return Reading(reading.id, tuple(values), reading.version, merged_into=reading.merged_into)

    def _value(self, name: str, row: Row, facts: Mapping[tuple[str, str], Facts]) -> Value:
        column = self._derived.get(name)
        if column is None:
            return row[name]
        return column.compute(row, facts[column.asks] if column.asks else {})
