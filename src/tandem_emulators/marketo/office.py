"""A person at the keyboard: what people do in Marketo's own screens, and the raw data as the judge of a test reads it.

Changes made here are logged as `Lead update`, `Manual person edit`. A company is not edited for itself alone: what
is typed on one person reaches all people of that company.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tandem_emulators.kit.clock import Clock
from tandem_emulators.kit.errors import ControlError
from tandem_emulators.marketo.errors import RefusalError
from tandem_emulators.marketo.lead_end import merge_leads, remove
from tandem_emulators.marketo.lead_sync import Reader, write_company_of
from tandem_emulators.marketo.lists import add_members, create_list, remove_members
from tandem_emulators.marketo.objects import Record, Records, read_values
from tandem_emulators.marketo.people import COMPANY_LINK, UI, Lead, iso
from tandem_emulators.marketo.store import decode
from tandem_emulators.marketo.subscription import Subscription

PERSON = ("person", "lead")

Arguments = Mapping[str, Any]


class Office:
    def __init__(self, subscription: Subscription, clock: Clock) -> None:
        self._subscription = subscription
        self._clock = clock
        self._actions: dict[str, Callable[[Arguments], Mapping[str, object]]] = {
            "create": self._create,
            "edit": self._edit,
            "delete": self._delete,
            "merge": self._merge,
            "add-to-list": self._add_to_list,
            "remove-from-list": self._remove_from_list,
        }

    def act(self, action: str, arguments: Arguments) -> Mapping[str, object]:
        if action not in self._actions:
            raise ControlError(f"A person can {', '.join(self._actions)} here, not {action!r}.")
        try:
            return self._actions[action](arguments)
        except RefusalError as refusal:
            raise ControlError(f"{refusal.message} ({refusal.code}).") from refusal

    def records(self, entity: str, after: str | None, limit: int, *, deleted: bool) -> Mapping[str, object]:
        """One page of everything there is of an object, raw, in order of id."""
        start = _whole(after or "0", "after")
        if deleted:
            return self._deleted(entity, start, limit)
        if entity in PERSON:
            return self._people(start, limit)
        if entity == "list":
            return self._lists(start, limit)
        records = self._records(entity)
        kind = records.kind
        names = list(dict.fromkeys([kind.id_field, *(field.name for field in kind.fields)]))
        found = records.after(start, limit)
        return _page([records.view(record, names) for record in found], [record.id for record in found], limit)

    def _people(self, start: int, limit: int) -> Mapping[str, object]:
        leads = self._subscription.leads.after(start, limit)
        companies = self._subscription.leads.companies(leads)
        inherited = [COMPANY_LINK, *(field.name for field in self._subscription.fields.company_fields())]
        told = {
            number: {name: values[name] for name in inherited if name in values} for number, values in companies.items()
        }
        shown = [_raw(lead, told.get(lead.company_id, {})) for lead in leads]
        return _page(shown, [lead.id for lead in leads], limit)

    def _lists(self, start: int, limit: int) -> Mapping[str, object]:
        store = self._subscription.store
        rows = list(store.rows("SELECT id, doc FROM list WHERE id > ? ORDER BY id LIMIT ?", (start, limit)))
        members = "SELECT lead_id FROM list_member WHERE list_id = ? ORDER BY lead_id"
        shown = [
            {"id": number, **decode(doc), "members": [lead for (lead,) in store.rows(members, (number,))]}
            for number, doc in rows
        ]
        return _page(shown, [number for number, _ in rows], limit)

    def _deleted(self, entity: str, start: int, limit: int) -> Mapping[str, object]:
        name = "lead" if entity in PERSON else self._records(entity).kind.name
        sql = "SELECT rowid, id, at_s, merged_into FROM deleted WHERE object = ? AND rowid > ? ORDER BY rowid LIMIT ?"
        rows = list(self._subscription.store.rows(sql, (name, start, limit)))
        shown = [
            {
                "id": int(number) if number.isdigit() else number,
                "deletedAt": iso(at_s),
                "mergedInto": None if winner is None else int(winner),
            }
            for _, number, at_s, winner in rows
        ]
        return _page(shown, [place for place, *_ in rows], limit)

    def _create(self, arguments: Arguments) -> Mapping[str, object]:
        entity, values = _text(arguments, "entity"), _values(arguments)
        now_s = self._clock.timestamp()
        if entity == "list":
            return {"id": create_list(self._subscription, _text(values, "name"), now_s)}
        if entity not in PERSON:
            records = self._records(entity)
            read = read_values(records.kind, values, self._subscription.rules())
            _check_key_is_free(records, read, None)
            return {"id": records.public_id(records.insert(read, int(now_s)))}
        change, company_values = Reader(self._subscription).read(values)
        if company_values and change.company_id is None:
            change.company_id = self._subscription.companies.insert(company_values, int(now_s)).id
        writer = self._subscription.writer(UI, now_s)
        lead = writer.create(change)
        writer.flush()
        return {"id": lead.id}

    def _edit(self, arguments: Arguments) -> Mapping[str, object]:
        edits = arguments.get("edits", [arguments])
        if not isinstance(edits, list) or not all(isinstance(edit, dict) for edit in edits):
            raise ControlError("The edits are a list of objects.")
        return {"edited": sum(self._edit_one(edit) for edit in edits)}

    def _edit_one(self, edit: Arguments) -> bool:
        """Whether the edit changed anything."""
        entity, values = _text(edit, "entity"), _values(edit)
        now_s = self._clock.timestamp()
        if entity in PERSON:
            return self._edit_person(self._lead(edit.get("id")), values, now_s)
        records = self._records(entity)
        record = records.find_by_id(edit.get("id"))
        if record is None:
            raise ControlError(f"There is no {entity} {edit.get('id')!r}.")
        read = read_values(records.kind, values, self._subscription.rules())
        _check_key_is_free(records, record.values | read, record)
        if records is self._subscription.companies:
            return self._subscription.change_company(record, read, UI, now_s)
        return records.update(record, read, int(now_s))

    def _edit_person(self, lead: Lead, values: Mapping[str, Any], now_s: float) -> bool:
        change, company_values = Reader(self._subscription).read(values)
        writer = self._subscription.writer(UI, now_s)
        if company_values:
            write_company_of(self._subscription, writer, lead, company_values, UI, now_s, managed_too=True)
        changed = writer.change(lead, change)
        writer.flush()
        return changed or bool(company_values)

    def _delete(self, arguments: Arguments) -> Mapping[str, object]:
        entity = _text(arguments, "entity")
        now_s = self._clock.timestamp()
        if entity in PERSON:
            remove(self._subscription, [self._lead(arguments.get("id"))], UI, now_s)
            return {"deleted": 1}
        records = self._records(entity)
        record = records.find_by_id(arguments.get("id"))
        if record is None:
            raise ControlError(f"There is no {entity} {arguments.get('id')!r}.")
        records.delete(record, int(now_s))
        return {"deleted": 1}

    def _merge(self, arguments: Arguments) -> Mapping[str, object]:
        winner, loser = arguments.get("winner"), arguments.get("loser")
        losers: list[Any] = loser if isinstance(loser, list) else [loser]
        if not isinstance(winner, int) or not all(isinstance(each, int) for each in losers):
            raise ControlError("A merge names a winner and a loser by their ids.")
        merge_leads(self._subscription, winner, losers, UI, self._clock.timestamp())
        return {"id": winner}

    def _add_to_list(self, arguments: Arguments) -> Mapping[str, object]:
        list_id, ids = self._membership(arguments)
        add_members(self._subscription, list_id, ids, UI, self._clock.timestamp())
        return {"id": list_id}

    def _remove_from_list(self, arguments: Arguments) -> Mapping[str, object]:
        list_id, ids = self._membership(arguments)
        remove_members(self._subscription, list_id, ids, UI, self._clock.timestamp())
        return {"id": list_id}

    def _membership(self, arguments: Arguments) -> tuple[int, list[int]]:
        ids = arguments.get("ids")
        if not isinstance(ids, list) or not all(isinstance(number, int) for number in ids):
            raise ControlError("The ids of people are a list of whole numbers.")
        known = self._subscription.leads.load(ids)
        missing = [number for number in ids if number not in known]
        if missing:
            raise ControlError(f"There is no person {missing[0]}.")
        wanted = arguments.get("list")
        sql = "SELECT id FROM list WHERE id = ? OR json_extract(doc, '$.name') = ?"
        row = self._subscription.store.one(sql, (wanted, wanted)) if isinstance(wanted, int | str) else None
        if row is None:
            raise ControlError(f"There is no list {wanted!r}.")
        return int(row[0]), ids

    def _lead(self, number: Any) -> Lead:
        is_id = isinstance(number, int) and 0 < number < 2**63
        found = self._subscription.leads.load([number]).get(number) if is_id else None
        if found is None:
            raise ControlError(f"There is no person {number!r}.")
        return found

    def _records(self, entity: str) -> Records:
        for records in self._subscription.records.values():
            if entity == records.kind.name:
                return records
        names = ", ".join(["person", *(records.kind.name for records in self._subscription.records.values()), "list"])
        raise ControlError(f"There are records of {names}, not of {entity!r}.")


def _check_key_is_free(records: Records, values: Mapping[str, Any], owner: Record | None) -> None:
    key = records.key(values)
    holder = records.find_by_key(key) if key is not None else None
    if holder is not None and (owner is None or holder.id != owner.id):
        raise ControlError(f"There is a {records.kind.name} with that key already.")


def _raw(lead: Lead, company: Mapping[str, Any]) -> dict[str, Any]:
    system = {
        "id": lead.id,
        "createdAt": iso(lead.created_s),
        "updatedAt": iso(lead.updated_s),
        "partitionId": lead.partition_id,
        "companyId": lead.company_id,
    }
    return {**company, **lead.values, **system}


def _page(shown: Sequence[Mapping[str, Any]], places: Sequence[int], limit: int) -> Mapping[str, object]:
    return {"records": shown, "next": str(places[-1]) if len(places) == limit else None}


def _whole(text: str, name: str) -> int:
    if not text.isdigit():
        raise ControlError(f"The value of {name} is a key that an earlier page gave.")
    return int(text)


def _text(arguments: Arguments, name: str) -> str:
    value = arguments.get(name)
    if not isinstance(value, str) or not value:
        raise ControlError(f"The argument {name!r} is missing.")
    return value


def _values(arguments: Arguments) -> Mapping[str, Any]:
    values = arguments.get("values")
    if not isinstance(values, dict):
        raise ControlError("The argument 'values' is an object of fields.")
    return values
