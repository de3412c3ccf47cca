"""Custom objects: types made through the schema API, and their records."""

import pytest

from tandem.connectors.marketo.connector import MarketoConnector
from tandem.core.errors import AccessError, RejectedError, UnknownOutcomeError
from tandem.core.plan import ActionKind
from tandem.core.record import PERSON, Entity, Presence, RecordId, Value
from tandem.core.schema import FieldKind, FieldLink, NewField, NewObject
from tandem.ports import Missing, Taken, Write, Written
from tests.connectors.marketo.emulator import Emulator

CAR = NewObject(
    Entity("car"),
    "Car",
    "Cars",
    (
        NewField("vin", "VIN", "string", is_key=True),
        NewField("owner", "Owner", "integer", link=FieldLink(PERSON, "id")),
        NewField("colour", "Colour", "string"),
        NewField("doors", "Doors", "integer"),
    ),
)


def a_create(**values: Value) -> Write:
    return Write(ActionKind.CREATE, None, values, lookup="vin")


@pytest.fixture
async def cars(connector: MarketoConnector, emulator: Emulator) -> MarketoConnector:
    await connector.create_object(CAR)
    emulator.control("counters/reset", {})
    return connector


async def test_a_type_is_made_with_its_fields_key_and_link_and_is_usable_at_once(cars: MarketoConnector) -> None:
    assert await cars.has_entity(CAR.name)
    fields = (await cars.fetch_schema(CAR.name)).fields
    assert {"vin", "owner", "colour", "doors", "marketoGUID"} <= set(fields)
    assert (fields["doors"].kind, fields["vin"].is_searchable, fields["owner"].is_searchable) == (
        FieldKind.INTEGER,
        True,
        True,
    )
    assert not fields["marketoGUID"].is_writable


async def test_what_does_not_exist_is_not_had(connector: MarketoConnector) -> None:
    assert not await connector.has_entity(Entity("boat"))
    with pytest.raises(RejectedError):
        await connector.fetch_schema(Entity("boat"))
    with pytest.raises(RejectedError, match="boat"):
        await connector.create_fields(Entity("boat"), [NewField("x", "X", "string")])


async def test_making_it_again_changes_nothing(cars: MarketoConnector, emulator: Emulator) -> None:
    await cars.create_object(CAR)
    counted = emulator.counters()["requests"]
    writing = ("sync", "addfield", "approve")
    assert [counted.get(f"customobjects.schema.{name}", 0) for name in writing] == [0, 0, 0]


async def test_a_draft_that_was_left_half_made_is_completed(connector: MarketoConnector, emulator: Emulator) -> None:
    new = NewObject(Entity("trailer"), "Trailer", "Trailers", (NewField("plate", "Plate", "string", is_key=True),))
    emulator.fault("customobjects.schema.approve", "drop_before")
    with pytest.raises(UnknownOutcomeError):
        await connector.create_object(new)
    assert not await connector.has_entity(new.name)
    await connector.create_object(new)
    assert await connector.has_entity(new.name)


async def test_fields_are_added_to_an_approved_type(cars: MarketoConnector) -> None:
    await cars.create_fields(CAR.name, [NewField("seats", "Seats", "integer"), NewField("vin", "VIN", "string")])
    assert (await cars.fetch_schema(CAR.name)).fields["seats"].kind is FieldKind.INTEGER


async def test_a_link_to_what_cannot_be_linked_is_refused_by_name(connector: MarketoConnector) -> None:
    fields = (NewField("k", "K", "string", is_key=True), NewField("who", "Who", "string", link=FieldLink(PERSON, "no")))
    with pytest.raises(RejectedError, match="who"):
        await connector.create_object(NewObject(Entity("badlink"), "Bad Link", "Bad Links", fields))


async def test_records_are_made_once_changed_by_guid_and_found_by_key_or_link(
    cars: MarketoConnector, emulator: Emulator
) -> None:
    person = int(emulator.records("person")[0]["id"])
    first, second = await cars.write(
        CAR.name, [a_create(vin="v-1", owner=person, colour="red", doors=3), a_create(vin="v-2", owner=person)]
    )
    assert isinstance(first, Written)
    assert isinstance(second, Written)
    assert list(await cars.write(CAR.name, [a_create(vin="v-1", owner=person)])) == [Taken()]
    unknown = RecordId("00000000-0000-0000-0000-000000000000")
    updates = [
        Write(ActionKind.UPDATE, unknown, {"colour": "none"}),
        Write(ActionKind.UPDATE, first.id, {"colour": None, "doors": 5}),
    ]
    assert list(await cars.write(CAR.name, updates)) == [Missing(), Written(first.id)]
    fields = ["vin", "owner", "colour", "doors"]
    by_key = await cars.find_records(CAR.name, fields, "vin", ["v-1", "v-9"])
    assert [(reading.id, reading.values) for reading in by_key] == [(first.id, ("v-1", person, None, 5))]
    by_link = await cars.find_records(CAR.name, fields, "owner", [person])
    assert {reading.id for reading in by_link} == {first.id, second.id}
    gone, read = await cars.fetch_records(CAR.name, fields, [unknown, second.id])
    assert (gone.presence, read.values) == (Presence.GONE, ("v-2", person, None, None))


@pytest.mark.parametrize("shown", ["text", "number"])
async def test_a_link_to_a_person_reads_as_a_number_however_it_is_shown(
    cars: MarketoConnector, emulator: Emulator, shown: str
) -> None:
    emulator.settings(custom_link_values=shown)
    person = int(emulator.records("person")[1]["id"])
    [made] = await cars.write(CAR.name, [a_create(vin=f"v-{shown}", owner=person)])
    assert isinstance(made, Written)
    [reading] = await cars.fetch_records(CAR.name, ["owner"], [made.id])
    assert reading.values == (person,)


@pytest.mark.parametrize(
    ("setting", "code", "remedy"),
    [
        ({"custom_object_schema_api": False}, "616", "make the type by hand"),
        ({"custom_objects": False}, "1026", "custom objects"),
    ],
)
async def test_without_a_licence_the_remedy_is_said(
    connector: MarketoConnector, emulator: Emulator, setting: dict[str, bool], code: str, remedy: str
) -> None:
    emulator.settings(**setting)
    with pytest.raises(AccessError, match=remedy) as caught:
        await connector.create_object(NewObject(Entity("plane"), "Plane", "Planes", CAR.fields))
    assert caught.value.code == code
