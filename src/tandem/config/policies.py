"""Settings as the core wants them: a policy, a direction and field overrides for each table, and the rails."""

from collections.abc import Iterator, Mapping

from tandem.config.model import Config, EntityConfig, FieldConfig
from tandem.core.guard import Rails
from tandem.core.mapping import Direction
from tandem.core.mapping_resolver import FieldOverride
from tandem.core.policy import EntityPolicy
from tandem.core.record import ACCOUNT, CONTACT, LEAD, USER, Entity


def policies(config: Config) -> dict[Entity, EntityPolicy]:
    """The policy of each crm entity, in the order in which they are synced (parents first).

    A person known only to Marketo is neither lead nor contact, so ``create_in_crm`` of either table stands for both.
    """
    creates = config.entities.lead.create_in_crm or config.entities.contact.create_in_crm
    create_in_crm = Entity(creates) if creates else None
    return {
        entity: _policy(section, create_in_crm if entity in (LEAD, CONTACT) else None)
        for entity, section in _sections(config)
    }


def directions(config: Config) -> dict[Entity, Direction]:
    """The direction of each crm entity, which narrows that of its pairs."""
    return {entity: section.direction for entity, section in _sections(config)}


def field_overrides(config: Config) -> Mapping[Entity, tuple[FieldOverride, ...]]:
    """What the operator says about fields, for ``resolve_mapping``."""
    return {entity: tuple(map(_override, section.fields)) for entity, section in _sections(config)}


def rails(config: Config) -> Rails:
    """The guard's limits of one pass."""
    return Rails(**config.rails.model_dump())


def _sections(config: Config) -> Iterator[tuple[Entity, EntityConfig]]:
    yield USER, config.entities.systemuser
    yield ACCOUNT, config.entities.account
    yield CONTACT, config.entities.contact
    yield LEAD, config.entities.lead


def _policy(section: EntityConfig, create_in_crm: Entity | None) -> EntityPolicy:
    return EntityPolicy(
        winner=section.winner,
        first_link=section.first_link,
        create_in_marketing=section.create_in_marketing,
        create_in_crm=create_in_crm,
        deleted_in_crm=section.deleted_in_crm,
        prefer=section.prefer,
    )


def _override(field: FieldConfig) -> FieldOverride:
    return FieldOverride(**field.model_dump())
