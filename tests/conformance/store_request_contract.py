"""What a store does with requests from outside."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tandem.core.errors import LeaseLostError
from tandem.core.record import RecordId
from tandem.core.requests import REPEAT_WINDOW, Ask, Deed, Request, RequestState
from tandem.ports import Store
from tests.conformance.store_world import NOW, OpenStore

SYNC = Ask(Deed.SYNC_PERSON, RecordId("7"), {"as": "contact", "force": True})
TASK = Ask(Deed.CREATE_TASK, RecordId("7"), {"subject": "Ring them", "due_days": 5})


def ended(store: Store, request: Request) -> Request:
    done = replace(
        request,
        state=RequestState.DONE,
        sent_at=NOW,
        finished_at=NOW + timedelta(seconds=1),
        said="created",
        before="nothing",
        after="a task",
    )
    store.save_request(done)
    return done


class RequestContract:
    def test_a_request_is_kept_with_all_that_was_asked(self, open_store: OpenStore) -> None:
        request = open_store().take_request(SYNC, NOW)
        assert (request.deed, request.person, request.origin, request.asked_at) == (
            Deed.SYNC_PERSON,
            RecordId("7"),
            "webhook",
            NOW,
        )
        assert request.arguments == {"as": "contact", "force": True}
        assert list(open_store().load_open_requests()) == [request]

    def test_open_ones_come_oldest_first_and_all_of_them_newest_first(self, store: Store) -> None:
        first, second = store.take_request(SYNC, NOW), store.take_request(TASK, NOW)
        assert [r.number for r in store.load_open_requests()] == [first.number, second.number]
        assert [r.number for r in store.load_requests(10)] == [second.number, first.number]
        assert [r.number for r in store.load_requests(1)] == [second.number]

    def test_one_that_ended_is_not_open_and_says_what_came_of_it(self, store: Store) -> None:
        done = ended(store, store.take_request(SYNC, NOW))
        assert list(store.load_open_requests()) == []
        assert list(store.load_requests(1)) == [done]

    def test_the_same_ask_is_the_same_request_while_that_is_open(self, store: Store) -> None:
        first = store.take_request(SYNC, NOW)
        assert store.take_request(SYNC, NOW + timedelta(days=1)) == first
        other = replace(SYNC, person=RecordId("8"))
        assert store.take_request(other, NOW).number != first.number

    def test_a_deed_may_be_asked_for_again_once_it_is_done(self, store: Store) -> None:
        first = ended(store, store.take_request(SYNC, NOW))
        assert store.take_request(SYNC, NOW + timedelta(seconds=1)).number != first.number

    def test_a_task_asked_for_again_at_once_is_one_task(self, store: Store) -> None:
        first = ended(store, store.take_request(TASK, NOW))
        soon, later = NOW + REPEAT_WINDOW - timedelta(seconds=1), NOW + REPEAT_WINDOW
        assert store.take_request(TASK, soon) == first
        assert store.take_request(TASK, later).number != first.number

    def test_a_key_of_the_callers_own_holds_for_ever(self, store: Store) -> None:
        keyed = replace(SYNC, key="step 4")
        first = ended(store, store.take_request(keyed, NOW))
        assert store.take_request(replace(keyed, arguments={}), NOW + timedelta(days=400)) == first

    def test_taking_one_in_needs_no_lease_and_ending_it_does(self, open_store: OpenStore) -> None:
        old, new = open_store(), open_store()
        old.acquire_lease("old", 1.0, NOW)
        request = old.take_request(SYNC, NOW)
        new.acquire_lease("new", 60.0, NOW + timedelta(seconds=5))
        assert old.take_request(TASK, NOW).number != request.number
        with pytest.raises(LeaseLostError):
            old.save_request(replace(request, state=RequestState.DONE))

    def test_what_ended_long_ago_is_forgotten_and_what_is_open_is_not(self, store: Store) -> None:
        ended(store, store.take_request(SYNC, NOW))
        still = store.take_request(TASK, NOW)
        store.drop_requests_before(NOW + timedelta(days=1))
        assert list(store.load_requests(10)) == [still]
