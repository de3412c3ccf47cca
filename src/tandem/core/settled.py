"""What a person decided about a held conflict: which side's value it shall be.

The decision is about the two values that the person saw. It is planned like everything else, from what both sides hold
then: where either has changed meanwhile the decision is over, and the new difference is a conflict of its own.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from tandem.core.mapping import Winner
from tandem.core.merge import Sighting
from tandem.core.plan import Conflict, ConflictKind
from tandem.core.record import Side
from tandem.core.values import same

SETTLEABLE: Final = frozenset({ConflictKind.BOTH_CHANGED, ConflictKind.FIRST_LINK})
"""The others tell of something that has happened: there is nothing left to choose."""


@dataclass(frozen=True, slots=True)
class Settled:
    conflict: Conflict
    side: Side

    def is_about(self, seen: Sighting) -> bool:
        conflict = self.conflict
        is_field = conflict.field == seen.pair.name
        return is_field and same(conflict.crm, seen.crm) and same(conflict.marketing, seen.marketing)


def as_settled(seen: Sighting, decisions: Iterable[Settled]) -> Sighting:
    """`seen`, with the decided side as the winner of its pair."""
    for decision in decisions:
        if decision.is_about(seen):
            winner = Winner(decision.side.value)
            return replace(seen, pair=replace(seen.pair, winner=winner, first_link=winner))
    return seen
