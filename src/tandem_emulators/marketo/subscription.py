"""One Marketo subscription: its data and the parts that read and write it, wired together once."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from tandem_emulators.kit.counters import Counters
from tandem_emulators.marketo.activity_types import ActivityTypes
from tandem_emulators.marketo.call import Call
from tandem_emulators.marketo.campaigns import Campaigns
from tandem_emulators.marketo.catalogue import LeadFields
from tandem_emulators.marketo.custom_objects import CustomObjects
from tandem_emulators.marketo.envelope import FileReply, Reply
from tandem_emulators.marketo.fields import ValueRules
from tandem_emulators.marketo.log import ActivityLog
from tandem_emulators.marketo.objects import ObjectType, Record, Records, load_types
from tandem_emulators.marketo.paging import PositionToken, Tokens, query_mark
from tandem_emulators.marketo.partitions import Partitions
from tandem_emulators.marketo.people import COMPANY_LINK, Author, Leads, LeadWriter
from tandem_emulators.marketo.programs import Programs
from tandem_emulators.marketo.settings import Settings
from tandem_emulators.marketo.store import Store

T = TypeVar("T")
FAN_OUT_MAX = 5_000  # a company of more people changes without an activity on each of them


class Subscription:
    def __init__(self, store: Store, settings: Settings, counters: Counters, secret: str) -> None:
        self.store = store
        self.settings = settings
        self.counters = counters
        self.tokens = Tokens(secret)
        self.fields = LeadFields(store)
        self.leads = Leads(store, self.fields)
        self.log = ActivityLog(store, settings)
        self.activity_types = ActivityTypes(store)
        self.types: dict[str, ObjectType] = load_types()
        self.records = {name: Records(store, kind) for name, kind in self.types.items()}
        self.companies = self.records["companies"]
        self.custom_objects = CustomObjects(store, settings, self.fields)
        self.partitions = Partitions(store)
        self.programs = Programs(store)
        self.campaigns = Campaigns(store)

    def all_records(self) -> list[Records]:
        custom = (self.custom_objects.find_records(kind.api_name) for kind in self.custom_objects)
        return [*self.records.values(), *(records for records in custom if records is not None)]

    def find_records(self, name: str) -> Records | None:
        """The records of an object by its own name: one of the given ones, or a custom one."""
        given = next((records for records in self.records.values() if records.kind.name == name), None)
        return given or self.custom_objects.find_records(name)

    def rules(self) -> ValueRules:
        return ValueRules(
            truncates=self.settings.over_length == "truncate",
            empty_clears=self.settings.empty_string == "clears",
            trims=self.settings.whitespace == "trimmed",
        )

    def writer(self, author: Author, now_s: float) -> LeadWriter:
        return LeadWriter(self.store, self.fields, self.log, self.settings, author, now_s)

    def author(self, call: Call, method: str) -> Author:
        """An API user, as activities name it."""
        name = "Web service API"
        return Author(name, name, reason=name, api_method=method, user=call.user, request_id=call.request_id)

    def change_company(self, company: Record, values: dict[str, Any], author: Author, now_s: float) -> bool:
        """Change a company and tell it on its people, up to a cap; whether anything changed."""
        before = dict(company.values)
        if not self.companies.update(company, values, int(now_s)):
            return False
        self._tell_people(company, before, author, now_s)
        return True

    def _tell_people(self, company: Record, before: dict[str, Any], author: Author, now_s: float) -> None:
        told = [*self.fields.company_fields(), self.fields.find_exact(COMPANY_LINK)]
        changed = [found for found in told if found and before.get(found.name) != company.values.get(found.name)]
        people = self.leads.of_company(company.id, FAN_OUT_MAX + 1)
        if len(people) > FAN_OUT_MAX:
            return
        writer = self.writer(author, now_s)
        for lead in people:
            for found in changed:
                old, new = before.get(found.name), company.values.get(found.name)
                writer.note(*writer.changed(lead.id, found, old, new))
        writer.flush()

    def page(
        self, found: Sequence[T], size: int, mark: int, place: Callable[[T], int]
    ) -> tuple[Sequence[T], str | None]:
        """The page out of one row more than it may hold, and the token of the next page if there is that row."""
        if len(found) <= size:
            return found, None
        return found[:size], self.tokens.write_position(PositionToken(mark, place(found[size - 1])))

    def position(self, token: str | None, *query: object) -> tuple[int, int]:
        """Where a query goes on, and the mark that binds its tokens to it."""
        mark = query_mark(*query)
        return self.tokens.read_position(token, mark), mark


Handler = Callable[[Subscription, Call], Reply | FileReply]
