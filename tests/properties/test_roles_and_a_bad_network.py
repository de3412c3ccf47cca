"""A state machine over opportunities and roles: stakeholders come, change and go, people are merged, calls go wrong.

A role has no key of its own, so a change of it is a deletion and a creation, with anything possible in between. The
oracle knows the stakeholders: in the end each stands for one role, no role is left over, and none is there twice.
"""

import asyncio

from hypothesis import note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tandem.connectors.memory import Fault
from tandem.core.errors import TransientError
from tandem.core.record import CONNECTION, CONTACT, OPPORTUNITY, OPPORTUNITY_ROLE, PERSON, LinkStatus, RecordId, Side
from tandem.ports import Store
from tandem.runtime.sync_pass import run_pass
from tandem.store.memory import MemoryStore
from tests.properties.roles_world import RolesWorld
from tests.properties.test_two_people_and_a_bad_network import CrashError, CrashingStore

ROLES = st.sampled_from(["Buyer", "Champion"])
PLACES = st.integers(0, 20)


class RolesAndABadNetwork(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = RolesWorld()

    def chosen(self, entity: str, place: int) -> RecordId | None:
        ids = list(self.world.crm.records.get(entity, {}))  # type: ignore[call-overload]
        return ids[place % len(ids)] if ids else None

    @initialize()
    def two_people_and_an_opportunity(self) -> None:
        for name in ("Ada", "Bob"):
            self.world.enter(CONTACT, lastname=name, emailaddress1=f"{name}@example.com")
        self.world.enter(OPPORTUNITY, name="Cranes")

    @rule(deal=PLACES, person=PLACES, role=ROLES)
    def a_stakeholder_comes(self, deal: int, person: int, role: str) -> None:
        opportunity, contact = self.chosen(OPPORTUNITY, deal), self.chosen(CONTACT, person)
        if opportunity and contact:
            self.world.connect(opportunity, contact, role)

    @rule(place=PLACES, role=ROLES)
    def a_stakeholder_changes_its_role(self, place: int, role: str) -> None:
        if connection := self.chosen(CONNECTION, place):
            self.world.crm.edit(CONNECTION, connection, {"@role": role})

    @rule(place=PLACES, person=PLACES)
    def somebody_else_takes_its_place(self, place: int, person: int) -> None:
        connection, contact = self.chosen(CONNECTION, place), self.chosen(CONTACT, person)
        if connection and contact:
            self.world.crm.edit(CONNECTION, connection, {"record2id": contact})

    @rule(place=PLACES)
    def a_stakeholder_goes(self, place: int) -> None:
        if connection := self.chosen(CONNECTION, place):
            self.world.crm.delete(CONNECTION, connection)

    @rule()
    def there_is_another_opportunity(self) -> None:
        self.world.enter(OPPORTUNITY, name="More cranes")

    @rule(place=PLACES)
    def an_opportunity_goes_with_its_stakeholders(self, place: int) -> None:
        if deal := self.chosen(OPPORTUNITY, place):
            rows = self.world.crm.records.get(CONNECTION, {})
            for connection in [id_ for id_, row in rows.items() if row["record1id"] == deal]:
                self.world.crm.delete(CONNECTION, connection)
            self.world.crm.delete(OPPORTUNITY, deal)

    @rule(place=PLACES)
    def a_marketer_deletes_a_role(self, place: int) -> None:
        roles = list(self.world.marketing.records.get(OPPORTUNITY_ROLE, {}))
        if roles:
            self.world.marketing.delete(OPPORTUNITY_ROLE, roles[place % len(roles)])

    @rule(side=st.sampled_from(Side), fault=st.sampled_from(Fault), skip=st.integers(0, 3))
    def a_call_goes_wrong(self, side: Side, fault: Fault, skip: int) -> None:
        self.world.system(side).faults.extend([*(None,) * skip, fault])

    @rule(calls=st.integers(1, 80), is_after=st.booleans())
    def a_pass_crashes(self, calls: int, is_after: bool) -> None:
        try:
            self.run_pass(CrashingStore(self.world.store, calls, is_after=is_after))
        except CrashError as death:
            note(f"crashed at {death}")
        self.world.store = MemoryStore(self.world.store.state)
        self.world.clock.advance(200)

    @rule()
    def a_pass_completes(self) -> None:
        self.run_pass(self.world.store)
        self.world.clock.advance(30)
        self.world.marketing.land_late()

    @rule()
    def everybody_goes_home(self) -> None:
        for system in (self.world.crm, self.world.marketing):
            system.faults.clear()
            system.land_late()
        for link in [link.number for link in self.world.store.iter_links(CONNECTION)]:
            self.look_at(link)  # Marketo tells of no deleted role; a proof, or the next change, finds it.
        for _ in range(12):
            self.world.clock.advance(100)
            before = self.writes()
            self.run_pass(self.world.store)
            if self.writes() == before and not self.world.store.load_open_rows():
                break
        self.world.clock.advance(100)
        before = self.writes()
        self.run_pass(self.world.store)
        assert self.writes() == before, "R1: nothing changed, and something was written"
        roles = self.world.roles()
        assert max(roles.values(), default=1) == 1, "R4: a role is there twice"
        assert set(roles) == self.world.wanted(), "a role is lost, or left over"
        deals = {row["externalOpportunityId"] for row in self.world.marketing.records.get(OPPORTUNITY, {}).values()}
        assert deals == set(self.world.crm.records.get(OPPORTUNITY, {})), "an opportunity is lost, or left over"
        assert len(self.world.marketing.records.get(PERSON, {})) == 2

    @invariant()
    def no_role_is_linked_twice(self) -> None:
        ends = [link.marketing for link in self.world.store.iter_links(CONNECTION) if link.marketing]
        live = [link.marketing for link in self.world.store.iter_links(CONNECTION) if link.status is LinkStatus.LIVE]
        assert len(set(live)) == len(live) <= len(ends)

    def look_at(self, link: int) -> None:
        self.world.store.acquire_lease("judge", 60, self.world.clock.now())
        self.world.store.make_due([link])  # type: ignore[list-item]
        self.world.store.release_lease()

    def writes(self) -> int:
        return self.world.crm.writes + self.world.marketing.writes

    def run_pass(self, store: Store) -> None:
        try:
            asyncio.run(run_pass(self.world.engine(store)))
        except TransientError:
            note("a side was away")


RolesAndABadNetwork.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestRolesAndABadNetwork = RolesAndABadNetwork.TestCase
