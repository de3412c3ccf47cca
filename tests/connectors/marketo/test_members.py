"""Members of static lists and programs, as the emulator has them."""

import pytest

from tandem.connectors.marketo.connector import MarketoConnector
from tandem.core.errors import RejectedError
from tandem.core.memberships import Member, Roster
from tests.connectors.marketo.emulator import Emulator


async def members(connector: MarketoConnector, roster: Roster) -> list[Member]:
    return [member async for page in connector.iter_members(roster) for member in page]


def some_people(emulator: Emulator, count: int) -> list[int]:
    return [int(record["id"]) for record in emulator.records("person")][:count]


async def test_all_members_of_a_list_come_300_a_call(connector: MarketoConnector, emulator: Emulator) -> None:
    ids = some_people(emulator, 301)
    number = emulator.control("people/create", {"entity": "list", "values": {"name": "Long"}})["id"]
    emulator.control("people/add-to-list", {"list": number, "ids": ids})
    found = await members(connector, Roster("list", number))
    assert sorted(int(member.person) for member in found) == sorted(ids)
    assert {member.status for member in found} == {None}


async def test_members_of_a_program_bring_their_status(connector: MarketoConnector, emulator: Emulator) -> None:
    first, second = some_people(emulator, 2)
    number = emulator.control("people/create", {"entity": "program", "values": {"name": "Fair"}})["id"]
    step = {"step": "change_program_status", "program": number, "status": "Visited"}
    emulator.control("people/run-flow", {"ids": [first, second], "steps": [step]})
    found = await members(connector, Roster("program", number))
    assert {int(member.person) for member in found} == {first, second}
    assert {member.status for member in found} == {"Visited"}


async def test_a_list_that_is_not_there_is_refused(connector: MarketoConnector) -> None:
    with pytest.raises(RejectedError):
        await members(connector, Roster("list", 987_654))
