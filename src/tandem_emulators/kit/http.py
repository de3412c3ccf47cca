"""A request and a reply as plain values, read from and written to ASGI.

Bare ASGI rather than a framework's objects: a page of 5,000 rows or a batch of 1,000 requests passes through here
untouched, and a handler is an ordinary function from Request to Reply.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

import msgspec

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


_HOST = re.compile(r"(?:[A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")


@dataclass(slots=True)
class Request:
    """`path` is decoded, `raw_path` is not. `headers` have lower-case names; a repeated header is joined by commas.

    `base_url` has exactly the scheme, host and port that the client used. `in_flight` counts the API requests being
    served at this moment, this one included. `prepared` is the emulator's own: what it found out when it named the
    operation, for the steps that follow.
    """

    method: str
    path: str
    query_string: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    base_url: str = "http://127.0.0.1"
    raw_path: str = ""
    in_flight: int = 1
    prepared: Any = None

    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(self.query_string, keep_blank_values=True)

    def form(self) -> dict[str, str]:
        """The url-encoded body; a name given twice keeps its last value."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))


@dataclass(slots=True)
class Reply:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cookies: list[str] = field(default_factory=list)


def json_reply(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    return Reply(status, msgspec.json.encode(value), {"content-type": "application/json", **(headers or {})})


def has_valid_host(request: Request) -> bool:
    """Links are made of the host that the client used, so it must be one."""
    return _HOST.fullmatch(request.headers.get("host", "")) is not None


async def read_request(scope: Scope, receive: Receive) -> Request:
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    raw_path = scope.get("raw_path", b"").decode("latin-1").partition("?")[0] or scope["path"]
    return Request(
        method=scope["method"],
        path=unquote(raw_path),
        query_string=scope["query_string"].decode("latin-1"),
        headers=headers,
        body=await _read_body(receive),
        base_url=f"{scope['scheme']}://{headers.get('host', '127.0.0.1')}",
        raw_path=raw_path,
    )


async def _read_body(receive: Receive) -> bytes:
    chunks = []
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        chunks.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(chunks)


async def send_reply(reply: Reply, send: Send) -> None:
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers.items()]
    headers += [(b"set-cookie", cookie.encode("latin-1")) for cookie in reply.cookies]
    if reply.status != 204:
        headers.append((b"content-length", str(len(reply.body)).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if reply.status == 204 else reply.body})
