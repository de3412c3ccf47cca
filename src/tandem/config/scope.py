"""Who takes part, as the settings say it: filters, what becomes of who leaves, and the fields that are read for it."""

from collections.abc import Iterator
from typing import Final

from tandem.config.model import Config
from tandem.config.tables import EntityConfig, PersonConfig
from tandem.core.default_mapping import DefaultPair
from tandem.core.endings import PAUSED
from tandem.core.filters import columns_of, names_in
from tandem.core.mapping import Direction, Winner
from tandem.core.newest import MODIFIED
from tandem.core.policy import DeleteRule, LeaveRule
from tandem.core.record import CONTACT, LEAD, Entity
from tandem.core.schema import NewField

PAUSED_PAIR: Final = DefaultPair(PAUSED, "tandemPaused", "Tandem Paused", "boolean", Direction.TO_MARKETING)
"""The mark of who has left the filter; mapped where ``on_leave`` asks for it."""


def crm_filters(config: Config) -> dict[Entity, str]:
    """The text of each crm entity's filter, where it has one."""
    said = {entity: section.filter for entity, section in _sections(config)}
    said |= {Entity(table.table): table.filter for table in config.custom}
    return {entity: text for entity, text in said.items() if text}


def filters_to_crm(config: Config) -> dict[Entity, str]:
    """Over the person: of whom anything goes to Dynamics."""
    return {entity: section.filter_to_crm for entity, section in _persons(config) if section.filter_to_crm}


def creation_filter(config: Config) -> str | None:
    """Who of the people known only to Marketo becomes a record in Dynamics."""
    return config.entities.lead.create_in_crm_filter or config.entities.contact.create_in_crm_filter


def columns_read(config: Config) -> dict[Entity, tuple[str, ...]]:
    """The columns of each crm entity that are read although they need not be mapped."""
    read: dict[Entity, set[str]] = {entity: columns_of(text) for entity, text in crm_filters(config).items()}
    for entity, section in _sections(config):
        if Winner.NEWEST in (section.winner, *(field.winner for field in section.fields)):
            read.setdefault(entity, set()).add(MODIFIED)
    for entity in (LEAD, CONTACT):
        for _, text in partition_rules(config, entity):
            read.setdefault(entity, set()).update(names_in(text))
    for entity, columns in columns_made(config).items():
        read.setdefault(entity, set()).update(column.name for column in columns)
    return {entity: tuple(sorted(names)) for entity, names in read.items()}


def person_fields_read(config: Config) -> dict[Entity, tuple[str, ...]]:
    """The same of the person, for leads and for contacts."""
    to_crm, created = filters_to_crm(config), creation_filter(config)
    names = {entity: names_in(f"{to_crm.get(entity, '')} {created or ''}") for entity in (LEAD, CONTACT)}
    return {entity: tuple(sorted(found)) for entity, found in names.items() if found}


def columns_made(config: Config) -> dict[Entity, tuple[NewField, ...]]:
    """The columns that ``tandem schema apply`` makes where they are missing, besides those of field pairs."""
    return {
        entity: (NewField(section.deleted_in_marketing_column, "Deleted in Marketo", "Boolean"),)
        for entity, section in _persons(config)
        if section.deleted_in_marketing is DeleteRule.FLAG and section.deleted_in_marketing_column
    }


def partition_rules(config: Config, entity: Entity) -> list[tuple[str, str]]:
    """(partition, expression) for new people of `entity`, in order."""
    if entity not in (LEAD, CONTACT):
        return []
    return [(rule.name, rule.when) for rule in config.marketing.partitions if rule.table in (None, entity)]


def side_effects(config: Config) -> tuple[str, ...]:
    """What our writes leave out in Dynamics, as the plan names it."""
    crm = config.crm
    named = {
        "plug-ins and workflows are left out (crm.bypass_plugins)": crm.bypass_plugins,
        "Power Automate flows are not started (crm.bypass_flows)": crm.bypass_flows,
        "duplicate detection may refuse writes (crm.suppress_duplicate_detection = false)": (
            not crm.suppress_duplicate_detection
        ),
    }
    return tuple(text for text, is_so in named.items() if is_so)


def marks_paused(config: Config) -> set[Entity]:
    return {entity for entity, section in _persons(config) if section.on_leave is LeaveRule.FLAG}


def _sections(config: Config) -> Iterator[tuple[Entity, EntityConfig]]:
    for name in type(config.entities).model_fields:
        yield Entity(name), getattr(config.entities, name)


def _persons(config: Config) -> Iterator[tuple[Entity, PersonConfig]]:
    yield CONTACT, config.entities.contact
    yield LEAD, config.entities.lead
