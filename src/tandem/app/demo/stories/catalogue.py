"""All stories, in the order in which they are played: the modules listed here register them when they are imported."""

import difflib
from types import ModuleType
from typing import Final

from tandem.app.demo.stories import (
    accounts,
    custom,
    fields,
    filters,
    first_steps,
    going_live,
    hooks,
    identity,
    kinds,
    lookups,
    memberships,
    missing_tables,
    operations,
    opportunities,
    rules,
    values,
)
from tandem.app.demo.stories.registry import Story, registered
from tandem.core.errors import ConfigError

MODULES: Final[tuple[ModuleType, ...]] = (
    first_steps,
    accounts,
    identity,
    opportunities,
    custom,
    missing_tables,
    fields,
    values,
    lookups,
    filters,
    rules,
    hooks,
    memberships,
    going_live,
    operations,
    kinds,
)


def all_stories() -> tuple[Story, ...]:
    order = {module.__name__: place for place, module in enumerate(MODULES)}
    return tuple(sorted(registered().values(), key=lambda story: order[story.play.__module__]))


def find_story(name: str) -> Story:
    """
    Raises:
        ConfigError: there is none of that name; the message has the nearest.
    """
    known = registered()
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
    hint = f"; did you mean {' or '.join(near)}?" if near else "."
    raise ConfigError(f"There is no story {name!r}{hint} tandem demo --list-stories shows them all.")
