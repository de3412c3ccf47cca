"""`$filter` and `$orderby` of one table as conditions and an order.

What the service supports passes: comparisons, `contains startswith endswith`, query functions, `any` and `all`, and
paths over lookups. Everything else of OData is refused.
"""

import re
from collections.abc import Mapping
from typing import Any

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.navigation import Navigation, Through, ToMany, ToOne, find_navigation
from tandem_emulators.dataverse.odata_text import (
    Call,
    Comparison,
    CrmCall,
    Lambda,
    Literal,
    Logic,
    Negation,
    Node,
    Path,
    parse_filter,
)
from tandem_emulators.dataverse.operators import OPERATORS, arity, number, typed
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
    Source,
    Sources,
    Test,
)
from tandem_emulators.dataverse.schema import Column, Schema, Table
from tandem_emulators.dataverse.values import parse_day, parse_guid, parse_time

_KINDS = {
    "eq": "Equal",
    "ne": "NotEqual",
    "gt": "GreaterThan",
    "ge": "GreaterThanOrEqual",
    "lt": "LessThan",
    "le": "LessThanOrEqual",
}
_TURNED = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}
_TEXT_FUNCTIONS = {"contains": "contains", "startswith": "begins-with", "endswith": "ends-with"}
# Query functions whose operator is not simply their name in FetchXML's spelling.
_FUNCTIONS = {
    "AboveOrEqual": "eq-or-above",
    "UnderOrEqual": "eq-or-under",
    "BeginsWith": "begins-with",
    "DoesNotBeginWith": "not-begin-with",
    "DoesNotContain": "not-contain",
    "DoesNotContainValues": "not-contain-values",
    "DoesNotEndWith": "not-end-with",
    "EqualBusinessId": "eq-businessid",
    "EqualRoleBusinessId": "eq-businessid",
    "EqualUserId": "eq-userid",
    "EqualUserLanguage": "eq-userlanguage",
    "EqualUserOrUserHierarchy": "eq-useroruserhierarchy",
    "EqualUserOrUserHierarchyAndTeams": "eq-useroruserhierarchyandteams",
    "EqualUserOrUserTeams": "eq-useroruserteams",
    "EqualUserTeams": "eq-userteams",
    "Last7Days": "last-seven-days",
    "Next7Days": "next-seven-days",
    "NotEqualBusinessId": "ne-businessid",
    "NotEqualUserId": "ne-userid",
}
_PARAMETERS = frozenset({"PropertyName", "PropertyValue", "PropertyValues", "PropertyValue1", "PropertyValue2"})
_NUMBERS = frozenset({"Edm.Int32", "Edm.Int64", "Edm.Decimal", "Edm.Double"})


class FilterReader:
    """Reads text about the rows of one source; what it joins on the way hangs on that source."""

    def __init__(self, schema: Schema, sources: Sources, root: Source, aliases: Mapping[str, str] | None) -> None:
        self._schema = schema
        self._sources = sources
        self._scope = {"$it": root}
        self._root = root
        self._aliases = aliases

    def condition(self, text: str) -> Condition:
        return self._condition(parse_filter(text, self._aliases))

    def order(self, text: str) -> list[Order]:
        terms: list[Order] = []
        for part in text.split(","):
            words = part.split()
            if not words:
                continue
            if len(words) > 2 or (len(words) == 2 and words[1] not in ("asc", "desc")):
                raise errors.query_error(f"Syntax error at position {len(words[0])} in '{part.strip()}'.")
            terms.append(self._order_term(words[0], descending=words[-1] == "desc" and len(words) == 2))
        return terms

    def _order_term(self, name: str, *, descending: bool) -> Order:
        """A lookup is sorted by what it points to is called, a choice by its number."""
        field = self.field(Path(tuple(name.split("/"))))
        column = field.column
        if not column.is_lookup:
            return Order(column.name, (field,), descending)
        targets = [self._schema.tables[target] for target in column.targets if target in self._schema.tables]
        named = [self._sources.through(field.source, column, target) for target in targets]
        fields = tuple(
            s.field(s.table.columns[s.table.name_column]) for s in named if s.table.name_column in s.table.stored
        )
        return Order(column.name, fields or (field,), descending)

    # Conditions.

    def _condition(self, node: Node) -> Condition:
        match node:
            case Logic("and", parts):
                return AllOf(tuple(self._condition(part) for part in parts))
            case Logic(_, parts):
                return AnyOf(tuple(self._condition(part) for part in parts))
            case Negation(Negation(part)):
                return self._condition(part)
            case Negation(part):
                return Not(self._condition(part))
            case Comparison(operator, left, right):
                return self._comparison(operator, left, right)
            case Call(name, arguments):
                return self._text_function(name, arguments)
            case CrmCall():
                return self._query_function(node)
            case Lambda():
                return self._lambda(node)
            case Path():
                field = self.field(node)
                if field.column.type == "Boolean":
                    return Test(field, "eq", (1,))
        raise errors.query_error("The $filter expression must evaluate to a single boolean value.")

    def _comparison(self, operator: str, left: Node, right: Node) -> Condition:
        if not isinstance(left, Path) and isinstance(right, Path):
            left, right, operator = right, left, _TURNED.get(operator, operator)
        if isinstance(left, Call) and isinstance(right, Literal) and right.kind == "Edm.Boolean":
            return self._denied_or_not(self._text_function(left.name, left.arguments), operator, right.text)
        if not isinstance(left, Path):
            raise errors.query_error("A comparison in $filter needs a property on one side.")
        field = self.field(left)
        if isinstance(right, Path):
            return self._compare_fields(field, operator, self.field(right))
        if not isinstance(right, Literal):
            raise errors.query_error("A comparison in $filter needs a property or a literal on its right side.")
        if right.kind == "null":
            return self._compare_null(field, operator)
        return Test(field, operator, (_literal(field.column, right, _KINDS[operator]),))

    def _denied_or_not(self, condition: Condition, operator: str, text: str) -> Condition:
        """`contains(name,'x') eq true`, as some clients write it."""
        if operator not in ("eq", "ne"):
            raise errors.incompatible_operands("Edm.Boolean", "Edm.Boolean", _KINDS[operator])
        return condition if (operator == "eq") == (text == "true") else Not(condition)

    def _compare_null(self, field: Field, operator: str) -> Condition:
        if operator not in ("eq", "ne"):
            return AnyOf(())
        return Test(field, "null" if operator == "eq" else "not-null")

    def _compare_fields(self, left: Field, operator: str, right: Field) -> Condition:
        kinds = left.column.edm_type, right.column.edm_type
        if kinds[0] != kinds[1] and not _NUMBERS.issuperset(kinds):
            raise errors.incompatible_operands(*kinds, _KINDS[operator])
        return Compare(left, operator, right)

    def _text_function(self, name: str, arguments: tuple[Node, ...]) -> Condition:
        if name not in _TEXT_FUNCTIONS or len(arguments) != 2:
            raise errors.unknown_function(name)
        path, text = arguments
        if not isinstance(path, Path) or not isinstance(text, Literal):
            raise errors.no_signature(name)
        field = self.field(path)
        if field.column.edm_type != "Edm.String" or text.kind != "Edm.String":
            raise errors.no_signature(name)
        return Test(field, _TEXT_FUNCTIONS[name], (text.text,))

    def _query_function(self, call: CrmCall) -> Condition:
        operator = _FUNCTIONS.get(call.name) or _spelled(call.name)
        if operator not in OPERATORS:
            raise errors.unknown_function(f"Microsoft.Dynamics.CRM.{call.name}")
        given = dict(call.arguments)
        names = given.pop("PropertyName", ())
        if len(names) != 1 or not _PARAMETERS.issuperset(given):
            raise errors.no_signature(f"Microsoft.Dynamics.CRM.{call.name}")
        texts = [text for name in sorted(given) for text in given[name]]
        least, most = arity(operator)
        if len(texts) < least or (most is not None and len(texts) > most):
            raise errors.no_signature(f"Microsoft.Dynamics.CRM.{call.name}")
        field = self.field(Path((*call.prefix, *names[0].split("/"))))
        values = tuple(typed(operator, field.column, text) for text in texts)
        for text, value in zip(texts, values, strict=True):
            if value is None:
                raise errors.bad_value(text, field.column.name)
        return Test(field, operator, values)

    def _lambda(self, node: Lambda) -> Condition:
        """`all` is that there is none of which it does not hold."""
        source = self._walk(node.path.parts[:-1])
        name = node.path.parts[-1]
        navigation = find_navigation(self._schema, source.table, name)
        if navigation is None or isinstance(navigation, ToOne):
            raise errors.no_property(name, source.table.edm_name)
        link, inner = self._link_to(navigation, source)
        if node.body is None:
            return Exists(source, link)
        if node.variable in self._scope:
            raise errors.query_error(f"The range variable '{node.variable}' has already been declared.")
        self._scope[node.variable] = inner
        body = self._condition(node.body)
        del self._scope[node.variable]
        link.conditions.append(Not(body) if node.kind == "all" else body)
        return Not(Exists(source, link)) if node.kind == "all" else Exists(source, link)

    def _link_to(self, navigation: Navigation, source: Source) -> tuple[Link, Source]:
        """The link that a row must have, and the source at its end."""
        inner = self._sources.make(navigation.target)
        match navigation:
            case Through():
                pairs = self._sources.make(navigation.pairs)
                pairs.links.append(Link(inner, navigation.target.key, navigation.far, is_inner=True))
                return Link(pairs, navigation.near, source.table.key), inner
            case ToMany():
                return Link(inner, navigation.column.name, source.table.key), inner
        raise AssertionError("a lookup has no rows to go over")

    # Names.

    def field(self, path: Path) -> Field:
        source = self._walk(path.parts[:-1])
        name = path.parts[-1]
        column = source.table.properties.get(name) or _lookup_named(source.table, name)
        if column is None:
            raise errors.no_property(name, source.table.edm_name)
        return source.field(column)

    def _walk(self, parts: tuple[str, ...]) -> Source:
        source = self._root
        for position, name in enumerate(parts):
            if position == 0 and name in self._scope:
                source = self._scope[name]
                continue
            navigation = find_navigation(self._schema, source.table, name)
            if not isinstance(navigation, ToOne):
                raise errors.no_property(name, source.table.edm_name)
            source = self._sources.through(source, navigation.column, navigation.target)
        return source


def key_order(source: Source, order: list[Order]) -> list[Order]:
    """The order with the key last, so that it is total."""
    key = source.table.columns[source.table.key]
    if any(term.fields == (Field(source, key),) for term in order):
        return order
    return [*order, Order(key.name, (source.field(key),))]


def _lookup_named(table: Table, name: str) -> Column | None:
    """Query functions name a lookup by its column; a single-target navigation property may be compared too."""
    column = table.stored.get(name)
    return column if column is not None and column.is_lookup else None


def _spelled(name: str) -> str:
    """`LastXDays` is `last-x-days`, `OlderThanXMonths` is `olderthan-x-months`."""
    words = re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()
    return words.replace("older-than", "olderthan")


def _literal(column: Column, literal: Literal, kind: str) -> Any:
    value = _converted(column, literal)
    if value is None:
        raise errors.incompatible_operands(column.edm_type, literal.kind, kind)
    return value


def _converted(column: Column, literal: Literal) -> Any:
    """Quoted forms of GUIDs, numbers and times are tolerated, as the service tolerates them."""
    match column.edm_type:
        case "Edm.Guid":
            return parse_guid(literal.text) if literal.kind in ("Edm.Guid", "Edm.String") else None
        case "Edm.Boolean":
            return {"true": 1, "false": 0, "1": 1, "0": 0}.get(literal.text.lower())
        case "Edm.DateTimeOffset":
            return parse_time(literal.text) if literal.kind in _DATES else None
        case "Edm.Date":
            return parse_day(literal.text) if literal.kind in _DATES else None
        case "Edm.String":
            return literal.text if literal.kind == "Edm.String" else None
    return number(literal.text) if literal.kind in ("Edm.Int32", "Edm.Double", "Edm.String") else None


_DATES = frozenset({"Edm.DateTimeOffset", "Edm.Date", "Edm.String"})
