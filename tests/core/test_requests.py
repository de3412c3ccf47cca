"""When a call is one that was made before."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tandem.core.record import RecordId
from tandem.core.requests import (
    MEMBERSHIP,
    REFUSAL_WINDOW,
    REPEAT_WINDOW,
    Arguments,
    Ask,
    Deed,
    Request,
    RequestState,
    is_repeat,
)

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SYNC = Ask(Deed.SYNC_PERSON, RecordId("7"), {"as": "lead"})
TASK = Ask(Deed.CREATE_TASK, RecordId("7"), {"subject": "Ring"})
ADD = Ask(Deed.ADD_TO_CAMPAIGN, RecordId("7"), {"campaign": "fair"}, MEMBERSHIP)
SOON, LATE = timedelta(seconds=1), timedelta(days=1)


def earlier(ask: Ask, state: RequestState) -> Request:
    return Request(1, ask.idempotency_key, ask.deed, ask.person, ask.arguments, ask.origin, NOW, state)


@pytest.mark.parametrize(
    ("ask", "state", "after", "repeats"),
    [
        (SYNC, RequestState.WAITING, LATE, True),
        (SYNC, RequestState.SENT, LATE, True),
        (SYNC, RequestState.DONE, SOON, False),
        (SYNC, RequestState.REFUSED, SOON, False),
        (TASK, RequestState.DONE, SOON, True),
        (TASK, RequestState.DONE, REPEAT_WINDOW, False),
        (ADD, RequestState.DONE, SOON, False),
        (ADD, RequestState.REFUSED, SOON, True),
        (ADD, RequestState.REFUSED, REFUSAL_WINDOW, False),
        (replace(SYNC, key="mine"), RequestState.DONE, LATE, True),
    ],
)
def test_an_ask_repeats_an_earlier_one(ask: Ask, state: RequestState, after: timedelta, repeats: bool) -> None:
    assert is_repeat(earlier(ask, state), ask, NOW + after) == repeats


def test_a_key_stands_for_person_deed_and_arguments_in_whatever_order() -> None:
    other: Arguments = {"b": 1, "a": "x"}
    assert replace(SYNC, arguments=other).idempotency_key == replace(SYNC, arguments={"a": "x", "b": 1}).idempotency_key
    asks = [SYNC, TASK, replace(SYNC, person=RecordId("8")), replace(SYNC, arguments=other), replace(SYNC, key="k")]
    assert len({ask.idempotency_key for ask in asks}) == len(asks)
