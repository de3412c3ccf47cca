"""Rows in SQLite: a table for each table, a column for each column, and the memory of what was deleted.

Every write takes the next row version, one counter for the whole database, as the service does. A page is one
query: values leave SQLite in the form in which JSON wants them, so nothing touches a cell on the way.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from tandem_emulators.dataverse.patterns import matches
from tandem_emulators.dataverse.relationships import Relationship
from tandem_emulators.dataverse.schema import Schema, Table
from tandem_emulators.kit.sqlite import open_database, transaction

FIRST_VERSION = 1_000_000
_PERMANENT = frozenset({"systemuser", "team", "businessunit", "transactioncurrency", "organization"})

Row = dict[str, Any]

sqlite3.register_converter("boolean", lambda text: text == b"1")


class Store:
    def __init__(self, schema: Schema, path: str | None) -> None:
        self.schema = schema
        self.connection = open_database(path)
        self.connection.create_function("fold", 1, _fold, deterministic=True)
        self.connection.create_function("matches", 2, matches, deterministic=True)
        self.start_over()

    def start_over(self) -> None:
        """Take the database as it is now: at the start, and after another one was put in its place."""
        self._used: dict[str, set[str]] = {}
        self._create_tables()
        self.version = FIRST_VERSION
        self.refresh_version()

    def _create_tables(self) -> None:
        run = self.connection.execute
        run("CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
        run(
            "CREATE TABLE IF NOT EXISTS deleted (entity TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, "
            "deleted_s REAL NOT NULL, PRIMARY KEY (entity, id))"
        )
        run("CREATE INDEX IF NOT EXISTS deleted_by_version ON deleted (entity, version)")
        for table in self.schema.tables.values():
            self.ensure_table(table)

    def ensure_table(self, table: Table) -> None:
        """Make room for a table as its metadata is now: the table itself, new columns, and their indexes."""
        run = self.connection.execute
        rest = ", ".join(f'"{name}"' for name in table.stored if name not in (table.key, "versionnumber"))
        run(
            f'CREATE TABLE IF NOT EXISTS "{table.name}" '
            f'("{table.key}" TEXT PRIMARY KEY NOT NULL, "versionnumber" INTEGER NOT NULL{", " if rest else ""}{rest})'
        )
        run(f'CREATE INDEX IF NOT EXISTS "{table.name}_version" ON "{table.name}" ("versionnumber")')
        there = {row[1] for row in run(f"SELECT * FROM pragma_table_info('{table.name}')").fetchall()}
        for name in table.stored.keys() - there:
            run(f'ALTER TABLE "{table.name}" ADD COLUMN "{name}"')
        linked = {r.column for r in self.schema.relationships if r.child == table.name and _is_watched(r)}
        for name, column in table.stored.items():
            if name in linked:
                self._index(table, name, "")
            elif column.metadata.get("FormatName", column.metadata.get("Format")) == "Email":
                self._index(table, name, " COLLATE NOCASE")
        self._used.setdefault(table.name, self._filled_columns(table))

    def drop_table(self, table: Table) -> None:
        self.connection.execute(f'DROP TABLE IF EXISTS "{table.name}"')
        self.connection.execute("DELETE FROM deleted WHERE entity = ?", (table.name,))
        self._used.pop(table.name, None)

    def drop_column(self, table: Table, name: str) -> None:
        """Its values go with it, and its indexes before it."""
        self.connection.execute(f'DROP INDEX IF EXISTS "{table.name}_{name}"')
        self.connection.execute(f'ALTER TABLE "{table.name}" DROP COLUMN "{name}"')
        self._used[table.name].discard(name)

    def ensure_key_index(self, table: Table, key: str, columns: Iterable[str]) -> None:
        """So that a row is found by its alternate key as fast as by its id."""
        parts = ", ".join(f'"{column}" COLLATE NOCASE' for column in columns)
        self.connection.execute(f'CREATE INDEX IF NOT EXISTS "{table.name}_key_{key}" ON "{table.name}" ({parts})')

    def drop_key_index(self, table: Table, key: str) -> None:
        self.connection.execute(f'DROP INDEX IF EXISTS "{table.name}_key_{key}"')

    def _index(self, table: Table, column: str, collation: str) -> None:
        self.connection.execute(
            f'CREATE INDEX IF NOT EXISTS "{table.name}_{column}" ON "{table.name}" ("{column}"{collation}) '
            f'WHERE "{column}" IS NOT NULL'
        )

    def refresh_version(self) -> None:
        """Go on behind the highest version that anything in the database has: a row, a deletion, a changed table."""
        sources = [f'SELECT max("versionnumber") FROM "{name}"' for name in self.schema.tables]
        sources += ["SELECT max(version) FROM deleted"]
        sources += ["SELECT max(CAST(value AS INTEGER)) FROM meta WHERE name LIKE 'schema/%'"]
        highest = [self.connection.execute(sql).fetchone()[0] for sql in sources]
        self.version = max(self.version, *(version or 0 for version in highest))

    def _filled_columns(self, table: Table) -> set[str]:
        """Columns that have ever held a value; the others need not be read to show a row as it is stored."""
        tests = ", ".join(f'max("{name}" IS NOT NULL)' for name in table.stored)
        found = self.connection.execute(f'SELECT {tests} FROM "{table.name}"').fetchone()
        return {table.key, "versionnumber"} | {n for n, filled in zip(table.stored, found, strict=True) if filled}

    def close(self) -> None:
        self.connection.close()

    def transaction(self) -> AbstractContextManager[None]:
        return transaction(self.connection)

    def next_version(self) -> int:
        self.version += 1
        return self.version

    # Single rows, raw: stored column -> stored value.

    def find(self, table: Table, record_id: str) -> Row | None:
        cursor = self.connection.execute(f'SELECT * FROM "{table.name}" WHERE "{table.key}" = ?', (record_id,))
        values = cursor.fetchone()
        return dict(zip((d[0] for d in cursor.description), values, strict=True)) if values else None

    def values_of(self, table: Table, record_id: str, *names: str) -> Row:
        """A few columns of a row, for rows that are looked at with every write; empty if there is no row."""
        columns = ", ".join(f'"{name}"' for name in names)
        sql = f'SELECT {columns} FROM "{table.name}" WHERE "{table.key}" = ?'
        found = self.connection.execute(sql, (record_id,)).fetchone()
        return dict(zip(names, found, strict=True)) if found else {}

    def exists(self, table: Table, record_id: str) -> bool:
        sql = f'SELECT 1 FROM "{table.name}" WHERE "{table.key}" = ?'
        return self.connection.execute(sql, (record_id,)).fetchone() is not None

    def version_of(self, table: Table, record_id: str) -> int | None:
        sql = f'SELECT "versionnumber" FROM "{table.name}" WHERE "{table.key}" = ?'
        found = self.connection.execute(sql, (record_id,)).fetchone()
        return found[0] if found else None

    def insert(self, table: Table, row: Mapping[str, Any]) -> None:
        """A row that comes back under an old id is no longer deleted."""
        own = {"ownerid": row[table.key]} if table.is_principal else {}
        record = {**row, **own, "versionnumber": self.next_version()}
        self._used[table.name] |= record.keys()
        self.connection.execute(_insert_sql(table, record), tuple(record.values()))
        self.connection.execute("DELETE FROM deleted WHERE entity = ? AND id = ?", (table.name, row[table.key]))

    def insert_many(self, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Seeding: one statement for all rows. The columns must include the key and `versionnumber`."""
        self._used[table.name] |= set(columns)
        self.connection.executemany(_insert_sql(table, columns), rows)

    def update(self, table: Table, record_id: str, changes: Mapping[str, Any]) -> None:
        record = {**changes, "versionnumber": self.next_version()}
        self._used[table.name] |= record.keys()
        assignments = ", ".join(f'"{name}" = ?' for name in record)
        sql = f'UPDATE "{table.name}" SET {assignments} WHERE "{table.key}" = ?'
        self.connection.execute(sql, (*record.values(), record_id))

    def delete(self, table: Table, record_id: str, at_s: float) -> None:
        self.connection.execute(f'DELETE FROM "{table.name}" WHERE "{table.key}" = ?', (record_id,))
        self.connection.execute(
            "INSERT OR REPLACE INTO deleted VALUES (?, ?, ?, ?)", (table.name, record_id, self.next_version(), at_s)
        )

    def children(self, table: Table, column: str, parent_id: str, parent_table: str) -> list[str]:
        """Ids of the rows whose lookup points there."""
        type_column = table.columns[column].type_column
        narrowed = f' AND "{type_column}" = ?' if type_column else ""
        arguments = (parent_id, parent_table) if type_column else (parent_id,)
        sql = f'SELECT "{table.key}" FROM "{table.name}" WHERE "{column}" = ?{narrowed}'
        return [row[0] for row in self.connection.execute(sql, arguments)]

    # Pages.

    def raw_rows(self, table: Table, after: str, limit: int) -> list[Row]:
        """Rows by key as they are stored, without the columns that nobody has ever written."""
        names = [name for name in table.stored if name in self._used[table.name]]
        columns = ", ".join(f'"{name}"' for name in names)
        sql = f'SELECT {columns} FROM "{table.name}" WHERE "{table.key}" > ? ORDER BY "{table.key}" LIMIT ?'
        return [dict(zip(names, values, strict=True)) for values in self.connection.execute(sql, (after, limit))]

    def deleted_ids(self, table: Table, after: str, limit: int) -> list[Row]:
        sql = "SELECT id, version FROM deleted WHERE entity = ? AND id > ? ORDER BY id LIMIT ?"
        found = self.connection.execute(sql, (table.name, after, limit))
        return [{table.key: key, "versionnumber": version} for key, version in found]

    def deleted_between(self, table: Table, after: int, up_to: int, limit: int) -> list[tuple[str, int]]:
        sql = (
            "SELECT id, version FROM deleted WHERE entity = ? AND version > ? AND version <= ? ORDER BY version LIMIT ?"
        )
        return self.connection.execute(sql, (table.name, after, up_to, limit)).fetchall()

    def names_of(self, table: Table, ids: Iterable[str]) -> dict[str, str]:
        wanted = list(ids)
        found: dict[str, str] = {}
        for start in range(0, len(wanted), 500):
            part = wanted[start : start + 500]
            marks = ",".join("?" * len(part))
            sql = f'SELECT "{table.key}", "{table.name_column}" FROM "{table.name}" WHERE "{table.key}" IN ({marks})'
            found.update({key: name for key, name in self.connection.execute(sql, part) if name is not None})
        return found

    # Small facts that outlive a restart of a file database.

    def meta(self, name: str) -> str | None:
        found = self.connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return found[0] if found else None

    def set_meta(self, name: str, value: str) -> None:
        self.connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))


def _is_watched(relation: Relationship) -> bool:
    """A deletion looks for the children of these; what names a user, a team, a unit or a currency goes on naming it."""
    return relation.parent not in _PERMANENT


def _fold(value: str | float | None) -> str | float | None:
    return value.casefold() if isinstance(value, str) else value


def _insert_sql(table: Table, columns: Iterable[str]) -> str:
    names = list(columns)
    quoted = ", ".join(f'"{name}"' for name in names)
    return f'INSERT INTO "{table.name}" ({quoted}) VALUES ({", ".join("?" * len(names))})'
