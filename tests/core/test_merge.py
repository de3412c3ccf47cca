"""The merge of one pair as tables: what each side held, what it holds now, and what is done about it."""

from dataclasses import replace

import pytest

from tandem.core.choices import Choice
from tandem.core.mapping import Direction, FieldPair, NotExpressibleError, Winner
from tandem.core.merge import Agreed, Carry, Held, Quiet, Sighting, Verdict, agree, is_drift, merge_pair
from tandem.core.plan import Conflict, ConflictKind
from tandem.core.policy import EditRule, EntityPolicy
from tandem.core.record import UNKNOWN, Side, Unknown, Value
from tandem.core.transforms import Identity, YesNo

CRM_WINS, MARKETING_WINS, NEWEST_WINS, NOBODY_WINS = (EntityPolicy(winner) for winner in Winner)

TEXT = FieldPair("telephone1", "phone", Identity())
TO_MARKETING = replace(TEXT, direction=Direction.TO_MARKETING)
TO_CRM = replace(TEXT, direction=Direction.TO_CRM)
FILLS = replace(TEXT, only_if_empty=True)
COMPANY = replace(TO_MARKETING, can_be_emptied=False)
CHOICE = FieldPair("leadsourcecode", "leadSource", Choice({1: "Web", 2: "Fair"}))
FLAG = FieldPair("followemail", "followEmail", YesNo())
OPT_OUT = FieldPair("donotbulkemail", "unsubscribed", YesNo(), opt_out=True)
OPT_OUT_TO_MARKETING = replace(OPT_OUT, direction=Direction.TO_MARKETING)
OPT_OUT_TO_CRM = replace(OPT_OUT, direction=Direction.TO_CRM)

Half = Value | Unknown


class ShortText:
    """A field that takes three letters; a longer text has no spelling there."""

    def to_marketing(self, value: Value) -> Value:
        if isinstance(value, str) and len(value) > 3:
            raise NotExpressibleError("too long")
        return value

    def to_crm(self, value: Value) -> Value:
        return value


class Trimming:
    """Marketing has no space around a text, so that two crm texts are one there."""

    def to_marketing(self, value: Value) -> Value:
        return value.strip() if isinstance(value, str) else value

    def to_crm(self, value: Value) -> Value:
        return value


def merge(
    pair: FieldPair, base: tuple[Half, Half], crm: Value, marketing: Value, policy: EntityPolicy = CRM_WINS
) -> Verdict:
    return merge_pair(Sighting(pair, *base, crm, marketing), policy)


def outcome(verdict: Verdict) -> str:
    """`verdict` as the tables spell it."""
    match verdict:
        case Quiet():
            return "quiet"
        case Agreed():
            return "agreed"
        case Carry(to, after, _, conflict):
            return f"{to} := {after}" + (f", {conflict.kind}, {conflict.winner} wins" if conflict else "")
        case Held(_, conflict):
            return "held" + (f", {conflict.kind}, {conflict.winner} wins" if conflict else "")


# --- linked pairs


@pytest.mark.parametrize(
    ("crm", "marketing", "expected"),
    [
        ("old", "old", "quiet"),
        ("new", "old", "marketing := new"),
        ("old", "new", "crm := new"),
        (None, "old", "marketing := None"),
        ("old", None, "crm := None"),
        ("new", "new", "agreed"),
        (None, None, "agreed"),
        ("one", "two", "marketing := one, both changed, crm wins"),
        (None, "two", "marketing := None, both changed, crm wins"),
        ("one", None, "marketing := one, both changed, crm wins"),
    ],
)
def test_a_field_moves_only_if_a_side_changed_it_and_a_disagreement_is_recorded(
    crm: Value, marketing: Value, expected: str
) -> None:
    assert outcome(merge(TEXT, ("old", "old"), crm, marketing)) == expected


@pytest.mark.parametrize(
    ("policy", "pair", "expected"),
    [
        (CRM_WINS, TEXT, "marketing := one, both changed, crm wins"),
        (MARKETING_WINS, TEXT, "crm := two, both changed, marketing wins"),
        (NOBODY_WINS, TEXT, "held, both changed, hold wins"),
        (CRM_WINS, replace(TEXT, winner=Winner.MARKETING), "crm := two, both changed, marketing wins"),
        (CRM_WINS, replace(TEXT, winner=Winner.HOLD), "held, both changed, hold wins"),
        (NOBODY_WINS, replace(TEXT, winner=Winner.CRM), "marketing := one, both changed, crm wins"),
        (EntityPolicy(Winner.CRM, first_link=Winner.HOLD), TEXT, "marketing := one, both changed, crm wins"),
    ],
)
def test_the_winner_of_the_field_comes_before_the_entitys(policy: EntityPolicy, pair: FieldPair, expected: str) -> None:
    assert outcome(merge(pair, ("old", "old"), "one", "two", policy)) == expected


def test_a_conflict_holds_both_values_and_what_both_sides_held_before() -> None:
    verdict = merge(CHOICE, (1, "Web"), 2, "Other", NOBODY_WINS)
    reason = "both changed: held by policy"
    conflict = Conflict(
        ConflictKind.BOTH_CHANGED, "leadsourcecode|leadSource", 1, "Web", 2, "Other", Winner.HOLD, reason
    )
    assert verdict == Held(reason, conflict)


@pytest.mark.parametrize(
    ("base", "crm", "marketing", "expected"),
    [
        (("  a", "a"), "  a", "a", "quiet"),
        (("a", "a"), " a ", "a", "agreed"),
        (("a", "a"), "b ", "a", "marketing := b"),
        (("a ", "a"), "a ", "b", "crm := b"),
        (("long text", "long"), "long text", "long", "quiet"),
        (("long text", "long"), "long", "long", "agreed"),
    ],
)
def test_a_side_has_changed_when_it_differs_from_its_own_half(
    base: tuple[Half, Half], crm: Value, marketing: Value, expected: str
) -> None:
    pair = replace(TEXT, transform=Trimming())
    assert outcome(merge(pair, base, crm, marketing)) == expected


# --- the first link


@pytest.mark.parametrize(
    ("pair", "crm", "marketing", "expected"),
    [
        (TEXT, "same", "same", "agreed"),
        (TEXT, None, None, "agreed"),
        (CHOICE, 2, "fair", "agreed"),
        (FLAG, None, False, "agreed"),
        (TEXT, "one", None, "marketing := one"),
        (TEXT, None, "two", "crm := two"),
        (TEXT, "one", "two", "marketing := one, first link, crm wins"),
        (FLAG, True, False, "marketing := True"),
        (FLAG, False, True, "crm := True"),
        (FLAG, None, True, "crm := True"),
        (TO_MARKETING, "one", None, "marketing := one"),
        (TO_MARKETING, None, "two", "held"),
        (TO_MARKETING, "one", "two", "marketing := one, first link, crm wins"),
        (TO_CRM, None, "two", "crm := two"),
        (TO_CRM, "one", None, "held"),
        (TO_CRM, "one", "two", "crm := two, first link, marketing wins"),
        (replace(TEXT, first_link=Winner.MARKETING), "one", "two", "crm := two, first link, marketing wins"),
        (replace(TEXT, first_link=Winner.HOLD), "one", "two", "held, first link, hold wins"),
        (replace(TEXT, first_link=Winner.HOLD), "one", None, "marketing := one"),
    ],
)
def test_without_a_base_equal_values_agree_an_empty_side_is_filled_and_the_rest_is_recorded(
    pair: FieldPair, crm: Value, marketing: Value, expected: str
) -> None:
    assert outcome(merge(pair, (UNKNOWN, UNKNOWN), crm, marketing)) == expected


@pytest.mark.parametrize("policy", [CRM_WINS, MARKETING_WINS, NOBODY_WINS])
@pytest.mark.parametrize("pair", [TEXT, TO_MARKETING, TO_CRM, FILLS])
def test_r8_without_a_base_an_empty_value_never_wins(pair: FieldPair, policy: EntityPolicy) -> None:
    for crm, marketing in ((None, "two"), ("one", None)):
        verdict = merge(pair, (UNKNOWN, UNKNOWN), crm, marketing, policy)
        assert not (isinstance(verdict, Carry) and verdict.after is None)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (EntityPolicy(Winner.CRM, first_link=Winner.MARKETING), "crm := two, first link, marketing wins"),
        (EntityPolicy(Winner.CRM, first_link=Winner.HOLD), "held, first link, hold wins"),
        (MARKETING_WINS, "crm := two, first link, marketing wins"),
    ],
)
def test_the_entity_may_have_a_winner_of_its_own_for_the_first_link(policy: EntityPolicy, expected: str) -> None:
    assert outcome(merge(TEXT, (UNKNOWN, UNKNOWN), "one", "two", policy)) == expected


# --- opt-outs (R8)


@pytest.mark.parametrize("policy", [CRM_WINS, MARKETING_WINS, NOBODY_WINS])
@pytest.mark.parametrize(
    ("base", "crm", "marketing", "expected"),
    [
        # nobody has opted out
        ((False, False), False, False, "quiet"),
        ((False, False), None, False, "agreed"),
        ((None, False), False, False, "agreed"),
        # somebody opts out
        ((False, False), True, False, "marketing := True"),
        ((False, False), False, True, "crm := True"),
        ((None, False), None, True, "crm := True"),
        ((None, None), True, None, "marketing := True"),
        ((False, False), True, True, "agreed"),
        # somebody takes it back: the stronger value returns, and the edit is recorded (R3)
        ((True, True), False, True, "crm := True, opt-out weakened, marketing wins"),
        ((True, True), None, True, "crm := True, opt-out weakened, marketing wins"),
        ((True, True), True, False, "marketing := True, opt-out weakened, crm wins"),
        # both take it back
        ((True, True), False, False, "agreed"),
        ((True, True), True, True, "quiet"),
        # the halves had come apart
        ((False, True), True, False, "marketing := True, opt-out weakened, crm wins"),
        ((True, False), False, True, "crm := True, opt-out weakened, marketing wins"),
        # no base
        ((UNKNOWN, UNKNOWN), False, False, "agreed"),
        ((UNKNOWN, UNKNOWN), None, False, "agreed"),
        ((UNKNOWN, UNKNOWN), True, True, "agreed"),
        ((UNKNOWN, UNKNOWN), True, False, "marketing := True"),
        ((UNKNOWN, UNKNOWN), True, None, "marketing := True"),
        ((UNKNOWN, UNKNOWN), False, True, "crm := True"),
        ((UNKNOWN, UNKNOWN), None, True, "crm := True"),
    ],
)
def test_r8_an_opt_out_moves_only_from_false_to_true_whoever_wins(
    policy: EntityPolicy, base: tuple[Half, Half], crm: Value, marketing: Value, expected: str
) -> None:
    assert outcome(merge(OPT_OUT, base, crm, marketing, policy)) == expected


@pytest.mark.parametrize("policy", [CRM_WINS, MARKETING_WINS, NOBODY_WINS])
@pytest.mark.parametrize(
    ("pair", "base", "crm", "marketing", "expected"),
    [
        (OPT_OUT_TO_MARKETING, (False, False), True, False, "marketing := True"),
        (OPT_OUT_TO_MARKETING, (False, False), False, True, "held"),
        (OPT_OUT_TO_MARKETING, (True, True), False, True, "held, opt-out weakened, marketing wins"),
        (OPT_OUT_TO_MARKETING, (True, True), True, False, "marketing := True, opt-out weakened, crm wins"),
        (OPT_OUT_TO_MARKETING, (UNKNOWN, UNKNOWN), False, True, "held"),
        (OPT_OUT_TO_CRM, (False, False), False, True, "crm := True"),
        (OPT_OUT_TO_CRM, (False, False), True, False, "held"),
        (OPT_OUT_TO_CRM, (True, True), True, False, "held, opt-out weakened, crm wins"),
        (OPT_OUT_TO_CRM, (UNKNOWN, UNKNOWN), True, False, "held"),
    ],
)
def test_r8_where_an_opt_out_may_not_go_it_is_held_and_not_weakened(
    pair: FieldPair, policy: EntityPolicy, base: tuple[Half, Half], crm: Value, marketing: Value, expected: str
) -> None:
    assert outcome(merge(pair, base, crm, marketing, policy)) == expected


@pytest.mark.parametrize("base", [(UNKNOWN, UNKNOWN), (False, False)])
@pytest.mark.parametrize(
    ("crm", "marketing", "expected"), [(True, False, "marketing := True"), (False, True, "crm := True")]
)
def test_r8_an_opt_out_that_only_fills_replaces_a_no(
    base: tuple[Half, Half], crm: Value, marketing: Value, expected: str
) -> None:
    """Marketing's booleans are never empty: its no is what an empty field is elsewhere."""
    pair = replace(OPT_OUT, only_if_empty=True)
    assert outcome(merge(pair, base, crm, marketing)) == expected


@pytest.mark.parametrize(
    ("pair", "crm", "marketing"),
    [(OPT_OUT_TO_MARKETING, False, None), (OPT_OUT_TO_CRM, None, False)],
)
@pytest.mark.parametrize("base", [(UNKNOWN, UNKNOWN), (True, True)])
def test_where_nobody_has_opted_out_the_pair_is_a_one_way_field_like_any_other(
    pair: FieldPair, base: tuple[Half, Half], crm: Value, marketing: Value
) -> None:
    verdict = merge(pair, base, crm, marketing)
    assert isinstance(verdict, Carry)
    assert verdict.after is False
    assert "opted out" not in verdict.reason


@pytest.mark.parametrize("transform", [Identity(), Choice({1: "yes", 2: "no"})])
def test_an_opt_out_that_is_not_yes_or_no_merges_like_any_other_field(transform: Identity | Choice) -> None:
    pair = replace(OPT_OUT, transform=transform)
    old, new = ("no", "yes") if isinstance(transform, Identity) else (2, 1)
    assert outcome(merge(pair, (old, "no"), new, "no", MARKETING_WINS)) == "marketing := yes"
    assert outcome(merge(pair, (old, "no"), old, "yes", CRM_WINS)) == f"crm := {new}"


# --- one-way pairs


@pytest.mark.parametrize("policy", [CRM_WINS, MARKETING_WINS, NOBODY_WINS])
@pytest.mark.parametrize(
    ("pair", "crm", "marketing", "expected"),
    [
        (TO_MARKETING, "old", "old", "quiet"),
        (TO_MARKETING, "new", "old", "marketing := new"),
        (TO_MARKETING, None, "old", "marketing := None"),
        (TO_MARKETING, "new", "new", "agreed"),
        (TO_MARKETING, "old", "new", "marketing := old, changed on the receiving side, crm wins"),
        (TO_MARKETING, "one", "two", "marketing := one, changed on the receiving side, crm wins"),
        (TO_CRM, "old", "new", "crm := new"),
        (TO_CRM, "new", "old", "crm := old, changed on the receiving side, marketing wins"),
        (TO_CRM, "one", "two", "crm := two, changed on the receiving side, marketing wins"),
    ],
)
def test_the_giving_side_of_a_one_way_pair_wins_and_an_edit_on_the_other_is_recorded(
    policy: EntityPolicy, pair: FieldPair, crm: Value, marketing: Value, expected: str
) -> None:
    assert outcome(merge(pair, ("old", "old"), crm, marketing, policy)) == expected


# --- pairs with limits


@pytest.mark.parametrize(
    ("base", "crm", "marketing", "expected"),
    [
        (("old", "old"), "new", "old", "agreed"),
        (("old", "old"), "old", "new", "agreed"),
        (("old", "old"), "one", "two", "agreed"),
        ((None, None), "new", None, "marketing := new"),
        (("old", "old"), "new", None, "marketing := new, both changed, crm wins"),
        ((UNKNOWN, UNKNOWN), "one", "two", "agreed"),
        ((UNKNOWN, UNKNOWN), "one", None, "marketing := one"),
    ],
)
def test_a_field_that_only_fills_never_replaces_a_value(
    base: tuple[Half, Half], crm: Value, marketing: Value, expected: str
) -> None:
    assert outcome(merge(FILLS, base, crm, marketing)) == expected


@pytest.mark.parametrize(
    ("base", "crm", "marketing", "expected"),
    [
        (("a1", "a1"), None, "a1", "held"),
        (("a1", "a1"), None, "a2", "held, changed on the receiving side, crm wins"),
        (("a1", "a1"), None, None, "agreed"),
        (("a1", "a1"), "a2", "a1", "marketing := a2"),
        ((UNKNOWN, UNKNOWN), None, "a1", "held"),
    ],
)
def test_what_marketing_keeps_for_ever_is_held_where_crm_empties_it(
    base: tuple[Half, Half], crm: Value, marketing: Value, expected: str
) -> None:
    assert outcome(merge(COMPANY, base, crm, marketing)) == expected


def test_a_field_that_marketing_cannot_empty_can_still_be_emptied_in_crm() -> None:
    pair = replace(TEXT, can_be_emptied=False)
    assert outcome(merge(pair, ("a", "a"), "a", None)) == "crm := None"


@pytest.mark.parametrize(
    ("base", "crm", "marketing", "expected"),
    [
        (("old", "old"), "longer", "old", "held"),
        (("old", "old"), "longer", "new", "held, both changed, crm wins"),
        ((UNKNOWN, UNKNOWN), "longer", None, "held"),
        ((UNKNOWN, UNKNOWN), "longer", "new", "held, first link, crm wins"),
        (("old", "old"), "new", "old", "marketing := new"),
        (("old", "old"), "old", "longer", "crm := longer"),
    ],
)
def test_what_the_other_side_cannot_spell_is_held_with_both_values(
    base: tuple[Half, Half], crm: Value, marketing: Value, expected: str
) -> None:
    pair = replace(TEXT, transform=ShortText())
    assert outcome(merge(pair, base, crm, marketing)) == expected


def test_the_reason_of_such_a_hold_names_the_field_and_not_the_value() -> None:
    verdict = merge(replace(TEXT, transform=ShortText()), ("old", "old"), "secret", "old")
    assert verdict == Held("phone in marketing cannot hold the value: too long")


# --- agreement and drift


@pytest.mark.parametrize(
    ("pair", "crm", "marketing", "expected"),
    [
        (TEXT, None, None, True),
        (TEXT, "", None, True),
        (TEXT, "a", "a", True),
        (TEXT, "a", "A", False),
        (CHOICE, 1, "Web", True),
        (CHOICE, 1, "WEB", True),
        (CHOICE, 1, "Fair", False),
        (CHOICE, 9, "Web", False),
        (CHOICE, 1, "no such label", False),
        (replace(CHOICE, direction=Direction.TO_MARKETING), 1, "WEB", False),
        (replace(CHOICE, direction=Direction.TO_CRM), 1, "WEB", True),
        (FLAG, None, False, True),
        (FLAG, False, None, True),
        (replace(FLAG, direction=Direction.TO_MARKETING), False, None, False),
    ],
)
def test_two_spellings_of_one_value_agree_in_a_direction_the_pair_may_go(
    pair: FieldPair, crm: Value, marketing: Value, expected: bool
) -> None:
    assert agree(pair, crm, marketing) is expected


@pytest.mark.parametrize(
    ("pair", "crm", "marketing", "expected"),
    [
        (TEXT, "a", "a", False),
        (TEXT, "a", "b", True),
        (TEXT, None, "b", True),
        (COMPANY, None, "b", False),
        (COMPANY, "a", "b", True),
        (FILLS, "a", "b", False),
        (FILLS, "a", None, True),
        (FILLS, None, "b", True),
        (replace(OPT_OUT, only_if_empty=True), True, False, True),
        (replace(OPT_OUT, only_if_empty=True), False, False, False),
    ],
)
def test_drift_is_a_difference_that_could_be_mended(
    pair: FieldPair, crm: Value, marketing: Value, expected: bool
) -> None:
    assert is_drift(pair, crm, marketing) is expected


@pytest.mark.parametrize("side", list(Side))
def test_an_edit_names_the_side_it_was_made_on(side: Side) -> None:
    crm, marketing = ("new", "old") if side is Side.CRM else ("old", "new")
    assert merge(TEXT, ("old", "old"), crm, marketing) == Carry(side.other, "new", f"changed in {side}")


@pytest.mark.parametrize(
    ("marketing", "expected"),
    [
        (True, "marketing := False, first link, crm wins"),
        (False, "agreed"),
        (None, "marketing := False"),
    ],
)
def test_a_record_that_is_there_is_not_deleted_whatever_marketing_says_at_the_first_link(
    marketing: Value, expected: str
) -> None:
    """Tandem supplies the flag itself: its no is a fact, not a yes-or-no that nobody has set."""
    flag = FieldPair("@deleted", "microsoftIsDeleted", Identity(), Direction.TO_MARKETING)
    assert outcome(merge(flag, (UNKNOWN, UNKNOWN), False, marketing)) == expected


@pytest.mark.parametrize("winner", Winner)
@pytest.mark.parametrize("newer", [None, *Side])
def test_an_opt_out_stands_whoever_wins_and_whoever_is_newer(winner: Winner, newer: Side | None) -> None:
    pair = FieldPair("donotbulkemail", "unsubscribed", Identity(), opt_out=True)
    taken_back = Sighting(pair, True, True, False, True, newer)
    verdict = merge_pair(taken_back, EntityPolicy(winner))
    assert isinstance(verdict, Carry)
    assert (verdict.to, verdict.after) == (Side.CRM, True)


def test_the_newest_wins_where_it_is_known() -> None:
    pair = FieldPair("jobtitle", "title", Identity())
    for newer in Side:
        verdict = merge_pair(Sighting(pair, "old", "old", "here", "there", newer), NEWEST_WINS)
        assert isinstance(verdict, Carry)
        assert verdict.to is newer.other
    assert isinstance(merge_pair(Sighting(pair, "old", "old", "here", "there"), NEWEST_WINS), Held)


@pytest.mark.parametrize(
    ("rule", "crm", "marketing", "expected"),
    [
        (EditRule.OVERWRITE, "1", "typed", "1"),
        (EditRule.ENFORCE, "1", "typed", "1"),
        (EditRule.KEEP, "1", "typed", None),
        (EditRule.KEEP, "2", "typed", "2"),
        (EditRule.KEEP, "2", "1", "2"),
    ],
)
def test_an_edit_where_dynamics_owns_the_record_is_replaced_or_kept(
    rule: EditRule, crm: str, marketing: str, expected: str | None
) -> None:
    policy = EntityPolicy(Winner.CRM, edited_in_marketing=rule)
    verdict = merge(TO_MARKETING, ("1", "1"), crm, marketing, policy)
    assert (verdict.after if isinstance(verdict, Carry) else None) == expected
    if isinstance(verdict, Carry):
        assert (verdict.conflict is not None) == (marketing == "typed"), "what is overwritten is recorded"
