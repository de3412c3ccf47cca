"""Filters: what passes, what is refused at the start, and what has no answer."""

from typing import Any

import pytest

from tandem.core.errors import ConfigError
from tandem.core.filters import RecordFilter, compile_filter

KNOWN = ("new_synctomkto", "emailaddress1", "revenue", "statecode", "createdon")


def a_filter(text: str) -> RecordFilter:
    compiled = compile_filter(text, KNOWN, "entities.lead.filter")
    assert compiled is not None
    return compiled


@pytest.mark.parametrize(("value", "passes"), [(None, True), (True, True), (False, False)])
def test_the_native_filter_keeps_out_an_explicit_no_only(value: bool | None, passes: bool) -> None:  # N96
    assert a_filter("synctomkto").passes({"new_synctomkto": value}) is passes


def test_without_its_column_the_native_filter_lets_everything_through() -> None:  # N96
    assert compile_filter("synctomkto", ["emailaddress1"], "entities.lead.filter") is None


@pytest.mark.parametrize(
    ("text", "values", "passes"),
    [
        ("emailaddress1 != null", {"emailaddress1": "a@b.example"}, True),
        ("emailaddress1 != null", {}, False),
        ("emailaddress1.endsWith('.de') && statecode == 0", {"emailaddress1": "a@b.de", "statecode": 0}, True),
        ("revenue > 1000.0", {"revenue": 2000.0}, True),
        ("revenue > 1000.0", {"revenue": None}, False),
        ("statecode in [0, 2]", {"statecode": 1}, False),
        ("timestamp(createdon) > timestamp('2026-01-01T00:00:00Z')", {"createdon": "2026-02-01T00:00:00Z"}, True),
        ("statecode", {"statecode": 1}, False),
    ],
)  # fmt: skip
def test_an_expression_decides(text: str, values: dict[str, Any], passes: bool) -> None:
    assert a_filter(text).passes(values) is passes


def test_a_text_and_a_call_are_no_fields() -> None:
    assert a_filter("emailaddress1 == 'revenue' || size(emailaddress1) > 3").fields == ("emailaddress1",)


def test_a_field_that_does_not_exist_is_named() -> None:
    with pytest.raises(ConfigError, match=r"entities\.lead\.filter names emailadress1, which"):
        a_filter("emailadress1 != null")


def test_a_field_that_is_nearly_right_is_suggested() -> None:
    with pytest.raises(ConfigError, match=r"did you mean emailaddress1\?$"):
        a_filter("EmailAdress1 != null")


def test_what_is_no_expression_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"entities\.lead\.filter is not an expression"):
        a_filter("emailaddress1 ==")
