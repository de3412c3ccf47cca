"""A pilot: only some people take part in a pass, everybody else waits untouched.

It names them by an expression over their Dynamics records, or takes the first so many. What they need (their account,
their owner) comes with them; everything else stays in the inbox for the first pass of the whole sync.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tandem.core.filters import RecordFilter
from tandem.core.mapping import EntityMapping
from tandem.core.record import CONTACT, LEAD, Base, Entity, RecordKey, State, Unknown, Value

PEOPLE = (CONTACT, LEAD)


@dataclass(slots=True)
class Pilot:
    """``only`` holds the compiled expression of each table of people; ``limit`` is how many may be linked in all, of
    which ``linked`` are. ``chosen`` and ``awaited`` grow during a pass: who was let in, and whom those need."""

    text: str
    only: Mapping[Entity, RecordFilter] = field(default_factory=dict)
    limit: int | None = None
    linked: int = 0
    chosen: set[RecordKey] = field(default_factory=set)
    awaited: set[RecordKey] = field(default_factory=set)

    def admits_new(self, mapping: EntityMapping, crm: State) -> bool:
        """Whether a record that nothing is linked to takes part."""
        if crm.key.entity not in PEOPLE:
            return crm.key in self.awaited
        if not self.admits_values(mapping, dict(zip(mapping.crm_fields, crm.values, strict=bool(crm.values)))):
            return False
        if self.limit is not None and crm.key not in self.chosen and self.linked + len(self.chosen) >= self.limit:
            return False
        self.chosen.add(crm.key)
        return True

    def admits_linked(self, mapping: EntityMapping, crm: State | None, base: Base) -> bool:
        """Whether a record that is linked goes on: by what it holds, or held where it is gone or was not read."""
        if crm is not None and crm.is_present:
            return self.admits_values(mapping, dict(zip(mapping.crm_fields, crm.values, strict=True)))
        held = {pair.crm: value for pair, value in zip(mapping.pairs, base.crm, strict=True)}
        return self.admits_values(mapping, {n: None if isinstance(v, Unknown) else v for n, v in held.items()})

    def admits_values(self, mapping: EntityMapping, values: Mapping[str, Value]) -> bool:
        chosen = self.only.get(mapping.crm_entity)
        return chosen is None or chosen.passes(values)
