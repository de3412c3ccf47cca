"""RetrieveMetadataChanges: definitions by a query, since a version stamp, with what was deleted in between.

A query names properties and conditions, for tables and apart for their columns, keys and relationships. Columns come
with the properties of their own type, without a cast.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.metadata import Metadata
from tandem_emulators.dataverse.metadata_query import Row
from tandem_emulators.dataverse.metadata_render import (
    many_to_many_of,
    one_to_many_of,
    render_column,
    render_key,
    render_many_to_many,
    render_one_to_many,
    render_option_set,
    render_table,
)
from tandem_emulators.dataverse.schema import Table
from tandem_emulators.dataverse.schema_changes import SchemaChanges
from tandem_emulators.kit.clock import Clock

Query = Mapping[str, Any]

_STAMP = re.compile(r"(\d{1,18})!(\d\d/\d\d/\d{4} \d\d:\d\d:\d\d)")
_STAMP_TIME = "%m/%d/%Y %H:%M:%S"
_DELETED_KINDS = {"Entity": 1, "Default": 1, "Attribute": 2, "Relationship": 4, "Label": 8, "OptionSet": 16, "All": 31}
_PARTS = ("Attributes", "Keys", "ManyToOneRelationships", "OneToManyRelationships", "ManyToManyRelationships")
_DEPTH_MAX = 20


@dataclass(frozen=True, slots=True)
class MetadataChanges:
    metadata: Metadata
    changes: SchemaChanges
    clock: Clock
    expire_after_days: Callable[[], int]

    def retrieve(self, parameters: Mapping[str, str], root: str) -> Row:
        query = _decoded(parameters.get("Query"))
        since = self._since(_text(parameters.get("ClientVersionStamp")))
        body: Row = {
            "@odata.context": f"{root}$metadata#Microsoft.Dynamics.CRM.RetrieveMetadataChangesResponse",
            "EntityMetadata": self._tables(query, since),
            "ServerVersionStamp": self._stamp(),
            "DeletedMetadata": None,
        }
        wanted = _deleted_kinds(_text(parameters.get("DeletedMetadataFilters")))
        if since is not None and wanted:
            body["DeletedMetadata"] = self._deleted(since, wanted)
        return body

    def _stamp(self) -> str:
        return f"{self.changes.store.version}!{self.clock.now().astimezone(UTC).strftime(_STAMP_TIME)}"

    def _since(self, stamp: str | None) -> int | None:
        if not stamp:
            return None
        found = _STAMP.fullmatch(stamp)
        if found is None:
            raise errors.version_stamp_expired()
        try:
            issued = datetime.strptime(found[2], _STAMP_TIME).replace(tzinfo=UTC)
        except ValueError as error:
            raise errors.version_stamp_expired() from error
        if self.clock.now() - issued > timedelta(days=self.expire_after_days()):
            raise errors.version_stamp_expired()
        return int(found[1])

    def _tables(self, query: Query, since: int | None) -> list[Row]:
        accepts = _criteria(query.get("Criteria"), 0)
        rows = []
        for table in self.metadata.schema.tables.values():
            if since is not None and self.changes.changed_at(table) <= since:
                continue
            row = render_table(table)
            if accepts(row):
                rows.append({"HasChanged": True, **self._projected(table, row, query)})
        return rows

    def _projected(self, table: Table, row: Row, query: Query) -> Row:
        names = _properties(query)
        found = {"MetadataId": row["MetadataId"], "HasChanged": True}
        found |= {name: value for name, value in row.items() if names is None or name in names}
        relations = query.get("RelationshipQuery") or {}
        queries = {"Attributes": query.get("AttributeQuery") or {}, "Keys": query.get("KeyQuery") or {}}
        for part in _PARTS:
            if names is None or part in names:
                inner = queries.get(part, relations)
                found[part] = list(self._part(part, table, inner))
        return found

    def _part(self, part: str, table: Table, query: Query) -> Iterable[Row]:
        accepts, names = _criteria(query.get("Criteria"), 0), _properties(query)
        for row in self._rows(part, table):
            if accepts(row):
                kept = {name: value for name, value in row.items() if names is None or name in names}
                kind = {"@odata.type": row["@odata.type"]} if "@odata.type" in row else {}
                yield {**kind, "MetadataId": row["MetadataId"], "HasChanged": True, **kept}

    def _rows(self, part: str, table: Table) -> Iterable[Row]:
        match part:
            case "Attributes":
                for column in table.columns.values():
                    row = render_column(table, column, is_cast=True)
                    if "OptionSet" in column.metadata:
                        row["OptionSet"] = render_option_set(column.metadata["OptionSet"])
                    yield row
            case "Keys":
                yield from (render_key(table, key) for key in table.metadata.get("Keys", ()))
            case "ManyToManyRelationships":
                for pairs in many_to_many_of(self.metadata.schema):
                    if table.name in (pairs["Entity1LogicalName"], pairs["Entity2LogicalName"]):
                        yield render_many_to_many(pairs)
            case _:
                side = "ReferencingEntity" if part == "ManyToOneRelationships" else "ReferencedEntity"
                for relation in one_to_many_of(self.metadata.schema):
                    if relation[side] == table.name:
                        yield render_one_to_many(relation)

    def _deleted(self, since: int, wanted: int) -> Row:
        by_kind: dict[str, list[str]] = {}
        for one in self.changes.deleted_since(since):
            if _DELETED_KINDS.get(one.kind, 0) & wanted:
                by_kind.setdefault(one.kind, []).append(one.metadata_id)
        values = [{"Items": ids} for ids in by_kind.values()]
        return {"Count": len(by_kind), "IsReadOnly": False, "Keys": list(by_kind), "Values": values}


def _decoded(text: str | None) -> Query:
    if not text:
        return {}
    try:
        decoded = msgspec.json.decode(text.encode(), type=dict[str, Any])
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError) as error:
        raise errors.invalid_argument("The parameter 'Query' is not an EntityQueryExpression.") from error
    return decoded


def _text(value: str | None) -> str | None:
    return value.strip().strip("'") if value is not None and value.strip() != "null" else None


def _deleted_kinds(text: str | None) -> int:
    """A number, names, or the names as an enum literal; none asks for no deletions."""
    if text is None:
        return 0
    names = text.removeprefix("Microsoft.Dynamics.CRM.DeletedMetadataFilters").strip("'")
    if names.isdecimal():
        return int(names[:4])
    found = [_DELETED_KINDS.get(name.strip()) for name in names.split(",")]
    if None in found:
        raise errors.invalid_argument(f"'{text}' is not a value of DeletedMetadataFilters.")
    return sum({number for number in found if number})


def _properties(query: Query) -> frozenset[str] | None:
    """None stands for all of them."""
    given = query.get("Properties")
    if not isinstance(given, dict) or given.get("AllProperties") is True:
        return None
    names = given.get("PropertyNames")
    return frozenset(map(str, names)) if isinstance(names, list) else None


def _criteria(given: Any, depth: int) -> Callable[[Row], bool]:
    if not isinstance(given, dict):
        return lambda row: True
    if depth > _DEPTH_MAX:
        raise errors.invalid_argument("The criteria are nested too deeply.")
    tests = [_condition(one) for one in given.get("Conditions") or ()]
    tests += [_criteria(one, depth + 1) for one in given.get("Filters") or ()]
    together = any if str(given.get("FilterOperator", "And")) == "Or" else all
    return lambda row: together(test(row) for test in tests) if tests else True


def _condition(given: Any) -> Callable[[Row], bool]:
    if not isinstance(given, dict):
        raise errors.invalid_argument("A condition is an object.")
    name, operator = str(given.get("PropertyName")), str(given.get("ConditionOperator", "Equals"))
    value = given.get("Value")
    expected = value.get("Value") if isinstance(value, dict) else value
    compare = _OPERATORS.get(operator)
    if compare is None:
        raise errors.invalid_argument(f"The operator '{operator}' is not valid for metadata.")
    return lambda row: compare(_plain(row.get(name)), expected)


def _plain(value: Any) -> Any:
    return value.get("Value") if isinstance(value, dict) and "Value" in value else value


def _same(value: Any, expected: Any) -> bool:
    return str(value).lower() == str(expected).lower() if expected is not None else value is None


def _among(value: Any, expected: Any) -> bool:
    options = expected if isinstance(expected, list) else str(expected).split(",")
    return any(_same(value, option) for option in options)


_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "Equals": _same,
    "NotEquals": lambda value, expected: not _same(value, expected),
    "In": _among,
    "NotIn": lambda value, expected: not _among(value, expected),
}
