"""How values cross, and what has no spelling on the other side."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.core.choices import Choice
from tandem.core.mapping import NotExpressibleError, Transform
from tandem.core.moments import Moment
from tandem.core.record import Value
from tandem.core.schema import FieldInfo, FieldKind
from tandem.core.transforms import (
    INTEGER_MAX,
    Email,
    Identity,
    Number,
    Opposite,
    Reference,
    Text,
    Unpairable,
    YesNo,
    transform_for,
)
from tandem.core.values import same

RATINGS = Choice({1: "Hot", 2: "Warm", 3: "Cold"})


@pytest.mark.parametrize(
    ("transform", "crm", "marketing"),
    [
        (Identity(), "as is", "as is"),
        (Text(50, 255), "Łucja O’Neill", "Łucja O’Neill"),
        (Text(50, 255), None, None),
        (RATINGS, 2, "Warm"),
        (RATINGS, None, None),
        (YesNo(), True, True),
        (YesNo(), False, False),
        (Opposite(), True, False),
        (Number(crm_whole=True), 7, 7),
        (Number(), 20000.5, 20000.5),
        (Number(), None, None),
        (Moment(), "2026-03-01T10:20:30Z", "2026-03-01T10:20:30Z"),
        (Moment(crm_is_date=True), "2026-03-01", "2026-03-01T00:00:00Z"),
        (Moment(crm_is_date=True, marketing_is_date=True), "2026-03-01", "2026-03-01"),
        (Reference(50), "7e1b0d5c-0000-4000-8000-00000000abcd", "7e1b0d5c-0000-4000-8000-00000000abcd"),
        (Email(100, 255), "Ann.Lee@Example.com", "Ann.Lee@Example.com"),
    ],
)
def test_a_value_crosses_both_ways(transform: Transform, crm: Value, marketing: Value) -> None:
    assert same(transform.to_marketing(crm), marketing)
    assert same(transform.to_crm(marketing), crm)


@pytest.mark.parametrize(
    ("cross", "value", "why"),
    [
        (Text(marketing_max=5).to_marketing, "sixsix", "longer than the 5 characters"),
        (Text(crm_max=5).to_crm, "sixsix", "longer than the 5 characters"),
        (Text(marketing_max_bytes=5).to_marketing, "äöü", "longer than the 5 bytes"),
        (Text().to_marketing, 5, "not a text"),
        (RATINGS.to_marketing, 9, "no label"),
        (RATINGS.to_marketing, True, "no label"),
        (RATINGS.to_crm, "Tepid", "none of the choice's labels"),
        (Choice({1: "New", 2: "NEW"}).to_crm, "new", "several values"),
        (Choice({1: "A long label"}, marketing_max=5).to_marketing, 1, "longer than the 5 characters"),
        (YesNo().to_crm, "perhaps", "neither yes nor no"),
        (Number(marketing_whole=True).to_marketing, 14.1, "whole numbers"),
        (Number(crm_whole=True).to_crm, float(INTEGER_MAX + 1), "larger"),
        (Number().to_crm, "14", "not a number"),
        (Number().to_crm, True, "not a number"),
        (Number().to_crm, float("nan"), "not a number"),
        (Moment().to_crm, "yesterday", "not a date"),
        (Moment().to_marketing, 2026, "not a date"),
        (Email().to_marketing, "jürgen@example.com", "ASCII only"),
        (Email().to_marketing, "ann at example.com", "look like"),
        (Email(crm_max=10).to_crm, "ann@example.com", "longer than the 10"),
        (Reference(10).to_marketing, "7e1b0d5c-0000-4000-8000-00000000abcd", "longer"),
    ],
)
def test_what_has_no_spelling_is_refused_without_showing_it(
    cross: Callable[[Value], Value], value: Value, why: str
) -> None:
    with pytest.raises(NotExpressibleError, match=why) as refusal:
        cross(value)
    assert str(value) not in str(refusal.value).split()


def test_an_empty_boolean_is_false_because_marketo_has_no_empty_one() -> None:
    assert YesNo().to_marketing(None) is False
    assert Opposite().to_marketing(None) is True


def test_a_label_is_found_whatever_its_case() -> None:
    assert RATINGS.to_crm("hOT") == 1


def test_a_whole_number_stays_whole_where_the_side_keeps_no_fraction() -> None:
    crossed = Number(crm_whole=True).to_crm(7.0)
    assert crossed == 7
    assert isinstance(crossed, int)


def test_a_time_becomes_its_date_where_the_side_keeps_dates() -> None:
    assert Moment(marketing_is_date=True).to_marketing("2026-03-01T23:59:59Z") == "2026-03-01"


def test_a_reference_is_lower_case() -> None:
    assert Reference().to_crm("7E1B0D5C-0000-4000-8000-00000000ABCD") == "7e1b0d5c-0000-4000-8000-00000000abcd"


# --- laws ----------------------------------------------------------------------------------------------------------

_times = st.datetimes().map(lambda at: at.strftime(f"{at.year:04}-%m-%dT%H:%M:%SZ"))
_values: st.SearchStrategy[Value] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**40), 2**40),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["Hot", "WARM", "cold", "ann@example.com", "2026-03-01"]),
    _times,
    st.uuids().map(str),
)
_bounds = st.none() | st.integers(1, 20)
_transforms: st.SearchStrategy[Transform] = st.one_of(
    st.builds(Text, _bounds, _bounds, _bounds),
    st.builds(Email, _bounds, _bounds),
    st.builds(Number, st.booleans(), st.booleans()),
    st.builds(Moment, st.booleans(), st.booleans()),
    st.builds(Reference, _bounds),
    st.dictionaries(st.integers(0, 5), st.sampled_from(["Hot", "hot", "Warm", "Cold", ""])).map(Choice),
    st.sampled_from([Identity(), YesNo(), Opposite()]),
)


def _attempt(cross: Callable[[Value], Value], value: Value) -> tuple[bool, Value]:
    try:
        return True, cross(value)
    except NotExpressibleError:
        return False, None


@given(_transforms, _values)
def test_there_and_back_and_there_again_is_there(transform: Transform, value: Value) -> None:
    there, marketing = _attempt(transform.to_marketing, value)
    back, crm = _attempt(transform.to_crm, marketing)
    again, twice = _attempt(transform.to_marketing, crm)
    if there and back and again and value == value:  # not a number is equal to nothing
        assert same(twice, marketing)


@given(_transforms, _values)
def test_back_and_there_and_back_again_is_back(transform: Transform, value: Value) -> None:
    back, crm = _attempt(transform.to_crm, value)
    there, marketing = _attempt(transform.to_marketing, crm)
    again, twice = _attempt(transform.to_crm, marketing)
    narrows = isinstance(transform, Moment) and transform.marketing_is_date and not transform.crm_is_date
    if back and there and again and value == value and not narrows:
        assert same(twice, crm)


@given(st.text(min_size=1, max_size=60), st.integers(1, 40), st.integers(1, 40))
def test_a_text_arrives_whole_or_not_at_all(text: str, crm_max: int, marketing_max: int) -> None:
    transform = Text(crm_max, marketing_max)
    assert _attempt(transform.to_marketing, text) == ((True, text) if len(text) <= marketing_max else (False, None))
    assert _attempt(transform.to_crm, text) == ((True, text) if len(text) <= crm_max else (False, None))


@given(st.dictionaries(st.integers(0, 100), st.text("abcABC", min_size=1, max_size=3), min_size=1))
def test_a_label_comes_back_as_its_number_or_not_at_all(labels: dict[int, str]) -> None:
    for value in labels:
        label = Choice(labels).to_marketing(value)
        is_back, found = _attempt(Choice(labels).to_crm, label)
        assert found == value if is_back else list(map(str.lower, labels.values())).count(str(label).lower()) > 1


# --- the choice of a transform -------------------------------------------------------------------------------------


def _crm(kind: FieldKind, max_length: int | None = None, choices: dict[int, str] | None = None) -> FieldInfo:
    return FieldInfo("column", "Column", kind, kind.value, max_length=max_length, choices=choices or {})


def _marketing(kind: FieldKind, native_type: str, max_length: int | None = None) -> FieldInfo:
    return FieldInfo("field", "Field", kind, native_type, max_length=max_length)


@pytest.mark.parametrize(
    ("crm", "marketing", "expected"),
    [
        (_crm(FieldKind.TEXT, 50), _marketing(FieldKind.TEXT, "string", 255), Text(50, 255, cuts=True)),
        (_crm(FieldKind.TEXT, 2000), _marketing(FieldKind.TEXT, "text"), Text(2000, None, 30_000, cuts=True)),
        (_crm(FieldKind.TEXT, 100), _marketing(FieldKind.TEXT, "email", 255), Email(100, 255)),
        (
            _crm(FieldKind.CHOICE, choices={1: "Hot"}),
            _marketing(FieldKind.TEXT, "string", 255),
            Choice({1: "Hot"}, 255),
        ),
        (_crm(FieldKind.CHOICE, choices={1: "Hot"}), _marketing(FieldKind.INTEGER, "integer"), Number(True, True)),
        (_crm(FieldKind.BOOLEAN), _marketing(FieldKind.BOOLEAN, "boolean"), YesNo()),
        (_crm(FieldKind.NUMBER), _marketing(FieldKind.NUMBER, "currency"), Number()),
        (_crm(FieldKind.NUMBER), _marketing(FieldKind.INTEGER, "score"), Number(False, True)),
        (_crm(FieldKind.INTEGER), _marketing(FieldKind.NUMBER, "float"), Number(True, False)),
        (_crm(FieldKind.DATETIME), _marketing(FieldKind.DATETIME, "datetime"), Moment()),
        (_crm(FieldKind.DATE), _marketing(FieldKind.DATETIME, "datetime"), Moment(True, False)),
        (_crm(FieldKind.REFERENCE), _marketing(FieldKind.TEXT, "string", 50), Reference(50)),
    ],
)
def test_the_types_choose_the_transform(crm: FieldInfo, marketing: FieldInfo, expected: Transform) -> None:
    assert transform_for(crm, marketing) == expected


@pytest.mark.parametrize(
    ("crm", "marketing", "why"),
    [
        (_crm(FieldKind.BOOLEAN), _marketing(FieldKind.TEXT, "string"), "Dynamics holds yes or no, Marketo a text"),
        (_crm(FieldKind.OTHER), _marketing(FieldKind.TEXT, "string"), "Dynamics holds a type that cannot be carried"),
        (_crm(FieldKind.CHOICE), _marketing(FieldKind.TEXT, "string"), "labels of the choice cannot be read"),
    ],
)
def test_types_that_do_not_fit_are_named(crm: FieldInfo, marketing: FieldInfo, why: str) -> None:
    refusal = transform_for(crm, marketing)
    assert isinstance(refusal, Unpairable)
    assert why in refusal.reason
