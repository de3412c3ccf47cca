"""The planner on people whom somebody asks for: made where policy would not, carried where nothing changed."""

from dataclasses import replace

from tandem.core.mapping import Winner
from tandem.core.plan import ActionKind, ConflictKind
from tandem.core.record import CONTACT, LEAD, LinkStatus, Side
from tandem.core.requests import Asked
from tests.core.people import MAPPINGS, a_link, ignored, in_crm, in_marketing, planned, subject, the_action, written

STRANGER = in_marketing("7", key=None, crmIsDeleted=None)
OWNER = "0f0e0d0c-0000-0000-0000-000000000001"


def test_somebody_known_only_to_marketo_is_made_because_somebody_asks() -> None:
    assert ignored(subject(marketing=STRANGER))
    action = the_action(planned(subject(marketing=STRANGER, asked=Asked())))
    assert (action.side, action.entity, action.kind) == (Side.CRM, LEAD, ActionKind.CREATE)


def test_as_a_contact_where_a_contact_is_asked_for() -> None:
    asked = replace(subject(marketing=STRANGER, asked=Asked(CONTACT)), crm_entity=CONTACT)
    assert the_action(planned(asked)).entity == CONTACT


def test_with_the_columns_that_were_asked_for_which_are_part_of_no_base() -> None:
    link = planned(subject(marketing=STRANGER, asked=Asked(columns={"ownerid": OWNER})))
    assert written(link, Side.CRM)["ownerid"] == OWNER
    (write,) = [write for write in the_action(link).writes if write.field == "ownerid"]
    assert write.pair not in {pair.name for pair in MAPPINGS[LEAD].pairs}


def test_a_value_of_the_person_is_never_replaced_by_a_column_that_was_asked_for() -> None:
    link = planned(subject(marketing=STRANGER, asked=Asked(columns={"lastname": "Somebody else"})))
    assert written(link, Side.CRM)["lastname"] == "Lovelace"


def test_whoever_dynamics_knows_is_not_made_again_though_somebody_asks() -> None:
    assert ignored(subject(marketing=STRANGER, asked=Asked(), dedupe_taken=True))


def test_by_force_the_persons_values_prevail_and_what_dynamics_held_is_recorded() -> None:
    crm, marketing = in_crm(firstname="Augusta"), in_marketing(firstName="Ada")
    linked = a_link(crm, marketing)
    assert not planned(subject(linked, crm, marketing)).actions
    link = planned(subject(linked, crm, marketing, asked=Asked(force=True)))
    assert written(link, Side.CRM) == {"firstname": "Ada"}
    (conflict,) = link.conflicts
    assert (conflict.kind, conflict.crm, conflict.winner) == (ConflictKind.FIRST_LINK, "Augusta", Winner.MARKETING)


def test_by_force_nothing_is_written_where_both_sides_agree() -> None:
    crm, marketing = in_crm(), in_marketing()
    assert not planned(subject(a_link(crm, marketing), crm, marketing, asked=Asked(force=True))).actions


def test_r8_force_does_not_weaken_an_opt_out() -> None:
    crm, marketing = in_crm(donotbulkemail=True), in_marketing(unsubscribed=False)
    link = planned(subject(a_link(crm, marketing), crm, marketing, asked=Asked(force=True)))
    assert written(link, Side.CRM) == {}
    assert written(link, Side.MARKETING) == {"unsubscribed": True}


def test_r7_what_was_deleted_does_not_come_back_by_force() -> None:
    crm, marketing = in_crm(), in_marketing()
    linked = a_link(crm, marketing, LinkStatus.TOMBSTONE)
    assert ignored(subject(linked, None, marketing, asked=Asked(force=True)))


def test_two_asks_of_one_person_are_one() -> None:
    both = Asked(LEAD, {"ownerid": OWNER}).with_also(Asked(CONTACT, {"ownerid": "other"}, force=True))
    assert both == Asked(CONTACT, {"ownerid": OWNER}, force=True)
