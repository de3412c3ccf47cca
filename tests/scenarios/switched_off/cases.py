"""What a case is, and the list of all of them."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

import pytest

Switch = Callable[[pytest.MonkeyPatch], None]

STORIES: Final = "tests/scenarios/test_stories.py::test_story"
MODULES: Final = (
    "rhythm_to_conflicts",
    "creating",
    "accounts_to_opportunities",
    "custom_tables",
    "campaigns_to_hooks",
    "deletions_to_qualification",
    "fields",
    "labels_to_filters",
    "signing_in",
    "on_premises",
    "operations",
    "objects_to_order",
    "kinds",
)


@dataclass(frozen=True, slots=True)
class Case:
    """Without the rule that `switch` takes out, `test` (its id on the page) fails, and `notices` is part of its
    complaint. `rows` are those of the page that this rule is the heart of."""

    name: str
    rows: tuple[str, ...]
    test: str
    notices: str
    switch: Switch

    @property
    def story(self) -> str | None:
        """The name of the story; None for any other test."""
        return self.test.removeprefix(f"{STORIES}[").removesuffix("]") if self.test.startswith(STORIES) else None


_CASES: Final[dict[str, Case]] = {}


def switched_off(*rows: str, notices: str, story: str = "", test: str = "") -> Callable[[Switch], Switch]:
    """Register the function below, whose name says what is not done any more, for a story or for another test."""

    def register(switch: Switch) -> Switch:
        name = switch.__name__
        assert name not in _CASES, f"two cases are called {name}"
        assert bool(story) != bool(test), f"{name} names a story or a test"
        _CASES[name] = Case(name, rows, test or f"{STORIES}[{story}]", notices, switch)
        return switch

    return register


@cache
def all_cases() -> Mapping[str, Case]:
    """By name."""
    for module in MODULES:
        importlib.import_module(f"tests.scenarios.switched_off.{module}")
    return _CASES
