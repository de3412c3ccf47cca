"""The planner under a filter: who is let in, who pauses, and what happens on the way back (N96-N99, N71)."""

from dataclasses import replace

from tandem.core.filters import compile_filter
from tandem.core.plan import Hold, LinkPlan
from tandem.core.policy import EntityPolicy
from tandem.core.record import CONTACT, LEAD, Entity, LinkStatus, Side
from tests.builders import small_policies
from tests.core.people import (
    MAPPINGS,
    a_link,
    ada_linked,
    crm_key,
    gone,
    ignored,
    in_crm,
    in_marketing,
    person_key,
    planned,
    subject,
    the_action,
    written,
)

TEXT = "telephone1 != 'out'"


def filtered(*entities: Entity) -> dict[Entity, EntityPolicy]:
    policies = small_policies()
    for entity in entities:
        chosen = compile_filter(TEXT, MAPPINGS[entity].crm_fields, "filter")
        policies[entity] = replace(policies[entity], filter=chosen)
    return policies


POLICIES = filtered(CONTACT)
PAUSE = Hold(None, f"paused: it does not pass the filter {TEXT}")


def is_paused(link: LinkPlan) -> bool:
    return link.holds == (PAUSE,) and link.status is LinkStatus.LIVE and not link.actions


def test_a_record_outside_is_not_created() -> None:
    assert ignored(subject(crm=in_crm(telephone1="out")), policies=POLICIES)


def test_a_record_inside_is_created() -> None:
    assert written(planned(subject(crm=in_crm(telephone1="in")), policies=POLICIES), Side.MARKETING)["phone"] == "in"


def test_a_linked_record_that_leaves_pauses_and_keeps_its_base() -> None:
    given = subject(ada_linked(), in_crm(telephone1="out", firstname="Grace"), in_marketing())
    link = planned(given, policies=POLICIES)
    assert is_paused(link)
    assert given.link is not None
    assert (link.base, link.crm_version) == (given.link.base, None)


def test_a_marketing_edit_of_a_paused_record_waits_too() -> None:
    given = subject(ada_linked(), in_crm(telephone1="out"), in_marketing(firstName="Grace"))
    assert is_paused(planned(given, policies=POLICIES))


def test_what_changed_meanwhile_goes_over_when_the_record_enters_again() -> None:  # N98
    given = subject(ada_linked(), in_crm(telephone1="in", firstname="Grace"), in_marketing())
    link = planned(given, policies=POLICIES)
    assert written(link, Side.MARKETING) == {"phone": "in", "firstName": "Grace"}
    assert link.holds == ()


def test_a_deletion_counts_outside_the_filter_too() -> None:
    given = subject(ada_linked(), in_crm(telephone1="out"), gone(person_key()))
    assert planned(given, policies=POLICIES).status is LinkStatus.TOMBSTONE
    given = subject(ada_linked(), gone(crm_key()), in_marketing())
    assert written(planned(given, policies=POLICIES), Side.MARKETING) == {"crmIsDeleted": True}


def test_a_pending_record_that_leaves_is_not_created() -> None:
    pending = a_link(crm=in_crm(telephone1="out"))
    link = planned(subject(pending, in_crm(telephone1="out")), policies=POLICIES)
    assert (link.status, link.holds, link.actions) == (LinkStatus.PENDING, (PAUSE,), ())


def test_a_contact_outside_does_not_take_over_the_link_of_its_lead() -> None:  # N71: true, false
    origin = ada_linked(LEAD)
    contact = subject(crm=in_crm("c9", telephone1="out"), marketing=in_marketing(), origin=origin)
    assert ignored(contact, policies=POLICIES)


def test_a_contact_whose_lead_was_kept_out_is_a_new_person() -> None:  # N71: false, true
    policies = filtered(LEAD)
    assert ignored(subject(crm=in_crm("l1", LEAD, telephone1="out")), policies=policies)
    created = planned(subject(crm=in_crm("c9", telephone1="out")), policies=policies)
    assert the_action(created).id is None


def test_only_people_that_pass_are_created_in_dynamics() -> None:
    fields = MAPPINGS[LEAD].marketing_fields
    chosen = compile_filter("email.endsWith('.example')", fields, "create_in_crm_filter")
    policies = small_policies(create_in_crm=LEAD, create_in_crm_filter=chosen)
    unknown = in_marketing(key=None, entity=LEAD)
    assert ignored(subject(marketing=replace(unknown)), policies=policies)
    let_in = in_marketing(key=None, entity=LEAD, email="ada@tandem.example")
    assert the_action(planned(subject(marketing=let_in), policies=policies)).side is Side.CRM
