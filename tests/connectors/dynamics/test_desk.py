"""The desk over the emulator: every deed is done, done again without harm, and refused with a reason."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tandem.connectors.dynamics.connector import DynamicsConnector
from tandem.connectors.dynamics.desk import DynamicsDesk
from tandem.core.errors import RejectedError, TransientError, UnknownOutcomeError
from tandem.core.record import CONTACT, LEAD, TEAM, USER, RecordId, RecordKey, Side
from tandem.core.requests import derived_id
from tandem.ports import MemberList, Task
from tests.connectors.dynamics.emulator import Emulator

DUE = datetime(2026, 4, 1, 9, 30, tzinfo=UTC)


@pytest.fixture
def desk(connector: DynamicsConnector) -> DynamicsDesk:
    return connector.desk


@pytest.fixture
def contact(emulator: Emulator) -> RecordKey:
    return RecordKey(Side.CRM, CONTACT, RecordId(emulator.create("contact", lastname="Desk").lower()))


@pytest.fixture
def campaign(emulator: Emulator) -> Iterator[RecordId]:
    id_ = RecordId(emulator.create("campaign", name="Winter Fair").lower())
    yield id_
    emulator.delete("campaign", id_)


def tasks(emulator: Emulator) -> list[dict[str, Any]]:
    return list(emulator.control("records/task")["records"])


def a_task(regarding: RecordKey, number: str, **more: Any) -> Task:
    given: dict[str, Any] = {"subject": "Ring", "description": None, "due_at": DUE} | more
    return Task(derived_id("desk", number), regarding, **given)


def some_user(emulator: Emulator) -> dict[str, Any]:
    users = emulator.records("systemuser").values()
    return next(user for user in users if not user.get("isdisabled") and user.get("internalemailaddress"))


# --- owners


async def test_an_owner_is_found_by_address_and_by_id_of_user_or_team(desk: DynamicsDesk, emulator: Emulator) -> None:
    user, team = some_user(emulator), next(iter(emulator.records("team")))
    expected = RecordKey(Side.CRM, USER, RecordId(user["systemuserid"]))
    assert await desk.find_owner(user["internalemailaddress"]) == expected
    assert await desk.find_owner(user["systemuserid"].upper()) == expected
    assert await desk.find_owner(team) == RecordKey(Side.CRM, TEAM, RecordId(team))
    assert await desk.find_owner("nobody's@example.com") is None
    assert await desk.find_owner("00000000-0000-0000-0000-0000000000ff") is None


async def test_a_user_who_is_disabled_gets_nothing(desk: DynamicsDesk, emulator: Emulator) -> None:
    user = some_user(emulator)
    emulator.edit("systemuser", user["systemuserid"], isdisabled=True)
    try:
        assert await desk.find_owner(user["systemuserid"]) is None
    finally:
        emulator.edit("systemuser", user["systemuserid"], isdisabled=False)


async def test_a_record_is_assigned_unless_it_moved_meanwhile(
    desk: DynamicsDesk, emulator: Emulator, contact: RecordKey
) -> None:
    owner = RecordKey(Side.CRM, USER, RecordId(some_user(emulator)["systemuserid"]))
    _, version = await desk.fetch_owner(contact)
    emulator.edit("contact", contact.id, jobtitle="Moved")
    assert not await desk.assign(contact, owner, version)
    _, version = await desk.fetch_owner(contact)
    assert await desk.assign(contact, owner, version)
    assert (await desk.fetch_owner(contact))[0] == owner.id


async def test_of_a_record_that_is_gone_there_is_no_owner(
    desk: DynamicsDesk, contact: RecordKey, emulator: Emulator
) -> None:
    emulator.delete("contact", contact.id)
    assert await desk.fetch_owner(contact) == (None, None)


# --- tasks


async def test_a_task_is_made_once(desk: DynamicsDesk, emulator: Emulator, contact: RecordKey) -> None:
    task = a_task(contact, "once", description="Before noon", status="waiting ON someone else")
    assert not await desk.has_task(task.id)
    for _ in range(2):
        await desk.create_task(task)
    assert await desk.has_task(task.id)
    (made,) = [row for row in tasks(emulator) if row["activityid"] == task.id]
    assert (made["subject"], made["description"], made["statuscode"]) == ("Ring", "Before noon", 4)
    assert (made["regardingobjectid"], made["scheduledend"]) == (contact.id, "2026-04-01T09:30:00Z")


async def test_a_text_that_is_too_long_is_cut_to_the_column(
    desk: DynamicsDesk, emulator: Emulator, contact: RecordKey
) -> None:
    task = a_task(contact, "long", subject="x" * 500)
    await desk.create_task(task)
    (made,) = [row for row in tasks(emulator) if row["activityid"] == task.id]
    assert made["subject"] == "x" * 200


async def test_a_status_that_there_is_not_is_refused_with_those_there_are(
    desk: DynamicsDesk, contact: RecordKey
) -> None:
    with pytest.raises(RejectedError, match="In Progress"):
        await desk.create_task(a_task(contact, "status", status="Half done"))


async def test_a_lost_answer_is_unknown_and_a_busy_service_is_not(
    desk: DynamicsDesk, emulator: Emulator, contact: RecordKey
) -> None:
    await desk.create_task(a_task(contact, "first"))  # what is known of the tables is read now
    task = a_task(contact, "lost")
    emulator.fault("batch", "drop_after")
    with pytest.raises(UnknownOutcomeError):
        await desk.create_task(task)
    assert await desk.has_task(task.id)
    emulator.fault("tasks.update", "status", status=429, headers={"Retry-After": "1"})
    with pytest.raises(TransientError):
        await desk.create_task(a_task(contact, "busy"))
    assert not await desk.has_task(a_task(contact, "busy").id)


# --- campaigns


async def test_a_campaign_is_found_by_id_and_by_a_name_that_only_one_has(
    desk: DynamicsDesk, emulator: Emulator, campaign: RecordId
) -> None:
    by_id, by_name = await desk.find_campaign(campaign), await desk.find_campaign("winter fair")
    assert by_id is not None
    assert by_id == by_name
    assert by_id.is_active
    second = emulator.create("campaign", name="Winter Fair")
    assert await desk.find_campaign("Winter Fair") is None
    emulator.delete("campaign", second)
    assert await desk.find_campaign("O'Neill's fair") is None


async def test_a_list_is_made_once_and_is_part_of_the_campaign(
    desk: DynamicsDesk, emulator: Emulator, campaign: RecordId
) -> None:
    own = MemberList(derived_id("desk", "list", campaign), LEAD)
    for _ in range(2):
        await desk.ensure_list(campaign, own, "Tandem leads")
    assert await desk.fetch_lists(campaign) == [own]
    emulator.edit("list", own.id, lockstatus=True)
    assert await desk.fetch_lists(campaign) == [MemberList(own.id, LEAD, is_open=False)]


async def test_members_come_and_go_and_are_told(
    desk: DynamicsDesk, emulator: Emulator, campaign: RecordId, contact: RecordKey
) -> None:
    own = MemberList(derived_id("desk", "members", campaign), CONTACT)
    await desk.ensure_list(campaign, own, "Tandem contacts")
    other = RecordId(emulator.create("contact", lastname="Other").lower())
    for _ in range(2):
        await desk.add_members(own, [contact.id, other])
    assert await desk.fetch_members(own.id) == {contact.id, other}
    assert await desk.fetch_members(own.id, [other]) == {other}
    for _ in range(2):
        await desk.remove_member(own, contact.id)
    assert await desk.fetch_members(own.id) == {other}


async def test_somebody_of_another_kind_is_refused(desk: DynamicsDesk, campaign: RecordId, contact: RecordKey) -> None:
    leads = MemberList(derived_id("desk", "kinds", campaign), LEAD)
    await desk.ensure_list(campaign, leads, "Tandem leads")
    with pytest.raises(RejectedError):
        await desk.add_members(leads, [contact.id])
