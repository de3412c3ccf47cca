"""`$select`, `$filter`, `$orderby` and `$expand` over definitions, which are few and rendered as dictionaries."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from odata_query import ast
from odata_query.exceptions import ODataException
from odata_query.grammar import ODataLexer, ODataParser

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.metadata_render import COLUMN_CAST

Row = dict[str, Any]

_ENUM = re.compile(r"Microsoft\.Dynamics\.CRM\.\w+'(\w+)'")
_EXPANDED = re.compile(r"\s*(\w+)\s*(?:\((.*)\))?\s*", re.DOTALL)
_ALWAYS = frozenset({"@odata.type", "MetadataId"})
_DEPTH_MAX = 100


@dataclass(frozen=True, slots=True)
class Options:
    """The query options of a metadata request, or those in the parentheses of an expansion."""

    select: tuple[str, ...]
    filter: str | None
    orderby: str | None
    expand: Mapping[str, "Options"]

    @property
    def context(self) -> str:
        """What stands behind the set in `@odata.context`."""
        parts = [*self.select, *(f"{name}{inner.context or '()'}" for name, inner in self.expand.items())]
        return f"({','.join(parts)})" if parts else ""


def parse(query: Mapping[str, str]) -> Options:
    if "$top" in query:
        raise errors.query_error("The query parameter $top is not supported")
    select = tuple(name.strip() for name in query.get("$select", "").split(",") if name.strip())
    expand: dict[str, Options] = {}
    for part in _split(query.get("$expand", ""), ","):
        found = _EXPANDED.fullmatch(part)
        if found is None:
            raise errors.query_error(f"Syntax error in the query option $expand: '{part}'.")
        inner = (option.partition("=") for option in _split(found[2] or "", ";"))
        expand[found[1]] = parse({name.strip(): unquote_plus(value) for name, _, value in inner})
    return Options(select, query.get("$filter"), query.get("$orderby"), expand)


def _split(text: str, separator: str) -> list[str]:
    """Parts between separators that stand outside parentheses and quotes."""
    parts, depth, quoted, start = [], 0, False, 0
    for position, sign in enumerate(text):
        if sign == "'":
            quoted = not quoted
        elif not quoted:
            depth += (sign == "(") - (sign == ")")
            if sign == separator and depth == 0:
                parts.append(text[start:position])
                start = position + 1
    parts.append(text[start:])
    if depth != 0 or len(parts) > _DEPTH_MAX:
        raise errors.query_error(f"Syntax error in '{text[:100]}': the parentheses do not match.")
    return [part for part in parts if part.strip()]


def narrow(rows: Sequence[Row], options: Options) -> list[Row]:
    """The rows that pass the filter, in order."""
    found = list(rows)
    if options.filter is not None:
        accepts = _compile(options.filter)
        found = [row for row in found if accepts(row)]
    order = (options.orderby or "").split()
    if order:
        found.sort(key=lambda row: str(row.get(order[0])), reverse=order[-1] == "desc")
    return found


def select(row: Row, options: Options) -> Row:
    """The chosen properties. `MetadataId` always comes, and what was expanded."""
    if not options.select:
        return row
    for name in options.select:
        if name not in row and name not in COLUMN_CAST:
            raise errors.no_property(name, "Microsoft.Dynamics.CRM.MetadataBase")
    kept = _ALWAYS | {*options.select, *options.expand}
    return {name: value for name, value in row.items() if name in kept or name.partition("@")[0] in options.expand}


def _compile(text: str) -> Callable[[Mapping[str, Any]], bool]:
    """A filter over rendered rows: comparisons of (paths to) properties, text functions, and, or, not."""
    try:
        tree = ODataParser().parse(ODataLexer().tokenize(_ENUM.sub(r"'\1'", text)))
    except (ODataException, RecursionError, ValueError) as error:
        raise errors.query_error(f"Syntax error at position 0 in '{text}'.") from error
    return lambda row: bool(_evaluate(tree, row, 0))


_COMPARISONS: Mapping[type, Callable[[Any, Any], bool]] = {
    ast.Eq: lambda left, right: left == right,
    ast.NotEq: lambda left, right: left != right,
    ast.Gt: lambda left, right: _ordered(left, right) and left > right,
    ast.GtE: lambda left, right: _ordered(left, right) and left >= right,
    ast.Lt: lambda left, right: _ordered(left, right) and left < right,
    ast.LtE: lambda left, right: _ordered(left, right) and left <= right,
}
_TEXT_FUNCTIONS: Mapping[str, Callable[[str, str], bool]] = {
    "contains": lambda text, part: part in text,
    "startswith": lambda text, part: text.startswith(part),
    "endswith": lambda text, part: text.endswith(part),
}


def _ordered(left: Any, right: Any) -> bool:
    return left is not None and type(left) is type(right)


def _evaluate(node: Any, row: Mapping[str, Any], depth: int) -> Any:
    if depth > _DEPTH_MAX:
        raise errors.query_error("The recursion limit has been exceeded.")

    def value(inner: Any) -> Any:
        return _evaluate(inner, row, depth + 1)

    match node:
        case ast.BoolOp():
            both = (bool(value(node.left)), bool(value(node.right)))
            return all(both) if isinstance(node.op, ast.And) else any(both)
        case ast.UnaryOp(op=ast.Not()):
            return not value(node.operand)
        case ast.Compare() if type(node.comparator) in _COMPARISONS:
            left, right = value(node.left), value(node.right)
            if "MetadataId" in (_name(node.left), _name(node.right)):
                left, right = str(left).lower(), str(right).lower()
            return _COMPARISONS[type(node.comparator)](left, right)
        case ast.Call(func=ast.Identifier(name=name), args=[first, second]) if name in _TEXT_FUNCTIONS:
            return _TEXT_FUNCTIONS[name](str(value(first) or "").lower(), str(value(second) or "").lower())
        case ast.Identifier(name=name) if name in row:
            return row[name]
        case ast.Identifier(name=name):
            raise errors.no_property(name, "Microsoft.Dynamics.CRM.MetadataBase")
        case ast.Attribute(owner=owner, attr=name):
            found = value(owner)
            return found.get(name) if isinstance(found, dict) else None
        case _:
            return _literal(node)


def _name(node: Any) -> str | None:
    """An id compares without case, quoted or not."""
    return str(node.name) if isinstance(node, ast.Identifier) else None


def _literal(node: Any) -> Any:
    match node:
        case ast.Null():
            return None
        case ast.Boolean(val=text):
            return text == "true"
        case ast.Integer(val=text):
            return int(text)
        case ast.String(val=text) | ast.GUID(val=text):
            return text
    raise errors.query_error("The $filter expression is not supported for metadata.")
