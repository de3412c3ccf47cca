"""Columns and keys made on request: checked first, made once, usable when the call returns."""

from itertools import count

import pytest

from tandem.connectors.dynamics.connector import DynamicsConnector
from tandem.core.errors import RejectedError, TransientError
from tandem.core.plan import ActionKind
from tandem.core.record import ACCOUNT, CONTACT, RecordId
from tandem.core.schema import FieldKind, NewField
from tandem.ports import Write, Written
from tests.connectors.dynamics.conftest import Connect
from tests.connectors.dynamics.emulator import Emulator, EmulatorClock

_NUMBERS = count(1)


def a_field(native_type: str = "String", **others: object) -> NewField:
    """A column that no test before has made."""
    given = {"name": f"new_made{next(_NUMBERS)}", "label": "Made Here", "native_type": native_type} | others
    return NewField(**given)  # type: ignore[arg-type]


@pytest.fixture
def patient(connect: Connect, emulator: Emulator) -> DynamicsConnector:
    return connect(emulator, clock=EmulatorClock(emulator))


@pytest.mark.parametrize(
    ("native_type", "kind", "value"),
    [
        ("String", FieldKind.TEXT, "Ünï"),
        ("Memo", FieldKind.TEXT, "a\nb"),
        ("Integer", FieldKind.INTEGER, 7),
        ("Decimal", FieldKind.NUMBER, 1.25),
        ("Double", FieldKind.NUMBER, 0.5),
        ("Boolean", FieldKind.BOOLEAN, True),
        ("DateTime", FieldKind.DATETIME, "2026-03-04T12:00:00Z"),
    ],
)
async def test_a_column_of_each_type_takes_a_value(
    patient: DynamicsConnector, emulator: Emulator, native_type: str, kind: FieldKind, value: str | float
) -> None:
    new = a_field(native_type)
    await patient.create_fields(CONTACT, [new])
    info = (await patient.fetch_schema(CONTACT)).fields[new.name]
    assert (info.kind, info.label, info.native_type) == (kind, "Made Here", native_type)
    known = RecordId(emulator.create("contact", lastname="Known"))
    (result,) = await patient.write(CONTACT, [Write(ActionKind.UPDATE, known, {new.name: value})])
    assert isinstance(result, Written)
    assert result.values == {new.name: value}


async def test_a_text_is_as_long_as_asked(patient: DynamicsConnector) -> None:
    short, usual = a_field(max_length=12), a_field()
    await patient.create_fields(CONTACT, [short, usual])
    fields = (await patient.fetch_schema(CONTACT)).fields
    assert [fields[new.name].max_length for new in (short, usual)] == [12, 100]


async def test_made_twice_it_is_made_once(patient: DynamicsConnector, emulator: Emulator) -> None:
    new = a_field(is_key=True)
    await patient.create_fields(ACCOUNT, [new])
    before = emulator.control("counters")["records_written"], patient.calls
    await patient.create_fields(ACCOUNT, [new])
    assert emulator.control("counters")["records_written"] == before[0]
    assert patient.calls - before[1] == 2  # one look at the columns, one at the keys


async def test_a_key_is_unique_once_the_call_returns(patient: DynamicsConnector, emulator: Emulator) -> None:
    new = a_field(is_key=True)
    await patient.create_fields(ACCOUNT, [new])
    first, second = (RecordId(emulator.create("account", name="Employer")) for _ in range(2))
    write = [Write(ActionKind.UPDATE, id_, {new.name: "42"}) for id_ in (first, second)]
    results = await patient.write(ACCOUNT, write)
    assert isinstance(results[0], Written)
    assert getattr(results[1], "code", "") == "0x80060892"


async def test_a_column_that_is_there_gets_the_key_it_lacks(patient: DynamicsConnector, emulator: Emulator) -> None:
    plain = a_field()
    await patient.create_fields(ACCOUNT, [plain])
    await patient.create_fields(ACCOUNT, [NewField(plain.name, plain.label, plain.native_type, is_key=True)])
    ids = [RecordId(emulator.create("account", name="Employer")) for _ in range(2)]
    results = await patient.write(ACCOUNT, [Write(ActionKind.UPDATE, id_, {plain.name: "42"}) for id_ in ids])
    assert getattr(results[1], "code", "") == "0x80060892"


async def test_a_key_over_values_that_are_not_unique_is_told(patient: DynamicsConnector, emulator: Emulator) -> None:
    new = a_field()
    await patient.create_fields(ACCOUNT, [new])
    ids = [RecordId(emulator.create("account", name="Employer")) for _ in range(2)]
    await patient.write(ACCOUNT, [Write(ActionKind.UPDATE, id_, {new.name: "42"}) for id_ in ids])
    with pytest.raises(RejectedError, match="two records share a value"):
        await patient.create_fields(ACCOUNT, [NewField(new.name, new.label, new.native_type, is_key=True)])


@pytest.mark.parametrize(
    ("new", "reason"),
    [
        (NewField("contractnote", "Note", "String"), "prefix"),
        (NewField("New_Note", "Note", "String"), "prefix"),
        (NewField("mscrm_note", "Note", "String"), "prefix"),
        (NewField("new_", "Note", "String"), "prefix"),
        (NewField("new_note' or 1", "Note", "String"), "prefix"),
        (NewField("new_note", "Note", "Picklist"), "type Picklist"),
        (NewField("new_note", "Note", "string"), "type string"),
        (NewField("new_note", "Note", "String", max_length=451, is_key=True), "450"),
    ],
)
async def test_what_cannot_be_is_refused_before_anything_is_sent(
    connector: DynamicsConnector, new: NewField, reason: str
) -> None:
    with pytest.raises(RejectedError, match=reason):
        await connector.create_fields(CONTACT, [a_field(), new])
    assert connector.calls == 0


async def test_a_lost_answer_is_looked_after(patient: DynamicsConnector, emulator: Emulator) -> None:
    new = a_field()
    await patient.fetch_schema(CONTACT)
    emulator.fault("metadata.change", "drop_after")
    await patient.create_fields(CONTACT, [new])
    assert new.name in (await patient.fetch_schema(CONTACT)).fields


async def test_a_lost_request_is_tried_again_later(patient: DynamicsConnector, emulator: Emulator) -> None:
    new = a_field()
    await patient.fetch_schema(CONTACT)
    emulator.fault("metadata.change", "drop_before")
    with pytest.raises(TransientError):
        await patient.create_fields(CONTACT, [new])
    await patient.create_fields(CONTACT, [new])
    assert new.name in (await patient.fetch_schema(CONTACT)).fields
