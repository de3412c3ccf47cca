"""Marketo's two kinds of refusal, with their literal texts.

An `ApiError` ends the whole call and becomes the envelope's `errors`; a `SkipError` ends one record of a batch and
becomes its `reasons`. Texts are those seen on the wire where a recording exists, else the documented template.
"""

from typing import Any


class RefusalError(Exception):
    """A code and a message; codes are strings on the wire."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code} {message}")
        self.code = code
        self.message = message

    def as_wire(self) -> dict[str, str]:
        return {"code": self.code, "message": self.message}


class ApiError(RefusalError):
    """The call as a whole is refused; nothing of it was done."""


class SkipError(RefusalError):
    """One record is skipped; its neighbours go on."""

    def as_result(self, **also: Any) -> dict[str, Any]:
        return {**also, "status": "skipped", "reasons": [self.as_wire()]}


class HttpError(Exception):
    """One of the few refusals that are an HTTP status instead of an envelope (2.1)."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


# Calls answered with these cost nothing (2.2); a refused rate is not counted in its own window either.
UNCHARGED = frozenset({"601", "602", "604", "605", "608", "611"})


def token_invalid() -> ApiError:
    return ApiError("601", "Access token invalid")


def token_expired() -> ApiError:
    return ApiError("602", "Access token expired")


def access_denied() -> ApiError:
    return ApiError("603", "Access denied")


def timed_out() -> ApiError:
    return ApiError("604", "Request timed out")


def rate_exceeded(calls: int, window_s: int) -> ApiError:
    return ApiError("606", f"Max rate limit '{calls}' exceeded with in '{window_s}' secs")


def quota_reached() -> ApiError:
    return ApiError("607", "Daily quota reached")


def resource_not_found() -> ApiError:
    return ApiError("610", "Requested resource not found")


def concurrency_reached(calls: int) -> ApiError:
    return ApiError("615", f"Concurrent access limit '{calls}' reached")


def not_a_number(text: str) -> ApiError:
    return ApiError("1001", f'For input string: "{text}" failed to convert to a number')


def missing_parameter(name: str) -> ApiError:
    return ApiError("1002", f"Missing value for the required parameter '{name}'")


def invalid(message: str) -> ApiError:
    return ApiError("1003", message)


def field_not_found(name: str) -> ApiError:
    return ApiError("1006", f"Field '{name}' not found")


def field_not_supported(name: str) -> ApiError:
    return ApiError("1011", f"Field '{name}' not supported")


def bad_value(field: str, value: Any) -> SkipError:
    shown = "null" if value is None else str(value)
    return SkipError("1003", f"Invalid value for field '{field}' and value '{shown}'")


def lead_not_found() -> SkipError:
    return SkipError("1004", "Lead not found")
