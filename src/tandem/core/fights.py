"""A workflow and a campaign that set one field against each other would have us carry values for ever.

A field that we would set to the same value for the fourth time within an hour is held instead, until a person stops
one of the two, or the hour has passed.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final, TypeAlias

from tandem.core.plan import Action, FieldWrite, Hold, LinkPlan, Plan
from tandem.core.record import LinkNumber, Side, Value

FIGHT_WINDOW: Final = timedelta(hours=1)
RETURNS_MAX: Final = 3
"""A value may come back so often within the window."""

_Written: TypeAlias = tuple[Side, str, Value]


def hold_fights(plan: Plan, done: Mapping[LinkNumber, Iterable[Action]]) -> Plan:
    """`plan` without the writes that go in circles; `done` are the actions of the last hour by link."""
    links = tuple(_calmed(link, done.get(link.link, ())) if link.link is not None else link for link in plan.links)
    return replace(plan, links=links)


def _calmed(link: LinkPlan, done: Iterable[Action]) -> LinkPlan:
    times = Counter(_written(action, write) for action in done for write in action.writes)
    tired = {what for what, count in times.items() if count >= RETURNS_MAX}
    held = [(a, w) for a in link.actions for w in a.writes if _written(a, w) in tired]
    if not held:
        return link
    actions = (replace(a, writes=tuple(w for w in a.writes if _written(a, w) not in tired)) for a in link.actions)
    holds = tuple(Hold(write.pair, _reason(action, write)) for action, write in held)
    kept = tuple(action for action in actions if action.writes)
    return replace(link, actions=kept, holds=(*link.holds, *holds), changes_link=True)


def _written(action: Action, write: FieldWrite) -> _Written:
    return action.side, write.pair, write.after


def _reason(action: Action, write: FieldWrite) -> str:
    return (
        f"{write.field} in {action.side} came back to the same value {RETURNS_MAX} times within an hour: "
        "a rule on either side seems to undo what the other one sets"
    )
