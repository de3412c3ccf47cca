"""A person at the keyboard: what people do in Marketo's own screens.

Changes made here are logged as `Lead update`, `Manual person edit`. A company is not edited for itself alone: what
is typed on one person reaches all people of that company.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from tandem_emulators.kit.clock import Clock
from tandem_emulators.kit.errors import ControlError
from tandem_emulators.marketo.errors import RefusalError
from tandem_emulators.marketo.fields import STRING_LENGTH
from tandem_emulators.marketo.flow import Flows
from tandem_emulators.marketo.lead_end import merge_leads, remove
from tandem_emulators.marketo.lead_schema import CREATABLE_TYPES, WITH_LENGTH
from tandem_emulators.marketo.lead_sync import Reader, write_company_of
from tandem_emulators.marketo.lists import add_members, find_list, remove_members
from tandem_emulators.marketo.objects import Record, Records, read_values
from tandem_emulators.marketo.office_assets import Assets
from tandem_emulators.marketo.office_records import PERSON, Archive
from tandem_emulators.marketo.people import UI, Lead
from tandem_emulators.marketo.subscription import Subscription

Arguments = Mapping[str, Any]


class Office:
    def __init__(self, subscription: Subscription, flows: Flows, clock: Clock) -> None:
        self._subscription = subscription
        self._flows = flows
        self._clock = clock
        self._assets = Assets(subscription, flows)
        self.archive = Archive(subscription)
        self._actions: dict[str, Callable[[Arguments], Mapping[str, object]]] = {
            "create": self._create,
            "edit": self._edit,
            "delete": self._delete,
            "merge": self._merge,
            "add-to-list": self._add_to_list,
            "remove-from-list": self._remove_from_list,
            "run-flow": self._run_flow,
            "change-field-type": self._change_field_type,
        }

    def act(self, action: str, arguments: Arguments) -> Mapping[str, object]:
        if action not in self._actions:
            raise ControlError(f"A person can {', '.join(self._actions)} here, not {action!r}.")
        try:
            return self._actions[action](arguments)
        except RefusalError as refusal:
            raise ControlError(f"{refusal.message} ({refusal.code}).") from refusal

    def _create(self, arguments: Arguments) -> Mapping[str, object]:
        entity, values = _text(arguments, "entity"), _values(arguments)
        now_s = self._clock.timestamp()
        if entity in self._assets.makers:
            return {"id": self._assets.makers[entity](values, now_s)}
        if entity not in PERSON:
            records = self.archive.of(entity)
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
        records = self.archive.of(entity)
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

    def _change_field_type(self, arguments: Arguments) -> Mapping[str, object]:
        """What an admin does under Field Management with a custom field. Values that the new type has no room for are
        emptied: what Marketo does with them is documented nowhere."""
        name, data_type, fields = _text(arguments, "field"), _text(arguments, "type"), self._subscription.fields
        field = fields.find_exact(name)
        if field is None or not field.is_custom or data_type not in CREATABLE_TYPES:
            raise ControlError(
                f"The type of {name!r} cannot become {data_type!r}: name a custom field and a known type."
            )
        kept = list(self._emptied(name))
        fields.save(replace(field, data_type=data_type, length=STRING_LENGTH if data_type in WITH_LENGTH else None))
        for number, value in kept:
            with suppress(RefusalError):
                self._edit_person(self._lead(number), {name: str(value)}, self._clock.timestamp())
        return {"field": name, "type": data_type}

    def _emptied(self, name: str) -> Iterator[tuple[int, object]]:
        """The value that each person had in a field, which is empty then."""
        last = 0
        while page := self._subscription.leads.after(last, 1_000):
            for lead in page:
                last, value = lead.id, lead.values.get(name)
                if value is not None:
                    self._edit_person(lead, {name: None}, self._clock.timestamp())
                    yield last, value

    def _delete(self, arguments: Arguments) -> Mapping[str, object]:
        entity = _text(arguments, "entity")
        now_s = self._clock.timestamp()
        if entity in PERSON:
            remove(self._subscription, [self._lead(arguments.get("id"))], UI, now_s)
            return {"deleted": 1}
        records = self.archive.of(entity)
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
        ids, wanted = self._people(arguments), arguments.get("list")
        list_id = find_list(self._subscription, wanted)
        if list_id is None:
            raise ControlError(f"There is no list {wanted!r}.")
        return list_id, ids

    def _people(self, arguments: Arguments) -> list[int]:
        ids = arguments.get("ids")
        if not isinstance(ids, list) or not all(isinstance(number, int) and abs(number) < 2**63 for number in ids):
            raise ControlError("The ids of people are a list of whole numbers.")
        known = self._subscription.leads.load(ids)
        missing = [number for number in ids if number not in known]
        if missing:
            raise ControlError(f"There is no person {missing[0]}.")
        return ids

    def _run_flow(self, arguments: Arguments) -> Mapping[str, object]:
        """Put people through a campaign's flow, or through steps that stand here."""
        ids, now_s = self._people(arguments), self._clock.timestamp()
        if "campaign" not in arguments:
            self._flows.run(self._flows.check(arguments.get("steps")), ids, now_s, None)
            return {"people": len(ids)}
        wanted = arguments["campaign"]
        campaign = next((each for each in self._subscription.campaigns.all() if wanted in (each.id, each.name)), None)
        if campaign is None:
            raise ControlError(f"There is no campaign {wanted!r}.")
        self._flows.run(campaign.flow, ids, now_s, campaign)
        return {"people": len(ids)}

    def _lead(self, number: Any) -> Lead:
        is_id = isinstance(number, int) and 0 < number < 2**63
        found = self._subscription.leads.load([number]).get(number) if is_id else None
        if found is None:
            raise ControlError(f"There is no person {number!r}.")
        return found


def _check_key_is_free(records: Records, values: Mapping[str, Any], owner: Record | None) -> None:
    key = records.key(values)
    holder = records.find_by_key(key) if key is not None else None
    if holder is not None and (owner is None or holder.id != owner.id):
        raise ControlError(f"There is a {records.kind.name} with that key already.")


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
