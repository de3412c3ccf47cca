"""A query as one SQL statement, and the ceilings that the service sets to what one may ask."""

import sqlite3
import time
from collections.abc import Sequence
from typing import Any, assert_never

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.operators import Phrase, Viewpoint
from tandem_emulators.dataverse.query import (
    AllOf,
    AnyOf,
    Behind,
    Compare,
    Condition,
    Exists,
    Field,
    Link,
    Not,
    Order,
    Output,
    Query,
    Source,
    Test,
    iter_sources,
)
from tandem_emulators.dataverse.query_faults import query_fault
from tandem_emulators.dataverse.schema import Schema, Table

CONDITIONS_MAX = 500
LINKS_MAX = 15
# Beyond this SQLite's own parser gives up; a person's query never comes near.
DEPTH_MAX = 40
TIMEOUT_S = 30.0
_STEPS_BETWEEN_LOOKS = 1_000_000
_TOO_MUCH = ("parser stack overflow", "tree is too large", "too many", "at most", "too complex", "too big", "too large")

_COMPARE = {"eq": "IS", "ne": "IS NOT", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}
_AGGREGATES = {"sum": "sum", "avg": "avg", "min": "min", "max": "max", "countcolumn": "count"}
_PARTS = {
    "day": "CAST(strftime('%d', {0}) AS INTEGER)",
    "week": "CAST(strftime('%W', {0}) AS INTEGER) + 1",
    "month": "CAST(strftime('%m', {0}) AS INTEGER)",
    "quarter": "(CAST(strftime('%m', {0}) AS INTEGER) + 2) / 3",
    "year": "CAST(strftime('%Y', {0}) AS INTEGER)",
    "fiscal-period": "(CAST(strftime('%m', {0}) AS INTEGER) + 2) / 3",
    "fiscal-year": "CAST(strftime('%Y', {0}) AS INTEGER)",
}
ETAG = "@odata.etag"


class Statement:
    """Parts must be rendered in the order in which they stand: the arguments are collected on the way."""

    def __init__(self, schema: Schema, viewpoint: Viewpoint) -> None:
        self.arguments: list[Any] = []
        self._viewpoint = viewpoint
        self._phrase = Phrase(schema, viewpoint, self.arguments)
        self._conditions = 0

    def select(self, query: Query, limit: int, offset: int = 0) -> str:
        distinct = "DISTINCT " if query.is_distinct and not query.is_aggregate else ""
        sql = f"SELECT {distinct}{self._outputs(query)}{self.rest(query)}"
        if query.is_aggregate:
            grouped = [self._value(output) for output in query.outputs if output.is_grouped]
            sql += f" GROUP BY {', '.join(grouped)}" if grouped else ""
        terms = [self._ordered(term) for term in query.order]
        if query.is_distinct or query.is_aggregate:
            # Nothing but its values tells one such row from another, and counted pages need a total order.
            terms += [str(place) for place in range(1, len(query.outputs) + 1)]
        sql += f" ORDER BY {', '.join(terms)}" if terms else ""
        self.arguments += [limit, offset]
        return f"{sql} LIMIT ? OFFSET ?"

    def count(self, query: Query, limit: int) -> str:
        """How many rows there are, up to a limit."""
        if query.is_distinct:
            inner = f"SELECT DISTINCT {self._outputs(query)}{self.rest(query)}"
        else:
            inner = f"SELECT 1{self.rest(query)}"
        self.arguments.append(limit)
        return f"SELECT count(*) FROM ({inner} LIMIT ?)"

    def values(self, query: Query, record_id: str) -> str:
        """What a row has in the columns of the order."""
        terms = ", ".join(self._sortable(term) for term in query.order)
        root = query.root
        self.arguments.append(record_id)
        return f'SELECT {terms}{self._from(root)} WHERE {root.alias}."{root.table.key}" = ?'

    def rest(self, query: Query) -> str:
        if len(iter_sources(query.root)) > LINKS_MAX + 1:
            raise query_fault("0x8004430d")
        sql = self._from(query.root)
        tests = [self.condition(condition) for condition in query.conditions]
        return f"{sql} WHERE {' AND '.join(tests)}" if tests else sql

    def _outputs(self, query: Query) -> str:
        shown = []
        if not query.is_distinct and not query.is_aggregate:
            shown.append(f"'W/\"' || {query.root.alias}.\"versionnumber\" || '\"'")
        for position, output in enumerate(query.outputs):
            is_boolean = output.field is not None and output.field.column.type == "Boolean" and not output.aggregate
            name = f' AS "c{position} [boolean]"' if is_boolean else ""
            shown.append(f"{self._value(output)}{name}")
        return ", ".join(shown) or "1"

    def _value(self, output: Output) -> str:
        if output.field is None:
            return "count(*)"
        sql = self.field(output.field)
        if output.part is not None:
            return _PARTS[output.part].format(sql)
        if output.aggregate in (None, "count"):
            return sql if output.aggregate is None else "count(*)"
        if output.aggregate == "countdistinct":
            return f"count(DISTINCT {sql}{_collation(output.field)})"
        return f"{_AGGREGATES[output.aggregate or '']}({sql})"

    def _from(self, root: Source) -> str:
        return f" FROM {self._table(root)}{self._joins(root)}"

    def _table(self, source: Source) -> str:
        if not source.table.is_intersect:
            self._viewpoint.require_read(source.table)
        return f"{self._recycled(source.table) if source.is_bin else _quoted_name(source.table.name)} AS {source.alias}"

    def _recycled(self, table: Table) -> str:
        """The deleted rows of a table, in its own columns."""
        columns = ", ".join(f"json_extract(CAST(row AS TEXT), '$.{name}') AS \"{name}\"" for name in table.stored)
        self.arguments += [table.name, self._viewpoint.bin_since_s]
        return f"(SELECT {columns} FROM recycled WHERE entity = ? AND deleted_s >= ?)"

    def _joins(self, source: Source) -> str:
        return "".join(
            f" {'' if link.is_inner else 'LEFT '}JOIN {self._table(link.source)} "
            f"ON {self._on(source, link)}{self._joins(link.source)}"
            for link in source.links
        )

    def _on(self, parent: Source, link: Link) -> str:
        tests = [f'{link.source.alias}."{link.own_column}" = {parent.alias}."{link.parent_column}"']
        return " AND ".join([*tests, *(self.condition(condition) for condition in link.conditions)])

    # Order.

    def _ordered(self, term: Order) -> str:
        return f"{self._sortable(term)} {'DESC' if term.descending else 'ASC'}"

    def _sortable(self, term: Order) -> str:
        if term.place is not None:
            return str(term.place)
        if term.by_label:
            cases = " ".join(f"WHEN {value} THEN {_quoted(label)}" for value, label in term.column.options.items())
            return f"CASE {self.field(term.fields[0])} {cases} END COLLATE NOCASE"
        named = [self.field(one) for one in term.fields]
        sql = named[0] if len(named) == 1 else f"coalesce({', '.join(named)})"
        return f"{sql}{_collation(term.fields[0])}"

    def _behind(self, behind: Behind) -> str:
        """Rows after the last row of the page before, by the same columns; empty values sort first."""
        alternatives: list[str] = []
        equal: list[tuple[str, Any]] = []
        for term, value in zip(behind.order, behind.values, strict=True):
            sql = self._sortable(term)
            self.arguments += [bound for _, bound in equal]
            if value is None:
                beyond = "0" if term.descending else f"{sql} IS NOT NULL"
            else:
                beyond = f"({sql} < ? OR {sql} IS NULL)" if term.descending else f"{sql} > ?"
                self.arguments.append(value)
            alternatives.append(" AND ".join([*(f"{name} IS ?" for name, _ in equal), beyond]))
            equal.append((sql, value))
        return "(" + " OR ".join(f"({one})" for one in alternatives) + ")"

    # Conditions.

    def field(self, field: Field) -> str:
        if field.column.name in self._viewpoint.hidden(field.source.table):
            return "NULL"
        return f'{field.source.alias}."{field.column.name}"'

    def condition(self, condition: Condition, depth: int = 0) -> str:
        if depth > DEPTH_MAX:
            raise errors.query_error("The recursion limit has been exceeded.")
        match condition:
            case Test(field, operator, values):
                self._count_one()
                return self._phrase.render(self.field(field), field.source.table, field.column, operator, values)
            case Compare(left, operator, right):
                self._count_one()
                return f"({self.field(left)} {_COMPARE[operator]} {self.field(right)}{_collation(right)})"
            case AllOf(parts):
                return self._joined(" AND ", parts, depth) or "1"
            case AnyOf(parts):
                return self._joined(" OR ", parts, depth) or "0"
            case Not(part):
                return f"(NOT coalesce({self.condition(part, depth + 1)}, 0))"
            case Exists(parent, link):
                return self._exists(parent, link, depth)
            case Behind():
                return self._behind(condition)
        assert_never(condition)

    def _joined(self, word: str, parts: Sequence[Condition], depth: int) -> str:
        tests = [self.condition(part, depth + 1) for part in parts]
        return f"({word.join(tests)})" if tests else ""

    def _exists(self, parent: Source, link: Link, depth: int) -> str:
        source = link.source
        joins = self._joins(source)
        tests = [f'{source.alias}."{link.own_column}" = {parent.alias}."{link.parent_column}"']
        tests += [self.condition(condition, depth + 1) for condition in link.conditions]
        return f"EXISTS (SELECT 1 FROM {self._table(source)}{joins} WHERE {' AND '.join(tests)})"

    def _count_one(self) -> None:
        self._conditions += 1
        if self._conditions > CONDITIONS_MAX:
            raise query_fault("0x8004430c")


def fetch(connection: sqlite3.Connection, sql: str, arguments: Sequence[Any]) -> list[tuple[Any, ...]]:
    """AllOf rows of a statement; one that takes too long or is too large is refused as the service refuses it."""
    deadline = time.monotonic() + TIMEOUT_S
    connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS_BETWEEN_LOOKS)
    try:
        return connection.execute(sql, arguments).fetchall()
    except (OverflowError, UnicodeEncodeError) as error:
        raise errors.query_error("A value in the query is outside of the supported range.") from error
    except sqlite3.OperationalError as error:
        if "interrupted" in str(error):
            raise errors.sql_timeout() from error
        if any(text in str(error) for text in _TOO_MUCH):
            raise errors.query_error("The query is too complex.") from error
        raise
    finally:
        connection.set_progress_handler(None, 0)


def _collation(field: Field) -> str:
    return " COLLATE NOCASE" if field.column.edm_type == "Edm.String" else ""


def _quoted_name(name: str) -> str:
    return f'"{name}"'


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
