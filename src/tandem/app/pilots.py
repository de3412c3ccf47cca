"""What `--only` and `--limit` ask for, as a pilot over the mapped columns."""

from collections.abc import Mapping
from dataclasses import dataclass

from tandem.core.filters import compile_filter
from tandem.core.mapping import EntityMapping
from tandem.core.pilot import PEOPLE, Pilot
from tandem.core.record import Entity


@dataclass(frozen=True, slots=True)
class PilotWish:
    only: str | None = None
    limit: int | None = None

    def __str__(self) -> str:
        parts = ([f"only {self.only}"] if self.only else []) + ([f"the first {self.limit:,}"] if self.limit else [])
        return ", ".join(parts)


def wish(only: str | None, limit: int | None) -> PilotWish | None:
    return PilotWish(only, limit) if only or limit else None


def choose_pilot(wanted: PilotWish, mappings: Mapping[Entity, EntityMapping]) -> Pilot:
    """
    Raises:
        ConfigError: no expression, or a column that leads or contacts do not map.
    """
    tables = [entity for entity in PEOPLE if entity in mappings] if wanted.only else []
    compiled = {
        entity: compile_filter(wanted.only or "", mappings[entity].crm_fields, f"--only (for {entity})")
        for entity in tables
    }
    return Pilot(str(wanted), {entity: chosen for entity, chosen in compiled.items() if chosen}, wanted.limit)
