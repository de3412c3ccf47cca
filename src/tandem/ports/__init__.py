"""What the runtime needs from the outside: Connector, Store, Clock, IdSource, and what people do at a Desk.

Implementations are chosen in ``tandem.app.build`` and nowhere else. A new method here gets a case in the contract suite
of its port (``tests/conformance``), which every implementation runs.
"""

from tandem.ports.connector import (
    Access,
    Budget,
    Connector,
    Missing,
    Page,
    Reading,
    Refused,
    Stale,
    Sweep,
    Taken,
    Write,
    WriteResult,
    Written,
)
from tandem.ports.desk import Campaign, Desk, MemberList, Rosters, Task
from tandem.ports.store import Store
from tandem.ports.stored import (
    BacklogRow,
    Claim,
    ConflictRow,
    EntityStatus,
    HoldRow,
    JournalRow,
    JournalState,
    Lease,
    MatchGroup,
    MatchRow,
    Outcome,
    RunSummary,
    SyncedRow,
)
from tandem.ports.time_and_ids import Clock, IdSource

__all__ = [
    "Access",
    "BacklogRow",
    "Budget",
    "Campaign",
    "Claim",
    "Clock",
    "ConflictRow",
    "Connector",
    "Desk",
    "EntityStatus",
    "HoldRow",
    "IdSource",
    "JournalRow",
    "JournalState",
    "Lease",
    "MatchGroup",
    "MatchRow",
    "MemberList",
    "Missing",
    "Outcome",
    "Page",
    "Reading",
    "Refused",
    "Rosters",
    "RunSummary",
    "Stale",
    "Store",
    "Sweep",
    "SyncedRow",
    "Taken",
    "Task",
    "Write",
    "WriteResult",
    "Written",
]
