"""Deletions that are carried over (``propagate``): what is deleted, what stands in the way, and how the link ends."""

from dataclasses import replace

import pytest

from tandem.core.plan import ActionKind, ConflictKind
from tandem.core.policy import DeleteRule, EntityPolicy
from tandem.core.record import CONTACT, UNKNOWN, Base, Entity, LinkStatus, Side
from tests.builders import small_policies
from tests.core.people import (
    MAPPINGS,
    ada_linked,
    crm_key,
    gone,
    in_crm,
    in_marketing,
    person_key,
    planned,
    subject,
    the_action,
)


def propagating() -> dict[Entity, EntityPolicy]:
    policies = small_policies()
    rule = DeleteRule.PROPAGATE
    policies[CONTACT] = replace(policies[CONTACT], deleted_in_crm=rule, deleted_in_marketing=rule)
    return policies


POLICIES = propagating()


def test_a_deletion_in_crm_deletes_the_person_and_keeps_what_it_held() -> None:
    link = planned(subject(ada_linked(), gone(crm_key()), in_marketing()), policies=POLICIES)
    action = the_action(link)
    assert (action.side, action.kind, action.id, action.version) == (Side.MARKETING, ActionKind.DELETE, "1", None)
    assert {write.field: write.before for write in action.writes}["email"] == "ada@example.com"
    assert {write.after for write in action.writes} == {None}
    assert (link.status, link.is_deletion) == (LinkStatus.LIVE, True)


def test_a_deletion_in_marketing_deletes_the_crm_record_at_the_version_seen() -> None:
    link = planned(subject(ada_linked(), in_crm(version="v1"), gone(person_key())), policies=POLICIES)
    action = the_action(link)
    assert (action.side, action.kind, action.id, action.version) == (Side.CRM, ActionKind.DELETE, "c1", "v1")


def test_a_merge_in_marketing_deletes_nothing_in_crm() -> None:
    link = planned(subject(ada_linked(), in_crm(), gone(person_key(), merged_into="9")), policies=POLICIES)
    assert (link.status, link.actions) == (LinkStatus.TOMBSTONE, ())


@pytest.mark.parametrize("side", Side)
def test_a_deletion_against_an_edit_is_a_conflict_and_deletes_nothing(side: Side) -> None:
    if side is Side.CRM:
        given = subject(ada_linked(), gone(crm_key()), in_marketing(firstName="Grace"))
    else:
        given = subject(ada_linked(), in_crm(firstname="Grace"), gone(person_key()))
    link = planned(given, policies=POLICIES)
    assert [conflict.kind for conflict in link.conflicts] == [ConflictKind.DELETED]
    assert [action.kind for action in link.actions if action.kind is ActionKind.DELETE] == []


def test_a_link_ends_once_both_are_gone_and_nothing_waits_any_more() -> None:
    link = planned(subject(ada_linked(), gone(crm_key()), gone(person_key())), policies=POLICIES)
    assert (link.status, link.actions, link.holds) == (LinkStatus.TOMBSTONE, (), ())


def test_a_value_that_was_refused_at_the_create_is_recorded_when_its_person_is_deleted() -> None:
    """The person was made without it, so the pair has no base; until now only the hold told of it."""
    place = next(n for n, pair in enumerate(MAPPINGS[CONTACT].pairs) if pair.crm == "firstname")
    link = ada_linked()
    halves = [
        tuple(UNKNOWN if n == place else v for n, v in enumerate(half)) for half in (link.base.crm, link.base.marketing)
    ]
    link = replace(link, base=Base(*halves))
    rejected = {"firstname|firstName": "Ada"}
    plan = planned(subject(link, in_crm(), gone(person_key()), rejected=rejected))
    assert [(c.kind, c.field, c.crm) for c in plan.conflicts] == [(ConflictKind.DELETED, "firstname|firstName", "Ada")]
    without = planned(subject(link, in_crm(), gone(person_key())))
    assert without.conflicts == ()
