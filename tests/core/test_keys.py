"""Keys of several parts: when a role can be made, what a change of its key is, and who stands second for one."""

from dataclasses import replace

import pytest

from tandem.core.keys import INCOMPLETE, TAKEN, crm_key, marketing_key, search_value
from tandem.core.plan import ActionKind, LinkPlan, Plan
from tandem.core.planner import plan_pass
from tandem.core.policy import DeleteRule
from tandem.core.record import (
    CONNECTION,
    CONTACT,
    LEAD,
    OPPORTUNITY,
    OPPORTUNITY_ROLE,
    Base,
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
)
from tandem.core.subject import Rules, SentWrite, Subject
from tests.builders import small_mappings
from tests.properties.roles_world import roles_mappings, roles_policies

MAPPINGS, POLICIES = roles_mappings(), roles_policies()
ROLES = MAPPINGS[CONNECTION]
DEAL = RecordKey(Side.CRM, OPPORTUNITY, RecordId("deal"))
ANN = RecordKey(Side.CRM, CONTACT, RecordId("ann"))
KEY = RecordKey(Side.CRM, CONNECTION, RecordId("c1"))
TWIN = RecordKey(Side.CRM, CONNECTION, RecordId("c2"))
ROLE = RecordKey(Side.MARKETING, OPPORTUNITY_ROLE, RecordId("guid"))


def stakeholder(deal: str = "deal", person: Value = 7, role: str = "Buyer", key: RecordKey = KEY) -> State:
    """With the person named as Marketo does, or by the crm id where it is not known there."""
    return State(key, ReadNumber(1), (deal, person, role))


def role(deal: str = "DEAL", person: int = 7, name: str = "Buyer") -> State:
    return State(ROLE, ReadNumber(1), (deal, person, name))


def plan(*subjects: Subject, parents: tuple[RecordKey, ...] = (DEAL, ANN)) -> Plan:
    return plan_pass(subjects, Rules("test", MAPPINGS, POLICIES, frozenset(parents)))


def planned(subject: Subject, parents: tuple[RecordKey, ...] = (DEAL, ANN)) -> LinkPlan:
    (link,) = plan(subject, parents=parents).links
    return link


def linked(deal: Value = "deal", person: Value = 7, name: Value = "Buyer") -> Link:
    base = Base((deal, person, name), (deal, person, name))
    return Link(LinkNumber(1), KEY, ROLE, base)


def test_a_key_of_one_part_is_the_crm_id() -> None:
    lead = small_mappings()[LEAD]
    assert crm_key(lead, (None,) * len(lead.crm_fields), "ABC") == "abc"
    assert search_value(lead, (), "ABC") == "ABC"


def test_both_sides_spell_a_key_of_several_parts_alike() -> None:
    assert crm_key(ROLES, stakeholder().values, "c1") == marketing_key(ROLES, role().values) is not None
    assert search_value(ROLES, stakeholder().values, "c1") == "deal"


@pytest.mark.parametrize("other", [role(deal="other"), role(person=8), role(name="Champion")])
def test_every_part_counts(other: State) -> None:
    assert crm_key(ROLES, stakeholder().values, "c1") != marketing_key(ROLES, other.values)


def test_a_role_is_made_once_all_that_it_names_is_there() -> None:
    (action,) = planned(Subject(CONNECTION, crm=stakeholder())).actions
    assert (action.kind, action.lookup) == (ActionKind.CREATE, "externalOpportunityId")
    assert {write.field: write.after for write in action.writes} == {
        "externalOpportunityId": "deal", "leadId": 7, "role": "Buyer",
    }  # fmt: skip


def test_a_role_waits_in_sight_for_its_person() -> None:
    link = planned(Subject(CONNECTION, crm=stakeholder(person="ann")), parents=(DEAL,))
    assert link.actions == ()
    assert link.waits_for == (ANN,)
    assert [hold.reason for hold in link.holds] == [INCOMPLETE]
    assert link.status is LinkStatus.PENDING


def test_a_plan_that_is_only_shown_names_the_person_that_it_would_make() -> None:
    (action,) = planned(Subject(CONNECTION, crm=stakeholder(person="ann"))).actions
    assert {write.field: write.after for write in action.writes}["leadId"] == "ann"


def test_a_role_waits_for_its_opportunity() -> None:
    link = planned(Subject(CONNECTION, crm=stakeholder()), parents=(ANN,))
    assert link.waits_for == (DEAL,)
    assert link.actions == ()
    assert [hold.reason for hold in link.holds] == [INCOMPLETE]


def test_a_role_that_marketo_has_is_adopted() -> None:
    link = planned(Subject(CONNECTION, crm=stakeholder(), candidates=(role(),)))
    assert (link.marketing, link.status, link.actions) == (ROLE, LinkStatus.LIVE, ())


def test_who_stands_second_for_a_role_waits_in_sight() -> None:
    link = planned(Subject(CONNECTION, crm=stakeholder(key=TWIN), key_owner=KEY))
    assert link.actions == ()
    assert [hold.reason for hold in link.holds] == [TAKEN]


def test_of_two_with_one_key_in_a_plan_the_second_is_planned_again() -> None:
    found = plan(Subject(CONNECTION, crm=stakeholder()), Subject(CONNECTION, crm=stakeholder(key=TWIN)))
    assert [link.crm for link in found.links] == [KEY]


@pytest.mark.parametrize(
    "crm",
    [stakeholder(role="Champion"), stakeholder(person=8), stakeholder(deal="other")],
    ids=["role", "person", "deal"],
)
def test_another_key_is_another_record(crm: State) -> None:
    other = RecordKey(Side.CRM, OPPORTUNITY, RecordId("other"))
    link = planned(Subject(CONNECTION, linked(), crm, role("deal")), parents=(DEAL, ANN, other))
    (action,) = link.actions
    assert (action.kind, action.id) == (ActionKind.DELETE, ROLE.id)
    assert {write.field: write.before for write in action.writes} == {
        "externalOpportunityId": "deal", "leadId": 7, "role": "Buyer",
    }  # fmt: skip
    assert not link.is_deletion, "the guard counts what is lost, and this is not"
    assert link.base == linked().base, "until it is made anew, it holds what it held"


def test_the_old_role_goes_although_the_new_person_is_not_there_yet() -> None:
    link = planned(
        Subject(CONNECTION, linked(), stakeholder(person="bob", role="Champion"), role("deal")), parents=(DEAL,)
    )
    assert [action.kind for action in link.actions] == [ActionKind.DELETE]
    gone = State(ROLE, ReadNumber(2), presence=Presence.GONE)
    after = planned(Subject(CONNECTION, linked(), stakeholder(person="bob", role="Champion"), gone), parents=(DEAL,))
    assert (after.actions, after.status, [hold.reason for hold in after.holds]) == (
        (),
        LinkStatus.PENDING,
        [INCOMPLETE],
    )


def test_what_is_gone_in_marketing_is_made_anew() -> None:
    gone = State(ROLE, ReadNumber(2), presence=Presence.GONE)
    sent = SentWrite(5, True, ())
    link = planned(Subject(CONNECTION, linked(), stakeholder(), gone, sent=(sent,)))
    assert (link.link, link.marketing, link.status) == (LinkNumber(1), None, LinkStatus.PENDING)
    assert [action.kind for action in link.actions] == [ActionKind.CREATE]
    assert link.confirmed == (5,), "what was written to the old record says nothing about the new one"
    assert not link.is_deletion


@pytest.mark.parametrize("rule", [DeleteRule.IGNORE, DeleteRule.PROPAGATE])
def test_it_stays_away_where_policy_says_so(rule: DeleteRule) -> None:
    gone = State(ROLE, ReadNumber(2), presence=Presence.GONE)
    policies = {**POLICIES, CONNECTION: replace(POLICIES[CONNECTION], deleted_in_marketing=rule)}
    (link,) = plan_pass(
        [Subject(CONNECTION, linked(), stakeholder(), gone)], Rules("test", MAPPINGS, policies, frozenset((DEAL, ANN)))
    ).links
    assert not any(action.kind is ActionKind.CREATE for action in link.actions)


def test_what_is_gone_on_both_sides_stays_gone() -> None:
    gone = State(ROLE, ReadNumber(2), presence=Presence.GONE)
    link = planned(Subject(CONNECTION, linked(), State(KEY, ReadNumber(2), presence=Presence.GONE), gone))
    assert (link.status, link.actions) == (LinkStatus.TOMBSTONE, ())
