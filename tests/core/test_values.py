"""Equality of values, and the display strings of Marketo's log."""

import pytest

from tandem.core.record import UNKNOWN, Unknown, Value
from tandem.core.values import display, is_empty, same, shows


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (None, None, True),
        ("a", "a", True),
        ("a", "A", False),
        ("a", "a ", False),
        (None, "", False),
        (None, False, False),
        (1, 1.0, True),
        (1, "1", False),
        (True, True, True),
        (True, False, False),
        (True, 1, False),
        (0, False, False),
        (UNKNOWN, UNKNOWN, False),
        (UNKNOWN, None, False),
    ],
)
def test_values_are_the_same_by_value_and_kind(left: Value | Unknown, right: Value | Unknown, expected: bool) -> None:
    assert same(left, right) is expected
    assert same(right, left) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, True), ("", True), (False, False), (0, False), ("a", False), (UNKNOWN, False)],
)
def test_only_null_and_the_empty_text_are_empty(value: Value | Unknown, expected: bool) -> None:
    assert is_empty(value) is expected


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        (UNKNOWN, None),
        (True, "True"),
        (False, "False"),
        (7, "7"),
        (7.0, "7"),
        (7.5, "7.5"),
        ("text", "text"),
        ("2026-03-01T12:00:05Z", "2026-03-01 12:00:05"),
        ("2026-03-01", "2026-03-01"),
        ("twenty characters, Z", "twenty characters, Z"),
    ],
)
def test_the_log_shows_a_value_as_text(value: Value | Unknown, shown: str | None) -> None:
    assert display(value) == shown
    assert shows(shown, value)


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        (None, None, True),
        ("", None, True),
        (None, "", True),
        ("", UNKNOWN, True),
        (None, "a", False),
        ("a", None, False),
        (None, False, False),
        ("a", "a", True),
        ("A", "a", False),
        ("true", True, True),
        ("FALSE", False, True),
        ("1", True, False),
        ("7.50", 7.5, True),
        ("7.0", 7, True),
        ("8", 7, False),
        ("seven", 7, False),
        ("7.0", "7", False),
    ],
)
def test_a_text_of_the_log_may_stand_for_a_value(text: str | None, value: Value | Unknown, expected: bool) -> None:
    assert shows(text, value) is expected
