"""Everything that is not a lead: companies, sales persons, opportunities, roles. An object *is* its metadata.

`data/objects.json` says what each has: key fields, searchable fields, required fields, links. One more object is one
more entry there, its calls in `data/operations.json`; there is no code per object, except that people inherit the
values of their company, so a change of a company is logged on its people (`spread`).
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from tandem_emulators.marketo.catalogue import load_json
from tandem_emulators.marketo.errors import SkipError
from tandem_emulators.marketo.fields import Field, ValueRules, convert
from tandem_emulators.marketo.people import iso
from tandem_emulators.marketo.store import Store, decode, encode, marks

_COLUMNS = "id, guid, created_s, updated_s, doc"
TYPES_SINCE_S = 1_420_070_400  # 2015-01-01, when the objects of every subscription were made
_SYSTEM = frozenset({"id", "marketoGUID", "createdAt", "updatedAt"})


class Link(msgspec.Struct, frozen=True):
    """A field that must name an existing record; otherwise the record is skipped with this code."""

    field: str
    object: str
    code: str
    message: str
    target: str = ""  # the field there; empty means its key


class FieldData(msgspec.Struct, frozen=True, rename="camel"):
    name: str
    display_name: str
    data_type: str
    updateable: bool
    length: int | None = None
    description: str = ""


class ObjectType(msgspec.Struct, frozen=True, rename="camel"):
    name: str
    operations: str
    display_name: str
    description: str
    id_field: str
    dedupe_fields: list[str]
    searchable_fields: list[list[str]]
    required: list[str]
    links: list[Link]
    fields: list[FieldData]
    created_s: int = TYPES_SINCE_S
    updated_s: int = TYPES_SINCE_S
    crm_managed: bool = False
    actions: tuple[str, ...] = ("createOrUpdate", "createOnly", "updateOnly")  # the first is the default
    missing: str = "Object not found"
    shown: list[str] = []  # by a query that names no fields; empty means id, key and times
    constants: dict[str, Any] = {}

    def field(self, name: str) -> Field | None:
        found = next((data for data in self.fields if data.name == name), None)
        if found is None:
            return None
        return Field(
            id=0,
            name=found.name,
            display_name=found.display_name,
            data_type=found.data_type,
            length=found.length,
            read_only=not found.updateable,
        )

    def default_fields(self) -> list[str]:
        return self.shown or [self.id_field, *self.dedupe_fields, "createdAt", "updatedAt"]


def load_types() -> dict[str, ObjectType]:
    """By the name that their operations begin with."""
    loaded = msgspec.json.decode(load_json("objects.json"), type=dict[str, list[ObjectType]])
    return {kind.operations: kind for kind in loaded["objects"]}


@dataclass(slots=True)
class Record:
    id: int
    guid: str
    created_s: int
    updated_s: int
    values: dict[str, Any]


class Records:
    def __init__(self, store: Store, kind: ObjectType) -> None:
        self._store = store
        self.kind = kind

    def without(self, name: str) -> "Records":
        """The same records where the object does not have this field."""
        fields = [field for field in self.kind.fields if field.name != name]
        links = [link for link in self.kind.links if link.field != name]
        return Records(self._store, msgspec.structs.replace(self.kind, fields=fields, links=links))

    def key(self, values: Mapping[str, Any]) -> str | None:
        """The dedupe key as stored; None when a part of it is missing."""
        parts = [values.get(name) for name in self.kind.dedupe_fields]
        return None if None in parts or not parts else encode(parts).decode()

    def find_by_key(self, key: str) -> Record | None:
        sql = f"SELECT {_COLUMNS} FROM record WHERE object = ? AND key = ?"
        row = self._store.one(sql, (self.kind.name, key))
        return _record(row) if row else None

    def find_by_id(self, value: Any) -> Record | None:
        """The record of that id, in whatever form the id was written; None for what can be nobody's id."""
        if isinstance(value, bool) or not isinstance(value, int | str):
            return None
        if isinstance(value, int) and not 0 < value < 2**63:
            return None
        column = "id" if self.kind.id_field == "id" else "guid"
        row = self._store.one(
            f"SELECT {_COLUMNS} FROM record WHERE object = ? AND {column} = ?", (self.kind.name, value)
        )
        return _record(row) if row else None

    def search(self, names: Sequence[str], wanted: Sequence[Sequence[Any]], after: int, limit: int) -> list[Record]:
        """Records whose fields hold one of the wanted tuples, in order of their making."""
        if len(names) == 1:
            condition = f"{self._column(names[0])} IN ({marks(wanted)})"
        else:
            each = "(" + " AND ".join(f"{self._column(name)} = ?" for name in names) + ")"
            condition = "(" + " OR ".join([each] * len(wanted)) + ")"
        # "+id" keeps the planner off the index on ids, so that it takes the one on the searched field.
        flat = [value for tuple_ in wanted for value in tuple_]
        sql = f"SELECT {_COLUMNS} FROM record WHERE object = ? AND +id > ? AND {condition} ORDER BY +id LIMIT ?"
        return [_record(row) for row in self._store.rows(sql, (self.kind.name, after, *flat, limit))]

    def after(self, record_id: int, limit: int) -> list[Record]:
        sql = f"SELECT {_COLUMNS} FROM record WHERE object = ? AND id > ? ORDER BY id LIMIT ?"
        return [_record(row) for row in self._store.rows(sql, (self.kind.name, record_id, limit))]

    def get(self, record_id: int) -> Record:
        row = self._store.one(f"SELECT {_COLUMNS} FROM record WHERE id = ?", (record_id,))
        assert row is not None, record_id
        return _record(row)

    def insert(self, values: dict[str, Any], now_s: int) -> Record:
        kept = self.kind.constants | {name: value for name, value in values.items() if value is not None}
        last = self._store.number("SELECT seq FROM sqlite_sequence WHERE name = 'record'")
        guid = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self.kind.name}/{last + 1}"))
        number = self._store.run(
            "INSERT INTO record (object, guid, key, created_s, updated_s, doc) VALUES (?, ?, ?, ?, ?, ?)",
            (self.kind.name, guid, self.key(kept), now_s, now_s, encode(kept).decode()),
        )
        return Record(number, guid, now_s, now_s, kept)

    def update(self, record: Record, values: Mapping[str, Any], now_s: int) -> bool:
        """Write what differs; whether anything did."""
        after = {name: value for name, value in (record.values | dict(values)).items() if value is not None}
        if after == record.values:
            return False
        record.values, record.updated_s = after, now_s
        self._store.run(
            "UPDATE record SET key = ?, updated_s = ?, doc = ? WHERE id = ?",
            (self.key(after), now_s, encode(after).decode(), record.id),
        )
        return True

    def delete(self, record: Record, now_s: int) -> None:
        self._store.run("DELETE FROM record WHERE id = ?", (record.id,))
        self._store.run(
            "INSERT OR REPLACE INTO deleted (object, id, at_s, seller) VALUES (?, ?, ?, ?)",
            (self.kind.name, str(self.public_id(record)), now_s, record.values.get("externalSalesPersonId")),
        )

    def public_id(self, record: Record) -> int | str:
        return record.id if self.kind.id_field == "id" else record.guid

    def view(self, record: Record, names: Sequence[str]) -> dict[str, Any]:
        system = {
            "id": record.id,
            "marketoGUID": record.guid,
            "createdAt": iso(record.created_s),
            "updatedAt": iso(record.updated_s),
        }
        return {name: system[name] if name in _SYSTEM else record.values.get(name) for name in names}

    def _column(self, name: str) -> str:
        match name:
            case "id":
                return "id"
            case "marketoGUID":
                return "guid"
        found = self.kind.field(name)
        return self._store.path("record", name, found is not None and found.data_type == "email")


def read_values(kind: ObjectType, record: Mapping[str, Any], rules: ValueRules) -> dict[str, Any]:
    """The writable values of an input record in stored form; an empty text is null here (3.3).

    Raises:
        SkipError: a field is unknown, read-only or does not take its value.
    """
    emptying = replace(rules, empty_clears=True)
    values: dict[str, Any] = {}
    for name, value in record.items():
        found = kind.field(name)
        if found is None:
            raise SkipError("1006", f"Field '{name}' not found")
        if name == kind.id_field:
            continue
        if found.read_only:
            raise SkipError("1011", f"Field '{name}' not supported")
        values[name] = convert(found, value, emptying)
    return values


def _record(row: tuple[Any, ...]) -> Record:
    number, guid, created_s, updated_s, doc = row
    return Record(number, guid, created_s, updated_s, decode(doc))
