"""The addresses of accounts and contacts are rows of their own, and columns of the row they belong to.

The rows with number 1, 2 (a contact's also 3) come with the row and mirror its columns, in both directions; further
ones stand alone (sheet section 10).
"""

from collections.abc import Mapping
from typing import Any

from tandem_emulators.dataverse.computed import ADDRESS_PARTS
from tandem_emulators.dataverse.events import RowEvent
from tandem_emulators.dataverse.schema import Table
from tandem_emulators.dataverse.store import Row
from tandem_emulators.dataverse.writing import Writer

_OWNERS = frozenset({"account", "contact"})
_PARTS = (
    *("name", "addresstypecode", "primarycontactname", *ADDRESS_PARTS, "county", "postofficebox", "latitude"),
    *("longitude", "telephone1", "telephone2", "telephone3", "fax", "freighttermscode", "shippingmethodcode"),
    *("upszone", "utcoffset"),
)


class Addresses:
    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    @property
    def _table(self) -> Table:
        return self._writer.schema.tables["customeraddress"]

    def derive(self, row: Mapping[str, Any], changes: dict[str, Any]) -> None:
        """A further address of a row gets the next number, and the kind of row it belongs to."""
        parent = self._writer.schema.tables.get(str(row.get(self._kind_column())))
        if parent is None or "parentid" not in changes:
            return
        changes["objecttypecode"] = parent.metadata["ObjectTypeCode"]
        if row.get("addressnumber") is None:
            sql = 'SELECT max("addressnumber") FROM "customeraddress" WHERE "parentid" = ?'
            highest = self._writer.store.connection.execute(sql, (row["parentid"],)).fetchone()[0]
            changes["addressnumber"] = max(highest or 0, len(parent.address_id_columns)) + 1

    def _kind_column(self) -> str:
        return self._table.columns["parentid"].type_column or ""

    def notice(self, event: RowEvent) -> None:
        if event.table.name in _OWNERS and event.message == "Create":
            self._create_rows(event)
        elif event.table.name in _OWNERS and event.message == "Update":
            self._update_rows(event)
        elif event.table.name == "customeraddress" and event.message == "Update":
            self._update_owner(event)

    def _create_rows(self, event: RowEvent) -> None:
        for number, id_column in enumerate(event.table.address_id_columns, start=1):
            address_id = event.changes.get(id_column)
            if address_id is None:
                continue
            columns: Row = {"addressnumber": number, **_of_owner(number, event.changes)}
            parent = self._table.columns["parentid"]
            self._writer.payload().point(self._table, parent, event.table.name, event.record_id, columns)
            self._writer.insert(event.caller, self._table, address_id, columns)

    def _update_rows(self, event: RowEvent) -> None:
        if not any(name.startswith("address") for name in event.changes):
            return
        for number, id_column in enumerate(event.table.address_id_columns, start=1):
            wanted = _of_owner(number, event.changes)
            address_id = event.before.get(id_column)
            row = self._writer.store.find(self._table, address_id) if wanted and address_id else None
            if row is not None:
                self._write_differences(event, self._table, row, wanted)

    def _update_owner(self, event: RowEvent) -> None:
        table = self._writer.schema.tables.get(str(event.before.get(self._kind_column())))
        number = event.before.get("addressnumber")
        if table is None or number is None or not 1 <= number <= len(table.address_id_columns):
            return
        wanted = {
            f"address{number}_{part}": event.changes[part]
            for part in _PARTS
            if part in event.changes and f"address{number}_{part}" in table.stored
        }
        row = self._writer.store.find(table, event.before["parentid"]) if wanted else None
        if row is not None:
            self._write_differences(event, table, row, wanted)

    def _write_differences(self, event: RowEvent, table: Table, row: Row, wanted: Row) -> None:
        """Only what differs is written, so the echo of this write ends here."""
        changes = {name: value for name, value in wanted.items() if row.get(name) != value}
        if changes:
            self._writer.write(event.caller, table, row, changes)


def _of_owner(number: int, columns: Mapping[str, Any]) -> Row:
    """The columns of one address of a row, under the names that the address's own row has for them."""
    prefix = f"address{number}_"
    return {part: columns[prefix + part] for part in _PARTS if prefix + part in columns}
