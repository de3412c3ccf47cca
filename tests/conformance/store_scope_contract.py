"""What a store tells of filters, pilots and the ceiling of people."""

from dataclasses import replace

from tandem.core.plan import ConflictKind, Hold, InboxRef, Plan
from tandem.core.record import LEAD, PERSON, Cursor, RecordKey, Side, State
from tandem.ports import JournalState, Store
from tests.conformance.store_world import (
    NAME,
    NOW,
    a_conflict,
    a_create,
    a_link,
    a_link_plan,
    a_state,
    account,
    again,
    an_update,
    claim,
    commit,
    finish,
    later,
    lead,
    person,
    ref,
    save,
    suspect,
)


class SettledContract:
    def test_a_decision_lasts_beyond_its_plan(self, store: Store) -> None:
        link = a_link(store, lead("a"), person("1"))
        commit(store, again(link, conflicts=(a_conflict(),), holds=(Hold(NAME, "held"),)))
        assert store.load_settled(NOW) == {}
        (row,) = store.load_conflicts(1)
        assert store.settle_conflict(row.number, Side.MARKETING, NOW)
        (settled,) = store.load_settled(NOW)[link.number]
        assert (settled.conflict, settled.side) == (a_conflict(), Side.MARKETING)
        assert [found.link.number for found in claim(store) if found.link] == [link.number]
        commit(store, again(link))
        assert store.load_settled(NOW).keys() == {link.number}
        assert store.load_settled(later(1)) == {}
        assert not store.settle_conflict(row.number, Side.CRM, NOW)

    def test_what_leaves_no_choice_is_not_settled(self, store: Store) -> None:
        link = a_link(store, lead("a"), person("1"))
        deleted = replace(a_conflict(), kind=ConflictKind.DELETED)
        commit(store, again(link, conflicts=(deleted,), holds=(Hold(NAME, "held"),)))
        (row,) = store.load_conflicts(1)
        assert row.is_open
        assert not store.settle_conflict(row.number, Side.CRM, NOW)
        assert not store.settle_conflict(row.number + 1, Side.CRM, NOW)


class ScopeContract:
    def test_a_row_remembers_the_watermark_at_which_it_first_came(self, store: Store) -> None:
        def read(read_number: int, at: float) -> None:
            states: list[State] = [a_state(lead("a"), read_number)]
            store.save_page(Side.CRM, LEAD, states, [], Cursor("c"), complete_until=later(at), search={})

        read(5, 10)
        assert store.load_known_until([lead("a")]) == {}
        commit(store, a_link_plan(lead("a"), consumed=(InboxRef(lead("a"), a_state(lead("a"), 5).read_number),)))
        read(6, 20)
        read(7, 30)
        assert store.load_known_until([lead("a"), lead("b")]) == {lead("a"): later(10)}

    def test_present_records_that_wait_are_counted_deferred_or_not(self, store: Store) -> None:
        known = a_state(person("1"), 5)
        save(store, known, a_state(person("2"), 5), suspect(person("3"), 5))
        save(store, a_state(lead("a"), 5))
        store.commit_plan(Plan(deferred=((ref(known), 100.0),)), "run", NOW)
        assert store.count_inbox(Side.MARKETING, PERSON) == 2

    def test_what_is_deferred_is_claimed_once_it_is_woken(self, store: Store) -> None:
        state = a_state(lead("a"), 5)
        save(store, state)
        store.commit_plan(Plan(deferred=((ref(state), 1e9),)), "run", NOW)
        assert not claim(store)
        store.wake_inbox()
        assert [found.crm for found in claim(store)] == [state]

    def test_creates_count_from_when_they_are_meant_until_they_have_failed(self, store: Store) -> None:
        links = [a_link(store, lead(name)) for name in "abcd"]
        before = store.last_journal_number()
        rows = [*commit(store, *(again(link, actions=(a_create(),)) for link in links))]
        commit(store, again(a_link(store, lead("e"), person("9")), actions=(an_update(person("9")),)))
        assert store.count_made(Side.MARKETING, PERSON, before) == 4
        store.mark_sent([row.number for row in rows], NOW)
        finish(store, rows[0], id="1")
        finish(store, rows[1], JournalState.REJECTED, error="no")
        finish(store, rows[2], JournalState.WITHDRAWN)
        assert store.count_made(Side.MARKETING, PERSON, before) == 2
        assert store.count_made(Side.MARKETING, PERSON, rows[0].number) == 1
        assert store.count_made(Side.CRM, LEAD, 0) == 0
        assert store.last_journal_number() > rows[3].number

    def test_records_that_others_wait_for_are_known(self, store: Store) -> None:
        commit(store, a_link_plan(lead("a"), waits_for=(account("x"), account("y"))))
        asked: list[RecordKey] = [account("x"), account("z")]
        assert store.find_awaited(asked) == {account("x")}

    def test_what_a_filter_keeps_out_is_listed_oldest_first(self, store: Store) -> None:
        first, second = a_link(store, lead("a"), person("1")), a_link(store, lead("b"), person("2"))
        other = a_link(store, lead("c"), person("3"))
        commit(store, again(second, holds=(Hold(None, "paused: it does not pass"),)), now=later(5))
        commit(store, again(first, holds=(Hold(None, "paused: it does not pass"),)), now=later(1))
        commit(store, again(other, holds=(Hold(None, "both changed: held"),)), now=later(2))
        assert [(row.crm, row.since) for row in store.load_paused(10)] == [(lead("a"), later(1)), (lead("b"), later(5))]
        assert len(store.load_paused(1)) == 1
        assert store.count_paused() == 2
