"""What committing a plan does, all of it or nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.core.errors import StoreError
from tandem.core.mapping import Winner
from tandem.core.plan import Hold, InboxRef, Plan
from tandem.core.record import LEAD, PERSON, UNKNOWN, Base, LinkStatus, ReadNumber, Side, Version
from tandem.ports import HoldRow, JournalState, Store
from tests.conformance.store_world import (
    ANN,
    EMAIL,
    NAME,
    NOW,
    PAIRS,
    OpenStore,
    a_base,
    a_conflict,
    a_create,
    a_link,
    a_link_plan,
    a_state,
    account,
    again,
    an_open_row,
    an_update,
    claim,
    commit,
    contact,
    each_example_uses_records_of_its_own,
    finish,
    keys_of,
    later,
    lead,
    link_of,
    load_link,
    person,
    ref,
    save,
)

NAMES = ["a|a", "b|b", "c|c", "d|d"]
ORDERS = st.lists(st.sampled_from(NAMES), unique=True, min_size=1)


class PlanContract:
    def test_new_links_and_their_actions_are_stored_in_order(self, open_store: OpenStore) -> None:
        store = open_store()
        update, create = an_update(person("2")), a_create()
        base = Base(("Ann", UNKNOWN), ("Anne", UNKNOWN))
        rows = commit(
            store,
            a_link_plan(lead("a"), actions=(create,), crm_version=Version("v1")),
            a_link_plan(lead("b"), person("2"), actions=(update,), base=base),
        )
        first, second = link_of(store, lead("a")), link_of(store, lead("b"))
        assert [(row.link, row.action, row.state) for row in rows] == [
            (first.number, create, JournalState.INTENDED),
            (second.number, update, JournalState.INTENDED),
        ]
        assert (rows[0].crm, rows[0].marketing) == (lead("a"), None)
        assert (first.status, first.crm_version, first.marketing) == (LinkStatus.PENDING, Version("v1"), None)
        assert (second.status, second.base) == (LinkStatus.LIVE, base)
        assert open_store().load_open_rows() == rows

    def test_a_known_link_is_replaced_but_for_its_written_numbers(self, store: Store) -> None:
        link = a_link(store, lead("a"), person("1"))
        finish(store, an_open_row(store, link))
        written = load_link(store, link.number).marketing_written
        commit(store, again(link, base=a_base(), crm_version=Version("v2"), status=LinkStatus.TOMBSTONE))
        after = load_link(store, link.number)
        assert (after.base, after.crm_version, after.status) == (a_base(), "v2", LinkStatus.TOMBSTONE)
        assert after.marketing_written == written > 0

    def test_a_plan_that_changes_no_link_leaves_it_alone(self, store: Store) -> None:
        link = a_link(store, lead("a"), person("1"), base=a_base(), crm_version=Version("v1"))
        state = a_state(lead("a"), 2)
        save(store, state)
        other = again(link, base=Base.unknown(2), crm_version=Version("v9"), changes_link=False, consumed=(ref(state),))
        commit(store, other)
        assert load_link(store, link.number) == link
        assert claim(store) == []

    def test_a_contact_takes_over_the_link_of_its_lead(self, store: Store) -> None:
        link = a_link(store, lead("a"), person("1"), base=a_base())
        own = a_link(store, contact("c"))
        commit(
            store,
            again(link, crm=contact("c"), crm_entity=contact("c").entity, aliases=(lead("a"),)),
            again(own, status=LinkStatus.TOMBSTONE),
        )
        taken = link_of(store, contact("c"))
        assert (taken.number, taken.base, taken.marketing) == (link.number, a_base(), person("1"))
        assert link_of(store, lead("a")).number == link.number

    @pytest.mark.parametrize("is_crm_end", [True, False])
    def test_two_live_links_of_one_record_are_refused_with_the_whole_plan(self, store: Store, is_crm_end: bool) -> None:
        a_link(store, lead("a"), person("1"))
        state = a_state(lead("b"), 1)
        save(store, state)
        double = a_link_plan(lead("a"), person("9")) if is_crm_end else a_link_plan(lead("z"), person("1"))
        with pytest.raises(StoreError, match="two links"):
            commit(store, a_link_plan(lead("b"), actions=(a_create(),), consumed=(ref(state),)), double)
        assert store.find_links(Side.CRM, LEAD, [lead("b").id]) == {}
        assert store.load_open_rows() == []
        assert keys_of(claim(store)) == [lead("b")]

    def test_an_id_of_a_tombstone_is_free(self, store: Store) -> None:
        old = a_link(store, lead("a"), person("1"))
        commit(store, again(old, status=LinkStatus.TOMBSTONE), a_link_plan(lead("a"), person("2")))
        assert link_of(store, lead("a")).marketing == person("2")

    def test_rows_go_unless_a_newer_reading_has_replaced_them(self, store: Store) -> None:
        old, kept, ignored = (a_state(lead(id_), 1) for id_ in "abc")
        save(store, old, kept, ignored)
        save(store, a_state(lead("b"), 2))
        plan = Plan(links=(a_link_plan(lead("a"), consumed=(ref(old), ref(kept))),), ignored=(ref(ignored),))
        store.commit_plan(plan, "run", NOW)
        assert keys_of(claim(store)) == [lead("b")]
        store.commit_plan(Plan(ignored=(InboxRef(lead("b"), ReadNumber(1)),)), "run", NOW)
        assert keys_of(claim(store)) == [lead("b")]

    @each_example_uses_records_of_its_own
    @given(stored=ORDERS, wanted=ORDERS)
    def test_a_base_follows_the_mapping_by_name(self, store: Store, stored: list[str], wanted: list[str]) -> None:
        store.use_mappings({LEAD: stored}, {})
        id_ = str(store.next_read_number())
        base = Base(tuple(f"crm {name}" for name in stored), tuple(f"marketing {name}" for name in stored))
        number = a_link(store, lead(id_), person(id_), base=base, crm_version=Version("v1")).number
        store.use_mappings({LEAD: wanted}, {})
        link = load_link(store, number)
        known = set(stored)
        assert link.base.crm == tuple(f"crm {name}" if name in known else UNKNOWN for name in wanted)
        assert link.base.marketing == tuple(f"marketing {name}" if name in known else UNKNOWN for name in wanted)
        assert link.crm_version == ("v1" if set(wanted) <= known else None)

    def test_links_come_one_by_one_for_one_entity(self, store: Store) -> None:
        commit(store, *(a_link_plan(lead(str(place))) for place in range(1_100)))
        a_link(store, contact("c"))
        ids = [link.crm.id for link in store.iter_links(LEAD) if link.crm]
        assert ids == [str(place) for place in range(1_100)]


class WaitContract:
    def test_a_link_waiting_for_a_parent_is_due_once_the_parent_is_linked(self, store: Store) -> None:
        child = a_link(store, contact("c"), person("1"), waits_for=(account("acme"), account("other")))
        a_link(store, account("acme"), None)
        assert claim(store) == []
        commit(store, again(link_of(store, account("acme")), marketing=person("99"), status=LinkStatus.LIVE))
        assert [found.link for found in claim(store)] == [child]

    def test_an_outcome_wakes_too(self, store: Store) -> None:
        child = a_link(store, contact("c"), person("1"), waits_for=(lead("parent"),))
        row = an_open_row(store, a_link(store, lead("parent")), a_create())
        assert claim(store) == []
        finish(store, row, id=person("7").id)
        assert [found.link for found in claim(store)] == [child]

    def test_a_parent_linked_in_the_meantime_is_not_waited_for(self, store: Store) -> None:
        a_link(store, account("acme"), person("99"))
        child = a_link(store, contact("c"), person("1"), waits_for=(account("acme"),))
        assert [found.link for found in claim(store)] == [child]

    def test_waits_are_replaced_with_each_plan(self, store: Store) -> None:
        child = a_link(store, contact("c"), person("1"), waits_for=(account("acme"),))
        commit(store, again(child, changes_link=False))
        a_link(store, account("acme"), person("99"))
        assert claim(store) == []


class HoldContract:
    def test_a_links_holds_are_the_last_plans(self, store: Store) -> None:
        link = a_link(store, lead("a"), person("1"), holds=(Hold(NAME, "both changed"), Hold(None, "ambiguous")))
        commit(store, again(link, holds=(Hold(NAME, "still"),), changes_link=False), now=later(9))
        assert store.load_holds(5) == [HoldRow(lead("a"), person("1"), NAME, "still", NOW)]
        commit(store, again(link, changes_link=False))
        assert store.load_holds(5) == []

    def test_a_rejected_value_is_remembered_while_its_field_is_held(self, store: Store) -> None:
        link = a_link(store, lead("a"), person("1"))
        finish(store, an_open_row(store, link), JournalState.REJECTED, error="1003")
        commit(store, again(link, holds=(Hold(NAME, "parked"), Hold(EMAIL, "other"))))
        store.make_due([link.number])
        assert claim(store)[0].rejected == {NAME: "Anna"}
        commit(store, again(link, holds=(Hold(EMAIL, "other"),)))
        store.make_due([link.number])
        assert claim(store)[0].rejected == {}


class ConflictContract:
    def test_a_conflict_keeps_both_values_and_its_base(self, store: Store) -> None:
        held, won = a_conflict(), a_conflict(Winner.CRM, EMAIL)
        a_link(store, lead("a"), person("1"), conflicts=(held, won), holds=(Hold(NAME, "both changed"),))
        newest, oldest = store.load_conflicts(5)
        assert (newest.conflict, newest.is_open) == (won, False)
        assert (oldest.conflict, oldest.is_open, oldest.at) == (held, True, NOW)
        assert (oldest.crm, oldest.marketing) == (lead("a"), person("1"))
        assert store.load_conflicts(5, only_open=True) == [oldest]
        assert store.load_conflicts(1) == [newest]

    def test_an_unknown_base_stays_unknown(self, store: Store) -> None:
        first = a_conflict()
        unknown = type(first)(first.kind, NAME, UNKNOWN, UNKNOWN, "Anna", None, Winner.CRM, "first link")
        a_link(store, lead("a"), person("1"), conflicts=(unknown,))
        assert store.load_conflicts(1)[0].conflict == unknown

    @pytest.mark.parametrize("winner", [Winner.HOLD, Winner.CRM])
    def test_a_conflict_planned_again_from_the_same_values_is_recorded_once(self, store: Store, winner: Winner) -> None:
        link = a_link(store, lead("a"), person("1"), conflicts=(a_conflict(winner),))
        commit(store, again(link, conflicts=(a_conflict(winner),)), now=later(9))
        assert [row.at for row in store.load_conflicts(5)] == [NOW]
        commit(store, again(link, conflicts=(a_conflict(winner, crm="Annika"),)))
        assert len(store.load_conflicts(5)) == 2
        assert len(store.load_conflicts(5, only_open=True)) == (1 if winner is Winner.HOLD else 0)

    def test_an_open_conflict_ends_when_nothing_of_it_is_held(self, store: Store) -> None:
        link = a_link(store, lead("a"), person("1"), conflicts=(a_conflict(),), holds=(Hold(NAME, "both changed"),))
        commit(store, again(link, holds=(Hold(NAME, "both changed"),)))
        assert len(store.load_conflicts(5, only_open=True)) == 1
        commit(store, again(link))
        assert store.load_conflicts(5, only_open=True) == []
        assert len(store.load_conflicts(5)) == 1


class StatusContract:
    def test_the_counts_of_each_entity(self, store: Store) -> None:
        live = a_link(store, lead("a"), person("1"), conflicts=(a_conflict(),), holds=(Hold(EMAIL, "both changed"),))
        finish(store, an_open_row(store, live), JournalState.REJECTED, error="1003")
        an_open_row(store, a_link(store, lead("b")), a_create())
        commit(store, again(a_link(store, lead("c"), person("3")), status=LinkStatus.TOMBSTONE))
        save(store, a_state(lead("d"), 9))
        save(store, a_state(person("1"), 9, (*ANN, "a")))
        store.make_due([live.number])
        status = {each.crm_entity: each for each in store.load_status()}
        assert set(status) == set(PAIRS)
        found = status[LEAD]
        assert (found.linked, found.pending, found.tombstoned, found.waiting) == (1, 1, 1, 3)
        assert (found.open_actions, found.rejected, found.held, found.conflicts) == (1, 1, 1, 1)
        assert status[contact("x").entity].linked == 0

    def test_people_linked_with_nothing_wait_under_their_own_name(self, store: Store) -> None:
        save(store, a_state(person("1"), 1, (*ANN, None)), a_state(person("2"), 1, (*ANN, None)))
        assert {each.crm_entity: each.waiting for each in store.load_status() if each.waiting} == {PERSON: 2}
