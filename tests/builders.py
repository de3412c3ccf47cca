"""Small worlds for tests: a clock, ids, a mapping of a few fields, and an engine over two systems in memory."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tandem.connectors.memory import MemoryConnector, MemorySystem
from tandem.core.mapping import Direction, EntityMapping, FieldPair, Winner, compile_mapping, share_shapes
from tandem.core.policy import EntityPolicy
from tandem.core.record import ACCOUNT, COMPANY, CONTACT, LEAD, PERSON, Entity, Side
from tandem.core.transforms import Identity, YesNo
from tandem.ports import Store
from tandem.runtime.engine import Engine, PassSettings
from tandem.store.memory import MemoryStore

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@dataclass(slots=True)
class FakeClock:
    """Stands still unless somebody waits; sleeping is how time passes."""

    time: datetime = START

    def now(self) -> datetime:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)


@dataclass(slots=True)
class CountingIds:
    count: int = 0

    def new_id(self) -> str:
        self.count += 1
        return f"run-{self.count}"


def one_way(crm: str, marketing: str, parent: Entity | None = None) -> FieldPair:
    return FieldPair(crm, marketing, Identity(), Direction.TO_MARKETING, parents=(parent,) if parent else ())


def person_pairs() -> list[FieldPair]:
    return [
        one_way("@id", "crmKey"),
        one_way("@type", "crmType"),
        one_way("@deleted", "crmIsDeleted"),
        FieldPair("firstname", "firstName", Identity()),
        FieldPair("lastname", "lastName", Identity()),
        FieldPair("emailaddress1", "email", Identity()),
        FieldPair("telephone1", "phone", Identity()),
        FieldPair("donotbulkemail", "unsubscribed", YesNo(), opt_out=True),
    ]


def small_mappings() -> dict[Entity, EntityMapping]:
    contact = [*person_pairs(), one_way("parentcustomerid", "externalCompanyId", parent=ACCOUNT)]
    account = [one_way("@id", "externalCompanyId"), one_way("name", "company")]
    return share_shapes(
        [
            compile_mapping(
                LEAD,
                PERSON,
                person_pairs(),
                key_field="crmKey",
                dedupe_field="email",
                crm_extras=["masterid", "statecode"],
            ),
            compile_mapping(
                CONTACT,
                PERSON,
                contact,
                key_field="crmKey",
                dedupe_field="email",
                crm_extras=["originatingleadid", "masterid", "statecode"],
            ),
            compile_mapping(ACCOUNT, COMPANY, account, key_field="externalCompanyId"),
        ]
    )


def small_policies(**leads: object) -> dict[Entity, EntityPolicy]:
    return {
        LEAD: EntityPolicy(Winner.MARKETING, **leads),  # type: ignore[arg-type]
        CONTACT: EntityPolicy(Winner.CRM),
        ACCOUNT: EntityPolicy(Winner.CRM),
    }


def declare(store: Store, mappings: Mapping[Entity, EntityMapping]) -> None:
    """Tell `store` the shapes of `mappings`, as the start of a sync does."""
    fields = {(Side.CRM, entity): mapping.crm_fields for entity, mapping in mappings.items()}
    fields |= {(Side.MARKETING, m.marketing_entity): m.marketing_fields for m in mappings.values()}
    store.use_mappings({entity: mapping.names for entity, mapping in mappings.items()}, fields)


@dataclass
class World:
    """Two systems in memory and an engine between them."""

    clock: FakeClock = field(default_factory=FakeClock)
    policies: dict[Entity, EntityPolicy] = field(default_factory=small_policies)
    page_size: int = 3
    claim_size: int = 7

    def __post_init__(self) -> None:
        self.crm = MemorySystem(Side.CRM, self.clock)
        self.marketing = MemorySystem(Side.MARKETING, self.clock)
        self.store = MemoryStore()
        self.ids = CountingIds()

    def system(self, side: Side) -> MemorySystem:
        return self.crm if side is Side.CRM else self.marketing

    def engine(self, store: Store | None = None) -> Engine:
        mappings = small_mappings()
        used = store or self.store
        declare(used, mappings)
        return Engine(
            crm=MemoryConnector(self.crm, self.page_size),
            marketing=MemoryConnector(self.marketing, self.page_size),
            store=used,
            clock=self.clock,
            ids=self.ids,
            mappings=mappings,
            policies=self.policies,
            settings=PassSettings(sync_id="test", feed_lag_s=5.0, claim_size=self.claim_size),
        )
