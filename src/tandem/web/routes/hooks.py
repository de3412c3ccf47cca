"""Webhooks for flow steps of Marketo: ``POST /hooks/<deed>`` with a JSON object or a form, answered in JSON.

Every call brings the secret as ``Authorization: Bearer``; it is compared in constant time, before anything of the call
is read. A header ``Idempotency-Key`` says which call is which; Marketo sends none, and needs none.
"""

import hmac
import json
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tandem.app.requests import BadCallError, FrontDesk
from tandem.core.errors import StoreError
from tandem.core.requests import Deed
from tandem.telemetry import get_logger

BODY_MAX: Final = 64 * 1024

log = get_logger()


class _TooLargeError(Exception):
    """The body is longer than any call needs."""


def hook_routes(desk: FrontDesk, secret: str) -> list[Route]:
    return [_route(desk, secret, deed) for deed in Deed]


def _route(desk: FrontDesk, secret: str, deed: Deed) -> Route:
    async def answer(request: Request) -> JSONResponse:
        if not _is_known(request, secret):
            return _refused(401, "The secret is missing or wrong: send the header Authorization: Bearer <secret>.")
        try:
            fields = _parse(request.headers.get("content-type", ""), await _body(request))
            told = await desk.take(deed, fields, request.headers.get("idempotency-key"))
        except _TooLargeError:
            return _refused(413, f"The body has more than {BODY_MAX} bytes.")
        except BadCallError as error:
            return _refused(400, str(error))
        except StoreError:
            log.error("hook.failed", kind=deed.value)
            return _refused(503, "Nothing was stored: the state store does not answer. Call again.")
        log.info("hook.answered", kind=deed.value, state=told.outcome)
        return JSONResponse(msgspec.to_builtins(told))

    return Route(f"/hooks/{deed}", answer, methods=["POST"])


def _is_known(request: Request, secret: str) -> bool:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    sent = given.strip().encode("latin-1")  # which is how a header's bytes were made a text
    return scheme.lower() == "bearer" and hmac.compare_digest(sent, secret.encode())


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_MAX:
            raise _TooLargeError
    return body


def _parse(content_type: str, body: bytes) -> dict[str, Any]:
    try:
        text = body.decode()
        if content_type.partition(";")[0].strip().lower() == "application/x-www-form-urlencoded":
            return dict(parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text)))
        fields = json.loads(text)
    except ValueError:
        raise BadCallError("The body must be a JSON object or a form, in UTF-8.") from None
    if not isinstance(fields, dict):
        raise BadCallError("The body must be a JSON object.")
    return fields


def _refused(status: int, reason: str) -> JSONResponse:
    return JSONResponse({"outcome": "refused", "reason": reason}, status)
