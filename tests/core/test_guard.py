"""The rails: how many deletions and changes a pass may carry, over all of its batches, and what waits."""

from collections.abc import Callable, Sequence

import pytest

from tandem.core.guard import Guarded, Rails, Totals, guard_plan
from tandem.core.plan import Action, ActionKind, FieldWrite, InboxRef, LinkPlan, Plan
from tandem.core.record import (
    CONTACT,
    PERSON,
    Base,
    Entity,
    LinkNumber,
    LinkStatus,
    ReadNumber,
    RecordId,
    Side,
    Value,
)
from tests.core.people import crm_key, person_key

EMPTY = Base((), ())


def _link(number: int, *actions: Action, status: LinkStatus = LinkStatus.LIVE, is_deletion: bool = False) -> LinkPlan:
    return LinkPlan(
        title="",
        crm_entity=CONTACT,
        link=LinkNumber(number),
        crm=crm_key(f"c{number}"),
        marketing=person_key(f"{number}"),
        status=status,
        base=EMPTY,
        actions=actions,
        consumed=(InboxRef(crm_key(f"c{number}"), ReadNumber(number)),),
        is_deletion=is_deletion,
    )


def _action(side: Side, kind: ActionKind, pair: str, value: Value = "1") -> Action:
    entity: Entity = CONTACT if side is Side.CRM else PERSON
    return Action(side, entity, kind, RecordId("1"), (FieldWrite(pair, pair, None, value, value, ""),))


def flagged(number: int) -> LinkPlan:
    return _link(number, _action(Side.MARKETING, ActionKind.UPDATE, "@deleted|crmIsDeleted", True), is_deletion=True)


def tombstone(number: int) -> LinkPlan:
    return _link(number, status=LinkStatus.TOMBSTONE, is_deletion=True)


def created(number: int) -> LinkPlan:
    return _link(number, _action(Side.MARKETING, ActionKind.CREATE, "@deleted|crmIsDeleted", False))


def said_not_deleted(number: int) -> LinkPlan:
    return _link(number, _action(Side.MARKETING, ActionKind.UPDATE, "@deleted|crmIsDeleted", False))


def crm_update(number: int) -> LinkPlan:
    return _link(number, _action(Side.CRM, ActionKind.UPDATE, "telephone1|phone"))


def crm_create(number: int) -> LinkPlan:
    return _link(number, _action(Side.CRM, ActionKind.CREATE, "telephone1|phone"))


def marketing_update(number: int) -> LinkPlan:
    return _link(number, _action(Side.MARKETING, ActionKind.UPDATE, "telephone1|phone"))


def old_tombstone(number: int) -> LinkPlan:
    return _link(number, status=LinkStatus.TOMBSTONE)


def guard(links: Sequence[LinkPlan], rails: Rails, totals: Totals | None = None) -> Guarded:
    return guard_plan(Plan(tuple(links)), rails, totals or Totals())


NO_DELETES = Rails(max_deletes=0, max_delete_share=0.0)


@pytest.mark.parametrize(
    ("count", "share", "links", "allowed"), [(50, 0.02, 100, 50), (50, 0.02, 10_000, 200), (0, 0.5, 3, 1)]
)
def test_the_larger_of_count_and_share_is_allowed(count: int, share: float, links: int, allowed: int) -> None:
    assert Rails(count, share).deletes_allowed(links) == allowed


@pytest.mark.parametrize("make", [flagged, tombstone])
def test_r7_deletions_beyond_the_rail_wait_and_the_rest_goes(make: Callable[[int], LinkPlan]) -> None:
    links = [make(1), marketing_update(2), make(3), make(4), marketing_update(5)]
    guarded = guard(links, Rails(max_deletes=2, max_delete_share=0.0))
    assert [link.link for link in guarded.plan.links] == [1, 2, 3, 5]
    assert guarded.held == 1
    assert [(ref.key, seconds > 0) for ref, seconds in guarded.plan.deferred] == [(crm_key("c4"), True)]
    (question,) = guarded.questions
    assert question.startswith("1 more records are gone than the 2 deletions")
    assert "rails.max_deletes" in question


@pytest.mark.parametrize("make", [created, said_not_deleted, crm_update, crm_create, marketing_update, old_tombstone])
def test_what_deletes_nothing_breaks_no_rail_of_deletions(make: Callable[[int], LinkPlan]) -> None:
    links = [make(1), make(2)]
    guarded = guard(links, NO_DELETES)
    assert guarded.plan.links == tuple(links)
    assert (guarded.held, guarded.questions, guarded.plan.deferred) == (0, (), ())


def test_the_share_is_of_the_links_that_exist() -> None:
    links = [flagged(number) for number in range(1, 6)]
    rails = Rails(max_deletes=0, max_delete_share=0.02)
    assert len(guard(links, rails, Totals(links=150)).plan.links) == 3
    assert len(guard(links, rails, Totals(links=20)).plan.links) == 0


def test_changes_in_crm_are_bounded_where_an_operator_says_so() -> None:
    links = [crm_update(1), crm_create(2), crm_update(3), marketing_update(4), crm_update(5)]
    guarded = guard(links, Rails(max_crm_updates=1))
    assert [link.link for link in guarded.plan.links] == [1, 2, 4]
    assert guarded.held == 2
    (question,) = guarded.questions
    assert question.startswith("2 more records would change in Dynamics than rails.max_crm_updates = 1")
    assert guard(links, Rails()).plan.links == tuple(links)


def test_each_rail_that_was_hit_asks_its_own_question() -> None:
    links = [flagged(1), crm_update(2), tombstone(3)]
    guarded = guard(links, Rails(max_deletes=0, max_delete_share=0.0, max_crm_updates=0))
    assert (guarded.plan.links, guarded.held, len(guarded.questions)) == ((), 3, 2)


def test_the_rails_look_at_the_whole_pass_whatever_its_batches() -> None:
    links = [flagged(1), crm_update(2), tombstone(3), crm_update(4), flagged(5), flagged(6)]
    rails = Rails(max_deletes=2, max_delete_share=0.0, max_crm_updates=1)
    whole = guard(links, rails)
    for size in range(1, len(links) + 1):
        totals, held = Totals(), 0
        allowed: list[LinkPlan] = []
        for start in range(0, len(links), size):
            part = guard(links[start : start + size], rails, totals)
            totals, held = part.totals, held + part.held
            allowed.extend(part.plan.links)
        assert (tuple(allowed), totals, held) == (whole.plan.links, whole.totals, whole.held)
    assert whole.totals == Totals(links=0, deletes=2, crm_updates=1)


def test_what_a_plan_ignores_and_defers_passes_the_guard_untouched() -> None:
    ref, other = InboxRef(crm_key("x"), ReadNumber(1)), InboxRef(crm_key("y"), ReadNumber(2))
    guarded = guard_plan(Plan((flagged(1),), (ref,), ((other, 3.0),)), NO_DELETES, Totals())
    assert guarded.plan.ignored == (ref,)
    assert guarded.plan.deferred[0] == (other, 3.0)
    assert [held.key for held, _ in guarded.plan.deferred[1:]] == [crm_key("c1")]
