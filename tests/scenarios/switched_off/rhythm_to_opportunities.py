"""Rows N1 to N35: rhythm, objects, conflicts, creating in Dynamics, accounts, users and opportunities."""

import pytest

from tandem.app import notices
from tandem.app.notices import Notice
from tandem.core import planner
from tandem.core.endings import tombstone
from tandem.core.plan import LinkPlan
from tandem.core.record import Link, State
from tandem.core.subject import Case
from tandem.ports import Store
from tests.scenarios.switched_off.cases import switched_off

NOTICES = "tests/scenarios/test_notices.py"


@switched_off(
    "N5",
    test=f"{NOTICES}::test_the_first_copy_and_the_days_failures_are_told_once_without_values",
    notices='assert receiver.titles == ["Tandem: the first copy is done"]',
)
def the_end_of_the_first_copy_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(store: Store) -> list[Notice]:
        return []

    monkeypatch.setattr(notices, "_first_copy", nothing)


@switched_off("N35", story="role-added-removed", notices="who is no longer a stakeholder has no role")
def a_role_that_is_gone_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(case: Case, link: Link, marketing: State) -> LinkPlan:
        return tombstone(case, link, "deleted in crm", ())

    monkeypatch.setattr(planner, "deleted_in_crm", ended)
