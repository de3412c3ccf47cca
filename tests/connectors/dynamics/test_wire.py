"""Rows in and records out, on a small table made by hand."""

from typing import Any

import msgspec
import pytest

from tandem.connectors.dynamics.schema import Column, Table
from tandem.connectors.dynamics.wire import (
    RowShape,
    filter_chunks,
    path_of,
    render_equals,
    render_record,
    whole_seconds,
)
from tandem.core.errors import RejectedError, TransientError
from tandem.core.record import CONTACT, Presence, RecordId, Value, Version
from tandem.core.schema import FieldKind
from tandem.ports import Reading

ACCOUNT = "03b93be0-532d-5650-aeb3-694f61ab5b47"


def a_column(name: str, kind: FieldKind, **others: Any) -> Column:
    flags = {"is_readable": True, "is_creatable": True, "is_updatable": True}
    given: dict[str, Any] = {"type": kind.value.capitalize()} | flags | others
    return Column(name=name, label=name, kind=kind, **given)


def a_table(*columns: Column) -> Table:
    return Table(CONTACT, "contacts", "contactid", True, {column.name: column for column in columns})


CONTACTS = a_table(
    a_column("contactid", FieldKind.OTHER),
    a_column("lastname", FieldKind.TEXT),
    a_column("birthdate", FieldKind.DATE),
    a_column("modifiedon", FieldKind.DATETIME),
    a_column("creditlimit", FieldKind.NUMBER),
    a_column("donotphone", FieldKind.BOOLEAN),
    a_column("gendercode", FieldKind.CHOICE),
    a_column("accountid", FieldKind.REFERENCE, targets=("account",)),
    a_column("masterid", FieldKind.REFERENCE, targets=("contact",), navigation={"contact": "masterid"}),
    a_column(
        "parentcustomerid",
        FieldKind.REFERENCE,
        type="Customer",
        targets=("account", "contact"),
        navigation={"account": "parentcustomerid_account", "contact": "parentcustomerid_contact"},
    ),
    a_column(
        "ownerid",
        FieldKind.REFERENCE,
        type="Owner",
        targets=("systemuser", "team"),
        navigation={"systemuser": "ownerid", "team": "ownerid"},
    ),
)


def a_page(*rows: dict[str, Any], **links: str) -> bytes:
    return msgspec.json.encode({"@odata.context": "…"} | links | {"value": rows})


@pytest.mark.parametrize(
    ("field", "json_name", "sent", "value"),
    [
        ("lastname", "lastname", "Müller", "Müller"),
        ("lastname", "lastname", "", None),
        ("lastname", "lastname", None, None),
        ("birthdate", "birthdate", "2019-05-01", "2019-05-01"),
        ("birthdate", "birthdate", None, None),
        ("modifiedon", "modifiedon", "2023-04-07T21:59:01Z", "2023-04-07T21:59:01Z"),
        ("modifiedon", "modifiedon", "2023-04-07T23:59:01.25+02:00", "2023-04-07T21:59:01Z"),
        ("creditlimit", "creditlimit", 20000.0, 20000.0),
        ("creditlimit", "creditlimit", 0, 0.0),
        ("donotphone", "donotphone", False, False),
        ("gendercode", "gendercode", 2, 2),
        ("ownerid", "_ownerid_value", ACCOUNT, ACCOUNT),
        ("parentcustomerid", "_accountid_value", ACCOUNT, ACCOUNT),
        ("parentcustomerid", "_accountid_value", None, None),
        ("@id", "lastname", "x", "id-1"),
        ("@type", "lastname", "x", "Contact"),
        ("@deleted", "lastname", "x", False),
        ("contactid", "lastname", "x", "id-1"),
    ],
)
def test_a_value_is_read_in_its_canonical_form(field: str, json_name: str, sent: object, value: Value) -> None:
    body = a_page({"@odata.etag": 'W/"7"', "contactid": "id-1", json_name: sent})
    rows = RowShape(CONTACTS, [field]).parse_page(body, "read contact")
    assert rows.readings == [Reading(RecordId("id-1"), (value,), Version('W/"7"'))]
    assert type(rows.readings[0].values[0]) is type(value)


def test_values_follow_the_order_of_the_fields() -> None:
    shape = RowShape(CONTACTS, ["lastname", "@id", "gendercode", "@type", "birthdate"])
    row = {"contactid": "id-1", "birthdate": None, "gendercode": 1, "lastname": "Li"}
    assert shape.select == "birthdate,gendercode,lastname"
    assert shape.parse_page(a_page(row), "x").readings[0].values == ("Li", "id-1", 1, "Contact", None)


def test_a_deleted_entry_is_a_suspicion() -> None:
    entry = {"@odata.context": "…/$metadata#contacts/$deletedEntity", "id": "ABC-1", "reason": "deleted"}
    rows = RowShape(CONTACTS, ["lastname"]).parse_page(a_page(entry), "x")
    assert rows.readings == [Reading(RecordId("abc-1"), presence=Presence.SUSPECT)]


def test_a_row_without_a_selected_column_is_not_read_as_empty() -> None:
    rows = RowShape(CONTACTS, ["lastname", "gendercode"]).parse_page(a_page({"contactid": "1", "lastname": "Li"}), "x")
    assert rows.readings == [Reading(RecordId("1"), presence=Presence.SUSPECT)]
    with pytest.raises(RejectedError):
        RowShape(CONTACTS, ["lastname"]).parse_row(b'{"contactid":"1"}', "x")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"value":[{"contactid":"1","lastname":"Li', TransientError),
        (b"<html>", TransientError),
        (b'{"value":[{"contactid":"1","lastname":5}]}', RejectedError),
        (b"{}", RejectedError),
    ],
)
def test_an_answer_of_another_shape_is_no_page(body: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        RowShape(CONTACTS, ["lastname"]).parse_page(body, "read contact")


def test_an_unknown_column_is_named() -> None:
    with pytest.raises(RejectedError, match="no column shoesize"):
        RowShape(CONTACTS, ["shoesize"])


def test_links_are_kept_without_their_host() -> None:
    body = a_page(**{"@odata.nextLink": "https://one.crm.dynamics.com:444/api/data/v9.2/contacts?$skiptoken=%3Ca%2520"})
    rows = RowShape(CONTACTS, ["lastname"]).parse_page(body, "x")
    assert rows.next_path == "/api/data/v9.2/contacts?$skiptoken=%3Ca%2520"
    assert rows.delta_path is None
    assert path_of("/api/data/v9.2/x") == "/api/data/v9.2/x"


@pytest.mark.parametrize(
    ("values", "body"),
    [
        ({"lastname": "Li", "gendercode": None}, {"lastname": "Li", "gendercode": None}),
        ({"parentcustomerid": ACCOUNT}, {"parentcustomerid_account@odata.bind": f"/accounts({ACCOUNT})"}),
        ({"parentcustomerid": None}, {"parentcustomerid_account@odata.bind": None}),
        ({"ownerid": ACCOUNT}, {"ownerid@odata.bind": f"/systemusers({ACCOUNT})"}),
        ({"masterid": ACCOUNT}, {"masterid@odata.bind": f"/contacts({ACCOUNT})"}),
    ],
)
def test_lookups_are_written_by_their_navigation_property(values: dict[str, Value], body: dict[str, Value]) -> None:
    sets = {"account": "accounts", "systemuser": "systemusers", "contact": "contacts"}
    assert msgspec.json.decode(render_record(CONTACTS, values, sets)) == body


def test_a_lookup_without_a_relationship_cannot_be_written() -> None:
    with pytest.raises(RejectedError, match="accountid"):
        render_record(CONTACTS, {"accountid": ACCOUNT}, {"account": "accounts"})


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("lastname", "O'Bryan", "lastname eq 'O''Bryan'"),
        ("gendercode", 2, "gendercode eq 2"),
        ("donotphone", True, "donotphone eq true"),
        ("modifiedon", "2023-04-07T21:59:01Z", "modifiedon eq 2023-04-07T21:59:01Z"),
        ("parentcustomerid", ACCOUNT, f"_parentcustomerid_value eq {ACCOUNT}"),
        ("@id", ACCOUNT, f"contactid eq {ACCOUNT}"),
    ],
)
def test_a_comparison_is_written_for_the_columns_type(field: str, value: Value, text: str) -> None:
    assert render_equals(CONTACTS, field, value) == text


def test_filters_stay_within_count_and_length() -> None:
    comparisons = ["a eq 'ü & b'", "a eq 2", "a eq 3", "a eq 4"]
    assert filter_chunks(comparisons, count_max=2, length_max=1000) == [
        "a%20eq%20'%C3%BC%20%26%20b'%20or%20a%20eq%202",
        "a%20eq%203%20or%20a%20eq%204",
    ]
    assert filter_chunks(comparisons, count_max=9, length_max=27) == [
        "a%20eq%20'%C3%BC%20%26%20b'",
        "a%20eq%202",
        "a%20eq%203",
        "a%20eq%204",
    ]
    assert filter_chunks([], count_max=2, length_max=9) == []


def test_a_time_without_zone_is_utc() -> None:
    assert whole_seconds("2023-04-07T21:59:01") == "2023-04-07T21:59:01Z"
