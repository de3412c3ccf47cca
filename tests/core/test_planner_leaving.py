"""What becomes of a person whose record leaves the filter: kept, marked or deleted; what happens on the way back."""

from dataclasses import replace

import pytest

from tandem.core.filters import NATIVE_TRAP, compile_filter, compile_filter_to_keep
from tandem.core.mapping import Direction, FieldPair, compile_mapping
from tandem.core.plan import ActionKind, FieldWrite, Hold, LinkPlan
from tandem.core.planner import plan_pass
from tandem.core.policy import EntityPolicy, LeaveRule
from tandem.core.record import CONTACT, PERSON, UNKNOWN, Base, Entity, Link, LinkStatus, Side, State, Value, Values
from tandem.core.subject import Rules, is_outside
from tandem.core.transforms import Identity
from tests.builders import small_policies
from tests.core.people import (
    MAPPINGS,
    a_link,
    ada_linked,
    gone,
    in_crm,
    in_marketing,
    person_key,
    planned,
    subject,
    the_action,
    written,
)

TEXT = "telephone1 != 'out'"
FILTER = compile_filter(TEXT, MAPPINGS[CONTACT].crm_fields, "filter")
PAUSED = Hold(None, f"paused: it does not pass the filter {TEXT}")


def leaving(rule: LeaveRule, **more: object) -> dict[Entity, EntityPolicy]:
    policies = small_policies()
    policies[CONTACT] = replace(policies[CONTACT], filter=FILTER, on_leave=rule, **more)  # type: ignore[arg-type]
    return policies


def left(marketing: State | None = None, rule: LeaveRule = LeaveRule.REMOVE, link: Link | None = None) -> LinkPlan:
    given = subject(link or ada_linked(), in_crm(telephone1="out"), marketing or in_marketing())
    return planned(given, policies=leaving(rule))


def test_a_person_that_is_to_go_is_deleted_with_all_it_held() -> None:
    link = left()
    action = the_action(link)
    assert (action.kind, action.side, action.id) == (ActionKind.DELETE, Side.MARKETING, "1")
    assert any(write.before == "Ada" for write in action.writes)
    assert link.is_deletion
    assert link.holds == (PAUSED,)
    assert link.status is LinkStatus.LIVE


def after_removal() -> Link:
    """The link as it is once the deletion that ``left`` plans is done."""
    return replace(ada_linked(), base=left().base, crm_version=None)


def test_once_the_person_is_gone_the_link_waits_without_it() -> None:
    link = left(gone(person_key()), link=after_removal())
    assert (link.status, link.marketing, link.holds, link.actions) == (LinkStatus.PENDING, None, (PAUSED,), ())
    assert link.base == Base.unknown(len(MAPPINGS[CONTACT].pairs))


def test_a_record_that_comes_back_after_that_is_made_anew() -> None:
    pending = a_link(in_crm())
    link = planned(subject(pending, in_crm(telephone1="in")), policies=leaving(LeaveRule.REMOVE))
    assert the_action(link).kind is ActionKind.CREATE
    assert written(link, Side.MARKETING)["phone"] == "in"


def test_a_person_that_somebody_else_deleted_does_not_come_back() -> None:
    link = left(gone(person_key()))
    assert link.status is LinkStatus.TOMBSTONE


def test_an_edit_in_marketing_keeps_the_person() -> None:
    link = left(in_marketing(firstName="Grace"))
    assert link.actions == ()
    assert [conflict.marketing for conflict in link.conflicts] == ["Grace"]


def test_an_edit_between_the_plan_and_a_second_try_keeps_the_person() -> None:
    link = left(in_marketing(firstName="Grace"), link=after_removal())
    assert link.actions == ()
    assert [conflict.marketing for conflict in link.conflicts] == ["Grace"]


def test_a_record_that_comes_back_before_the_deletion_goes_on() -> None:
    given = subject(after_removal(), in_crm(telephone1="in"), in_marketing())
    link = planned(given, policies=leaving(LeaveRule.REMOVE))
    assert written(link, Side.MARKETING) == {"phone": "in"}
    assert UNKNOWN not in link.base.crm


# --- marked

PAIR = FieldPair("@paused", "crmIsPaused", Identity(), Direction.TO_MARKETING)


def marked(link_base: Base | None, *, phone: str, flag: bool | None) -> LinkPlan:
    """A contact with a mark on its person that says `flag`."""
    small = MAPPINGS[CONTACT]
    mapping = compile_mapping(
        CONTACT, PERSON, [*small.pairs, PAIR], key_field="crmKey", dedupe_field="email",
        crm_extras=["originatingleadid"],
    )  # fmt: skip
    crm, person = in_crm(telephone1=phone), in_marketing()
    crm = replace(crm, values=_reshaped(crm, mapping.crm_fields, small.crm_fields, {"@paused": False}))
    fields = mapping.marketing_fields
    person = replace(person, values=_reshaped(person, fields, small.marketing_fields, {"crmIsPaused": flag}))
    base = link_base or Base(mapping.crm_values(crm.values), mapping.marketing_values(person.values))
    link = replace(a_link(in_crm(), in_marketing()), base=base)
    rules = Rules("test", {**MAPPINGS, CONTACT: mapping}, leaving(LeaveRule.FLAG))
    (plan,) = plan_pass([subject(link, crm, person)], rules).links
    return plan


def _reshaped(state: State, wanted: tuple[str, ...], given: tuple[str, ...], more: dict[str, Value]) -> Values:
    known = dict(zip(given, state.values, strict=True)) | more
    return tuple(known[name] for name in wanted)


def test_a_mark_is_set_once() -> None:
    (action,) = marked(None, phone="out", flag=False).actions
    assert action.writes == (FieldWrite("@paused|crmIsPaused", "crmIsPaused", False, True, True, "left the filter"),)
    assert marked(None, phone="out", flag=True).actions == ()


def test_a_mark_goes_when_the_record_enters_again() -> None:
    outside = marked(None, phone="out", flag=True)
    place = -1
    halves = ((*half[:place], True) for half in (outside.base.crm, outside.base.marketing))
    back = marked(Base(*halves), phone="in", flag=True)
    assert written(back, Side.MARKETING)["crmIsPaused"] is False


# --- the native trap (N97)


@pytest.mark.parametrize(
    ("value", "is_copied", "is_kept"), [(None, True, False), (True, True, True), (False, False, False)]
)
def test_the_native_filter_copies_an_empty_one_once(value: bool | None, is_copied: bool, is_kept: bool) -> None:
    pairs = MAPPINGS[CONTACT].pairs
    mapping = compile_mapping(CONTACT, PERSON, pairs, key_field="crmKey", crm_extras=["new_synctomkto"])
    fields = mapping.crm_fields
    policy = replace(
        small_policies()[CONTACT],
        filter=compile_filter(NATIVE_TRAP, fields, "filter"),
        filter_to_keep=compile_filter_to_keep(NATIVE_TRAP, fields, "filter"),
    )
    state = replace(in_crm(), values=tuple(value if name == "new_synctomkto" else None for name in fields))
    assert is_outside(mapping, policy, state) is not is_copied
    assert is_outside(mapping, policy, state, is_linked=True) is not is_kept


# --- what comes back


def test_a_person_outside_its_own_filter_gets_everything_and_gives_nothing() -> None:
    policies = small_policies()
    chosen = compile_filter("phone != 'quiet'", MAPPINGS[CONTACT].marketing_fields, "filter_to_crm")
    policies[CONTACT] = replace(policies[CONTACT], filter_to_crm=chosen)
    person = in_marketing(phone="quiet", firstName="Grace")
    link = planned(subject(ada_linked(), in_crm(lastname="King"), person), policies=policies)
    assert written(link, Side.MARKETING) == {"lastName": "King"}
    assert written(link, Side.CRM) == {}
    assert {hold.field for hold in link.holds} == {"firstname|firstName", "telephone1|phone"}
    assert all("filter_to_crm" in hold.reason for hold in link.holds)
    assert link.base.marketing[3] == "Ada"
