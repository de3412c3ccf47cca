"""`?sql=`: a read-only subset of T-SQL, read by sqlglot into the same query as FetchXML.

One SELECT with named columns, inner and left joins, conditions, groups, an order and TOP or OFFSET. No `*`, UNION,
HAVING, common table expressions or sub-queries.
"""

from typing import NoReturn

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.fetchxml import PAGE_SIZE_MAX, Fetch
from tandem_emulators.dataverse.filters import key_order
from tandem_emulators.dataverse.operators import typed
from tandem_emulators.dataverse.query import (
    AllOf,
    AnyOf,
    Compare,
    Condition,
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
from tandem_emulators.dataverse.schema import Schema, Table

_LENGTH_MAX = 20_000
_NESTING_MAX = 60
_COMPARISONS: dict[type[exp.Expression], str] = {
    exp.EQ: "eq",
    exp.NEQ: "ne",
    exp.GT: "gt",
    exp.GTE: "ge",
    exp.LT: "lt",
    exp.LTE: "le",
}
_TURNED = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}
_AGGREGATES: dict[type[exp.Expression], str] = {exp.Sum: "sum", exp.Avg: "avg", exp.Min: "min", exp.Max: "max"}
_REFUSED = (exp.Subquery, exp.Union, exp.Having, exp.CTE, exp.With, exp.Window, exp.Exists)


def read_sql(schema: Schema, table: Table, text: str) -> Fetch:
    try:
        statements = sqlglot.parse(text, read="tsql") if len(text) <= _LENGTH_MAX else []
    except (SqlglotError, RecursionError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise errors.query_error("The SQL statement cannot be parsed.") from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Select):
        _refuse("Only a single SELECT statement is supported.")
    return _SqlReader(schema, table).read(statements[0])


def _refuse(text: str) -> NoReturn:
    raise errors.query_error(text)


class _SqlReader:
    def __init__(self, schema: Schema, table: Table) -> None:
        self._schema = schema
        self._sources = Sources()
        self._root = self._sources.make(table)
        self._query = Query(self._root)
        self._fetch = Fetch(self._query)
        self._named: dict[str, Source] = {}

    def read(self, select: exp.Select) -> Fetch:
        if select.find(*_REFUSED) or select.args.get("having"):
            _refuse("Sub-queries, UNION, HAVING, window functions and common table expressions are not supported.")
        self._read_tables(select)
        self._query.is_distinct = select.args.get("distinct") is not None
        grouped = self._grouped(select)
        self._query.is_aggregate = bool(grouped) or any(item.find(exp.AggFunc) for item in select.expressions)
        for item in select.expressions:
            self._read_output(item, grouped)
        where = select.args.get("where")
        if where is not None:
            self._query.conditions.append(self._condition(where.this, 0))
        self._read_order(select)
        self._read_limit(select)
        return self._fetch

    # FROM and JOIN.

    def _read_tables(self, select: exp.Select) -> None:
        source = select.args.get("from_") or select.args.get("from")
        named = source.this if source is not None else None
        if not isinstance(named, exp.Table) or named.name.lower() != self._root.table.name:
            _refuse("The table of the SQL statement does not match the entity set of the request.")
        self._named[named.alias_or_name.lower()] = self._root
        for join in select.args.get("joins") or ():
            self._read_join(join)

    def _read_join(self, join: exp.Join) -> None:
        side = (join.args.get("side") or "").upper()
        kind = (join.args.get("kind") or "").upper()
        named, on = join.this, join.args.get("on")
        if side not in ("", "LEFT") or kind not in ("", "INNER", "OUTER") or not isinstance(named, exp.Table):
            _refuse("Only INNER JOIN and LEFT JOIN are supported.")
        if not isinstance(on, exp.EQ) or not isinstance(on.left, exp.Column) or not isinstance(on.right, exp.Column):
            _refuse("A JOIN needs an ON clause that compares two columns.")
        table = self._schema.tables.get(named.name.lower())
        alias = named.alias_or_name.lower()
        if table is None:
            raise errors.no_such_table(named.name)
        if alias in self._named:
            _refuse(f"The alias '{alias}' is used twice.")
        source = self._sources.make(table)
        self._named[alias] = source
        self._add_link(source, self._field(on.left), self._field(on.right), is_inner=side == "")

    def _add_link(self, source: Source, left: Field, right: Field, *, is_inner: bool) -> None:
        own, theirs = (left, right) if left.source is source else (right, left)
        if own.source is not source or theirs.source is source:
            _refuse("A JOIN must compare a column of the joined table with one of a table before it.")
        theirs.source.links.append(Link(source, own.column.name, theirs.column.name, is_inner=is_inner))
        self._fetch.multiplies |= own.column.name != source.table.key

    # SELECT and GROUP BY.

    def _grouped(self, select: exp.Select) -> list[Field]:
        group = select.args.get("group")
        return [self._field(item) for item in group.expressions] if group is not None else []

    def _read_output(self, item: exp.Expression, grouped: list[Field]) -> None:
        inner = item.this if isinstance(item, exp.Alias) else item
        alias = item.alias if isinstance(item, exp.Alias) else None
        if isinstance(inner, exp.Star) or (isinstance(inner, exp.Column) and isinstance(inner.this, exp.Star)):
            _refuse("SELECT * is not supported. Name the columns.")
        if isinstance(inner, exp.Column):
            field = self._field(inner)
            if self._query.is_aggregate and field not in grouped:
                _refuse(f"The column '{inner.name}' is neither aggregated nor in GROUP BY.")
            name = field.column.property_name if field.source is self._root else field.column.name
            self._add(Output(alias or name, field, is_grouped=self._query.is_aggregate))
        else:
            self._add(self._aggregated(inner, alias))

    def _aggregated(self, item: exp.Expression, alias: str | None) -> Output:
        if isinstance(item, exp.Count):
            inner = item.this
            if isinstance(inner, exp.Star):
                return Output(alias or "count", None, aggregate="count")
            if isinstance(inner, exp.Distinct):
                return Output(alias or "count", self._field(inner.expressions[0]), aggregate="countdistinct")
            return Output(alias or "count", self._field(inner), aggregate="countcolumn")
        method = _AGGREGATES.get(type(item))
        if method is None:
            _refuse("Only columns and the functions COUNT, SUM, AVG, MIN and MAX are supported in SELECT.")
        field = self._field(item.this)
        if method in ("sum", "avg") and field.column.edm_type in ("Edm.String", "Edm.Guid", "Edm.Boolean"):
            raise errors.aggregate_not_suitable(method, field.column.type)
        return Output(alias or f"{method}_{field.column.name}", field, aggregate=method)

    def _add(self, output: Output) -> None:
        """A name that is there already gets a number, as a result set of SQL may have it twice."""
        names = {other.name for other in self._query.outputs}
        number, name = 1, output.name
        while name in names:
            number, name = number + 1, f"{output.name}{number}"
        self._query.outputs.append(Output(name, output.field, output.aggregate, None, output.is_grouped))

    # WHERE.

    def _condition(self, node: exp.Expression, depth: int) -> Condition:
        if depth > _NESTING_MAX:
            _refuse("The SQL statement is nested too deeply.")
        match node:
            case exp.Paren():
                return self._condition(node.this, depth + 1)
            case exp.And() | exp.Or():
                parts = tuple(self._condition(part, depth + 1) for part in _chain(node))
                return AllOf(parts) if isinstance(node, exp.And) else AnyOf(parts)
            case exp.Not():
                return Not(self._condition(node.this, depth + 1))
            case exp.In() if node.expressions:
                return self._test(node.this, "in", node.expressions)
            case exp.Between():
                return self._test(node.this, "between", [node.args["low"], node.args["high"]])
            case exp.Like():
                return self._test(node.this, "not-like" if node.args.get("negate") else "like", [node.expression])
            case exp.Is() if isinstance(node.expression, exp.Null):
                return Test(self._field(node.this), "null")
        if type(node) in _COMPARISONS:
            return self._comparison(node, _COMPARISONS[type(node)])
        _refuse("The WHERE clause holds something that is not supported.")

    def _comparison(self, node: exp.Expression, operator: str) -> Condition:
        left, right = node.this, node.expression
        if not isinstance(left, exp.Column):
            left, right, operator = right, left, _TURNED.get(operator, operator)
        if isinstance(right, exp.Column) and not right.this.args.get("quoted"):
            return Compare(self._field(left), operator, self._field(right))
        return self._test(left, operator, [right])

    def _test(self, column: exp.Expression, operator: str, literals: list[exp.Expression]) -> Test:
        field = self._field(column)
        values = tuple(typed(operator, field.column, _text(literal)) for literal in literals)
        if None in values:
            raise errors.bad_value(_text(literals[values.index(None)]), field.column.name)
        return Test(field, operator, values)

    # ORDER BY, TOP, OFFSET.

    def _read_order(self, select: exp.Select) -> None:
        order = select.args.get("order")
        for item in order.expressions if order is not None else ():
            descending = bool(item.args.get("desc"))
            place = self._place(item.this)
            if place is not None or self._query.is_aggregate:
                if place is None:
                    _refuse("ORDER BY of an aggregate must name a column of the result.")
                output = self._query.outputs[place - 1]
                if self._query.is_aggregate or output.field is None:
                    self._query.order.append(Order(output.name, (), descending, place=place))
                    continue
                self._add_order(output.field, descending=descending)
            else:
                self._add_order(self._field(item.this), descending=descending)
        if not (self._query.is_aggregate or self._query.is_distinct):
            self._query.order = key_order(self._root, self._query.order)
            key = self._root.table.key
            if key not in {output.name for output in self._query.outputs}:
                self._query.outputs.append(Output(key, self._root.field(self._root.table.columns[key])))

    def _add_order(self, field: Field, *, descending: bool) -> None:
        is_foreign = field.source is not self._root
        self._query.order.append(Order(field.column.name, (field,), descending, is_foreign=is_foreign))

    def _place(self, item: exp.Expression) -> int | None:
        """The output that a name or an aggregate in ORDER BY means."""
        if isinstance(item, exp.Column) and not item.table:
            names = [output.name for output in self._query.outputs]
            return names.index(item.name) + 1 if item.name in names else None
        if isinstance(item, exp.Column):
            field = self._field(item)
            return next((n for n, o in enumerate(self._query.outputs, 1) if o.field == field), None)
        return None

    def _read_limit(self, select: exp.Select) -> None:
        limit, offset = select.args.get("limit"), select.args.get("offset")
        if limit is not None:
            count = limit.args.get("count") if isinstance(limit, exp.Fetch) else limit.expression
            self._fetch.top = min(_whole(count), PAGE_SIZE_MAX)
        if offset is not None:
            self._fetch.offset = _whole(offset.expression)

    def _field(self, node: exp.Expression) -> Field:
        if not isinstance(node, exp.Column):
            _refuse("Only plain columns are supported here.")
        if node.table:
            source = self._named.get(node.table.lower())
            if source is None:
                _refuse(f"The alias '{node.table}' is not known.")
            return self._in(source, node.name)
        there = [source for source in self._named.values() if node.name.lower() in source.table.stored]
        return self._in(there[0] if there else self._root, node.name)

    def _in(self, source: Source, name: str) -> Field:
        column = source.table.stored.get(name.lower()) or source.table.properties.get(name.lower())
        if column is None:
            raise errors.no_such_column(source.table.name, name)
        return source.field(column)


def _chain(node: exp.Expression) -> list[exp.Expression]:
    """The parts of a chain of one operator, in order; a long one is deep, and parentheses end it."""
    parts: list[exp.Expression] = []
    waiting = [node]
    while waiting:
        part = waiting.pop()
        if type(part) is type(node):
            waiting += [part.expression, part.this]
        else:
            parts.append(part)
    return parts


def _text(node: exp.Expression) -> str:
    if isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal):
        return f"-{node.this.this}"
    if isinstance(node, exp.Boolean):
        return "true" if node.this else "false"
    if not isinstance(node, exp.Literal | exp.National):
        _refuse("Only literals are supported on that side of a comparison.")
    return str(node.this)


def _whole(node: exp.Expression | None) -> int:
    text = _text(node) if node is not None else ""
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        _refuse("TOP and OFFSET take a whole number.")
    return int(text)
