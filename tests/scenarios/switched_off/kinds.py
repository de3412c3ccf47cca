"""Rows N9, N10, N61, N63, N132 and N139: deletions of every kind of record, and amounts in a second currency."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from tandem.config import policies
from tandem.connectors.dynamics import opportunities
from tandem.core import endings, planner
from tandem.core.default_mapping import DEFAULT_MAPPINGS
from tandem.core.endings import tombstone
from tandem.core.plan import LinkPlan, Plan
from tandem.core.policy import DeleteRule
from tandem.core.record import ACCOUNT, Entity, Link, State
from tandem.core.subject import Case
from tandem.ports import JournalRow
from tandem.runtime import sync_pass
from tests.scenarios.switched_off.cases import switched_off


@switched_off("N61", story="every-kind", notices="deleted in Dynamics, deleted in Marketo: lead")
def a_deletion_in_dynamics_is_never_carried_over(monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(case: Case, link: Link, marketing: State) -> LinkPlan:
        return tombstone(case, link, "deleted in crm")

    monkeypatch.setattr(planner, "deleted_in_crm", ended)


@switched_off("N63", story="every-kind", notices="deleted in Marketo, deleted in Dynamics: lead")
def a_deletion_in_marketo_is_never_carried_over(monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(case: Case, link: Link, crm: State, marketing: State) -> LinkPlan:
        return tombstone(case, link, "deleted in marketing")

    monkeypatch.setattr(planner, "deleted_in_marketing", ended)


@switched_off("N9", story="owner-deleted", notices="the sales person stays, unless the settings say otherwise")
def a_deleted_user_always_takes_its_sales_person_along(monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(case: Case, link: Link, marketing: State) -> LinkPlan:
        policy = replace(case.policy, deleted_in_crm=DeleteRule.PROPAGATE)
        return endings.deleted_in_crm(replace(case, policy=policy), link, marketing)

    monkeypatch.setattr(planner, "deleted_in_crm", ended)


@switched_off("N10", story="owner-deleted", notices="a team goes once its people name another owner")
def deletions_do_not_wait_for_those_who_name_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def at_once(entity: Entity, plan: Plan, rows: Sequence[JournalRow]) -> tuple[list[JournalRow], list[JournalRow]]:
        return list(rows), []

    monkeypatch.setattr(sync_pass, "split_deletions", at_once)


@switched_off("N139", story="team-owner", notices="so it is of a lead, a company and an opportunity")
def a_company_names_no_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = tuple(pair for pair in DEFAULT_MAPPINGS[ACCOUNT].pairs if pair.crm != "ownerid")
    without = {**DEFAULT_MAPPINGS, ACCOUNT: replace(DEFAULT_MAPPINGS[ACCOUNT], pairs=pairs)}
    monkeypatch.setattr(policies, "DEFAULT_MAPPINGS", without)


@switched_off("N132", story="opportunity-currencies", notices="one in euros has its own, and that in dollars")
def the_base_currency_shows_the_amount_as_entered(monkeypatch: pytest.MonkeyPatch) -> None:
    amount = opportunities._amount
    monkeypatch.setattr(opportunities, "_amount", lambda row, base="": amount(row))
