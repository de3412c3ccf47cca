"""What `odata.include-annotations` adds to a row: formatted values, and what a lookup points to.

Slower than a plain page, cell by cell in Python; a client that asks for it pays for it, as on the service.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from tandem_emulators.dataverse.options import Preferences
from tandem_emulators.dataverse.schema import OPTION_TYPES, Column, Schema, Table, base_text
from tandem_emulators.dataverse.store import Row, Store

FORMATTED = "OData.Community.Display.V1.FormattedValue"
LOOKUP_TABLE = "Microsoft.Dynamics.CRM.lookuplogicalname"
NAVIGATION = "Microsoft.Dynamics.CRM.associatednavigationproperty"
_CURRENCY = "_transactioncurrencyid_value"


@dataclass(frozen=True, slots=True)
class Shown:
    """The column behind a value of an answer; `is_number` if the value only counts or adds up."""

    table: Table
    column: Column
    is_number: bool = False


class Annotator:
    """Annotates rows whose values, by name, are of these columns. Times are shown in the caller's zone."""

    def __init__(
        self, schema: Schema, store: Store, shown: Mapping[str, Shown], preferences: Preferences, zone: tzinfo
    ) -> None:
        self._schema = schema
        self._store = store
        self._shown = shown
        self._zone = zone
        self._formatted = preferences.wants(FORMATTED)
        self._lookup_table = preferences.wants(LOOKUP_TABLE)
        self._navigation = preferences.wants(NAVIGATION)
        self._kinds: dict[str, Mapping[str, str]] = {}
        self._names: dict[str, Mapping[str, str]] = {}
        self._symbols: dict[str, str] = {}

    def annotate(self, rows: Sequence[Row]) -> list[Row]:
        if not (self._formatted or self._lookup_table or self._navigation) or not rows:
            return list(rows)
        for name, shown in self._shown.items():
            if shown.column.is_lookup and not shown.is_number and any(name in row for row in rows):
                ids = {row.get(name) for row in rows} - {None}
                self._kinds[name] = self._kinds_of(shown.column, ids)
                self._names[name] = self._names_of(ids, self._kinds[name]) if self._formatted else {}
        if self._formatted and any(shown.column.type == "Money" for shown in self._shown.values()):
            self._symbols = self._currency_symbols()
        return [self._annotated(row) for row in rows]

    def _annotated(self, row: Row) -> Row:
        annotated: Row = {}
        for name, value in row.items():
            shown = self._shown.get(name)
            if shown is not None and value is not None:
                if name in self._kinds:
                    annotated.update(self._of_lookup(shown, name, value))
                elif self._formatted and (text := self._text(shown, row, value)) is not None:
                    annotated[f"{name}@{FORMATTED}"] = text
            annotated[name] = value
        return annotated

    def _of_lookup(self, shown: Shown, name: str, value: str) -> Row:
        kind = self._kinds[name].get(value, shown.column.targets[0] if shown.column.targets else "")
        found: Row = {}
        text = self._names[name].get(value)
        if self._formatted and text is not None:
            found[f"{name}@{FORMATTED}"] = text
        if self._navigation:
            navigations = shown.table.navigation.items()
            found[f"{name}@{NAVIGATION}"] = next(
                (n for n, (c, targets) in navigations if c.name == shown.column.name and kind in targets),
                shown.column.name,
            )
        if self._lookup_table:
            found[f"{name}@{LOOKUP_TABLE}"] = kind
        return found

    def _kinds_of(self, column: Column, ids: Iterable[Any]) -> dict[str, str]:
        """Which table each id of a lookup belongs to; only a lookup with several targets has to be asked."""
        targets = [self._schema.tables[name] for name in column.targets if name in self._schema.tables]
        if len(column.targets) == 1:
            return dict.fromkeys(ids, column.targets[0])
        return {record_id: target.name for target in targets for record_id in self._store.names_of(target, ids)}

    def _names_of(self, ids: Iterable[Any], kinds: Mapping[str, str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for kind in set(kinds.values()) & self._schema.tables.keys():
            found |= self._store.names_of(self._schema.tables[kind], [i for i in ids if kinds.get(i) == kind])
        return found

    def _currency_symbols(self) -> dict[str, str]:
        """By currency; the organisation's own under the empty name."""
        run = self._store.connection.execute
        found = dict(run('SELECT "transactioncurrencyid", "currencysymbol" FROM "transactioncurrency"').fetchall())
        base = run('SELECT "basecurrencyid" FROM "organization" LIMIT 1').fetchone()
        return {key: symbol or "$" for key, symbol in found.items()} | {"": found.get(base[0] if base else None) or "$"}

    def _text(self, shown: Shown, row: Row, value: Any) -> str | None:
        """What a person would see; None where the service adds nothing."""
        column = shown.column
        if shown.is_number and column.type != "Money":
            return _number(value)
        if column.type in OPTION_TYPES:
            return column.options.get(value)
        match column.type:
            case "MultiSelectPicklist":
                return "; ".join(column.options.get(int(v), v) for v in str(value).split(",") if v.strip().isdigit())
            case "Boolean":
                return _yes_no(column, value)
            case "DateTime":
                return _moment(column, value, self._zone)
            case "Integer" | "BigInt":
                return _number(value)
            case "Decimal" | "Double":
                return f"{value:,.{column.metadata.get('Precision', 2)}f}"
            case "Money":
                currency = "" if column.name.endswith("_base") else row.get(_CURRENCY) or ""
                return f"{self._symbols.get(currency, '$')}{value:,.{_money_digits(column)}f}"
        return None


def _money_digits(column: Column) -> int:
    """As many as the column says, or (source 1 and 2) the organisation or the currency; theirs are two here."""
    return 2 if column.metadata.get("PrecisionSource") in (1, 2) else int(column.metadata.get("Precision") or 2)


def _number(value: Any) -> str:
    return f"{value:,}"


def _yes_no(column: Column, value: Any) -> str:
    option_set = column.metadata.get("OptionSet") or {}
    option = option_set.get("TrueOption" if value else "FalseOption") or {}
    return base_text(option.get("Label")) or ("Yes" if value else "No")


def _moment(column: Column, value: Any, zone: tzinfo) -> str:
    """English (US); a day, and a time without a zone of its own, stay what they are."""
    moment = datetime.fromisoformat(value)
    if not column.is_date_only and column.metadata.get("DateTimeBehavior") != "TimeZoneIndependent":
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(zone)
    day = f"{moment.month}/{moment.day}/{moment.year}"
    if column.is_date_only or column.metadata.get("Format") == "DateOnly":
        return day
    return f"{day} {moment.hour % 12 or 12}:{moment:%M} {'PM' if moment.hour >= 12 else 'AM'}"
