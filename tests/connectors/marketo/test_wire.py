"""Marketo's JSON into canonical values, and back."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from tandem.connectors.marketo.feed import change_records
from tandem.connectors.marketo.wire import (
    RowReader,
    WireActivity,
    parse_envelope,
    parse_ids,
    parse_time,
    render_form,
    render_time,
)
from tandem.core.record import PERSON, ChangeRecord, RecordId, RecordKey, Side, Value
from tandem.core.schema import FieldKind

KINDS = {
    "email": FieldKind.TEXT,
    "unsubscribed": FieldKind.BOOLEAN,
    "leadScore": FieldKind.INTEGER,
    "revenue": FieldKind.NUMBER,
    "bornOn": FieldKind.DATE,
    "seenAt": FieldKind.DATETIME,
}


def read(fields: list[str], *rows: dict[str, Any]) -> list[tuple[RecordId, tuple[Value, ...]]]:
    return RowReader(fields, KINDS).read(msgspec.Raw(msgspec.json.encode(list(rows))))


@pytest.mark.parametrize(
    ("field", "wire", "value"),
    [
        ("email", "a@b.example", "a@b.example"),
        ("email", "", None),
        ("email", None, None),
        ("unsubscribed", True, True),
        ("unsubscribed", None, False),
        ("unsubscribed", "True", True),
        ("unsubscribed", "false", False),
        ("leadScore", 7, 7),
        ("leadScore", None, None),
        ("revenue", 1.5, 1.5),
        ("bornOn", "1980-02-03", "1980-02-03"),
        ("seenAt", "2023-01-16T23:32:19Z", "2023-01-16T23:32:19Z"),
        ("seenAt", "2023-01-16T23:32:19+0000", "2023-01-16T23:32:19Z"),
        ("seenAt", "2023-01-17T01:32:19+02:00", "2023-01-16T23:32:19Z"),
        ("seenAt", "", None),
        ("somethingElse", "", None),
        ("somethingElse", ["a"], None),
    ],
)
def test_a_value_of_the_wire_becomes_canonical(field: str, wire: Any, value: Value) -> None:
    [(_, values)] = read([field], {"id": 5, field: wire})
    assert values == (value,)
    assert type(values[0]) is type(value)


def test_rows_follow_the_fields_asked_for_and_an_absent_one_is_empty() -> None:
    rows = read(["leadScore", "id", "email", "unsubscribed"], {"email": "x@y.example", "id": 12}, {"id": 3})
    assert rows == [
        (RecordId("12"), (None, 12, "x@y.example", False)),
        (RecordId("3"), (None, 3, None, False)),
    ]


def test_an_answer_without_a_result_has_no_rows() -> None:
    for body in (b'{"success":true}', b'{"success":true,"result":null}'):
        assert RowReader(["email"], KINDS).read(parse_envelope(body).result) == []


@pytest.mark.parametrize("value", [[1324, 1325], "[1324, 1325]", "1324,1325", ["1324", "1325"]])
def test_merged_ids_come_as_an_array_or_as_text(value: Any) -> None:
    assert parse_ids(value) == ["1324", "1325"]


def test_no_merged_ids_are_none() -> None:
    assert parse_ids(None) == []


def test_times_are_utc_seconds_both_ways() -> None:
    at = datetime(2023, 1, 16, 23, 32, 19, tzinfo=UTC)
    for text in ("2023-01-16T23:32:19Z", "2023-01-16T23:32:19+0000", "2023-01-16T17:32:19-06:00"):
        assert parse_time(text) == at
    assert render_time(at) == "2023-01-16T23:32:19Z"


def test_a_form_escapes_what_addresses_may_hold() -> None:
    assert render_form({"filterValues": "a+b@c.example,d&e@f.example"}) == (
        b"filterValues=a%2Bb%40c.example%2Cd%26e%40f.example"
    )


KEY = RecordKey(Side.MARKETING, PERSON, RecordId("1"))
AT = datetime(2023, 1, 26, 18, 46, tzinfo=UTC)


def an_activity(**members: Any) -> WireActivity:
    raw = {"id": 9, "marketoGUID": "g9", "leadId": 1, "activityDate": "2023-01-26T18:46:00Z", "activityTypeId": 13}
    return msgspec.convert(raw | members, WireActivity)


def test_a_change_record_names_the_field_and_shows_both_texts() -> None:
    activity = an_activity(
        fields=[{"id": 48, "name": "firstName", "newValue": "Bo", "oldValue": None}],
        attributes=[{"name": "Source", "value": "Web service API"}, {"name": "Reason", "value": "x"}],
    )
    assert change_records(activity) == [ChangeRecord("g9", KEY, AT, "firstName", None, "Bo", "Web service API")]


def test_several_fields_of_one_activity_keep_guids_of_their_own() -> None:
    activity = an_activity(fields=[{"name": "a", "newValue": "1"}, {"name": "b", "newValue": "2", "oldValue": "0"}])
    assert change_records(activity) == [
        ChangeRecord("g9", KEY, AT, "a", None, "1"),
        ChangeRecord("g9:b", KEY, AT, "b", "0", "2"),
    ]


def test_a_new_lead_is_news_of_the_whole_person() -> None:
    assert change_records(an_activity(activityTypeId=12, fields=[])) == [ChangeRecord("g9", KEY, AT)]


def test_an_activity_without_a_guid_is_known_by_its_id() -> None:
    assert an_activity(marketoGUID="").guid == "9"
