"""Columns that follow from others: full name, composite address, amounts in the organisation's own currency."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tandem_emulators.dataverse.organization import Organization
from tandem_emulators.dataverse.schema import Schema, Table
from tandem_emulators.dataverse.store import Store

ADDRESS_PARTS = ("line1", "line2", "line3", "city", "stateorprovince", "postalcode", "country")
_NAME_PARTS = frozenset({"firstname", "middlename", "lastname"})
_FIRST_LAST = 1

# Called with the whole row as it will be and the changes, to which it adds.
Derivation = Callable[[Mapping[str, Any], dict[str, Any]], None]


@dataclass
class Computed:
    """`derivations` are those of single tables, by name: their own modules put them there."""

    schema: Schema
    store: Store
    organization: Organization
    derivations: dict[str, Derivation] = field(default_factory=dict)

    def complete(self, table: Table, row: Mapping[str, Any], changes: dict[str, Any]) -> None:
        """Add to `changes` what follows from them. `row` is the whole row as it will be."""
        derive = self.derivations.get(table.name)
        if derive is not None:
            derive(row, changes)
            row = {**row, **changes}
        if "fullname" in table.stored and not _NAME_PARTS.isdisjoint(changes):
            first, last, middle = (row.get(name) for name in ("firstname", "lastname", "middlename"))
            changes["fullname"] = full_name(first, last, middle, convention=self._name_convention())
        for prefix in ("address1_", "address2_", "address3_", ""):
            composite = f"{prefix}composite"
            parts = [f"{prefix}{part}" for part in ADDRESS_PARTS]
            if composite in table.stored and not set(parts).isdisjoint(changes):
                changes[composite] = composite_address([row.get(part) for part in parts])
        self._complete_money(table, row, changes)

    def _name_convention(self) -> int:
        table, name = self.schema.tables["organization"], "fullnameconventioncode"
        found = self.store.values_of(table, self.organization.organization_id, name).get(name)
        return _FIRST_LAST if found is None else int(found)

    def _complete_money(self, table: Table, row: Mapping[str, Any], changes: dict[str, Any]) -> None:
        """A row has one rate for all its amounts: that of the day when an amount, the currency or the state was last
        written. Another rate of the currency reaches no row by itself."""
        written = [name for name in changes if _is_amount(table, name)]
        if not (written or "transactioncurrencyid" in changes or "statecode" in changes):
            return
        amounts = [name for name in table.stored if _is_amount(table, name) and row.get(name) is not None]
        amounts += [name for name in written if row.get(name) is None]
        if not amounts:
            return
        currency = row.get("transactioncurrencyid")
        if currency is None and any(row.get(name) is not None for name in amounts):
            currency = changes["transactioncurrencyid"] = self.organization.currency_id
        rate = self._rate(currency)
        for name in amounts:
            amount = row.get(name)
            changes[f"{name}_base"] = None if amount is None else round(amount / rate, 4)
        if currency is not None and "exchangerate" in table.stored:
            changes["exchangerate"] = rate

    def _rate(self, currency_id: str | None) -> float:
        if currency_id is None:
            return 1.0
        currency = self.store.values_of(self.schema.tables["transactioncurrency"], currency_id, "exchangerate")
        return float(currency.get("exchangerate") or 1.0)


def _is_amount(table: Table, name: str) -> bool:
    return f"{name}_base" in table.stored and table.stored[name].type == "Money"


def full_name(
    first: str | None, last: str | None, middle: str | None = None, *, convention: int = _FIRST_LAST
) -> str | None:
    """As the organisation's `fullnameconventioncode` says, 0 to 7: the numbers of its option set."""
    initial = f"{middle[0]}." if middle else None
    comma = f"{last}," if last and first else last
    orders: dict[int, tuple[str | None, ...]] = {
        0: (comma, first),
        1: (first, last),
        2: (comma, first, initial),
        3: (first, initial, last),
        4: (comma, first, middle),
        5: (first, middle, last),
        6: (last, first),
    }
    if convention == 7:
        return "".join(part for part in (last, first) if part) or None
    return " ".join(part for part in orders.get(convention, (first, last)) if part) or None


def composite_address(parts: list[str | None]) -> str | None:
    """Lines, then city, region and postal code on one line, then the country, as the service prints an address."""
    line1, line2, line3, city, region, postal, country = parts
    place = ", ".join(part for part in (city, " ".join(p for p in (region, postal) if p)) if part)
    return "\r\n".join(part for part in (line1, line2, line3, place, country) if part) or None
