"""The judge of the demonstration, before crafted pictures of both sides: each kind of harm is seen and counted."""

import ast
from pathlib import Path
from typing import Any

import pytest

from tandem.app.demo import checker, world
from tandem.app.demo.checker import Recorded, Verdict, judge
from tandem.app.demo.world import CRM, MARKETING, Deeds, Typed, World

ANNA, BOB, CARA, TWIN = (f"0000000{number}-0000-4000-8000-00000000000{number}" for number in (1, 2, 3, 4))
ACME = "aaaaaaaa-0000-4000-8000-000000000001"
OWNER = "bbbbbbbb-0000-4000-8000-000000000001"


def a_lead(key: str = ANNA, **values: Any) -> dict[str, Any]:
    return {"leadid": key, "lastname": "Ash", "emailaddress1": "ash@a.example", "donotphone": 0, **values}


def a_contact(key: str = BOB, **values: Any) -> dict[str, Any]:
    return {"contactid": key, "lastname": "Birch", "emailaddress1": "birch@a.example", "accountid": ACME, **values}


def a_person(number: int, **values: Any) -> dict[str, Any]:
    return {"id": number, **values}


def anna(**values: Any) -> dict[str, Any]:
    return a_person(1, **{"tandemCrmId": ANNA, "lastName": "Ash", "email": "ash@a.example", **values})


def bob(**values: Any) -> dict[str, Any]:
    told = {"tandemCrmId": BOB, "lastName": "Birch", "email": "birch@a.example", "externalCompanyId": ACME}
    return a_person(2, **{**told, **values})


def a_world(
    *,
    leads: list[dict[str, Any]] | None = None,
    contacts: list[dict[str, Any]] | None = None,
    people: list[dict[str, Any]] | None = None,
    companies: list[dict[str, Any]] | None = None,
) -> World:
    accounts = [{"accountid": ACME, "name": "Acme", "numberofemployees": 7}]
    told = [{"id": 50, "externalCompanyId": ACME, "company": "Acme", "numberOfEmployees": 7}]
    crm = {
        "lead": [a_lead()] if leads is None else leads,
        "contact": [a_contact()] if contacts is None else contacts,
        "account": accounts,
        "systemuser": [{"systemuserid": OWNER}],
    }
    marketing = {
        "person": [anna(), bob()] if people is None else people,
        "company": told if companies is None else companies,
        "salesperson": [{"id": 60, "externalSalesPersonId": OWNER}],
    }
    return World(
        crm={name: {record[f"{name}id"]: record for record in records} for name, records in crm.items()},
        marketing={name: {str(record["id"]): record for record in records} for name, records in marketing.items()},
    )


def before(*people: dict[str, Any]) -> World:
    """The picture before the first copy: Marketo knows at most `people`, and has no company of ours."""
    return a_world(people=list(people), companies=[])


def typed(side: str, field: str, value: object, *, turn: int = 1) -> Typed:
    """Somebody types into Anna."""
    return Typed(turn, side, "lead" if side == CRM else "person", ANNA if side == CRM else "1", field, value)


def verdict_on(after: World, *typed_values: Typed, recorded: tuple[Recorded, ...] = ()) -> Verdict:
    return judge(before(), after, Deeds(typed=list(typed_values)), recorded)


def harm(verdict: Verdict) -> dict[str, int]:
    counted = {
        "missing": len(verdict.missing),
        "doubled": len(verdict.doubled),
        "lost": len(verdict.lost),
        "differences": len(verdict.differences),
    }
    return {kind: count for kind, count in counted.items() if count}


def test_two_sides_in_step_show_no_harm_and_everybody_linked() -> None:
    verdict = verdict_on(a_world())
    assert harm(verdict) == {}
    assert (verdict.people_linked, verdict.accounts_linked, verdict.users_linked) == (2, 1, 1)


def test_the_judge_shares_no_code_with_what_it_judges() -> None:
    allowed = {"tandem.app.demo.world", "tandem.app.demo.services", "tandem.core.errors"}
    for module in (checker, world):
        tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
        imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
        imported |= {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
        assert {name for name in imported if name.startswith("tandem")} <= allowed


class TestMissingPeople:
    def test_a_crm_person_whose_key_nobody_carries_is_missing(self) -> None:
        verdict = verdict_on(a_world(people=[anna(), bob(tandemCrmId=None)]))
        assert verdict.missing == (f"contact {BOB}",)

    def test_the_key_may_stand_in_either_field_and_in_any_case(self) -> None:
        after = a_world(people=[anna(tandemCrmId=None, externalPersonId=ANNA.upper()), bob()])
        assert harm(verdict_on(after)) == {}

    def test_a_qualified_lead_and_its_contact_are_one_person(self) -> None:
        after = a_world(contacts=[a_contact(originatingleadid=ANNA)], people=[bob()])
        assert harm(verdict_on(after)) == {}

    def test_an_account_without_company_is_a_difference(self) -> None:
        assert harm(verdict_on(a_world(companies=[]))) == {"differences": 1}


class TestStuck:
    """Dynamics lets nobody change a closed lead, so what Marketo always knew differently about it stays different."""

    KNOWN = a_person(1, email="ash@a.example", lastName="Ash", title="Chief")

    def verdict(
        self, lead: dict[str, Any], person: dict[str, Any], *, earlier: dict[str, Any] | None = None
    ) -> Verdict:
        start = a_world(leads=[earlier or lead], people=[self.KNOWN], companies=[])
        return judge(start, a_world(leads=[lead], people=[person, bob()]), Deeds(), ())

    def test_an_old_difference_of_a_closed_lead_is_told_apart(self) -> None:
        verdict = self.verdict(a_lead(statecode=2, jobtitle="Clerk"), anna(title="Chief"))
        assert (verdict.stuck, harm(verdict)) == ((f"lead {ANNA} jobtitle",), {})

    def test_of_an_open_lead_it_is_a_difference(self) -> None:
        verdict = self.verdict(a_lead(statecode=0, jobtitle="Clerk"), anna(title="Chief"))
        assert (verdict.stuck, harm(verdict)) == ((), {"differences": 1})

    def test_a_value_that_came_later_on_either_side_is_a_difference(self) -> None:
        closed = a_lead(statecode=2, jobtitle="Clerk")
        assert harm(self.verdict(closed, anna(title="Boss"))) == {"differences": 1}
        assert harm(self.verdict(closed, anna(title="Chief"), earlier=a_lead(statecode=2))) == {"differences": 1}

    def test_a_new_marketo_person_has_no_excuse(self) -> None:
        lead = a_lead(statecode=2, jobtitle="Clerk", emailaddress1=None)
        assert harm(self.verdict(lead, anna(id=3, email=None, title="Chief"))) == {"differences": 1}


class TestDoubledPeople:
    def test_two_marketo_people_for_one_lead(self) -> None:
        verdict = verdict_on(a_world(people=[anna(), bob(), {**anna(), "id": 3}]))
        assert verdict.doubled == ("marketing 3",)

    def test_a_new_marketo_person_that_stands_for_nobody(self) -> None:
        after = a_world(people=[anna(), bob(), a_person(3, email="birch@a.example")])
        assert harm(verdict_on(after)) == {"doubled": 1}

    def test_a_person_whom_somebody_typed_into_marketo_is_no_double(self) -> None:
        after = a_world(people=[anna(), bob(), a_person(3, email="new@a.example")])
        assert harm(judge(before(), after, Deeds(made={(MARKETING, "3")}), ())) == {}

    def test_a_known_marketo_person_left_alone_while_a_new_one_was_made(self) -> None:
        known = a_person(9, email="Ash@A.example")
        after = a_world(people=[known, anna(id=10), bob()])
        assert judge(before(known), after, Deeds(), ()).doubled == ("marketing 9",)

    def test_a_known_marketo_person_that_was_adopted_is_no_double(self) -> None:
        known = a_person(1, email="ash@a.example")
        assert harm(judge(before(known), a_world(), Deeds(), ())) == {}

    def test_two_crm_people_with_one_address_may_be_two_marketo_people(self) -> None:
        twin = a_lead(TWIN)
        start = a_world(leads=[a_lead(), twin], people=[a_person(1, email="ash@a.example")], companies=[])
        after = a_world(leads=[a_lead(), twin], people=[anna(), bob(), anna(id=3, tandemCrmId=TWIN)])
        assert harm(judge(start, after, Deeds(), ())) == {}

    def test_two_leads_made_for_one_marketo_person(self) -> None:
        known = a_person(7, email="cara@c.example")
        made = [a_lead(CARA, emailaddress1="cara@c.example"), a_lead(TWIN, emailaddress1="cara@c.example")]
        carrier = a_person(7, email="cara@c.example", lastName="Ash", tandemCrmId=CARA)
        verdict = judge(before(known), a_world(leads=[a_lead(), *made], people=[anna(), bob(), carrier]), Deeds(), ())
        assert verdict.doubled == (f"crm {TWIN}",)

    def test_a_second_lead_does_not_excuse_itself_with_a_second_marketo_person(self) -> None:
        known = a_person(7, email="cara@c.example")
        made = [a_lead(CARA, emailaddress1="cara@c.example"), a_lead(TWIN, emailaddress1="cara@c.example")]
        carriers = [
            a_person(number, email="cara@c.example", lastName="Ash", tandemCrmId=key)
            for number, key in ((7, CARA), (8, TWIN))
        ]
        verdict = judge(before(known), a_world(leads=[a_lead(), *made], people=[anna(), bob(), *carriers]), Deeds(), ())
        assert verdict.doubled == (f"crm {TWIN}", "marketing 8")


class TestLostEdits:
    def test_an_edit_on_both_sides_is_not_lost(self) -> None:
        after = a_world(leads=[a_lead(jobtitle="Chief")], people=[anna(title="Chief"), bob()])
        assert harm(verdict_on(after, typed(CRM, "jobtitle", "Chief"))) == {}

    def test_an_edit_that_stays_on_its_own_side_is_lost_and_differs(self) -> None:
        after = a_world(leads=[a_lead(jobtitle="Chief")])
        assert harm(verdict_on(after, typed(CRM, "jobtitle", "Chief"))) == {"lost": 1, "differences": 1}

    @pytest.mark.parametrize("side_and_field", [(CRM, "jobtitle"), (MARKETING, "title")])
    def test_an_edit_thrown_away_on_both_sides_is_lost_though_they_agree(self, side_and_field: tuple[str, str]) -> None:
        assert harm(verdict_on(a_world(), typed(*side_and_field, "Chief"))) == {"lost": 1}

    def test_a_cleared_field_that_is_filled_again_is_lost(self) -> None:
        after = a_world(leads=[a_lead(jobtitle="Old")], people=[anna(title="Old"), bob()])
        assert harm(verdict_on(after, typed(MARKETING, "title", None))) == {"lost": 1}

    @pytest.mark.parametrize(("later_side", "turn"), [(CRM, 1), (CRM, 2), (MARKETING, 2)])
    def test_an_edit_replaced_by_a_later_one_is_not_lost(self, later_side: str, turn: int) -> None:
        after = a_world(leads=[a_lead(jobtitle="Second")], people=[anna(title="Second"), bob()])
        later = typed(later_side, "jobtitle" if later_side == CRM else "title", "Second", turn=turn)
        assert harm(verdict_on(after, typed(CRM, "jobtitle", "First"), later)) == {}

    def test_an_earlier_edit_that_comes_back_leaves_the_later_one_lost(self) -> None:
        after = a_world(leads=[a_lead(jobtitle="First")], people=[anna(title="First"), bob()])
        verdict = verdict_on(after, typed(CRM, "jobtitle", "First"), typed(MARKETING, "title", "Second", turn=2))
        assert verdict.lost == ("person 1 title",)

    def test_an_opt_out_that_did_not_arrive_is_lost(self) -> None:
        after = a_world(leads=[a_lead(donotbulkemail=1)])
        assert harm(verdict_on(after, typed(CRM, "donotbulkemail", True))) == {"lost": 1, "differences": 1}

    def test_a_choice_arrives_as_its_word(self) -> None:
        after = a_world(leads=[a_lead(leadsourcecode=8)], people=[anna(leadSource="Web"), bob()])
        edits = typed(CRM, "leadsourcecode", 8), typed(MARKETING, "leadSource", "Web", turn=2)
        assert harm(verdict_on(after, *edits)) == {}

    def test_an_account_edit_is_looked_for_at_the_company(self) -> None:
        edit = Typed(1, CRM, "account", ACME, "numberofemployees", 8)
        assert verdict_on(a_world(), edit).lost == (f"account {ACME} numberofemployees",)

    def test_what_was_typed_about_somebody_who_was_then_removed_is_not_lost(self) -> None:
        after = a_world(leads=[], people=[bob()])
        deeds = Deeds(typed=[typed(CRM, "jobtitle", "Chief")], removed={(CRM, ANNA)})
        assert harm(judge(before(), after, deeds, ())) == {}

    def test_a_record_that_vanished_without_anybody_removing_it_takes_its_edits_along(self) -> None:
        verdict = judge(before(), a_world(leads=[], people=[bob()]), Deeds(typed=[typed(CRM, "jobtitle", "x")]), ())
        assert len(verdict.lost) == 1

    def test_an_edit_of_somebody_only_marketo_knows_need_not_go_anywhere(self) -> None:
        known = a_person(9, title="Chief")
        deeds = Deeds(typed=[Typed(1, MARKETING, "person", "9", "title", "Chief")])
        assert harm(judge(before(known), a_world(people=[anna(), bob(), known]), deeds, ())) == {}

    def test_an_edit_of_a_lead_follows_it_into_the_contact_it_became(self) -> None:
        after = a_world(contacts=[a_contact(originatingleadid=ANNA, jobtitle="Chief")], people=[bob(title="Chief")])
        assert harm(verdict_on(after, typed(CRM, "jobtitle", "Chief"))) == {}


class TestConflicts:
    RIVALS = typed(CRM, "jobtitle", "Ours"), typed(MARKETING, "title", "Theirs")
    AFTER = a_world(leads=[a_lead(jobtitle="Theirs")], people=[anna(title="Theirs"), bob()])

    def test_a_conflict_recorded_with_both_values_loses_nothing(self) -> None:
        record = Recorded(ANNA, "1", "jobtitle|title", "Ours", "Theirs")
        verdict = verdict_on(self.AFTER, *self.RIVALS, recorded=(record,))
        assert harm(verdict) == {}
        assert (verdict.conflicts, verdict.conflicts_recorded) == (1, 1)

    @pytest.mark.parametrize(
        "record",
        [
            Recorded(ANNA, "1", "jobtitle|title", "Old", "Theirs"),
            Recorded(ANNA, "1", "jobtitle|title", "Ours", None),
            Recorded(ANNA, "1", "telephone1|phone", "Ours", "Theirs"),
            Recorded(BOB, "2", "jobtitle|title", "Ours", "Theirs"),
        ],
    )
    def test_a_record_without_both_values_of_that_field_and_person_counts_for_nothing(self, record: Recorded) -> None:
        verdict = verdict_on(self.AFTER, *self.RIVALS, recorded=(record,))
        assert (verdict.conflicts, verdict.conflicts_recorded) == (1, 0)
        assert verdict.lost == (f"lead {ANNA} jobtitle",)

    def test_the_loser_of_an_unrecorded_conflict_is_lost_even_if_the_winner_typed_later(self) -> None:
        assert harm(verdict_on(self.AFTER, *self.RIVALS)) == {"lost": 1}

    def test_a_choice_is_recorded_by_number_and_word(self) -> None:
        rivals = typed(CRM, "leadsourcecode", 8), typed(MARKETING, "leadSource", "Partner")
        after = a_world(leads=[a_lead(leadsourcecode=4)], people=[anna(leadSource="Partner"), bob()])
        record = Recorded(ANNA, "1", "leadsourcecode|leadSource", 8, "Partner")
        verdict = verdict_on(after, *rivals, recorded=(record,))
        assert (harm(verdict), verdict.conflicts_recorded) == ({}, 1)

    def test_the_same_value_typed_on_both_sides_is_no_conflict(self) -> None:
        both = typed(CRM, "jobtitle", "Theirs"), typed(MARKETING, "title", "Theirs")
        assert verdict_on(self.AFTER, *both).conflicts == 0

    def test_edits_with_a_pass_in_between_are_no_conflict(self) -> None:
        apart = typed(CRM, "jobtitle", "Ours"), typed(MARKETING, "title", "Theirs", turn=2)
        verdict = verdict_on(self.AFTER, *apart)
        assert (verdict.conflicts, harm(verdict)) == (0, {})
