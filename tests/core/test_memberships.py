"""Who comes and who goes, from two memberships."""

import pytest

from tandem.core.memberships import CampaignRule, CreationRule, Member, Roster, who_comes_and_goes, who_is_made
from tandem.core.record import CONTACT, LEAD, Base, Link, LinkNumber, LinkStatus, RecordId, RecordKey
from tandem.core.requests import Ask, Deed
from tests.core.people import crm_key, person_key

RULE = CampaignRule("Fair", Roster("list", 1))
FAIR = RecordId("fair")
ANN, BOB = RecordId("1"), RecordId("2")
LINKS = {ANN: Link(LinkNumber(1), crm_key("c1"), person_key("1"), Base.unknown(0))}


def asks(*people: RecordId, present: tuple[RecordKey, ...] = (), rule: CampaignRule = RULE) -> list[Ask]:
    return list(who_comes_and_goes(rule, FAIR, people, LINKS, present))


def deeds(*people: RecordId, **more: object) -> list[tuple[Deed, str]]:
    return [(ask.deed, ask.person or str(ask.arguments["record"])) for ask in asks(*people, **more)]  # type: ignore[arg-type]


def test_nothing_is_asked_where_both_agree() -> None:
    assert asks(ANN, present=(crm_key("c1"),)) == []


def test_a_member_comes_and_whoever_is_none_goes() -> None:
    found = deeds(ANN, present=(crm_key("c9"), crm_key("l9", LEAD)))
    assert found == [
        (Deed.ADD_TO_CAMPAIGN, "1"),
        (Deed.REMOVE_FROM_CAMPAIGN, f"{CONTACT}/c9"),
        (Deed.REMOVE_FROM_CAMPAIGN, f"{LEAD}/l9"),
    ]


def test_a_lead_that_became_a_contact_moves_from_the_one_list_to_the_other() -> None:
    found = deeds(ANN, present=(crm_key("l1", LEAD),))
    assert found == [(Deed.ADD_TO_CAMPAIGN, "1"), (Deed.REMOVE_FROM_CAMPAIGN, f"{LEAD}/l1")]


def test_somebody_missing_in_dynamics_is_asked_for_as_the_rule_says_or_left_out() -> None:
    (ask,) = asks(BOB)
    assert (ask.person, ask.arguments["as"]) == (BOB, "lead")
    assert asks(BOB, rule=CampaignRule("Fair", Roster("list", 1), create_as=None)) == []


def test_nobody_goes_where_the_rule_says_so() -> None:
    assert deeds(present=(crm_key("c1"),), rule=CampaignRule("Fair", Roster("list", 1), remove=None)) == []


def test_members_are_made_unless_they_are_there_or_were() -> None:
    gone = Link(LinkNumber(3), crm_key("c3"), person_key("3"), Base.unknown(0), LinkStatus.TOMBSTONE)
    links = {**LINKS, RecordId("3"): gone}
    found = who_is_made(CreationRule(Roster("list", 1), "contact"), [ANN, BOB, RecordId("3")], links)
    assert [(ask.deed, ask.person, ask.arguments) for ask in found] == [(Deed.SYNC_PERSON, BOB, {"as": "contact"})]


@pytest.mark.parametrize(
    ("roster", "status", "counts"),
    [
        (Roster("list", 1), None, True),
        (Roster("program", 1), "Invited", True),
        (Roster("program", 1), "Not in Program", False),
        (Roster("program", 1, ("Attended",)), "attended", True),
        (Roster("program", 1, ("Attended",)), "Invited", False),
    ],
)
def test_which_members_count(roster: Roster, status: str | None, counts: bool) -> None:
    assert roster.counts(Member(ANN, status)) == counts
