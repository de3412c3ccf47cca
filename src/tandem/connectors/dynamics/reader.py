"""Records by id and by value: what the engine looks at between two pages of the feed."""

from collections.abc import Sequence
from typing import Final

from tandem.connectors.dynamics.client import DynamicsClient, fault_of
from tandem.connectors.dynamics.errors import NOT_FOUND, classify
from tandem.connectors.dynamics.wire import RowShape, filter_chunks, is_guid, render_equals
from tandem.core.errors import RejectedError
from tandem.core.record import Presence, RecordId, Side, Value
from tandem.core.schema import FieldKind
from tandem.ports import Reading

# A FetchXML query, which every filter becomes, takes 500 conditions; proxies on the way take less than the 32 KB of URL
# that the service does.
COMPARISONS_MAX: Final = 100
FILTER_LENGTH_MAX: Final = 6_000


async def fetch_records(client: DynamicsClient, shape: RowShape, ids: Sequence[RecordId]) -> list[Reading]:
    """One reading for each id, in order. An id that is no GUID names no record, and none is asked for."""
    table = shape.table
    operation = f"read {table.entity}"
    known = list(dict.fromkeys(i for i in ids if is_guid(i)))
    answers = await client.get_many(operation, [f"{table.set_name}({i})?$select={shape.select}" for i in known])
    readings: dict[RecordId, Reading] = {}
    for record_id, answer in zip(known, answers, strict=True):
        fault = fault_of(answer)
        if fault is None:
            readings[record_id] = shape.parse_row(answer.body, operation)
        elif not (fault.status == 404 and fault.code == NOT_FOUND):
            raise classify(fault, operation)
    return [readings.get(i) or Reading(i, presence=Presence.GONE) for i in ids]


async def fetch_pairs(
    client: DynamicsClient, shape: RowShape, ids: Sequence[RecordId], *, page_size: int
) -> list[Reading]:
    """Rows of a table of pairs by their ids: the service retrieves several of them only, never one by its address."""
    found = {r.id: r for r in await find_records(client, shape, "@id", ids, page_size=page_size)}
    return [found.get(i) or Reading(i, presence=Presence.GONE) for i in ids]


async def find_by_ids(client: DynamicsClient, shape: RowShape, ids: Sequence[str]) -> list[Reading]:
    """The rows that are there, in one call for some nine thousand ids: chains of ``eq``, a hundred to a batch."""
    table = shape.table
    operation = f"find {table.entity} by @id"
    comparisons = (render_equals(table, "@id", id_) for id_ in dict.fromkeys(ids) if is_guid(id_))
    chains = filter_chunks(comparisons, count_max=COMPARISONS_MAX, length_max=FILTER_LENGTH_MAX)
    paths = [f"{table.set_name}?$select={shape.select}&$filter={chain}" for chain in chains]
    found: list[Reading] = []
    for answer in await client.get_many(operation, paths):
        if fault := fault_of(answer):
            raise classify(fault, operation)
        found += shape.parse_page(answer.body, operation).readings
    if any(reading.presence is not Presence.PRESENT for reading in found):
        text = f"Dynamics, {operation}: the answer lacks a column that was selected."
        raise RejectedError(text, side=Side.CRM, operation=operation, code="shape")
    return found


async def find_records(
    client: DynamicsClient, shape: RowShape, by: str, values: Sequence[Value], *, page_size: int
) -> list[Reading]:
    """Chains of ``eq``: the service compares text without case, and takes them for every type of column."""
    table = shape.table
    operation = f"find {table.entity} by {by}"
    is_id = by == "@id" or table.column(by).kind is FieldKind.REFERENCE
    wanted = dict.fromkeys(v for v in values if v is not None and not (is_id and not is_guid(str(v))))
    comparisons = (render_equals(table, by, value) for value in wanted)
    readings: dict[RecordId, Reading] = {}
    for chain in filter_chunks(comparisons, count_max=COMPARISONS_MAX, length_max=FILTER_LENGTH_MAX):
        path: str | None = f"{table.set_name}?$select={shape.select}&$filter={chain}"
        while path is not None:
            response = await client.get(operation, path, prefer=f"odata.maxpagesize={page_size}")
            rows = shape.parse_page(response.body, operation)
            readings.update((reading.id, reading) for reading in rows.readings)
            path = rows.next_path
    return list(readings.values())
