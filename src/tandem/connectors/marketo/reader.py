"""Present values of records, by id or by another searchable field, 300 values a call and several calls at once.

Marketo cannot be asked for a value that holds a comma: commas separate the values and nothing escapes one. Such values
find nothing here; no id, GUID or valid e-mail address holds one.
"""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, Final, TypeVar

from tandem.connectors.marketo.client import MarketoClient
from tandem.connectors.marketo.errors import TIMED_OUT, TooManyResultsError
from tandem.connectors.marketo.objects import object_of
from tandem.connectors.marketo.wire import RowReader
from tandem.core.errors import TransientError
from tandem.core.record import Entity, Presence, RecordId, Value
from tandem.ports import Reading

VALUES_MAX: Final = 300

T = TypeVar("T")


async def fetch_records(
    client: MarketoClient, entity: Entity, rows: RowReader, ids: Sequence[RecordId]
) -> list[Reading]:
    """A reading for every id in the order given, GONE where Marketo has no such record."""
    wanted = list(dict.fromkeys(ids))
    found = {
        reading.id: reading for reading in await find_records(client, entity, rows, object_of(entity).id_field, wanted)
    }
    return [found.get(id_) or Reading(id_, presence=Presence.GONE) for id_ in wanted]


async def find_records(
    client: MarketoClient, entity: Entity, rows: RowReader, by: str, values: Sequence[Value]
) -> list[Reading]:
    texts = list(dict.fromkeys(text for value in values if (text := _text(value))))
    parts = [texts[start : start + VALUES_MAX] for start in range(0, len(texts), VALUES_MAX)]
    pages = await all_of(_find_part(client, entity, rows, by, part) for part in parts)
    # One record may answer to values of two parts (never by a unique field): the later reading stands.
    return list({reading.id: reading for page in pages for reading in page}.values())


async def _find_part(
    client: MarketoClient, entity: Entity, rows: RowReader, by: str, texts: Sequence[str]
) -> list[Reading]:
    """Halves the values while they match more than the 1,000 records that Marketo answers at most, or take it more
    time than it has."""
    try:
        return await _query(client, entity, rows, by, texts)
    except (TooManyResultsError, TransientError) as error:
        if len(texts) == 1 or error.code not in (TooManyResultsError.CODE, TIMED_OUT):
            raise
        middle = len(texts) // 2
        first = await _find_part(client, entity, rows, by, texts[:middle])
        return first + await _find_part(client, entity, rows, by, texts[middle:])


async def _query(
    client: MarketoClient, entity: Entity, rows: RowReader, by: str, texts: Sequence[str]
) -> list[Reading]:
    kind = object_of(entity)
    params = {
        "filterType": by,
        "filterValues": ",".join(texts),
        "fields": ",".join(dict.fromkeys([kind.id_field, *rows.fields])),
    }
    found: list[Reading] = []
    while True:
        answer = await client.query(f"{kind.operation}.query", f"{kind.path}.json", params)
        page = rows.read(answer.result)
        found += [Reading(id_, values) for id_, values in page]
        if not answer.next_page_token or not page or answer.next_page_token == params.get("nextPageToken"):
            return found
        params["nextPageToken"] = answer.next_page_token


def _text(value: Value) -> str:
    """A filter value; empty for what cannot be asked for."""
    text = "" if value is None else str(value).strip()
    return "" if "," in text else text


async def all_of(calls: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """The results in order; the first failure ends the others."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
