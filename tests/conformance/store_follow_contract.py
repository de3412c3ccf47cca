"""What a link shows of other records makes it due when that moves, in the transaction in which it moves."""

from tandem.core.plan import Follow
from tandem.core.record import LinkStatus
from tandem.ports import JournalState, Store
from tests.conformance.store_world import (
    EMAIL,
    NAME,
    a_link,
    account,
    again,
    an_open_row,
    an_update,
    claim,
    commit,
    contact,
    finish,
    person,
)


class FollowContract:
    def test_a_pair_that_was_written_wakes_who_shows_it(self, store: Store) -> None:
        parent = a_link(store, account("acme"), person("9"))
        shows = a_link(store, contact("c"), person("1"), follows=(Follow(account("acme"), NAME),))
        a_link(store, contact("d"), person("2"), follows=(Follow(account("acme"), EMAIL),))
        row = an_open_row(store, parent, an_update(person("9")))
        assert {write.pair for write in row.action.writes} == {NAME}
        assert claim(store) == []
        finish(store, row)
        assert [found.link for found in claim(store)] == [shows]

    def test_a_write_that_did_not_land_wakes_nobody(self, store: Store) -> None:
        parent = a_link(store, account("acme"), person("9"))
        a_link(store, contact("c"), person("1"), follows=(Follow(account("acme"), NAME),))
        row = an_open_row(store, parent, an_update(person("9")))
        finish(store, row, state=JournalState.REJECTED, error="1003")
        assert claim(store) == []

    def test_an_agreement_wakes_who_shows_it(self, store: Store) -> None:
        parent = a_link(store, account("acme"), person("9"))
        shows = a_link(store, contact("c"), person("1"), follows=(Follow(account("acme"), EMAIL),))
        moved = a_link(store, contact("d"), person("2"), follows=(Follow(account("acme")),))
        commit(store, again(parent, moved=(EMAIL,)))
        assert [found.link for found in claim(store)] == [shows]
        commit(store, again(shows), again(parent, moved=("",)))
        assert [found.link for found in claim(store)] == [moved]

    def test_what_a_link_shows_is_the_last_plans(self, store: Store) -> None:
        parent = a_link(store, account("acme"), person("9"))
        shows = a_link(store, contact("c"), person("1"), follows=(Follow(account("acme"), EMAIL),))
        commit(store, again(shows))
        commit(store, again(parent, moved=(EMAIL,)))
        assert [found.link for found in claim(store)] == [shows]
        commit(store, again(shows, follows=()))
        commit(store, again(parent, moved=(EMAIL,), status=LinkStatus.LIVE))
        assert claim(store) == []
