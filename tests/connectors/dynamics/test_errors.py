"""What Dataverse's answers mean: tables of status, code and text against what the caller does next."""

import msgspec
import pytest

from tandem.connectors.dynamics.errors import Fault, access_remedy, classify, classify_write, parse_fault
from tandem.connectors.http import TokenRefusedError
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
from tandem.ports import Missing, Refused, Stale, Taken, WriteResult

CREATE, UPDATE = ActionKind.CREATE, ActionKind.UPDATE
MISSING_PRIVILEGE = (
    "Principal user (Id=f663deb4-21ba-5025-a00c-e47cab4d417e, type=8, roleCount=1) is missing prvWriteContact "
    "privilege (Id=1) on OTC=2 for entity 'contact'."
)


NO_COLUMN = "Could not find a property named 'x' on type 'mscrm.lead'."


@pytest.mark.parametrize(
    ("fault", "is_write", "expected"),
    [
        (Fault(401), False, TokenRefusedError),
        (Fault(403, "0x80040220", MISSING_PRIVILEGE), False, AccessError),
        (Fault(403, "0x80072560", "The user is not a member of the organization."), True, AccessError),
        (Fault(403, "0x8004a113"), False, AccessError),
        (Fault(429, "0x80072322", retry_after_s=7.0), False, TransientError),
        (Fault(429, "0x80072322", retry_after_s=7.0), True, TransientError),
        (Fault(503), False, TransientError),
        (Fault(503), True, UnknownOutcomeError),
        (Fault(503, retry_after_s=3.0), True, TransientError),
        (Fault(500, "0x80044150"), False, TransientError),
        (Fault(500, "0x80040216"), True, UnknownOutcomeError),
        (Fault(504), True, UnknownOutcomeError),
        (Fault(400, "0x80044352"), False, CursorExpiredError),
        (Fault(500, "0x80044352"), False, CursorExpiredError),
        (Fault(400, "0x80060888", "bad query"), False, RejectedError),
        (
            Fault(400, "0x80060888", "Could not find a property named 'x' on type 'mscrm.lead'."),
            False,
            SchemaChangedError,
        ),
        (Fault(400, "0x0", "Could not find a property named 'x' on type 'mscrm.lead'."), True, RejectedError),
        (Fault(404, "0x8006088a"), False, RejectedError),
        (Fault(413, "0x8004418a"), True, RejectedError),
        (Fault(501), False, RejectedError),
    ],
)
def test_an_answer_to_a_whole_call_becomes_one_error(fault: Fault, is_write: bool, expected: type[RemoteError]) -> None:
    error = classify(fault, "read contact", is_write=is_write)
    assert type(error) is expected
    assert error.operation == "read contact"


def test_the_wait_that_the_service_asked_for_is_kept() -> None:
    error = classify(Fault(429, "0x80072321", retry_after_s=12.0), "read contact")
    assert isinstance(error, TransientError)
    assert error.retry_after_s == 12.0


@pytest.mark.parametrize(
    ("kind", "fault", "expected"),
    [
        (UPDATE, Fault(412, "0x80060882"), Stale()),
        (UPDATE, Fault(412), Stale()),
        (CREATE, Fault(412, "0x80040237", "A record with matching key values already exists."), Taken()),
        (CREATE, Fault(412), Taken()),
        (UPDATE, Fault(404, "0x80040217"), Missing()),
        (UPDATE, Fault(429, "0x80072322"), Stale()),
        (CREATE, Fault(429, "0x80072322"), Taken()),
        (UPDATE, Fault(500, "0x80044150"), Stale()),
        (CREATE, Fault(503), Taken()),
    ],
)
def test_a_part_of_a_batch_becomes_one_outcome(kind: ActionKind, fault: Fault, expected: WriteResult) -> None:
    assert classify_write(kind, fault, {}) == expected


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        # Another record's key: no newer version would help.
        (CREATE, Fault(412, "0x80060892")),
        (UPDATE, Fault(412, "0x80060892")),
        (UPDATE, Fault(412, "0x80040237")),
        (UPDATE, Fault(412, "0x80040333")),
        (UPDATE, Fault(500, "0x80040216", "An unexpected error occurred.")),
        (UPDATE, Fault(404, "0x8006088a", "Resource not found for the segment 'x'.")),
        (CREATE, Fault(404, "0x80040217", "account With Id = 1 Does Not Exist")),
        (UPDATE, Fault(400, "0x80040265", "A plug-in said no.")),
        (UPDATE, Fault(403, "0x8004f507")),
    ],
)
def test_what_would_fail_again_is_refused(kind: ActionKind, fault: Fault) -> None:
    result = classify_write(kind, fault, {"lastname": "Muster"})
    assert isinstance(result, Refused)
    assert result.code == fault.code


@pytest.mark.parametrize(
    ("fault", "sent", "field"),
    [
        (
            Fault(400, "0x80044331", "The length of the 'subject' attribute of the 'lead' entity exceeded it."),
            {"subject": "x", "lastname": "y"},
            "subject",
        ),
        (
            Fault(400, "0x80048d19", "The property 'parentcustomerid_account' does not exist."),
            {"lastname": "y", "parentcustomerid": "z"},
            "parentcustomerid",
        ),
        (Fault(400, "0x8004431a", "The picklist value is out of the range."), {"gendercode": 77}, "gendercode"),
        (Fault(400, "0x8004431a", "The picklist value is out of the range."), {"gendercode": 77, "fax": "1"}, None),
        (Fault(400, "0x80040265", "A plug-in said no."), {"fax": "1"}, None),
        (
            Fault(403, "0x8004f507", "not granted access for a secured attribute during update"),
            {"fax": "1"},
            None,
        ),
    ],
)
def test_the_field_at_fault_is_named_where_it_can_be_known(
    fault: Fault, sent: dict[str, object], field: str | None
) -> None:
    result = classify_write(UPDATE, fault, sent)
    assert isinstance(result, Refused)
    assert result.field == field


def test_a_message_never_shows_what_was_sent() -> None:
    text = (
        "Error: MUSTERMANN of 'Main Street 5' cannot be 'Erika' or 'erika', mail erika@muster.example; "
        "see the 'lastname' attribute"
    )
    sent = {"lastname": "Mustermann", "address1_line1": "Main Street 5"}
    result = classify_write(UPDATE, Fault(400, "0x80040265", text), sent)
    assert isinstance(result, Refused)
    assert result.message == "Error: … of '…' cannot be '…' or '…', mail …; see the 'lastname' attribute"


def test_a_missing_privilege_is_named_with_what_to_do() -> None:
    remedy = access_remedy(Fault(403, "0x80040220", MISSING_PRIVILEGE))
    assert "prvWriteContact" in remedy
    assert "Organization" in remedy


@pytest.mark.parametrize(
    ("body", "code", "text"),
    [
        ({"error": {"code": "0x80040217", "message": "gone"}}, "0x80040217", "gone"),
        ({"error": {"code": "0X8004F507", "message": ""}}, "0x8004f507", ""),
        ({"Message": "The API version is not supported."}, "", "The API version is not supported."),
    ],
)
def test_error_bodies_of_every_shape_are_read(body: object, code: str, text: str) -> None:
    fault = parse_fault(400, msgspec.json.encode(body))
    assert (fault.code, fault.text) == (code, text)


@pytest.mark.parametrize("body", [b"", b"<html>Bad Gateway</html>", b"\xff\xfe", b"[]"])
def test_a_gateways_own_page_is_no_error_body(body: bytes) -> None:
    assert parse_fault(502, body) == Fault(502)
