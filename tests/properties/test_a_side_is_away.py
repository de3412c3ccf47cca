"""A side that cannot be read for a while, its day's calls used up, say: the other one is read all the same."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tandem.connectors.memory import MemoryConnector
from tandem.core.errors import TransientError
from tandem.core.record import CONTACT, PERSON, RecordId, Side
from tandem.ports import Page
from tandem.runtime.sync_pass import run_pass
from tests.builders import World

ID = RecordId("00000000-0000-0000-0000-000000000001")


class Away(MemoryConnector):
    async def fetch_changes(self, *wanted: Any) -> AsyncIterator[Page]:
        raise TransientError("away", side=self.side, retry_after_s=36_000.0)
        yield


@pytest.mark.parametrize("away", Side)
def test_the_other_side_is_read_meanwhile_and_nothing_is_lost(away: Side) -> None:
    world = World()
    world.crm.create(CONTACT, {"lastname": "P", "emailaddress1": "p@example.com"}, ID)
    for _ in range(3):
        asyncio.run(run_pass(world.engine()))
        world.clock.advance(100)
    [person] = world.marketing.records[PERSON]
    world.crm.edit(CONTACT, ID, {"firstname": "Ann"})
    world.marketing.edit(PERSON, person, {"phone": "1"})
    here, entity = (Side.MARKETING, PERSON) if away is Side.CRM else (Side.CRM, CONTACT)
    before = world.store.load_cursor(here, entity)
    engine = world.engine()
    gone = Away(world.system(away), world.page_size)
    engine.crm, engine.marketing = (gone, engine.marketing) if away is Side.CRM else (engine.crm, gone)
    with pytest.raises(TransientError):
        asyncio.run(run_pass(engine))
    assert world.store.load_cursor(here, entity) != before
    for _ in range(3):
        asyncio.run(run_pass(world.engine()))
        world.clock.advance(100)
    assert world.crm.records[CONTACT][ID]["telephone1"] == "1"
    assert world.marketing.records[PERSON][person]["firstName"] == "Ann"
