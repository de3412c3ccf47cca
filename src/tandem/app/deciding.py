"""The policies of a sync with their filters compiled over the fields that the two sides really have."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from tandem.config.model import Config
from tandem.config.policies import policies
from tandem.config.scope import columns_made, creation_filter, crm_filters, filters_to_crm, partition_rules
from tandem.core.errors import ConfigError
from tandem.core.filters import compile_filter, compile_filter_to_keep
from tandem.core.mapping_resolver import ResolvedMapping
from tandem.core.partitions import PartitionRule
from tandem.core.policy import EntityPolicy
from tandem.core.record import PERSON, Entity


def decide(config: Config, resolved: Mapping[Entity, ResolvedMapping]) -> dict[Entity, EntityPolicy]:
    """
    Raises:
        ConfigError: a filter is no expression, or names a field that is not there; a column to set is not there.
    """
    wanted = {entity: policy for entity, policy in policies(config).items() if entity in resolved}
    return {entity: _decided(config, entity, policy, resolved) for entity, policy in wanted.items()}


def _decided(
    config: Config, entity: Entity, policy: EntityPolicy, resolved: Mapping[Entity, ResolvedMapping]
) -> EntityPolicy:
    mapping = resolved[entity].mapping
    setting = f"entities.{entity}.filter"
    if text := crm_filters(config).get(entity):
        policy = replace(
            policy,
            filter=compile_filter(text, mapping.crm_fields, setting),
            filter_to_keep=compile_filter_to_keep(text, mapping.crm_fields, setting),
        )
    if text := filters_to_crm(config).get(entity):
        policy = replace(policy, filter_to_crm=compile_filter(text, mapping.marketing_fields, f"{setting}_to_crm"))
    if policy.create_in_crm and (text := creation_filter(config)):
        setting = f"entities.{policy.create_in_crm}.create_in_crm_filter"
        policy = replace(policy, create_in_crm_filter=compile_filter(text, mapping.marketing_fields, setting))
    for column in columns_made(config).get(entity, ()):
        if column.name not in mapping.crm_fields:
            raise ConfigError(
                f"entities.{entity}.deleted_in_marketing_column names {column.name}, which Dynamics does not have or"
                " Tandem's user may not read; `tandem schema apply` makes it."
            )
        policy = replace(policy, deleted_column=column.name)
    return replace(policy, partitions=tuple(_partitions(config, entity, mapping.crm_fields)))


def _partitions(config: Config, entity: Entity, known: Collection[str]) -> Iterator[PartitionRule]:
    for number, (name, text) in enumerate(partition_rules(config, entity), start=1):
        when = compile_filter(text, known, f"marketing.partitions[{number}].when (for {entity})")
        if when is not None:
            yield PartitionRule(name, when)


def rules_of(entity: Entity, decided: Mapping[Entity, EntityPolicy]) -> list[str | bool]:
    """What decides who of `entity` takes part, besides the fields: when it changes, all of them are read anew."""
    if entity == PERSON:
        creating = [policy.create_in_crm_filter for policy in decided.values() if policy.create_in_crm]
        to_crm = [f"{name}: {policy.filter_to_crm.text}" for name, policy in decided.items() if policy.filter_to_crm]
        return [bool(creating), *(chosen.text for chosen in creating[:1] if chosen), *to_crm]
    if entity not in decided or decided[entity].filter is None:
        return []
    policy = decided[entity]
    kept = [f"{chosen.text}" for chosen in (policy.filter, policy.filter_to_keep) if chosen]
    return [*kept, *([policy.on_leave.value] if policy.on_leave != "keep" else [])]
