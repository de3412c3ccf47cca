"""What an outcome does to its journal row and its link."""

import pytest

from tandem.core.errors import StoreError
from tandem.core.plan import FieldWrite, Hold
from tandem.core.record import LEAD, UNKNOWN, Base, LinkStatus, RecordId, RecordKey, Side, Version
from tandem.ports import HoldRow, JournalState, Outcome, Store
from tests.conformance.store_world import (
    ANN,
    EMAIL,
    NAME,
    NOW,
    OpenStore,
    a_base,
    a_create,
    a_delete,
    a_link,
    a_state,
    a_write,
    again,
    an_open_row,
    an_update,
    claim,
    commit,
    finish,
    later,
    lead,
    link_of,
    load_link,
    person,
    save,
    suspect,
)

TRIMMED = FieldWrite(EMAIL, "email", None, "ann@x.example", " ann@x.example", "changed in crm")


class JournalContract:
    def test_sent_rows_say_so_to_the_next_process(self, open_store: OpenStore) -> None:
        store = open_store()
        link = a_link(store, lead("a"), person("1"))
        first, second = commit(store, again(link, actions=(an_update(person("1")), an_update(lead("a")))))
        store.mark_sent([first.number], later(3))
        found = open_store().load_open_rows()
        assert [(row.number, row.state, row.sent_at) for row in found] == [
            (first.number, JournalState.SENT, later(3)),
            (second.number, JournalState.INTENDED, None),
        ]
        assert found[0].action == first.action

    def test_done_actions_are_remembered_by_link_and_time(self, store: Store) -> None:
        ann, bob = a_link(store, lead("a"), person("1")), a_link(store, lead("b"), person("2"))
        first = an_open_row(store, ann, an_update(person("1"), a_write(after="Anna")))
        finish(store, first)
        second = an_open_row(store, ann, an_update(person("1"), a_write(after="Annie")))
        finish(store, second)
        refused = an_open_row(store, bob, an_update(person("2")))
        finish(store, refused, JournalState.REJECTED, error="1003")
        assert store.load_done_actions([ann.number, bob.number], NOW) == {ann.number: [first.action, second.action]}
        assert store.load_done_actions([ann.number], later(2)) == {}
        assert store.load_done_actions([bob.number], NOW) == {}

    def test_a_row_with_an_unknown_outcome_stays_open(self, store: Store) -> None:
        row = an_open_row(store, a_link(store, lead("a"), person("1")))
        finish(store, row, JournalState.UNKNOWN, error="no answer")
        (found,) = store.load_open_rows()
        assert (found.state, found.error, found.sent_at, found.finished_at) == (
            JournalState.UNKNOWN,
            "no answer",
            NOW,
            None,
        )

    def test_a_finished_row_keeps_its_first_outcome(self, store: Store) -> None:
        link = a_link(store, lead("a"), person("1"), base=a_base())
        row = an_open_row(store, link)
        finish(store, row)
        after = load_link(store, link.number)
        finish(store, row)
        finish(store, row, JournalState.REJECTED, error="late")
        store.mark_sent([row.number], later(9))
        assert load_link(store, link.number) == after
        assert (store.load_open_rows(), store.load_holds(5), claim(store)) == ([], [], [])

    def test_a_sent_row_is_not_sent_again(self, store: Store) -> None:
        row = an_open_row(store, a_link(store, lead("a"), person("1")))
        store.mark_sent([row.number], later(60))
        assert [found.sent_at for found in store.load_open_rows()] == [NOW]


class DoneContract:
    def test_a_marketing_write_moves_only_its_own_pairs(self, store: Store) -> None:
        link = a_link(store, lead("a"), person("1"), base=a_base(), crm_version=Version("v1"))
        row = an_open_row(store, link, an_update(person("1"), TRIMMED))
        before = store.next_read_number()
        finish(store, row, version=Version("not ours"))
        after = load_link(store, link.number)
        assert after.base == Base(("Ann", " ann@x.example"), ("Ann", "ann@x.example"))
        assert (after.crm_version, after.crm_written) == ("v1", 0)
        assert before < after.marketing_written < store.next_read_number()

    def test_a_crm_write_takes_the_answer_and_the_version(self, store: Store) -> None:
        link = a_link(store, lead("a"), person("1"), base=a_base(), crm_version=Version("v1"))
        row = an_open_row(store, link, an_update(lead("a"), TRIMMED))
        finish(store, row, version=Version("v2"), answered={EMAIL: "ann@x"})
        after = load_link(store, link.number)
        assert after.base == Base(("Ann", "ann@x"), ("Ann", " ann@x.example"))
        assert (after.crm_version, after.marketing_written) == ("v2", 0)
        assert after.crm_written > 0

    def test_a_crm_write_without_a_version_leaves_none(self, store: Store) -> None:
        link = a_link(store, lead("a"), person("1"), crm_version=Version("v1"))
        finish(store, an_open_row(store, link, an_update(lead("a"))))
        assert load_link(store, link.number).crm_version is None

    def test_unwritten_pairs_stay_unknown(self, store: Store) -> None:
        link = a_link(store, lead("a"), person("1"))
        finish(store, an_open_row(store, link))
        assert load_link(store, link.number).base == Base(("Anna", UNKNOWN), ("Anna", UNKNOWN))

    def test_a_pair_that_is_no_longer_mapped_is_passed_over(self, store: Store) -> None:
        link = a_link(store, lead("a"), person("1"), base=a_base())
        row = an_open_row(store, link, an_update(person("1"), a_write(), TRIMMED))
        store.use_mappings({LEAD: (NAME,)}, {})
        finish(store, row)
        assert load_link(store, link.number).base == Base(("Anna",), ("Anna",))

    @pytest.mark.parametrize("side", list(Side))
    def test_a_create_gives_its_link_the_missing_end(self, store: Store, side: Side) -> None:
        known, made = (lead("a"), person("7")) if side is Side.MARKETING else (person("7"), lead("a"))
        link = a_link(store, *((known, None) if side is Side.MARKETING else (None, known)))
        finish(store, an_open_row(store, link, a_create(side)), id=made.id)
        after = link_of(store, made)
        assert (after.number, after.status) == (link.number, LinkStatus.LIVE)
        assert (after.end(side), after.end(side.other)) == (made, known)

    def test_the_highest_id_counts_a_created_person(self, store: Store) -> None:
        finish(store, an_open_row(store, a_link(store, lead("a")), a_create()), id=RecordId("41"))
        assert store.highest_marketing_id(person("1").entity) == 41

    def test_two_rows_of_one_link_build_on_each_other(self, store: Store) -> None:
        link = a_link(store, lead("a"), person("1"), base=a_base())
        rows = commit(store, again(link, actions=(an_update(person("1")), an_update(lead("a"), TRIMMED))))
        store.record_outcomes([Outcome(row.number, JournalState.DONE) for row in rows], later(1))
        after = load_link(store, link.number)
        assert after.base == Base(("Anna", "ann@x.example"), ("Anna", " ann@x.example"))
        assert after.crm_written == after.marketing_written > 0

    def test_an_end_of_another_live_link_is_refused(self, store: Store) -> None:
        a_link(store, lead("a"), person("7"))
        row = an_open_row(store, a_link(store, lead("b")), a_create())
        with pytest.raises(StoreError, match="two links"):
            finish(store, row, id=RecordId("7"))
        assert [found.state for found in store.load_open_rows()] == [JournalState.SENT]
        assert link_of(store, lead("b")).status is LinkStatus.PENDING

    @pytest.mark.parametrize("target", [person("1"), lead("a")])
    def test_a_delete_leaves_the_base_and_makes_its_link_due(self, store: Store, target: RecordKey) -> None:
        link = a_link(store, lead("a"), person("1"))
        finish(store, an_open_row(store, link, a_delete(target)))
        (found,) = claim(store)
        assert found.link is not None
        assert (found.link.base, found.link.crm, found.link.marketing) == (link.base, lead("a"), person("1"))
        assert found.written == ()

    def test_a_refused_delete_holds_the_record(self, store: Store) -> None:
        link = a_link(store, lead("a"), person("1"))
        finish(store, an_open_row(store, link, a_delete(person("1"))), JournalState.REJECTED, error="1022: in use")
        (hold,) = store.load_holds(10)
        assert (hold.field, hold.reason) == (None, "1022: in use")

    def test_a_write_to_a_tombstone_does_not_revive_it(self, store: Store) -> None:
        link = a_link(store, lead("a"), person("1"))
        row = an_open_row(store, link)
        commit(store, again(link, status=LinkStatus.TOMBSTONE))
        finish(store, row)
        assert load_link(store, link.number).status is LinkStatus.TOMBSTONE


class RejectedContract:
    def test_the_fields_of_an_update_are_held(self, store: Store) -> None:
        link = a_link(store, lead("a"), person("1"), base=a_base())
        row = an_open_row(store, link, an_update(person("1"), a_write(), TRIMMED))
        finish(store, row, JournalState.REJECTED, error="1003: not this value")
        held = {hold.field: hold for hold in store.load_holds(5)}
        assert held == {
            pair: HoldRow(lead("a"), person("1"), pair, "1003: not this value", later(1)) for pair in (NAME, EMAIL)
        }
        assert load_link(store, link.number) == link
        (parked,) = store.load_rejected(5)
        assert (parked.number, parked.state, parked.error) == (
            row.number,
            JournalState.REJECTED,
            "1003: not this value",
        )
        assert (store.load_open_rows(), claim(store)) == ([], [])

    def test_other_holds_of_the_link_stay(self, store: Store) -> None:
        link = a_link(store, lead("a"), person("1"))
        finish(store, an_open_row(store, link), JournalState.REJECTED, error="1003")
        parked = (Hold(NAME, "1003"),)
        (row,) = commit(store, again(link, holds=parked, actions=(an_update(person("1"), TRIMMED),)))
        finish(store, row, JournalState.REJECTED, error="1003")
        store.make_due([link.number])
        assert claim(store)[0].rejected == {NAME: "Anna", EMAIL: " ann@x.example"}

    def test_a_rejected_create_holds_the_record_and_leaves_it_pending(self, store: Store) -> None:
        link = a_link(store, lead("a"))
        row = an_open_row(store, link, a_create(Side.MARKETING, a_write(), TRIMMED))
        finish(store, row, JournalState.REJECTED, error="1006: no such field")
        assert store.load_holds(5) == [HoldRow(lead("a"), None, None, "1006: no such field", later(1))]
        assert load_link(store, link.number).status is LinkStatus.PENDING
        assert claim(store) == []
        store.make_due([link.number])
        assert claim(store)[0].rejected == {}

    @pytest.mark.parametrize("is_create", [True, False])
    def test_only_the_fields_at_fault_are_parked_and_the_rest_is_planned_again(
        self, store: Store, is_create: bool
    ) -> None:
        link = a_link(store, lead("a"), None if is_create else person("1"))
        writes = (a_write(), TRIMMED)
        action = a_create(Side.MARKETING, *writes) if is_create else an_update(person("1"), *writes)
        row = an_open_row(store, link, action)
        finish(store, row, JournalState.REJECTED, error="1003", parked=(EMAIL,))
        assert [hold.field for hold in store.load_holds(5)] == [EMAIL]
        (found,) = claim(store)
        assert (found.link, found.rejected) == (link, {EMAIL: " ann@x.example"})

    def test_a_rejection_is_shown_until_nothing_of_it_is_held(self, store: Store) -> None:
        link = a_link(store, lead("a"), person("1"))
        finish(store, an_open_row(store, link), JournalState.REJECTED, error="1003")
        assert len(store.load_rejected(5)) == 1
        commit(store, again(link))
        assert store.load_rejected(5) == []


class WithdrawnContract:
    def test_a_withdrawn_row_makes_its_link_due(self, store: Store) -> None:
        link = a_link(store, lead("a"), person("1"))
        row = an_open_row(store, link)
        finish(store, row, JournalState.WITHDRAWN, error="412")
        (found,) = claim(store)
        assert (found.link, found.crm, found.marketing) == (link, None, None)
        assert store.load_open_rows() == []

    @pytest.mark.parametrize("target", [person("1"), lead("a")], ids=["marketing", "crm"])
    def test_a_record_that_was_not_there_is_to_be_read_again(self, store: Store, target: RecordKey) -> None:
        link = a_link(store, lead("a"), person("1"))
        row = an_open_row(store, link, an_update(target))
        before = store.next_read_number()
        finish(store, row, JournalState.WITHDRAWN, suspect=True)
        (found,) = claim(store)
        state = found.crm or found.marketing
        assert state is not None
        assert (found.link, state) == (link, suspect(target, state.read_number))
        assert state.read_number > before

    def test_a_suspicion_replaces_what_was_read_before_it(self, store: Store) -> None:
        link = a_link(store, lead("a"), person("1"))
        save(store, a_state(person("1"), store.next_read_number(), (*ANN, "a")))
        finish(store, an_open_row(store, link), JournalState.WITHDRAWN, suspect=True)
        (found,) = claim(store)
        assert found.marketing is not None
        assert not found.marketing.is_present
