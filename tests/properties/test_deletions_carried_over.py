"""Deletions under the rule ``propagate``: each arrives once, whatever befalls the call, and nothing comes back."""

import asyncio
from dataclasses import replace

import pytest

from tandem.connectors.memory import Fault
from tandem.core.errors import TransientError
from tandem.core.policy import DeleteRule
from tandem.core.record import CONTACT, PERSON, RecordId, Side
from tandem.runtime.sync_pass import run_pass
from tests.builders import World, small_policies

IDS = [RecordId(f"00000000-0000-0000-0000-{number:012d}") for number in range(1, 6)]


@pytest.fixture
def world() -> World:
    """Five contacts with their people, in step."""
    world = World()
    rule = DeleteRule.PROPAGATE
    policies = small_policies()
    policies[CONTACT] = replace(policies[CONTACT], deleted_in_crm=rule, deleted_in_marketing=rule)
    world.policies = policies
    for number, id_ in enumerate(IDS):
        world.crm.create(CONTACT, {"lastname": f"P{number}", "emailaddress1": f"p{number}@example.com"}, id_)
    rest(world)
    assert len(people(world)) == len(IDS)
    return world


def people(world: World) -> dict[str, RecordId]:
    """Marketo's ids by crm id."""
    return {str(values["crmKey"]): id_ for id_, values in world.marketing.records[PERSON].items()}


def contacts(world: World) -> set[RecordId]:
    return set(world.crm.records[CONTACT])


def one_pass(world: World) -> None:
    world.clock.advance(100)
    try:
        asyncio.run(run_pass(world.engine()))
    except TransientError:
        world.clock.advance(100)


def rest(world: World) -> None:
    """Passes until nothing more is written (R6)."""
    for _ in range(8):
        before = world.crm.writes + world.marketing.writes
        one_pass(world)
        if world.crm.writes + world.marketing.writes == before:
            return
    raise AssertionError("R6: the two sides do not come to rest")


def delete(world: World, side: Side, crm_id: RecordId) -> None:
    if side is Side.CRM:
        world.crm.delete(CONTACT, crm_id)
    else:
        world.marketing.delete(PERSON, people(world)[crm_id])


@pytest.mark.parametrize("side", Side)
def test_a_deletion_arrives_and_only_that(world: World, side: Side) -> None:
    delete(world, side, IDS[0])
    rest(world)
    assert contacts(world) == set(IDS[1:])
    assert people(world).keys() == set(IDS[1:])


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("side", Side)
def test_a_deletion_survives_whatever_befalls_its_call(world: World, side: Side, fault: Fault) -> None:
    delete(world, side, IDS[0])
    world.system(side.other).faults.append(fault)
    one_pass(world)
    world.system(side.other).land_late()
    rest(world)
    assert contacts(world) == set(IDS[1:])
    assert people(world).keys() == set(IDS[1:])


def test_a_person_merged_away_takes_no_contact_along(world: World) -> None:
    loser, winner = people(world)[IDS[0]], people(world)[IDS[1]]
    world.marketing.delete(PERSON, loser, merged_into=winner)
    rest(world)
    assert contacts(world) == set(IDS)


@pytest.mark.parametrize("side", Side)
def test_an_edit_on_the_other_side_keeps_its_record(world: World, side: Side) -> None:
    if side is Side.CRM:
        world.marketing.edit(PERSON, people(world)[IDS[0]], {"phone": "1"}, source="Lead update")
    else:
        world.crm.edit(CONTACT, IDS[0], {"telephone1": "1"})
    delete(world, side, IDS[0])
    rest(world)
    kept = people(world).keys() if side is Side.CRM else contacts(world)
    assert IDS[0] in kept
    conflicts = world.store.load_conflicts(100)
    assert [row.conflict.field for row in conflicts] == ["telephone1|phone"]


def test_both_deleted_at_once_deletes_nothing_more(world: World) -> None:
    delete(world, Side.MARKETING, IDS[0])
    delete(world, Side.CRM, IDS[0])
    before = world.crm.writes + world.marketing.writes
    rest(world)
    assert world.crm.writes + world.marketing.writes == before
