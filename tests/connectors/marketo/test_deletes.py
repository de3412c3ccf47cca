"""Deletes: people and objects by Marketo's id, each with its own outcome."""

from tandem.connectors.marketo.connector import MarketoConnector
from tandem.core.plan import ActionKind
from tandem.core.record import COMPANY, PERSON, Presence, RecordId
from tandem.ports import Missing, Refused, Write, Written
from tests.connectors.marketo.emulator import Emulator


def a_delete(record_id: str) -> Write:
    return Write(ActionKind.DELETE, RecordId(record_id), {})


def a_person(emulator: Emulator, **values: str) -> RecordId:
    made = emulator.control("people/create", {"entity": "person", "values": values})
    return RecordId(str(made["id"]))


async def test_people_are_deleted_and_one_that_is_not_there_is_missing(
    connector: MarketoConnector, emulator: Emulator
) -> None:
    first, second = (a_person(emulator, lastName=name) for name in ("Deleted", "Kept"))
    results = await connector.write(PERSON, [a_delete(first), a_delete("999999999")])
    assert results == [Written(first), Missing()]
    readings = await connector.fetch_records(PERSON, ["lastName"], [first, second])
    assert [reading.presence for reading in readings] == [Presence.GONE, Presence.PRESENT]


async def test_a_company_in_use_is_refused_with_the_reason(connector: MarketoConnector, emulator: Emulator) -> None:
    create = Write(
        ActionKind.CREATE, None, {"externalCompanyId": "to-delete", "company": "Gone Ltd"}, lookup="externalCompanyId"
    )
    (made,) = await connector.write(COMPANY, [create])
    assert isinstance(made, Written)
    a_person(emulator, lastName="Employee", externalCompanyId="to-delete")
    (refused,) = await connector.write(COMPANY, [a_delete(made.id)])
    assert isinstance(refused, Refused)
    assert refused.code == "1022"


async def test_a_company_that_nobody_needs_is_deleted(connector: MarketoConnector) -> None:
    create = Write(
        ActionKind.CREATE, None, {"externalCompanyId": "lonely", "company": "Lonely"}, lookup="externalCompanyId"
    )
    (made,) = await connector.write(COMPANY, [create])
    assert isinstance(made, Written)
    assert await connector.write(COMPANY, [a_delete(made.id)]) == [Written(made.id)]
    assert await connector.write(COMPANY, [a_delete(made.id)]) == [Missing()]
