"""What becomes of the rows of an imported file: people through the same code as Sync Leads.

Cells are texts. A cell that does not fit its field fails its row; an address that is none is only warned of, and the
row is taken with it (6.1). Columns that name no writable field are passed over, as the recorded header with a stray
space shows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from tandem_emulators.marketo.errors import SkipError
from tandem_emulators.marketo.fields import Field, ValueRules, convert
from tandem_emulators.marketo.lead_sync import LeadBatch
from tandem_emulators.marketo.lists import add_members
from tandem_emulators.marketo.lookup import FieldLookup
from tandem_emulators.marketo.people import Author
from tandem_emulators.marketo.subscription import Subscription

NO_KEY = "missing.dedupe.fields"
BAD_EMAIL = "Invalid email address"
BY_IMPORT = Author(source="List import", source_type="List import", reason="List import")

Row = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one row; `member` is the record it ended in."""

    member: int | str | None = None
    failure: str | None = None
    warning: str | None = None


class Importer(Protocol):
    def write(self, rows: Sequence[Row], now_s: float) -> list[Outcome]: ...


class LeadImporter:
    """Rows as people. By `id` it updates only, by any other field it creates what is not there."""

    def __init__(self, subscription: Subscription, lookup: str, list_id: int | None, partition: str | None) -> None:
        self._subscription = subscription
        self._lookup = lookup
        self._by = FieldLookup(subscription, lookup)
        self._list_id = list_id
        self._partition = partition
        self._rules = replace(subscription.rules(), any_email=True)
        self._action = "updateOnly" if lookup == "id" else "createOrUpdate"

    def write(self, rows: Sequence[Row], now_s: float) -> list[Outcome]:
        read = [self._read(row) for row in rows]
        records = [record for record, _ in read if isinstance(record, dict)]
        batch = LeadBatch(
            self._subscription, BY_IMPORT, now_s, self._action, self._by, self._rules, takes_company_values=True
        )
        if self._lookup != "id":  # it only updates then, wherever the person is
            batch.use_partition(self._partition)
        results = iter(batch.run(records))
        outcomes = [
            Outcome(failure=record) if isinstance(record, str) else _outcome(next(results), warning)
            for record, warning in read
        ]
        if self._list_id is not None:
            members = [outcome.member for outcome in outcomes if isinstance(outcome.member, int)]
            add_members(self._subscription, self._list_id, members, BY_IMPORT, now_s)
        return outcomes

    def _read(self, row: Row) -> tuple[dict[str, Any] | str, str | None]:
        """The record of a row, or why it is none; and what to warn of."""
        record: dict[str, Any] = {}
        warning = None
        for name, cell in row.items():
            field = self._field(name)
            if field is None or (cell == "" and self._subscription.settings.import_blank_cells == "kept"):
                continue
            try:
                record[name] = cell if name == "id" else convert(field, cell, self._rules)
            except SkipError:
                return f"Invalid data type in field {field.display_name}", None
            if field.data_type == "email" and cell != "" and not _fits(field, cell):
                warning = BAD_EMAIL
        return (record, warning) if record.get(self._lookup) not in (None, "") else (NO_KEY, None)

    def _field(self, name: str) -> Field | None:
        field = self._subscription.fields.find_exact(name)
        if field is None or (name == "id" and self._lookup != "id"):
            return None
        return None if field.read_only else field


def _fits(field: Field, cell: str) -> bool:
    try:
        convert(field, cell, ValueRules(truncates=True))
    except SkipError:
        return False
    return True


def _outcome(result: Mapping[str, Any], warning: str | None) -> Outcome:
    if result["status"] == "skipped":
        return Outcome(failure=result["reasons"][0]["message"])
    return Outcome(member=result["id"], warning=warning)
