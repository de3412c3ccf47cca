"""Whatever is done to them in whatever order, the memory store and SQLite answer the same.

The contract says what each operation does; this walks through long sequences of them that nobody thought of.
"""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from tandem.core.errors import StoreError
from tandem.core.plan import Hold, LinkPlan, Plan
from tandem.core.record import (
    CONTACT,
    LEAD,
    PERSON,
    Lane,
    LinkStatus,
    Presence,
    ReadNumber,
    RecordId,
    RecordKey,
    Side,
    State,
)
from tandem.ports import Claim, JournalState, Outcome, Store
from tandem.store import open_store
from tandem.store.memory import MemoryStore
from tests.conformance.store_world import (
    EMAIL,
    FIELDS,
    NAME,
    NOW,
    PAIRS,
    a_conflict,
    a_create,
    a_link_plan,
    a_state,
    again,
    an_update,
    claim,
    contact,
    lead,
    person,
    ref,
    refs_of,
    save,
)

IDS = st.sampled_from(["1", "2", "3"])
CRM_KEYS = st.one_of(IDS.map(lead), IDS.map(contact))
KEYS = st.one_of(CRM_KEYS, IDS.map(person))
# Above what the stores draw: a reading is newer than a suspicion they note.
NUMBERS = st.integers(1_001, 1_004)
FATES = st.sampled_from(
    [JournalState.DONE, JournalState.REJECTED, JournalState.WITHDRAWN, JournalState.UNKNOWN],
)


def claims_of(store: Store) -> list[Claim]:
    """Links that became due in one transaction are due in no particular order."""
    return sorted(claim(store, limit=99), key=repr)


QUESTIONS: list[Callable[[Store], object]] = [
    claims_of,
    lambda store: list(store.load_open_rows()),
    lambda store: list(store.load_rejected(99)),
    lambda store: list(store.load_conflicts(99)),
    lambda store: sorted(store.load_holds(99), key=repr),
    lambda store: [each for each in store.load_status() if each.linked or each.pending or each.waiting],
    lambda store: store.highest_marketing_id(PERSON),
    lambda store: sorted(store.find_unseen(Side.CRM, LEAD, ReadNumber(1_003))),
    lambda store: sorted(store.find_unseen(Side.CRM, CONTACT, ReadNumber(1_003))),
]


class TwoStores(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.memory: Store = MemoryStore()
        self.sqlite: Store = open_store(f"sqlite:///{Path(self.folder.name) / 'state.db'}", "main")
        for store in (self.memory, self.sqlite):
            store.use_mappings(PAIRS, FIELDS)

    def teardown(self) -> None:
        try:
            for place in range(len(QUESTIONS)):
                self.they_answer_the_same(place)
        finally:
            self.sqlite.close()
            self.folder.cleanup()

    def both(self, act: Callable[[Store], object]) -> None:
        """Do it to both; they accept it or refuse it alike."""
        self.level_read_numbers()
        answers: list[object] = []
        for store in (self.memory, self.sqlite):
            try:
                answers.append(act(store))
            except StoreError:
                answers.append(StoreError)
        assert answers[0] == answers[1]

    def level_read_numbers(self) -> None:
        """A store may draw more of them than another for what it does inside."""
        memory, sqlite = self.memory.next_read_number(), self.sqlite.next_read_number()
        while memory < sqlite:
            memory = self.memory.next_read_number()
        while sqlite < memory:
            sqlite = self.sqlite.next_read_number()

    @rule(key=KEYS, number=NUMBERS, presence=st.sampled_from(Presence), lane=st.sampled_from(Lane))
    def a_record_is_read(self, key: RecordKey, number: int, presence: Presence, lane: Lane) -> None:
        values = ("Ann", None, None) if key.side is Side.MARKETING else ("Ann", None)
        present = presence is Presence.PRESENT
        state = replace(a_state(key, number), values=values if present else (), presence=presence)
        self.both(lambda store: save(store, state, lane=lane))

    @rule(crm=CRM_KEYS, marketing=IDS.map(person), alias=st.none() | IDS.map(lead), parent=st.none() | CRM_KEYS)
    def two_records_are_linked(
        self, crm: RecordKey, marketing: RecordKey, alias: RecordKey | None, parent: RecordKey | None
    ) -> None:
        plan = a_link_plan(crm, marketing, aliases=(alias,) if alias else (), waits_for=(parent,) if parent else ())
        self.commit(plan)

    @rule(crm=CRM_KEYS)
    def a_create_is_planned(self, crm: RecordKey) -> None:
        self.commit(a_link_plan(crm, actions=(a_create(),)))

    @rule(
        status=st.sampled_from(LinkStatus),
        is_held=st.booleans(),
        is_conflict=st.booleans(),
        is_update=st.booleans(),
        place=st.integers(0, 3),
    )
    def claimed_work_is_planned(
        self, status: LinkStatus, is_held: bool, is_conflict: bool, is_update: bool, place: int
    ) -> None:
        claims = claim(self.memory)
        if not claims:
            return
        work = claims[place % len(claims)]
        if work.link is None:
            self.both(lambda store: store.commit_plan(Plan(ignored=tuple(refs_of([work]))), "run", NOW))
            return
        update = an_update(work.link.marketing) if work.link.marketing and is_update else None
        self.commit(
            again(
                work.link,
                status=status,
                actions=(update,) if update else (),
                holds=(Hold(NAME, "held"), Hold(EMAIL, "held"))[: 1 + place % 2] if is_held else (),
                conflicts=(a_conflict(),) if is_conflict else (),
                confirmed=tuple(row.number for row in work.written),
                consumed=tuple(refs_of([work])),
            )
        )

    @rule(fate=FATES, id_=IDS, is_suspect=st.booleans(), is_parked=st.booleans())
    def an_outcome_is_recorded(self, fate: JournalState, id_: str, is_suspect: bool, is_parked: bool) -> None:
        rows = self.memory.load_open_rows()
        if rows:
            self.both(lambda store: store.mark_sent([rows[0].number], NOW))
            parked = (NAME,) if is_parked else ()
            outcome = Outcome(rows[0].number, fate, RecordId(id_), error="why", suspect=is_suspect, parked=parked)
            self.both(lambda store: store.record_outcomes([outcome], NOW))

    @rule(key=KEYS, lane=st.sampled_from(Lane))
    def a_link_is_made_due(self, key: RecordKey, lane: Lane) -> None:
        found = self.memory.find_links(key.side, key.entity, [key.id]).values()
        self.both(lambda store: store.make_due([link.number for link in found], lane=lane))

    @rule(key=KEYS, number=NUMBERS)
    def a_row_is_deferred(self, key: RecordKey, number: int) -> None:
        row = ref(State(key, ReadNumber(number)))
        self.both(lambda store: store.commit_plan(Plan(deferred=((row, 60.0),)), "run", NOW))

    def commit(self, plan: LinkPlan) -> None:
        self.both(lambda store: store.commit_plan(Plan(links=(plan,)), "run", NOW))

    @rule(place=st.integers(0, len(QUESTIONS) - 1))
    def they_answer_the_same(self, place: int) -> None:
        assert QUESTIONS[place](self.memory) == QUESTIONS[place](self.sqlite)


TestTwoStores = TwoStores.TestCase
