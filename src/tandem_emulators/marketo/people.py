"""People (the API says leads): reading, writing and logging, whoever does it.

`LeadWriter` is the one way in which a person's values change, for the API, for a person in the UI and for seeding.
It writes nothing where nothing changes: `updatedAt` stays and no activity is logged (3.3).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from tandem_emulators.marketo.catalogue import LeadFields
from tandem_emulators.marketo.fields import Field, display
from tandem_emulators.marketo.log import CHANGE_DATA_VALUE, CHANGE_SCORE, NEW_LEAD, Activity, ActivityLog
from tandem_emulators.marketo.partitions import Partition
from tandem_emulators.marketo.settings import Settings
from tandem_emulators.marketo.store import Store, decode, encode, marks

COMPANY_LINK = "externalCompanyId"
CHANGE_PARTITION = 100
_COLUMNS = "id, created_s, updated_s, partition_id, company_id, doc"


@dataclass(frozen=True, slots=True)
class Author:
    """Who makes a change, as the activities tell it."""

    source: str
    source_type: str
    reason: str | None = None
    api_method: str | None = None
    user: str | None = None
    request_id: str | None = None
    campaign_id: int | None = None  # the smart campaign that acts

    def attributes(self) -> dict[str, Any]:
        named = {"API Method Name": self.api_method, "Modifying User": self.user, "Request Id": self.request_id}
        return {name: value for name, value in named.items() if value is not None}


UI = Author(source="Lead update", source_type="New lead", reason="Manual person edit")


@dataclass(slots=True)
class Lead:
    id: int
    created_s: int
    updated_s: int
    partition_id: int
    company_id: int | None
    values: dict[str, Any]

    @property
    def full_name(self) -> str:
        return " ".join(part for part in (self.values.get("firstName"), self.values.get("lastName")) if part)


@dataclass(slots=True)
class Change:
    """New values of one lead; `company_id` is set when the lead moves to that company."""

    values: dict[str, Any] = field(default_factory=dict)
    company_id: int | None = None


@lru_cache(4_096)
def iso(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Leads:
    """Reading people."""

    def __init__(self, store: Store, fields: LeadFields) -> None:
        self._store = store
        self._fields = fields

    def load(self, ids: Sequence[int]) -> dict[int, Lead]:
        rows = self._store.rows(f"SELECT {_COLUMNS} FROM lead WHERE id IN ({marks(ids)})", ids)
        return {lead.id: lead for lead in map(_lead, rows)}

    def find(self, name: str, values: Sequence[Any]) -> dict[Any, list[int]]:
        """The ids of the leads that hold each of the values, ascending; e-mail addresses in any spelling."""
        if name == "id":
            return {
                number: [number]
                for (number,) in self._store.rows(f"SELECT id FROM lead WHERE id IN ({marks(values)})", values)
            }
        if name == "leadPartitionId":
            return self._group(f"SELECT partition_id, id FROM lead WHERE partition_id IN ({marks(values)})", values)
        found = self._fields.find_exact(name)
        if found is None:
            return {}
        is_email = found.data_type == "email"
        expression = self._store.path("lead", name, is_email)
        key = f"lower({expression})" if is_email else expression
        return self._group(f"SELECT {key}, id FROM lead WHERE {expression} IN ({marks(values)}) ORDER BY id", values)

    def _group(self, sql: str, values: Sequence[Any]) -> dict[Any, list[int]]:
        found: dict[Any, list[int]] = {}
        for key, number in self._store.rows(sql, values):
            found.setdefault(key, []).append(number)
        return found

    def of_company(self, company_id: int, limit: int) -> list[Lead]:
        sql = f"SELECT {_COLUMNS} FROM lead WHERE company_id = ? ORDER BY id LIMIT ?"
        return [_lead(row) for row in self._store.rows(sql, (company_id, limit))]

    def after(self, lead_id: int, limit: int) -> list[Lead]:
        sql = f"SELECT {_COLUMNS} FROM lead WHERE id > ? ORDER BY id LIMIT ?"
        return [_lead(row) for row in self._store.rows(sql, (lead_id, limit))]

    def companies(self, leads: Iterable[Lead]) -> dict[int | None, dict[str, Any]]:
        """The values that those leads inherit, by company id."""
        ids = list({lead.company_id for lead in leads if lead.company_id is not None})
        rows = self._store.rows(f"SELECT id, doc FROM record WHERE id IN ({marks(ids)})", ids)
        return {number: decode(doc) for number, doc in rows}

    def view(self, lead: Lead, company: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
        """A lead as it reads back: null where it has no value, false where it has no flag."""
        shown: dict[str, Any] = {}
        for name in names:
            found = self._fields.find_exact(name)
            if found is None:
                shown[name] = None
            elif (value := self._value(lead, company, found)) is None and found.data_type == "boolean":
                shown[name] = False
            else:
                shown[name] = value
        return shown

    def _value(self, lead: Lead, company: dict[str, Any], wanted: Field) -> Any:
        if wanted.company or wanted.name == COMPANY_LINK:
            return company.get(wanted.name)
        computed = _COMPUTED.get(wanted.name)
        return computed(lead) if computed else lead.values.get(wanted.name)


_COMPUTED: dict[str, Callable[[Lead], Any]] = {
    "id": lambda lead: lead.id,
    "createdAt": lambda lead: iso(lead.created_s),
    "updatedAt": lambda lead: iso(lead.updated_s),
    "mktoName": lambda lead: lead.full_name or None,
    "leadPartitionId": lambda lead: lead.partition_id,
    "contactCompany": lambda lead: lead.company_id,
    "leadPerson": lambda lead: lead.id,
}


class LeadWriter:
    """Collects what one request does to people; `flush` writes it, with its activities, in a few statements."""

    def __init__(
        self, store: Store, fields: LeadFields, log: ActivityLog, settings: Settings, author: Author, now_s: float
    ) -> None:
        self._store = store
        self._fields = fields
        self._log = log
        self._settings = settings
        self._author = author
        self._now_ms = int(now_s * 1000)
        self._origin = {"Created Date": iso(int(now_s))[:10], "Source Type": author.source_type}
        self._reason = {} if author.reason is None else {"Reason": author.reason}
        self._source = {"Source": author.source} | (author.attributes() if settings.api_change_attributes else {})
        self._write_once = frozenset(filter(None, settings.write_once_fields.split(","))) if author.api_method else ()
        self._dirty: dict[int, Lead] = {}
        self._activities: list[Activity] = []

    def create(self, change: Change, partition_id: int = 1) -> Lead:
        now_s = self._now_ms // 1000
        values = {name: value for name, value in change.values.items() if value is not None}
        number = self._store.run(
            "INSERT INTO lead (created_s, updated_s, partition_id, company_id, doc) VALUES (?, ?, ?, ?, ?)",
            (now_s, now_s, partition_id, change.company_id, encode(values).decode()),
        )
        lead = Lead(number, now_s, now_s, partition_id, change.company_id, values)
        self._activities.append(self._new_lead(lead))
        if self._settings.new_lead_changes:
            self._tell_first_values(lead)
        return lead

    def _tell_first_values(self, lead: Lead) -> None:
        for name, value in lead.values.items():
            found = self._fields.find_exact(name)
            if found is not None:
                self._activities += self.changed(lead.id, found, None, value)

    def change(self, lead: Lead, change: Change) -> bool:
        """Apply what differs; whether anything did."""
        values = self._unblocked(lead, change.values) if self._write_once else change.values
        changed = self._apply_values(lead, values)
        if change.company_id is not None and change.company_id != lead.company_id:
            changed += self._move(lead, change.company_id)
        if not changed:
            return False
        if self._settings.custom_fields_move_updated_at or any(not found.is_custom for found, _, _ in changed):
            lead.updated_s = self._now_ms // 1000
        self._dirty[lead.id] = lead
        for found, old, new in changed:
            self._activities += self.changed(lead.id, found, old, new)
        return True

    def changed(self, lead_id: int, found: Field, old: Any, new: Any) -> list[Activity]:
        """The activities of one field's change; a score is told twice."""
        told = {"New Value": display(found, new), "Old Value": display(found, old), **self._reason}
        activities = [
            Activity(
                lead_id,
                CHANGE_DATA_VALUE,
                found.id,
                found.display_name,
                {**told, **self._source},
                found.name,
            )
        ]
        if found.data_type == "score":
            step = f"{(new or 0) - (old or 0):+d}"
            activities.append(
                Activity(
                    lead_id, CHANGE_SCORE, found.id, found.display_name, {"Change Value": step, **told}, found.name
                )
            )
        return activities

    def move_to_partition(self, lead: Lead, partition: Partition) -> bool:
        """Whether the lead was elsewhere before."""
        if lead.partition_id == partition.id:
            return False
        told: dict[str, Any] = {"Old Partition ID": lead.partition_id}
        self._activities.append(Activity(lead.id, CHANGE_PARTITION, partition.id, partition.name, told | self._reason))
        lead.partition_id = partition.id
        self._dirty[lead.id] = lead
        return True

    def note(self, *activities: Activity) -> None:
        self._activities += activities

    def flush(self) -> None:
        self._store.run_many(
            "UPDATE lead SET updated_s = ?, partition_id = ?, company_id = ?, doc = ? WHERE id = ?",
            [
                (lead.updated_s, lead.partition_id, lead.company_id, encode(lead.values).decode(), lead.id)
                for lead in self._dirty.values()
            ],
        )
        self._log.write(self._activities, self._now_ms, self._author.campaign_id)
        self._dirty.clear()
        self._activities.clear()

    def _unblocked(self, lead: Lead, values: dict[str, Any]) -> dict[str, Any]:
        """Without the fields in which the admin lets the API write only what was empty (8)."""
        return {
            name: value for name, value in values.items() if name not in self._write_once or name not in lead.values
        }

    def _apply_values(self, lead: Lead, values: dict[str, Any]) -> list[tuple[Field, Any, Any]]:
        changed = []
        for name, new in values.items():
            old = lead.values.get(name)
            if old == new:
                continue
            found = self._fields.find_exact(name)
            assert found is not None, name
            if new is None:
                del lead.values[name]
            else:
                lead.values[name] = new
            if (old or False) != new or found.data_type != "boolean":
                changed.append((found, old, new))
        return changed

    def _move(self, lead: Lead, company_id: int) -> list[tuple[Field, Any, Any]]:
        """The lead takes over what its new company says."""
        before, after = self._company_values(lead.company_id), self._company_values(company_id)
        lead.company_id = company_id
        inherited = [*self._fields.company_fields(), self._fields.find_exact(COMPANY_LINK)]
        return [
            (found, before.get(found.name), after.get(found.name))
            for found in inherited
            if found is not None and before.get(found.name) != after.get(found.name)
        ]

    def _company_values(self, company_id: int | None) -> dict[str, Any]:
        row = self._store.one("SELECT doc FROM record WHERE id = ?", (company_id,))
        return decode(row[0]) if row else {}

    def _new_lead(self, lead: Lead) -> Activity:
        attributes = dict(self._origin)
        if lead.values.get("leadSource"):
            attributes["Lead Source"] = lead.values["leadSource"]
        return Activity(lead.id, NEW_LEAD, lead.id, lead.full_name, attributes | self._author.attributes())


def _lead(row: tuple[Any, ...]) -> Lead:
    number, created_s, updated_s, partition_id, company_id, doc = row
    return Lead(number, created_s, updated_s, partition_id, company_id, decode(doc))
