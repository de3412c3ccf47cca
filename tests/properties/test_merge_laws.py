"""Laws of the merge of one pair, for any values, base, direction and policy."""

from dataclasses import dataclass, replace

from hypothesis import event, given
from hypothesis import strategies as st

from tandem.core.choices import Choice
from tandem.core.mapping import Direction, FieldPair, NotExpressibleError, Transform, Winner
from tandem.core.merge import Agreed, Carry, Held, Quiet, Sighting, Verdict, agree, merge_pair
from tandem.core.plan import Conflict
from tandem.core.policy import EntityPolicy
from tandem.core.record import UNKNOWN, Side, Value
from tandem.core.transforms import Identity, Text, YesNo
from tandem.core.values import is_empty, same


class Trimming:
    """Marketing keeps no space around a text."""

    def to_marketing(self, value: Value) -> Value:
        return value.strip() if isinstance(value, str) else value

    def to_crm(self, value: Value) -> Value:
        return value


@dataclass(frozen=True, slots=True)
class Swapped:
    """A transform seen from the other side."""

    inner: Transform

    def to_marketing(self, value: Value) -> Value:
        return self.inner.to_crm(value)

    def to_crm(self, value: Value) -> Value:
        return self.inner.to_marketing(value)


TEXTS = st.sampled_from([None, "a", "b", "c", " a", "longer"])
LABELS = st.sampled_from([None, "Web", "web", "Fair", "Other"])
CODES = st.sampled_from([None, 1, 2, 3])
YES_OR_NO = st.sampled_from([None, False, True])
KINDS: list[tuple[Transform, st.SearchStrategy[Value], st.SearchStrategy[Value]]] = [
    (Identity(), TEXTS, TEXTS),
    (Text(marketing_max=3), TEXTS, TEXTS),
    (Trimming(), TEXTS, TEXTS),
    (Choice({1: "Web", 2: "Fair", 3: "Fair"}), CODES, LABELS),
    (YesNo(), YES_OR_NO, YES_OR_NO),
]
WINNERS = st.sampled_from(list(Winner))
POLICIES = st.builds(EntityPolicy, WINNERS, st.none() | WINNERS)


@st.composite
def sightings(draw: st.DrawFn, *, opt_out: bool | None = None) -> Sighting:
    transform, crm, marketing = draw(st.sampled_from(KINDS[4:] if opt_out else KINDS))
    pair = FieldPair(
        "crm",
        "marketing",
        transform,
        draw(st.sampled_from(list(Direction))),
        draw(st.none() | WINNERS),
        draw(st.none() | WINNERS),
        opt_out=draw(st.booleans()) if opt_out is None else opt_out,
        only_if_empty=draw(st.integers(0, 4)) == 0,
        can_be_emptied=draw(st.integers(0, 4)) > 0,
    )
    newer = draw(st.none() | st.sampled_from(Side))
    seen = Sighting(pair, UNKNOWN, UNKNOWN, draw(crm), draw(marketing), newer)
    has_base = draw(st.integers(0, 3)) > 0
    return replace(seen, base_crm=draw(crm), base_marketing=draw(marketing)) if has_base else seen


def applied(seen: Sighting, verdict: Verdict) -> Sighting:
    """What is seen once `verdict` has been carried out."""
    match verdict:
        case Agreed():
            return replace(seen, base_crm=seen.crm, base_marketing=seen.marketing)
        case Carry(Side.CRM, after):
            return replace(seen, crm=after, base_crm=after, base_marketing=seen.marketing)
        case Carry(_, after):
            return replace(seen, marketing=after, base_crm=seen.crm, base_marketing=after)
        case _:
            return seen


# --- the mirror


def _swapped_winner(winner: Winner) -> Winner:
    return {Winner.CRM: Winner.MARKETING, Winner.MARKETING: Winner.CRM}.get(winner, winner)


def _swapped_pair(pair: FieldPair) -> FieldPair:
    directions = {Direction.TO_CRM: Direction.TO_MARKETING, Direction.TO_MARKETING: Direction.TO_CRM}
    return replace(
        pair,
        transform=Swapped(pair.transform),
        direction=directions.get(pair.direction, pair.direction),
        winner=_swapped_winner(pair.winner) if pair.winner else None,
        first_link=_swapped_winner(pair.first_link) if pair.first_link else None,
    )


def _mirrored(seen: Sighting) -> Sighting:
    newer = seen.newer.other if seen.newer else None
    return Sighting(_swapped_pair(seen.pair), seen.base_marketing, seen.base_crm, seen.marketing, seen.crm, newer)


def _gist(verdict: Verdict, *, swap: bool) -> tuple[object, ...]:
    """`verdict` without its words; with `swap`, as the other side would tell it."""

    def of(conflict: Conflict | None) -> tuple[object, ...] | None:
        if conflict is None:
            return None
        halves = [(conflict.base_crm, conflict.crm), (conflict.base_marketing, conflict.marketing)]
        winner = _swapped_winner(conflict.winner) if swap else conflict.winner
        return (conflict.kind, winner, *(reversed(halves) if swap else halves))

    match verdict:
        case Carry(to, after, _, conflict):
            return ("carry", to.other if swap else to, after, of(conflict))
        case Held(_, conflict):
            return ("held", of(conflict))
        case _:
            return (type(verdict).__name__,)


@given(sightings(), POLICIES)
def test_swapping_the_sides_and_the_winner_mirrors_the_verdict(seen: Sighting, policy: EntityPolicy) -> None:
    seen = replace(seen, pair=replace(seen.pair, can_be_emptied=True))
    mirror = EntityPolicy(_swapped_winner(policy.winner), policy.first_link and _swapped_winner(policy.first_link))
    here, there = merge_pair(seen, policy), merge_pair(_mirrored(seen), mirror)
    event(type(here).__name__)
    assert _gist(here, swap=False) == _gist(there, swap=True)


@given(sightings())
def test_agreement_has_no_sides(seen: Sighting) -> None:
    swapped = _mirrored(seen)
    assert agree(seen.pair, seen.crm, seen.marketing) is agree(swapped.pair, swapped.crm, swapped.marketing)


# --- no change, no action; one change, once


@given(sightings(), POLICIES)
def test_r1_what_nobody_changed_is_quiet_whatever_the_halves_are(seen: Sighting, policy: EntityPolicy) -> None:
    still = replace(seen, base_crm=seen.crm, base_marketing=seen.marketing)
    assert isinstance(merge_pair(still, policy), Quiet)


@given(sightings(), POLICIES)
def test_merging_after_applying_does_nothing_more(seen: Sighting, policy: EntityPolicy) -> None:
    verdict = merge_pair(seen, policy)
    again = merge_pair(applied(seen, verdict), policy)
    event(type(verdict).__name__)
    assert again == verdict if isinstance(verdict, Held) else isinstance(again, Quiet)


@given(sightings(), POLICIES)
def test_a_carried_value_is_news_to_its_side_and_goes_where_the_pair_may_go(
    seen: Sighting, policy: EntityPolicy
) -> None:
    verdict = merge_pair(seen, policy)
    if not isinstance(verdict, Carry):
        return
    assert seen.pair.direction.allows(verdict.to)
    assert not same(verdict.after, seen.value(verdict.to))
    assert same(verdict.after, seen.pair.carry(seen.value(verdict.to.other), to=verdict.to))
    assert seen.pair.can_be_emptied or verdict.to is Side.CRM or not is_empty(verdict.after)


# --- nothing is lost


@given(sightings(), POLICIES)
def test_r3_an_edit_arrives_or_stands_in_a_conflict_or_is_held(seen: Sighting, policy: EntityPolicy) -> None:
    """But for a pair that only fills: there a value that stands is meant to stay on its own side."""
    seen = replace(seen, pair=replace(seen.pair, only_if_empty=False))
    verdict = merge_pair(seen, policy)
    conflict = getattr(verdict, "conflict", None)
    for side in Side:
        if seen.base_crm is UNKNOWN or not seen.has_changed(side):
            continue
        stands = isinstance(verdict, Held) or conflict is not None
        arrives = isinstance(verdict, Agreed) or (isinstance(verdict, Carry) and verdict.to is side.other)
        assert stands or arrives or _says_nothing(seen, side), f"the edit in {side} is lost: {verdict}"


def _says_nothing(seen: Sighting, side: Side) -> bool:
    """An edit between no and nothing, beside an opt-out on the other side, takes nothing back."""
    half = seen.base_crm if side is Side.CRM else seen.base_marketing
    return seen.pair.opt_out and half is not True and seen.value(side) is not True


@given(sightings(), POLICIES)
def test_r3_where_both_hold_different_values_at_the_first_link_both_are_recorded(
    seen: Sighting, policy: EntityPolicy
) -> None:
    pair = replace(seen.pair, only_if_empty=False, opt_out=False)
    first = replace(seen, pair=pair, base_crm=UNKNOWN, base_marketing=UNKNOWN)
    has_blank = any(value is None or value is False for value in (first.crm, first.marketing))
    if has_blank or agree(pair, first.crm, first.marketing):
        return
    verdict = merge_pair(first, policy)
    assert isinstance(verdict, Carry | Held)
    assert verdict.conflict is not None
    assert (verdict.conflict.crm, verdict.conflict.marketing) == (first.crm, first.marketing)


@given(sightings(), POLICIES)
def test_r8_without_a_base_an_empty_value_never_wins(seen: Sighting, policy: EntityPolicy) -> None:
    verdict = merge_pair(replace(seen, base_crm=UNKNOWN, base_marketing=UNKNOWN), policy)
    if isinstance(verdict, Carry):
        assert not is_empty(verdict.after)


@given(sightings(opt_out=True), POLICIES)
def test_r8_an_opt_out_is_never_weakened(seen: Sighting, policy: EntityPolicy) -> None:
    verdict = merge_pair(seen, policy)
    if isinstance(verdict, Carry):
        assert verdict.after is True or (seen.crm is not True and seen.marketing is not True)
    after = applied(seen, verdict)
    if True in (seen.crm, seen.marketing) and not isinstance(verdict, Held | Quiet):
        assert (after.crm, after.marketing) == (True, True)


@given(sightings(), POLICIES)
def test_a_reason_never_shows_a_value(seen: Sighting, policy: EntityPolicy) -> None:
    """R11: reasons are stored and shown in lists."""
    reason = getattr(merge_pair(seen, policy), "reason", "")
    assert "longer" not in reason.replace("is longer than", "")


@given(sightings())
def test_what_can_be_spelled_both_ways_agrees_with_its_spelling(seen: Sighting) -> None:
    for side in Side:
        if seen.pair.direction.allows(side):
            try:
                spelled = seen.pair.carry(seen.value(side.other), to=side)
            except NotExpressibleError:
                continue
            values: dict[Side, Value] = {side: spelled, side.other: seen.value(side.other)}
            assert agree(seen.pair, values[Side.CRM], values[Side.MARKETING])
