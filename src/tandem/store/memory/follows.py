"""What links show of other records, kept in memory."""

from collections.abc import Collection, Iterator
from typing import Protocol

from tandem.core.plan import LinkPlan
from tandem.core.record import LinkNumber, RecordKey


class Following(Protocol):
    follows: "dict[LinkNumber, frozenset[tuple[RecordKey, str]]]"


def note_follows(state: Following, number: LinkNumber, planned: LinkPlan) -> None:
    if planned.follows is not None:
        state.follows[number] = frozenset((follow.parent, follow.pair) for follow in planned.follows)


def find_followers(state: Following, parent: RecordKey, pairs: Collection[str]) -> Iterator[LinkNumber]:
    for number, shown in state.follows.items():
        if any((parent, pair) in shown for pair in pairs):
            yield number
