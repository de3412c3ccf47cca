"""The planner on records without a link: who they are, what is created, what waits."""

from dataclasses import replace

import pytest

from tandem.core.mapping import Winner
from tandem.core.match import derived_crm_id
from tandem.core.plan import ActionKind, ConflictKind, Hold, InboxRef, Plan
from tandem.core.policy import EntityPolicy
from tandem.core.record import (
    ACCOUNT,
    CONTACT,
    LEAD,
    PERSON,
    UNKNOWN,
    Base,
    Link,
    LinkNumber,
    LinkStatus,
    RecordId,
    Side,
    State,
    Value,
)
from tandem.core.subject import Subject
from tests.builders import small_policies
from tests.core.people import (
    a_link,
    crm_key,
    deferred,
    gone,
    half_of,
    ignored,
    in_crm,
    in_marketing,
    is_unknown,
    person_key,
    plan,
    planned,
    subject,
    the_action,
    written,
)

CREATES_LEADS = small_policies(create_in_crm=LEAD)
ACCOUNT_KEY = crm_key("a1", ACCOUNT)
FREE = in_marketing(key=None, crmIsDeleted=None)

# --- creates in marketing


def test_a_new_crm_record_becomes_a_person_by_its_address() -> None:
    link = planned(subject(crm=in_crm(telephone1="123")))
    action = the_action(link)
    assert (action.side, action.entity, action.kind, action.id) == (Side.MARKETING, PERSON, ActionKind.CREATE, None)
    assert action.lookup == "email"
    assert written(link, Side.MARKETING) == {
        "crmKey": "c1",
        "crmType": "Contact",
        "crmIsDeleted": False,
        "firstName": "Ada",
        "lastName": "Lovelace",
        "email": "ada@example.com",
        "phone": "123",
    }
    assert (link.link, link.status, link.crm, link.marketing) == (None, LinkStatus.PENDING, crm_key(), None)
    assert half_of(link, Side.CRM, "lastname") == half_of(link, Side.MARKETING, "lastname") == (UNKNOWN,)


@pytest.mark.parametrize(
    "given",
    [
        subject(crm=in_crm(emailaddress1=None)),
        subject(crm=in_crm(), dedupe_taken=True),
        subject(crm=in_crm(), dedupe_taken=True, candidates=(in_marketing(key="another"),)),
        subject(crm=in_crm(), rejected={"emailaddress1|email": "ada@example.com"}),
    ],
)
def test_r4_without_a_free_address_a_person_is_created_by_the_crm_key(given: Subject) -> None:
    assert the_action(planned(given)).lookup == "crmKey"


def test_an_entity_without_a_dedupe_field_is_created_by_the_crm_key() -> None:
    account = in_crm("a1", ACCOUNT, name="Contoso")
    action = the_action(planned(subject(crm=account)))
    assert action.lookup == "externalCompanyId"


def test_r4_one_address_is_created_once_in_a_plan_and_the_rest_wait() -> None:
    first, second = subject(crm=in_crm("c1")), subject(crm=in_crm("l1", LEAD, emailaddress1=" ADA@example.com"))
    made = plan(first, second)
    assert [link.crm for link in made.links] == [crm_key("c1")]
    assert made.deferred == ((second.refs[0], 0.0),)


def test_two_people_with_two_addresses_are_created_together() -> None:
    made = plan(subject(crm=in_crm("c1")), subject(crm=in_crm("c2", emailaddress1="bea@example.com")))
    assert len(made.links) == 2


def test_where_policy_creates_nobody_an_unknown_record_is_passed_over() -> None:
    policies = {**small_policies(), CONTACT: EntityPolicy(Winner.CRM, create_in_marketing=False)}
    assert ignored(subject(crm=in_crm()), policies=policies)
    link = a_link(in_crm())
    kept = planned(subject(link, in_crm()), policies=policies)
    assert (kept.actions, kept.link, kept.changes_link) == ((), link.number, False)


def test_a_rejected_value_is_left_out_until_it_changes() -> None:
    rejected = {"telephone1|phone": "12"}
    link = planned(subject(a_link(in_crm()), in_crm(telephone1="12"), rejected=rejected))
    assert "phone" not in written(link, Side.MARKETING)
    assert link.holds == (Hold("telephone1|phone", "phone in marketing was rejected with this value"),)
    again = planned(subject(a_link(in_crm()), in_crm(telephone1="123"), rejected=rejected))
    assert written(again, Side.MARKETING)["phone"] == "123"
    assert again.holds == ()


def test_a_parent_that_is_not_linked_holds_its_field_and_not_its_child() -> None:
    person = subject(crm=in_crm(parentcustomerid="a1"))
    link = planned(person)
    assert "externalCompanyId" not in written(link, Side.MARKETING)
    assert link.waits_for == (ACCOUNT_KEY,)
    there = planned(person, parents=[ACCOUNT_KEY])
    assert written(there, Side.MARKETING)["externalCompanyId"] == "a1"
    assert there.waits_for == ()


# --- matches


def test_a_record_whose_person_exists_is_linked_and_merged_without_a_base() -> None:
    person = in_marketing("7", key=None, crmIsDeleted=None, firstName="Augusta", phone="123", lastName=None)
    link = planned(subject(crm=in_crm(), candidates=(person,)))
    assert (link.status, link.crm, link.marketing) == (LinkStatus.LIVE, crm_key(), person_key("7"))
    assert written(link, Side.CRM) == {"telephone1": "123"}
    assert written(link, Side.MARKETING) == {
        "crmKey": "c1",
        "crmType": "Contact",
        "crmIsDeleted": False,
        "firstName": "Ada",
        "lastName": "Lovelace",
    }
    first = next(conflict for conflict in link.conflicts if conflict.field == "firstname|firstName")
    assert (first.kind, first.crm, first.marketing) == (ConflictKind.FIRST_LINK, "Ada", "Augusta")
    assert half_of(link, Side.CRM, "emailaddress1") == ("ada@example.com",)
    assert half_of(link, Side.MARKETING, "lastname") == (UNKNOWN,)


def test_r4_a_person_is_matched_once_in_a_plan() -> None:
    first = subject(crm=in_crm("c1"), candidates=(FREE,))
    second = subject(crm=in_crm("c2"), candidates=(FREE,))
    made = plan(first, second)
    assert [link.crm for link in made.links] == [crm_key("c1")]
    assert made.deferred == ((second.refs[0], 0.0),)


def test_several_people_without_a_rule_are_held_for_a_person() -> None:
    policies = {**small_policies(), CONTACT: EntityPolicy(Winner.CRM, prefer=())}
    candidates = (FREE, in_marketing("2", key=None))
    link = planned(subject(crm=in_crm(), candidates=candidates), policies=policies)
    assert (link.title, link.actions, link.status) == ("hold", (), LinkStatus.PENDING)
    assert [hold.field for hold in link.holds] == [None]
    preferred = planned(subject(crm=in_crm(), candidates=candidates))
    assert preferred.marketing == person_key("1")


def test_the_person_that_carries_the_key_comes_before_one_with_the_address() -> None:
    link = planned(subject(crm=in_crm(), candidates=(in_marketing("1", key=None), in_marketing("2"))))
    assert link.marketing == person_key("2")


# --- people known only to marketing


def test_n16_a_person_known_only_to_marketing_is_not_created_in_crm_by_default() -> None:
    assert ignored(subject(marketing=FREE))
    link = a_link(marketing=FREE, entity=LEAD)
    kept = planned(subject(link, marketing=FREE))
    assert (kept.actions, kept.changes_link) == ((), False)


def test_a_person_becomes_a_lead_where_policy_says_so() -> None:
    link = planned(subject(marketing=in_marketing("7", key=None, phone="1")), policies=CREATES_LEADS)
    action = the_action(link)
    assert (action.side, action.entity, action.kind) == (Side.CRM, LEAD, ActionKind.CREATE)
    assert action.id == derived_crm_id("test", RecordId("7"))
    assert written(link, Side.CRM) == {
        "firstname": "Ada",
        "lastname": "Lovelace",
        "emailaddress1": "ada@example.com",
        "telephone1": "1",
        "donotbulkemail": False,
    }
    assert (link.crm, link.marketing, link.status) == (None, person_key("7"), LinkStatus.PENDING)
    assert is_unknown(link.base)


def test_r4_a_person_whom_crm_knows_already_is_not_created_there() -> None:
    assert ignored(subject(marketing=FREE, dedupe_taken=True), policies=CREATES_LEADS)


def test_r4_two_people_of_one_address_become_one_lead_whatever_the_batch() -> None:
    first, second = subject(marketing=in_marketing("1", key=None)), subject(marketing=in_marketing("2", key=None))
    made = plan(first, second, policies=CREATES_LEADS)
    assert [link.marketing for link in made.links] == [person_key("1")]
    assert made.deferred == ((second.refs[0], 0.0),)
    nobody = [subject(marketing=in_marketing(str(n), key=None, email=None)) for n in (1, 2)]
    assert len(plan(*nobody, policies=CREATES_LEADS).links) == 2


def test_r4_a_person_matched_in_a_plan_is_not_created_in_crm_by_it() -> None:
    matching, alone = subject(crm=in_crm(), candidates=(FREE,)), subject(marketing=FREE)
    for subjects in ((matching, alone), (alone, matching)):
        made = plan(*subjects, policies=CREATES_LEADS)
        assert len(made.links) == 1
        assert [ref for ref, _ in made.deferred] == list(subjects[1].refs)


def test_a_create_in_crm_that_landed_unheard_of_is_linked_and_merged() -> None:
    person = in_marketing("7", key=None, crmIsDeleted=None, entity=LEAD)
    made = derived_crm_id("test", RecordId("7"))
    lead = in_crm(made, LEAD)
    link = planned(subject(a_link(marketing=person, entity=LEAD), lead, person))
    assert (link.crm, link.marketing, link.status) == (lead.key, person.key, LinkStatus.LIVE)
    assert written(link, Side.MARKETING)["crmKey"] == made


def test_r7_a_person_deleted_while_its_lead_was_made_does_not_come_back() -> None:
    person, lead = in_marketing("7", key=None), in_crm(derived_crm_id("test", RecordId("7")), LEAD)
    link = planned(subject(a_link(marketing=person, entity=LEAD), lead, gone(person.key)))
    assert (link.status, link.actions) == (LinkStatus.TOMBSTONE, ())
    assert (link.crm, link.marketing) == (lead.key, person.key)


# --- records that went before they were linked


@pytest.mark.parametrize(
    ("link", "state"),
    [(a_link(in_crm()), gone(crm_key())), (a_link(marketing=FREE, entity=LEAD), gone(FREE.key))],
)
def test_r7_a_record_that_went_before_it_was_carried_over_leaves_a_tombstone(link: Link, state: State) -> None:
    given = subject(link, crm=state) if link.crm else subject(link, marketing=state)
    made = planned(given)
    assert (made.status, made.actions, made.changes_link) == (LinkStatus.TOMBSTONE, (), True)


def test_news_of_a_record_that_nobody_knew_and_that_is_gone_is_passed_over() -> None:
    assert ignored(subject(crm=gone(crm_key())))
    assert ignored(subject(marketing=gone(person_key())))


def test_a_record_that_lives_on_under_another_link_is_passed_over() -> None:
    assert ignored(subject(crm=in_crm("l1", LEAD), superseded=True))


def test_a_plan_of_nothing_is_empty() -> None:
    assert plan() == Plan()
    assert plan().is_empty
    made = plan(subject(crm=in_crm()))
    assert not made.is_empty
    assert [(link.crm, action.kind) for link, action in made.iter_actions()] == [(crm_key(), ActionKind.CREATE)]


# --- a contact takes over the link of the lead it came from


def _lead_link() -> Link:
    crm, marketing = in_crm("l1", LEAD), in_marketing("1", "l1", LEAD)
    return a_link(crm, marketing, entity=LEAD)


def born(id_: str = "c1", **values: Value) -> State:
    """A contact that came from the lead l1."""
    return in_crm(id_, CONTACT, "v1", originatingleadid="L1", **values)


def test_a_contact_takes_over_the_person_and_the_base_of_its_lead() -> None:
    origin, person = _lead_link(), in_marketing("1", "l1", LEAD, phone="123")
    link = planned(subject(crm=born(firstname="Augusta"), marketing=person, origin=origin))
    assert (link.link, link.crm, link.marketing) == (origin.number, crm_key(), person.key)
    assert (link.crm_entity, link.status, link.aliases) == (CONTACT, LinkStatus.LIVE, (crm_key("l1", LEAD),))
    assert link.changes_link
    assert written(link, Side.MARKETING) == {"crmKey": "c1", "crmType": "Contact", "firstName": "Augusta"}
    assert written(link, Side.CRM) == {"telephone1": "123"}
    assert half_of(link, Side.CRM, "lastname") == ("Lovelace",)
    assert half_of(link, Side.CRM, "parentcustomerid") == (None,)


def test_two_contacts_of_one_lead_do_not_both_take_over() -> None:
    person = in_marketing("1", "l1", LEAD)
    subjects = [subject(crm=born(id_), marketing=person, origin=_lead_link()) for id_ in ("c1", "c2")]
    made = plan(*subjects)
    assert [link.crm for link in made.links] == [crm_key("c1")]
    assert made.deferred
    assert {ref for ref, _ in made.deferred} == set(subjects[1].refs)


def test_a_contact_waits_while_its_leads_link_has_an_open_action() -> None:
    given = subject(crm=born(), origin=_lead_link(), is_blocked=True)
    assert deferred(given) == 5.0


def test_a_contact_takes_over_the_pending_link_of_a_lead_that_was_never_carried_over() -> None:
    origin = a_link(in_crm("l1", LEAD), entity=LEAD, number=9)
    made = planned(subject(crm=born(), origin=origin))
    assert (made.link, made.crm, made.crm_entity) == (origin.number, crm_key(), CONTACT)
    assert (the_action(made).kind, made.aliases) == (ActionKind.CREATE, (crm_key("l1", LEAD),))
    matched = planned(subject(crm=born(), origin=origin, candidates=(FREE,)))
    assert (matched.link, matched.crm, matched.marketing) == (origin.number, crm_key(), FREE.key)
    assert matched.aliases == (crm_key("l1", LEAD),)


def test_two_contacts_of_one_pending_lead_do_not_both_take_its_link() -> None:
    origin = a_link(in_crm("l1", LEAD), entity=LEAD, number=9)
    people = [born(id_, emailaddress1=None) for id_ in ("c1", "c2")]
    made = plan(*(subject(crm=person, origin=origin) for person in people))
    assert [link.link for link in made.links] == [origin.number]
    assert [ref for ref, _ in made.deferred] == [InboxRef(people[1].key, people[1].read_number)]


def test_the_lead_of_a_new_contact_belongs_to_the_contacts_link_even_if_it_was_never_linked() -> None:
    assert planned(subject(crm=born())).aliases == (crm_key("l1", LEAD),)
    assert planned(subject(crm=in_crm(), candidates=(FREE,))).aliases == ()
    assert planned(subject(crm=in_crm("l1", LEAD))).aliases == ()


def test_r7_a_contact_does_not_bring_back_its_leads_person() -> None:
    person = in_marketing("1", "l1", LEAD)
    made = planned(subject(crm=born(), marketing=gone(person.key), origin=_lead_link()))
    assert (made.status, made.actions) == (LinkStatus.TOMBSTONE, ())
    assert (made.link, made.crm, made.marketing) == (_lead_link().number, crm_key(), person.key)
    assert made.aliases == (crm_key("l1", LEAD),)


def test_a_base_that_is_taken_over_has_the_contacts_places() -> None:
    origin = replace(_lead_link(), base=Base.unknown(8))
    person = in_marketing("1", "l1", LEAD)
    made = planned(subject(crm=born(), marketing=person, origin=origin))
    assert len(made.base.crm) == len(made.base.marketing) == 9
    assert made.link == LinkNumber(1)
