"""Connections stand in pairs: each row has a reciprocal that says the same from the other end (sheet section 10).

Creating, changing or deleting one does it to both. The one that was created is the master.
"""

from collections.abc import Mapping
from typing import Any

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.events import RowEvent
from tandem_emulators.dataverse.schema import Table
from tandem_emulators.dataverse.store import Row
from tandem_emulators.dataverse.writing import Writer

_MIRRORED = ("record{0}id", "record{0}roleid", "record{0}idobjecttypecode", "record{0}objecttypecode")
_SHARED = ("description", "effectivestart", "effectiveend", "statecode", "statuscode")
_OWNER = ("ownerid", "owneridtype")
_NAME_MAX = 500


class Connections:
    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    @property
    def _table(self) -> Table:
        return self._writer.schema.tables["connection"]

    def derive(self, row: Mapping[str, Any], changes: dict[str, Any]) -> None:
        """Both ends must be there; the name is that of the second record."""
        if row.get("record1id") is None or row.get("record2id") is None:
            raise errors.connection_ends_missing()
        start, end = row.get("effectivestart"), row.get("effectiveend")
        if start is not None and end is not None and end < start:
            raise errors.connection_dates()
        if "record2id" in changes:
            changes["name"] = self._name_of(row)
        for number in ("1", "2"):
            kind = self._writer.schema.tables.get(str(row.get(self._kind_column(number))))
            if f"record{number}id" in changes and kind is not None:
                changes[f"record{number}objecttypecode"] = kind.metadata["ObjectTypeCode"]

    def _kind_column(self, number: str) -> str:
        return self._table.columns[f"record{number}id"].type_column or ""

    def _name_of(self, row: Mapping[str, Any]) -> str | None:
        target = self._writer.schema.tables.get(str(row.get(self._kind_column("2"))))
        found = self._writer.store.find(target, row["record2id"]) if target is not None else None
        name = (found or {}).get(target.name_column) if target is not None else None
        return str(name)[:_NAME_MAX] if name else None

    def notice(self, event: RowEvent) -> None:
        if event.table.name != "connection":
            return
        match event.message:
            case "Create" if event.changes.get("relatedconnectionid") is None:
                self._create_reciprocal(event)
            case "Update":
                self._update_reciprocal(event)
            case "Delete" if event.before.get("relatedconnectionid") is not None:
                self._writer.remove(event.caller, self._table, event.before["relatedconnectionid"])

    def _create_reciprocal(self, event: RowEvent) -> None:
        other_id = self._writer.new_id()
        same = {name: event.changes[name] for name in (*_SHARED, *_OWNER) if name in event.changes}
        link = {"relatedconnectionid": event.record_id, "ismaster": 0}
        self._writer.insert(event.caller, self._table, other_id, {**_mirrored(event.changes), **same, **link})
        self._writer.store.update(self._table, event.record_id, {"relatedconnectionid": other_id, "ismaster": 1})

    def _update_reciprocal(self, event: RowEvent) -> None:
        """Only what differs is written, so the echo of this write ends here."""
        other_id = event.before.get("relatedconnectionid")
        other = self._writer.store.find(self._table, other_id) if other_id else None
        if other is None or event.changes.get("relatedconnectionid", other_id) != other_id:
            return
        shared = {name: event.changes[name] for name in (*_SHARED, *_OWNER) if name in event.changes}
        wanted = {**_mirrored(event.changes), **shared}
        changes = {name: value for name, value in wanted.items() if other.get(name) != value}
        if changes:
            self._writer.write(event.caller, self._table, other, changes)


def _mirrored(columns: Mapping[str, Any]) -> Row:
    """The columns of one end as those of the other."""
    pairs = [(name.format(a), name.format(b)) for name in _MIRRORED for a, b in ((1, 2), (2, 1))]
    return {target: columns[source] for source, target in pairs if source in columns}
