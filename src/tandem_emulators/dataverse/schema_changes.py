"""Changes of the schema made to last: the tables of the store, the tables in memory, and the memory of a file database.

Every change takes a row version, which kills the delta tokens of its table and orders what a client asks for with
RetrieveMetadataChanges. What was deleted is remembered for as long as that message has to tell of it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from tandem_emulators.dataverse.schema import Schema, Table
from tandem_emulators.dataverse.schema_files import complete
from tandem_emulators.dataverse.store import Store
from tandem_emulators.kit.clock import Clock

_FIRST_CUSTOM_CODE = 10_001


@dataclass(frozen=True, slots=True)
class Deleted:
    """`kind` is Entity, Attribute, Relationship or OptionSet."""

    kind: str
    metadata_id: str
    version: int


class SchemaChanges:
    def __init__(self, schema: Schema, store: Store, clock: Clock) -> None:
        self.schema = schema
        self.store = store
        self._clock = clock
        run = store.connection.execute
        run("CREATE TABLE IF NOT EXISTS definitions (kind TEXT, name TEXT, body BLOB, PRIMARY KEY (kind, name))")
        run("CREATE TABLE IF NOT EXISTS deleted_definitions (kind TEXT, id TEXT, version INTEGER, deleted_s REAL)")
        self.load()

    def load(self) -> None:
        """What a database remembers of the changes made before: at the start, and after another one was loaded."""
        found = self.store.connection.execute("SELECT kind, name, body FROM definitions ORDER BY rowid").fetchall()
        for kind, name, body in found:
            decoded = msgspec.json.decode(body)
            if kind == "optionset":
                self.schema.option_sets[name] = decoded
            else:
                table = Table(decoded["metadata"], decoded["shadows"])
                self.schema.put(table)
                self.store.ensure_table(table)
        self.store.refresh_version()

    # Tables.

    def put(self, table: Table) -> None:
        """Publish a table as it is to be from now on."""
        self.put_quietly(table)
        self.store.ensure_table(table)
        self.touch(table)

    def put_quietly(self, table: Table) -> None:
        """Publish what no reader of the table's rows can notice."""
        self.schema.put(table)
        self._remember("table", table.name, {"metadata": table.metadata, "shadows": table.shadows})

    def replace(self, table: Table, **properties: Any) -> Table:
        """Publish a table with some of its metadata changed; relationships and type columns are made complete."""
        metadata = {**table.metadata, **properties}
        complete(metadata, table.shadows, list(metadata["ManyToOneRelationships"]))
        changed = Table(metadata, table.shadows)
        self.put(changed)
        return changed

    def remove(self, table: Table) -> None:
        self.schema.remove(table)
        self.store.drop_table(table)
        self._forget("table", table.name)
        self.deleted("Entity", table.metadata["MetadataId"])

    def touch(self, table: Table) -> None:
        self.store.set_meta(f"schema/{table.name}", str(self.store.next_version()))

    def changed_at(self, table: Table) -> int:
        """The version of the table's last change; 0 for one that nobody has changed."""
        return int(self.store.meta(f"schema/{table.name}") or 0)

    def next_code(self) -> int:
        """An object type code that no table has had."""
        code = int(self.store.meta("schema-code") or _FIRST_CUSTOM_CODE)
        self.store.set_meta("schema-code", str(code + 1))
        return code

    # Global choices.

    def put_choice(self, choice: Mapping[str, Any]) -> None:
        """Publish a choice, in every column that uses it."""
        self.schema.option_sets[choice["Name"]] = choice
        self._remember("optionset", choice["Name"], choice)
        for table in list(self.schema.tables.values()):
            attributes = [_with_choice(attribute, choice) for attribute in table.metadata["Attributes"]]
            if any(new is not old for new, old in zip(attributes, table.metadata["Attributes"], strict=True)):
                self.replace(table, Attributes=attributes)
        self.store.next_version()

    def remove_choice(self, choice: Mapping[str, Any]) -> None:
        del self.schema.option_sets[choice["Name"]]
        self._forget("optionset", choice["Name"])
        self.deleted("OptionSet", choice["MetadataId"])

    # Memory.

    def _remember(self, kind: str, name: str, body: Any) -> None:
        sql = "INSERT OR REPLACE INTO definitions (kind, name, body) VALUES (?, ?, ?)"
        self.store.connection.execute(sql, (kind, name, msgspec.json.encode(body)))

    def _forget(self, kind: str, name: str) -> None:
        self.store.connection.execute("DELETE FROM definitions WHERE kind = ? AND name = ?", (kind, name))

    def deleted(self, kind: str, metadata_id: str) -> None:
        row = (kind, metadata_id, self.store.next_version(), self._clock.timestamp())
        self.store.connection.execute("INSERT INTO deleted_definitions VALUES (?, ?, ?, ?)", row)
        self.store.set_meta("schema/", str(self.store.version))

    def remembered_days(self) -> int:
        """For how long a client may ask for the changes since its last visit."""
        sql = 'SELECT "expiresubscriptionsindays" FROM "organization" LIMIT 1'
        found = self.store.connection.execute(sql).fetchone()
        return int(found[0]) if found and found[0] is not None else 90

    def deleted_since(self, version: int) -> Iterator[Deleted]:
        sql = "SELECT kind, id, version FROM deleted_definitions WHERE version > ? ORDER BY version"
        for kind, metadata_id, at in self.store.connection.execute(sql, (version,)):
            yield Deleted(kind, metadata_id, at)


def _with_choice(attribute: dict[str, Any], choice: Mapping[str, Any]) -> dict[str, Any]:
    used = attribute.get("OptionSet") or {}
    if not used.get("IsGlobal") or used.get("Name") != choice["Name"]:
        return attribute
    return {**attribute, "OptionSet": choice}
