"""What happens to records as a whole: qualified, moved, given away, deleted, merged. One person stays one person.

The stories share a started pair and one state; each acts on people of its own.
"""

import asyncio
from collections.abc import Iterator

import pytest

from tests.scenarios.stage import Row, Stage, running_stage


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with running_stage(tmp_path_factory.mktemp("people"), people=20, marketing_people=10, seed=23) as stage:
        asyncio.run(stage.prepare(lead=4, contact=12))
        yield stage


def user_ids(stage: Stage) -> list[str]:
    """Users who are people, not services."""
    return [id_ for id_, row in stage.crm.records("systemuser").items() if row["accessmode"] == 0 and row["firstname"]]


# --- qualification


async def test_a_qualified_lead_stays_the_same_person(stage: Stage) -> None:
    lead = stage.take("lead")
    before, count = stage.person_of(lead), len(stage.everyone())
    contact = stage.crm.control("people/qualify", {"id": lead, "create_contact": True})["contact_id"]
    await stage.sync_until(lambda: stage.has(contact, microsoftType="Contact"))
    assert stage.person_of(contact)["id"] == before["id"]
    assert stage.people_of(lead) == []
    assert len(stage.everyone()) == count
    stage.crm.edit("contact", contact, jobtitle="Director")
    stage.edit_person(before["id"], phone="+44 2")
    await stage.sync_until(
        lambda: stage.has(contact, title="Director") and stage.crm_has("contact", contact, telephone1="+44 2")
    )


async def test_a_lead_entered_and_qualified_between_two_passes_is_one_person(stage: Stage) -> None:
    count = len(stage.everyone())
    lead = stage.enter("lead", lastname="Quick", subject="S", emailaddress1="quick@story.example")
    contact = stage.crm.control("people/qualify", {"id": lead, "create_contact": True})["contact_id"]
    await stage.sync_until(lambda: stage.people_of(contact))
    await stage.sync_until_quiet()
    assert len(stage.everyone()) == count + 1
    assert stage.people_of(lead) == []


# --- accounts and owners


async def test_a_contact_moves_from_one_account_to_another_and_out(stage: Stage) -> None:
    first, second = (stage.enter("account", name=name) for name in ("First Employer", "Second Employer"))
    contact = stage.enter("contact", lastname="Mover", parentcustomerid={"entity": "account", "id": first})
    await stage.sync_until(lambda: stage.has(contact, externalCompanyId=first, company="First Employer"))
    person = stage.person_of(contact)["id"]
    stage.crm.edit("contact", contact, parentcustomerid={"entity": "account", "id": second})
    await stage.sync_until(lambda: stage.has(contact, externalCompanyId=second, company="Second Employer"))
    stage.crm.edit("contact", contact, parentcustomerid=None)
    await stage.sync_until(lambda: "cannot be emptied" in stage.holds())
    await stage.sync_until_quiet()
    assert stage.person_of(contact)["id"] == person
    assert stage.has(contact, externalCompanyId=second)


async def test_a_new_account_reaches_its_contact_that_was_there_before(stage: Stage) -> None:
    contact = stage.take("contact")
    account = stage.enter("account", name="Late Employer", telephone1="+44 20 1")
    stage.crm.edit("contact", contact, parentcustomerid={"entity": "account", "id": account})
    await stage.sync_until(lambda: stage.has(contact, externalCompanyId=account))
    assert stage.companies()[account]["mainPhone"] == "+44 20 1"


async def test_an_edit_of_an_account_arrives_at_its_company(stage: Stage) -> None:
    account = stage.enter("account", name="Employer", address1_city="Leeds")
    await stage.sync_until(lambda: account in stage.companies())
    stage.crm.edit("account", account, name="Employer & Sons", address1_city="York")
    await stage.sync_until(lambda: stage.companies()[account]["company"] == "Employer & Sons")
    assert stage.companies()[account]["billingCity"] == "York"


async def test_a_team_that_owns_a_contact_is_its_sales_person(stage: Stage) -> None:  # N139
    contact = stage.take("contact")
    team = stage.enter("team", name="Night Shift")
    stage.crm.edit("contact", contact, ownerid={"entity": "team", "id": team})
    await stage.sync_until(lambda: stage.has(contact, externalSalesPersonId=team))
    (found,) = [row for row in stage.sales_persons() if row["externalSalesPersonId"] == team]
    assert (found["lastName"], found["title"]) == ("Night Shift", "Team")


async def test_an_owner_is_changed(stage: Stage) -> None:
    contact = stage.take("contact")
    first, second = user_ids(stage)[:2]
    stage.crm.edit("contact", contact, ownerid={"entity": "systemuser", "id": first})
    await stage.sync_until(lambda: stage.has(contact, externalSalesPersonId=first))
    stage.crm.edit("contact", contact, ownerid={"entity": "systemuser", "id": second})
    await stage.sync_until(lambda: stage.has(contact, externalSalesPersonId=second))


# --- deletions


async def test_a_deletion_in_dynamics_marks_the_person(stage: Stage) -> None:
    """N61: the person stays, with a mark; nothing that Marketo does to it afterwards goes anywhere."""
    contact = stage.take("contact")
    person = stage.person_of(contact)["id"]
    stage.crm.delete("contact", contact)
    await stage.sync_until(lambda: stage.everyone()[person]["microsoftIsDeleted"] is True)
    stage.edit_person(person, title="Still here")
    await stage.sync_until_quiet()
    assert stage.everyone()[person]["title"] == "Still here"
    assert contact not in stage.crm.records("contact")


async def test_a_deletion_in_marketo_deletes_nothing_and_nobody_comes_back(stage: Stage) -> None:
    """N63, N64: a departure. The native sync would make the person again with the contact's next edit."""
    contact = stage.take("contact")
    count = len(stage.everyone())
    stage.delete_person(stage.person_of(contact)["id"])
    await stage.sync_until(lambda: "deleted in marketing" in stage.holds())
    stage.crm.edit("contact", contact, jobtitle="Still at work")
    await stage.sync_until_quiet()
    assert stage.crm_has("contact", contact, jobtitle="Still at work")
    assert stage.people_of(contact) == []
    assert len(stage.everyone()) == count - 1


async def test_an_edit_that_met_a_deletion_is_recorded(stage: Stage) -> None:
    contact = stage.take("contact")
    stage.crm.edit("contact", contact, jobtitle="Typed in time")
    stage.delete_person(stage.person_of(contact)["id"])
    await stage.sync_until(lambda: stage.conflicts_of(contact))
    (line,) = stage.conflicts_of(contact)
    assert (line.kind, line.field, line.crm) == ("deleted and edited", "jobtitle|title", "Typed in time")


# --- merges


async def test_a_person_merged_into_one_that_only_marketo_knew_takes_its_link_along(stage: Stage) -> None:
    contact = stage.take("contact")
    loser = stage.person_of(contact)["id"]
    winner = stage.fill_in_form(lastName="Winner", email="winner@story.example", title="From a form")
    await stage.sync()
    stage.merge_people(winner, loser)
    await stage.sync_until(lambda: stage.has(contact, id=winner))
    stage.crm.edit("contact", contact, telephone1="+44 9")
    await stage.sync_until(lambda: stage.has(contact, id=winner, phone="+44 9"))
    await stage.sync_until_quiet()
    assert loser not in stage.everyone()
    assert stage.people_of(contact)[0]["lastName"] == stage.record("contact", contact)["lastname"]


async def test_of_two_linked_people_merged_in_marketo_the_winner_stays_linked(stage: Stage) -> None:
    stays, goes = stage.take("contact"), stage.take("contact")
    winner, loser = stage.person_of(stays)["id"], stage.person_of(goes)["id"]
    count = len(stage.everyone())
    stage.merge_people(winner, loser)
    await stage.sync_until(lambda: f"merged into person {winner}" in stage.holds())
    stage.crm.edit("contact", goes, jobtitle="Left alone")
    stage.crm.edit("contact", stays, jobtitle="Carried over")
    await stage.sync_until(lambda: stage.has(stays, id=winner, title="Carried over"))
    await stage.sync_until_quiet()
    assert stage.people_of(goes) == []
    assert len(stage.everyone()) == count - 1
    assert goes in stage.crm.records("contact")


async def test_contacts_merged_in_dynamics_are_not_made_again(stage: Stage) -> None:
    """The record that was merged stays in Dynamics, inactive; its person learns that and stays."""
    winner, loser = stage.take("contact"), stage.take("contact")
    people: dict[str, Row] = {id_: stage.person_of(id_) for id_ in (winner, loser)}
    count = len(stage.everyone())
    stage.crm.control("people/merge", {"entity": "contact", "winner": winner, "loser": loser})
    stage.crm.edit("contact", winner, jobtitle="Merged")
    await stage.sync_until(lambda: stage.has(winner, title="Merged") and stage.has(loser, leadStatus="Inactive"))
    await stage.sync_until_quiet()
    assert {id_: stage.person_of(id_)["id"] for id_ in people} == {id_: row["id"] for id_, row in people.items()}
    assert len(stage.everyone()) == count


# --- and after all of it


async def test_all_these_stories_leave_no_difference(stage: Stage) -> None:
    """Whichever of them have happened by now: the order of tests is random."""
    await stage.sync_until_quiet()
    report = await stage.verify()
    assert report.differences == ()
    assert report.is_clean
