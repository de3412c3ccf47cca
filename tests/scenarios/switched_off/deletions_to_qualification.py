"""Rows N60 to N71: deletions, duplicates, merges and qualification."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import pytest

from tandem.app import matches
from tandem.app import requests as answers
from tandem.app.reports import SettleReport
from tandem.connectors.dynamics.desk import DynamicsDesk
from tandem.core import creation, endings, match, merges, planner, subject
from tandem.core.endings import is_made_anew
from tandem.core.mapping import EntityMapping
from tandem.core.match import Contender, Unmatched
from tandem.core.memberships import CreationRule
from tandem.core.plan import LinkPlan
from tandem.core.policy import DeleteRule, EntityPolicy, MergeRule
from tandem.core.record import (
    CONTACT,
    LEAD,
    Entity,
    Link,
    LinkStatus,
    RecordId,
    RecordKey,
    State,
)
from tandem.core.requests import MEMBERSHIP, Arguments, Ask, Deed, Request
from tandem.core.subject import Case, Merge, Rules, Subject, is_outside, open_case
from tandem.ports import Store
from tandem.runtime import candidates, foresight, look, memberships, requests
from tandem.runtime.requests import Reception
from tests.scenarios.switched_off.cases import switched_off

# --- converting


@switched_off("N60", story="push-by-webhook", notices="who is a lead stays one, whatever the step asks for")
def a_flow_step_converts_a_lead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is asked for as a contact is qualified there and then."""
    do = Reception._do

    async def converting(self: Reception, request: Request, record: RecordKey) -> None:
        desk = self._engine.desk
        if request.text("as") == CONTACT and record.entity == LEAD and isinstance(desk, DynamicsDesk):
            path, body = f"leads({record.id})/Microsoft.Dynamics.CRM.QualifyLead", {"CreateContact": True, "Status": 3}
            assert await desk._send("qualify", desk._part("POST", path, body)) is None
        await do(self, request, record)

    monkeypatch.setattr(Reception, "_do", converting)
    monkeypatch.setattr(answers, "end_at_once", lambda engine, request, foresight: None)


# --- deletions


def deleted_with(monkeypatch: pytest.MonkeyPatch, *, in_crm: DeleteRule) -> None:
    """Whatever the table says of records that are deleted in Dynamics."""

    def opened(subject: Subject, rules: Rules) -> Case:
        case = open_case(subject, rules)
        return replace(case, policy=replace(case.policy, deleted_in_crm=in_crm))

    monkeypatch.setattr(planner, "open_case", opened)


@switched_off("N61", story="deleted-in-crm", notices="the person of the lead is marked")
def a_deleted_record_leaves_no_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    deleted_with(monkeypatch, in_crm=DeleteRule.IGNORE)


@switched_off("N61", story="deleted-in-crm", notices="the person of the contact stays")
def a_deleted_record_takes_its_person_along(monkeypatch: pytest.MonkeyPatch) -> None:
    deleted_with(monkeypatch, in_crm=DeleteRule.PROPAGATE)


@switched_off("N62", story="deleted-in-crm", notices="a campaign may delete the person by its mark")
def no_campaign_can_tell_who_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    deleted_with(monkeypatch, in_crm=DeleteRule.IGNORE)


@switched_off("N63", story="deleted-in-marketing-then-edited", notices="the lead stays")
def a_deleted_person_takes_its_record_along(monkeypatch: pytest.MonkeyPatch) -> None:
    def deleting(case: Case, link: Link, crm: State, marketing: State) -> LinkPlan:
        policy = replace(case.policy, deleted_in_marketing=DeleteRule.PROPAGATE)
        return endings.deleted_in_marketing(replace(case, policy=policy), link, crm, marketing)

    monkeypatch.setattr(planner, "deleted_in_marketing", deleting)


@switched_off("N63", story="deleted-in-marketing-then-edited", notices="the contact stays, marked")
def the_chosen_column_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endings, "_is_flagged", lambda case, crm: True)


@switched_off("N64", story="resurrect-by-choice", notices="it is back, with a new id")
def nobody_is_made_again_though_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planner, "is_made_anew", lambda case: False)


@switched_off("N64", story="deleted-in-marketing-then-edited", notices="an edit brings nobody back")
def everybody_is_made_again_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    """As natively: whoever is edited in Dynamics comes back under a new id."""

    def is_wanted(case: Case) -> bool:
        return is_made_anew(replace(case, policy=replace(case.policy, deleted_in_marketing=DeleteRule.RECREATE)))

    monkeypatch.setattr(planner, "is_made_anew", is_wanted)


@switched_off("N65", story="made-by-membership", notices="who was deleted in Dynamics stays deleted")
def whoever_is_asked_for_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    def everybody(rule: CreationRule, people: Collection[RecordId], links: Mapping[RecordId, Link]) -> Sequence[Ask]:
        wanted: Arguments = {"as": rule.create_as, "resurrect": True}
        missing = [person for person in people if person not in links or links[person].status is LinkStatus.TOMBSTONE]
        return [Ask(Deed.SYNC_PERSON, person, wanted, MEMBERSHIP) for person in missing]

    monkeypatch.setattr(memberships, "who_is_made", everybody)


@switched_off("N65", story="made-by-membership", notices="a push is told why")
def nobody_is_told_that_the_record_was_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (foresight, requests):
        monkeypatch.setattr(module, "DELETED", "Refused.")


@switched_off("N65", story="made-by-membership", notices="makes it anew where it is asked to")
def nobody_is_made_anew_though_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "_is_buried", lambda claim: False)


# --- duplicates


@switched_off("N66", story="duplicate-candidates", notices="nobody is guessed")
def one_of_several_is_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    def guess(contenders: Sequence[Contender], prefer: Sequence[str]) -> Sequence[Contender]:
        return contenders[:1]

    monkeypatch.setattr(match, "preferred", guess)


@switched_off("N66", story="duplicate-candidates", notices="where a rule prefers one, it decides")
def no_rule_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(match, "preferred", lambda contenders, prefer: contenders)


@switched_off("N67", story="shared-inbox-address", notices="each record has a person of its own")
def one_address_is_one_person(monkeypatch: pytest.MonkeyPatch) -> None:
    """A person is made by e-mail, though somebody else has the address."""
    create = creation.create_in_marketing

    def by_address(case: Case, crm: State, content: creation.Content) -> LinkPlan:
        return create(replace(case, subject=replace(case.subject, dedupe_taken=False, candidates=())), crm, content)

    monkeypatch.setattr(planner, "create_in_marketing", by_address)


@switched_off("N67", story="shared-inbox-address", notices="the active contact is the person who was there")
def nobody_is_adopted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planner, "decided_match", lambda case, crm: Unmatched())


@switched_off("N67", story="shared-inbox-address", notices="the active contact is the person who was there")
def the_first_record_adopts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(match, "_place", lambda me, rivals, prefer: (0, 0))


@switched_off("N66", story="duplicate-candidates", notices="and nothing done")
def a_group_is_settled_before_its_effect_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    settled = matches._settled

    def applied(store: Store, decided: matches.Choices, undecided: int, *, is_applied: bool) -> SettleReport:
        return settled(store, decided, undecided, is_applied=True)

    monkeypatch.setattr(matches, "_settled", applied)


@switched_off("N66", story="duplicate-candidates", notices="the contact is the person of the rule")
def a_group_is_settled_by_no_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cast(Any, matches.RULES), "lowest-id", lambda candidates: max(each.id for each in candidates))


# --- merges and qualification

MERGES = "tests/scenarios/test_merge_and_qualify_tables.py::test_a_merge_follows_the_filter_of_the_winner[contact]"
QUALIFICATION = "tests/scenarios/test_merge_and_qualify_tables.py::test_qualification_follows_both_filters"


@switched_off("N68", test=MERGES, notices="loser True, winner False: its key is the winner's")
def the_filter_is_not_asked_of_the_winner(monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(subject: Subject, rules: Rules) -> Case:
        case = open_case(subject, rules)
        return replace(case, policy=replace(case.policy, filter=None))

    monkeypatch.setattr(merges, "open_case", opened)


@switched_off("N68", test=MERGES, notices="loser True, winner True: 1 people are left")
def the_losers_person_stays_though_it_is_to_be_merged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planner, "merge_counterparts", lambda case, link, merge: merges.goes_on_apart(case, link))


@switched_off("N69", story="marketing-merge", notices="a person nobody knew takes over the link")
def a_link_does_not_follow_to_the_survivor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "follow_merges", nothing)


@switched_off("N69", story="marketing-merge", notices="the records are merged too")
def a_merge_in_marketo_does_not_reach_dynamics(monkeypatch: pytest.MonkeyPatch) -> None:
    def left(case: Case, link: Link, merge: Merge) -> LinkPlan:
        policy = replace(case.policy, merged_in_marketing=MergeRule.IGNORE)
        return merges.merged_away_in_marketing(replace(case, policy=policy), link, merge)

    monkeypatch.setattr(planner, "merged_away_in_marketing", left)


@switched_off("N70", story="qualify-with-account", notices="the person is the one the lead was")
def a_contact_is_somebody_else_than_its_lead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "_find_origins", nothing)


@switched_off("N70", story="qualify-during-write", notices="there is one person")
def a_contact_made_meanwhile_is_somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "_find_origins", nothing)


@switched_off("N71", test=QUALIFICATION, notices="lead True, contact False: it is the lead's")
def the_filter_is_not_asked_of_contacts(monkeypatch: pytest.MonkeyPatch) -> None:
    _ask_no_filter_of(CONTACT, monkeypatch)


@switched_off("N71", test=QUALIFICATION, notices="lead False, contact True: was there before or is new")
def the_filter_is_not_asked_of_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    _ask_no_filter_of(LEAD, monkeypatch)


def _ask_no_filter_of(entity: Entity, monkeypatch: pytest.MonkeyPatch) -> None:
    def outside(mapping: EntityMapping, policy: EntityPolicy, crm: State | None, *, is_linked: bool = False) -> bool:
        return mapping.crm_entity != entity and is_outside(mapping, policy, crm, is_linked=is_linked)

    for module in (subject, look, candidates):
        monkeypatch.setattr(module, "is_outside", outside)


async def nothing(*given: object) -> None:
    """In the place of what is not done any more."""
