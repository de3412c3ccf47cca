"""What an answer of Dataverse means for the caller: one pure function for whole calls, one for the parts of a batch.

Codes decide, statuses are the fallback: 500 is a deadlock that passes as well as a plug-in that always fails, and 400
covers an expired delta link.
Messages name the table, the column and the privilege. The service's own text may quote what was sent, so it is shown
only after the values that were sent, quoted literals and mail addresses have been taken out of it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from tandem.connectors.http import Call, Response, TokenRefusedError
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
from tandem.core.record import Side
from tandem.ports import Missing, Refused, Stale, Taken, WriteResult

NO_RESOURCE: Final = "0x8006088a"
"""Of a read: no table of this name."""
NOT_TRACKED: Final = frozenset({"0x80072491", "0x80072492"})
NOT_FOUND: Final = "0x80040217"
PRIVILEGE_DENIED: Final = "0x80040220"
EXPIRED_STAMP: Final = "0x80044352"
SECURED_COLUMN: Final = "0x8004f507"

_KEY_NOT_FOUND: Final = "0x80060891"
_DUPLICATE_ID: Final = "0x80040237"
_KEY_TAKEN: Final = frozenset({"0x80060892", "0x80040333"})

ACCESS_REMEDIES: Final = {
    "0x80072560": "The signed-in identity is no user of this environment. In the Power Platform admin center open "
    "Environments > Settings > Users + permissions > Application users and add the app of crm.client_id; on premises "
    "add the user of crm.username under Settings > Security > Users",
    "0x80040225": "The user of this connection is disabled or in no business unit. Enable it in the Power Platform "
    "admin center, or on premises under Settings > Security > Users",
    "0x80042f09": "The user of this connection has no security role. Assign one that may read and write leads, "
    "contacts and accounts, and read users, at access level Organization",
    "0x8004a113": "The environment is in administration mode. Switch the mode off in the Power Platform admin center, "
    "and check first whether this environment is a fresh copy or restore",
    "0x8004a104": "The environment is disabled. Ask its administrator",
    SECURED_COLUMN: "A column of this request is secured. Add the user of this connection to a column security profile "
    "that may read and update it",
    "0x80048306": "The security role of this connection does not reach this row or operation. Raise its access level "
    "to Organization",
}
"""What a Dynamics admin does about each refusal of access; sentences without their full stop."""

_NO_TOKENS: Final = (
    "crm.url leads to a page to sign in at. Check crm.url; on premises the deployment must take tokens "
    "(OAuthClaimsSettings)"
)

# Rolled back by the database, or refused before it began: the same call may pass later.
_TRANSIENT_CODES: Final = frozenset(
    {"0x80044150", "0x80044151", "0x80048544", "0x80072324", "0x80072321", "0x80072322", "0x80072326"}
)
_TRANSIENT_STATUSES: Final = frozenset({408, 429, 500, 502, 503, 504})

CODE_TEXTS: Final = {
    "0x80044331": "the value is longer than the column",
    "0x8004431a": "the value is no option of the choice",
    "0x8004432f": "the number is outside the column's limits",
    "0x80044330": "the number is outside the column's limits",
    "0x80040239": "the date is outside what Dynamics stores",
    "0x80044354": "the value has the wrong type for the column",
    "0x80048408": "this status does not belong to this state",
    "0x80060892": "another record holds the same alternate key",
    "0x80040333": "a duplicate detection rule found another record, even where the written columns are not the rule's;"
    " crm.suppress_duplicate_detection = true leaves the rules out",
    "0x80040231": "the new owner has no security role that may own this record",
    "0x80040519": "the lead is qualified or disqualified and cannot be changed",
    SECURED_COLUMN: "a column is secured: add this connection's user to a column security profile that may update it",
    "0x80048306": "the security role of this connection may not write this record",
}

_VALUE_CODES: Final = frozenset(
    {"0x80044331", "0x8004431a", "0x8004432f", "0x80044330", "0x80040239", "0x80044354", "0x80048408", "0x80040231"}
)

_PRIVILEGE: Final = re.compile(r"is missing (prv\w+) privilege")
_NAME_IN_QUOTES: Final = re.compile(r"'(\w+)'")
_UNKNOWN_PROPERTY: Final = re.compile(r"Could not find a property named '(\w+)' on type")
_QUOTED: Final = re.compile(r"['\"]([^'\"]*)['\"]")
_MAIL: Final = re.compile(r"[^\s@'\"<>;,]+@[^\s@'\"<>;,]+")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.@]*")
_NAMING_WORDS: Final = frozenset(
    {"named", "property", "attribute", "column", "entity", "segment", "type", "table", "parameter", "option"}
)
_TEXT_MAX: Final = 300


@dataclass(frozen=True, slots=True)
class Fault:
    """An error answer: HTTP status, Dataverse's code (lower case, may be empty) and its text."""

    status: int
    code: str = ""
    text: str = ""
    retry_after_s: float | None = None
    request_id: str = ""

    @property
    def is_throttled(self) -> bool:
        """Of a part of a batch: it was not begun, or it was undone. Another 500 may be a plug-in that always fails."""
        return self.code in _TRANSIENT_CODES or self.status in (429, 503)

    @property
    def is_unknown_resource(self) -> bool:
        """The service knows no such message or table; not: no such record."""
        return self.status in (404, 405, 501) and self.code not in (NOT_FOUND, _KEY_NOT_FOUND)

    @property
    def is_transient(self) -> bool:
        return self.code in _TRANSIENT_CODES or (self.status in _TRANSIENT_STATUSES and self.code != EXPIRED_STAMP)


class _Error(msgspec.Struct):
    code: str = ""
    message: str = ""


class _Body(msgspec.Struct):
    error: _Error | None = None
    message: str = msgspec.field(name="Message", default="")


def parse_fault(status: int, body: bytes, *, retry_after_s: float | None = None, request_id: str = "") -> Fault:
    """Tolerates bodies without ``error``: routing and gateways answer ``{"Message": …}`` or plain text."""
    try:
        parsed = msgspec.json.decode(body, type=_Body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        parsed = _Body()
    error = parsed.error or _Error(message=parsed.message)
    return Fault(status, error.code.lower(), error.message, retry_after_s, request_id)


def classify_response(call: Call, response: Response) -> RemoteError | None:
    """For ``HttpClient``: None where the answer is a success."""
    if response.status < 300:
        return None
    if response.status < 400:  # To a page for people to sign in at: a server that takes no tokens does that.
        return _About(call.operation, Fault(response.status)).error(AccessError, _NO_TOKENS)
    fault = parse_fault(
        response.status,
        response.body,
        retry_after_s=response.retry_after_s,
        request_id=response.headers.get("x-ms-service-request-id", ""),
    )
    return classify(fault, call.operation, is_write=call.is_write)


def classify(fault: Fault, operation: str, *, is_write: bool = False) -> RemoteError:
    """The error to raise for a call that Dataverse answered with `fault`.

    A write call that failed inside the service or at a gateway may have been carried out in part, unless the answer
    says when to come back: then it was not begun.
    """
    if fault.status == 401:  # What its body says is documented nowhere.
        return _About(operation, Fault(401, request_id=fault.request_id)).error(TokenRefusedError, access_remedy(fault))
    about = _About(operation, fault)
    if fault.code == EXPIRED_STAMP:
        return about.error(CursorExpiredError, "the change token has expired; a full read is due")
    if fault.status == 403 or fault.code in ACCESS_REMEDIES:
        return about.error(AccessError, access_remedy(fault))
    if fault.is_transient:
        answered = f"the service answered {fault.status} {fault.code}".rstrip()
        was_not_begun = fault.status == 429 or (fault.status == 503 and fault.retry_after_s is not None)
        if is_write and not was_not_begun:
            return about.error(UnknownOutcomeError, f"{answered}; what was sent may have been written")
        return about.error(TransientError, f"{answered}; it is tried again later", retry_after_s=fault.retry_after_s)
    missing = _UNKNOWN_PROPERTY.search(fault.text)
    if missing and not is_write:
        text = f"the table has no column {missing[1]} any more; the mapping is made anew"
        return about.error(SchemaChangedError, text)
    return about.error(RejectedError, f"refused with {fault.status} {fault.code}: {_shown(fault.text, ())}")


@dataclass(frozen=True, slots=True)
class _About:
    operation: str
    fault: Fault

    def error(self, kind: type[RemoteError], text: str, **more: Any) -> RemoteError:
        fault = self.fault
        code = fault.code or str(fault.status)
        message = f"Dynamics, {self.operation}: {text}."
        return kind(message, side=Side.CRM, operation=self.operation, code=code, request_id=fault.request_id, **more)


def access_remedy(fault: Fault) -> str:
    """One sentence for a Dynamics admin, without its full stop."""
    privilege = missing_privilege(fault)
    if privilege:
        return (
            f"The security role of this connection lacks the privilege {privilege}. Grant it at access level "
            "Organization to the user of this connection"
        )
    if fault.code in ACCESS_REMEDIES:
        return ACCESS_REMEDIES[fault.code]
    if fault.status == 401:
        return (
            "The service does not accept the access token. Check crm.url, crm.client_id, and crm.tenant_id or, with "
            "AD FS, crm.authority"
        )
    return f"Access was refused ({fault.status} {fault.code}). Check the security role of the user of this connection"


def missing_privilege(fault: Fault) -> str:
    """The name of the privilege (``prvWriteContact``) that the role lacks altogether; empty where it is not that."""
    found = _PRIVILEGE.search(fault.text) if fault.code == PRIVILEGE_DENIED else None
    return found[1] if found else ""


def again(kind: ActionKind) -> WriteResult:
    """Nothing was written: look again and plan again."""
    return Taken() if kind is ActionKind.CREATE else Stale()


def classify_write(kind: ActionKind, fault: Fault, sent: Mapping[str, object]) -> WriteResult:
    """What one part of a write batch came to.

    A throttled or rolled-back part was surely not written, which is what Stale (for a create: Taken) tells the caller
    too: look again and plan again. `sent` is the record: its values may not reach the message.
    """
    if fault.is_throttled:
        return again(kind)
    if fault.status == 404 and fault.code in (NOT_FOUND, "") and kind is not ActionKind.CREATE:
        return Missing()
    # An update that collides with another record's id or key is no matter of versions: it would collide for ever.
    collides = _KEY_TAKEN if kind is ActionKind.CREATE else _KEY_TAKEN | {_DUPLICATE_ID}
    if fault.status == 412 and fault.code not in collides:
        return again(kind)
    return _refused(fault, sent)


def _refused(fault: Fault, sent: Mapping[str, object]) -> Refused:
    privilege = missing_privilege(fault)
    if privilege:
        text = f"the security role of this connection lacks the privilege {privilege}"
    else:
        text = CODE_TEXTS.get(fault.code) or _shown(fault.text, sent.values())
    return Refused(fault.code or str(fault.status), text, _field_at_fault(fault, sent))


def _field_at_fault(fault: Fault, sent: Mapping[str, object]) -> str | None:
    """The column that the text names; a lookup may be named by its navigation property. The only one sent, where the
    code blames a value."""
    named = _NAME_IN_QUOTES.findall(fault.text)
    found = next((f for name in named for f in sent if name == f or name.startswith(f"{f}_")), None)
    if found is None and len(sent) == 1 and fault.code in _VALUE_CODES:
        return next(iter(sent))
    return found


def _shown(text: str, sent: Iterable[object]) -> str:
    """`text` without anything that may be a value of a person."""
    for value in sorted({str(v) for v in sent if v is not None and not isinstance(v, bool)}, key=len, reverse=True):
        if len(value) > 1:
            text = re.sub(re.escape(value), "…", text, flags=re.IGNORECASE)
    text = _MAIL.sub("…", text)
    text = _QUOTED.sub(lambda found: found[0] if _is_name(found) else "'…'", text)
    text = " ".join(text.split()).rstrip(".")
    return text[:_TEXT_MAX] or "the service gave no reason"


def _is_name(quoted: re.Match[str]) -> bool:
    """Whether the words beside a quoted text say that it is the name of something in the schema."""
    before = quoted.string[: quoted.start()].split()[-1:]
    after = quoted.string[quoted.end() :].split()[:1]
    return any(word.lower() in _NAMING_WORDS for word in before + after) and bool(_NAME.fullmatch(quoted[1]))
