"""What a link shows of other records makes it due when that moves, in the transaction in which it moves."""

from tandem.core.plan import Follow
from tandem.core.record import LinkStatus, Version
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
    link_of,
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

    def test_who_is_woken_is_read_again(self, store: Store) -> None:
        """Nothing that a record shows of another one moves its own version."""
        parent = a_link(store, account("acme"), person("9"))
        a_link(store, contact("c"), person("1"), crm_version=Version("7"), follows=(Follow(account("acme"), "name"),))
        a_link(store, contact("d"), person("2"), crm_version=Version("8"), follows=(Follow(account("acme"), EMAIL),))
        commit(store, again(parent, moved=("name",), changes_link=False))
        assert [found.link.crm_version for found in claim(store) if found.link] == [None]
        assert link_of(store, contact("d")).crm_version == "8"

    def test_what_a_link_shows_is_the_last_plans(self, store: Store) -> None:
        parent = a_link(store, account("acme"), person("9"))
        shows = a_link(store, contact("c"), person("1"), follows=(Follow(account("acme"), EMAIL),))
        commit(store, again(shows))
        commit(store, again(parent, moved=(EMAIL,)))
        assert [found.link for found in claim(store)] == [shows]
        commit(store, again(shows, follows=()))
        commit(store, again(parent, moved=(EMAIL,), status=LinkStatus.LIVE))
        assert claim(store) == []
