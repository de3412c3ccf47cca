"""Extracts of program members, and of custom objects linked to people (6.3)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tandem_emulators.marketo.errors import invalid
from tandem_emulators.marketo.extract_rows import (
    Filter,
    as_text,
    checked_fields,
    date_range,
    list_of,
    only_filter,
    strings,
    unsupported_filter,
    whole_numbers,
)
from tandem_emulators.marketo.objects import Link, Record, Records
from tandem_emulators.marketo.people import Lead
from tandem_emulators.marketo.programs import Member, Program
from tandem_emulators.marketo.subscription import Subscription

PROGRAMS_MAX = 10
MEMBER_FILTERS = ("programId", "programIds", "isExhausted", "nurtureCadence", "statusNames", "updatedAt")
OBJECT_FILTERS = ("updatedAt", "staticListId", "staticListName", "smartListId", "smartListName")
_CADENCES = {"norm": "norm", "normal": "norm", "pause": "pause", "paused": "pause"}
_BATCH = 1_000


@dataclass(frozen=True, slots=True)
class MemberExtract:
    """Members with their own fields and those of the person; with several programs their id comes first."""

    subscription: Subscription

    def check(self, target: str, fields: Sequence[str] | None, filter_: Filter) -> list[str]:
        unknown = [name for name in filter_ if name not in MEMBER_FILTERS]
        if unknown:
            raise invalid(f"Invalid filter type '{unknown[0]}'")
        programs = self._programs(filter_)
        self._check_members(filter_, programs)
        leads = self.subscription.fields
        known = [field.name for field in (*self.subscription.programs.fields, *leads) if not field.is_hidden]
        chosen = checked_fields(fields, known)
        return list(dict.fromkeys(["programId", *chosen])) if "programIds" in filter_ else chosen

    def rows(self, target: str, fields: Sequence[str], filter_: Filter, now_s: float) -> Iterator[list[str]]:
        own = [name for name in fields if self.subscription.programs.fields.find_exact(name) is not None]
        for program in self._programs(filter_):
            found = [
                member for member in self.subscription.programs.members_after(program.id, 0) if _fits(member, filter_)
            ]
            for at in range(0, len(found), _BATCH):
                yield from self._shown(program, found[at : at + _BATCH], fields, own)

    def _shown(
        self, program: Program, members: Sequence[Member], fields: Sequence[str], own: Sequence[str]
    ) -> Iterator[list[str]]:
        leads = self.subscription.leads.load([member.lead_id for member in members])
        companies = self.subscription.leads.companies(leads.values())
        of_lead = [name for name in fields if name not in own]
        for member in members:
            lead: Lead = leads[member.lead_id]
            values = self.subscription.leads.view(lead, companies.get(lead.company_id, {}), of_lead)
            values |= self.subscription.programs.view(program, member, own)
            yield [_flag(values[name]) for name in fields]

    def _programs(self, filter_: Filter) -> list[Program]:
        if ("programId" in filter_) == ("programIds" in filter_):
            raise invalid("Exactly one of programId and programIds must be specified")
        ids = whole_numbers(filter_, "programIds") if "programIds" in filter_ else [filter_["programId"]]
        if not ids or not all(type(number) is int and abs(number) < 2**63 for number in ids):
            raise invalid(f"Invalid value for field 'programId' and value '{ids}'")
        if len(ids) > PROGRAMS_MAX:
            raise invalid(f"The number of programIds, {len(ids)}, exceeds the maximum of {PROGRAMS_MAX}")
        return [self.subscription.programs.get(number) for number in dict.fromkeys(ids)]

    def _check_members(self, filter_: Filter, programs: Sequence[Program]) -> None:
        known = {status.name for program in programs for status in program.statuses()}
        if set(strings(filter_, "statusNames")) - known:
            raise invalid("Invalid Data")
        if "nurtureCadence" in filter_ and filter_["nurtureCadence"] not in _CADENCES:
            raise invalid(f"Invalid value for field 'nurtureCadence' and value '{filter_['nurtureCadence']}'")
        if "isExhausted" in filter_ and not isinstance(filter_["isExhausted"], bool):
            raise invalid(f"Invalid value for field 'isExhausted' and value '{filter_['isExhausted']}'")
        if "updatedAt" in filter_:
            if not self.subscription.settings.lead_export_updated_at:
                raise unsupported_filter("updatedAt")
            date_range(filter_, "updatedAt")


def _fits(member: Member, filter_: Filter) -> bool:
    """All the filters that are given, together."""
    names = filter_.get("statusNames")
    if names and member.status not in names:
        return False
    if "isExhausted" in filter_ and bool(member.values.get("isExhausted")) != filter_["isExhausted"]:
        return False
    if "nurtureCadence" in filter_ and member.values.get("nurtureCadence") != _CADENCES[filter_["nurtureCadence"]]:
        return False
    if "updatedAt" in filter_:
        first_s, last_s = date_range(filter_, "updatedAt")
        return first_s <= member.updated_s <= last_s
    return True


def _flag(value: Any) -> str:
    """In this family a boolean is 0 or 1 (6.3)."""
    return str(int(value)) if isinstance(value, bool) else as_text(value)


@dataclass(frozen=True, slots=True)
class ObjectExtract:
    """Records of one custom object, of the people in a list or by their own time."""

    subscription: Subscription

    def check(self, target: str, fields: Sequence[str] | None, filter_: Filter) -> list[str]:
        records = self.subscription.custom_objects.records(target)
        if records.kind.crm_managed or _lead_link(records) is None:
            raise invalid(f"Custom object '{target}' cannot be extracted")
        name = only_filter(filter_, OBJECT_FILTERS)
        if name == "updatedAt":
            date_range(filter_, name)
        else:
            list_of(self.subscription, name, filter_[name])
        return checked_fields(fields, [field.name for field in records.kind.fields])

    def rows(self, target: str, fields: Sequence[str], filter_: Filter, now_s: float) -> Iterator[list[str]]:
        records = self.subscription.custom_objects.records(target)
        wanted = self._wanted(records, filter_)
        after = 0
        while found := records.after(after, _BATCH):
            after = found[-1].id
            for record in found:
                if wanted(record):
                    shown = records.view(record, fields)
                    yield [as_text(shown[name]) for name in fields]

    def _wanted(self, records: Records, filter_: Filter) -> Callable[[Record], bool]:
        [name] = filter_
        if name == "updatedAt":
            first_s, last_s = date_range(filter_, name)
            return lambda record: first_s <= record.updated_s <= last_s
        link = _lead_link(records)
        assert link is not None, "checked when the job was created"
        members = self._members(list_of(self.subscription, name, filter_[name]), link.target or "id")
        return lambda record: record.values.get(link.field) in members

    def _members(self, list_id: int, field: str) -> frozenset[Any]:
        """What the link field of a record may hold to mean a member of the list."""
        rows = self.subscription.store.rows("SELECT lead_id FROM list_member WHERE list_id = ?", (list_id,))
        ids = [number for (number,) in rows]
        leads = (
            lead
            for at in range(0, len(ids), _BATCH)
            for lead in self.subscription.leads.load(ids[at : at + _BATCH]).values()
        )
        return frozenset(self.subscription.leads.view(lead, {}, [field])[field] for lead in leads)


def _lead_link(records: Records) -> Link | None:
    return next((link for link in records.kind.links if link.object == "lead"), None)
