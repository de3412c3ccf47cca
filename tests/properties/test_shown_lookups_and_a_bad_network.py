"""Contacts show columns of their account and of their manager, whatever goes wrong.

People rename accounts and managers, move contacts and edit them on both sides; passes crash and answers get lost. None
of that touches the contacts that show it, so that only who remembers what they show can tell. The oracle knows the two
systems only: once all is quiet, each person shows what stands in Dynamics at the ends of its record's lookups.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tandem.connectors.memory import Fault, MemoryConnector
from tandem.core.errors import TransientError
from tandem.core.mapping import EntityMapping, Watch, compile_mapping, share_shapes
from tandem.core.record import ACCOUNT, CONTACT, LEAD, PERSON, Entity, RecordId, Value
from tandem.ports import Reading, Store
from tandem.runtime.engine import Engine
from tandem.runtime.sync_pass import run_pass
from tandem.store.memory import MemoryStore
from tests.builders import World, declare, one_way, person_pairs, small_mappings
from tests.properties.test_two_people_and_a_bad_network import CrashError, CrashingStore

SHOWN: Mapping[tuple[str, Entity, str], str] = {
    ("parentcustomerid", ACCOUNT, "name"): "accountName",  # mapped by its own table
    ("parentcustomerid", ACCOUNT, "rating"): "accountRating",  # not mapped there
    ("managerid", CONTACT, "lastname"): "managerName",  # goes both ways there
}
"""The Marketo fields that show a lookup's table and column."""


def showing_mappings() -> dict[Entity, EntityMapping]:
    shown = [
        replace(one_way(f"{lookup}.{column}", field), watches=(Watch(f"{lookup}.@id", entity, column),))
        for (lookup, entity, column), field in SHOWN.items()
    ]
    contact = compile_mapping(
        CONTACT,
        PERSON,
        [*person_pairs(), *shown],
        key_field="crmKey",
        dedupe_field="email",
        crm_extras=["originatingleadid", "masterid", "statecode", "parentcustomerid.@id", "managerid.@id"],
    )
    others = small_mappings()
    return share_shapes([others[LEAD], contact, others[ACCOUNT]])


class ShowingConnector(MemoryConnector):
    """Reads paths with the record, as the connector of Dynamics does."""

    def _read(self, entity: Entity, id_: RecordId, fields: Sequence[str]) -> Reading:
        reading = super()._read(entity, id_, fields)
        values = (
            self._shown(name, value) if name.partition(".")[2] not in ("", "@id") else value
            for name, value in zip(fields, reading.values, strict=bool(reading.values))
        )
        return Reading(reading.id, tuple(values), reading.version, reading.presence, reading.merged_into)

    def _shown(self, path: str, end: Value) -> Value:
        lookup, _, column = path.partition(".")
        entity = next(entity for by, entity, _ in SHOWN if by == lookup)
        return self.system.records.get(entity, {}).get(RecordId(str(end)), {}).get(column)


@dataclass
class ShowingWorld(World):
    def engine(self, store: Store | None = None) -> Engine:
        engine = super().engine(store)
        engine.crm = ShowingConnector(self.crm, self.page_size)
        engine.mappings = showing_mappings()
        declare(engine.store, engine.mappings)
        return engine


class ShownLookupsAndABadNetwork(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = ShowingWorld(claim_size=2)
        self.made = 0
        self.typed: set[tuple[RecordId, str]] = set()

    def enter(self, entity: Entity, **values: Value) -> RecordId:
        self.made += 1
        return self.world.crm.create(entity, values, RecordId(str(UUID(int=self.made))))

    def one_of(self, entity: Entity, place: int) -> RecordId:
        ids = list(self.world.crm.records[entity])
        return ids[place % len(ids)]

    def run_pass(self, store: Store | None = None) -> None:
        with suppress(TransientError):
            asyncio.run(run_pass(self.world.engine(store)))

    # --- what people do

    @initialize()
    def two_accounts_and_a_contact(self) -> None:
        for number in range(2):
            self.enter(ACCOUNT, name=f"Account {number}", rating="A")
        self.a_contact(0, 0, has_account=True)

    @rule(account=st.integers(0, 9), manager=st.integers(0, 9), has_account=st.booleans())
    def a_contact(self, account: int, manager: int, has_account: bool) -> None:
        has_manager = bool(self.world.crm.records.get(CONTACT))
        self.enter(
            CONTACT,
            lastname=f"Contact {self.made}",
            emailaddress1=f"{self.made}@shown.example",
            parentcustomerid=self.one_of(ACCOUNT, account) if has_account else None,
            managerid=self.one_of(CONTACT, manager) if has_manager else None,
        )

    @rule(account=st.integers(0, 9), column=st.sampled_from(["name", "rating"]))
    def an_account_changes(self, account: int, column: str) -> None:
        self.made += 1
        self.world.crm.edit(ACCOUNT, self.one_of(ACCOUNT, account), {column: f"Changed {self.made}"})

    @rule(contact=st.integers(0, 9), account=st.integers(0, 9), manager=st.integers(0, 9))
    def a_contact_moves(self, contact: int, account: int, manager: int) -> None:
        ends = {"parentcustomerid": self.one_of(ACCOUNT, account), "managerid": self.one_of(CONTACT, manager)}
        self.world.crm.edit(CONTACT, self.one_of(CONTACT, contact), ends)

    @rule(contact=st.integers(0, 9), column=st.sampled_from(["lastname", "telephone1"]))
    def a_contact_is_edited(self, contact: int, column: str) -> None:
        self.made += 1
        self.world.crm.edit(CONTACT, self.one_of(CONTACT, contact), {column: f"Edited {self.made}"})

    @precondition(lambda self: self.world.marketing.records.get(PERSON))
    @rule(person=st.integers(0, 9), field=st.sampled_from(["lastName", "phone", *SHOWN.values()]))
    def a_person_is_edited(self, person: int, field: str) -> None:
        """What is shown goes one way: it is put back. Whoever types the same again and again is left with it."""
        ids = list(self.world.marketing.records[PERSON])
        id_ = ids[person % len(ids)]
        if field in SHOWN.values() and (id_, field) in self.typed:
            return
        self.made += 1
        self.typed.add((id_, field))
        self.world.marketing.edit(PERSON, id_, {field: f"Typed {self.made}"})

    # --- what goes wrong, and what we do

    @rule(fault=st.sampled_from(Fault), skip=st.integers(0, 2), is_crm=st.booleans())
    def a_call_goes_wrong(self, fault: Fault, skip: int, is_crm: bool) -> None:
        system = self.world.crm if is_crm else self.world.marketing
        system.faults.extend([*(None,) * skip, fault])

    @rule(calls=st.integers(1, 60), is_after=st.booleans())
    def a_pass_crashes(self, calls: int, is_after: bool) -> None:
        store = CrashingStore(self.world.store, calls, is_after=is_after)
        with suppress(CrashError):
            self.run_pass(store)
        self.world.store = MemoryStore(self.world.store.state)
        self.world.clock.advance(200)

    @rule()
    def a_pass_completes(self) -> None:
        self.run_pass()
        self.world.clock.advance(100)
        self.land_late()

    def land_late(self) -> None:
        self.world.crm.land_late()
        self.world.marketing.land_late()

    @rule()
    def everybody_goes_home(self) -> None:
        for system in (self.world.crm, self.world.marketing):
            system.faults.clear()
        self.land_late()
        before = -1
        for _ in range(15):
            self.world.clock.advance(100)
            before = self.world.marketing.writes + self.world.crm.writes
            self.run_pass()
            is_quiet = self.world.marketing.writes + self.world.crm.writes == before
            if is_quiet and not self.world.store.load_open_rows():
                break
        assert is_quiet, "R1: a quiet pass writes nothing"
        self.check_all_is_shown()

    def check_all_is_shown(self) -> None:
        people = {row["crmKey"]: row for row in self.world.marketing.records.get(PERSON, {}).values()}
        for id_, row in self.world.crm.records[CONTACT].items():
            shown = {field: people[id_].get(field) for field in SHOWN.values()}
            assert shown == {field: self.at_the_end(row, *end) for end, field in SHOWN.items()}

    @invariant()
    def nothing_of_it_is_written_to_crm(self) -> None:
        rows = [row for rows in self.world.crm.records.values() for row in rows.values()]
        assert not any("." in column for row in rows for column in row)

    def at_the_end(self, row: Mapping[str, Value], lookup: str, entity: Entity, column: str) -> Value:
        return self.world.crm.records[entity].get(RecordId(str(row.get(lookup))), {}).get(column)


TestShownLookupsAndABadNetwork = ShownLookupsAndABadNetwork.TestCase
TestShownLookupsAndABadNetwork.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
