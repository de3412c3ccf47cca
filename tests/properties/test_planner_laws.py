"""Laws of the planner over whole records: nothing without a change, one edit once, nothing lost, and nothing left.

A plan is carried out here as the store and both sides do it: values change, and the base of a written pair becomes what
was written and what it stands for.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hypothesis import event, given
from hypothesis import strategies as st

from tandem.core.mapping import Winner
from tandem.core.plan import ActionKind, LinkPlan
from tandem.core.planner import plan_pass
from tandem.core.policy import EntityPolicy
from tandem.core.record import (
    ACCOUNT,
    CONTACT,
    LEAD,
    PERSON,
    UNKNOWN,
    Base,
    Entity,
    Link,
    LinkNumber,
    LinkStatus,
    Presence,
    ReadNumber,
    RecordId,
    RecordKey,
    Side,
    State,
    Value,
    Version,
)
from tandem.core.subject import Rules, Subject
from tests.builders import small_mappings

MAPPINGS = small_mappings()
MAPPING = MAPPINGS[CONTACT]
ACCOUNTS = ("a1", "a2")
TEXT: st.SearchStrategy[Value] = st.sampled_from([None, "x", "y", "z"])
CRM_VALUES: dict[str, st.SearchStrategy[Value]] = {
    "@id": st.just("c1"),
    "@type": st.just("Contact"),
    "@deleted": st.just(False),
    "donotbulkemail": st.sampled_from([None, False, True]),
    "parentcustomerid": st.sampled_from([None, *ACCOUNTS]),
    "originatingleadid": st.none(),
}
MARKETING_VALUES: dict[str, st.SearchStrategy[Value]] = {
    "crmKey": st.sampled_from(["c1", "c9"]),
    "crmIsDeleted": st.booleans(),
    "unsubscribed": st.booleans(),
}


@dataclass(frozen=True, slots=True)
class Pair:
    """One record on both sides, the link between them, and the rules it lives under."""

    link: Link | None
    crm: State
    marketing: State
    rules: Rules

    def plan(self) -> LinkPlan:
        candidates = () if self.link else (self.marketing,)
        subject = Subject(CONTACT, self.link, self.crm, self.marketing if self.link else None, candidates)
        (planned,) = plan_pass([subject], self.rules).links
        return planned

    def values(self, side: Side) -> Sequence[Value]:
        values = MAPPING.crm_values if side is Side.CRM else MAPPING.marketing_values
        return values((self.crm if side is Side.CRM else self.marketing).values)

    def changed(self, side: Side) -> set[str]:
        """The pairs whose value differs from the side's half of a known base."""
        if self.link is None:
            return set()
        half = self.link.base.crm if side is Side.CRM else self.link.base.marketing
        return {
            name
            for name, before, now in zip(MAPPING.names, half, self.values(side), strict=True)
            if before is not UNKNOWN and before != now
        }


def carried_out(pair: Pair, planned: LinkPlan) -> Pair:
    """`pair` after `planned`: both sides hold what was written, the store the link with its moved base."""
    states = {Side.CRM: pair.crm, Side.MARKETING: pair.marketing}
    bases: dict[int, tuple[Value, Value]] = {}
    for action in planned.actions:
        state, fields = states[action.side], MAPPING.fields_on(action.side)
        values = list(state.values)
        for write in action.writes:
            values[fields.index(write.field)] = write.after
            halves = (write.after, write.source) if action.side is Side.CRM else (write.source, write.after)
            bases[MAPPING.names.index(write.pair)] = halves
        states[action.side] = replace(state, values=tuple(values))
    assert planned.crm is not None
    link = Link(
        LinkNumber(1), planned.crm, planned.marketing, planned.base.replaced(bases), crm_version=pair.crm.version
    )
    return Pair(link, states[Side.CRM], states[Side.MARKETING], pair.rules)


def _state(draw: st.DrawFn, side: Side) -> State:
    values = CRM_VALUES if side is Side.CRM else MARKETING_VALUES
    shape = MAPPING.fields_on(side)
    entity, id_ = (CONTACT, "c1") if side is Side.CRM else (PERSON, "1")
    version = Version("1") if side is Side.CRM else None
    drawn = tuple(draw(values.get(name, TEXT)) for name in shape)
    return State(RecordKey(side, entity, RecordId(id_)), ReadNumber(1), drawn, version)


def _base(draw: st.DrawFn) -> Base:
    """Halves that agreed once, some places without a base."""
    crm = MAPPING.crm_values(_state(draw, Side.CRM).values)
    halves: list[tuple[Value, Value]] = []
    for pair, value in zip(MAPPING.pairs, crm, strict=True):
        halves.append((value, pair.carry(value, to=Side.MARKETING)))
    known = [draw(st.integers(0, 4)) > 0 for _ in MAPPING.pairs]
    return Base.unknown(len(known)).replaced({place: halves[place] for place, is_known in enumerate(known) if is_known})


@st.composite
def pairs(draw: st.DrawFn, *, is_linked: bool | None = None) -> Pair:
    crm, marketing = _state(draw, Side.CRM), _state(draw, Side.MARKETING)
    linked = draw(st.booleans()) if is_linked is None else is_linked
    link = Link(LinkNumber(1), crm.key, marketing.key, _base(draw), crm_version=crm.version) if linked else None
    if not linked:
        values = dict(zip(MAPPING.marketing_fields, marketing.values, strict=True))
        free = {**values, "crmKey": None}
        marketing = replace(marketing, values=tuple(free[name] for name in MAPPING.marketing_fields))
    policy = EntityPolicy(draw(st.sampled_from(list(Winner))), draw(st.none() | st.sampled_from(list(Winner))))
    parents = frozenset(RecordKey(Side.CRM, ACCOUNT, RecordId(a)) for a in ACCOUNTS if draw(st.booleans()))
    policies: dict[Entity, EntityPolicy] = {CONTACT: policy, LEAD: policy, ACCOUNT: policy}
    return Pair(link, crm, marketing, Rules("test", MAPPINGS, policies, parents))


@given(pairs())
def test_planning_after_applying_is_empty(pair: Pair) -> None:
    first = pair.plan()
    again = carried_out(pair, first).plan()
    event(f"{len(first.actions)} actions")
    assert again.actions == ()
    assert {hold.field for hold in again.holds} <= {hold.field for hold in first.holds}
    assert set(again.waits_for) == set(first.waits_for)


@given(pairs(is_linked=True))
def test_r1_records_that_stand_as_they_agreed_call_for_nothing(pair: Pair) -> None:
    agreed = replace(pair, link=_agreeing(pair))
    planned = agreed.plan()
    assert (planned.actions, planned.conflicts, planned.holds, planned.waits_for) == ((), (), (), ())
    assert not planned.changes_link


@given(pairs(is_linked=True), st.sampled_from(list(Side)), st.integers(3, 6), st.sampled_from(["x", "new", None]))
def test_r2_one_edit_is_one_write_of_that_field_on_the_other_side(
    pair: Pair, side: Side, place: int, value: Value
) -> None:
    """The places 3 to 6 are names, address and phone: fields that go both ways."""
    agreed = replace(pair, link=_agreeing(pair))
    edited = _edited(agreed, side, place, value)
    planned = edited.plan()
    if value == agreed.values(side)[place]:
        assert planned.actions == ()
        return
    if value == agreed.values(side.other)[place]:
        assert planned.actions == ()
        return
    (action,) = planned.actions
    (write,) = action.writes
    assert (action.side, action.kind) == (side.other, ActionKind.UPDATE)
    assert (write.pair, write.after, write.source) == (MAPPING.names[place], value, value)
    assert planned.conflicts == ()


@given(pairs(is_linked=True))
def test_r3_every_edit_arrives_or_is_recorded_held_or_waiting(pair: Pair) -> None:
    planned = pair.plan()
    recorded = {conflict.field for conflict in planned.conflicts} | {hold.field for hold in planned.holds}
    arriving = {(action.side, write.pair) for action in planned.actions for write in action.writes}
    waiting = {p.name for p in MAPPING.pairs if p.parents} if planned.waits_for else set()
    for side in Side:
        for name in pair.changed(side):
            place = MAPPING.names.index(name)
            crm, marketing = pair.values(Side.CRM)[place], pair.values(Side.MARKETING)[place]
            are_equal = MAPPING.pairs[place].carry(crm, to=Side.MARKETING) == marketing
            is_opt_out = MAPPING.pairs[place].opt_out and pair.values(side)[place] is not True
            assert (side.other, name) in arriving or name in recorded or name in waiting or are_equal or is_opt_out, (
                f"{name} edited in {side} is lost"
            )


@given(pairs())
def test_a_plan_has_one_action_a_side_and_writes_each_field_once_with_what_stands_there(pair: Pair) -> None:
    planned = pair.plan()
    assert len({action.side for action in planned.actions}) == len(planned.actions)
    for action in planned.actions:
        fields = [write.field for write in action.writes]
        assert fields
        assert len(set(fields)) == len(fields)
        state = pair.crm if action.side is Side.CRM else pair.marketing
        shape = MAPPING.fields_on(action.side)
        for write in action.writes:
            assert write.before == state.values[shape.index(write.field)]
            assert write.before != write.after
        assert action.version == state.version


@given(pairs())
def test_r8_no_plan_takes_an_opt_out_back(pair: Pair) -> None:
    written = {write.field: write.after for action in pair.plan().actions for write in action.writes}
    for side, name in ((Side.CRM, "donotbulkemail"), (Side.MARKETING, "unsubscribed")):
        state = pair.crm if side is Side.CRM else pair.marketing
        if state.values[MAPPING.fields_on(side).index(name)] is True:
            assert name not in written


@given(pairs(is_linked=True), st.sampled_from(list(Side)))
def test_r7_a_deletion_writes_the_flag_and_nothing_else_and_records_what_was_edited(pair: Pair, side: Side) -> None:
    crm, marketing = (_gone(state) if state.key.side is side else state for state in (pair.crm, pair.marketing))
    subject = Subject(CONTACT, pair.link, crm, marketing)
    (planned,) = plan_pass([subject], pair.rules).links
    writes = {write.field: write.after for action in planned.actions for write in action.writes}
    assert writes in ({}, {"crmIsDeleted": True})
    assert (planned.status is LinkStatus.TOMBSTONE) is not bool(writes)
    carried = {p.name for p in MAPPING.pairs if p.direction.allows(side)}
    assert {conflict.field for conflict in planned.conflicts} == pair.changed(side.other) & carried
    if planned.status is LinkStatus.LIVE:
        _is_over_after_the_flag(pair, planned)


def _is_over_after_the_flag(pair: Pair, planned: LinkPlan) -> None:
    flagged = carried_out(pair, planned)
    subject = Subject(CONTACT, flagged.link, _gone(flagged.crm), flagged.marketing)
    (again,) = plan_pass([subject], pair.rules).links
    assert (again.status, again.actions, again.is_deletion) == (LinkStatus.TOMBSTONE, (), False)
    assert again.conflicts == planned.conflicts


def _gone(state: State) -> State:
    return State(state.key, ReadNumber(2), presence=Presence.GONE)


def _agreeing(pair: Pair) -> Link:
    assert pair.link is not None
    base = Base(tuple(pair.values(Side.CRM)), tuple(pair.values(Side.MARKETING)))
    return replace(pair.link, base=base)


def _edited(pair: Pair, side: Side, place: int, value: Value) -> Pair:
    state = pair.crm if side is Side.CRM else pair.marketing
    at = (MAPPING.crm_places if side is Side.CRM else MAPPING.marketing_places)[place]
    edited = replace(state, values=(*state.values[:at], value, *state.values[at + 1 :]))
    return replace(pair, crm=edited) if side is Side.CRM else replace(pair, marketing=edited)
