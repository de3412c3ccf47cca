"""The multipart batch: its parts as requests, and their replies as parts.

CRLF and bare LF are both read, CRLF is written. A change set is one transaction and answers with one part when it
fails. Without continue-on-error the first failure ends the batch and gives it its status. What cannot be read as a
batch is refused as a whole, in the form of the layer below: `{"Message": …}` (sheet sections 2.4 and 5.6).
"""

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import pairwise
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.errors import ODataError
from tandem_emulators.kit.http import Reply, Request, json_reply

REQUESTS_MAX = 1000
_BOUNDARY = re.compile(r'boundary\s*=\s*(?:"([^"]+)"|([^;\s]+))', re.IGNORECASE)
_METHOD = re.compile(rb"[A-Z]{1,20}")
_HEADER_END = re.compile(rb"\r?\n\r?\n")
_REASONS = {200: "OK", 201: "Created", 204: "No Content", 304: "Not Modified", 400: "Bad Request", 401: "Unauthorized"}
_REASONS |= {403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 412: "Precondition Failed"}
_REASONS |= {429: "Too Many Requests", 500: "Internal Server Error", 501: "Not Implemented", 503: "Service Unavailable"}

_REFERENCED = re.compile(r"(?:/\w+)?/api/data/v9\.[012]/(\$(?!batch$)[\w.-]+)(?=/|$)")

References = Mapping[str, str]
Serve = Callable[[Request, References], Reply]


@dataclass(frozen=True, slots=True)
class Part:
    request: Request
    content_id: str | None


@dataclass(frozen=True, slots=True)
class ChangeSet:
    parts: list[Part]


class Batch:
    """`serve` answers one request and never raises; `fail` makes the reply of an error of the batch itself."""

    def __init__(
        self,
        serve: Serve,
        fail: Callable[[ODataError], Reply],
        transaction: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._serve = serve
        self._fail = fail
        self._transaction = transaction

    def run(self, request: Request, *, continue_on_error: bool) -> Reply:
        try:
            items = parse_batch(request)
        except MalformedBatchError as error:
            return error.reply()
        answers: list[bytes] = []
        status = 200
        for item in items:
            if isinstance(item, ChangeSet):
                part, failed = self._change_set(item)
            else:
                reply = self._serve_part(item.request, {})
                part, failed = render_part(reply, item.content_id), reply.status if reply.status >= 400 else 0
            answers.append(part)
            if failed and not continue_on_error:
                status = failed
                break
        boundary = f"batchresponse_{uuid4()}"
        return Reply(status, _multipart(boundary, answers), {"content-type": f"multipart/mixed; boundary={boundary}"})

    def _change_set(self, change_set: ChangeSet) -> tuple[bytes, int]:
        """The parts of the replies, or the one part that failed with everything undone."""
        references: dict[str, str] = {}
        replies: list[bytes] = []
        try:
            with self._transaction():
                for part in change_set.parts:
                    reply = self._in_change_set(part, references)
                    if reply.status >= 400:
                        raise _Undo(reply, part.content_id)
                    replies.append(render_part(reply, part.content_id))
        except _Undo as undo:
            return render_part(undo.reply, undo.content_id), undo.reply.status
        boundary = f"changesetresponse_{uuid4()}"
        head = f"Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n".encode()
        return head + _multipart(boundary, replies), 0

    def _in_change_set(self, part: Part, references: dict[str, str]) -> Reply:
        if part.request.method == "GET":
            return self._fail(errors.method_in_changeset(part.request.method))
        if part.content_id is None:
            return self._fail(errors.content_id_required())
        reply = self._serve_part(part.request, references)
        if "odata-entityid" in reply.headers:
            references[f"${part.content_id}"] = reply.headers["odata-entityid"]
        return reply

    def _serve_part(self, request: Request, references: References) -> Reply:
        """A URL may begin with what an earlier part of the same change set made."""
        found = _REFERENCED.match(request.path)
        if found is None:
            return self._serve(request, references)
        if found[1] not in references:
            return self._fail(errors.content_id_missing(found[1]))
        path = urlsplit(references[found[1]]).path + request.path[found.end() :]
        return self._serve(replace(request, path=path, raw_path=path), references)


class MalformedBatchError(Exception):
    """Not a batch, or too much of one; nothing of it was carried out."""

    def reply(self) -> Reply:
        text = str(self)
        body = {"Message": text, "ExceptionMessage": text, "ExceptionType": "Microsoft.OData.ODataException"}
        return json_reply(body, 400)


class _Undo(Exception):  # noqa: N818 - it ends a transaction, and is no error to anyone outside
    def __init__(self, reply: Reply, content_id: str | None) -> None:
        super().__init__()
        self.reply, self.content_id = reply, content_id


def parse_batch(request: Request) -> list[Part | ChangeSet]:
    boundary = _boundary(request.headers.get("content-type", ""))
    if boundary is None:
        raise MalformedBatchError("The batch request must have a Content-Type of multipart/mixed with a boundary.")
    items: list[Part | ChangeSet] = []
    for headers, content in _split(request.body, boundary):
        nested = _boundary(headers.get("content-type", ""))
        if nested is not None:
            parts = [_parse_part(request, inner, body) for inner, body in _split(content, nested)]
            items.append(_checked(ChangeSet(parts)))
        else:
            items.append(_parse_part(request, headers, content))
    total = sum(len(item.parts) if isinstance(item, ChangeSet) else 1 for item in items)
    if total > REQUESTS_MAX:
        raise MalformedBatchError(
            f"The current batch message contains too many parts. A maximum number of '{REQUESTS_MAX}' query operations "
            "and change sets are allowed in a batch message."
        )
    return items


def _checked(change_set: ChangeSet) -> ChangeSet:
    if len(change_set.parts) > REQUESTS_MAX:
        raise MalformedBatchError(
            f"The current change set contains too many operations. A maximum number of '{REQUESTS_MAX}' operations are "
            "allowed in a change set."
        )
    seen: set[str | None] = set()
    for part in change_set.parts:
        if part.content_id is not None and part.content_id in seen:
            raise MalformedBatchError(
                f"The content ID '{part.content_id}' was found more than once in the same change set. Content IDs have "
                "to be unique across all operations of a change set."
            )
        seen.add(part.content_id)
    return change_set


def _boundary(content_type: str) -> str | None:
    if not content_type.lower().startswith("multipart/mixed"):
        return None
    found = _BOUNDARY.search(content_type)
    return (found[1] or found[2]) if found else None


def _split(content: bytes, boundary: str) -> list[tuple[dict[str, str], bytes]]:
    """The parts between the delimiter lines, each as headers and content."""
    delimiter = re.compile(rb"(?:^|\r?\n)--" + re.escape(boundary.encode()) + rb"(--)?[ \t]*(?=\r?\n|$)")
    marks = list(delimiter.finditer(content))
    if not marks or marks[-1][1] is None:
        raise MalformedBatchError("The batch message is malformed: the closing boundary was not found.")
    parts = []
    for start, end in pairwise(marks):
        if start[1] is not None:
            raise MalformedBatchError("The batch message is malformed: content after the closing boundary.")
        parts.append(_headers_and_content(content[start.end() : end.start()].lstrip(b"\r\n")))
    return parts


def _headers_and_content(text: bytes) -> tuple[dict[str, str], bytes]:
    end = _HEADER_END.search(text)
    head, content = (text[: end.start()], text[end.end() :]) if end else (text, b"")
    headers: dict[str, str] = {}
    for line in head.splitlines():
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon:
            raise MalformedBatchError("The batch message is malformed: a header has no colon.")
        key = name.strip().lower()
        headers[key] = f"{headers[key]},{value.strip()}" if key in headers else value.strip()
    return headers, content


def _parse_part(outer: Request, headers: dict[str, str], content: bytes) -> Part:
    if headers.get("content-type", "").split(";")[0].strip().lower() != "application/http":
        raise MalformedBatchError("The batch message is malformed: a part must be of type application/http.")
    line, _, rest = content.lstrip(b"\r\n").partition(b"\n")
    method, raw_target = _request_line(line)
    inner_headers, body = _headers_and_content(rest) if rest.strip() else ({}, b"")
    if rest.startswith((b"\r\n", b"\n")):
        inner_headers, body = {}, rest.lstrip(b"\r\n")
    path, query = _target(outer, raw_target)
    request = Request(
        method=method,
        path=unquote(path),
        query_string=query,
        headers={"authorization": outer.headers.get("authorization", ""), **inner_headers},
        body=body,
        base_url=outer.base_url,
        raw_path=path,
    )
    if request.path.endswith("/$batch"):
        raise MalformedBatchError("A batch request cannot contain another batch request.")
    return Part(request, headers.get("content-id") or inner_headers.get("content-id"))


def _request_line(line: bytes) -> tuple[str, str]:
    """Method and target. Microsoft's own Python client leaves the blanks of a query as they are."""
    method, _, target = line.strip().partition(b" ")
    if target.endswith((b" HTTP/1.1", b" HTTP/1.0")):
        target = target[: -len(b" HTTP/1.1")]
    if _METHOD.fullmatch(method) is None or not target.strip():
        raise MalformedBatchError("The batch message is malformed: a part has no request line.")
    return method.decode(), target.strip().decode("latin-1")


def _target(outer: Request, target: str) -> tuple[str, str]:
    """Path and query of an absolute URL, an absolute path, or a path relative to the service root."""
    if target.startswith(("http://", "https://")):
        target = "/" + target.split("/", 3)[3] if target.count("/") > 2 else "/"
    elif not target.startswith("/"):
        target = outer.path.removesuffix("$batch") + target
    path, _, query = target.partition("?")
    return path, query


def render_part(reply: Reply, content_id: str | None) -> bytes:
    lines = ["Content-Type: application/http", "Content-Transfer-Encoding: binary"]
    if content_id is not None:
        lines.append(f"Content-ID: {content_id}")
    lines += ["", f"HTTP/1.1 {reply.status} {_REASONS.get(reply.status, 'Unknown')}"]
    for name, value in reply.headers.items():
        text = f"{value}; odata.streaming=true" if name == "content-type" and reply.body else value
        lines.append(f"{_HEADER_NAMES.get(name, name)}: {text}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + reply.body


_HEADER_NAMES = {
    "content-type": "Content-Type",
    "odata-version": "OData-Version",
    "odata-entityid": "OData-EntityId",
    "location": "Location",
    "etag": "ETag",
    "preference-applied": "Preference-Applied",
    "req_id": "REQ_ID",
}


def _multipart(boundary: str, parts: list[bytes]) -> bytes:
    mark = f"--{boundary}".encode()
    return b"".join(mark + b"\r\n" + part + b"\r\n" for part in parts) + mark + b"--\r\n"
