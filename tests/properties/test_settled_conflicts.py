"""A decision about a held conflict is carried by the next pass, once, and only while it is about what is there."""

import asyncio
from dataclasses import replace

import pytest

from tandem.connectors.memory import Fault
from tandem.core.errors import TransientError
from tandem.core.mapping import Winner
from tandem.core.record import CONTACT, PERSON, RecordId, Side
from tandem.runtime.sync_pass import run_pass
from tests.builders import World, small_policies

ID = RecordId("00000000-0000-0000-0000-000000000001")


@pytest.fixture
def world() -> World:
    """One contact whose phone both sides have changed, held."""
    policies = small_policies()
    policies[CONTACT] = replace(policies[CONTACT], winner=Winner.HOLD)
    world = World(policies=policies)
    world.crm.create(CONTACT, {"lastname": "Held", "emailaddress1": "h@example.com", "telephone1": "0"}, ID)
    one_pass(world)
    type_in(world, "crm", "marketing")
    one_pass(world)
    assert phones(world) == ("crm", "marketing")
    return world


def one_pass(world: World) -> None:
    world.clock.advance(100)
    try:
        asyncio.run(run_pass(world.engine()))
    except TransientError:
        world.clock.advance(100)


def type_in(world: World, crm: str | None = None, marketing: str | None = None) -> None:
    (person,) = world.marketing.records[PERSON]
    if crm:
        world.crm.edit(CONTACT, ID, {"telephone1": crm})
    if marketing:
        world.marketing.edit(PERSON, person, {"phone": marketing}, source="Lead update")


def phones(world: World) -> tuple[object, object]:
    (person,) = world.marketing.records[PERSON].values()
    return world.crm.records[CONTACT][ID]["telephone1"], person["phone"]


def settle(world: World, side: Side) -> None:
    number = world.store.load_conflicts(1, only_open=True)[0].number
    assert world.store.settle_conflict(number, side, world.clock.now())


@pytest.mark.parametrize("fault", [None, *Fault])
@pytest.mark.parametrize("side", Side)
def test_what_was_decided_arrives_and_stays(world: World, side: Side, fault: Fault | None) -> None:
    settle(world, side)
    world.system(side.other).faults.extend([fault] if fault else [])
    one_pass(world)
    world.system(side.other).land_late()
    for _ in range(4):
        one_pass(world)
    assert phones(world) == (side.value, side.value)
    assert not world.store.load_conflicts(10, only_open=True)
    before = world.crm.writes + world.marketing.writes
    one_pass(world)
    assert world.crm.writes + world.marketing.writes == before


@pytest.mark.parametrize("side", Side)
def test_an_edit_after_the_decision_is_asked_about_anew(world: World, side: Side) -> None:
    settle(world, side)
    type_in(world, crm="later")
    one_pass(world)
    assert phones(world) == ("later", "marketing")
    (row,) = world.store.load_conflicts(10, only_open=True)
    assert (row.conflict.crm, row.conflict.marketing) == ("later", "marketing")
