"""Sync Leads: one batch, record by record, in the order of the input (3.3).

Every record gets an answer in its place: created, updated or skipped with a reason, and a skipped one carries no id.
"updated" means matched: a write of equal values says so too.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tandem_emulators.marketo.call import Call, choice
from tandem_emulators.marketo.envelope import Reply
from tandem_emulators.marketo.errors import (
    ApiError,
    SkipError,
    bad_value,
    invalid,
    lead_not_found,
)
from tandem_emulators.marketo.fields import Converter, Field, ValueRules, converter
from tandem_emulators.marketo.lookup import FieldLookup, RuleLookup, stated_lookup
from tandem_emulators.marketo.partitions import DEFAULT, Partition
from tandem_emulators.marketo.people import COMPANY_LINK, Author, Change, Lead, LeadWriter
from tandem_emulators.marketo.subscription import Handler, Subscription

ACTIONS = ("createOrUpdate", "createOnly", "updateOnly", "createDuplicate")
SALES_PERSON_LINK = "externalSalesPersonId"
_NEVER_WRITTEN = frozenset({"id", "leadPartitionId"})  # described as writable, but they have calls of their own


def sync(subscription: Subscription, call: Call) -> Reply:
    body = call.body()
    action = choice(body, "action", ACTIONS, "createOrUpdate")
    records = call.input(body)
    subscription.counters.written(len(records))
    author = subscription.author(call, "syncLead")
    batch = LeadBatch(subscription, author, call.now_s, action, stated_lookup(subscription, body.get("lookupField")))
    batch.use_partition(body.get("partitionName"))
    results = batch.run(records)
    is_silent = subscription.settings.async_processing == "empty" and body.get("asyncProcessing") is True
    return Reply([] if is_silent else results)


@dataclass(slots=True)
class Row:
    """One input record, read: where it points and what it says."""

    key: Any
    change: Change
    company_values: dict[str, Any] = field(default_factory=dict)


Special = Callable[[Any, str, "Reading"], None]


@dataclass(slots=True)
class Reading:
    """What a record asks for: a change, and apart from it the company attributes it names."""

    change: Change = field(default_factory=Change)
    company_values: dict[str, Any] = field(default_factory=dict)


class Reader:
    """Reads input records into stored form, with the links they name.

    How a field is read is found out once and kept: a batch names the same few fields in all its records.
    """

    def __init__(
        self, subscription: Subscription, rules: ValueRules | None = None, *, skipped: frozenset[str] = frozenset()
    ) -> None:
        self._subscription = subscription
        self._rules = rules or subscription.rules()
        self._skipped = skipped
        self._takers: dict[str, tuple[Converter, Special | None]] = {}
        self._companies: dict[str, int] = {}

    def read(self, record: Mapping[str, Any]) -> tuple[Change, dict[str, Any]]:
        """The change and the company attributes of a record.

        Raises:
            SkipError: a field is unknown or read-only, or a value does not fit.
        """
        reading = Reading()
        values, takers = reading.change.values, self._takers
        for name, value in record.items():
            convert, special = takers.get(name) or self._taker(name)
            if special is None:
                values[name] = convert(value)
            else:
                special(convert(value), name, reading)
        return reading.change, reading.company_values

    def _taker(self, name: str) -> tuple[Converter, Special | None]:
        if name in self._skipped or self._is_ignored(name):
            taker: tuple[Converter, Special | None] = (lambda value: None, lambda value, name, reading: None)
        else:
            found = self._writable(name)
            taker = (converter(found, self._rules), self._special(found))
        self._takers[name] = taker
        return taker

    def _is_ignored(self, name: str) -> bool:
        """By switch, a read-only field is passed over in silence."""
        found = self._subscription.fields.find_exact(name)
        return found is not None and found.read_only and self._subscription.settings.read_only_fields == "ignored"

    def _special(self, found: Field) -> Special | None:
        if found.name == COMPANY_LINK:
            return self._take_company
        if found.name == SALES_PERSON_LINK:
            return self._take_sales_person
        return _take_company_value if found.company else None

    def _writable(self, name: str) -> Field:
        found = self._subscription.fields.find_exact(name)
        if found is None:
            raise SkipError("1006", f"Field '{name}' not found")
        if found.read_only or name in _NEVER_WRITTEN:
            raise SkipError("1011", f"Field '{name}' not supported")
        return found

    def _take_company(self, external_id: str | None, name: str, reading: Reading) -> None:
        """None stands for a detachment, which the batch judges."""
        if external_id is None:
            return
        if external_id not in self._companies:
            companies = self._subscription.companies
            found = companies.find_by_key(companies.key({COMPANY_LINK: external_id}) or "")
            if found is None:
                raise SkipError("1013", "Object not found")
            self._companies[external_id] = found.id
        reading.change.company_id = self._companies[external_id]

    def _take_sales_person(self, external_id: str | None, name: str, reading: Reading) -> None:
        people = self._subscription.records["salespersons"]
        key = people.key({SALES_PERSON_LINK: external_id})
        if key is not None and people.find_by_key(key) is None:
            raise SkipError("718", "ExternalSalesPersonID not found")
        reading.change.values[name] = external_id


def _take_company_value(value: Any, name: str, reading: Reading) -> None:
    reading.company_values[name] = value


class LeadBatch:
    """Records written by one author at one moment, whether they came in a call or in a file."""

    def __init__(
        self,
        subscription: Subscription,
        author: Author,
        now_s: float,
        action: str,
        lookup: FieldLookup | RuleLookup,
        rules: ValueRules | None = None,
        *,
        takes_company_values: bool = False,
    ) -> None:
        self._subscription = subscription
        self._action = action
        self._lookup = lookup
        self._now_s = now_s
        self._author = author
        self._writer: LeadWriter = subscription.writer(author, now_s)
        self._reader = Reader(subscription, rules, skipped=frozenset({"id"}))
        self._takes_company_values = takes_company_values or subscription.settings.company_fields == "unmanaged"
        self._partition: Partition | None = None
        self._ids: dict[Any, list[int]] = {}
        self._leads: dict[int, Lead] = {}

    def run(self, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        rows = [self._read(record) for record in records]
        keys = [row.key for row in rows if isinstance(row, Row) and row.key is not None]
        self._ids = self._seen(self._lookup.find(keys)) if keys else {}
        self._leads = self._subscription.leads.load([ids[0] for ids in self._ids.values()])
        results = [self._answer(row) for row in rows]
        self._writer.flush()
        return results

    def _seen(self, ids: dict[Any, list[int]]) -> dict[Any, list[int]]:
        """By switch, an upsert that comes close behind another one does not see whom that created (3.3)."""
        race_s = self._subscription.settings.upsert_race_s
        if race_s <= 0 or self._action != "createOrUpdate":
            return ids
        leads = self._subscription.leads.load([number for numbers in ids.values() for number in numbers])
        old = {number for number, lead in leads.items() if lead.created_s <= self._now_s - race_s}
        return {key: kept for key, numbers in ids.items() if (kept := [number for number in numbers if number in old])}

    def use_partition(self, name: Any) -> None:
        """New people go to that partition, and those who are there already must be in it.

        Raises:
            ApiError: 1003, the action takes no partition; 1008, there is none of that name for this user.
        """
        if name is None or name == "":
            return
        if self._action in ("updateOnly", "createDuplicate"):
            raise invalid(f"partitionName is not allowed with action '{self._action}'")
        self._partition = self._subscription.partitions.get(name)

    def _read(self, record: dict[str, Any]) -> Row | SkipError:
        try:
            key = self._key(record)
            change, company_values = self._reader.read(record)
        except SkipError as skip:
            return skip
        except ApiError as error:
            return SkipError(error.code, error.message)
        detaches = COMPANY_LINK in record and change.company_id is None
        return self._judge_company(Row(key, change, company_values), detaches)

    def _key(self, record: Mapping[str, Any]) -> Any:
        if "id" in record and not (self._lookup.name == "id" and self._action == "updateOnly"):
            raise bad_value("id", record["id"])
        if self._action == "createDuplicate" and record.get(self._lookup.name) in (None, ""):
            return None
        return self._lookup.key(record)

    def _judge_company(self, row: Row, detaches: bool) -> Row | SkipError:
        refused = row.company_values and not self._takes_company_values
        if detaches and self._subscription.settings.company_detach == "refused":
            refused = refused or self._is_attached(row)
        return SkipError("1021", "Company update not allowed") if refused else row

    def _is_attached(self, row: Row) -> bool:
        ids = self._lookup.find([row.key]).get(row.key, []) if row.key is not None else []
        leads = self._subscription.leads.load(ids)
        return any(lead.company_id is not None for lead in leads.values())

    def _answer(self, row: Row | SkipError) -> dict[str, Any]:
        if isinstance(row, SkipError):
            return row.as_result()
        try:
            return self._write(row)
        except SkipError as skip:
            return skip.as_result()

    def _write(self, row: Row) -> dict[str, Any]:
        matches = [] if self._action == "createDuplicate" else self._ids.get(row.key, [])
        match self._action, matches:
            case "createOnly", [_, *_]:
                raise SkipError("1005", "Lead already exists")
            case "updateOnly", []:
                raise lead_not_found()
            case _, [_, _, *_]:
                raise SkipError("1007", "Multiple lead match lookup criteria")
            case _, [number]:
                self._update(self._leads[number], row)
                return {"id": number, "status": "updated"}
            case _:
                return {"id": self._create(row), "status": "created"}

    def _create(self, row: Row) -> int:
        if row.company_values and row.change.company_id is None:
            row.change.company_id = self._subscription.companies.insert(row.company_values, int(self._now_s)).id
        if self._partition is None and self._subscription.settings.partition_name_required:
            raise SkipError("1009", "Partition name must be specified")
        lead = self._writer.create(row.change, self._partition.id if self._partition is not None else DEFAULT)
        if row.key is not None:
            self._ids.setdefault(row.key, []).append(lead.id)
            self._leads[lead.id] = lead
        return lead.id

    def _update(self, lead: Lead, row: Row) -> None:
        if self._partition is not None and lead.partition_id != self._partition.id:
            raise SkipError("1010", "Partition update not allowed")
        if row.company_values:
            write_company_of(self._subscription, self._writer, lead, row.company_values, self._author, self._now_s)
        self._writer.change(lead, row.change)


def write_company_of(
    subscription: Subscription,
    writer: LeadWriter,
    lead: Lead,
    values: dict[str, Any],
    author: Author,
    now_s: float,
    *,
    managed_too: bool = False,
) -> None:
    """Change the company behind a lead; one that has none gets one of its own, without an external id.

    Raises:
        SkipError: 1021, the company has an external id and so is written by Sync Companies only.
    """
    companies = subscription.companies
    company = companies.find_by_id(lead.company_id) if lead.company_id is not None else None
    if company is None:
        writer.change(lead, Change(company_id=companies.insert(values, int(now_s)).id))
    elif COMPANY_LINK in company.values and not managed_too:
        raise SkipError("1021", "Company update not allowed")
    else:
        writer.flush()
        subscription.change_company(company, values, author, now_s)


HANDLERS: dict[str, Handler] = {"leads.sync": sync}
