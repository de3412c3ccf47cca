"""Events of people, and sessions of events: a session shows its event's person and title, whatever goes wrong.

People move events to other people and sessions to other events, and delete; passes crash and answers get lost. The
oracle knows the two systems only: once all is quiet each session's person and title are its event's. Sessions are a
table whose deletions nobody tells, so they are found by their ids.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tandem.connectors.memory import Fault, MemoryConnector
from tandem.core.errors import TransientError
from tandem.core.mapping import Direction, EntityMapping, FieldPair, Winner, compile_mapping
from tandem.core.policy import DeleteRule, EntityPolicy
from tandem.core.record import CONTACT, PERSON, Entity, RecordId, Side, Value
from tandem.core.transforms import Identity
from tandem.ports import Store
from tandem.runtime.engine import Engine
from tandem.runtime.sync_pass import run_pass
from tandem.store.memory import MemoryStore
from tests.builders import World, declare, one_way, small_mappings, small_policies
from tests.properties.test_two_people_and_a_bad_network import CrashError, CrashingStore

EVENT, SESSION = Entity("new_event"), Entity("new_session")
SHOWN_EVENT, SHOWN_SESSION = Entity("event"), Entity("eventSession")


def chain_mappings() -> dict[Entity, EntityMapping]:
    person = FieldPair(
        "contactid", "person", Identity(), Direction.TO_MARKETING, parents=(CONTACT,), parent_by=Side.MARKETING
    )
    event = [one_way("@id", "crmId"), one_way("title", "title"), person]
    session = [
        one_way("@id", "crmId"),
        one_way("eventid", "event"),
        replace(one_way("eventid.contactid", "person", EVENT), through=person.name),
        replace(one_way("eventid.title", "eventTitle", EVENT), through="title|title"),
    ]
    return small_mappings() | {
        EVENT: compile_mapping(EVENT, SHOWN_EVENT, event, key_field="crmId"),
        SESSION: compile_mapping(SESSION, SHOWN_SESSION, session, key_field="crmId"),
    }


def chain_policies() -> dict[Entity, EntityPolicy]:
    owned = EntityPolicy(Winner.CRM, deleted_in_crm=DeleteRule.PROPAGATE, prefer=())
    return small_policies() | {EVENT: owned, SESSION: owned}


@dataclass
class ChainWorld(World):
    def __post_init__(self) -> None:
        super().__post_init__()
        self.policies = chain_policies()

    def engine(self, store: Store | None = None) -> Engine:
        engine = super().engine(store)
        engine.mappings = chain_mappings()
        engine.settings = replace(engine.settings, sweep_interval_s=0.0)
        declare(engine.store, engine.mappings)
        assert isinstance(engine.crm, MemoryConnector)
        engine.crm.untracked = frozenset({SESSION})
        return engine


class ChainsAndABadNetwork(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = ChainWorld()
        self.made = 0

    def enter(self, entity: Entity, **values: Value) -> RecordId:
        self.made += 1
        return self.world.crm.create(entity, values, RecordId(str(UUID(int=self.made))))

    def one_of(self, entity: Entity, place: int) -> RecordId | None:
        ids = list(self.world.crm.records.get(entity, {}))
        return ids[place % len(ids)] if ids else None

    def run_pass(self, store: Store | None = None) -> None:
        with suppress(TransientError):
            asyncio.run(run_pass(self.world.engine(store)))

    # --- what people do

    @initialize()
    def two_people(self) -> None:
        for number in range(2):
            self.enter(CONTACT, lastname=f"Person {number}", emailaddress1=f"{number}@chain.example")

    @rule(place=st.integers(0, 9), has_person=st.booleans())
    def an_event(self, place: int, has_person: bool) -> None:
        self.enter(EVENT, title=f"Event {self.made}", contactid=self.one_of(CONTACT, place) if has_person else None)

    @rule(place=st.integers(0, 9), has_event=st.booleans())
    def a_session(self, place: int, has_event: bool) -> None:
        self.enter(SESSION, eventid=self.one_of(EVENT, place) if has_event else None)

    @precondition(lambda self: self.world.crm.records.get(EVENT))
    @rule(place=st.integers(0, 9), person=st.integers(0, 9), has_person=st.booleans(), is_renamed=st.booleans())
    def an_event_changes(self, place: int, person: int, has_person: bool, is_renamed: bool) -> None:
        event = self.one_of(EVENT, place)
        assert event is not None
        self.made += is_renamed
        title = {"title": f"Renamed {self.made}"} if is_renamed else {}
        values: Mapping[str, Value] = {"contactid": self.one_of(CONTACT, person) if has_person else None, **title}
        self.world.crm.edit(EVENT, event, values)

    @precondition(lambda self: self.world.crm.records.get(SESSION))
    @rule(place=st.integers(0, 9), event=st.integers(0, 9))
    def a_session_moves(self, place: int, event: int) -> None:
        session = self.one_of(SESSION, place)
        assert session is not None
        self.world.crm.edit(SESSION, session, {"eventid": self.one_of(EVENT, event)})

    @precondition(lambda self: self.world.crm.records.get(SESSION))
    @rule(place=st.integers(0, 9))
    def a_session_is_deleted(self, place: int) -> None:
        session = self.one_of(SESSION, place)
        assert session is not None
        self.world.crm.delete(SESSION, session)

    @precondition(lambda self: self.world.crm.records.get(EVENT))
    @rule(place=st.integers(0, 9))
    def an_event_is_deleted(self, place: int) -> None:
        """Dynamics empties the lookups that led to it."""
        event = self.one_of(EVENT, place)
        assert event is not None
        for session, values in list(self.world.crm.records.get(SESSION, {}).items()):
            if values.get("eventid") == event:
                self.world.crm.edit(SESSION, session, {"eventid": None})
        self.world.crm.delete(EVENT, event)

    # --- what goes wrong, and what we do

    @rule(fault=st.sampled_from(Fault), skip=st.integers(0, 2))
    def a_call_goes_wrong(self, fault: Fault, skip: int) -> None:
        self.world.marketing.faults.extend([*(None,) * skip, fault])

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
        self.world.marketing.land_late()

    @rule()
    def everybody_goes_home(self) -> None:
        self.world.marketing.faults.clear()
        self.world.marketing.land_late()
        before = -1
        for _ in range(12):
            self.world.clock.advance(100)
            before = self.world.marketing.writes
            self.run_pass()
            if self.world.marketing.writes == before and not self.world.store.load_open_rows():
                break
        assert self.world.marketing.writes == before, "R1: a quiet pass writes nothing"
        self.check_all_is_shown()

    def check_all_is_shown(self) -> None:
        people = {row.get("crmKey"): int(id_) for id_, row in self.world.marketing.records.get(PERSON, {}).items()}
        events = self.world.crm.records.get(EVENT, {})
        assert self.shown(SHOWN_EVENT) == {
            id_: {"title": row.get("title"), "person": people.get(row.get("contactid"))} for id_, row in events.items()
        }
        sessions: dict[Value, dict[str, Value]] = {}
        for id_, row in self.world.crm.records.get(SESSION, {}).items():
            event = events.get(RecordId(str(row.get("eventid"))), {})
            person = people.get(event.get("contactid"))
            sessions[id_] = {"event": row.get("eventid"), "person": person, "eventTitle": event.get("title")}
        assert self.shown(SHOWN_SESSION) == sessions

    def shown(self, entity: Entity) -> dict[Value, dict[str, Value]]:
        names = {SHOWN_EVENT: ("title", "person"), SHOWN_SESSION: ("event", "person", "eventTitle")}[entity]
        rows = self.world.marketing.records.get(entity, {}).values()
        return {row.get("crmId"): {name: row.get(name) for name in names} for row in rows}

    @invariant()
    def nothing_is_there_twice(self) -> None:
        for entity in (SHOWN_EVENT, SHOWN_SESSION):
            keys = [row.get("crmId") for row in self.world.marketing.records.get(entity, {}).values()]
            assert len(keys) == len(set(keys))


TestChainsAndABadNetwork = ChainsAndABadNetwork.TestCase
TestChainsAndABadNetwork.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
