"""Whether an update failed on its own record or on one that it names.

Marketo answers 1004 and 1013 for both (marketo-rest 2.3, 4.1, 4.3). A record that is gone is a deletion to act on; one
that names what is gone would be sent again with every pass. So a record that carries a link is looked at by its id:
where it is there, the link is what leads nowhere.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from tandem.connectors.marketo import reader
from tandem.connectors.marketo.client import MarketoClient
from tandem.connectors.marketo.errors import refused_for
from tandem.connectors.marketo.objects import OPPORTUNITY, OPPORTUNITY_ROLE, MarketoObject
from tandem.connectors.marketo.wire import RowReader, UnreadableError, WireLinks, WireResult
from tandem.core.errors import RemoteError
from tandem.core.record import Entity, Presence, RecordId, Value
from tandem.ports import Missing, WriteResult

NO_PERSON: Final = "1004"

_LINKS: Final[Mapping[Entity, Mapping[str, bool]]] = {
    OPPORTUNITY: {"externalCompanyId": False},
    OPPORTUNITY_ROLE: {"externalOpportunityId": False, "leadId": True},
}
"""Fields of the standard objects that name another record, and whether that is a person; a sales person who is not
there has a code of its own (718)."""


async def tell_apart(
    client: MarketoClient,
    object_: MarketoObject,
    records: Sequence[Mapping[str, Value]],
    answers: Sequence[WireResult],
    results: list[WriteResult],
) -> list[WriteResult]:
    """`results`, in which a record that is there is not missing but refused for the field that leads nowhere.

    It raises nothing, for other records of the call are written: where the look fails, they stay missing, and are read
    before they are planned again.
    """
    missing = [place for place, result in enumerate(results) if isinstance(result, Missing)]
    if not missing or not (object_.is_custom or object_.entity in _LINKS):
        return results
    try:
        links = await _links_of(client, object_)
        named = {place: fields for place in missing if (fields := links.keys() & records[place].keys())}
        present = await _present(client, object_, [records[place] for place in named])
    except (RemoteError, UnreadableError):
        return results
    told = list(results)
    for place, fields in named.items():
        if str(records[place][object_.id_field]) in present:
            code = str(answers[place].reasons[0].code)
            guilty = [field for field in fields if links[field] is (code == NO_PERSON)]
            told[place] = refused_for(code, guilty[0] if len(guilty) == 1 else None)
    return told


async def _links_of(client: MarketoClient, object_: MarketoObject) -> Mapping[str, bool]:
    if not object_.is_custom:
        return _LINKS[object_.entity]
    answer = await client.get(f"{object_.operation}.describe", f"{object_.path}/describe.json")
    return {
        relation.field: relation.target.lower() in ("lead", "person")
        for described in answer.rows(WireLinks)
        for relation in described.relationships
    }


async def _present(client: MarketoClient, object_: MarketoObject, records: Sequence[Mapping[str, Value]]) -> set[str]:
    """Ids of those of `records` that Marketo has."""
    rows = RowReader((), {}, object_.id_field)
    ids = [RecordId(str(record[object_.id_field])) for record in records]
    readings = await reader.fetch_records(client, object_.entity, rows, ids) if ids else []
    return {str(reading.id) for reading in readings if reading.presence is Presence.PRESENT}
