"""What Marketo's answers mean to us: one pure function for a call, one for a record of a write.

Nearly everything arrives as HTTP 200 with a code in the envelope (marketo-rest 2.2, 2.3). Codes 6xx say that nothing
was executed, except 604: a call that ran into its time-out may have written. Marketo's own texts quote the value at
fault, so no message of ours repeats them: it says what the code means and names the field.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, TypedDict

import msgspec

from tandem.connectors.http import Call, Response, TokenRefusedError, classify_status
from tandem.connectors.marketo.budget import quota_returns_at
from tandem.connectors.marketo.wire import WireReason, WireResult, parse_envelope
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
from tandem.core.record import PERSON, Entity, RecordId, Side
from tandem.ports import Missing, Refused, Stale, Taken, WriteResult, Written

EMPTY: Final = frozenset({"702"})
"""Not an error: a search that found nothing."""

FILES: Final = (".file", ".failures", ".warnings")
"""Operations that answer a file: 404 says that there is none."""

DAY_SPENT: Final = "607"
TIMED_OUT: Final = "604"
SYSTEM_ERROR: Final = "611"
TOO_MANY_JOBS: Final = "1029"

BUSY: Final = frozenset({"606", "608", "611", "614", "615", "713", "719", "1016", "1019", TOO_MANY_JOBS})
"""Surely not done; tried again after a growing wait."""

PAUSES_S: Final[Mapping[str, float]] = {"606": 5.0, "615": 1.0}
"""So long no other call begins either. 606 is about 20 seconds that slide: a quarter of them frees a quarter."""

OPEN: Final = frozenset({"500", "502", TIMED_OUT})
"""The call may have done its work, or a part of it."""

REMEDIES: Final[dict[str, str]] = {
    "600": "the token did not arrive; check url and proxies",
    "603": "the API-only user's role lacks the permission, or the IP allow-list blocks this machine: "
    "Admin → Users & Roles → Roles, and Admin → IP Allowlists",
    "616": "the subscription may not use this call; making custom object types over the API is an entitlement of its "
    "own: ask Adobe for it, or make the type by hand as tandem schema plan shows it",
    "703": "the feature is not enabled for the subscription",
    "1018": "the subscription's native CRM sync manages these records; Tandem needs a subscription without it",
    "1026": "the subscription has no licence for custom objects: ask Adobe for it, or take the [[custom]] tables "
    "out of the settings",
}
"""What only a Marketo admin can change."""

MEANINGS: Final[dict[str, str]] = {
    "605": "the method is not supported",
    "609": "the body is not valid JSON",
    "610": "there is no such resource; check the url setting",
    "612": "the content type is wrong",
    "701": "a required value is empty",
    "613": "the form is not valid",
    "718": "the sales person that the record names does not exist",
    "1001": "a value is not of its field's type",
    "1002": "a required value is missing",
    "1003": "a value or parameter is not valid",
    "1004": "there is no such person",
    "1005": "a person with this key exists",
    "1006": "the subscription does not know the field",
    "1007": "several people hold this key",
    "1008": "the API-only user has no access to the lead partition",
    "1009": "a lead partition must be named",
    "1010": "the person is in another lead partition",
    "1011": "the field cannot be used here",
    "1013": "a record that is named does not exist",
    "1015": "the person is not in the list",
    "1017": "a record with this key exists",
    "1018": "the subscription's native CRM sync manages these records",
    "1021": "company fields are not taken together with a person",
    "1028": "the limit of fields is reached",
    "1022": "the record is in use",
    "1035": "the subscription has no such filter",
    "1036": "two records of one call hold the same key",
}

_NAMING: Final[Mapping[str, str]] = {"718": "externalSalesPersonId", "1013": "externalCompanyId"}
"""The field that an update is refused for where the code alone tells. Of other objects than people 1013 may be about
the record itself (``named``)."""

_TYPES_OF_OBJECTS: Final = "customobjects.schema."
"""Calls about types hold no one's data, so Marketo's own text, which names what is wrong, can be shown."""

LIMITS: Final[dict[str, str]] = {
    "1003": " A subscription has at most 10 types, a type one link to people or companies and one to another type.",
    "1017": " Another type has this name or label: choose another object or label.",
    "1022": " Something in Marketo uses it: Marketing Activities shows where.",
    "1028": " A type has at most 50 fields, and gets at most 20 more once it is approved: show fewer columns.",
}
"""What an operator should know where Marketo refuses a type (marketo-rest 4.4)."""

_FIELD = re.compile(r"(?:Invalid value for field|Field) '([A-Za-z]\w*)'")
_DONE = frozenset({"created", "updated"})
_ROW_FIELD = re.compile(r"in field (.+)$")
_TOO_MANY = "Too many results"


class TooManyResultsError(RejectedError):
    """A filter matched more than 1,000 records: ask for fewer values."""

    CODE: Final = "1003"


class _Names(TypedDict):
    side: Side
    operation: str
    code: str
    request_id: str


def classify(call: Call, response: Response, now: datetime) -> RemoteError | None:
    """The error that a response to a data call stands for; None for a good one."""
    if call.operation.endswith(FILES) and response.status in (200, 206, 404) and not _is_json(response):
        return None
    if response.status != 200:
        return _of_status(call, response)
    try:
        envelope = parse_envelope(response.body)
    except msgspec.DecodeError:
        return unreadable(call.operation, is_write=call.is_write)
    reason = envelope.errors[0] if envelope.errors else WireReason(code="unknown")
    if envelope.success or str(reason.code) in EMPTY:
        return None
    return _of_code(call, reason, envelope.request_id, now)


def _is_json(response: Response) -> bool:
    """Whether a call for a file is answered with an envelope: its errors are."""
    return response.body.startswith(b'{"requestId"') or b'"success":false' in response.body[:200]


def _of_code(call: Call, reason: WireReason, request_id: str, now: datetime) -> RemoteError:
    code = str(reason.code)
    about = f"Marketo refused {call.operation}: {code}"
    names = _Names(side=call.side, operation=call.operation, code=code, request_id=request_id)
    match code:
        case "601" | "602":
            return TokenRefusedError(f"{about}, the token is not valid; check client_id.", **names)
        case _ if call.is_write and (code in OPEN or not _says_refused(code)):
            return UnknownOutcomeError(f"{about}, it failed on the way and may have written.", **names)
        case _ if code in OPEN:
            return TransientError(f"{about}, it failed on the way.", **names)
        case "607":  # DAY_SPENT
            wait_s = (quota_returns_at(now) - now).total_seconds()
            text = f"{about}, the subscription's calls of today are used up (all programs together)."
            return TransientError(text, **names, retry_after_s=wait_s)
        case "1029" if "quota" in reason.message.lower():
            return RejectedError(f"{about}, the volume of extracts of today is used up.", **names)
        case _ if code in BUSY:
            return TransientError(f"{about}, Marketo is busy.", **names)
        case _ if code in REMEDIES:
            return AccessError(f"{about}, {REMEDIES[code]}.", **names)
        case _ if call.operation.startswith(_TYPES_OF_OBJECTS) and reason.message:
            return RejectedError(f"{about}, {reason.message.rstrip('.')}.{LIMITS.get(code, '')}", **names)
        case "1006" if not call.is_write:
            return SchemaChangedError(f"{about}, {explain(reason)}; the mapping is made anew.", **names)
        case "1003" if _TOO_MANY in reason.message:
            return TooManyResultsError(f"{about}, more than 1,000 records match.", **names)
        case "1003" if call.operation.startswith("activities.") and "token" in reason.message.lower():
            return CursorExpiredError(f"{about}, the paging token is no longer known.", **names)
    return RejectedError(f"{about}, {explain(reason)}.", **names)


def _says_refused(code: str) -> bool:
    """Whether it is one of the codes that stand for a refusal: 6xx, 7xx and 1xxx (marketo-rest 2.2)."""
    return re.fullmatch(r"[67]\d\d|1\d{3}", code) is not None


def _of_status(call: Call, response: Response) -> RemoteError:
    known = classify_status(call, response)
    if known is not None:
        return known
    about = f"Marketo answered {call.operation} with HTTP {response.status}"
    names = _Names(side=call.side, operation=call.operation, code=str(response.status), request_id="")
    if response.status in (413, 414):
        return RejectedError(f"{about}: the request is too long.", **names)
    if response.status < 500:
        return AccessError(f"{about}; check the url setting and what stands in front of Marketo.", **names)
    if call.is_write:
        return UnknownOutcomeError(f"{about}; it may have written.", **names)
    return TransientError(f"{about}.", **names)


def unreadable(operation: str, *, is_write: bool) -> RemoteError:
    """Cut short on its way, or not Marketo's at all: after a write nobody knows."""
    about = f"The answer to {operation} is not Marketo's or was cut short; check the url setting if it stays so."
    kind = UnknownOutcomeError if is_write else TransientError
    return kind(about, side=Side.MARKETING, operation=operation, code="unreadable")


def classify_identity(call: Call, response: Response) -> RemoteError | None:
    """The sign-in endpoint speaks OAuth, not envelopes, and answers a wrong secret with 401."""
    if response.status in (200, 400, 401, 403):
        return None
    return _of_status(call, response)


# --- records -----------------------------------------------------------------------------------------------------


def results_of(entity: Entity, kind: ActionKind, results: Sequence[WireResult]) -> list[WriteResult]:
    """The fates of a call's records, in its order."""
    return [
        Written(RecordId(str(result.id)))
        if result.id is not None and result.status in _DONE
        else result_of(entity, kind, result)
        for result in results
    ]


def result_of(entity: Entity, kind: ActionKind, result: WireResult) -> WriteResult:
    """One record's fate. ``updated`` says that it was matched, not that anything changed."""
    id_ = result.marketo_guid if result.id is None else result.id
    if result.status in _DONE and id_ is not None:
        return Written(RecordId(str(id_)))
    reason = result.reasons[0] if result.reasons else WireReason(code=result.status or "unknown")
    code = str(reason.code)
    if kind is ActionKind.CREATE and code in ("1005", "1007", "1017", "1036"):
        return Taken()
    if code == "1014":  # may succeed the next time
        return Stale()
    # A person's 1013 is about the company it names, not about the person.
    if kind is ActionKind.UPDATE and (code == "1004" or (code == "1013" and entity != PERSON)):
        return Missing()
    field = field_of(reason)
    if field is None and kind is ActionKind.UPDATE:
        field = _NAMING.get(code)
    return Refused(code, f"Marketo: {code}, {explain(reason)}", field)


def refused_for(code: str, field: str | None) -> Refused:
    """An update of a record that is there, whose `field` names one that is not."""
    text = MEANINGS["1013"] + (f" (field {field})" if field else "")
    return Refused(code, f"Marketo: {code}, {text}", field)


def result_of_row(kind: ActionKind, reason: str, labels: Mapping[str, str]) -> WriteResult:
    """The fate of a row that a bulk import did not take. The reason names a field by its label."""
    if kind is ActionKind.UPDATE and "not found" in reason.lower():
        return Missing()
    if kind is ActionKind.CREATE and "multiple" in reason.lower():
        return Taken()
    if reason == "missing.dedupe.fields":
        return Refused("1002", f"Marketo: 1002, {MEANINGS['1002']}")
    by_label = _ROW_FIELD.search(reason)
    field = labels.get(by_label.group(1)) if by_label else field_of(WireReason(message=reason))
    code = "1003" if by_label or field else "import"
    text = f"{MEANINGS['1003']}" + (f" (field {field})" if field else "")
    return Refused(code, f"Marketo: {text}, as its bulk import says", field)


def explain(reason: WireReason) -> str:
    """What a code means, with the field where Marketo names one; never a value."""
    meaning = MEANINGS.get(str(reason.code), "Marketo's reference of error codes says what it means")
    field = field_of(reason)
    return f"{meaning} (field {field})" if field else meaning


def field_of(reason: WireReason) -> str | None:
    found = _FIELD.match(reason.message)
    return found.group(1) if found else None
