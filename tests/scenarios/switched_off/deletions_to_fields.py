"""Rows N60 to N91: deletions, duplicates, merges, qualification, and fields."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import pytest

from tandem.core import creation, endings, match, planner
from tandem.core.endings import is_made_anew
from tandem.core.match import Contender, Unmatched
from tandem.core.memberships import CreationRule
from tandem.core.plan import LinkPlan
from tandem.core.policy import DeleteRule
from tandem.core.record import Link, LinkStatus, RecordId, State
from tandem.core.requests import MEMBERSHIP, Ask, Deed
from tandem.core.subject import Case, Rules, Subject, open_case
from tandem.runtime import look, memberships
from tests.scenarios.switched_off.cases import switched_off

# --- deletions


def _deleted_with(monkeypatch: pytest.MonkeyPatch, *, in_crm: DeleteRule) -> None:
    """Whatever the table says of records that are deleted in Dynamics."""

    def opened(subject: Subject, rules: Rules) -> Case:
        case = open_case(subject, rules)
        return replace(case, policy=replace(case.policy, deleted_in_crm=in_crm))

    monkeypatch.setattr(planner, "open_case", opened)


@switched_off("N61", story="deleted-in-crm", notices="the person of the lead is marked")
def a_deleted_record_leaves_no_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    _deleted_with(monkeypatch, in_crm=DeleteRule.IGNORE)


@switched_off("N61", story="deleted-in-crm", notices="the person of the contact stays")
def a_deleted_record_takes_its_person_along(monkeypatch: pytest.MonkeyPatch) -> None:
    _deleted_with(monkeypatch, in_crm=DeleteRule.PROPAGATE)


@switched_off("N62", story="deleted-in-crm", notices="a campaign may delete the person by its mark")
def no_campaign_can_tell_who_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    _deleted_with(monkeypatch, in_crm=DeleteRule.IGNORE)


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
        wanted = {"as": rule.create_as, "resurrect": True}
        missing = [person for person in people if person not in links or links[person].status is LinkStatus.TOMBSTONE]
        return [Ask(Deed.SYNC_PERSON, person, wanted, MEMBERSHIP) for person in missing]

    monkeypatch.setattr(memberships, "who_is_made", everybody)


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
