"""What a claim takes, what it leaves, and what it brings along."""

from tandem.core.plan import InboxRef, Plan
from tandem.core.record import ACCOUNT, CONTACT, LEAD, PERSON, Lane, LinkStatus, ReadNumber, RecordId, Side, Version
from tandem.ports import JournalState, Store
from tests.conformance.store_world import (
    ANN,
    NAME,
    NOW,
    a_create,
    a_link,
    a_link_plan,
    a_record,
    a_state,
    a_write,
    account,
    again,
    an_open_row,
    an_update,
    claim,
    commit,
    contact,
    finish,
    keys_of,
    later,
    lead,
    link_of,
    person,
    ref,
    save,
    save_records,
)


class ClaimContract:
    def test_crm_rows_come_first_by_entity_then_by_arrival(self, store: Store) -> None:
        save(store, a_state(person("1"), 1, (*ANN, None)))
        save(store, a_state(lead("b"), 1), a_state(lead("a"), 1))
        save(store, a_state(contact("c"), 1))
        save(store, a_state(account("d"), 1, ("Acme",)))
        assert keys_of(claim(store)) == [account("d"), contact("c"), lead("b"), lead("a"), person("1")]
        assert keys_of(claim(store, limit=3)) == [account("d"), contact("c"), lead("b")]
        assert keys_of(store.claim(PERSON, [LEAD], 10, NOW)) == [lead("b"), lead("a"), person("1")]

    def test_a_claim_marks_nothing(self, store: Store) -> None:
        save(store, a_state(lead("a"), 1))
        assert claim(store) == claim(store)

    def test_a_claim_takes_both_sides_rows_and_the_link_once(self, store: Store) -> None:
        link = a_link(store, lead("a"), person("1"))
        crm, marketing = a_state(lead("a"), 2), a_state(person("1"), 2, (*ANN, "a"))
        save(store, crm)
        save(store, marketing)
        (found,) = claim(store)
        assert (found.link, found.crm, found.marketing, found.alias_of) == (link, crm, marketing, None)

    def test_a_marketing_row_of_a_link_comes_with_its_crm_row_whatever_entity_is_asked_for(self, store: Store) -> None:
        a_link(store, contact("c"), person("1"))
        save(store, a_state(contact("c"), 2))
        save(store, a_state(person("1"), 2, (*ANN, "c")))
        (found,) = store.claim(PERSON, [LEAD], 10, NOW)
        assert found.crm == a_state(contact("c"), 2)

    def test_an_unlinked_row_has_no_link(self, store: Store) -> None:
        state = a_state(person("1"), 1, (*ANN, None))
        save(store, state)
        (found,) = claim(store)
        assert (found.link, found.crm, found.marketing) == (None, None, state)

    def test_rows_of_a_link_with_an_open_journal_row_wait(self, store: Store) -> None:
        link = a_link(store, lead("a"), person("1"), aliases=(lead("old"),))
        row = an_open_row(store, link)
        save(store, a_state(lead("a"), 2), a_state(lead("old"), 2), a_state(lead("free"), 2))
        save(store, a_state(person("1"), 2, (*ANN, "a")))
        store.make_due([link.number])
        assert keys_of(claim(store)) == [lead("free")]
        finish(store, row, JournalState.UNKNOWN)
        assert keys_of(claim(store)) == [lead("free")]
        finish(store, row)
        assert keys_of(claim(store)) == [lead("a"), lead("free")]

    def test_blocked_rows_do_not_use_up_the_limit(self, store: Store) -> None:
        for place in range(3):
            key = lead(f"busy-{place}")
            save(store, a_state(key, 1))
            an_open_row(store, a_link(store, key), a_create())
        save(store, a_state(lead("free"), 2))
        assert keys_of(claim(store, limit=1)) == [lead("free")]

    def test_a_deferred_row_comes_back_when_its_time_has_come(self, store: Store) -> None:
        state = a_state(lead("a"), 1)
        save(store, state)
        store.commit_plan(Plan(deferred=((ref(state), 30.0),)), "run", NOW)
        assert claim(store, now=later(29)) == []
        assert keys_of(claim(store, now=later(30))) == [lead("a")]

    def test_newer_news_end_a_deferral(self, store: Store) -> None:
        state = a_state(lead("a"), 1)
        save(store, state)
        store.commit_plan(Plan(deferred=((ref(state), 30.0),)), "run", NOW)
        save(store, a_state(lead("a"), 2))
        assert keys_of(claim(store)) == [lead("a")]

    def test_a_deferral_of_an_older_reading_does_nothing(self, store: Store) -> None:
        save(store, a_state(lead("a"), 2))
        old = InboxRef(lead("a"), ReadNumber(1))
        store.commit_plan(Plan(deferred=((old, 30.0),)), "run", NOW)
        assert keys_of(claim(store)) == [lead("a")]

    def test_a_deferred_row_comes_with_the_other_side(self, store: Store) -> None:
        a_link(store, lead("a"), person("1"))
        state = a_state(lead("a"), 2)
        save(store, state)
        store.commit_plan(Plan(deferred=((ref(state), 30.0),)), "run", NOW)
        save(store, a_state(person("1"), 2, (*ANN, "a")))
        (found,) = claim(store)
        assert found.crm == state


class DueContract:
    def test_a_due_link_is_claimed_without_rows_until_it_is_planned(self, store: Store) -> None:
        link = a_link(store, lead("a"), person("1"))
        assert claim(store) == []
        store.make_due([link.number])
        (found,) = claim(store)
        assert (found.link, found.crm, found.marketing) == (link, None, None)
        commit(store, again(link, changes_link=False))
        assert claim(store) == []

    def test_due_links_come_last_and_in_the_order_they_became_due(self, store: Store) -> None:
        one, two = a_link(store, lead("a"), person("1")), a_link(store, lead("b"), person("2"))
        store.make_due([two.number])
        store.make_due([one.number, two.number])
        save(store, a_state(person("9"), 9, (*ANN, None)))
        found = claim(store)
        assert found[0].link is None
        assert [each.link for each in found[1:]] == [two, one]
        assert len(claim(store, limit=2)) == 2
        assert [each.link for each in store.claim(PERSON, [CONTACT], 10, NOW)] == [None]

    def test_a_due_link_takes_its_rows_along(self, store: Store) -> None:
        link = a_link(store, lead("a"), person("1"))
        state = a_state(person("1"), 2, (*ANN, "a"))
        save(store, state)
        store.make_due([link.number])
        (found,) = claim(store)
        assert found.marketing == state


class LaneContract:
    def test_lanes_come_one_after_the_other_and_each_in_its_own_order(self, store: Store) -> None:
        save(store, a_state(account("slow"), 1, ("Acme",)), lane=Lane.SLOW)
        save(store, a_state(lead("b"), 1), a_state(lead("a"), 1))
        save(store, a_state(person("1"), 1, (*ANN, None)), lane=Lane.HOT)
        due, hot = a_link(store, lead("c"), person("2")), a_link(store, lead("d"), person("3"))
        store.make_due([due.number])
        store.make_due([hot.number], lane=Lane.HOT)
        found = claim(store)
        ends = [each.link.crm if each.link else key for each, key in zip(found, keys_of(found), strict=True)]
        assert ends == [person("1"), lead("d"), lead("b"), lead("a"), lead("c"), account("slow")]
        assert keys_of(claim(store, limit=1)) == [person("1")]

    def test_a_claim_goes_no_slower_than_it_is_asked_to(self, store: Store) -> None:
        save(store, a_state(lead("slow"), 1), lane=Lane.SLOW)
        save(store, a_state(lead("hot"), 1), lane=Lane.HOT)
        link = a_link(store, lead("due"), person("2"))
        store.make_due([link.number], lane=Lane.SLOW)
        entities = [ACCOUNT, CONTACT, LEAD]
        assert keys_of(store.claim(PERSON, entities, 10, NOW, slowest=Lane.NORMAL)) == [lead("hot")]
        assert len(store.claim(PERSON, entities, 10, NOW)) == 3

    def test_a_more_urgent_reading_moves_a_row_up_and_none_moves_it_down(self, store: Store) -> None:
        save(store, a_state(lead("up"), 1), a_state(lead("stays"), 1), lane=Lane.SLOW)
        save(store, a_state(lead("up"), 2), lane=Lane.HOT)
        save(store, a_state(lead("up"), 3), lane=Lane.SLOW)
        found = store.claim(PERSON, [LEAD], 10, NOW, slowest=Lane.HOT)
        assert [claim.crm for claim in found] == [a_state(lead("up"), 3)]

    def test_a_link_that_is_due_keeps_its_place_and_its_more_urgent_lane(self, store: Store) -> None:
        one, two = a_link(store, lead("a"), person("1")), a_link(store, lead("b"), person("2"))
        store.make_due([one.number], lane=Lane.SLOW)
        store.make_due([two.number])
        store.make_due([one.number])
        store.make_due([one.number], lane=Lane.SLOW)
        assert [each.link for each in claim(store)] == [one, two]

    def test_a_link_that_was_planned_starts_again_in_the_lane_it_becomes_due_in(self, store: Store) -> None:
        link = a_link(store, lead("a"), person("1"))
        store.make_due([link.number], lane=Lane.HOT)
        commit(store, again(link, changes_link=False))
        store.make_due([link.number], lane=Lane.SLOW)
        assert store.claim(PERSON, [LEAD], 10, NOW, slowest=Lane.NORMAL) == []
        assert len(claim(store)) == 1


class AliasContract:
    def test_an_alias_leads_to_its_link(self, store: Store) -> None:
        link = a_link(store, contact("c"), person("1"), aliases=(lead("a"),))
        state = a_state(lead("a"), 2)
        save(store, state)
        (found,) = claim(store)
        assert (found.link, found.crm, found.alias_of) == (link, state, link.number)
        assert link_of(store, lead("a")) == link

    def test_the_link_and_its_alias_are_claimed_one_after_the_other(self, store: Store) -> None:
        link = a_link(store, contact("c"), person("1"), aliases=(lead("a"),))
        save(store, a_state(contact("c"), 2))
        save(store, a_state(lead("a"), 2))
        assert keys_of(claim(store)) == [contact("c")]
        commit(store, again(link, consumed=(InboxRef(contact("c"), ReadNumber(2)),)))
        assert keys_of(claim(store)) == [lead("a")]

    def test_a_claim_of_an_alias_leaves_the_links_own_rows(self, store: Store) -> None:
        a_link(store, contact("c"), person("1"), aliases=(lead("a"),))
        save(store, a_state(lead("a"), 2))
        save(store, a_state(person("1"), 2, (*ANN, "c")))
        (found,) = claim(store)
        assert (found.crm, found.marketing) == (a_state(lead("a"), 2), None)

    def test_an_alias_moves_to_the_link_that_claims_it_last(self, store: Store) -> None:
        a_link(store, contact("c"), person("1"), aliases=(lead("a"),))
        last = a_link(store, contact("d"), person("2"), aliases=(lead("a"),))
        assert link_of(store, lead("a")) == last


class FindContract:
    def test_a_live_link_is_found_before_a_tombstone(self, store: Store) -> None:
        old = a_link(store, lead("a"), person("1"))
        commit(store, again(old, status=LinkStatus.TOMBSTONE))
        assert link_of(store, lead("a")).status is LinkStatus.TOMBSTONE
        new = a_link(store, lead("a"), person("2"))
        assert link_of(store, lead("a")) == new
        assert link_of(store, person("1")).number == old.number
        assert store.find_links(Side.CRM, CONTACT, [RecordId("a")]) == {}

    def test_more_ids_than_one_query_takes_are_found(self, store: Store) -> None:
        ids = [RecordId(f"id-{place}") for place in range(2_500)]
        commit(store, *(a_link_plan(lead(id_)) for id_ in ids))
        found = store.find_links(Side.CRM, LEAD, [*ids, RecordId("missing")])
        assert set(found) == set(ids)
        assert len(store.load_links([link.number for link in found.values()])) == 2_500


class HistoryContract:
    def test_a_write_that_was_read_back_at_once_is_confirmed(self, store: Store) -> None:
        link = a_link(store, lead("a"), person("1"))
        finish(store, an_open_row(store, link), is_confirmed=True)
        store.make_due([link.number])
        (found,) = claim(store)
        assert found.written == ()

    def test_a_claim_brings_unconfirmed_writes_with_the_change_records_since(self, store: Store) -> None:
        link = a_link(store, lead("a"), person("1"))
        row = an_open_row(store, link, an_update(person("1")))
        finish(store, row)
        before, since = a_record("g1", person("1"), later(-6)), a_record("g2", person("1"), later(-5))
        other = a_record("g3", person("2"), later(1))
        save_records(store, before, since, other)
        save(store, a_state(person("1"), 9, (*ANN, "a")))
        (found,) = claim(store)
        assert [written.number for written in found.written] == [row.number]
        assert found.written[0].state is JournalState.DONE
        assert found.records == (since,)

    def test_a_confirmed_write_comes_no_more(self, store: Store) -> None:
        link = a_link(store, lead("a"), person("1"))
        row = an_open_row(store, link)
        finish(store, row)
        save(store, a_state(person("1"), 9, (*ANN, "a")))
        commit(store, again(link, confirmed=(row.number,), changes_link=False))
        (found,) = claim(store)
        assert (found.written, found.records) == ((), ())

    def test_a_crm_write_needs_no_confirmation(self, store: Store) -> None:
        link = a_link(store, lead("a"), person("1"))
        finish(store, an_open_row(store, link, an_update(lead("a"))), version=Version("v2"))
        store.make_due([link.number])
        (found,) = claim(store)
        assert found.written == ()

    def test_a_claim_brings_what_was_rejected(self, store: Store) -> None:
        link = a_link(store, lead("a"), person("1"))
        finish(store, an_open_row(store, link), JournalState.REJECTED, error="1003: not this value")
        save(store, a_state(lead("a"), 9))
        (found,) = claim(store)
        assert found.rejected == {NAME: a_write().source}
