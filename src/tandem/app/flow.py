"""What flows and what waits: the backlog of each table with its oldest record, and what the last hours wrote."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tandem.app.reports import Backlog
from tandem.core.record import Entity
from tandem.ports import Store
from tandem.runtime.engine import load_marks, read_after

_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Flow:
    """``backlog`` by entity and whether the other side lacks the record."""

    backlog: Mapping[tuple[Entity, bool], Backlog]
    last_hour: Counter[Entity]
    full_hour: Counter[Entity]
    full_hour_at: datetime


def load_flow(store: Store, now: datetime) -> Flow:
    marks = load_marks(store)
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    return Flow(
        backlog={
            (row.crm_entity, row.is_insert): Backlog(row.count, read_after(marks, row.oldest))
            for row in store.load_backlog()
        },
        last_hour=_written(store, now - _HOUR, now + _HOUR),  # the clock of the store's writer may be ahead of ours
        full_hour=_written(store, this_hour - _HOUR, this_hour),
        full_hour_at=this_hour - _HOUR,
    )


def _written(store: Store, since: datetime, until: datetime) -> Counter[Entity]:
    found: Counter[Entity] = Counter()
    for row in store.load_synced(since, until):
        found[row.crm_entity] += row.count
    return found
