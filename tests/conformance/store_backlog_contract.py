"""What waits and since when, what was done when, and what was refused and is tried again."""

from tandem.core.plan import ActionKind, Hold
from tandem.core.record import LEAD, PERSON, UNKNOWN, Base, RecordId, Side, Version
from tandem.ports import JournalState, Store
from tests.conformance.store_world import (
    ANN,
    EMAIL,
    NOW,
    a_base,
    a_create,
    a_link,
    a_state,
    again,
    an_open_row,
    an_update,
    claim,
    commit,
    finish,
    later,
    lead,
    load_link,
    person,
    save,
)


class BacklogContract:
    def test_what_waits_is_split_by_whether_the_other_side_has_it(self, store: Store) -> None:
        a_link(store, lead("known"), person("1"))
        pending = a_link(store, lead("pending"))
        save(store, a_state(lead("new"), 5), a_state(lead("newer"), 6), a_state(lead("known"), 7))
        save(store, a_state(person("1"), 8, (*ANN, "known")), a_state(person("2"), 9, (*ANN, None)))
        store.make_due([pending.number])
        found = {(row.crm_entity, row.is_insert): row for row in store.load_backlog()}
        counts = {kind: row.count for kind, row in found.items()}
        assert counts == {(LEAD, False): 2, (LEAD, True): 3, (PERSON, True): 1}
        assert (found[LEAD, False].oldest, found[PERSON, True].oldest) == (7, 9)

    def test_a_record_that_is_read_again_waits_since_it_was_read_first(self, store: Store) -> None:
        save(store, a_state(lead("a"), 5))
        save(store, a_state(lead("a"), 50, ("Anna", None)))
        (row,) = store.load_backlog()
        assert (row.count, row.oldest) == (1, 5)

    def test_a_due_link_waits_since_it_became_due(self, store: Store) -> None:
        link = a_link(store, lead("a"), person("1"))
        before = store.next_read_number()
        store.make_due([link.number])
        after = store.next_read_number()
        store.make_due([link.number])
        (row,) = store.load_backlog()
        assert (row.is_insert, row.count) == (False, 1)
        assert before <= row.oldest <= after
        commit(store, again(link))
        assert store.load_backlog() == []

    def test_what_was_done_is_counted_by_the_time_it_was_acknowledged(self, store: Store) -> None:
        finish(store, an_open_row(store, a_link(store, lead("a"), person("1"))))
        finish(store, an_open_row(store, a_link(store, lead("b")), a_create()), id=RecordId("9"))
        refused = an_open_row(store, a_link(store, lead("c"), person("3")))
        finish(store, refused, JournalState.REJECTED, error="1003: no")
        found = {(row.crm_entity, row.side, row.kind): row.count for row in store.load_synced(NOW, later(2))}
        assert found == {
            (LEAD, Side.MARKETING, ActionKind.UPDATE): 1,
            (LEAD, Side.MARKETING, ActionKind.CREATE): 1,
        }
        assert store.load_synced(later(1), later(1.5)) == store.load_synced(NOW, later(2))
        assert store.load_synced(NOW, later(1)) == []
        assert store.load_synced(later(2), later(3)) == []


class RetryContract:
    def test_what_was_refused_is_planned_again_and_other_holds_stay(self, store: Store) -> None:
        held = (Hold(EMAIL, "both changed"),)
        link = a_link(store, lead("a"), person("1"), base=a_base())
        other = a_link(store, lead("b"), person("2"), base=a_base(), holds=held)
        (row,) = commit(store, again(link, holds=held, actions=(an_update(person("1")),)))
        store.mark_sent([row.number], NOW)
        finish(store, row, JournalState.REJECTED, error="1003: not this value")
        assert store.retry_rejected([link.number, other.number, link.number]) == 1
        assert [hold.field for hold in store.load_holds(5)] == [EMAIL, EMAIL]
        assert store.load_rejected(5) == []
        (found,) = claim(store)
        assert (found.link, found.rejected) == (link, {})
        assert store.retry_rejected([link.number]) == 0

    def test_a_refused_create_is_tried_again(self, store: Store) -> None:
        link = a_link(store, lead("a"))
        finish(store, an_open_row(store, link, a_create()), JournalState.REJECTED, error="1006: no such field")
        assert claim(store) == []
        assert store.retry_rejected([link.number]) == 1
        assert [found.link for found in claim(store)] == [link]


class ForgetContract:
    def test_the_base_of_a_forgotten_pair_is_unknown_and_the_link_is_due(self, store: Store) -> None:
        link = a_link(store, lead("a"), person("1"), base=a_base(), crm_version=Version("v1"))
        other = a_link(store, lead("b"), person("2"), base=a_base(), crm_version=Version("v2"))
        store.forget_base({link.number: [EMAIL], other.number: []})
        forgotten, kept = (load_link(store, one.number) for one in (link, other))
        assert forgotten.base == Base(("Ann", UNKNOWN), ("Ann", UNKNOWN))
        assert forgotten.crm_version is None
        assert kept == other
        assert {found.link.number for found in claim(store) if found.link} == {link.number, other.number}

    def test_a_pair_that_is_no_longer_mapped_is_not_looked_for(self, store: Store) -> None:
        link = a_link(store, lead("a"), person("1"), base=a_base(), crm_version=Version("v1"))
        store.forget_base({link.number: ["gone|gone"]})
        assert load_link(store, link.number) == link
