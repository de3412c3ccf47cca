"""What operators are told, over both emulators, through a real service on this machine."""

import asyncio
import json
from pathlib import Path

import pytest

from tandem.app import queries
from tandem.core.errors import AccessError
from tests.message_receiver import Receiver, receiving
from tests.scenarios.stage import Stage, running_stage

REFUSAL = {"error": {"code": "0x80040265", "message": "The plug-in says no."}}


def notify(stage: Stage, receiver: Receiver, more: str = "") -> None:
    stage.configure(f'[notify]\nurls = ["{receiver.url}"]\n{more}')


@pytest.mark.parity("N5", "N123")
async def test_the_first_copy_and_the_days_failures_are_told_once_without_values(tmp_path: Path) -> None:
    with running_stage(tmp_path, seed=94) as stage, receiving() as receiver:
        notify(stage, receiver)
        id_ = stage.enter("contact", lastname="Confidential", emailaddress1="confidential@story.example")
        await stage.sync()
        await stage.sync()
        assert receiver.titles == ["Tandem: the first copy is done"]
        assert "contact 1, systemuser 8" in receiver.got[0]["message"]

        stage.crm.fault("contacts.update", "status", status=400, times=1, body=REFUSAL)
        stage.edit_person(stage.person_of(id_)["id"], title="Confidential too")
        await stage.sync_until(lambda: queries.status(stage.config).rejected)
        assert len(receiver.got) == 1, "the day is not over"
        notify(stage, receiver, "digest_every_h = 0.000001\n")
        await stage.sync()
        await stage.sync()
        (digest,) = receiver.got[1:]
        assert digest["title"] == "Tandem: 1 writes were refused"
        assert "1 of contact to Dynamics: 0x80040265" in digest["message"]
        assert "onfidential" not in json.dumps(receiver.got)


@pytest.mark.parity("N123")
async def test_a_side_that_refuses_is_told_and_the_sync_goes_on(tmp_path: Path) -> None:
    with running_stage(tmp_path, seed=95) as stage, receiving() as receiver:
        await stage.sync()
        notify(stage, receiver)
        stage.enter("contact", lastname="Waits")
        with stage.crm.revoked("prvReadContact"), pytest.raises(AccessError, match="prvReadContact"):
            await stage.sync()
        assert receiver.titles == ["Tandem: access was refused"]
        await stage.sync()
        assert receiver.titles[1:] == ["Tandem goes on"]


async def test_a_service_that_is_down_stops_nothing(tmp_path: Path) -> None:
    with running_stage(tmp_path, seed=96) as stage, receiving() as receiver:
        notify(stage, receiver)
        receiver.status = 503
        id_ = stage.enter("contact", lastname="Arrives")
        await stage.sync_until(lambda: stage.has(id_, lastName="Arrives"))
        assert receiver.got == []
        assert queries.status(stage.config).notices_unsent_since is not None
        told = await asyncio.to_thread(stage.tandem, "status")
        assert "No service took a notice" in told.stdout
