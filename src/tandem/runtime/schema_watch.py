"""Whether both sides' fields still are what the mapping was made from.

Dynamics forgets its delta links when a table's columns change, so an expired feed is a reason to look, and so is a call
that is refused, as when a column goes in the middle of a pass. Marketo tells nothing, and labels of choices change
without a word, so there is a look now and then as well. What has changed is not dealt with here: the engine is opened
again, which resolves the mapping anew.
"""

from datetime import timedelta
from typing import Final

from tandem.core.errors import SchemaChangedError
from tandem.core.record import Entity, Side
from tandem.core.schema import EntitySchema
from tandem.runtime.engine import Engine

EVERY: Final = timedelta(hours=1)


async def look_at_schemas_when_due(engine: Engine) -> None:
    """
    Raises:
        SchemaChangedError: a mapped field is gone, of another type, or its labels are others.
    """
    now = engine.clock.now()
    if engine.schemas_seen_at is None:
        engine.schemas_seen_at = now
    if now - engine.schemas_seen_at < EVERY:
        return
    await look_at_schemas(engine)
    engine.schemas_seen_at = now


async def look_at_schemas(engine: Engine) -> None:
    """Raises: SchemaChangedError."""
    for entity in engine.mappings:
        await look_at_schema(engine, Side.CRM, entity)
    for entity in dict.fromkeys(mapping.marketing_entity for mapping in engine.mappings.values()):
        await look_at_schema(engine, Side.MARKETING, entity)


async def look_at_schema(engine: Engine, side: Side, entity: Entity) -> None:
    """Raises: SchemaChangedError."""
    paths = engine.mappings[entity].paths if side is Side.CRM else ()
    compare(engine, side, entity, await engine.connector(side).fetch_schema(entity, paths))


def compare(engine: Engine, side: Side, entity: Entity, present: EntitySchema) -> None:
    for mapping in engine.mappings.values():
        if entity not in (mapping.crm_entity, mapping.marketing_entity):
            continue
        for pair in mapping.pairs:
            known, name = pair.info_on(side), pair.field_on(side)
            if known is None:
                continue
            found = present.fields.get(name)
            if found is None:
                raise _changed(side, entity, name, "is gone")
            if not found.is_like(known):
                raise _changed(side, entity, name, "is of another type, or its labels have changed")


def _changed(side: Side, entity: Entity, field: str, what: str) -> SchemaChangedError:
    text = f"The field {entity}.{field} of {side} {what}; the mapping is made anew."
    return SchemaChangedError(text, side=side, operation=f"schema of {entity}", code="schema")
