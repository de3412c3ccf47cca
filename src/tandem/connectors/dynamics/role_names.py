"""The names of connection roles, which connections show by id only.

A role that is renamed leaves no mark on its connections, so their feed would never tell. A digest of all names goes
into that feed's cursor: with another one it has expired, and the connections are read anew.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from tandem.connectors.dynamics.client import DynamicsClient
from tandem.connectors.dynamics.schema import Table
from tandem.connectors.dynamics.views import Facts
from tandem.connectors.dynamics.wire import RowShape
from tandem.core.record import Value
from tandem.ports import Clock

LOOK_EVERY: Final = timedelta(minutes=10)
_OPERATION: Final = "read connectionrole"


class RoleNames:
    """All of them, as they were at the last look; an organisation has a few dozen."""

    def __init__(self, client: DynamicsClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._names: dict[str, Value] = {}
        self._looked_at: datetime | None = None

    async def digest(self, table: Table) -> str:
        if self._looked_at is None or self._clock.now() - self._looked_at >= LOOK_EVERY:
            await self._look(table)
        return hashlib.sha256(repr(sorted(self._names.items())).encode()).hexdigest()[:16]

    async def find(self, table: Table, ids: Sequence[str]) -> Facts:
        if not self._names.keys() >= set(ids):
            await self._look(table)
        return self._names

    async def _look(self, table: Table) -> None:
        shape = RowShape(table, ["name"])
        path: str | None = f"{table.set_name}?$select={shape.select}"
        names: dict[str, Value] = {}
        while path is not None:
            rows = shape.parse_page((await self._client.get(_OPERATION, path)).body, _OPERATION)
            names.update((str(reading.id), reading.values[0]) for reading in rows.readings)
            path = rows.next_path
        self._names, self._looked_at = names, self._clock.now()
