"""Limits that turn a plan into a question: only the actions that break a rail are held for a person.

The rails look at the whole pass, not at one batch: ``Totals`` carries what earlier batches of the pass did already.
"""

from dataclasses import dataclass

from tandem.core.plan import ActionKind, LinkPlan, Plan
from tandem.core.record import Side

_ASK_AGAIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Rails:
    """``max_deletes`` and ``max_delete_share`` bound how many links a pass may turn into deletions: the larger of the
    count and the share (of the links that exist) applies. ``max_crm_updates`` bounds the records a pass changes in
    Dynamics; None is no bound. ``max_merges`` bounds the merges a pass carries over."""

    max_deletes: int = 50
    max_delete_share: float = 0.02
    max_crm_updates: int | None = None
    max_merges: int = 50

    def deletes_allowed(self, links: int) -> int:
        return max(self.max_deletes, int(self.max_delete_share * links))


@dataclass(frozen=True, slots=True)
class Totals:
    links: int = 0
    deletes: int = 0
    crm_updates: int = 0
    merges: int = 0


@dataclass(frozen=True, slots=True)
class Guarded:
    """The plan that may go on, how many link plans were held back, and the question for each rail that was hit."""

    plan: Plan
    totals: Totals
    held: int = 0
    questions: tuple[str, ...] = ()


def guard_plan(plan: Plan, rails: Rails, totals: Totals) -> Guarded:
    """`plan` without the link plans that would break a rail. Their inbox rows wait: the question comes again."""
    allowed: list[LinkPlan] = []
    waiting = list(plan.deferred)
    questions: dict[str, int] = {}
    deletes, updates, merges = totals.deletes, totals.crm_updates, totals.merges
    for link in plan.links:
        rail = _broken_rail(link, rails, Totals(totals.links, deletes, updates, merges))
        if rail:
            questions[rail] = questions.get(rail, 0) + 1
            waiting.extend((ref, _ASK_AGAIN_S) for ref in link.consumed)
        else:
            deletes += link.is_deletion
            updates += _updates_crm(link)
            merges += _merges(link)
            allowed.append(link)
    return Guarded(
        plan=Plan(tuple(allowed), plan.ignored, tuple(waiting)),
        totals=Totals(totals.links, deletes, updates, merges),
        held=sum(questions.values()),
        questions=tuple(_question(rail, count, rails, totals.links) for rail, count in questions.items()),
    )


def _broken_rail(link: LinkPlan, rails: Rails, so_far: Totals) -> str | None:
    if link.is_deletion and so_far.deletes >= rails.deletes_allowed(so_far.links):
        return "deletes"
    if _updates_crm(link) and rails.max_crm_updates is not None and so_far.crm_updates >= rails.max_crm_updates:
        return "crm updates"
    if _merges(link) and so_far.merges >= rails.max_merges:
        return "merges"
    return None


def _merges(link: LinkPlan) -> bool:
    return any(action.kind is ActionKind.MERGE for action in link.actions)


def _updates_crm(link: LinkPlan) -> bool:
    return any(action.side is Side.CRM and action.kind is ActionKind.UPDATE for action in link.actions)


def _question(rail: str, count: int, rails: Rails, links: int) -> str:
    if rail == "deletes":
        allowed = rails.deletes_allowed(links)
        return (
            f"{count} more records are gone than the {allowed} deletions that a pass may carry over; "
            "if that is right, raise rails.max_deletes for one pass"
        )
    if rail == "merges":
        return (
            f"{count} more records would be merged than rails.max_merges = {rails.max_merges} allows, and no merge can"
            " be taken back; if that is right, raise it for one pass"
        )
    return (
        f"{count} more records would change in Dynamics than rails.max_crm_updates = {rails.max_crm_updates} allows; "
        "if that is right, raise it for one pass"
    )
