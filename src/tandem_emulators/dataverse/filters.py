"""`$filter` and `$orderby` as SQL over one table.

The syntax is read by the odata-query library; only what the service supports passes from there. Text is compared
without regard to case, `%`, `_` and `[a-c]` are wildcards inside contains, startswith and endswith, and `ne` is
true of an empty column.
"""

import re
from collections.abc import Callable
from typing import Any

from odata_query import ast
from odata_query.exceptions import ODataException
from odata_query.grammar import ODataLexer, ODataParser

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.schema import Column, Schema, Table
from tandem_emulators.dataverse.values import parse_day, parse_guid, parse_time

_lexer = ODataLexer()
_parser = ODataParser()

_CRM_FUNCTION = re.compile(
    r"'(?:[^']|'')*'|Microsoft\.Dynamics\.CRM\.(\w+)\(((?:'(?:[^']|'')*'|[^()'])*)\)",
)
_IN_ARGUMENTS = re.compile(r"\s*PropertyName='(\w+)'\s*,\s*PropertyValues=\[(.*)\]\s*", re.DOTALL)
_COMPARISONS: dict[type, tuple[str, str]] = {
    ast.Eq: ("IS", "Equal"),
    ast.NotEq: ("IS NOT", "NotEqual"),
    ast.Gt: (">", "GreaterThan"),
    ast.GtE: (">=", "GreaterThanOrEqual"),
    ast.Lt: ("<", "LessThan"),
    ast.LtE: ("<=", "LessThanOrEqual"),
}
_TEXT_FUNCTIONS = {"contains": "%{}%", "startswith": "{}%", "endswith": "%{}"}
_NUMBERS = frozenset({"Edm.Int32", "Edm.Int64", "Edm.Decimal", "Edm.Double"})
_DEPTH_MAX = 200


class Filter:
    """`sql` is a condition and `arguments` its values. Names a column that is hidden from the caller as null."""

    def __init__(self, schema: Schema, table: Table, hidden: frozenset[str] = frozenset()) -> None:
        self._schema = schema
        self._table = table
        self._hidden = hidden
        self._functions: list[tuple[str, str]] = []
        self.arguments: list[Any] = []

    def compile(self, text: str) -> str:
        try:
            tree = _parser.parse(_lexer.tokenize(_CRM_FUNCTION.sub(self._set_aside, text)))
        except (ODataException, RecursionError, ValueError) as error:
            raise errors.query_error(_syntax_message(text)) from error
        if tree is None:
            raise errors.query_error(_syntax_message(text))
        return self._condition(tree, 0)

    def _set_aside(self, match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0]
        self._functions.append((match[1], match[2]))
        return f"crm__function__{len(self._functions) - 1} eq true"

    def _condition(self, node: Any, depth: int) -> str:
        if depth > _DEPTH_MAX:
            raise errors.query_error("The recursion limit has been exceeded.")
        match node:
            case ast.BoolOp():
                operator = " AND " if isinstance(node.op, ast.And) else " OR "
                return f"({operator.join(self._condition(part, depth + 1) for part in _chain(node))})"
            case ast.UnaryOp(op=ast.Not()):
                return f"(NOT coalesce({self._condition(node.operand, depth + 1)}, 0))"
            case ast.Compare(left=ast.Identifier(name=name)) if name.startswith("crm__function__"):
                return self._crm_function(int(name.removeprefix("crm__function__")))
            case ast.Compare():
                return self._comparison(node)
            case ast.Call():
                return self._text_function(node)
            case ast.Identifier() | ast.Attribute():
                sql, column = self._path(node)
                if column.type == "Boolean":
                    return f"({sql} IS 1)"
        raise errors.query_error("The $filter expression must evaluate to a single boolean value.")

    def _comparison(self, node: Any) -> str:
        if type(node.comparator) not in _COMPARISONS:
            raise errors.query_error(f"The operator '{type(node.comparator).__name__}' is not supported in $filter.")
        operator, kind = _COMPARISONS[type(node.comparator)]
        left, right = node.left, node.right
        if not _is_path(left) and _is_path(right):
            left, right = right, left
            operator = operator.translate(str.maketrans("<>", "><"))
        if not _is_path(left):
            raise errors.query_error("A comparison in $filter needs a property on one side.")
        sql, column = self._path(left)
        if _is_path(right):
            return f"({sql} {operator} {self._path(right)[0]})"
        return self._compare_literal(sql, column, operator, kind, right)

    def _compare_literal(self, sql: str, column: Column, operator: str, kind: str, literal: Any) -> str:
        if isinstance(literal, ast.Null):
            if operator not in ("IS", "IS NOT"):
                return "0"
            return f"({sql} {operator} NULL)"
        value = _literal(column, literal, kind)
        if isinstance(value, str) and column.edm_type == "Edm.String":
            return self._compare_text(sql, operator, value)
        self.arguments.append(value)
        return f"({sql} {operator} ?)"

    def _compare_text(self, sql: str, operator: str, value: str) -> str:
        if value.isascii():
            self.arguments.append(value)
            equals = "=" if operator == "IS" else operator
            return f"({sql} {equals} ? COLLATE NOCASE)"
        self.arguments.append(value.casefold())
        return f"(fold({sql}) {operator} ?)"

    def _text_function(self, node: Any) -> str:
        name = node.func.full_name()
        if name not in _TEXT_FUNCTIONS or len(node.args) != 2 or not isinstance(node.args[1], ast.String):
            raise errors.query_error(f"An unknown function with name '{name}' was found.")
        sql, column = self._path(node.args[0])
        if column.edm_type != "Edm.String":
            raise errors.query_error(f"No function signature for the function with name '{name}' matches.")
        return self._matches(sql, _TEXT_FUNCTIONS[name].format(node.args[1].val))

    def _matches(self, sql: str, pattern: str) -> str:
        if "[" not in pattern and pattern.isascii():
            self.arguments.append(pattern)
            return f"({sql} LIKE ?)"
        self.arguments.append(_as_regex(pattern))
        return f"matches(?, {sql})"

    def _crm_function(self, index: int) -> str:
        name, arguments = self._functions[index]
        found = _IN_ARGUMENTS.fullmatch(arguments)
        if name not in ("In", "NotIn") or found is None:
            raise errors.not_covered(f"The query function Microsoft.Dynamics.CRM.{name} with these arguments")
        sql, column = self._column(found[1])
        values = [_literal(column, ast.String(v.replace("''", "'")), "Equal") for v in _quoted_values(found[2])]
        self.arguments.extend(values)
        marks = ",".join("?" * len(values))
        collation = " COLLATE NOCASE" if column.edm_type == "Edm.String" else ""
        negation = "NOT " if name == "NotIn" else ""
        return f"({sql}{collation} {negation}IN ({marks}))"

    def _path(self, node: Any) -> tuple[str, Column]:
        match node:
            case ast.Identifier(name=name):
                return self._column(name)
            case ast.Attribute(owner=ast.Identifier(name=navigation), attr=name):
                return self._through(navigation, name)
        raise errors.query_error("The $filter expression is not supported.")

    def _column(self, name: str) -> tuple[str, Column]:
        column = self._table.properties.get(name) or self._lookup_by_column_name(name)
        if column is None:
            raise errors.no_property(name, self._table.edm_name)
        return ("NULL" if column.name in self._hidden else f'"{self._table.name}"."{column.name}"'), column

    def _lookup_by_column_name(self, name: str) -> Column | None:
        """Query functions name a lookup by its column; a single-target navigation property may be compared too."""
        column = self._table.stored.get(name)
        return column if column is not None and column.is_lookup else None

    def _through(self, navigation: str, name: str) -> tuple[str, Column]:
        """A column of the row that a lookup points to."""
        found = self._table.navigation.get(navigation)
        target = self._schema.tables.get(found[1][0]) if found else None
        if found is None or target is None:
            raise errors.no_property(navigation, self._table.edm_name)
        column = target.properties.get(name)
        if column is None:
            raise errors.no_property(name, target.edm_name)
        sql = (
            f'(SELECT linked."{column.name}" FROM "{target.name}" AS linked '
            f'WHERE linked."{target.key}" = "{self._table.name}"."{found[0].name}")'
        )
        return sql, column


def _chain(node: ast.BoolOp) -> list[Any]:
    """The parts of a chain of one operator, in order: SQLite takes hundreds side by side and few in one another."""
    parts: list[Any] = []
    waiting: list[Any] = [node]
    while waiting:
        part = waiting.pop()
        if isinstance(part, ast.BoolOp) and type(part.op) is type(node.op):
            waiting += [part.right, part.left]
        else:
            parts.append(part)
    return parts


def order_terms(table: Table, text: str | None) -> list[tuple[Column, bool]]:
    """Columns and whether they descend, the key always last, so that the order is total."""
    terms: list[tuple[Column, bool]] = []
    for part in (text or "").split(","):
        words = part.split()
        if not words:
            continue
        column = table.properties.get(words[0])
        if column is None:
            raise errors.no_property(words[0], table.edm_name)
        if len(words) > 2 or (len(words) == 2 and words[1] not in ("asc", "desc")):
            raise errors.query_error(f"Syntax error at position {len(words[0])} in '{part.strip()}'.")
        terms.append((column, words[-1] == "desc"))
    if not any(column.name == table.key for column, _ in terms):
        terms.append((table.columns[table.key], False))
    return terms


def _is_path(node: Any) -> bool:
    return isinstance(node, ast.Identifier | ast.Attribute)


def _literal(column: Column, node: Any, kind: str) -> Any:
    convert = _literal_converters.get(column.edm_type, _text_literal)
    value = convert(node)
    if value is None:
        text = (
            "A binary operator with incompatible types was detected. Found operand types "
            f"'{column.edm_type}' and '{_edm_of(node)}' for operator kind '{kind}'."
        )
        raise errors.query_error(text)
    return value


def _edm_of(node: Any) -> str:
    names = {"String": "Edm.String", "Integer": "Edm.Int32", "Float": "Edm.Double", "Boolean": "Edm.Boolean"}
    return names.get(type(node).__name__, f"Edm.{type(node).__name__}")


def _text_literal(node: Any) -> Any:
    return node.val if isinstance(node, ast.String) else None


def _guid_literal(node: Any) -> Any:
    return parse_guid(node.val) if isinstance(node, ast.GUID | ast.String) else None


def _number_literal(node: Any) -> Any:
    if not isinstance(node, ast.Integer | ast.Float | ast.String):
        return None
    try:
        number = float(node.val)
        return int(node.val) if number.is_integer() and abs(number) < 2**62 and "." not in node.val else number
    except ValueError:
        return None


def _boolean_literal(node: Any) -> Any:
    return {"true": 1, "false": 0, "1": 1, "0": 0}.get(str(getattr(node, "val", "")).lower())


def _time_literal(node: Any) -> Any:
    return parse_time(node.val) if isinstance(node, ast.DateTime | ast.Date | ast.String) else None


def _day_literal(node: Any) -> Any:
    return parse_day(node.val) if isinstance(node, ast.DateTime | ast.Date | ast.String) else None


_literal_converters: dict[str, Callable[[Any], Any]] = {
    "Edm.Guid": _guid_literal,
    "Edm.Boolean": _boolean_literal,
    "Edm.DateTimeOffset": _time_literal,
    "Edm.Date": _day_literal,
    **dict.fromkeys(_NUMBERS, _number_literal),
}


def _quoted_values(text: str) -> list[str]:
    values = re.findall(r"'((?:[^']|'')*)'", text)
    if not values or re.sub(r"'(?:[^']|'')*'|[\s,]", "", text):
        raise errors.query_error("PropertyValues must be a list of quoted values.")
    return values


def _syntax_message(text: str) -> str:
    if text.count("'") % 2:
        return f"There is an unterminated literal at position {len(text)} in '{text}'."
    return f"Syntax error at position {len(text)} in '{text}'."


def _as_regex(pattern: str) -> str:
    """A LIKE pattern of SQL Server, letter by letter."""
    parts = []
    position = 0
    while position < len(pattern):
        letter = pattern[position]
        closing = pattern.find("]", position) if letter == "[" else -1
        if closing > position + 1:
            inner = pattern[position + 1 : closing]
            negated = inner.startswith("^") and len(inner) > 1
            body = re.sub(r"([\\\[\]^&~|])", r"\\\1", inner[1:] if negated else inner)
            parts.append(f"[{'^' if negated else ''}{body}]")
            position = closing
        else:
            parts.append({"%": ".*", "_": "."}.get(letter, re.escape(letter)))
        position += 1
    return "".join(parts)


def matches(pattern: str, text: object) -> bool:
    """The SQL function behind patterns that LIKE of SQLite does not know."""
    try:
        return isinstance(text, str) and re.fullmatch(pattern, text, re.IGNORECASE | re.DOTALL) is not None
    except re.error:
        return False
