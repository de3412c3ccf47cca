"""What was done long ago is forgotten."""

from datetime import timedelta

from tandem.ports import JournalState, RunSummary, Store
from tests.conformance.store_world import (
    NOW,
    a_base,
    a_link,
    again,
    an_open_row,
    an_update,
    commit,
    finish,
    later,
    lead,
    person,
)

A_DAY = timedelta(days=1)


class OldHistoryContract:
    def test_what_ended_long_ago_is_forgotten_and_what_ended_since_is_not(self, store: Store) -> None:
        link = a_link(store, lead("a"), person("1"))
        finish(store, an_open_row(store, link), JournalState.DONE)
        done = store.load_done_actions([link.number], NOW - A_DAY)
        store.drop_history_before(NOW)
        assert store.load_done_actions([link.number], NOW - A_DAY) == done != {}
        store.drop_history_before(NOW + A_DAY)
        assert store.load_done_actions([link.number], NOW - A_DAY) == {}
        assert store.load_links([link.number])[link.number].status == link.status

    def test_what_is_open_stays_however_old_it_is(self, store: Store) -> None:
        row = an_open_row(store, a_link(store, lead("a"), person("1")))
        store.drop_history_before(NOW + 400 * A_DAY)
        assert [found.number for found in store.load_open_rows()] == [row.number]

    def test_what_was_refused_stays_as_long_as_it_is_held(self, store: Store) -> None:
        link = a_link(store, lead("a"), person("1"), base=a_base())
        (row,) = commit(store, again(link, actions=(an_update(person("1")),)))
        store.mark_sent([row.number], NOW)
        finish(store, row, JournalState.REJECTED, error="1003: not this value")
        store.drop_history_before(NOW + A_DAY)
        assert [found.number for found in store.load_rejected(5)] == [row.number]
        store.retry_rejected([link.number])
        store.drop_history_before(NOW + A_DAY)
        assert store.load_rejected(5) == []

    def test_old_passes_are_forgotten(self, store: Store) -> None:
        for run_id, began in (("old", NOW), ("new", NOW + 2 * A_DAY)):
            store.save_run(RunSummary(run_id, began, began, {}, None))
        store.save_run(RunSummary("never ended", later(0), None, {}, None))
        store.drop_history_before(NOW + A_DAY)
        assert sorted(run.run_id for run in store.load_runs(5)) == ["never ended", "new"]
