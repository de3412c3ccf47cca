"""Objects besides people: opportunities and their roles, and custom objects, by the one interface they share."""

import pytest

from tandem.connectors.marketo.connector import MarketoConnector
from tandem.connectors.marketo.objects import OPPORTUNITY, OPPORTUNITY_ROLE, object_of
from tandem.core.permissions import Feature
from tandem.core.plan import ActionKind
from tandem.core.record import COMPANY, PERSON, Entity, Presence, RecordId, Value
from tandem.core.schema import FieldKind
from tandem.ports import Missing, Refused, Taken, Write, Written
from tests.connectors.marketo.emulator import Emulator


def a_create(lookup: str, /, **values: Value) -> Write:
    return Write(ActionKind.CREATE, None, values, lookup=lookup)


def an_update(id_: RecordId, **values: Value) -> Write:
    return Write(ActionKind.UPDATE, id_, values)


async def made(connector: MarketoConnector, entity: Entity, write: Write) -> RecordId:
    [result] = await connector.write(entity, [write])
    assert isinstance(result, Written)
    return result.id


def an_opportunity(number: int, **values: Value) -> Write:
    return a_create("externalOpportunityId", externalOpportunityId=f"o-{number}", name=f"Deal {number}", **values)


async def test_an_opportunity_is_made_once_changed_by_its_guid_and_found_by_its_key(
    connector: MarketoConnector,
) -> None:
    id_ = await made(connector, OPPORTUNITY, an_opportunity(1, amount=12.5))
    assert len(id_) == 36
    assert list(await connector.write(OPPORTUNITY, [an_opportunity(1)])) == [Taken()]
    unknown = RecordId("00000000-0000-0000-0000-000000000000")
    results = await connector.write(OPPORTUNITY, [an_update(unknown, name="No"), an_update(id_, name="Won")])
    assert list(results) == [Missing(), Written(id_)]
    [found] = await connector.find_records(OPPORTUNITY, ["name", "amount"], "externalOpportunityId", ["o-1", "o-9"])
    assert (found.id, found.values) == (id_, ("Won", 12.5))
    [gone, read] = await connector.fetch_records(OPPORTUNITY, ["marketoGUID", "name"], [unknown, id_])
    assert (gone.presence, read.values) == (Presence.GONE, (id_, "Won"))


async def test_an_opportunity_needs_its_name(connector: MarketoConnector) -> None:
    [refused] = await connector.write(OPPORTUNITY, [a_create("externalOpportunityId", externalOpportunityId="o-2")])
    assert isinstance(refused, Refused)


async def test_a_role_joins_a_person_and_an_opportunity(connector: MarketoConnector, emulator: Emulator) -> None:
    await made(connector, OPPORTUNITY, an_opportunity(3))
    person = int(emulator.records("person")[0]["id"])
    role: dict[str, Value] = {"externalOpportunityId": "o-3", "leadId": person, "role": "Decision Maker"}
    writes = [
        a_create("externalOpportunityId", **role, isPrimary=True),
        a_create("externalOpportunityId", **role | {"role": "Evaluator"}),
    ]
    first, second = await connector.write(OPPORTUNITY_ROLE, writes)
    assert isinstance(first, Written)
    assert isinstance(second, Written)
    id_ = first.id
    assert list(await connector.write(OPPORTUNITY_ROLE, [an_update(id_, isPrimary=False)])) == [Written(id_)]
    fields = ["leadId", "role", "isPrimary"]
    found = await connector.find_records(OPPORTUNITY_ROLE, fields, "externalOpportunityId", ["o-3"])
    assert {reading.id: reading.values for reading in found} == {
        id_: (person, "Decision Maker", False),
        second.id: (person, "Evaluator", False),
    }


async def test_their_schemas_say_what_can_be_written(connector: MarketoConnector) -> None:
    fields = (await connector.fetch_schema(OPPORTUNITY)).fields
    assert (fields["name"].kind, fields["name"].is_writable) == (FieldKind.TEXT, True)
    assert not fields["marketoGUID"].is_writable
    assert (await connector.fetch_schema(OPPORTUNITY_ROLE)).fields["leadId"].kind is FieldKind.INTEGER


async def test_every_subscription_has_the_standard_objects(connector: MarketoConnector) -> None:
    before = connector.calls
    assert [await connector.has_entity(entity) for entity in (PERSON, COMPANY, OPPORTUNITY)] == [True] * 3
    assert connector.calls == before


async def test_check_tries_objects_too(connector: MarketoConnector, emulator: Emulator) -> None:
    emulator.control("privileges", {"revoke": ["Read-Write Opportunity"]})
    deals = Feature("opportunities", "Opportunities", marketing=("Read-Write Opportunity",))
    lines = await connector.check_access([OPPORTUNITY], [deals])
    assert [line.is_ok for line in lines] == [True, True, False]
    assert [line.what for line in lines[:2]] == ["Marketo: sign in", "Marketo: read opportunity"]
    assert "'Read-Write Opportunity'" in lines[-1].remedy


@pytest.mark.parametrize(
    ("entity", "path", "id_field"),
    [
        ("person", "/rest/v1/leads", "id"),
        ("opportunityrole", "/rest/v1/opportunities/roles", "marketoGUID"),
        ("car_c", "/rest/v1/customobjects/car_c", "marketoGUID"),
        ("../leads", "/rest/v1/customobjects/..%2Fleads", "marketoGUID"),
    ],
)
def test_what_is_no_standard_object_is_a_custom_one_by_its_api_name(entity: str, path: str, id_field: str) -> None:
    kind = object_of(Entity(entity))
    assert (kind.path, kind.id_field) == (path, id_field)
