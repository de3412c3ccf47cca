"""Round trips: what one side can hold comes back equal, or is told as narrowed, once; and nothing goes back and forth.

Every transform that a pair of types can get is tried with every value its two columns can hold: first by itself, then
through the merge, where a person types on either side and the other side makes of it what its type can hold.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.errors import UnsatisfiedAssumption

from tandem.core.choices import Choice, ChoiceNumber, Choices, UnknownLabel
from tandem.core.mapping import FieldPair, NotExpressibleError, Transform, Winner
from tandem.core.merge import QUIET, Agreed, Carry, Held, Sighting, Verdict, agree, is_drift, merge_pair
from tandem.core.moments import Moment
from tandem.core.plan import ConflictKind
from tandem.core.policy import EntityPolicy
from tandem.core.record import UNKNOWN, Side, Unknown, Value
from tandem.core.transforms import Email, Identity, Number, Opposite, Reference, Text, YesNo
from tandem.core.values import same

LABELS = {1: "Hot", 2: "Warm", 3: "Cold; or so", 7: "Ünï"}
FORMER = {"Boiling": 1}
EARLY, LATE = datetime(1900, 1, 2), datetime(2200, 1, 1)  # noqa: DTZ001 - Hypothesis draws times without a zone
ZONES: tuple[tzinfo, ...] = (UTC, timezone(timedelta(hours=5, minutes=30)), timezone(timedelta(hours=-8)))

WORDS = st.none() | st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)
MOMENTS = st.datetimes(EARLY, LATE).map(lambda at: f"{at:%Y-%m-%dT%H:%M:%S}Z")
DAYS = st.dates(EARLY.date(), LATE.date()).map(str)
NUMBERS = st.integers(-(2**31), 2**31 - 1) | st.floats(-1e9, 1e9, allow_nan=False).map(lambda n: round(n, 4))


@dataclass(frozen=True)
class Types:
    """A pair of types: how values cross, and what each side can hold."""

    transform: Transform
    crm: st.SearchStrategy[Value]
    marketing: st.SearchStrategy[Value]

    def __repr__(self) -> str:
        return repr(self.transform)


def _texts(longest: int | None) -> st.SearchStrategy[Value]:
    return WORDS if longest is None else WORDS.filter(lambda text: text is None or len(text) <= longest)


def _lists(labels: dict[int, str]) -> st.SearchStrategy[Value]:
    sets = st.sets(st.sampled_from(sorted(labels)))
    return sets.map(lambda chosen: ",".join(map(str, sorted(chosen))) or None)


def _moments(*, is_date: bool) -> st.SearchStrategy[Value]:
    return st.none() | (DAYS if is_date else MOMENTS)


ADDRESSES = st.none() | st.sampled_from(["a@b.cd", "Ann@b.example", "far.too.long@b.example", "ünï@b.cd", "nobody"])
LABEL_TEXTS = st.none() | st.sampled_from([*LABELS.values(), "hot", "WARM", "Boiling", "Tepid"])
ALL: list[Types] = [
    Types(Identity(), WORDS, WORDS),
    *(
        Types(Text(m, n, cuts=cuts), _texts(m), _texts(n))
        for m, n in ((8, 3), (3, 8), (None, 5))
        for cuts in (True, False)
    ),
    Types(Text(None, None, 12, cuts=True), WORDS, WORDS.filter(lambda text: len((text or "").encode()) <= 12)),
    Types(Email(20, 10), ADDRESSES, ADDRESSES),
    Types(Choice(LABELS, former=FORMER), st.none() | st.sampled_from(sorted(LABELS)), LABEL_TEXTS),
    Types(Choice(LABELS, unknown=UnknownLabel.EMPTY), st.none() | st.sampled_from(sorted(LABELS)), LABEL_TEXTS),
    Types(
        ChoiceNumber(frozenset(LABELS)),
        st.none() | st.sampled_from(sorted(LABELS)),
        st.none() | st.sampled_from(["1", "2", "9", " 7", "seven"]),
    ),
    Types(
        Choices(LABELS, former=FORMER),
        _lists(LABELS),
        st.none()
        | st.lists(st.sampled_from(["Hot", "warm", "Boiling", "Tepid", " Ünï"])).map(";".join).map(lambda t: t or None),
    ),
    Types(YesNo(), st.none() | st.booleans(), st.booleans()),
    Types(Opposite(), st.none() | st.booleans(), st.booleans()),
    *(
        Types(
            Number(crm_whole=a, marketing_whole=b),
            st.none() | (NUMBERS.map(int) if a else NUMBERS),
            st.none() | (NUMBERS.map(int) if b else NUMBERS),
        )
        for a in (True, False)
        for b in (True, False)
    ),
    *(
        Types(Moment(a, b, zone), _moments(is_date=a), _moments(is_date=b))
        for a in (True, False)
        for b in (True, False)
        for zone in ZONES
    ),
    Types(Reference(), st.none() | st.uuids().map(str), st.none() | st.uuids().map(str)),
]
every_pair_of_types = pytest.mark.parametrize("types", ALL, ids=repr)


def _across(types: Types, value: Value, to: Side) -> Value:
    cross: Callable[[Value], Value] = types.transform.to_crm if to is Side.CRM else types.transform.to_marketing
    try:
        return cross(value)
    except NotExpressibleError:
        raise UnsatisfiedAssumption from None


# --- the transform alone ---------------------------------------------------------------------------------------------


@every_pair_of_types
@settings(max_examples=25)
@given(data=st.data())
def test_what_came_back_once_comes_back_equal_for_ever(types: Types, data: st.DataObject) -> None:
    """``there(back(there(v))) == there(v)``, from either side: a value is narrowed on its first way or never."""
    for giver in Side:
        value = data.draw(types.crm if giver is Side.CRM else types.marketing)
        there = _across(types, value, giver.other)
        assert same(_across(types, _across(types, there, giver), giver.other), there)


@every_pair_of_types
@settings(max_examples=25)
@given(data=st.data())
def test_a_value_that_both_types_can_hold_comes_back_equal(types: Types, data: st.DataObject) -> None:
    """... unless the pair says that less of it arrives, its other side has no such value, or spells it otherwise."""
    pair = FieldPair("column", "field", types.transform)
    value = data.draw(types.crm)
    there = _across(types, value, Side.MARKETING)
    back = _across(types, there, Side.CRM)
    has_no_room = isinstance(types.transform, Moment) and types.transform.marketing_is_date
    is_unset = value is None and isinstance(types.transform, YesNo | Opposite)
    if not (pair.narrows(value, to=Side.MARKETING) or has_no_room or is_unset):
        assert same(back, value)
    else:
        assert agree(pair, value, there), "a narrowed value still agrees with what it was narrowed from"


# --- through the merge -----------------------------------------------------------------------------------------------


@dataclass
class Field:
    """One pair of fields with its base, as a sync keeps it."""

    pair: FieldPair
    crm: Value
    marketing: Value
    base: tuple[Value | Unknown, Value | Unknown] = (UNKNOWN, UNKNOWN)
    told: int = 0

    def merge(self, winner: Winner = Winner.CRM) -> Verdict:
        """Merge, and do what comes of it."""
        policy = EntityPolicy(winner, first_link=winner)
        verdict = merge_pair(Sighting(self.pair, *self.base, self.crm, self.marketing), policy)
        match verdict:
            case Agreed():
                self.base = (self.crm, self.marketing)
            case Carry(to, after, _, conflict):
                self.told += conflict is not None and conflict.kind is ConflictKind.NARROWED
                if to is Side.CRM:
                    self.crm = after
                else:
                    self.marketing = after
                self.base = (self.crm, self.marketing)
        return verdict


@every_pair_of_types
@settings(max_examples=25)
@given(data=st.data(), winner=st.sampled_from([Winner.CRM, Winner.MARKETING]))
def test_merging_twice_does_nothing_the_second_time(types: Types, data: st.DataObject, winner: Winner) -> None:
    field = Field(FieldPair("column", "field", types.transform), data.draw(types.crm), data.draw(types.marketing))
    first = field.merge(winner)
    crm, marketing = field.crm, field.marketing
    second = field.merge(winner)
    if isinstance(first, Held):
        assert isinstance(second, Held)
    else:
        assert second == QUIET
        assert not is_drift(field.pair, field.crm, field.marketing)
    assert (field.crm, field.marketing) == (crm, marketing)


@every_pair_of_types
@settings(max_examples=25)
@given(data=st.data())
def test_an_edit_arrives_and_nothing_comes_back_from_it(types: Types, data: st.DataObject) -> None:
    """A person types on one side after both agreed; the other side follows, and the first keeps what was typed."""
    field = Field(FieldPair("column", "field", types.transform), data.draw(types.crm), data.draw(types.marketing))
    field.merge()
    assume(field.base[0] is not UNKNOWN)
    side = data.draw(st.sampled_from(Side))
    typed = data.draw(types.crm if side is Side.CRM else types.marketing)
    setattr(field, side.value, typed)
    verdict = field.merge()
    assert same(getattr(field, side.value), typed), "what a person typed stands where it was typed"
    if not isinstance(verdict, Held):
        assert field.merge() == QUIET
        assert agree(field.pair, field.crm, field.marketing)


@given(text=st.text(min_size=9, max_size=40), later=st.text(min_size=9, max_size=40))
def test_a_text_that_is_cut_is_told_once_and_its_edit_does_not_lose_the_rest(text: str, later: str) -> None:
    assume(text.strip() and text != later and text[:4] != later[:4])
    pair = FieldPair("column", "field", Text(40, 8, cuts=True))
    field = Field(pair, text, None)
    field.merge()
    field.merge()
    assert (field.told, field.crm) == (1, text)
    field.marketing = "edited"
    assume(field.base[1] != "edited")
    verdict = field.merge()
    assert isinstance(verdict, Held)
    assert "shortened" in verdict.reason
    assert field.crm == text


@given(text=st.text(st.characters(codec="utf-8"), max_size=60), room=st.integers(1, 40))
def test_a_text_is_cut_by_bytes_at_the_edge_of_a_character(text: str, room: int) -> None:
    there = Text(None, None, room, cuts=True).to_marketing(text)
    fits = next(text[:size] for size in range(len(text), -1, -1) if len(text[:size].encode()) <= room)
    assert (there or "") == (text if fits == text else fits.rstrip())


def test_every_transform_has_its_laws() -> None:
    """A new one is added to the list above."""
    assert {type(types.transform) for types in ALL} == {
        *(Identity, Text, Email, Choice, ChoiceNumber, Choices, YesNo, Opposite, Number, Moment, Reference)
    }
