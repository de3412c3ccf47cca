"""All parts together."""

from tandem.store.memory.backfills import MemoryBackfills
from tandem.store.memory.backlog import MemoryBacklog
from tandem.store.memory.claims import MemoryClaims
from tandem.store.memory.history import MemoryHistory
from tandem.store.memory.leases import MemoryLeases
from tandem.store.memory.matches import MemoryMatches
from tandem.store.memory.outcomes import MemoryOutcomes
from tandem.store.memory.plans import MemoryPlans
from tandem.store.memory.reports import MemoryReports
from tandem.store.memory.requests import MemoryRequests
from tandem.store.memory.scope import MemoryScope


class MemoryStore(
    MemoryBackfills,
    MemoryBacklog,
    MemoryClaims,
    MemoryHistory,
    MemoryLeases,
    MemoryMatches,
    MemoryOutcomes,
    MemoryPlans,
    MemoryReports,
    MemoryRequests,
    MemoryScope,
):
    """One process's store; several over one state stand for several processes."""

    def close(self) -> None:
        """Nothing to close: the state lives as long as somebody holds it."""
