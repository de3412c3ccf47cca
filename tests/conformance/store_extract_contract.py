"""Leases, settings and what extract stores."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tandem.core.backfill import Backfill, Since, Span
from tandem.core.errors import LeaseLostError
from tandem.core.plan import Plan
from tandem.core.record import (
    CONTACT,
    LEAD,
    PERSON,
    Cursor,
    Entity,
    Lane,
    Presence,
    ReadNumber,
    RecordId,
    Side,
    State,
    Version,
)
from tandem.ports import JournalState, Outcome, RunSummary, Store
from tests.conformance.store_world import (
    ANN,
    FIELDS,
    NAME,
    NOW,
    OpenStore,
    a_link,
    a_record,
    a_state,
    an_open_row,
    claim,
    each_example_uses_records_of_its_own,
    keys_of,
    later,
    lead,
    person,
    refs_of,
    save,
    save_records,
    suspect,
)

READINGS = st.lists(st.tuples(st.integers(1, 3), st.sampled_from(Presence)), min_size=1, max_size=6)


class LeaseContract:
    def test_a_lease_is_refused_while_another_holds_it(self, open_store: OpenStore) -> None:
        first, second = open_store(), open_store()
        assert first.acquire_lease("first", 60, NOW) is not None
        assert second.acquire_lease("second", 60, later(59)) is None

    def test_an_expired_lease_goes_to_the_next_with_a_higher_fence(self, open_store: OpenStore) -> None:
        first, second = open_store(), open_store()
        old, new = first.acquire_lease("first", 60, NOW), second.acquire_lease("second", 60, later(60))
        assert old is not None
        assert new is not None
        assert (new.holder, new.expires_at) == ("second", later(120))
        assert new.fence > old.fence

    def test_a_renewed_lease_lasts_longer(self, open_store: OpenStore) -> None:
        first, second = open_store(), open_store()
        first.acquire_lease("first", 60, NOW)
        assert first.renew_lease(60, later(50)).expires_at == later(110)
        assert second.acquire_lease("second", 60, later(100)) is None

    def test_a_released_lease_is_free_at_once(self, open_store: OpenStore) -> None:
        first, second = open_store(), open_store()
        first.acquire_lease("first", 60, NOW)
        first.release_lease()
        assert second.load_lease() is None
        assert second.acquire_lease("second", 60, NOW) is not None

    def test_anybody_can_see_whose_lease_it_is(self, open_store: OpenStore) -> None:
        first, second = open_store(), open_store()
        assert second.load_lease() is None
        lease = first.acquire_lease("first", 60, NOW)
        assert second.load_lease() == lease
        assert first.renew_lease(60, later(5)) == second.load_lease()

    def test_who_lost_the_lease_can_neither_renew_nor_end_it(self, open_store: OpenStore) -> None:
        first, second, third = open_store(), open_store(), open_store()
        first.acquire_lease("first", 60, NOW)
        second.acquire_lease("second", 60, later(60))
        with pytest.raises(LeaseLostError):
            first.renew_lease(60, later(61))
        first.release_lease()
        assert third.acquire_lease("third", 60, later(61)) is None

    def test_who_lost_the_lease_writes_nothing(self, open_store: OpenStore) -> None:
        first, second = open_store(), open_store()
        first.acquire_lease("first", 60, NOW)
        link = a_link(first, lead("a"), person("1"))
        row = an_open_row(first, link)
        second.acquire_lease("second", 60, later(60))
        writes: list[Callable[[], object]] = [
            lambda: save(first, a_state(lead("b"), 9), cursor="lost"),
            lambda: first.next_read_number(),
            lambda: first.reset_cursor(Side.CRM, LEAD),
            lambda: first.commit_plan(Plan(), "run", NOW),
            lambda: first.mark_sent([row.number], NOW),
            lambda: first.record_outcomes([Outcome(row.number, JournalState.DONE)], NOW),
            lambda: first.make_due([link.number]),
            lambda: first.save_setting("name", "lost"),
            lambda: first.save_run(RunSummary("lost", NOW)),
            lambda: first.drop_records_before(NOW),
        ]
        for write in writes:
            with pytest.raises(LeaseLostError):
                write()
        assert second.load_cursor(Side.CRM, LEAD) is None
        assert second.load_setting("name") is None
        assert second.load_runs(5) == []
        assert [open_row.state for open_row in second.load_open_rows()] == [JournalState.SENT]
        save(second, a_state(lead("b"), 1))


class SettingsContract:
    def test_a_setting_is_kept_and_replaced(self, open_store: OpenStore) -> None:
        store = open_store()
        assert store.load_setting("organization_id") is None
        store.save_setting("organization_id", "one")
        store.save_setting("organization_id", "two")
        assert open_store().load_setting("organization_id") == "two"

    def test_runs_are_replaced_by_id_and_come_newest_first(self, store: Store) -> None:
        store.save_run(RunSummary("one", NOW))
        store.save_run(RunSummary("two", later(5)))
        store.save_run(RunSummary("one", NOW, later(1), {"creates": 3}, "stopped"))
        one = RunSummary("one", NOW, later(1), {"creates": 3}, "stopped")
        assert store.load_runs(5) == [RunSummary("two", later(5)), one]
        assert store.load_runs(1) == [RunSummary("two", later(5))]


class ExtractContract:
    def test_read_numbers_only_grow_whoever_draws_them(self, open_store: OpenStore) -> None:
        first, second = open_store(), open_store()
        drawn = [store.next_read_number() for store in (first, second, first, second)]
        assert drawn == sorted(set(drawn))
        assert drawn[0] > 0

    def test_a_page_and_its_cursor_are_there_for_the_next_process(self, open_store: OpenStore) -> None:
        store = open_store()
        state = State(lead("a"), ReadNumber(3), ("Zoë 💜", None), Version('W/"7"'))
        assert store.save_page(Side.CRM, LEAD, [state], [], Cursor("c1"), complete_until=NOW, search={}) == 1
        other = open_store()
        assert [found.crm for found in claim(other)] == [state]
        assert other.load_cursor(Side.CRM, LEAD) == "c1"
        assert other.load_watermark(Side.CRM, LEAD) == NOW

    def test_values_come_back_in_their_kind(self, store: Store) -> None:
        values = ("1", 1, 1.0, True, False, None, 0, -(2**40), 1e300)
        store.use_mappings({}, {(Side.CRM, LEAD): [f"f{place}" for place in range(len(values))]})
        save(store, a_state(lead("a"), 1, values))
        (found,) = claim(store)
        assert found.crm is not None
        assert [(type(value), value) for value in found.crm.values] == [(type(value), value) for value in values]

    def test_none_leaves_cursor_and_watermark_where_they_are(self, store: Store) -> None:
        store.save_page(Side.CRM, LEAD, [], [], Cursor("c1"), complete_until=NOW, search={})
        store.save_page(Side.CRM, LEAD, [], [], None, complete_until=None, search={})
        assert (store.load_cursor(Side.CRM, LEAD), store.load_watermark(Side.CRM, LEAD)) == ("c1", NOW)
        assert store.load_cursor(Side.MARKETING, PERSON) is None

    def test_a_reset_cursor_takes_its_watermark_along(self, store: Store) -> None:
        store.save_page(Side.CRM, LEAD, [], [], Cursor("c1"), complete_until=NOW, search={})
        store.reset_cursor(Side.CRM, LEAD)
        assert (store.load_cursor(Side.CRM, LEAD), store.load_watermark(Side.CRM, LEAD)) == (None, None)

    @each_example_uses_records_of_its_own
    @given(readings=READINGS, is_one_page=st.booleans())
    @example(readings=[(2, Presence.SUSPECT), (2, Presence.GONE), (2, Presence.PRESENT)], is_one_page=False)
    @example(readings=[(2, Presence.SUSPECT), (2, Presence.GONE), (2, Presence.PRESENT)], is_one_page=True)
    def test_the_newest_reading_stays(
        self, store: Store, readings: list[tuple[int, Presence]], is_one_page: bool
    ) -> None:
        """The highest number; the last of equals, but of equals no value takes the place of a suspicion."""
        key = person(str(store.next_read_number()))
        states = [
            State(
                key,
                ReadNumber(number),
                (str(place), None, None) if presence is Presence.PRESENT else (),
                None,
                presence,
            )
            for place, (number, presence) in enumerate(readings)
        ]
        for page in [states] if is_one_page else [[state] for state in states]:
            save(store, *page)
        stays, *others = [state for state in states if state.read_number == max(number for number, _ in readings)]
        for state in others:
            if stays.presence is not Presence.SUSPECT or not state.is_present:
                stays = state
        assert [found.marketing for found in claim(store, 1_000) if found.marketing and found.marketing.key == key] == [
            stays
        ]

    def test_only_new_or_newer_rows_are_counted(self, store: Store) -> None:
        save(store, a_state(lead("a"), 5), a_state(lead("b"), 5))
        assert save(store, a_state(lead("a"), 4), a_state(lead("b"), 6), a_state(lead("c"), 4)) == 2

    def test_news_of_a_waiting_record_keeps_its_place(self, store: Store) -> None:
        save(store, a_state(lead("a"), 1), a_state(lead("b"), 1))
        save(store, a_state(lead("a"), 2, ("Anna", None)))
        assert keys_of(claim(store)) == [lead("a"), lead("b")]

    def test_a_merge_is_kept_with_its_survivor(self, store: Store) -> None:
        merged = State(person("1"), ReadNumber(1), presence=Presence.SUSPECT, merged_into=RecordId("2"))
        save(store, merged)
        assert [found.marketing for found in claim(store)] == [merged]

    def test_rows_of_an_old_shape_are_to_be_read_again(self, store: Store) -> None:
        save(store, a_state(lead("a"), 4, version=Version("v1")))
        save(store, State(lead("b"), ReadNumber(4), presence=Presence.GONE))
        store.use_mappings({}, {(Side.CRM, LEAD): ("emailaddress1", "firstname")})
        gone = State(lead("b"), ReadNumber(4), presence=Presence.GONE)
        assert [found.crm for found in claim(store)] == [suspect(lead("a"), 4), gone]
        store.use_mappings({}, FIELDS)
        assert [found.crm for found in claim(store)] == [a_state(lead("a"), 4, version=Version("v1")), gone]

    def test_people_are_found_by_either_key_until_a_row_says_otherwise(self, store: Store) -> None:
        one, two = a_state(person("1"), 1, (*ANN, "a")), a_state(person("2"), 1, (*ANN, "b"))
        save(store, one, two, search={"1": ("a", "ann@example.com"), "2": ("b", "ann@example.com")})
        assert store.find_inbox(PERSON, "crm_key", ["a", "missing"]) == [one]
        assert store.find_inbox(PERSON, "dedupe_key", ["ann@example.com"]) == [one, two]
        assert store.find_inbox(Entity("company"), "crm_key", ["a"]) == []
        save(store, a_state(person("1"), 2, (None, None, None)))
        assert store.find_inbox(PERSON, "crm_key", ["a"]) == []

    def test_the_highest_id_is_a_number_and_outlives_its_row(self, store: Store) -> None:
        assert store.highest_marketing_id(PERSON) == 0
        states = [a_state(person(id_), 1, (*ANN, None)) for id_ in ("9", "10", "not-a-number")]
        save(store, *states)
        a_link(store, lead("a"), person("11"))
        save(store, a_state(lead("999"), 1))
        assert store.highest_marketing_id(PERSON) == 11
        save(store, a_state(person("12"), 1, (*ANN, None)))
        store.commit_plan(Plan(ignored=tuple(refs_of(claim(store)))), "run", NOW)
        assert (claim(store), store.highest_marketing_id(PERSON)) == ([], 12)

    def test_find_unseen_names_linked_records_a_full_read_did_not_bring(self, store: Store) -> None:
        for id_ in ("seen", "old", "missing"):
            a_link(store, lead(id_), person(f"1{len(id_)}"))
        save(store, a_state(lead("seen"), 5), a_state(lead("old"), 4), a_state(lead("unlinked"), 5))
        assert set(store.find_unseen(Side.CRM, LEAD, ReadNumber(5))) == {"old", "missing"}
        assert len(store.find_unseen(Side.MARKETING, PERSON, ReadNumber(5))) == 3


class RecordsContract:
    def test_a_change_record_is_kept_once(self, store: Store) -> None:
        first = a_record("g1", person("1"), NOW, field="phone", old="1", new=None, source="Web form")
        save_records(store, first)
        save_records(store, a_record("g1", person("1"), later(9)), a_record("g2", person("2"), later(1)))
        assert store.known_guids(["g1", "g2", "g3"]) == {"g1", "g2"}
        assert store.load_records([person("1"), person("3")], NOW) == [first]

    def test_records_come_oldest_first_and_none_from_before(self, store: Store) -> None:
        times: list[datetime] = [later(3), later(1), later(2)]
        save_records(store, *(a_record(f"g{place}", person("1"), at) for place, at in enumerate(times)))
        assert [record.at for record in store.load_records([person("1")], later(2))] == [later(2), later(3)]

    def test_old_records_are_dropped(self, store: Store) -> None:
        save_records(store, a_record("old", person("1"), NOW), a_record("new", person("1"), later(1)))
        store.drop_records_before(later(1))
        assert store.known_guids(["old", "new"]) == {"new"}


class BackfillContract:
    def test_a_backfill_is_kept_as_it_was_saved_and_moves_on(self, store: Store) -> None:
        span = Span(Since.UPDATED, NOW, None)
        asked = Backfill(Side.CRM, LEAD, "asked for", NOW, (NAME,), Side.CRM, span)
        number = store.save_backfill(asked)
        asked = replace(asked, number=number)
        assert store.load_backfills(9) == [asked]
        moved = replace(asked, began=ReadNumber(7), cursor=Cursor("c"), read=5, expected=9, is_read=True)
        assert store.save_backfill(moved) == number
        assert store.load_backfills(9) == [moved]

    def test_open_ones_are_told_apart_and_the_newest_comes_first(self, store: Store) -> None:
        first, second = (Backfill(Side.CRM, entity, "new", NOW) for entity in (LEAD, CONTACT))
        first = replace(first, number=store.save_backfill(first))
        second = replace(second, number=store.save_backfill(second))
        assert store.load_backfills(9) == [second, first]
        assert store.load_backfills(1) == [second]
        store.save_backfill(replace(second, finished_at=NOW))
        assert store.load_backfills(9, only_open=True) == [first]

    def test_rows_that_wait_are_counted_by_lane(self, store: Store) -> None:
        save(store, a_state(lead("a"), 1), a_state(lead("b"), 1), lane=Lane.SLOW)
        save(store, a_state(lead("c"), 1))
        save(store, a_state(lead("b"), 2))
        counts = [store.count_waiting(Side.CRM, LEAD, lane) for lane in Lane]
        assert counts == [0, 2, 1]
        assert store.count_waiting(Side.CRM, CONTACT, Lane.SLOW) == 0
