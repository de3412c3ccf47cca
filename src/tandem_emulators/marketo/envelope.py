"""The envelope every answer wears: request id, verdict, result, and where the next page is.

Members that are empty are left out, as on the wire, except `result`, which is there whenever a call succeeds
with something to list.
"""

import random
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tandem_emulators.marketo.errors import RefusalError

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Reply:
    """What an operation answers; `result=None` leaves the member out (merge, paging token)."""

    result: list[Any] | None = None
    next_page_token: str | None = None
    more_result: bool | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FileReply:
    """An answer that is a file: bulk results wear no envelope (6)."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class RequestIds:
    """Makes ids such as `a9f3#17d4f046342`: a number below 100,000 and the start time in ms, both in hex (2.1)."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def make(self, at_ms: int) -> str:
        return f"{self._random.randrange(100_000):x}#{at_ms:011x}"


def render(reply: Reply, request_id: str) -> bytes:
    body: dict[str, Any] = {"requestId": request_id}
    if reply.warnings:
        body["warnings"] = list(reply.warnings)
    if reply.result is not None:
        body["result"] = reply.result
    body["success"] = True
    if reply.next_page_token is not None:
        body["nextPageToken"] = reply.next_page_token
    if reply.more_result is not None:
        body["moreResult"] = reply.more_result
    return _encode(body)


def render_asset(reply: Reply, request_id: str) -> bytes:
    """Assets always name errors and warnings, and leave out a result that would be empty (2.1)."""
    body: dict[str, Any] = {"success": True, "errors": [], "requestId": request_id, "warnings": list(reply.warnings)}
    if reply.result is not None:
        body["result"] = reply.result
    return _encode(body)


def render_error(refusal: RefusalError, request_id: str) -> bytes:
    return _encode({"requestId": request_id, "success": False, "errors": [refusal.as_wire()]})


def render_asset_error(refusal: RefusalError, request_id: str) -> bytes:
    return _encode({"success": False, "errors": [refusal.as_wire()], "requestId": request_id, "warnings": []})
