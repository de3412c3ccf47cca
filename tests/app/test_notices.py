"""Notices: once each, through a real service on this machine, and never in the way of the sync."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tandem.app.notices import AppriseSender, Notice, Notices
from tandem.config.model import NotifyConfig
from tandem.core.backfill import Backfill
from tandem.core.errors import AccessError, ConfigError, TransientError
from tandem.core.record import CONTACT, RecordId, Side
from tandem.runtime.sync_pass import run_pass
from tests.builders import START, World
from tests.message_receiver import Receiver, receiving

AWAY = TransientError("Marketo does not answer.", side=Side.MARKETING)
REFUSED = AccessError("The role lacks prvReadContact.", side=Side.CRM)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def notices(world: World, receiver: Receiver, **settings: Any) -> Notices:
    return Notices(world.store, NotifyConfig(**settings), AppriseSender([receiver.url]))


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


async def test_the_end_of_the_first_copy_is_told_once(receiver: Receiver) -> None:
    world = World()
    told = notices(world, receiver)
    await told.tell(START)
    assert receiver.got == []
    world.crm.create(CONTACT, {"lastname": "Private", "emailaddress1": "p@example.com"}, RecordId("1"))
    await run_pass(world.engine())
    for _ in range(2):
        await told.tell(START)
    await notices(world, receiver).tell(START)
    (message,) = receiver.got
    assert message["title"] == "Tandem: the first copy is done"
    assert "contact 1" in message["message"]
    assert "Private" not in json.dumps(receiver.got)


async def test_what_happened_before_anybody_wanted_to_know_is_not_told(receiver: Receiver) -> None:
    world = World()
    await run_pass(world.engine())
    await notices(world, receiver).tell(START + minutes(1))
    assert receiver.got == []


async def test_a_side_that_stays_away_is_told_once_and_its_return_too(receiver: Receiver) -> None:
    told = notices(World(), receiver, down_after_s=600.0)
    for minute in range(30):
        await told.tell(START + minutes(minute), AWAY)
    assert receiver.titles == ["Tandem: a side is unavailable"]
    assert "Marketo does not answer." in receiver.got[0]["message"]
    for minute in (31, 32):
        await told.tell(START + minutes(minute))
    assert receiver.titles[1:] == ["Tandem goes on"]


async def test_a_side_that_is_back_soon_is_not_worth_a_word(receiver: Receiver) -> None:
    told = notices(World(), receiver, down_after_s=600.0)
    await told.tell(START, AWAY)
    await told.tell(START + minutes(5))
    await told.tell(START + minutes(11), AWAY)
    assert receiver.got == []


async def test_refused_access_is_told_at_once(receiver: Receiver) -> None:
    told = notices(World(), receiver)
    await told.tell(START, REFUSED)
    await told.tell(START + minutes(1), REFUSED)
    assert receiver.titles == ["Tandem: access was refused"]
    assert "prvReadContact" in receiver.got[0]["message"]


async def test_a_question_is_asked_once_however_its_counts_move_until_it_ends(receiver: Receiver) -> None:
    told = notices(World(), receiver)
    for count in ("900", "1,200"):
        await told.tell(START, questions=[f"Delete {count} people?"])
    assert receiver.titles == ["Tandem waits for a person"]
    await told.tell(START)
    await told.tell(START, questions=["Delete 7 people?"])
    assert len(receiver.got) == 2


async def test_the_end_of_a_backfill_is_told(receiver: Receiver) -> None:
    world = World()
    told = notices(world, receiver)
    await told.tell(START)
    filled = Backfill(Side.CRM, CONTACT, "a field was added", START, read=1200)
    number = world.store.save_backfill(filled)
    await told.tell(START)
    assert receiver.got == []
    (filled,) = world.store.load_backfills(1)
    assert filled.number == number
    world.store.save_backfill(replace(filled, finished_at=START + minutes(1)))
    for _ in range(2):
        await told.tell(START + minutes(2))
    assert receiver.titles == ["Tandem: crm contact was read anew"]
    assert "1,200" in receiver.got[0]["message"]


async def test_refused_writes_come_once_a_day_without_values(receiver: Receiver) -> None:
    world = World()
    told = notices(world, receiver, events=("failures",))
    await told.tell(START)
    for number in range(3):
        world.crm.create(CONTACT, {"lastname": f"Private {number}"}, RecordId(str(number)))
    world.marketing.refuse = lambda name, value: name == "lastName"
    await run_pass(world.engine())
    await told.tell(START + timedelta(hours=23))
    assert receiver.got == []
    for hour in (24, 25, 49):
        await told.tell(START + timedelta(hours=hour))
    (message,) = receiver.got
    assert message["title"] == "Tandem: 3 writes were refused"
    assert "3 of contact to Marketo: 1003" in message["message"]
    assert "Private" not in json.dumps(message)


async def test_what_nobody_wants_to_hear_is_not_sent_now_or_later(receiver: Receiver) -> None:
    world = World()
    await notices(world, receiver, events=("failures",)).tell(START, REFUSED)
    await notices(world, receiver).tell(START, REFUSED)
    assert receiver.got == []


async def test_a_notice_that_no_service_took_is_tried_again_a_minute_later(receiver: Receiver) -> None:
    told = notices(World(), receiver)
    receiver.status = 500
    await told.tell(START, REFUSED)
    receiver.status = 200
    await told.tell(START + timedelta(seconds=30), REFUSED)
    assert receiver.got == []
    await told.tell(START + timedelta(seconds=60), REFUSED)
    assert receiver.titles == ["Tandem: access was refused"]


async def test_a_notifier_that_hangs_keeps_nobody_waiting() -> None:
    released = asyncio.Event()

    class Hanging:
        async def send(self, notice: Notice) -> bool:
            await released.wait()
            return True

    told = Notices(World().store, NotifyConfig(), Hanging())
    told.look(START, REFUSED)
    told.look(START, REFUSED)
    await asyncio.sleep(0)
    released.set()
    await told.close()


def test_an_address_that_is_none_is_refused_without_being_quoted() -> None:
    with pytest.raises(ConfigError, match=r"Address 2 of notify\.urls") as caught:
        AppriseSender(["json://127.0.0.1:1", "nonsense-with-a-secret"])
    assert "secret" not in str(caught.value)
