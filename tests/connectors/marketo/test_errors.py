"""What each answer of Marketo means, as tables; and that no message repeats a value."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tandem.connectors.http import Call, Response, TokenRefusedError
from tandem.connectors.marketo.errors import (
    TooManyResultsError,
    classify,
    result_of,
    result_of_row,
)
from tandem.connectors.marketo.wire import WireReason, WireResult
from tandem.core.errors import (
    AccessError,
    CursorExpiredError,
    RejectedError,
    RemoteError,
    SchemaChangedError,
    TransientError,
    UnknownOutcomeError,
)
from tandem.core.plan import ActionKind
from tandem.core.record import COMPANY, PERSON, SALESPERSON, Entity, RecordId, Side
from tandem.ports import Missing, Refused, Stale, Taken, WriteResult, Written

CREATE_ROW, UPDATE_ROW = ActionKind.CREATE, ActionKind.UPDATE
NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def judge(response: Response, operation: str = "leads.query", *, is_write: bool = False) -> RemoteError | None:
    return classify(Call(Side.MARKETING, operation, is_write), response, NOON)


def an_error(code: str, message: str = "text") -> Response:
    envelope = {"requestId": "1#2", "success": False, "errors": [{"code": code, "message": message}]}
    return Response(200, {}, json.dumps(envelope).encode())


ACCESS, BUSY, REFUSED, OPEN = (
    (AccessError, AccessError),
    (TransientError, TransientError),
    (RejectedError, RejectedError),
    (TransientError, UnknownOutcomeError),
)

MEANINGS = (
    dict.fromkeys(["600", "603", "616", "703", "1018", "1026"], ACCESS)
    | dict.fromkeys(["601", "602"], (TokenRefusedError, TokenRefusedError))
    | dict.fromkeys(["606", "607", "608", "611", "614", "615", "713", "719", "1016", "1019", "1029"], BUSY)
    | dict.fromkeys(["500", "502", "604"], OPEN)
    | dict.fromkeys(["605", "609", "610", "612", "613"], REFUSED)
    | dict.fromkeys(["701", "704", "709", "710", "711", "712", "714", "718"], REFUSED)
    | dict.fromkeys(["1001", "1002", "1003", "1004", "1005", "1007", "1008", "1009", "1010"], REFUSED)
    | dict.fromkeys(["1011", "1012", "1013", "1014", "1015", "1017", "1020", "1021", "1022", "1025"], REFUSED)
    | dict.fromkeys(["1027", "1028", "1035", "1036", "1037", "1042", "1048", "1049"], REFUSED)
    | dict.fromkeys(["1076", "1077", "1078", "1079", "1080"], REFUSED)
    | {
        "1006": (SchemaChangedError, RejectedError),
        "702": (type(None), type(None)),
        "9999": (RejectedError, UnknownOutcomeError),
        "": (RejectedError, UnknownOutcomeError),
    }
)
"""Every code of the reference, and two that are in none: on a read, on a write."""


@pytest.mark.parametrize(("code", "on_read", "on_write"), [(code, *kinds) for code, kinds in MEANINGS.items()])
def test_what_an_envelopes_code_means(
    code: str, on_read: type[RemoteError | None], on_write: type[RemoteError | None]
) -> None:
    read = judge(an_error(code))
    written = judge(an_error(code), "leads.sync", is_write=True)
    assert (type(read), type(written)) == (on_read, on_write)
    for error in (read, written):
        if error is not None:
            assert (error.side, error.code, error.request_id) == (Side.MARKETING, code, "1#2")


@pytest.mark.parametrize(
    ("status", "on_read", "on_write"),
    [
        (401, TokenRefusedError, TokenRefusedError),
        (404, AccessError, AccessError),
        (302, AccessError, AccessError),
        (413, RejectedError, RejectedError),
        (414, RejectedError, RejectedError),
        (429, TransientError, TransientError),
        (500, TransientError, UnknownOutcomeError),
        (502, TransientError, UnknownOutcomeError),
        (503, TransientError, UnknownOutcomeError),
    ],
)
def test_what_a_status_other_than_200_means(
    status: int, on_read: type[RemoteError], on_write: type[RemoteError]
) -> None:
    response = Response(status, {}, b"<html>")
    assert type(judge(response)) is on_read
    assert type(judge(response, "leads.sync", is_write=True)) is on_write


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"requestId":"1#2","succ', b"[]", b'{"requestId":"1#2"}'])
def test_an_answer_that_is_cut_or_not_marketos_leaves_a_write_open(body: bytes) -> None:
    assert isinstance(judge(Response(200, {}, body)), TransientError)
    assert isinstance(judge(Response(200, {}, body), "leads.sync", is_write=True), UnknownOutcomeError)


def test_a_good_answer_is_no_error() -> None:
    assert judge(Response(200, {}, b'{"requestId":"1#2","result":[],"success":true}')) is None


def test_a_filter_that_matches_too_much_is_told_apart() -> None:
    assert isinstance(judge(an_error("1003", "Too many results match the filter")), TooManyResultsError)


def test_an_unknown_paging_token_of_a_feed_expires_the_cursor_and_elsewhere_does_not() -> None:
    refused = an_error("1003", "Invalid token value: [ABC]")
    assert isinstance(judge(refused, "activities.leadchanges"), CursorExpiredError)
    assert type(judge(refused, "leads.query")) is RejectedError


@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("603", "permission"),
        ("616", "make the type by hand"),
        ("1018", "native CRM sync"),
        ("1026", "licence for custom objects"),
    ],
)
def test_what_an_admin_can_change_is_said(code: str, word: str) -> None:
    assert word in str(judge(an_error(code)))


@pytest.mark.parametrize(
    ("code", "message", "remedy"),
    [
        ("1003", "Max custom object type limit reached: 10", "at most 10 types"),
        ("1028", "Max field limit reached: 50", "show fewer columns"),
        ("1017", "Object already exists", "choose another object or label"),
    ],
)
def test_what_marketo_says_of_a_type_is_shown_with_the_remedy(code: str, message: str, remedy: str) -> None:
    error = judge(an_error(code, message), "customobjects.schema.sync", is_write=True)
    assert type(error) is RejectedError
    assert message in str(error)
    assert remedy in str(error)
    assert message not in str(judge(an_error(code, message), "customobjects.sync", is_write=True))


def test_a_volume_that_is_used_up_is_no_reason_to_pause_and_a_full_queue_is_waited_for() -> None:
    spent = judge(an_error("1029", "Export daily quota 500MB exceeded."), "bulk.leads.export.enqueue")
    assert type(spent) is RejectedError
    full = judge(an_error("1029", "Too many jobs in queue"), "bulk.leads.export.enqueue")
    assert isinstance(full, TransientError)
    assert full.retry_after_s is None


@pytest.mark.parametrize(
    ("status", "body", "is_file"),
    [
        (200, b"id,email\r\n1,a", True),
        (206, b"id,ema", True),
        (404, b"Not Found", True),
        (200, b'{"requestId":"1#2","success":false,"errors":[{"code":"606","message":"x"}]}', False),
        (503, b"<html>", False),
        (416, b"", False),
    ],
)
def test_a_file_is_no_envelope_but_its_errors_are(status: int, body: bytes, is_file: bool) -> None:
    error = judge(Response(status, {}, body), "bulk.leads.export.file")
    assert (error is None) is is_file


@pytest.mark.parametrize(
    ("kind", "reason", "expected"),
    [
        (UPDATE_ROW, "Lead not found", Missing()),
        (CREATE_ROW, "Multiple lead match lookup criteria", Taken()),
    ],
)
def test_what_a_failed_row_of_a_file_means(kind: ActionKind, reason: str, expected: WriteResult) -> None:
    assert result_of_row(kind, reason, {}) == expected


@pytest.mark.parametrize(
    ("reason", "code", "field"),
    [
        ("Invalid data type in field Person Score", "1003", "leadScore"),
        ("Invalid data type in field Ann Smith", "1003", None),
        ("missing.dedupe.fields", "1002", None),
        ("Invalid value for field 'email' and value 'Ann Smith'", "1003", "email"),
        ("Ann Smith", "import", None),
    ],
)
def test_a_refused_row_names_its_field_and_no_value(reason: str, code: str, field: str | None) -> None:
    result = result_of_row(UPDATE_ROW, reason, {"Person Score": "leadScore"})
    assert isinstance(result, Refused)
    assert (result.code, result.field) == (code, field)
    assert "Ann" not in result.message


def test_a_spent_quota_waits_for_midnight_in_chicago() -> None:
    error = judge(an_error("607", "Daily quota reached"))
    assert isinstance(error, TransientError)
    assert error.retry_after_s == 18 * 3600  # noon UTC is 6:00 there in winter


def test_no_message_repeats_what_marketo_quotes() -> None:
    error = judge(an_error("1003", "Invalid value for field 'email' and value 'ann@example.com'"))
    assert "ann" not in str(error)
    assert "email" in str(error)


# --- records -----------------------------------------------------------------------------------------------------


def skipped(code: str, message: str = "text") -> WireResult:
    return WireResult(status="skipped", reasons=(WireReason(code, message),))


CREATE, UPDATE = ActionKind.CREATE, ActionKind.UPDATE


@pytest.mark.parametrize(
    ("entity", "kind", "result", "expected"),
    [
        (PERSON, CREATE, WireResult("created", 7), Written(RecordId("7"))),
        (PERSON, UPDATE, WireResult("updated", 7), Written(RecordId("7"))),
        (COMPANY, CREATE, WireResult("created", 7), Written(RecordId("7"))),
        (PERSON, CREATE, skipped("1014"), Stale()),
        (COMPANY, UPDATE, skipped("1014"), Stale()),
        (PERSON, CREATE, skipped("1005"), Taken()),
        (PERSON, CREATE, skipped("1007"), Taken()),
        (COMPANY, CREATE, skipped("1017"), Taken()),
        (SALESPERSON, CREATE, skipped("1036"), Taken()),
        (PERSON, UPDATE, skipped("1004"), Missing()),
        (COMPANY, UPDATE, skipped("1013"), Missing()),
        (SALESPERSON, UPDATE, skipped("1013"), Missing()),
    ],
)
def test_what_a_records_result_means(
    entity: Entity, kind: ActionKind, result: WireResult, expected: WriteResult
) -> None:
    assert result_of(entity, kind, result) == expected


@pytest.mark.parametrize(
    ("entity", "kind", "code", "message", "field"),
    [
        (PERSON, UPDATE, "1003", "Invalid value for field 'annualRevenue' and value 'Ann Smith'", "annualRevenue"),
        (PERSON, UPDATE, "1003", "Invalid value for field 'annualRevenue'", "annualRevenue"),
        (PERSON, CREATE, "1006", "Field 'shoeSize' not found", "shoeSize"),
        (PERSON, CREATE, "1011", "Field 'createdAt' not supported", "createdAt"),
        (PERSON, UPDATE, "1013", "Object not found", "externalCompanyId"),
        (PERSON, UPDATE, "718", "ExternalSalesPersonID not found", "externalSalesPersonId"),
        (COMPANY, UPDATE, "718", "ExternalSalesPersonID not found", "externalSalesPersonId"),
        (PERSON, CREATE, "1013", "Object not found", None),
        (PERSON, UPDATE, "1007", "Multiple lead match lookup criteria", None),
        (PERSON, UPDATE, "1010", "Ann Smith", None),
        (PERSON, CREATE, "1004", "Lead not found", None),
        (COMPANY, UPDATE, "1001", 'For input string: "Ann Smith" failed to convert to a number', None),
        (COMPANY, UPDATE, "9999", "Ann Smith", None),
    ],
)
def test_a_refusal_names_code_and_field_and_no_value(
    entity: Entity, kind: ActionKind, code: str, message: str, field: str | None
) -> None:
    found: Any = result_of(entity, kind, skipped(code, message))
    assert isinstance(found, Refused)
    assert (found.code, found.field) == (code, field)
    assert "Ann" not in found.message
    assert code in found.message


def test_a_result_without_an_id_or_a_known_status_is_not_taken_for_done() -> None:
    assert isinstance(result_of(PERSON, CREATE, WireResult("created", None)), Refused)
    assert isinstance(result_of(PERSON, CREATE, WireResult("queued", 7)), Refused)
