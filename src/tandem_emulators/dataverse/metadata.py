"""Reading definitions: tables, columns, keys, relationships and global choices.

A path is walked from left to right; each step yields rendered rows, which the query options then narrow. For a while
after a change a read may show the definitions as they were, unless it asks for strong consistency (a switch).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tandem_emulators.dataverse import errors, metadata_query
from tandem_emulators.dataverse.metadata_query import Options, Row
from tandem_emulators.dataverse.metadata_render import (
    NAMESPACE,
    OPTION_SET_EXPANSIONS,
    many_to_many_of,
    one_to_many_of,
    render_column,
    render_key,
    render_many_to_many,
    render_one_to_many,
    render_option_set,
    render_table,
)
from tandem_emulators.dataverse.schema import Column, Schema, Table
from tandem_emulators.dataverse.values import parse_guid

SETS = ("EntityDefinitions", "RelationshipDefinitions", "GlobalOptionSetDefinitions")
COLUMN_CASTS = frozenset(
    f"{kind}AttributeMetadata"
    for kind in (
        "String",
        "Memo",
        "Integer",
        "BigInt",
        "Decimal",
        "Double",
        "Money",
        "Boolean",
        "Picklist",
        "State",
        "Status",
        "MultiSelectPicklist",
        "DateTime",
        "Lookup",
        "UniqueIdentifier",
        "EntityName",
        "Image",
        "File",
        "ManagedProperty",
    )
)
_NAMED = re.compile(r"\s*(\w+)\s*=\s*'((?:[^']|'')*)'\s*")
_RELATION_CASTS = ("OneToManyRelationshipMetadata", "ManyToManyRelationshipMetadata")


@dataclass(frozen=True, slots=True)
class Key:
    """What stands in the parentheses of a definition: a MetadataId, or a name and the property it is a value of."""

    property: str
    value: str

    def names(self, row: Mapping[str, Any]) -> bool:
        return str(row.get(self.property, "")).lower() == self.value.lower()


def parse_key(text: str, kind: str) -> Key:
    found = _NAMED.fullmatch(text)
    if found is not None:
        return Key(found[1], found[2].replace("''", "'"))
    key = parse_guid(text.strip().removeprefix("MetadataId="))
    if key is None:
        raise errors.key_not_valid(f"{NAMESPACE}{kind}")
    return Key("MetadataId", key)


def split_segment(segment: str) -> tuple[str, str | None]:
    """`Attributes(LogicalName='x')` -> the name, and what is in the parentheses."""
    name, bracket, rest = segment.partition("(")
    if not bracket:
        return segment, None
    if not rest.endswith(")"):
        raise errors.segment_not_found(segment)
    return name, rest[:-1]


@dataclass
class Metadata:
    schema: Schema
    is_secured: Callable[[Table, str], bool]
    # As older answers have it: a global choice stands in GlobalOptionSet only.
    global_choices_apart: bool = False

    def serve(self, segments: Sequence[str], query: Mapping[str, str], root: str) -> Row:
        """The body for a path of definitions. Segments are those after the service root."""
        options = metadata_query.parse(query)
        name, key = split_segment(segments[0])
        context = f"{root}$metadata#{name}"
        if name == "EntityDefinitions":
            return self._tables(key, segments[1:], options, context)
        if name == "RelationshipDefinitions":
            return self._relations(key, segments[1:], options, context)
        return self._choices(key, segments[1:], options, context)

    # Tables.

    def _tables(self, key: str | None, rest: Sequence[str], options: Options, context: str) -> Row:
        if key is None:
            _end(rest)
            rows = [self._table_row(table, options, context) for table in self.schema.tables.values()]
            return _collection(context, rows, options)
        table = self.table(key)
        if not rest:
            return _single(context, self._table_row(table, options, context), options)
        context = f"{context}('{table.name}')/{split_segment(rest[0])[0]}"
        part, part_key = split_segment(rest[0])
        if part == "Attributes":
            return self._columns(table, part_key, rest[1:], options, context)
        rendered = self._parts_of(table).get(part)
        if rendered is None:
            return _property(render_table(table), rest, context)
        _refuse_expand(options, f"{part[:-1]}Metadata")
        if part_key is None:
            _end(rest[1:])
            return _collection(context, rendered(), options)
        found = _one(rendered(), parse_key(part_key, part), f"Could not find {part} {part_key} on {table.name}.")
        return _single(context, found, options) if len(rest) == 1 else _property(found, rest[1:], context)

    def table(self, key: str) -> Table:
        wanted = parse_key(key, "EntityMetadata")
        for table in self.schema.tables.values():
            if wanted.names(table.metadata):
                return table
        raise errors.no_table(wanted.value)

    def _parts_of(self, table: Table) -> Mapping[str, Callable[[], list[Row]]]:
        metadata, schema = table.metadata, self.schema
        return {
            "Keys": lambda: [render_key(table, key) for key in metadata.get("Keys", ())],
            "ManyToOneRelationships": lambda: [
                render_one_to_many(r) for r in metadata.get("ManyToOneRelationships", ())
            ],
            "OneToManyRelationships": lambda: [
                render_one_to_many(r) for r in one_to_many_of(schema) if r["ReferencedEntity"] == table.name
            ],
            "ManyToManyRelationships": lambda: [
                render_many_to_many(r)
                for r in many_to_many_of(schema)
                if table.name in (r["Entity1LogicalName"], r["Entity2LogicalName"])
            ],
        }

    def _table_row(self, table: Table, options: Options, context: str) -> Row:
        row = render_table(table)
        parts = self._parts_of(table)
        for name, inner in options.expand.items():
            if name == "Attributes":
                rows = [self.column_row(table, column, is_cast=False) for column in table.columns.values()]
            elif name in parts:
                rows = parts[name]()
            else:
                raise errors.no_property(name, f"{NAMESPACE}EntityMetadata")
            row[f"{name}@odata.context"] = f"{context}({row['MetadataId']})/{name}{inner.context}"
            row[name] = _chosen(rows, inner)
        return row

    # Columns.

    def _columns(self, table: Table, key: str | None, rest: Sequence[str], options: Options, context: str) -> Row:
        cast = None
        if rest and rest[0].startswith(NAMESPACE):
            cast = rest[0].removeprefix(NAMESPACE)
            if cast not in COLUMN_CASTS:
                raise errors.segment_not_found(rest[0])
            rest = rest[1:]
        columns = [c for c in table.columns.values() if cast in (None, c.metadata["@type"])]
        narrowed = f"{context}/{NAMESPACE}{cast}" if cast else context
        if key is None:
            _end(rest)
            rows = [self._expanded(table, column, options, context, cast) for column in columns]
            return _collection(narrowed, rows, options)
        wanted = parse_key(key, "AttributeMetadata")
        for column in columns:
            if wanted.names(column.metadata):
                if rest:
                    return self._of_column(table, column, rest, f"{context}('{column.name}')", options)
                row = self._expanded(table, column, options, context, cast)
                return _single(narrowed, row, options)
        raise errors.no_column(wanted.value, table.name)

    def _of_column(self, table: Table, column: Column, rest: Sequence[str], context: str, options: Options) -> Row:
        context = f"{context}/{rest[0]}"
        if rest[0] in OPTION_SET_EXPANSIONS and len(rest) == 1:
            found = self._option_set(column, rest[0])
            if found is None:
                raise errors.segment_not_found(rest[0])
            return _single(context, found, options)
        return _property(self.column_row(table, column, is_cast=True), rest, context)

    def _expanded(self, table: Table, column: Column, options: Options, context: str, cast: str | None) -> Row:
        row = self.column_row(table, column, is_cast=cast is not None)
        for name, inner in options.expand.items():
            if name not in OPTION_SET_EXPANSIONS or cast is None:
                raise errors.no_property(name, f"{NAMESPACE}{cast or 'AttributeMetadata'}")
            found = self._option_set(column, name)
            path = f"{context}({row['MetadataId']})/{NAMESPACE}{cast}/{name}{inner.context}/$entity"
            row[f"{name}@odata.context"] = path
            row[name] = metadata_query.select(found, inner) if found is not None else None
        return row

    def _option_set(self, column: Column, name: str) -> Row | None:
        """A global choice shows in both properties; a local one has no global choice."""
        option_set = column.metadata.get("OptionSet")
        is_global = bool((option_set or {}).get("IsGlobal"))
        shown = is_global if name == "GlobalOptionSet" else not (is_global and self.global_choices_apart)
        return render_option_set(option_set) if shown else None

    def column_row(self, table: Table, column: Column, *, is_cast: bool) -> Row:
        row = render_column(table, column, is_cast=is_cast)
        return row | ({"IsSecured": True} if self.is_secured(table, column.name) else {})

    # Relationships and global choices, which belong to no table.

    def _relations(self, key: str | None, rest: Sequence[str], options: Options, context: str) -> Row:
        rows = [render_one_to_many(r) for r in one_to_many_of(self.schema)]
        rows += [render_many_to_many(r) for r in many_to_many_of(self.schema)]
        if rest and rest[0].startswith(NAMESPACE):
            cast = rest[0].removeprefix(NAMESPACE)
            if cast not in _RELATION_CASTS:
                raise errors.segment_not_found(rest[0])
            rows = [row for row in rows if row["@odata.type"] == f"#{NAMESPACE}{cast}"]
            context, rest = f"{context}/{NAMESPACE}{cast}", rest[1:]
        return _walk(rows, key, rest, options, context, "RelationshipMetadataBase")

    def _choices(self, key: str | None, rest: Sequence[str], options: Options, context: str) -> Row:
        rows = [self._choice_row(one) for one in self.schema.option_sets.values()]
        if rest and rest[0].startswith(NAMESPACE):
            rest = rest[1:]
        return _walk(rows, key, rest, options, context, "OptionSetMetadataBase")

    def _choice_row(self, option_set: Mapping[str, Any]) -> Row:
        row = render_option_set(option_set) or {}
        kind = "BooleanOptionSet" if "TrueOption" in row else "OptionSet"
        return {"@odata.type": f"#{NAMESPACE}{kind}Metadata", **row}


def _walk(rows: list[Row], key: str | None, rest: Sequence[str], options: Options, context: str, kind: str) -> Row:
    _refuse_expand(options, kind)
    if key is None:
        _end(rest)
        return _collection(context, rows, options)
    wanted = parse_key(key, kind)
    found = _one(rows, wanted, f"Could not find an item of {kind} with the key {wanted.value}.")
    return _single(context, found, options) if not rest else _property(found, rest, context)


def _refuse_expand(options: Options, kind: str) -> None:
    """What is below keys, relationships and choices is not served; an answer without it would be no answer."""
    if options.expand:
        raise errors.no_property(next(iter(options.expand)), f"{NAMESPACE}{kind}")


def _one(rows: Sequence[Row], key: Key, text: str) -> Row:
    for row in rows:
        if key.names(row):
            return row
    raise errors.ODataError(404, errors.NO_DEFINITION, text)


def _property(row: Row, rest: Sequence[str], context: str) -> Row:
    if len(rest) != 1 or rest[0] not in row or rest[0].startswith("@"):
        raise errors.segment_not_found(rest[-1])
    value = row[rest[0]]
    return {"@odata.context": context, **(value if isinstance(value, dict) else {"value": value})}


def _end(rest: Sequence[str]) -> None:
    if rest:
        raise errors.segment_not_found(rest[0])


def _chosen(rows: Sequence[Row], options: Options) -> list[Row]:
    return [metadata_query.select(row, options) for row in metadata_query.narrow(rows, options)]


def _collection(context: str, rows: Sequence[Row], options: Options) -> Row:
    return {"@odata.context": f"{context}{options.context}", "value": _chosen(rows, options)}


def _single(context: str, row: Row, options: Options) -> Row:
    return {"@odata.context": f"{context}{options.context}/$entity", **metadata_query.select(row, options)}
