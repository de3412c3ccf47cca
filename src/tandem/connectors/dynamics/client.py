"""Dataverse over HTTP: the headers every call needs, typed JSON answers, and the batch.

Paths are relative to the service root and already encoded, in a batch too; links that the service gave are followed
character by character. Which error an answer means is decided in ``errors``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeVar

import msgspec

from tandem.connectors.dynamics.address import CLOUD_VERSION
from tandem.connectors.dynamics.batch import CONTENT_TYPE, CutShortError, Part, PartAnswer, parse_batch, render_batch
from tandem.connectors.dynamics.errors import Fault, classify, parse_fault
from tandem.connectors.http import HttpClient, Response
from tandem.core.errors import RejectedError, TransientError, UnknownOutcomeError
from tandem.core.record import Side

# `If-None-Match: null` keeps caches on the way from answering.
_HEADERS: Final = {
    "Accept": "application/json",
    "OData-MaxVersion": "4.0",
    "OData-Version": "4.0",
    "If-None-Match": "null",
}
_API: Final = "/api/data/"
_READ_TIMEOUT_S: Final = 120.0
"""The service ends its own work after two minutes; a page of 5,000 wide rows may take most of a minute."""

READ_BATCH_SIZE: Final = 100

T = TypeVar("T")


class DynamicsClient:
    """``root`` is the path where the Web API begins. ``items_sent`` is what we used of the daily entitlement: every
    request counts one, in a batch too, and every record of a bulk message."""

    def __init__(self, http: HttpClient, root: str = f"/api/data/{CLOUD_VERSION}/") -> None:
        self.http = http
        self.root = root
        self.items_sent = 0

    async def get(self, operation: str, path: str, *, prefer: str = "") -> Response:
        """`path` is relative to the service root, or a path from the host's root as a link gave it."""
        headers = {**_HEADERS, "Prefer": prefer} if prefer else _HEADERS
        self.items_sent += 1
        return await self.http.request(operation, "GET", self.path(path), headers=headers, timeout_s=_READ_TIMEOUT_S)

    async def get_json(self, operation: str, path: str, kind: type[T]) -> T:
        response = await self.get(operation, path)
        return decode(msgspec.json.Decoder(kind), response.body, operation)

    async def post(self, operation: str, path: str, body: bytes) -> None:
        """A change whose answer says nothing but that it is done."""
        headers = {**_HEADERS, "Content-Type": "application/json"}
        self.items_sent += 1
        await self.http.request(
            operation, "POST", self.path(path), headers=headers, body=body, is_write=True, timeout_s=_READ_TIMEOUT_S
        )

    async def put(self, operation: str, path: str, body: bytes) -> None:
        """A whole definition in the place of the present one; labels in other languages stay."""
        headers = {**_HEADERS, "Content-Type": "application/json", "MSCRM.MergeLabels": "true"}
        self.items_sent += 1
        await self.http.request(
            operation, "PUT", self.path(path), headers=headers, body=body, is_write=True, timeout_s=_READ_TIMEOUT_S
        )

    async def get_fresh(self, operation: str, paths: Sequence[str]) -> list[PartAnswer]:
        """Metadata as it is now: without the header a change shows up to half a minute later."""
        return await self.get_many(operation, paths, {"Consistency": "Strong"})

    async def get_many(
        self, operation: str, paths: Sequence[str], headers: Mapping[str, str] | None = None
    ) -> list[PartAnswer]:
        """Each path's own answer, in order; throttled parts make the whole call transient."""
        answers: list[PartAnswer] = []
        for start in range(0, len(paths), READ_BATCH_SIZE):
            chunk = paths[start : start + READ_BATCH_SIZE]
            parts = [Part("GET", path, headers or {}) for path in chunk]
            answers += await self.send_batch(operation, parts, is_write=False, timeout_s=_READ_TIMEOUT_S)
        for answer in answers:
            fault = fault_of(answer)
            if fault is not None and fault.is_transient:
                raise classify(fault, operation)
        return answers

    async def send_batch(
        self, operation: str, parts: Sequence[Part], *, is_write: bool, timeout_s: float
    ) -> list[PartAnswer]:
        """One call. Every part is answered, the failed ones too.

        Raises:
            UnknownOutcomeError: a write batch whose answer is not whole.
        """
        headers = {**_HEADERS, "Content-Type": CONTENT_TYPE, "Prefer": "odata.continue-on-error"}
        self.items_sent += sum(part.items for part in parts)
        response = await self.http.request(
            operation,
            "POST",
            self.path("$batch"),
            headers=headers,
            body=render_batch([replace(part, path=self.path(part.path)) for part in parts]),
            is_write=is_write,
            timeout_s=timeout_s,
        )
        try:
            answers = parse_batch(response.headers.get("Content-Type", ""), response.body)
            if len(answers) != len(parts):
                raise CutShortError(f"{len(answers)} answers to {len(parts)} requests")
        except CutShortError as error:
            kind = UnknownOutcomeError if is_write else TransientError
            text = f"Dynamics, {operation}: the answer to the batch was cut short ({error})."
            raise kind(text, side=Side.CRM, operation=operation, code="batch") from error
        return answers

    def path(self, path: str) -> str:
        """From the host's root, as links are already; one that was given under the organisation's other address
        (`address`) is followed under ours."""
        if not path.startswith("/"):
            return self.root + path
        _, api, rest = path.partition(_API)
        return f"{self.root.partition(_API)[0]}{api}{rest}" if api else path


def fault_of(answer: PartAnswer) -> Fault | None:
    if answer.status < 400:
        return None
    request_id = answer.headers.get("req_id", "")
    return parse_fault(answer.status, answer.body, retry_after_s=answer.retry_after_s, request_id=request_id)


def decode(decoder: "msgspec.json.Decoder[T]", body: bytes, operation: str) -> T:
    """Raises: TransientError for text that is no JSON, RejectedError for JSON of another shape than documented."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        text = f"Dynamics, {operation}: the answer has another shape than documented ({error})."
        raise RejectedError(text, side=Side.CRM, operation=operation, code="shape") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        text = f"Dynamics, {operation}: the answer is no JSON."
        raise TransientError(text, side=Side.CRM, operation=operation, code="json") from error
