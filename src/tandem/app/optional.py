"""Entities that a sync can do without: one that may not be read is set aside, in sight, and the rest goes on.

Opportunities need rights that a Marketo role or a Dynamics user often lacks, and tables that an organisation without
Sales does not have. So they are tried at each start, with one call for a record that nobody has. A custom table is
only asked for: an admin may delete it at any time, or its name may be wrong in the settings.
"""

import asyncio
from collections.abc import Mapping
from typing import Final
from uuid import UUID

from tandem.config.model import Config
from tandem.config.policies import default_mappings, policies
from tandem.core.default_mapping import DefaultMapping
from tandem.core.errors import AccessError, RejectedError
from tandem.core.left_out import LeftOut
from tandem.core.mapping_resolver import ResolvedMapping
from tandem.core.record import CONNECTION, OPPORTUNITY, OPPORTUNITY_CUSTOMER, Entity
from tandem.ports import Connector

_OPTIONAL: Final = (OPPORTUNITY, OPPORTUNITY_CUSTOMER, CONNECTION)
_READ_TOO: Final = {CONNECTION: (Entity("connectionrole"),)}
_NOBODY: Final = str(UUID(int=0))
_REMEDY: Final = "Grant the right that `tandem check` names, or set entities.{entity}.enabled = false."
_NO_TABLE_REMEDY: Final = "Correct the table's logical name in [[custom]], or take it out."

WHOLE: Final = "*"
"""Stands for all columns of a table that is set aside."""


async def find_unavailable(config: Config, crm: Connector, marketing: Connector) -> dict[Entity, LeftOut]:
    """The configured entities that cannot be read on one side, with the reason and the remedy."""
    defaults = default_mappings(config)
    wanted = [defaults[entity] for entity in policies(config) if entity in _OPTIONAL]
    reasons = await asyncio.gather(*(_try(mapping, crm, marketing) for mapping in wanted))
    found = {mapping.crm_entity: reason for mapping, reason in zip(wanted, reasons, strict=True) if reason}
    if OPPORTUNITY in found:
        found |= {mapping.crm_entity: found[OPPORTUNITY] for mapping in wanted}
    refused = {entity: _left_out(defaults[entity], reason, _REMEDY) for entity, reason in found.items()}
    return refused | {entity: _without_table(defaults[entity]) for entity in await find_missing_tables(config, crm)}


async def find_missing_tables(config: Config, crm: Connector) -> list[Entity]:
    """The custom tables of the settings that Dynamics does not have."""
    custom = [entity for entity, default in default_mappings(config).items() if default.is_custom]
    are_there = await asyncio.gather(*map(crm.has_entity, custom))
    return [entity for entity, is_there in zip(custom, are_there, strict=True) if not is_there]


async def _try(mapping: DefaultMapping, crm: Connector, marketing: Connector) -> str | None:
    try:
        for table in (mapping.crm_entity, *_READ_TOO.get(mapping.crm_entity, ())):
            await crm.find_records(table, ("@id",), "@id", [_NOBODY])
        await marketing.find_records(mapping.marketing_entity, (mapping.key_field,), mapping.key_field, [_NOBODY])
    except (AccessError, RejectedError) as error:
        return str(error)
    return None


def lacking_objects(resolved: Mapping[Entity, ResolvedMapping]) -> dict[Entity, LeftOut]:
    """Custom tables whose object type Marketo lacks: it is made on request, as it can hardly be changed afterwards, and
    until then the rest of the sync goes on."""
    return {
        entity: LeftOut(
            entity,
            WHOLE,
            str(item.new_object.name),
            f"Marketo has no custom object {item.new_object.name} yet",
            "tandem schema plan shows what it would be, tandem schema apply makes it.",
        )
        for entity, item in resolved.items()
        if item.new_object
    }


def _without_table(mapping: DefaultMapping) -> LeftOut:
    return _left_out(mapping, f"Dynamics has no table {mapping.crm_entity}", _NO_TABLE_REMEDY)


def _left_out(mapping: DefaultMapping, reason: str, remedy: str) -> LeftOut:
    entity, target = mapping.crm_entity, str(mapping.marketing_entity)
    return LeftOut(entity, WHOLE, target, reason, remedy.format(entity=entity))
