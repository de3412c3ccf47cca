"""What the two sides lack for the mapping: shown by ``plan``, made by ``apply``."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from tandem.app.build import connected, resolve
from tandem.app.optional import find_missing_tables
from tandem.app.reports import NewFieldLine, NewObjectLine, SchemaReport
from tandem.config.model import Config
from tandem.core.errors import ConfigError
from tandem.core.mapping_resolver import ResolvedMapping, distinct_new_fields
from tandem.core.record import PERSON, Entity, Side
from tandem.core.schema import NewField, NewObject
from tandem.ports import Connector


@dataclass(frozen=True, slots=True)
class _Needs:
    """What is missing: fields by side and entity, and whole object types, in the order in which they can be made."""

    fields: Mapping[tuple[Side, Entity], tuple[NewField, ...]]
    objects: tuple[NewObject, ...]
    untracked: tuple[Entity, ...] = ()


async def plan_schema(config: Config) -> SchemaReport:
    """What ``apply_schema`` would make. Nothing is written.

    Raises:
        ConfigError: Dynamics has no such table.
    """
    async with connected(config) as (crm, marketing):
        await _ensure_tables(config, crm)
        resolved = await resolve(config, crm, marketing)
        return _report(replace(_needs(resolved), untracked=await _untracked(crm, resolved)), is_done=False)


async def apply_schema(config: Config, track: Collection[str] = ()) -> SchemaReport:
    """Make what the mapping needs and the sides lack; what is there is left as it is. `track` are tables whose change
    tracking is to be switched on, which cannot be taken back.

    Raises:
        ConfigError: one of `track` is no table that is synced, or Dynamics has no such table.
    """
    async with connected(config) as (crm, marketing):
        await _ensure_tables(config, crm)
        resolved = await resolve(config, crm, marketing)
        wanted = _tracked_tables(track, resolved)
        needs = replace(_needs(resolved), untracked=wanted)
        for entity in wanted:
            await crm.track_changes(entity)
        sides: Mapping[Side, Connector] = {Side.CRM: crm, Side.MARKETING: marketing}
        for (side, entity), fields in needs.fields.items():
            await sides[side].create_fields(entity, fields)
        for new in needs.objects:
            await marketing.create_object(new)
        return _report(needs, is_done=True)


async def _ensure_tables(config: Config, crm: Connector) -> None:
    if missing := await find_missing_tables(config, crm):
        names = ", ".join(missing)
        raise ConfigError(f"Dynamics has no table {names}: correct the logical name in [[custom]], or take it out.")


async def _untracked(crm: Connector, resolved: Mapping[Entity, ResolvedMapping]) -> tuple[Entity, ...]:
    return tuple([entity for entity in resolved if not (await crm.fetch_schema(entity)).is_tracked])


def _tracked_tables(names: Collection[str], resolved: Mapping[Entity, ResolvedMapping]) -> tuple[Entity, ...]:
    unknown = sorted(set(names) - {str(entity) for entity in resolved})
    if unknown:
        text = f"{', '.join(unknown)}: no such table is synced; tandem schema plan lists those without change tracking."
        raise ConfigError(text)
    return tuple(entity for entity in resolved if str(entity) in names)


def _needs(resolved: Mapping[Entity, ResolvedMapping]) -> _Needs:
    fields: dict[tuple[Side, Entity], tuple[NewField, ...]] = {}
    for entity, item in resolved.items():
        target = item.mapping.marketing_entity
        fields[Side.CRM, entity] = item.new_columns
        if target != PERSON and item.new_object is None:
            fields[Side.MARKETING, target] = item.new_fields
    fields[Side.MARKETING, PERSON] = distinct_new_fields(resolved.values())
    objects = tuple(item.new_object for item in resolved.values() if item.new_object)
    return _Needs({place: new for place, new in fields.items() if new}, objects)


def _report(needs: _Needs, *, is_done: bool) -> SchemaReport:
    return SchemaReport(
        is_done,
        tuple(line for (side, entity), new in needs.fields.items() for line in _lines(side, entity, new)),
        tuple(
            NewObjectLine(str(new.name), new.label, tuple(_lines(Side.MARKETING, new.name, new.fields)))
            for new in needs.objects
        ),
        tuple(map(str, needs.untracked)),
    )


def _lines(side: Side, entity: Entity, fields: tuple[NewField, ...]) -> Iterator[NewFieldLine]:
    for new in fields:
        link = f"{new.link.entity}.{new.link.field}" if new.link else None
        yield NewFieldLine(str(side), str(entity), new.name, new.label, new.native_type, new.is_key, link)
