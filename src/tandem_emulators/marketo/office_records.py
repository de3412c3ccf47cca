"""The raw data as the judge of a test reads it: everything there is of one kind, page by page, in order of id."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tandem_emulators.kit.errors import ControlError
from tandem_emulators.marketo.objects import Records
from tandem_emulators.marketo.people import COMPANY_LINK, Lead, iso
from tandem_emulators.marketo.store import decode
from tandem_emulators.marketo.subscription import Subscription

PERSON = ("person", "lead")


class Archive:
    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription

    def records(self, entity: str, after: str | None, limit: int, *, deleted: bool) -> Mapping[str, object]:
        start = _whole(after or "0", "after")
        if deleted:
            return self._deleted(entity, start, limit)
        if entity in PERSON:
            return self._people(start, limit)
        match entity:
            case "list":
                return self._lists(start, limit)
            case "program":
                return self._programs(start, limit)
            case "campaign":
                found = self._subscription.campaigns.after(start, limit)
                return _page([msgspec.to_builtins(each) for each in found], [each.id for each in found], limit)
        records = self.of(entity)
        kind = records.kind
        names = list(dict.fromkeys([kind.id_field, *(field.name for field in kind.fields)]))
        found_records = records.after(start, limit)
        shown = [records.view(record, names) for record in found_records]
        return _page(shown, [record.id for record in found_records], limit)

    def of(self, entity: str) -> Records:
        """The records of an object, a custom one too."""
        found = self._subscription.find_records(entity)
        if found is None:
            known = [records.kind.name for records in self._subscription.records.values()]
            custom = [kind.api_name for kind in self._subscription.custom_objects]
            names = ", ".join(["person", *known, *custom, "list", "program", "campaign"])
            raise ControlError(f"There are records of {names}, not of {entity!r}.")
        return found

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

    def _programs(self, start: int, limit: int) -> Mapping[str, object]:
        programs = self._subscription.programs
        found = programs.after(start, limit)
        shown = [
            msgspec.to_builtins(program)
            | {"members": {str(each.lead_id): each.values for each in programs.members_after(program.id, 0)}}
            for program in found
        ]
        return _page(shown, [program.id for program in found], limit)

    def _deleted(self, entity: str, start: int, limit: int) -> Mapping[str, object]:
        name = "lead" if entity in PERSON else self.of(entity).kind.name
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
