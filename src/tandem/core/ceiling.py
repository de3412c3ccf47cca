"""How many people Marketo may hold: it is sold by people, so a create beyond the ceiling waits for a person.

Everything else of the plan goes on, and so do the creates that still fit.
"""

from dataclasses import dataclass, replace
from math import ceil
from typing import Final

from tandem.core.plan import ActionKind, Hold, InboxRef, LinkPlan, Plan
from tandem.core.record import PERSON, Side

GROWTH: Final = 10
"""While nobody has named a ceiling, a subscription may grow by its tenth part."""

UNTIL_DECIDED_S: Final = 3650 * 86_400.0
"""A row that waits for a decision is deferred for good; the decision wakes it."""


@dataclass(frozen=True, slots=True)
class Ceiling:
    """``people`` may be there, ``present`` are; `is_default` while nobody has named the number."""

    people: int
    present: int
    is_default: bool = False

    @property
    def reason(self) -> str:
        origin = "10 % above what was there at the first read" if self.is_default else "marketing.max_people"
        limit = f"Marketo may hold {self.people:,} people ({origin})"
        return f"{limit} and does; raise marketing.max_people to make this one"


def default_ceiling(present: int) -> int:
    return present + ceil(present / GROWTH)


def hold_beyond(plan: Plan, ceiling: Ceiling) -> tuple[Plan, Ceiling]:
    """`plan` without the creates of people for which there is no room, and what the ceiling is like after it."""
    links: list[LinkPlan] = []
    deferred: list[tuple[InboxRef, float]] = []
    present = ceiling.present
    for link in plan.links:
        if not _makes_person(link):
            links.append(link)
        elif present < ceiling.people:
            present += 1
            links.append(link)
        else:
            links.append(_held(link, ceiling.reason))
            deferred.extend((ref, UNTIL_DECIDED_S) for ref in link.consumed)
    if len(deferred) == 0 and present == ceiling.present:
        return plan, ceiling
    return replace(plan, links=tuple(links), deferred=(*plan.deferred, *deferred)), replace(ceiling, present=present)


def _makes_person(link: LinkPlan) -> bool:
    return any(
        action.side is Side.MARKETING and action.entity == PERSON and action.kind is ActionKind.CREATE
        for action in link.actions
    )


def _held(link: LinkPlan, reason: str) -> LinkPlan:
    return replace(
        link, title="hold", actions=(), holds=(*link.holds, Hold(None, reason)), consumed=(), crm_version=None
    )
