"""A role whose key changes is deleted and made anew: killed at every step between, and with every answer lost.

In memory, where each call of the store and each write can be chosen. Whatever goes wrong, in the end there is one role,
under the new key.
"""

from collections.abc import Iterator
from itertools import count

import pytest

from tandem.connectors.memory import Fault
from tandem.core.errors import TransientError
from tandem.core.record import CONNECTION, CONTACT, OPPORTUNITY, OPPORTUNITY_ROLE
from tandem.ports import Store
from tandem.runtime.sync_pass import run_pass
from tandem.store.memory import MemoryStore
from tests.properties.roles_world import RolesWorld
from tests.properties.test_two_people_and_a_bad_network import CrashError, CrashingStore


async def a_world_whose_role_changes() -> RolesWorld:
    world = RolesWorld()
    ann = world.enter(CONTACT, lastname="Ann", emailaddress1="ann@example.com")
    bob = world.enter(CONTACT, lastname="Bob", emailaddress1="bob@example.com")
    deal = world.enter(OPPORTUNITY, name="Cranes")
    connection = world.connect(deal, ann, "Buyer")
    await run_pass(world.engine())
    world.clock.advance(30)
    world.crm.edit(CONNECTION, connection, {"record2id": bob, "@role": "Champion"})
    return world


async def heal(world: RolesWorld) -> None:
    world.store = MemoryStore(world.store.state)
    for system in (world.crm, world.marketing):
        system.faults.clear()
        system.land_late()
    for _ in range(5):
        world.clock.advance(200)
        await run_pass(world.engine())


def assert_one_role(world: RolesWorld) -> None:
    assert set(world.roles()) == world.wanted()
    assert [role for _, _, role in world.roles()] == ["Champion"]
    assert sum(world.roles().values()) == 1


async def die(world: RolesWorld, store: Store) -> bool:
    try:
        await run_pass(world.engine(store))
    except CrashError:
        return True
    return False


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
async def test_killed_at_every_step_it_ends_as_one_role(is_after: bool) -> None:
    between = 0
    for step in count(1):
        world = await a_world_whose_role_changes()
        died = await die(world, CrashingStore(world.store, step, is_after=is_after))
        between += died and not world.marketing.records[OPPORTUNITY_ROLE]
        await heal(world)
        assert_one_role(world)
        if not died:
            break
    assert between > 0, "some died with the old role gone and the new one not yet there"


def faults() -> Iterator[tuple[int, Fault]]:
    """Of the delete, of the create, and of whatever comes third."""
    return ((skip, fault) for skip in range(3) for fault in Fault)


@pytest.mark.parametrize(("skip", "fault"), list(faults()))
async def test_whichever_call_goes_wrong_it_ends_as_one_role(skip: int, fault: Fault) -> None:
    world = await a_world_whose_role_changes()
    world.marketing.faults.extend([*(None,) * skip, fault])
    try:
        await run_pass(world.engine())
    except TransientError:
        assert fault is Fault.BUSY
    await heal(world)
    assert_one_role(world)
