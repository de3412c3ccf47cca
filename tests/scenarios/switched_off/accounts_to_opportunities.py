"""Rows N24 to N35: accounts and users, opportunities and roles."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from tandem.connectors.dynamics import opportunities
from tandem.connectors.dynamics.views import Row
from tandem.connectors.marketo.connector import MarketoConnector
from tandem.core import merge, planner
from tandem.core.creation import pending
from tandem.core.default_mapping import DEFAULT_MAPPINGS
from tandem.core.endings import tombstone
from tandem.core.merge import Sighting, Verdict
from tandem.core.plan import ConflictKind, LinkPlan, Plan
from tandem.core.policy import EditRule, EntityPolicy
from tandem.core.record import (
    ACCOUNT,
    COMPANY,
    CONNECTION,
    OPPORTUNITY,
    OPPORTUNITY_CUSTOMER,
    USER,
    Entity,
    Link,
    Side,
    State,
)
from tandem.core.subject import Case
from tandem.ports import JournalRow, Write, WriteResult
from tandem.runtime import sweep as runtime_sweep
from tandem.runtime import sync_pass
from tandem.runtime.engine import Engine
from tests.scenarios.switched_off.cases import switched_off
from tests.scenarios.switched_off.parts import carry_nothing, derive, make_in_dynamics, record_nothing, see_only

# --- accounts and users


@switched_off("N24", story="account-edited", notices="the next change in Dynamics replaces all values")
def what_was_edited_in_marketo_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    edited_is(monkeypatch, EditRule.KEEP)


@switched_off("N24", story="account-edited", notices="kept, only the changed value is written")
def what_was_edited_in_marketo_is_overwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    edited_is(monkeypatch, EditRule.OVERWRITE)


def edited_is(monkeypatch: pytest.MonkeyPatch, rule: EditRule) -> None:
    """One rule for values that were edited in Marketo, whatever the settings say."""
    one_way = merge._merge_one_way

    def as_ever(seen: Sighting, policy: EntityPolicy) -> Verdict:
        return one_way(seen, replace(policy, edited_in_marketing=rule))

    monkeypatch.setattr(merge, "_merge_one_way", as_ever)


@switched_off("N24", story="account-edited", notices="enforced, it is put back by the comparison")
def nothing_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(engine: Engine, entity: Entity) -> int:
        return 0

    monkeypatch.setattr(runtime_sweep, "_compare", nothing)


@switched_off("N24", story="account-edited", notices="what was overwritten is recorded")
def what_was_overwritten_is_not_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    record_nothing(monkeypatch, ConflictKind.ONE_WAY)


@switched_off("N25", story="account-edited", notices="it does not go to Dynamics")
def what_is_edited_on_a_company_goes_to_dynamics(monkeypatch: pytest.MonkeyPatch) -> None:
    def to_whom_lacks_it(seen: Sighting, policy: EntityPolicy) -> Verdict:
        changed = Side.MARKETING if seen.has_changed(Side.MARKETING) else Side.CRM
        return merge._carry(seen, to=changed.other, reason="both ways")

    monkeypatch.setattr(merge, "_merge_one_way", to_whom_lacks_it)
    go_both_ways(monkeypatch, ACCOUNT)


def go_both_ways(monkeypatch: pytest.MonkeyPatch, entity: Entity) -> None:
    """The table's records are compared at each pass, so that an edit in Marketo is seen."""
    look_further = runtime_sweep.look_further

    async def comparing(engine: Engine) -> Counter[str]:
        counts = await look_further(engine)
        await runtime_sweep._compare(engine, entity)
        return counts

    monkeypatch.setattr(sync_pass, "look_further", comparing)


@switched_off("N26", story="reparent-person", notices="no account is made from Marketo")
def a_company_becomes_an_account(monkeypatch: pytest.MonkeyPatch) -> None:
    make_in_dynamics(monkeypatch, ACCOUNT, "typed-in-marketo")


@switched_off("N27", "N28", story="account-fan-out", notices="two accounts are two writes")
def a_company_is_written_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    write = MarketoConnector.write

    async def twice(self: MarketoConnector, entity: Entity, writes: Sequence[Write]) -> Sequence[WriteResult]:
        if entity == COMPANY:
            await write(self, entity, writes)
        return await write(self, entity, writes)

    monkeypatch.setattr(MarketoConnector, "write", twice)


@switched_off("N27", story="account-fan-out", notices="Marketo's log tells it on each person")
def a_change_of_an_account_is_told_on_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    carry_nothing(monkeypatch, ACCOUNT, Side.MARKETING)


@switched_off("N28", story="account-fan-out", notices="with the new value")
def people_go_on_showing_what_their_account_was(monkeypatch: pytest.MonkeyPatch) -> None:
    carry_nothing(monkeypatch, ACCOUNT, Side.MARKETING)


@switched_off("N29", story="owner-disabled", notices="nor is it tried where we might")
def a_sales_person_becomes_a_user(monkeypatch: pytest.MonkeyPatch) -> None:
    make_in_dynamics(monkeypatch, USER, "typed-in-marketo")


# --- opportunities and roles


@switched_off("N30", story="opportunity-won-reopened", notices="none is made in Dynamics from Marketo")
def an_opportunity_of_marketo_becomes_one_of_dynamics(monkeypatch: pytest.MonkeyPatch) -> None:
    make_in_dynamics(monkeypatch, OPPORTUNITY, "from-marketo")


@switched_off("N31", story="opportunity-customer", notices="A contact buys: its company")
def the_company_of_a_contact_is_not_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    derive(monkeypatch, OPPORTUNITY, "@account", lambda row, facts: row["accountid"])


@switched_off("N31", story="opportunity-customer", notices="the contact's new employer is the opportunity's")
def nobody_looks_where_a_contact_works_now(monkeypatch: pytest.MonkeyPatch) -> None:
    known = DEFAULT_MAPPINGS[OPPORTUNITY]
    pairs = tuple(replace(pair, watches=()) for pair in known.pairs)
    monkeypatch.setitem(DEFAULT_MAPPINGS, OPPORTUNITY, replace(known, pairs=pairs))


@switched_off("N31", story="opportunity-customer", notices="A contact buys: its roles")
def the_customer_has_no_role(monkeypatch: pytest.MonkeyPatch) -> None:
    view = opportunities.VIEWS[OPPORTUNITY_CUSTOMER]
    see_only(monkeypatch, OPPORTUNITY_CUSTOMER, replace(view, belongs=lambda row: False))


@switched_off("N32", story="opportunity-customer", notices="A company buys: its company")
def an_account_that_buys_is_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    derive(monkeypatch, OPPORTUNITY, "@account", lambda row, facts: facts.get(str(row["contactid"])))


def customer_is(monkeypatch: pytest.MonkeyPatch, column: str) -> None:
    """Whoever an opportunity names in this column is its customer, with a role."""
    known = DEFAULT_MAPPINGS[OPPORTUNITY_CUSTOMER]
    pairs = tuple(replace(pair, crm=column) if pair.crm == "contactid" else pair for pair in known.pairs)
    monkeypatch.setitem(DEFAULT_MAPPINGS, OPPORTUNITY_CUSTOMER, replace(known, pairs=pairs))
    view = opportunities.VIEWS[OPPORTUNITY_CUSTOMER]
    named = replace(view, tells=(column,), belongs=lambda row: row[column] is not None)
    see_only(monkeypatch, OPPORTUNITY_CUSTOMER, named)


@switched_off("N32", story="opportunity-customer", notices="no role waits for a person that an account is not")
def an_account_that_buys_is_taken_for_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    customer_is(monkeypatch, "customerid")


@switched_off("N33", story="opportunity-customer", notices="Both on the form: its roles")
def the_contact_on_the_form_has_a_role_beside_the_account(monkeypatch: pytest.MonkeyPatch) -> None:
    customer_is(monkeypatch, "parentcontactid")


@switched_off("N34", story="connection-pairs", notices="of the pairs that lead to a person one row each is taken")
def both_rows_of_a_pair_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    view = opportunities.VIEWS[CONNECTION]
    see_only(monkeypatch, CONNECTION, replace(view, belongs=lambda row: row["statecode"] == 0))


@switched_off("N34", story="connection-pairs", notices="the contact and the lead have one role each, the account none")
def a_pair_counts_only_from_the_end_it_was_made_from(monkeypatch: pytest.MonkeyPatch) -> None:
    view = opportunities.VIEWS[CONNECTION]

    def is_first(row: Row) -> bool:
        return view.belongs(row) and bool(row["ismaster"])

    see_only(monkeypatch, CONNECTION, replace(view, tells=(*view.tells, "ismaster"), belongs=is_first))


@switched_off("N34", story="child-before-parent", notices="both roles wait in sight")
def a_role_waits_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    def unseen(case: Case, crm: State, **more: Any) -> LinkPlan:
        return replace(pending(case, crm, **more), holds=())

    monkeypatch.setattr(planner, "pending", unseen)


@switched_off("N34", story="child-before-parent", notices="once the person is there, both roles are made")
def a_role_that_waits_is_not_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    def for_ever(case: Case, crm: State, **more: Any) -> LinkPlan:
        return pending(case, crm, **{**more, "waits": ()})

    monkeypatch.setattr(planner, "pending", for_ever)


@switched_off("N35", story="role-added-removed", notices="another role in Dynamics is another role in Marketo")
def a_role_stays_what_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    def as_it_was(case: Case, plan: LinkPlan, marketing: State) -> LinkPlan:
        return replace(plan, actions=())

    monkeypatch.setattr(planner, "rekeyed", as_it_was)


@switched_off("N35", story="role-added-removed", notices="who is no longer a stakeholder has no role")
def a_role_that_is_gone_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(case: Case, link: Link, marketing: State) -> LinkPlan:
        return tombstone(case, link, "deleted in crm", ())

    monkeypatch.setattr(planner, "deleted_in_crm", ended)


@switched_off("N35", story="opportunity-deleted", notices="Marketo refused nothing")
def an_opportunity_goes_before_its_roles(monkeypatch: pytest.MonkeyPatch) -> None:
    def at_once(entity: Entity, plan: Plan, rows: Sequence[JournalRow]) -> tuple[list[JournalRow], list[JournalRow]]:
        return list(rows), []

    monkeypatch.setattr(sync_pass, "split_deletions", at_once)
