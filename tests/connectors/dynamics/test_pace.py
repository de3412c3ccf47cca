"""What the service says with each answer decides how wide and how fast the connector goes."""

import pytest

from tandem.connectors.dynamics.pace import ServicePace, first_rule, parse_number
from tandem.connectors.http import Response
from tandem.connectors.pacing import Pacer
from tests.connectors.fake_clock import FakeClock


def a_pace(at_once_max: int = 16) -> tuple[ServicePace, Pacer, FakeClock]:
    clock = FakeClock()
    pacer = Pacer(clock, rules=[first_rule()], concurrent_max=at_once_max)
    return ServicePace(pacer, at_once_max=at_once_max), pacer, clock


def an_answer(hint: str = "", requests: str = "", time: str = "") -> Response:
    headers = {
        "x-ms-dop-hint": hint,
        "x-ms-ratelimit-burst-remaining-xrm-requests": requests,
        "x-ms-ratelimit-time-remaining-xrm-requests": time,
    }
    return Response(200, {name: value for name, value in headers.items() if value}, b"")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("5999", 5999.0),
        ("7,999", 7999.0),
        ("1,200.00", 1200.0),
        ("1,199.46", 1199.46),
        ("1199.46", 1199.46),
        (" 12 ", 12.0),
        ("1,234,567.8", 1234567.8),
        ("", None),
        ("many", None),
        ("-1", None),
        ("1,19", None),
        ("nan", None),
        ("inf", None),
    ],
)
def test_numbers_come_in_odd_forms(text: str, number: float | None) -> None:
    assert parse_number(text) == number


def test_before_the_service_has_spoken_four_calls_go_at_once() -> None:
    _, pacer, _ = a_pace()
    assert pacer.at_once == 4


@pytest.mark.parametrize(("hint", "at_once"), [("8", 8), ("48", 16), ("2", 2), ("0", 4), ("soon", 4), ("", 4)])
def test_the_hint_is_followed_up_to_our_own_limit(hint: str, at_once: int) -> None:
    pace, pacer, _ = a_pace()
    pace.note(an_answer(hint, "5999", "1,200.00"))
    assert pacer.at_once == at_once


@pytest.mark.parametrize(
    ("requests", "time", "at_once"),
    [
        ("8000", "1,200.00", 8),
        ("4000", "600.00", 8),
        ("8000", "300.00", 4),
        ("2000", "1,200.00", 4),
        ("8000", "0.00", 1),
        ("0", "1,200.00", 1),
    ],
)
def test_below_half_of_the_window_fewer_go_at_once(requests: str, time: str, at_once: int) -> None:
    pace, pacer, _ = a_pace()
    pace.note(an_answer("8", "8,000", "1,200.00"))
    pace.note(an_answer("8", requests, time))
    assert pacer.at_once == at_once


def test_a_server_that_recovers_is_used_again() -> None:
    pace, pacer, _ = a_pace()
    for left in ("1,200.00", "12.00", "1,200.00"):
        pace.note(an_answer("8", "6000", left))
    assert pacer.at_once == 8


async def test_the_reserve_of_others_is_left_alone() -> None:
    pace, pacer, clock = a_pace()
    pace.note(an_answer("8", "6000", "1,200.00"))
    pace.note(an_answer("8", "999", "1,200.00"))
    async with pacer.turn():
        pass
    assert clock.slept == [300.0 / 6000]


@pytest.mark.parametrize("most", [12, 24])
async def test_half_of_our_share_of_the_limit_that_the_service_has_goes_at_once(most: int) -> None:
    pace, pacer, clock = a_pace()
    pace.note(an_answer("1", str(most), "1,200.00"))
    for _ in range(most * 5 // 12):
        async with pacer.turn():
            pass
    assert clock.slept == []
    async with pacer.turn():
        pass
    assert clock.slept != []
