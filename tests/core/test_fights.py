"""A field that two rules set against each other is held; everything else goes on."""

from tandem.core.fights import RETURNS_MAX, hold_fights
from tandem.core.plan import Action, ActionKind, FieldWrite, LinkPlan, Plan
from tandem.core.record import CONTACT, PERSON, Base, LinkNumber, LinkStatus, RecordId, RecordKey, Side

LINK = LinkNumber(7)


def write(field: str, after: str) -> FieldWrite:
    return FieldWrite(f"{field}|{field}", field, None, after, after, "changed in crm")


def update(*writes: FieldWrite) -> Action:
    return Action(Side.MARKETING, PERSON, ActionKind.UPDATE, RecordId("1"), writes)


def planned(*writes: FieldWrite) -> Plan:
    base = Base((), ())
    key = RecordKey(Side.CRM, CONTACT, RecordId("c"))
    actions = (update(*writes),)
    return Plan((LinkPlan("update", CONTACT, LINK, key, None, LinkStatus.LIVE, base, actions=actions),))


def test_a_value_set_a_fourth_time_within_the_hour_is_held_and_the_other_fields_go() -> None:
    plan = planned(write("status", "hot"), write("phone", "1"))
    (link,) = hold_fights(plan, {LINK: [update(write("status", "hot"))] * RETURNS_MAX}).links
    assert [w.field for action in link.actions for w in action.writes] == ["phone"]
    assert [hold.field for hold in link.holds] == ["status|status"]
    assert link.changes_link


def test_a_value_that_came_back_less_often_goes() -> None:
    plan = planned(write("status", "hot"))
    assert hold_fights(plan, {LINK: [update(write("status", "hot"))] * (RETURNS_MAX - 1)}) == plan


def test_other_values_of_the_field_do_not_count() -> None:
    plan = planned(write("status", "hot"))
    assert hold_fights(plan, {LINK: [update(write("status", f"warm {n}")) for n in range(9)]}) == plan


def test_what_was_written_to_the_other_side_does_not_count() -> None:
    plan = planned(write("status", "hot"))
    there = Action(Side.CRM, CONTACT, ActionKind.UPDATE, RecordId("c"), (write("status", "hot"),))
    assert hold_fights(plan, {LINK: [there] * 9}) == plan


def test_an_action_without_writes_is_none() -> None:
    plan = planned(write("status", "hot"))
    (link,) = hold_fights(plan, {LINK: [update(write("status", "hot"))] * RETURNS_MAX}).links
    assert link.actions == ()
