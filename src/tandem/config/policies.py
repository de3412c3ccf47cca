"""Settings as the core wants them: a policy, a direction and field overrides for each table, and the rails."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from tandem.config.hooks import RosterConfig
from tandem.config.model import Config, MatchingConfig
from tandem.config.scope import PAUSED_PAIR, marks_paused
from tandem.config.tables import CustomConfig, EntityConfig, FieldConfig, OneWayConfig, PersonConfig
from tandem.core.default_mapping import DEFAULT_MAPPINGS, KEY_COLUMN, DefaultMapping, DefaultPair
from tandem.core.guard import Rails
from tandem.core.mapping import Direction, Winner
from tandem.core.memberships import CampaignRule, CreationRule, Roster
from tandem.core.new_fields import label_for
from tandem.core.policy import DEFAULT_PREFERENCE, EditRule, EntityPolicy, LeaveRule
from tandem.core.record import (
    ACCOUNT,
    CONNECTION,
    CONTACT,
    LEAD,
    OPPORTUNITY,
    OPPORTUNITY_CUSTOMER,
    TEAM,
    USER,
    Entity,
)
from tandem.core.wanted_pairs import FieldOverride

KEY_FIELD: Final = "crmId"
"""The field of a custom object that holds the record's GUID; its dedupe field."""


def default_mappings(config: Config) -> dict[Entity, DefaultMapping]:
    """The pairs to start with of each crm entity, those of custom tables as the settings list them."""
    marked = {
        entity: replace(DEFAULT_MAPPINGS[entity], pairs=(*DEFAULT_MAPPINGS[entity].pairs, PAUSED_PAIR))
        for entity in marks_paused(config)
    }
    return {**DEFAULT_MAPPINGS, **marked, **{Entity(table.table): _custom_mapping(table) for table in config.custom}}


def policies(config: Config) -> dict[Entity, EntityPolicy]:
    """The policy of each crm entity, in the order in which they are synced (parents first).

    A person known only to Marketo is neither lead nor contact, so ``create_in_crm`` of either table stands for both.
    """
    creates = config.entities.lead.create_in_crm or config.entities.contact.create_in_crm
    create_in_crm = Entity(creates) if creates else None
    decided = {
        entity: _policy(section, create_in_crm if entity in (LEAD, CONTACT) else None)
        for entity, section in _sections(config)
    }
    decided |= {entity: _matched(decided[entity], config.matching) for entity in (CONTACT, LEAD)}
    return decided | {Entity(table.table): _custom_policy(table) for table in config.custom}


def directions(config: Config) -> dict[Entity, Direction]:
    """The direction of each crm entity, which narrows that of its pairs."""
    ways = {entity: section.direction for entity, section in _sections(config)}
    return ways | {Entity(table.table): Direction.TO_MARKETING for table in config.custom}


def field_overrides(config: Config) -> Mapping[Entity, tuple[FieldOverride, ...]]:
    """What the operator says about fields, for ``resolve_mapping``."""
    said = {entity: tuple(map(_override, section.fields)) for entity, section in _sections(config)}
    return said | {Entity(table.table): () for table in config.custom}


def campaign_rules(config: Config) -> tuple[CampaignRule, ...]:
    """The campaigns that follow Marketo."""
    return tuple(
        CampaignRule(
            campaign=each.campaign,
            roster=_roster(each),
            create_as=each.create_as or None,
            remove=each.remove or None,
            interval_s=each.interval_s,
        )
        for each in config.campaigns
    )


def creation_rules(config: Config) -> tuple[CreationRule, ...]:
    """Whose members are made in Dynamics."""
    return tuple(CreationRule(_roster(each), each.create_as, each.interval_s) for each in config.creations)


def _roster(section: RosterConfig) -> Roster:
    if section.list:
        return Roster("list", section.list)
    assert section.program is not None, "a list or a program is named"
    return Roster("program", section.program, section.statuses)


def own_columns(config: Config) -> dict[Entity, frozenset[str]]:
    """The Dynamics columns that nobody but Tandem writes, where there are any."""
    said = field_overrides(config).items()
    own = {entity: frozenset(line.crm for line in lines if line.is_own) for entity, lines in said}
    return {entity: columns for entity, columns in own.items() if columns}


def rails(config: Config) -> Rails:
    """The guard's limits of one pass."""
    return Rails(**config.rails.model_dump())


def _sections(config: Config) -> Iterator[tuple[Entity, EntityConfig]]:
    yield USER, config.entities.systemuser
    yield TEAM, config.entities.team
    yield ACCOUNT, config.entities.account
    yield CONTACT, config.entities.contact
    yield LEAD, config.entities.lead
    if config.entities.opportunity.enabled:
        yield OPPORTUNITY, config.entities.opportunity
        roles = ((OPPORTUNITY_CUSTOMER, config.entities.opportunitycustomer), (CONNECTION, config.entities.connection))
        yield from ((entity, section) for entity, section in roles if section.enabled)


def _policy(section: EntityConfig, create_in_crm: Entity | None) -> EntityPolicy:
    return EntityPolicy(
        winner=section.winner,
        first_link=section.first_link,
        create_in_marketing=section.create_in_marketing,
        create_in_crm=create_in_crm,
        deleted_in_crm=section.deleted_in_crm,
        deleted_in_marketing=section.deleted_in_marketing,
        on_leave=section.on_leave if isinstance(section, PersonConfig) else LeaveRule.KEEP,
        edited_in_marketing=section.edited_in_marketing if isinstance(section, OneWayConfig) else EditRule.OVERWRITE,
        prefer=section.prefer,
    )


def _matched(policy: EntityPolicy, matching: MatchingConfig) -> EntityPolicy:
    return replace(policy, merged_in_crm=matching.merged_in_crm, merged_in_marketing=matching.merged_in_marketing)


def _custom_mapping(table: CustomConfig) -> DefaultMapping:
    label = table.label or label_for(table.object)
    key = DefaultPair(KEY_COLUMN, KEY_FIELD, "CRM Id", "string", Direction.TO_MARKETING)
    pairs = (
        DefaultPair(field.crm, field.marketing, native_type=field.create_as or "", direction=Direction.TO_MARKETING)
        for field in table.fields
    )
    return DefaultMapping(
        Entity(table.table),
        Entity(table.object),
        KEY_FIELD,
        (key, *pairs),
        is_custom=True,
        labels=(label, table.plural_label or f"{label}s"),
    )


def _custom_policy(table: CustomConfig) -> EntityPolicy:
    return EntityPolicy(
        winner=Winner.CRM,
        first_link=None,
        create_in_marketing=table.create_in_marketing,
        create_in_crm=None,
        deleted_in_crm=table.deleted_in_crm,
        edited_in_marketing=table.edited_in_marketing,
        prefer=DEFAULT_PREFERENCE,
    )


def _override(field: FieldConfig) -> FieldOverride:
    return FieldOverride(**field.model_dump())
