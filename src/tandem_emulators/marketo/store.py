"""The subscription's data in SQLite: one row per record with its values as a JSON document.

A field is not a column, so a custom field costs nothing. What can be searched by is an index on an expression over
the document, made the first time somebody asks. Every request is one transaction.
"""

import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import msgspec

from tandem_emulators.kit.sqlite import open_database, transaction

encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode

_TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS lead_field (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE COLLATE NOCASE, doc TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS lead (
    id INTEGER PRIMARY KEY AUTOINCREMENT, created_s INTEGER NOT NULL, updated_s INTEGER NOT NULL,
    partition_id INTEGER NOT NULL DEFAULT 1, company_id INTEGER, doc TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS lead_company ON lead (company_id) WHERE company_id IS NOT NULL;
CREATE TABLE IF NOT EXISTS deleted (object TEXT NOT NULL, id TEXT NOT NULL, at_s INTEGER NOT NULL, merged_into TEXT,
    seller TEXT, PRIMARY KEY (object, id));
CREATE TABLE IF NOT EXISTS record (
    id INTEGER PRIMARY KEY AUTOINCREMENT, object TEXT NOT NULL, guid TEXT NOT NULL, key TEXT,
    created_s INTEGER NOT NULL, updated_s INTEGER NOT NULL, doc TEXT NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS record_key ON record (object, key) WHERE key IS NOT NULL;
CREATE UNIQUE INDEX IF NOT EXISTS record_guid ON record (guid);
CREATE INDEX IF NOT EXISTS record_object ON record (object, id);
CREATE TABLE IF NOT EXISTS list (id INTEGER PRIMARY KEY AUTOINCREMENT, created_s INTEGER NOT NULL,
    updated_s INTEGER NOT NULL, doc TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS list_member (list_id INTEGER NOT NULL, lead_id INTEGER NOT NULL,
    PRIMARY KEY (list_id, lead_id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS list_member_lead ON list_member (lead_id);
CREATE TABLE IF NOT EXISTS account_list_member (list_id INTEGER NOT NULL, account_id INTEGER NOT NULL,
    PRIMARY KEY (list_id, account_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS campaign (id INTEGER PRIMARY KEY AUTOINCREMENT, doc TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS campaign_member (campaign_id INTEGER NOT NULL, lead_id INTEGER NOT NULL,
    created_s INTEGER NOT NULL, updated_s INTEGER NOT NULL, PRIMARY KEY (campaign_id, lead_id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS campaign_member_lead ON campaign_member (lead_id);
CREATE TABLE IF NOT EXISTS campaign_run (id INTEGER PRIMARY KEY, campaign_id INTEGER NOT NULL, due_s INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS program (id INTEGER PRIMARY KEY AUTOINCREMENT, created_s INTEGER NOT NULL,
    updated_s INTEGER NOT NULL, doc TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS program_member (id INTEGER PRIMARY KEY AUTOINCREMENT, program_id INTEGER NOT NULL,
    lead_id INTEGER NOT NULL, created_s INTEGER NOT NULL, updated_s INTEGER NOT NULL, doc TEXT NOT NULL,
    UNIQUE (program_id, lead_id));
CREATE INDEX IF NOT EXISTS program_member_lead ON program_member (lead_id);
CREATE TABLE IF NOT EXISTS member_field (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE COLLATE NOCASE, doc TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS form (id INTEGER PRIMARY KEY AUTOINCREMENT, doc TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS partition (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,
    description TEXT, is_accessible INTEGER NOT NULL DEFAULT 1);
CREATE TABLE IF NOT EXISTS object_type (api_name TEXT PRIMARY KEY COLLATE NOCASE, doc TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS activity (
    id INTEGER PRIMARY KEY AUTOINCREMENT, lead_id INTEGER NOT NULL, type_id INTEGER NOT NULL, date_s INTEGER NOT NULL,
    committed_ms INTEGER NOT NULL, field TEXT, primary_id INTEGER, primary_value TEXT, attributes TEXT NOT NULL,
    campaign_id INTEGER);
CREATE INDEX IF NOT EXISTS activity_commit ON activity (committed_ms, id);
CREATE INDEX IF NOT EXISTS activity_lead ON activity (lead_id);
"""


def decode(doc: str | bytes) -> dict[str, Any]:
    return _decode(doc)


def marks(values: Sequence[Any]) -> str:
    """Placeholders for an IN list."""
    return ",".join("?" * len(values))


class Store:
    """A thin hand on the connection; the queries stand beside the code that means something by them."""

    def __init__(self, path: str | None = None) -> None:
        self.db = open_database(path)
        self.db.executescript(_TABLES)
        self._indexed: set[str] = set()

    def close(self) -> None:
        self.db.close()

    def copy_to(self, other: sqlite3.Connection) -> None:
        self.db.backup(other)

    def load_from(self, other: sqlite3.Connection) -> None:
        """Be the other database from now on. Whoever keeps rows in memory must be made anew."""
        other.backup(self.db)
        self._indexed.clear()

    def transaction(self) -> AbstractContextManager[None]:
        return transaction(self.db)

    def rows(self, sql: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        return self.db.execute(sql, values)

    def one(self, sql: str, values: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self.db.execute(sql, values).fetchone()
        return row

    def number(self, sql: str, values: Sequence[Any] = ()) -> int:
        row = self.one(sql, values)
        return int(row[0]) if row and row[0] is not None else 0

    def run(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Run one statement; the id of an inserted row."""
        return int(self.db.execute(sql, values).lastrowid or 0)

    def run_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        self.db.executemany(sql, rows)

    def meta(self, name: str) -> str | None:
        row = self.one("SELECT value FROM meta WHERE name = ?", (name,))
        return str(row[0]) if row else None

    def set_meta(self, name: str, value: str) -> None:
        self.run(
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (name, value)
        )

    def path(self, table: str, field: str, ignore_case: bool) -> str:
        """The indexed expression for a field of a document. Field names are checked to be plain identifiers."""
        assert re.fullmatch(r"\w+", field, re.ASCII), field
        expression = f"json_extract(doc, '$.{field}')" + (" COLLATE NOCASE" if ignore_case else "")
        name = f"{table}_by_{field}"
        if name not in self._indexed:
            prefix = "object, " if table == "record" else ""
            self.db.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {table} ({prefix}{expression})")
            self._indexed.add(name)
        return expression
