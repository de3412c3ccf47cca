"""Rows N1 to N15: rhythm, objects and their direction, conflicts."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tandem.app import notices, schema
from tandem.app.build import Setup
from tandem.app.notices import Notice, Notices, Told
from tandem.app.run_loop import RunLoop
from tandem.connectors.dynamics import sweep
from tandem.connectors.dynamics.feed import ChangeFeed
from tandem.connectors.dynamics.schema import Table
from tandem.connectors.dynamics.views import Row, View
from tandem.core import merge, planner, record_merge, subject
from tandem.core.mapping import EntityMapping, FieldPair, Winner
from tandem.core.match import Match, Unmatched
from tandem.core.merge import Sighting, Verdict
from tandem.core.merges import goes_on_apart
from tandem.core.newest import EditTimes
from tandem.core.plan import Action, ConflictKind, LinkPlan
from tandem.core.policy import EntityPolicy
from tandem.core.record import (
    ACCOUNT,
    CONTACT,
    LEAD,
    OPPORTUNITY,
    TEAM,
    USER,
    Cursor,
    Link,
    Side,
    State,
)
from tandem.core.subject import Case, Merge
from tandem.ports import Page, Store, Sweep
from tests.scenarios.switched_off.cases import switched_off
from tests.scenarios.switched_off.parts import carry_nothing, make_none, map_without, record_nothing, see_only

FIRST_COPY_TOLD = (
    "tests/scenarios/test_notices.py::test_the_first_copy_and_the_days_failures_are_told_once_without_values"
)


# --- rhythm


@switched_off("N1", story="runs-by-itself", notices="it goes on")
def it_ends_after_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    make_pass = RunLoop._pass

    async def last(self: RunLoop, setup: Setup, told: Notices | None) -> float | None:
        self.stop.set()
        return await make_pass(self, setup, told)

    monkeypatch.setattr(RunLoop, "_pass", last)


@switched_off("N2", story="runs-by-itself", notices="it rests between two passes")
def it_never_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    rest = RunLoop._rest

    async def at_once(self: RunLoop, seconds: float) -> None:
        await rest(self, 0.0)

    monkeypatch.setattr(RunLoop, "_rest", at_once)


@switched_off("N3", story="only-changes", notices="a quiet start reads only the few newest records")
def each_pass_reads_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgotten(self: ChangeFeed, cursor: Cursor | None) -> None:
        return None

    monkeypatch.setattr(ChangeFeed, "_place", forgotten)


@switched_off("N3", story="only-changes", notices="that one person is written, and nothing in Dynamics")
def what_comes_from_dynamics_is_written_back(monkeypatch: pytest.MonkeyPatch) -> None:
    actions = record_merge._actions

    def both(merged: record_merge._Merged, crm: State, marketing: State) -> tuple[Action, ...]:
        for name, write in merged.writes[Side.MARKETING].items():
            column = write.pair.partition("|")[0]
            merged.writes[Side.CRM][name] = replace(write, field=column, before=write.source, after=write.source)
        return actions(merged, crm, marketing)

    monkeypatch.setattr(record_merge, "_actions", both)


@switched_off("N4", story="first-copy", notices="each of them is a person in Marketo")
def who_was_there_before_is_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = ChangeFeed.pages

    async def from_now_on(self: ChangeFeed, cursor: Cursor | None) -> AsyncIterator[Page]:
        async for page in pages(self, cursor):
            is_old = page.is_full_read and self.table.entity in (CONTACT, LEAD)
            yield replace(page, readings=[]) if is_old else page

    monkeypatch.setattr(ChangeFeed, "pages", from_now_on)


@switched_off("N4", story="first-copy", notices="who was there already was not made again")
def whom_marketo_knows_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(case: Case, crm: State) -> Match:
        return Unmatched()

    monkeypatch.setattr(planner, "decided_match", nobody)


@switched_off("N5", test=FIRST_COPY_TOLD, notices="Right contains one more item: 'Tandem: the first copy is done'")
def the_end_of_the_first_copy_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(store: Store) -> list[Notice]:
        return []

    monkeypatch.setattr(notices, "_first_copy", nothing)


@switched_off("N5", test=FIRST_COPY_TOLD, notices="Left contains one more item: 'Tandem: the first copy is done'")
def the_end_of_the_first_copy_is_told_after_each_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    find = notices.find_news

    def anew(store: Store, settings: object, told: Told, *more: object) -> list[Notice]:
        told.keys = []
        return find(store, settings, told, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(notices, "find_news", anew)


@switched_off("N5", test=FIRST_COPY_TOLD, notices='assert "contact 1, systemuser 8" in receiver.got[0]["message"]')
def how_many_are_in_step_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    first_copy = notices._first_copy

    def bare(store: Store) -> list[Notice]:
        return [replace(notice, body="It is done.") for notice in first_copy(store)]

    monkeypatch.setattr(notices, "_first_copy", bare)


# --- objects


@switched_off("N6", story="disqualify-reopen", notices="the person shows it")
def nothing_of_a_lead_goes_to_marketo(monkeypatch: pytest.MonkeyPatch) -> None:
    carry_nothing(monkeypatch, LEAD, Side.MARKETING)


@switched_off("N6", story="disqualify-reopen", notices="once it is open the edit arrives")
def nothing_of_a_lead_goes_to_dynamics(monkeypatch: pytest.MonkeyPatch) -> None:
    carry_nothing(monkeypatch, LEAD, Side.CRM)


@switched_off("N6", story="disqualify-reopen", notices="the edit waits visibly")
def a_closed_lead_is_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(mapping: EntityMapping, crm: State | None) -> bool:
        return False

    monkeypatch.setattr(subject, "is_closed", never)


@switched_off("N7", story="edits-both-ways", notices="the edit made in Dynamics is in Marketo")
def nothing_of_a_contact_goes_to_marketo(monkeypatch: pytest.MonkeyPatch) -> None:
    carry_nothing(monkeypatch, CONTACT, Side.MARKETING)


@switched_off("N7", story="edits-both-ways", notices="the edit made in Marketo is in Dynamics")
def nothing_of_a_contact_goes_to_dynamics(monkeypatch: pytest.MonkeyPatch) -> None:
    carry_nothing(monkeypatch, CONTACT, Side.CRM)


@switched_off("N7", story="crm-merge", notices="one person is left")
def the_people_of_merged_contacts_stay_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def apart(case: Case, link: Link, merge: Merge) -> LinkPlan:
        return goes_on_apart(case, link)

    monkeypatch.setattr(planner, "merge_counterparts", apart)


@switched_off("N8", story="reparent-person", notices="an account without contacts is a company too")
def no_account_becomes_a_company(monkeypatch: pytest.MonkeyPatch) -> None:
    make_none(monkeypatch, ACCOUNT)


@switched_off("N8", story="reparent-person", notices="a change of the account reaches its people")
def a_change_of_an_account_stays_in_dynamics(monkeypatch: pytest.MonkeyPatch) -> None:
    carry_nothing(monkeypatch, ACCOUNT, Side.MARKETING)


@switched_off("N9", story="owner-disabled", notices="a user that owns nothing is a sales person too")
def no_user_becomes_a_sales_person(monkeypatch: pytest.MonkeyPatch) -> None:
    make_none(monkeypatch, USER)


@switched_off("N9", story="owner-disabled", notices="another address arrives")
def a_change_of_a_user_stays_in_dynamics(monkeypatch: pytest.MonkeyPatch) -> None:
    carry_nothing(monkeypatch, USER, Side.MARKETING)


@switched_off("N9", story="owner-disabled", notices="those who come later too")
def who_is_disabled_is_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def is_enabled(row: Row) -> bool:
        return not row["isdisabled"]

    see_only(monkeypatch, USER, View(USER, {}, ("isdisabled",), is_enabled))


@switched_off("N10", story="team-owner", notices="the team is a sales person of its own kind")
def a_team_is_of_no_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    map_without(monkeypatch, TEAM, "@type")


def sweep_nothing_of(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The ids of a table that tells no changes are not compared."""
    sweep_of = sweep.sweep_of

    def of_others(table: Table) -> Sweep:
        return Sweep.NOTHING if table.entity == name else sweep_of(table)

    monkeypatch.setattr(sweep, "sweep_of", of_others)


@switched_off("N10", story="many-to-many", notices="the members of a team are records that name the team and the user")
def who_joins_a_team_later_is_no_member(monkeypatch: pytest.MonkeyPatch) -> None:
    sweep_nothing_of(monkeypatch, "teammembership")


@switched_off("N11", story="opportunity-won-reopened", notices="once it is won, the amount is what came of it")
def a_change_of_an_opportunity_stays_in_dynamics(monkeypatch: pytest.MonkeyPatch) -> None:
    carry_nothing(monkeypatch, OPPORTUNITY, Side.MARKETING)


@switched_off("N11", story="opportunity-won-reopened", notices="it names its owner")
def an_opportunity_has_no_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    map_without(monkeypatch, OPPORTUNITY, "ownerid")


@switched_off("N11", story="opportunity-won-reopened", notices="and its company")
def an_opportunity_has_no_company(monkeypatch: pytest.MonkeyPatch) -> None:
    map_without(monkeypatch, OPPORTUNITY, "@account")


@switched_off("N12", story="custom-entity-live", notices="the plan shows the object that Marketo lacks")
def the_object_of_a_table_is_not_planned(monkeypatch: pytest.MonkeyPatch) -> None:
    needs = schema._needs
    monkeypatch.setattr(schema, "_needs", lambda resolved: replace(needs(resolved), objects=()))


@switched_off("N12", story="many-to-many", notices="a pair that goes and one that comes are found by their ids")
def pairs_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sweep_nothing_of(monkeypatch, "new_interest")


@switched_off("N12", story="table-without-tracking", notices="an edit arrives")
def a_table_without_tracking_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pages_from = ChangeFeed._pages_from

    async def nothing() -> AsyncIterator[Page]:
        return
        yield

    def first_read_alone(self: ChangeFeed, place: object) -> AsyncIterator[Page]:
        kind, since = getattr(place, "kind", None), getattr(place, "since", None)
        return nothing() if kind == "modified" and since is not None else pages_from(self, place)  # type: ignore[arg-type]

    monkeypatch.setattr(ChangeFeed, "_pages_from", first_read_alone)


# --- conflicts


def prevails(monkeypatch: pytest.MonkeyPatch, winner: Winner) -> None:
    """One side wins every conflict, whatever the table says."""

    def always(self: EntityPolicy, pair: FieldPair) -> Winner:
        return pair.winner or winner

    monkeypatch.setattr(EntityPolicy, "winner_of", always)


@switched_off("N13", story="opt-out-conflict", notices="the lead has the winner's value on both sides")
def dynamics_prevails_for_leads_too(monkeypatch: pytest.MonkeyPatch) -> None:
    prevails(monkeypatch, Winner.CRM)


@switched_off("N13", story="opt-out-conflict", notices="where its field says otherwise, Dynamics prevails for a lead")
def what_a_field_says_of_the_winner_is_not_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    def of_the_table(self: EntityPolicy, pair: FieldPair) -> Winner:
        return self.winner

    monkeypatch.setattr(EntityPolicy, "winner_of", of_the_table)


@switched_off("N13", story="newest-wins", notices="a lead stays as it is on both sides")
def marketo_prevails_for_leads_whatever_the_table_says(monkeypatch: pytest.MonkeyPatch) -> None:
    prevails(monkeypatch, Winner.MARKETING)


@switched_off("N13", story="opt-out-conflict", notices="both values are recorded (lead)")
def what_dynamics_held_of_a_lead_is_not_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    record_nothing(monkeypatch, ConflictKind.BOTH_CHANGED)


@switched_off("N13", story="opt-out-conflict", notices="an opt-out taken back stands (lead)")
def an_opt_out_of_a_lead_is_a_field_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sighting, "is_opted_out", False)


@switched_off("N14", story="opt-out-conflict", notices="the contact has the winner's value on both sides")
def marketo_prevails_for_contacts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    prevails(monkeypatch, Winner.MARKETING)


@switched_off("N14", story="opt-out-conflict", notices="both values are recorded (contact)")
def what_marketo_held_of_a_contact_is_not_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    record_nothing(monkeypatch, ConflictKind.BOTH_CHANGED)


@switched_off("N14", story="opt-out-conflict", notices="an opt-out taken back stands (contact)")
def an_opt_out_of_a_contact_is_a_field_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sighting, "is_opted_out", False)


@switched_off("N14", story="newest-wins", notices="the later edit is in Dynamics")
def what_a_table_says_of_the_winner_is_not_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    prevails(monkeypatch, Winner.CRM)


@switched_off("N14", story="newest-wins", notices="the later edit is in Dynamics")
def nobody_can_tell_the_newer_edit(monkeypatch: pytest.MonkeyPatch) -> None:
    def neither(times: EditTimes, marketing_field: str) -> None:
        return None

    monkeypatch.setattr(record_merge, "newer_side", neither)


@switched_off("N14", story="newest-wins", notices="what nobody can tell stays")
def where_nobody_can_tell_marketo_prevails(monkeypatch: pytest.MonkeyPatch) -> None:
    def guessed(seen: Sighting, kind: ConflictKind) -> tuple[Winner, str]:
        return Winner(seen.newer.value) if seen.newer else Winner.MARKETING, "guessed"

    monkeypatch.setattr(merge, "_newest", guessed)


@switched_off("N15", story="opportunity-won-reopened", notices="what had been typed in Marketo is recorded")
def what_was_typed_over_dynamics_is_not_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    record_nothing(monkeypatch, ConflictKind.ONE_WAY)


@switched_off("N15", story="opportunity-won-reopened", notices="Dynamics prevails over what was typed in Marketo")
def what_was_typed_over_dynamics_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    one_way = merge._merge_one_way

    def unless_edited(seen: Sighting, policy: EntityPolicy) -> Verdict:
        return merge.QUIET if seen.has_changed(Side.MARKETING) else one_way(seen, policy)

    monkeypatch.setattr(merge, "_merge_one_way", unless_edited)
