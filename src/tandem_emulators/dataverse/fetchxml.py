"""FetchXML as a query: attributes, filters, links, order, groups and totals.

The names in it are the logical ones; what comes back has the names of the Web API: `_x_value` for a lookup of the
root, `alias.column` for a column of a linked table.
"""

import re
from dataclasses import dataclass
from typing import NoReturn
from xml.etree import ElementTree

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.filters import key_order
from tandem_emulators.dataverse.operators import OPERATORS, arity, typed
from tandem_emulators.dataverse.query import (
    AllOf,
    AnyOf,
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
    Sources,
    Test,
)
from tandem_emulators.dataverse.query_faults import query_fault
from tandem_emulators.dataverse.schema import OPTION_TYPES, Column, Schema, Table

PAGE_SIZE_MAX = 5000
_NESTING_MAX = 30
_ALIASES = {"neq": "ne", "not-eq": "ne"}
_COMPARED = frozenset({"eq", "ne", "gt", "ge", "lt", "le"})
_AGGREGATES = frozenset({"count", "countcolumn", "sum", "avg", "min", "max"})
_PARTS = frozenset({"day", "week", "month", "quarter", "year", "fiscal-period", "fiscal-year"})
_SUMMED = frozenset({"Edm.Int32", "Edm.Int64", "Edm.Decimal", "Edm.Double"})
_ALIAS = re.compile(r"[A-Za-z_][\w.]{0,99}")
_OUTER, _INNER = ("outer",), ("inner", "natural", "")
_TESTS = ("in", "exists", "matchfirstrowusingcrossapply")
_NEGATABLE = ("any", "not any", "all", "not all")


@dataclass(slots=True)
class Fetch:
    """A query with what FetchXML says about its pages. `count` is the page size, `top` excludes pages."""

    query: Query
    page: int = 1
    count: int | None = None
    top: int | None = None
    cookie: str | None = None
    wants_total: bool = False
    multiplies: bool = False
    offset: int = 0

    @property
    def takes_cookies(self) -> bool:
        """Whether the place after a row can be told by that row: it comes once, in an order of its own columns."""
        query = self.query
        by_row = not (query.is_distinct or query.is_aggregate or self.multiplies)
        return by_row and not any(term.is_foreign for term in query.order)


def read_fetch(schema: Schema, table: Table, text: str) -> Fetch:
    root = _parse(text)
    if root.tag != "fetch":
        _refuse("0x8004111c")
    entities = root.findall("entity")
    if len(entities) != 1:
        _refuse("0x80041123")
    entity = entities[0]
    name = entity.get("name", "")
    if name not in schema.tables:
        raise errors.no_such_table(name)
    if name != table.name:
        _refuse("0x80041128")
    return _FetchReader(schema, table, root).read(entity)


def _refuse(code: str) -> NoReturn:
    raise query_fault(code)


def _parse(text: str) -> ElementTree.Element:
    """FetchXML never needs a document type, so one that declares it is refused before the parser sees it."""
    try:
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            raise ValueError("no declarations in FetchXML")
        return ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:
        raise query_fault("0x80040303") from error


class _FetchReader:
    def __init__(self, schema: Schema, table: Table, fetch: ElementTree.Element) -> None:
        self._schema = schema
        self._element = fetch
        self._sources = Sources()
        self._by_alias: dict[str, Source] = {}
        root = self._sources.make(table)
        root.is_bin = self._datasource(fetch)
        self._query = Query(root, is_aggregate=_flag(fetch, "aggregate"), is_distinct=_flag(fetch, "distinct"))
        self._fetch = Fetch(self._query)
        self._orders: list[tuple[Source, ElementTree.Element]] = []

    def _datasource(self, fetch: ElementTree.Element) -> bool:
        """`bin` reads the rows that were deleted, where the recycle bin is on; there is no other source."""
        named = fetch.get("datasource")
        if named not in (None, "bin"):
            _refuse("0x80041108")
        return named == "bin"

    def read(self, entity: ElementTree.Element) -> Fetch:
        self._read_pages()
        self._read_source(self._query.root, entity, "", self._query.conditions, 0)
        self._read_orders()
        root = self._query.root
        if not self._query.outputs:
            self._add_outputs_of_all(root, "", without_all=entity.find("no-attrs") is not None)
        if not (self._query.is_aggregate or self._query.is_distinct):
            key = root.table.key
            if key not in {output.name for output in self._query.outputs}:
                self._query.outputs.append(Output(key, root.field(root.table.columns[key])))
            self._query.order = key_order(root, self._query.order)
        return self._fetch

    def _add_outputs_of_all(self, root: Source, prefix: str, *, without_all: bool) -> None:
        if self._query.is_aggregate:
            _refuse("0x80041107")
        if without_all:
            return
        for column in root.table.properties.values():
            self._query.outputs.append(Output(f"{prefix}{_shown_name(column, prefix)}", root.field(column)))

    def _read_pages(self) -> None:
        fetch = self._fetch
        fetch.page = _number(self._element, "page") or 1
        fetch.top = _number(self._element, "top")
        count = _number(self._element, "count")
        fetch.count = None if count is None else min(count, PAGE_SIZE_MAX)
        fetch.cookie = self._element.get("paging-cookie") or None
        fetch.wants_total = _flag(self._element, "returntotalrecordcount")
        if fetch.top is not None and (count is not None or "page" in self._element.attrib):
            _refuse("0x80041108")

    # One table of the query.

    def _read_source(
        self,
        source: Source,
        element: ElementTree.Element,
        prefix: str,
        conditions: list[Condition],
        depth: int,
    ) -> None:
        if depth > _NESTING_MAX:
            raise query_fault("0x8004430d")
        for child in element:
            match child.tag:
                case "attribute":
                    self._read_attribute(source, child, prefix)
                case "all-attributes":
                    self._add_outputs_of_all(source, prefix, without_all=False)
                case "order":
                    self._orders.append((source, child))
                case "filter" | "no-attrs":
                    pass
                case "link-entity":
                    self._read_link(source, child, depth)
                case _:
                    _refuse("0x8004111c")
        conditions += [self._filter(source, child, 0) for child in element.findall("filter")]

    def _read_attribute(self, source: Source, element: ElementTree.Element, prefix: str) -> None:
        column = self._column(source, element.get("name", ""))
        alias = element.get("alias")
        if alias is not None and not _ALIAS.fullmatch(alias):
            _refuse("0x80041109")
        output = Output(alias or f"{prefix}{_shown_name(column, prefix)}", source.field(column))
        if self._query.is_aggregate:
            output = self._aggregated(element, column, output)
        if any(output.name == other.name for other in self._query.outputs):
            if alias is None:
                return
            raise query_fault("0x80041130")
        self._query.outputs.append(output)

    def _aggregated(self, element: ElementTree.Element, column: Column, output: Output) -> Output:
        aggregate, grouped = element.get("aggregate"), _flag(element, "groupby")
        if element.get("alias") is None:
            _refuse("0x80041109")
        if grouped == (aggregate is not None):
            _refuse("0x80041137")
        if grouped:
            part = element.get("dategrouping")
            if (part is not None) != (column.type == "DateTime") or part not in {*_PARTS, None}:
                _refuse("0x80041135")
            return Output(output.name, output.field, part=part, is_grouped=True)
        if aggregate not in _AGGREGATES:
            _refuse("0x800404b6")
        if aggregate in ("sum", "avg") and column.edm_type not in _SUMMED:
            raise errors.aggregate_not_suitable(aggregate, column.type)
        if aggregate == "countcolumn" and _flag(element, "distinct"):
            aggregate = "countdistinct"
        return Output(output.name, output.field, aggregate=aggregate)

    # Links.

    def _read_link(self, parent: Source, element: ElementTree.Element, depth: int) -> None:
        kind = element.get("link-type", "inner")
        if kind not in (*_OUTER, *_INNER, *_TESTS):
            _refuse("0x80041117")
        link, alias = self._make_link(parent, element)
        link.is_inner = kind in _INNER
        if kind in _TESTS:
            self._query.conditions.append(self._exists(parent, link, element, depth))
            return
        self._fetch.multiplies |= link.own_column != link.source.table.key
        parent.links.append(link)
        self._read_source(link.source, element, f"{alias}.", link.conditions, depth + 1)

    def _exists(self, parent: Source, link: Link, element: ElementTree.Element, depth: int) -> Exists:
        """Such a link only tests that there is a row; nothing of it can be shown."""
        before = list(self._query.outputs)
        self._read_source(link.source, element, "-.", link.conditions, depth + 1)
        self._query.outputs = before
        return Exists(parent, link)

    def _make_link(self, parent: Source, element: ElementTree.Element) -> tuple[Link, str]:
        name = element.get("name", "")
        if name not in self._schema.tables:
            raise errors.no_such_table(name)
        source = self._sources.make(self._schema.tables[name])
        own, theirs = element.get("from"), element.get("to")
        if own is None or theirs is None:
            _refuse("0x80041111")
        alias = element.get("alias") or f"{name}{len(self._by_alias) + 1}"
        if alias in self._by_alias or not _ALIAS.fullmatch(alias):
            raise query_fault("0x80041130")
        self._by_alias[alias] = source
        return Link(source, self._column(source, own).name, self._column(parent, theirs).name), alias

    # Conditions.

    def _filter(self, source: Source, element: ElementTree.Element, depth: int) -> Condition:
        if depth > _NESTING_MAX:
            _refuse("0x80041106")
        kind = element.get("type", "and")
        if kind not in ("and", "or"):
            _refuse("0x80041122")
        parts: list[Condition] = []
        for child in element:
            match child.tag:
                case "condition":
                    parts.append(self._condition(source, child))
                case "filter":
                    parts.append(self._filter(source, child, depth + 1))
                case "link-entity":
                    parts.append(self._related(source, child, depth + 1))
                case _:
                    _refuse("0x8004111c")
        return AnyOf(tuple(parts)) if kind == "or" and parts else AllOf(tuple(parts))

    def _related(self, parent: Source, element: ElementTree.Element, depth: int) -> Condition:
        """A link inside a filter: there is, or is not, a related row that meets its filter."""
        kind = element.get("link-type", "")
        if kind not in (*_NEGATABLE, "exists", "in"):
            _refuse("0x80041121")
        link, _ = self._make_link(parent, element)
        exists = self._exists(parent, link, element, depth)
        if "all" in kind:
            link.conditions[:] = [Not(AllOf(tuple(link.conditions)))]
        return Not(exists) if kind in ("not any", "all") else exists

    def _condition(self, source: Source, element: ElementTree.Element) -> Condition:
        named = element.get("entityname")
        if named is not None:
            source = self._named_source(named)
        column = self._column(source, element.get("attribute", ""))
        name = element.get("operator", "")
        operator = _ALIASES.get(name, name)
        if operator not in OPERATORS or operator in ("contains", "not-contain"):
            _refuse("0x80041120")
        other = element.get("valueof")
        if other is not None:
            return self._compared(source, column, operator, other)
        texts = [value.text or "" for value in element.findall("value")]
        if "value" in element.attrib:
            texts.insert(0, element.attrib["value"])
        least, most = arity(operator)
        if len(texts) < least or (most is not None and len(texts) > most):
            _refuse("0x80041106")
        values = tuple(typed(operator, column, text) for text in texts)
        if None in values:
            _refuse("0x80041139")
        return Test(source.field(column), operator, values)

    def _compared(self, source: Source, column: Column, operator: str, other: str) -> Condition:
        if operator not in _COMPARED:
            _refuse("0x80041120")
        alias, _, name = other.rpartition(".")
        there = self._named_source(alias) if alias else source
        right = there.field(self._column(there, name))
        if right.column.edm_type != column.edm_type and not {right.column.edm_type, column.edm_type} <= _SUMMED:
            _refuse("0x80041106")
        return Compare(source.field(column), operator, right)

    def _named_source(self, alias: str) -> Source:
        """A condition or order names a link by its alias, or by its table where there is no alias."""
        found = self._by_alias.get(alias)
        if found is None:
            found = next((s for s in self._by_alias.values() if s.table.name == alias), None)
        if found is None:
            _refuse("0x8004110a")
        return found

    # Order.

    def _read_orders(self) -> None:
        for source, element in self._orders:
            attribute, alias = element.get("attribute"), element.get("alias")
            descending = _flag(element, "descending")
            if self._query.is_aggregate:
                self._query.order.append(self._aggregate_order(attribute, alias, descending=descending))
                continue
            if attribute is None:
                code = "0x80041133" if alias is None else "0x80041132"
                _refuse(code)
            named = element.get("entityname")
            source = self._named_source(named) if named else source
            self._query.order.append(self._order(source, self._column(source, attribute), descending=descending))

    def _aggregate_order(self, attribute: str | None, alias: str | None, *, descending: bool) -> Order:
        if attribute is not None or alias is None:
            _refuse("0x80041134")
        place = next((n for n, output in enumerate(self._query.outputs, 1) if output.name == alias), None)
        if place is None:
            _refuse("0x80041134")
        return Order(alias, (), descending, place=place)

    def _order(self, source: Source, column: Column, *, descending: bool) -> Order:
        """A choice by its label, a lookup by the name of what it points to."""
        is_foreign = source is not self._query.root
        if column.type in OPTION_TYPES and not _flag(self._element, "useraworderby"):
            return Order(column.name, (source.field(column),), descending, by_label=True, is_foreign=is_foreign)
        fields: tuple[Field, ...] = (source.field(column),)
        if column.is_lookup:
            targets = [self._schema.tables[name] for name in column.targets if name in self._schema.tables]
            named = [self._sources.through(source, column, target) for target in targets]
            names = [
                s.field(s.table.columns[s.table.name_column]) for s in named if s.table.name_column in s.table.stored
            ]
            fields = tuple(names) or fields
        return Order(column.name, fields, descending, is_foreign=is_foreign)

    def _column(self, source: Source, name: str) -> Column:
        column = source.table.columns.get(name)
        if column is None or not column.is_stored:
            raise errors.no_such_column(source.table.name, name)
        return column


def _shown_name(column: Column, prefix: str) -> str:
    return column.name if prefix else column.property_name


def _flag(element: ElementTree.Element, name: str) -> bool:
    text = element.get(name, "false").strip().lower()
    if text not in ("true", "false", "1", "0"):
        _refuse("0x80041115")
    return text in ("true", "1")


def _number(element: ElementTree.Element, name: str) -> int | None:
    text = element.get(name)
    if text is None:
        return None
    if not re.fullmatch(r"\s*[0-9]{1,9}\s*", text) or int(text) < 1:
        _refuse("0x8004110c")
    return int(text)
