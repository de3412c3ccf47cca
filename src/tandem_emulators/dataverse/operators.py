"""The operators of a condition, in FetchXML's words: what they take, and how they read in SQL.

A text is compared without regard to case. An operator that denies (`ne`, `not-like`, `not-in`) is true of an empty
column; every other one is not.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tandem_emulators.dataverse import dates
from tandem_emulators.dataverse.patterns import is_plain
from tandem_emulators.dataverse.schema import Column, Schema, Table
from tandem_emulators.dataverse.values import parse_day, parse_guid, parse_time

_NO_VALUE = frozenset(
    {"null", "not-null", "eq-userid", "ne-userid", "eq-businessid", "ne-businessid", "eq-userteams", "eq-userlanguage"}
    | {"eq-useroruserteams", "eq-useroruserhierarchy", "eq-useroruserhierarchyandteams"}
    | {"today", "yesterday", "tomorrow", "last-seven-days", "next-seven-days"}
    | {f"{side}-{unit}" for side in ("last", "this", "next") for unit in ("week", "month", "year")}
    | {f"{side}-fiscal-{unit}" for side in ("last", "this", "next") for unit in ("period", "year")}
)
_COUNTED_UNITS = ("hours", "days", "weeks", "months", "years", "fiscal-periods", "fiscal-years")
_OLDER_UNITS = ("minutes", "hours", "days", "weeks", "months", "years")
_COUNTS = frozenset(
    {f"{side}-x-{unit}" for side in ("last", "next") for unit in _COUNTED_UNITS}
    | {f"olderthan-x-{unit}" for unit in _OLDER_UNITS}
    | {"in-fiscal-year", "in-fiscal-period"}
)
_PAIRS_OF_NUMBERS = frozenset(
    {"in-fiscal-period-and-year", "in-or-before-fiscal-period-and-year", "in-or-after-fiscal-period-and-year"}
)
_TEXTS = frozenset(
    {"like", "not-like", "begins-with", "not-begin-with", "ends-with", "not-end-with", "contains", "not-contain"}
)
_COMPARISONS = {"eq": "IS", "ne": "IS NOT", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}
_LISTS = frozenset({"in", "not-in", "contain-values", "not-contain-values"})
_DAYS = frozenset({"on", "not-on", "on-or-before", "on-or-after"})
_TREES = frozenset({"under", "eq-or-under", "not-under", "above", "eq-or-above"})

OPERATORS: frozenset[str] = frozenset(
    {*_NO_VALUE, *_COUNTS, *_PAIRS_OF_NUMBERS, *_TEXTS, *_COMPARISONS, *_LISTS, *_DAYS, *_TREES}
    | {"between", "not-between"}
)


def arity(operator: str) -> tuple[int, int | None]:
    """How many values an operator takes, at least and at most."""
    if operator in _NO_VALUE:
        return 0, 0
    if operator in _LISTS:
        return 1, None
    return (2, 2) if operator in _PAIRS_OF_NUMBERS or operator.endswith("between") else (1, 1)


def typed(operator: str, column: Column, text: str) -> Any:
    """A value given as text, in the form in which the store keeps it; None if it does not suit the operator."""
    if operator in _TEXTS:
        return text
    if operator in _COUNTS or operator in _PAIRS_OF_NUMBERS:
        return int(text) if re.fullmatch(r"[0-9]{1,6}", text.strip()) and int(text) <= dates.COUNT_MAX else None
    if operator in _DAYS:
        return parse_day(text)
    return parse_guid(text) if operator in _TREES else stored_value(column, text)


def stored_value(column: Column, text: str) -> Any:
    match column.edm_type:
        case "Edm.Guid":
            return parse_guid(text)
        case "Edm.Boolean":
            return {"true": 1, "false": 0, "1": 1, "0": 0}.get(text.strip().lower())
        case "Edm.DateTimeOffset":
            return parse_time(text.strip())
        case "Edm.Date":
            return parse_day(text.strip())
        case "Edm.Int32" | "Edm.Int64" | "Edm.Decimal" | "Edm.Double":
            return number(text)
    return text


def number(text: str) -> int | float | None:
    """None for what is no number, or too large for any column."""
    if re.fullmatch(r"\s*[+-]?[0-9]{1,18}\s*", text):
        return int(text)
    if re.fullmatch(r"\s*[+-]?[0-9]{0,40}\.?[0-9]{1,40}([eE][+-]?[0-9]{1,3})?\s*", text):
        return float(text) if abs(float(text)) < float("inf") else None
    return None


@dataclass(frozen=True, slots=True)
class Viewpoint:
    """Who asks, and when, in the asker's time zone.

    `hidden` are the columns of a table that read as null; `require_read` raises for a table that may not be read.
    `bin_since_s` is when the oldest row that the recycle bin still shows was deleted.
    """

    user_id: str
    business_unit_id: str | None
    now: datetime
    hidden: Callable[[Table], frozenset[str]]
    require_read: Callable[[Table], None]
    bin_since_s: float


@dataclass(slots=True)
class Phrase:
    """Renders one test; `arguments` is where the values of the statement go, in its order."""

    schema: Schema
    viewpoint: Viewpoint
    arguments: list[Any]

    def render(self, sql: str, table: Table, column: Column, operator: str, values: tuple[Any, ...]) -> str:
        if operator in ("null", "not-null"):
            return f"({sql} IS {'NOT ' if operator == 'not-null' else ''}NULL)"
        if operator in _COMPARISONS:
            return self._compare(sql, column, _COMPARISONS[operator], values[0])
        if operator in _TEXTS:
            return self._like(sql, operator, values[0])
        if operator in _LISTS or operator.endswith("between"):
            return self._several(sql, column, operator, values)
        if operator in _TREES:
            return self._tree(sql, table, column, operator, values[0])
        if operator in _DAYS:
            return self._day(sql, column, operator, values[0])
        span = self._fiscal(operator, values) or dates.span_of(operator, self.viewpoint.now, values[0] if values else 1)
        return self._span(sql, column, span) if span else self._person(sql, operator)

    def _bind(self, value: Any) -> str:
        self.arguments.append(value)
        return "?"

    def _compare(self, sql: str, column: Column, operator: str, value: Any) -> str:
        if column.edm_type != "Edm.String" or not isinstance(value, str):
            return f"({sql} {operator} {self._bind(value)})"
        if value.isascii():
            return f"({sql} {'=' if operator == 'IS' else operator} {self._bind(value)} COLLATE NOCASE)"
        return f"(fold({sql}) {operator} {self._bind(value.casefold())})"

    def _like(self, sql: str, operator: str, text: str) -> str:
        denies = operator.startswith("not-")
        positive = operator.removeprefix("not-").replace("begin-", "begins-").replace("end-", "ends-")
        pattern = {"begins-with": f"{text}%", "ends-with": f"%{text}"}.get(positive, text)
        pattern = f"%{text}%" if positive.startswith("contain") else pattern
        test = f"({sql} LIKE {self._bind(pattern)})" if is_plain(pattern) else self._own_like(sql, pattern)
        return _denied(test) if denies else test

    def _own_like(self, sql: str, pattern: str) -> str:
        return f"matches({self._bind(pattern)}, {sql})"

    def _several(self, sql: str, column: Column, operator: str, values: tuple[Any, ...]) -> str:
        denies, positive = operator.startswith("not-"), operator.removeprefix("not-")
        if positive == "between":
            low = self._compare(sql, column, ">=", values[0])
            test = f"({low} AND {self._compare(sql, column, '<=', values[1])})"
        elif positive == "contain-values":
            tests = [f"(',' || {sql} || ',') LIKE {self._bind(f'%,{value},%')}" for value in values]
            test = f"({' OR '.join(tests)})"
        else:
            test = self._in(sql, column, values)
        return _denied(test) if denies else test

    def _in(self, sql: str, column: Column, values: tuple[Any, ...]) -> str:
        """One argument however many values there are."""
        if column.edm_type == "Edm.String" and not all(str(value).isascii() for value in values):
            sql, values = f"fold({sql})", tuple(str(value).casefold() for value in values)
        collation = " COLLATE NOCASE" if column.edm_type == "Edm.String" else ""
        return f"({sql}{collation} IN (SELECT value FROM json_each({self._bind(json.dumps(values))})))"

    def _span(self, sql: str, column: Column, span: dates.Span) -> str:
        tests = [
            f"{sql} {operator} {self._bind(_shown(column, moment))}"
            for operator, moment in zip((">=", "<"), span, strict=True)
            if moment is not None
        ]
        return f"({' AND '.join(tests)})"

    def _day(self, sql: str, column: Column, operator: str, day: str) -> str:
        start, end = dates.day_span(day, self.viewpoint.now)
        spans = {"on-or-before": (None, end), "on-or-after": (start, None)}
        test = self._span(sql, column, spans.get(operator, (start, end)))
        return _denied(test) if operator == "not-on" else test

    def _fiscal(self, operator: str, values: tuple[Any, ...]) -> dates.Span | None:
        """A numbered year or quarter; years that no calendar has are taken for its edge."""
        if operator == "in-fiscal-year":
            return self._quarter(1, values[0])[0], self._quarter(4, values[0])[1]
        if operator == "in-fiscal-period":
            return self._quarter(values[0], self.viewpoint.now.year)
        if operator in _PAIRS_OF_NUMBERS:
            start, end = self._quarter(*values)
            if "or-before" in operator:
                return None, end
            return start, None if "or-after" in operator else end
        return None

    def _quarter(self, quarter: int, year: int) -> tuple[datetime, datetime]:
        day = dates.start_of("year", self.viewpoint.now).replace(year=min(max(year, 2), 9998))
        start = dates.shift(day, "quarter", quarter - 1)
        return start, dates.shift(start, "quarter", 1)

    def _person(self, sql: str, operator: str) -> str:
        """The asker, and what belongs to the asker."""
        user, unit = self.viewpoint.user_id, self.viewpoint.business_unit_id
        match operator:
            case "eq-userid" | "ne-userid":
                return f"({sql} {'IS NOT' if operator == 'ne-userid' else 'IS'} {self._bind(user)})"
            case "eq-businessid" | "ne-businessid":
                return f"({sql} {'IS NOT' if operator == 'ne-businessid' else 'IS'} {self._bind(unit)})"
            case "eq-userlanguage":
                return f"({sql} IS 1033)"
            case "eq-userteams":
                return f"({sql} IN ({self._teams('SELECT ?')}))"
            case "eq-useroruserteams":
                return f"({sql} IS {self._bind(user)} OR {sql} IN ({self._teams('SELECT ?')}))"
        people = self._below("systemuser", user)
        if operator == "eq-useroruserhierarchy":
            return f"({sql} IN ({people}))"
        return f"({sql} IN ({people}) OR {sql} IN ({self._teams(self._below('systemuser', user, bind=False))}))"

    def _teams(self, people: str) -> str:
        if "teammembership" not in self.schema.tables:
            return "SELECT NULL WHERE 0"
        self.arguments.append(self.viewpoint.user_id)
        return f'SELECT "teamid" FROM "teammembership" WHERE "systemuserid" IN ({people})'

    def _tree(self, sql: str, table: Table, column: Column, operator: str, root: str) -> str:
        named = table if column.name == table.key else self.schema.tables.get(next(iter(column.targets), ""), table)
        tree = self._above(named, root) if "above" in operator else self._below(named.name, root)
        test = f"({sql} IN ({tree}))"
        if not operator.startswith("eq-or-"):
            test = f"({test} AND {sql} IS NOT {self._bind(root)})"
        return _denied(test) if operator.startswith("not-") else test

    def _below(self, name: str, root: str, *, bind: bool = True) -> str:
        if bind:
            self.arguments.append(root)
        table = self.schema.tables[name]
        parent = parent_column(table)
        if parent is None:
            return "SELECT ?"
        return (
            f'WITH RECURSIVE down(id) AS (SELECT ? UNION SELECT tree."{table.key}" FROM "{name}" AS tree '
            f'JOIN down ON tree."{parent}" = down.id) SELECT id FROM down'
        )

    def _above(self, table: Table, root: str) -> str:
        self.arguments.append(root)
        parent = parent_column(table)
        if parent is None:
            return "SELECT ?"
        return (
            f'WITH RECURSIVE up(id) AS (SELECT ? UNION SELECT tree."{parent}" FROM "{table.name}" AS tree '
            f'JOIN up ON tree."{table.key}" = up.id WHERE tree."{parent}" IS NOT NULL) SELECT id FROM up'
        )


def parent_column(table: Table) -> str | None:
    """The lookup that makes a table a tree: the one said to, or the one named after the table."""
    own = [r for r in table.metadata.get("ManyToOneRelationships", ()) if r.get("ReferencedEntity") == table.name]
    marked = [str(r["ReferencingAttribute"]) for r in own if r.get("IsHierarchical")]
    usual = [name for name in (f"parent{table.name}id", f"parent{table.key}") if name in table.stored]
    return next(iter([*marked, *usual]), None)


def _denied(test: str) -> str:
    return f"(NOT coalesce({test}, 0))"


def _shown(column: Column, moment: datetime) -> str:
    return moment.date().isoformat() if column.is_date_only else dates.utc_text(moment)
