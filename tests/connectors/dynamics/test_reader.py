"""Records by id and by value."""

import pytest

from tandem.connectors.dynamics.connector import DynamicsConnector
from tandem.core.errors import AccessError, RejectedError, TransientError
from tandem.core.record import ACCOUNT, CONTACT, USER, Presence, RecordId
from tandem.core.schema import FieldKind
from tests.connectors.dynamics.emulator import Emulator

NOBODY = RecordId("00000000-0000-0000-0000-00000000beef")


async def test_each_id_gets_its_reading_in_order(connector: DynamicsConnector, emulator: Emulator) -> None:
    held = emulator.records("contact")
    known = [RecordId(record_id) for record_id in held]
    ids = [NOBODY, *known, RecordId("typed by hand"), known[0]]
    readings = await connector.fetch_records(CONTACT, ["lastname", "@id"], ids)
    assert [reading.id for reading in readings] == ids
    assert [r.id for r in readings if r.presence is Presence.GONE] == [NOBODY, "typed by hand"]
    assert len(known) > 100  # more than one batch
    for reading in readings[1:-2]:
        assert reading.values == (held[reading.id]["lastname"], reading.id)
        assert reading.version == f'W/"{held[reading.id]["versionnumber"]}"'


async def test_no_ids_no_call(connector: DynamicsConnector) -> None:
    await connector.fetch_records(CONTACT, ["lastname"], [NOBODY])
    before = connector.calls
    assert await connector.fetch_records(CONTACT, ["lastname"], []) == []
    assert await connector.find_records(CONTACT, ["lastname"], "emailaddress1", []) == []
    assert connector.calls == before


async def test_a_read_that_is_not_permitted_is_not_an_absence(connector: DynamicsConnector, emulator: Emulator) -> None:
    await connector.fetch_schema(CONTACT)
    with emulator.revoked("prvReadContact"), pytest.raises(AccessError, match="prvReadContact"):
        await connector.fetch_records(CONTACT, ["lastname"], [NOBODY])


async def test_a_throttled_part_is_no_absence_either(connector: DynamicsConnector, emulator: Emulator) -> None:
    emulator.fault("contacts.read", "status", status=429, headers={"Retry-After": "3"})
    with pytest.raises(TransientError):
        await connector.fetch_records(CONTACT, ["lastname"], [NOBODY])


async def test_text_is_found_whatever_its_case(connector: DynamicsConnector, emulator: Emulator) -> None:
    made = emulator.create("contact", lastname="Ö'Brien & søn", emailaddress1="Mixed.Case@Somewhere.example")
    by_mail = await connector.find_records(
        CONTACT, ["lastname"], "emailaddress1", ["nobody@x.example", "mixed.CASE@somewhere.example"]
    )
    by_name = await connector.find_records(CONTACT, ["lastname"], "lastname", ["Ö'Brien & søn", None, "%"])
    assert [r.id for r in by_mail] == [r.id for r in by_name] == [made]


async def test_any_number_of_values_is_looked_for(connector: DynamicsConnector, emulator: Emulator) -> None:
    mails = {row["emailaddress1"] for row in emulator.records("contact").values() if row["emailaddress1"]}
    others = [f"nobody.with.a.rather.long.address.{n}@example.example" for n in range(400)]
    found = await connector.find_records(CONTACT, ["emailaddress1"], "emailaddress1", [*others, *mails])
    expected = {i for i, row in emulator.records("contact").items() if row["emailaddress1"]}
    assert {reading.id for reading in found} == expected
    assert len(found) == len(expected)


async def test_more_than_a_page_is_followed(emulator: Emulator, connector: DynamicsConnector) -> None:
    connector._page_size = 10
    found = await connector.find_records(CONTACT, ["lastname"], "statecode", [0, 1])
    assert {reading.id for reading in found} == set(emulator.records("contact"))


async def test_lookups_and_ids_are_looked_for_too(connector: DynamicsConnector, emulator: Emulator) -> None:
    account = emulator.create("account", name="Looked for")
    child = emulator.create("contact", lastname="C", **{"parentcustomerid_account@odata.bind": f"/accounts({account})"})
    by_parent = await connector.find_records(CONTACT, ["parentcustomerid"], "parentcustomerid", [account, "no guid"])
    by_id = await connector.find_records(ACCOUNT, ["name"], "@id", [account, NOBODY])
    assert [(r.id, r.values) for r in by_parent] == [(child, (account,))]
    assert [(r.id, r.values) for r in by_id] == [(account, ("Looked for",))]


async def test_the_schema_tells_types_lengths_labels_and_targets(connector: DynamicsConnector) -> None:
    fields = (await connector.fetch_schema(CONTACT)).fields
    assert (fields["emailaddress1"].kind, fields["emailaddress1"].max_length) == (FieldKind.TEXT, 100)
    assert (fields["birthdate"].kind, fields["modifiedon"].kind) == (FieldKind.DATE, FieldKind.DATETIME)
    assert fields["statecode"].choices == {0: "Active", 1: "Inactive"}
    assert fields["parentcustomerid"].targets == ("account", "contact")
    assert fields["donotbulkemail"].kind is FieldKind.BOOLEAN
    assert not fields["fullname"].is_writable
    assert not fields["modifiedon"].is_writable
    assert fields["lastname"].is_writable
    assert "statecodename" not in fields
    assert "fullname" in (await connector.fetch_schema(USER)).fields


async def test_an_unknown_column_is_refused_by_name(connector: DynamicsConnector) -> None:
    with pytest.raises(RejectedError, match="shoesize"):
        await connector.fetch_records(CONTACT, ["shoesize"], [NOBODY])
