"""The order of writes and deletes under load (native-sync 10.2): parents before children, and gone after them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from tandem.connectors.memory import MemoryConnector
from tandem.core.mapping import Winner
from tandem.core.plan import ActionKind
from tandem.core.policy import DeleteRule, EntityPolicy
from tandem.core.record import (
    ACCOUNT,
    COMPANY,
    CONNECTION,
    CONTACT,
    OPPORTUNITY,
    OPPORTUNITY_ROLE,
    PERSON,
    Entity,
    RecordId,
)
from tandem.ports import Store, Write, WriteResult
from tandem.runtime.engine import Engine
from tandem.runtime.sync_pass import run_pass
from tests.properties.roles_world import RolesWorld

MAKING = (COMPANY, PERSON, OPPORTUNITY, OPPORTUNITY_ROLE)


@dataclass
class NotingConnector(MemoryConnector):
    noted: list[tuple[ActionKind, Entity]] = field(default_factory=list)

    async def write(self, entity: Entity, writes: Sequence[Write]) -> Sequence[WriteResult]:
        self.noted.append((writes[0].kind, entity))
        return await super().write(entity, writes)


class BusyWorld(RolesWorld):
    """Its batches are small, so that a pass has many of them."""

    def __init__(self, claim_size: int) -> None:
        super().__init__(claim_size=claim_size)
        self.policies[ACCOUNT] = EntityPolicy(Winner.CRM, deleted_in_crm=DeleteRule.PROPAGATE)
        self.noting = NotingConnector(self.marketing, self.page_size)

    def engine(self, store: Store | None = None) -> Engine:
        engine = super().engine(store)
        engine.marketing = self.noting
        return engine

    def fill(self, count: int) -> list[tuple[RecordId, RecordId, RecordId]]:
        """Children are entered before their parents wherever Dynamics allows it, so that their rows come first."""
        made = []
        for number in range(count):
            account = self.enter(ACCOUNT, name=f"Company {number}")
            contact = self.enter(CONTACT, lastname="x", emailaddress1=f"{number}@x.example", parentcustomerid=account)
            deal = self.enter(OPPORTUNITY, name=f"Deal {number}")
            made.append((account, deal, self.connect(deal, contact, "Buyer")))
        return made


def order(noted: Sequence[tuple[ActionKind, Entity]], kind: ActionKind, among: Sequence[Entity]) -> list[int]:
    return [among.index(entity) for found, entity in noted if found is kind and entity in among]


@settings(max_examples=15, deadline=None)
@given(count=st.integers(4, 16), claim_size=st.integers(2, 7), gone=st.integers(1, 4))
async def test_parents_are_made_before_their_children_and_go_after_them(count: int, claim_size: int, gone: int) -> None:
    world = BusyWorld(claim_size)
    made = world.fill(count)
    await run_pass(world.engine())
    creates = order(world.noting.noted, ActionKind.CREATE, MAKING)
    assert creates == sorted(creates), "parents before children"
    assert set(world.roles()) == world.wanted()
    assert len(world.roles()) == count

    world.noting.noted.clear()
    world.clock.advance(30)
    for account, deal, connection in made[:gone]:
        world.crm.delete(ACCOUNT, account)
        world.crm.delete(OPPORTUNITY, deal)
        world.crm.delete(CONNECTION, connection)
    world.fill(2)
    await run_pass(world.engine())
    kinds = [kind for kind, _ in world.noting.noted]
    first_delete = kinds.index(ActionKind.DELETE)
    assert ActionKind.CREATE not in kinds[first_delete:], "deletions come last"
    deletes = order(world.noting.noted, ActionKind.DELETE, MAKING)
    assert deletes == sorted(deletes, reverse=True), "children before parents"
    assert {MAKING[place] for place in deletes} == {COMPANY, OPPORTUNITY, OPPORTUNITY_ROLE}
    assert set(world.roles()) == world.wanted()
    assert len(world.roles()) == count - gone + 2
