"""The ids that a table holds: what a feed without change tracking cannot tell is found by comparing them.

Only the key is selected, 5,000 rows a page, so that a million rows cost 200 calls.
"""

from collections.abc import AsyncIterator, Sequence

from tandem.connectors.dynamics.client import DynamicsClient
from tandem.connectors.dynamics.schema import Table
from tandem.connectors.dynamics.wire import RowShape
from tandem.core.record import RecordId
from tandem.ports import Sweep


def sweep_of(table: Table) -> Sweep:
    if table.is_tracked:
        return Sweep.NOTHING
    return Sweep.DELETIONS if "modifiedon" in table.columns else Sweep.EVERYTHING


async def fetch_ids(client: DynamicsClient, table: Table, *, page_size: int) -> AsyncIterator[Sequence[RecordId]]:
    operation = f"read ids of {table.entity}"
    shape = RowShape(table, ["@id"])
    path: str | None = f"{table.set_name}?$select={shape.select}"
    while path is not None:
        response = await client.get(operation, path, prefer=f"odata.maxpagesize={page_size}")
        rows = shape.parse_page(response.body, operation)
        yield [reading.id for reading in rows.readings]
        path = rows.next_path
