"""What `odata.include-annotations` adds to a row: formatted values, and what a lookup points to.

Slower than a plain page, cell by cell in Python; a client that asks for it pays for it, as on the service.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from tandem_emulators.dataverse.options import Preferences
from tandem_emulators.dataverse.schema import OPTION_TYPES, Column, Schema, Table
from tandem_emulators.dataverse.store import Row, Store

FORMATTED = "OData.Community.Display.V1.FormattedValue"
LOOKUP_TABLE = "Microsoft.Dynamics.CRM.lookuplogicalname"
NAVIGATION = "Microsoft.Dynamics.CRM.associatednavigationproperty"


class Annotator:
    """Annotates rows of one table. `target_tables` gives, by row and lookup, which table it points to."""

    def __init__(self, schema: Schema, store: Store, table: Table, preferences: Preferences) -> None:
        self._schema = schema
        self._store = store
        self._table = table
        self._formatted = preferences.wants(FORMATTED)
        self._lookup_table = preferences.wants(LOOKUP_TABLE)
        self._navigation = preferences.wants(NAVIGATION)

    def annotate(self, rows: Sequence[Row]) -> list[Row]:
        if not (self._formatted or self._lookup_table or self._navigation) or not rows:
            return list(rows)
        lookups = [c for c in self._table.properties.values() if c.is_lookup and c.property_name in rows[0]]
        kinds = {column.name: self._kinds(column, rows) for column in lookups}
        names = {column.name: self._names(column, rows, kinds[column.name]) for column in lookups}
        return [self._annotate_row(row, kinds, names) for row in rows]

    def _annotate_row(
        self, row: Row, kinds: Mapping[str, Mapping[str, str]], names: Mapping[str, Mapping[str, str]]
    ) -> Row:
        annotated: Row = {}
        for name, value in row.items():
            column = self._table.properties.get(name)
            if column is not None and value is not None:
                if column.is_lookup:
                    kind = kinds[column.name].get(value, column.targets[0] if column.targets else "")
                    annotated.update(self._of_lookup(column, name, kind, names[column.name].get(value)))
                elif self._formatted and (text := formatted(column, value)) is not None:
                    annotated[f"{name}@{FORMATTED}"] = text
            annotated[name] = value
        return annotated

    def _of_lookup(self, column: Column, name: str, kind: str, text: str | None) -> Row:
        found: Row = {}
        if self._formatted and text is not None:
            found[f"{name}@{FORMATTED}"] = text
        if self._navigation:
            navigations = self._table.navigation.items()
            found[f"{name}@{NAVIGATION}"] = next(
                (n for n, (c, targets) in navigations if c.name == column.name and kind in targets), column.name
            )
        if self._lookup_table:
            found[f"{name}@{LOOKUP_TABLE}"] = kind
        return found

    def _kinds(self, column: Column, rows: Sequence[Row]) -> dict[str, str]:
        """Which table each id of a lookup belongs to; only a lookup with several targets has to be asked."""
        ids = {row[column.property_name] for row in rows} - {None}
        targets = [self._schema.tables[name] for name in column.targets if name in self._schema.tables]
        if len(column.targets) == 1:
            return dict.fromkeys(ids, column.targets[0])
        return {record_id: target.name for target in targets for record_id in self._store.names_of(target, ids)}

    def _names(self, column: Column, rows: Sequence[Row], kinds: Mapping[str, str]) -> dict[str, str]:
        if not self._formatted:
            return {}
        ids = {row[column.property_name] for row in rows} - {None}
        found: dict[str, str] = {}
        for kind in set(kinds.values()) & set(self._schema.tables):
            found |= self._store.names_of(self._schema.tables[kind], [i for i in ids if kinds.get(i) == kind])
        return found


def formatted(column: Column, value: Any) -> str | None:
    """The text a person would see, in English (US) and UTC; None where the service adds none."""
    if column.type in OPTION_TYPES:
        return column.options.get(value)
    render = _renderers.get(column.type)
    return render(column, value) if render else None


def _yes_no(column: Column, value: Any) -> str:
    option_set = column.metadata.get("OptionSet") or {}
    option = option_set.get("TrueOption" if value else "FalseOption") or {}
    return str(option.get("Label") or ("Yes" if value else "No"))


def _moment(column: Column, value: Any) -> str:
    moment = datetime.fromisoformat(value)
    day = f"{moment.month}/{moment.day}/{moment.year}"
    if column.is_date_only or column.metadata.get("Format") == "DateOnly":
        return day
    return f"{day} {moment.hour % 12 or 12}:{moment:%M} {'PM' if moment.hour >= 12 else 'AM'}"


_renderers: dict[str, Callable[[Column, Any], str]] = {
    "Boolean": _yes_no,
    "DateTime": _moment,
    "Integer": lambda column, value: f"{value:,}",
    "BigInt": lambda column, value: f"{value:,}",
    "Money": lambda column, value: f"${value:,.2f}",
    "Decimal": lambda column, value: f"{value:,}",
    "Double": lambda column, value: f"{value:,}",
}
