"""What is asked of the tables. `$filter`, `$apply`, FetchXML and SQL are all read into this, and one renderer runs it.

A query stands on a source: a table under an alias, with further sources joined to it. Conditions name the fields of
sources and an operator in FetchXML's words, the widest vocabulary of the four.
"""

from dataclasses import dataclass, field
from typing import Any

from tandem_emulators.dataverse.schema import Column, Table


@dataclass(eq=False, slots=True)
class Source:
    """`links` are the sources joined to this one, each by a column of its own and one of this.

    `is_bin` is the table's deleted rows, as the recycle bin keeps them.
    """

    table: Table
    alias: str
    is_bin: bool = False
    links: list["Link"] = field(default_factory=list)

    def field(self, column: Column) -> "Field":
        return Field(self, column)


@dataclass(eq=False, slots=True)
class Link:
    source: Source
    own_column: str
    parent_column: str
    is_inner: bool = False
    conditions: list["Condition"] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Field:
    source: Source
    column: Column


@dataclass(frozen=True, slots=True)
class Test:
    """`field operator values`; the values are in the form in which the store keeps them."""

    field: Field
    operator: str
    values: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Compare:
    """Two fields of one row."""

    left: Field
    operator: str
    right: Field


@dataclass(frozen=True, slots=True)
class AllOf:
    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Not:
    part: "Condition"


@dataclass(frozen=True, slots=True)
class Exists:
    """There is a row of the link's source, joined to `parent`, that meets the link's conditions."""

    parent: Source
    link: Link


@dataclass(frozen=True, slots=True)
class Behind:
    """The rows after one with these values, in this order."""

    order: tuple["Order", ...]
    values: tuple[Any, ...]


Condition = Test | Compare | AllOf | AnyOf | Not | Exists | Behind


@dataclass(frozen=True, slots=True)
class Order:
    """By the first of `fields` that holds something, or by the output at that `place`, counted from one.

    `by_label` is by what a choice reads, not by its number; `is_foreign` is by a column of a linked table.
    """

    name: str
    fields: tuple[Field, ...]
    descending: bool = False
    by_label: bool = False
    is_foreign: bool = False
    place: int | None = None

    @property
    def column(self) -> Column:
        return self.fields[0].column


@dataclass(frozen=True, slots=True)
class Output:
    """One value of an answer. `aggregate` and `part` say what is done to the field; `count` needs no field."""

    name: str
    field: Field | None
    aggregate: str | None = None
    part: str | None = None
    is_grouped: bool = False


@dataclass(slots=True)
class Query:
    """`is_distinct` and `is_aggregate` change what a row is; without them it is a row of the root's table."""

    root: Source
    outputs: list[Output] = field(default_factory=list)
    conditions: list[Condition] = field(default_factory=list)
    order: list[Order] = field(default_factory=list)
    is_distinct: bool = False
    is_aggregate: bool = False


class Sources:
    """Makes the sources of one statement, and finds again those joined by the same lookup."""

    def __init__(self) -> None:
        self._count = 0
        self._by_lookup: dict[tuple[str, str, str], Source] = {}

    def make(self, table: Table) -> Source:
        self._count += 1
        return Source(table, f"t{self._count}")

    def through(self, source: Source, column: Column, target: Table) -> Source:
        """The row that a lookup points to, joined once however often it is named."""
        key = (source.alias, column.name, target.name)
        if key not in self._by_lookup:
            joined = self.make(target)
            source.links.append(Link(joined, target.key, column.name))
            self._by_lookup[key] = joined
        return self._by_lookup[key]


def iter_sources(source: Source) -> list[Source]:
    """The source and all that hangs on it, in the order of their joins."""
    found = [source]
    for link in source.links:
        found += iter_sources(link.source)
    return found
