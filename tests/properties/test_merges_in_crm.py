"""Merges in Dynamics and in Marketo, in every order, with crashes and lost answers in between.

The oracle knows which records people merged and what they typed. Whatever becomes of it: nobody is made twice (R4), no
edit is lost silently (R3), nothing is written to a record that was merged away, both sides come to rest (R6, R1), and
with merges carried over each group of merged records is one person.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from hypothesis import note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tandem.connectors.memory import Fault, MemoryConnector
from tandem.core.errors import TransientError
from tandem.core.policy import MergeRule
from tandem.core.record import CONTACT, LEAD, PERSON, Entity, RecordId, Side
from tandem.ports import Store, Write, WriteResult
from tandem.runtime.engine import Engine
from tandem.runtime.sync_pass import run_pass
from tandem.store.memory import MemoryStore
from tests.builders import World, small_policies
from tests.properties.test_two_people_and_a_bad_network import CrashError, CrashingStore

ADDRESSES = ("ada@example.com", "bob@example.com", None)


@dataclass
class WatchedConnector(MemoryConnector):
    """Notes what Tandem writes to records that are merged away already."""

    to_losers: list[RecordId | None] = field(default_factory=list)

    async def write(self, entity: Entity, writes: Sequence[Write]) -> Sequence[WriteResult]:
        records = self.system.records.get(entity, {})
        self.to_losers += [w.id for w in writes if w.id in records and records[w.id].get("merged")]
        return await super().write(entity, writes)


class MergesOnBothSides(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.count = 0
        self.records: list[tuple[Entity, RecordId]] = []
        self.into: dict[RecordId, RecordId] = {}
        self.typed: set[str] = set()
        self.replaced: set[str] = set()
        self.forms = 0
        self.has_marketing_merged = False

    @initialize(
        in_crm=st.sampled_from(MergeRule),
        in_marketing=st.sampled_from([MergeRule.HOLD, MergeRule.CARRY]),
        known=st.integers(0, 5),
    )
    def rules_are_chosen(self, in_crm: MergeRule, in_marketing: MergeRule, known: int) -> None:
        """Five records, some of which marketing knows already."""
        self.in_crm, self.in_marketing = in_crm, in_marketing
        chosen = {"merged_in_crm": in_crm, "merged_in_marketing": in_marketing}
        self.world.policies = small_policies(**chosen)
        self.world.policies[CONTACT] = replace(self.world.policies[CONTACT], **chosen)  # type: ignore[arg-type]

        for number, entity in enumerate((LEAD, CONTACT, LEAD, CONTACT, CONTACT)):
            self.somebody_is_entered(entity, ADDRESSES[number % 3])
            if number == known:
                self.a_pass_completes(30)

    # --- people

    @rule(entity=st.sampled_from([LEAD, CONTACT]), email=st.sampled_from(ADDRESSES))
    def somebody_is_entered(self, entity: Entity, email: str | None) -> None:
        self.count += 1
        id_ = RecordId(f"00000000-0000-0000-0000-{self.count:012d}")
        self.world.crm.create(entity, {"lastname": self.token(), "emailaddress1": email}, id_)
        self.records.append((entity, id_))

    @rule(email=st.sampled_from(ADDRESSES))
    def somebody_fills_in_a_form(self, email: str | None) -> None:
        self.world.marketing.create(PERSON, {"lastName": "Form", "email": email})
        self.forms += 1

    @rule(first=st.integers(0, 20), second=st.integers(0, 20))
    def two_records_are_merged_in_crm(self, first: int, second: int) -> None:
        active = [each for each in self.records if not self.world.crm.records[each[0]][each[1]].get("statecode")]
        if not active:
            return
        entity, loser = active[first % len(active)]
        same = [id_ for kind, id_ in active if kind == entity and id_ != loser]
        if same:
            survivor = same[second % len(same)]
            self.replaced |= {str(value) for value in self.world.crm.records[entity][loser].values()}
            self.world.crm.merge(entity, loser, survivor)
            self.into[loser] = survivor

    @rule(first=st.integers(0, 20), second=st.integers(0, 20))
    def two_people_are_merged_in_marketing(self, first: int, second: int) -> None:
        people = list(self.world.marketing.records.get(PERSON, {}))
        if len(people) > 1:
            loser = people[first % len(people)]
            survivor = [id_ for id_ in people if id_ != loser][second % (len(people) - 1)]
            self.replaced |= {str(value) for value in self.world.marketing.records[PERSON][loser].values()}
            self.world.marketing.merge(PERSON, loser, survivor)
            self.has_marketing_merged = True

    @rule(place=st.integers(0, 20))
    def a_seller_edits(self, place: int) -> None:
        open_ = [each for each in self.records if not self.world.crm.records[each[0]][each[1]].get("statecode")]
        if open_:
            entity, id_ = open_[place % len(open_)]
            self.replaced.add(str(self.world.crm.records[entity][id_].get("firstname")))
            self.world.crm.edit(entity, id_, {"firstname": self.token()})

    @rule(place=st.integers(0, 20))
    def a_marketer_edits(self, place: int) -> None:
        known = [id_ for id_, values in self.world.marketing.records.get(PERSON, {}).items() if values.get("crmKey")]
        if known:
            id_ = known[place % len(known)]
            self.replaced.add(str(self.world.marketing.records[PERSON][id_].get("phone")))
            self.world.marketing.edit(PERSON, id_, {"phone": self.token()}, source="Lead update")

    @rule(place=st.integers(0, 20), side=st.sampled_from(Side))
    def somebody_opts_out(self, place: int, side: Side) -> None:
        if side is Side.CRM and self.records:
            entity, id_ = self.records[place % len(self.records)]
            if not self.world.crm.records[entity][id_].get("merged"):
                self.world.crm.edit(entity, id_, {"donotbulkemail": True})
        people = list(self.world.marketing.records.get(PERSON, {}))
        if side is Side.MARKETING and people:
            self.world.marketing.edit(PERSON, people[place % len(people)], {"unsubscribed": True})

    # --- trouble

    @rule(side=st.sampled_from(Side), fault=st.sampled_from(Fault), skip=st.integers(0, 2))
    def a_call_goes_wrong(self, side: Side, fault: Fault, skip: int) -> None:
        self.world.system(side).faults.extend([*(None,) * skip, fault])

    @rule(calls=st.integers(1, 60), is_after=st.booleans())
    def a_pass_crashes(self, calls: int, is_after: bool) -> None:
        try:
            self.run_pass(CrashingStore(self.world.store, calls, is_after=is_after))
        except CrashError as death:
            note(f"crashed at {death}")
        self.world.store = MemoryStore(self.world.store.state)
        self.world.clock.advance(200)

    # --- passes

    @rule(seconds=st.sampled_from([2, 30, 100]))
    def a_pass_completes(self, seconds: int) -> None:
        self.run_pass(self.world.store)
        self.world.clock.advance(seconds)
        self.world.marketing.land_late()
        self.world.crm.land_late()

    @rule()
    def everybody_goes_home(self) -> None:
        for system in (self.world.crm, self.world.marketing):
            system.faults.clear()
            system.land_late()
        for _ in range(12):
            self.world.clock.advance(100)
            before = self.writes()
            self.run_pass(self.world.store)
            waiting = sum(status.waiting for status in self.world.store.load_status())
            if self.writes() == before and not self.world.store.load_open_rows() and not waiting:
                break
        self.world.clock.advance(100)
        before = self.writes()
        self.run_pass(self.world.store)
        assert self.writes() == before, "R1: nothing changed, and something was written"
        assert not self.world.store.load_open_rows()
        self.check_people()
        self.check_edits()
        self.check_opt_outs()

    @invariant()
    def no_record_is_linked_twice(self) -> None:
        links = [link for e in (LEAD, CONTACT) for link in self.world.store.iter_links(e) if link.status != "tombstone"]
        for ends in ([link.crm for link in links if link.crm], [link.marketing for link in links if link.marketing]):
            assert len(ends) == len(set(ends))

    # --- the oracle

    def check_people(self) -> None:
        """R4: one person a key, and nobody beside those whom people made or records stand for."""
        people = self.world.marketing.records.get(PERSON, {})
        keys = [str(values["crmKey"]) for values in people.values() if values.get("crmKey")]
        assert len(keys) == len(set(keys)), "R4: one record, two people"
        assert set(keys) <= {id_ for _, id_ in self.records}, "R4: somebody was invented"
        if not self.has_marketing_merged:
            missing = {id_ for _, id_ in self.records if id_ not in self.into} - set(keys)
            assert not missing, "R4: a record that nobody merged away has lost its person"
        if self.in_crm is MergeRule.CARRY:
            held = {row.crm.id for row in self.world.store.load_holds(1000) if row.crm}
            losers = {key for key in keys if RecordId(key) in self.into} - held
            assert not losers or all(self.is_unlinked(key) for key in losers), "a merged record kept its person"

    def is_unlinked(self, key: str) -> bool:
        """A person may still carry the key of a record whose link has ended."""
        id_ = RecordId(key)
        links = [self.world.store.find_links(Side.CRM, entity, [id_]).get(id_) for entity in (LEAD, CONTACT)]
        return all(link is None or link.status == "tombstone" or link.crm is None for link in links)

    def check_edits(self) -> None:
        """R3: what was typed stands on a living record, in a conflict, is held, or somebody merged it away."""
        conflicts = self.world.store.load_conflicts(10_000)
        known = {str(value) for row in conflicts for value in (row.conflict.crm, row.conflict.marketing)}
        systems = (self.world.crm, self.world.marketing)
        there = {str(v) for s in systems for kind in s.records.values() for r in kind.values() for v in r.values()}
        lost = self.typed - known - there - self.replaced
        assert not lost, f"R3: {lost}"

    def check_opt_outs(self) -> None:
        """R8: a person in step with a record says no where the record does."""
        for entity in (LEAD, CONTACT):
            for link in self.world.store.iter_links(entity):
                if link.status != "live" or link.crm is None or link.marketing is None:
                    continue
                record = self.world.crm.records[entity].get(link.crm.id, {})
                person = self.world.marketing.records.get(PERSON, {}).get(link.marketing.id, {})
                if not record.get("merged"):
                    assert bool(record.get("donotbulkemail")) == bool(person.get("unsubscribed")), "R8"

    # --- helpers

    def run_pass(self, store: Store) -> None:
        engine = self.engine(store)
        try:
            asyncio.run(run_pass(engine))
        except TransientError:
            note("a side was busy")
        assert isinstance(engine.crm, WatchedConnector)
        assert not engine.crm.to_losers, "a record that was merged away was written to"

    def engine(self, store: Store) -> Engine:
        engine = self.world.engine(store)
        engine.crm = WatchedConnector(self.world.crm, self.world.page_size)
        return engine

    def writes(self) -> int:
        return self.world.crm.writes + self.world.marketing.writes

    def token(self) -> str:
        self.count += 1
        self.typed.add(f"v{self.count}")
        return f"v{self.count}"


MergesOnBothSides.TestCase.settings = settings(deadline=None, stateful_step_count=25, max_examples=120)
TestMergesOnBothSides = MergesOnBothSides.TestCase
