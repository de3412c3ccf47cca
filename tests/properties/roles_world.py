"""A small world with opportunities and the stakeholders in them, whose roles are judged by what both sides hold."""

from collections import Counter
from dataclasses import dataclass
from uuid import UUID

from tandem.connectors.memory import MemoryConnector
from tandem.core.mapping import Direction, EntityMapping, FieldPair, Winner, compile_mapping
from tandem.core.policy import DeleteRule, EntityPolicy
from tandem.core.record import (
    CONNECTION,
    CONTACT,
    OPPORTUNITY,
    OPPORTUNITY_ROLE,
    PERSON,
    Entity,
    RecordId,
    Side,
    Value,
)
from tandem.core.transforms import Identity
from tandem.ports import Store
from tandem.runtime.engine import Engine
from tests.builders import World, declare, one_way, small_mappings, small_policies

PARTS = ("externalOpportunityId", "leadId", "role")


def roles_mappings() -> dict[Entity, EntityMapping]:
    person = FieldPair(
        "record2id", "leadId", Identity(), Direction.TO_MARKETING, parents=(CONTACT,), parent_by=Side.MARKETING
    )
    role = [one_way("record1id", "externalOpportunityId", OPPORTUNITY), person, one_way("@role", "role")]
    deal = [one_way("@id", "externalOpportunityId"), one_way("name", "name")]
    return small_mappings() | {
        OPPORTUNITY: compile_mapping(OPPORTUNITY, OPPORTUNITY, deal, key_field="externalOpportunityId"),
        CONNECTION: compile_mapping(
            CONNECTION, OPPORTUNITY_ROLE, role, key_field="externalOpportunityId", key_parts=PARTS
        ),
    }


def roles_policies() -> dict[Entity, EntityPolicy]:
    owned = EntityPolicy(
        Winner.CRM, deleted_in_crm=DeleteRule.PROPAGATE, deleted_in_marketing=DeleteRule.RECREATE, prefer=()
    )
    return small_policies() | {OPPORTUNITY: owned, CONNECTION: owned}


@dataclass
class RolesWorld(World):
    def __post_init__(self) -> None:
        super().__post_init__()
        self.policies = roles_policies()
        self.marketing.key_parts = {OPPORTUNITY_ROLE: PARTS}
        self.made = 0

    def engine(self, store: Store | None = None) -> Engine:
        engine = super().engine(store)
        engine.mappings = roles_mappings()
        declare(engine.store, engine.mappings)
        assert isinstance(engine.crm, MemoryConnector)
        return engine

    def enter(self, entity: Entity, **values: Value) -> RecordId:
        self.made += 1
        return self.crm.create(entity, values, RecordId(str(UUID(int=self.made))))

    def connect(self, deal: RecordId, contact: RecordId, role: str) -> RecordId:
        self.made += 1
        values: dict[str, Value] = {"record1id": deal, "record2id": contact, "@role": role}
        return self.crm.create(CONNECTION, values, RecordId(str(UUID(int=self.made))))

    def wanted(self) -> set[tuple[Value, Value, Value]]:
        """The roles that there should be: one for each opportunity, person and name of a role that a stakeholder has,
        twice or once."""
        people = {row.get("crmKey"): int(id_) for id_, row in self.marketing.records.get(PERSON, {}).items()}
        deals = {row.get("externalOpportunityId") for row in self.marketing.records.get(OPPORTUNITY, {}).values()}
        return {
            (row["record1id"], people[row["record2id"]], row["@role"])
            for row in self.crm.records.get(CONNECTION, {}).values()
            if row["record1id"] in deals and row["record2id"] in people
        }

    def roles(self) -> Counter[tuple[Value, ...]]:
        rows = self.marketing.records.get(OPPORTUNITY_ROLE, {}).values()
        return Counter(tuple(row.get(part) for part in PARTS) for row in rows)
