"""Requests through crashes, lost answers and repeats: each deed is done, and done once."""

from contextlib import nullcontext, suppress
from typing import Final

import pytest

from tandem.connectors.memory import Fault
from tandem.core.errors import AccessError, TransientError
from tandem.core.record import CONTACT, LEAD, PERSON, RecordId, Side, Value
from tandem.core.requests import Ask, Deed, Request, RequestState
from tandem.ports import Campaign
from tandem.runtime.engine import Engine
from tandem.runtime.foresight import Prospect, foresee
from tandem.runtime.sync_pass import run_pass
from tests.builders import World
from tests.memory_desk import MemoryDesk

SETTLE_S: Final = 300.0
FAIR: Final = Campaign(RecordId("fair"), "Spring Fair", is_active=True)


class Office:
    """A world with a desk, and one person who is linked already."""

    def __init__(self) -> None:
        self.world = World()
        self.desk = MemoryDesk(self.world.crm)
        self.desk.campaigns[FAIR.id] = FAIR
        self.contact = self.world.crm.create(CONTACT, {"lastname": "Known", "emailaddress1": "known@example.com"})
        self.stranger = self.world.marketing.create(PERSON, {"lastName": "New", "email": "new@example.com"})

    @property
    def known(self) -> RecordId:
        people = self.world.marketing.records[PERSON]
        return next(id_ for id_, person in people.items() if person.get("email") == "known@example.com")

    def engine(self) -> Engine:
        """A process that has just been started."""
        engine = self.world.engine()
        engine.desk = self.desk
        return engine

    def ask(self, deed: Deed, person: RecordId, **arguments: Value) -> Request:
        return self.world.store.take_request(Ask(deed, person, arguments), self.world.clock.now())

    async def settle(self) -> None:
        """Passes of processes started anew, until every request has come to its end."""
        for _ in range(8):
            await run_pass(self.engine())
            self.world.clock.advance(SETTLE_S)
            if not self.world.store.load_open_requests():
                return
        raise AssertionError(f"still open: {self.world.store.load_open_requests()}")

    def fate(self, request: Request) -> Request:
        return next(known for known in self.world.store.load_requests(100) if known.number == request.number)

    def records(self, email: str) -> list[str]:
        tables = self.world.crm.records
        return [
            str(entity)
            for entity in (LEAD, CONTACT)
            for record in tables.get(entity, {}).values()
            if record.get("emailaddress1") == email
        ]


@pytest.fixture
async def office() -> Office:
    opened = Office()
    await run_pass(opened.engine())
    return opened


# --- somebody who is missing


@pytest.mark.parametrize("fault", [None, Fault.BUSY, Fault.LOST_RESPONSE, Fault.LOST_REQUEST, Fault.LATE])
async def test_r4_r5_a_person_who_is_asked_for_is_made_once(office: Office, fault: Fault | None) -> None:
    request = office.ask(Deed.SYNC_PERSON, office.stranger)
    office.world.crm.faults.append(fault)
    for _ in range(6):
        with suppress(TransientError) if fault is Fault.BUSY else nullcontext():
            await run_pass(office.engine())
        office.world.crm.land_late()
        office.world.clock.advance(SETTLE_S)
    assert office.records("new@example.com") == ["lead"]
    assert office.fate(request).state is RequestState.DONE


async def test_a_request_that_was_answered_is_done_after_the_process_died(office: Office) -> None:
    office.ask(Deed.SYNC_PERSON, office.stranger)
    await run_pass(office.engine())
    assert office.records("new@example.com") == ["lead"]


async def test_r1_once_it_is_done_nothing_more_is_written(office: Office) -> None:
    office.ask(Deed.SYNC_PERSON, office.stranger)
    await office.settle()
    await run_pass(office.engine())
    await run_pass(office.engine())
    before = office.world.crm.writes, office.world.marketing.writes
    office.ask(Deed.SYNC_PERSON, office.stranger)
    await office.settle()
    assert (office.world.crm.writes, office.world.marketing.writes) == before


async def test_somebody_whom_dynamics_has_outside_the_sync_is_refused_with_the_reason(office: Office) -> None:
    office.world.marketing.edit(PERSON, office.stranger, {"crmKey": "somebody-elses"})
    request = office.ask(Deed.SYNC_PERSON, office.stranger)
    await office.settle()
    fate = office.fate(request)
    assert fate.state is RequestState.REFUSED
    assert "e-mail address or key" in (fate.said or "")


async def test_an_id_that_marketo_does_not_know_is_refused(office: Office) -> None:
    request = office.ask(Deed.SYNC_PERSON, RecordId("999"))
    await office.settle()
    assert office.fate(request).state is RequestState.REFUSED


async def test_r7_a_record_that_was_deleted_comes_back_only_where_that_is_asked_for(office: Office) -> None:
    office.ask(Deed.SYNC_PERSON, office.stranger)
    await office.settle()
    (lead,) = office.world.crm.records[LEAD]
    office.world.crm.delete(LEAD, lead)
    await run_pass(office.engine())
    refused = office.ask(Deed.SYNC_PERSON, office.stranger)
    await office.settle()
    assert office.fate(refused).state is RequestState.REFUSED
    assert office.records("new@example.com") == []
    wanted = office.ask(Deed.SYNC_PERSON, office.stranger, resurrect=True)
    await office.settle()
    assert office.fate(wanted).state is RequestState.DONE
    assert office.records("new@example.com") == ["lead"]


# --- deeds

DEEDS: Final[dict[Deed, dict[str, Value]]] = {
    Deed.CHANGE_OWNER: {"owner": "user-2"},
    Deed.CREATE_TASK: {"subject": "Ring them"},
    Deed.ADD_TO_CAMPAIGN: {"campaign": "Spring Fair"},
}


def done(office: Office, deed: Deed) -> list[object]:
    match deed:
        case Deed.CHANGE_OWNER:
            owner = office.world.crm.records[CONTACT][office.contact].get("ownerid")
            return [owner] if owner == "user-2" else []
        case Deed.CREATE_TASK:
            return list(office.desk.tasks)
        case _:
            return [member for members in office.desk.members.values() for member in members]


@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("fault", [None, Fault.LOST_RESPONSE, Fault.LOST_REQUEST])
async def test_r4_r5_a_deed_is_done_once_though_its_answer_is_lost(
    office: Office, deed: Deed, fault: Fault | None
) -> None:
    request = office.ask(deed, office.known, **DEEDS[deed])
    office.desk.faults.append(fault)
    await office.settle()
    assert office.fate(request).state is RequestState.DONE
    assert len(done(office, deed)) == 1


@pytest.mark.parametrize("deed", DEEDS)
async def test_a_deed_for_somebody_who_is_missing_waits_until_the_record_is_there(office: Office, deed: Deed) -> None:
    request = office.ask(deed, office.stranger, **DEEDS[deed])
    await office.settle()
    assert office.fate(request).state is RequestState.DONE
    assert office.records("new@example.com") == ["lead"]


async def test_r3_an_owner_whom_somebody_chose_while_the_answer_was_lost_stays(office: Office) -> None:
    request = office.ask(Deed.CHANGE_OWNER, office.known, owner="user-2")
    office.desk.faults.append(Fault.LOST_RESPONSE)
    await run_pass(office.engine())
    office.world.crm.edit(CONTACT, office.contact, {"ownerid": "user-3"})
    office.world.clock.advance(SETTLE_S)
    await office.settle()
    assert office.world.crm.records[CONTACT][office.contact]["ownerid"] == "user-3"
    assert office.fate(request).state is RequestState.REFUSED


async def test_a_call_without_an_answer_is_not_repeated_while_it_may_still_land(office: Office) -> None:
    office.ask(Deed.CREATE_TASK, office.known, subject="Ring them")
    office.desk.faults.append(Fault.LOST_REQUEST)
    await run_pass(office.engine())
    await run_pass(office.engine())
    assert office.desk.writes == 0
    office.world.clock.advance(SETTLE_S)
    await run_pass(office.engine())
    assert office.desk.writes == 1


async def test_many_members_come_in_one_call(office: Office) -> None:
    for number in range(20):
        office.world.crm.create(CONTACT, {"lastname": f"No {number}", "emailaddress1": f"no.{number}@example.com"})
    await run_pass(office.engine())
    people = list(office.world.marketing.records[PERSON])
    asked = [
        office.ask(Deed.ADD_TO_CAMPAIGN, person, campaign="fair") for person in people if person != office.stranger
    ]
    await office.settle()
    assert {office.fate(request).state for request in asked} == {RequestState.DONE}
    assert len(done(office, Deed.ADD_TO_CAMPAIGN)) == 21
    assert office.desk.writes == 2, "the list, and everybody in it"


async def test_only_whom_we_added_is_taken_out_unless_others_are_meant(office: Office) -> None:
    office.ask(Deed.ADD_TO_CAMPAIGN, office.known, campaign="fair")
    await office.settle()
    (ours,) = office.desk.lists.values()
    theirs = type(ours)(RecordId("theirs"), CONTACT)
    office.desk.lists[theirs.id], office.desk.members[theirs.id] = theirs, {office.contact}
    office.ask(Deed.REMOVE_FROM_CAMPAIGN, office.known, campaign="fair")
    await office.settle()
    assert (office.desk.members[ours.id], office.desk.members[theirs.id]) == (set(), {office.contact})
    office.ask(Deed.REMOVE_FROM_CAMPAIGN, office.known, campaign="fair", others=True)
    await office.settle()
    assert office.desk.members[theirs.id] == set()


async def test_a_campaign_that_is_not_active_is_refused(office: Office) -> None:
    office.desk.campaigns[FAIR.id] = Campaign(FAIR.id, FAIR.name, is_active=False)
    request = office.ask(Deed.ADD_TO_CAMPAIGN, office.known, campaign="fair")
    await office.settle()
    assert office.fate(request).state is RequestState.REFUSED
    assert office.desk.writes == 0


# --- what is foreseen is what happens


@pytest.mark.parametrize(
    ("deed", "arguments", "prospect"),
    [
        (Deed.SYNC_PERSON, {}, Prospect.CREATED),
        (Deed.CHANGE_OWNER, {"owner": "user-2"}, Prospect.CREATED),
        (Deed.CHANGE_OWNER, {"owner": "nobody"}, Prospect.REFUSED),
        (Deed.REMOVE_FROM_CAMPAIGN, {"campaign": "fair"}, Prospect.NOTHING),
    ],
)
async def test_what_a_stranger_is_told_comes_true(
    office: Office, deed: Deed, arguments: dict[str, Value], prospect: Prospect
) -> None:
    request = office.ask(deed, office.stranger, **arguments)
    told = await foresee(office.engine(), request)
    assert told.prospect is prospect
    await office.settle()
    was_made = office.records("new@example.com") == ["lead"]
    assert was_made == (prospect is Prospect.CREATED)
    assert (office.fate(request).state is RequestState.REFUSED) == (prospect is Prospect.REFUSED)


@pytest.mark.parametrize("deed", DEEDS)
async def test_what_is_told_of_a_record_comes_true_and_then_nothing_is_left_to_do(office: Office, deed: Deed) -> None:
    request = office.ask(deed, office.known, **DEEDS[deed])
    assert (await foresee(office.engine(), request)).prospect is Prospect.DONE
    await office.settle()
    assert len(done(office, deed)) == 1
    assert (await foresee(office.engine(), request)).prospect is Prospect.NOTHING


# --- a right that lacks


async def test_a_deed_without_the_right_to_it_waits_and_everything_else_goes_on(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise AccessError("prvCreateActivity is missing", side=Side.CRM, operation="tasks.create", code="0x80040220")

    with monkeypatch.context() as lacking:
        lacking.setattr(office.desk, "create_task", refuse)
        task = office.ask(Deed.CREATE_TASK, office.known, subject="Call")
        owner = office.ask(Deed.CHANGE_OWNER, office.known, owner="user-1")
        office.world.crm.create(CONTACT, {"lastname": "Later", "emailaddress1": "later@example.com"})
        await run_pass(office.engine())
    people = [person.get("email") for person in office.world.marketing.records[PERSON].values()]
    assert people.count("later@example.com") == 1
    assert office.fate(owner).state is RequestState.DONE
    waiting = office.fate(task)
    assert (waiting.state, waiting.sent_at) == (RequestState.WAITING, None)
    assert "prvCreateActivity" in str(waiting.said)
    await office.settle()
    assert office.fate(task).state is RequestState.DONE
    assert len(office.desk.tasks) == 1
