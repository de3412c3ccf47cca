"""The ``$batch`` envelope: many requests in one HTTP call, as multipart text in both directions.

Each part is a whole HTTP message. Line ends are CRLF in what we send; answers may come with bare LF. An answer whose
closing line is missing was cut short: what was done is then unknown, so it is never read as far as it goes.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from tandem.connectors.pacing import parse_retry_after

# JSON bodies hold no line breaks, so no part can contain this line by chance.
_BOUNDARY: Final = "batch_tandem"
CONTENT_TYPE: Final = f"multipart/mixed; boundary={_BOUNDARY}"

_BOUNDARY_PARAMETER: Final = re.compile(r'boundary="?([^";]+)"?', re.IGNORECASE)
_STATUS_LINE: Final = re.compile(rb"HTTP/\d(?:\.\d)? (\d{3})")
_BLANK_LINE: Final = re.compile(rb"\r?\n\r?\n")


class CutShortError(ValueError):
    """The answer is no whole batch answer."""


@dataclass(frozen=True, slots=True)
class Part:
    """One request. ``path`` is relative to the service root until it is sent. ``items`` is what it counts for the
    daily entitlement: one, or the records of a bulk message."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    items: int = 1


@dataclass(frozen=True, slots=True)
class PartAnswer:
    """``headers`` by lower-case name."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def retry_after_s(self) -> float | None:
        return parse_retry_after(self.headers.get("retry-after", ""))


def render_batch(parts: Sequence[Part]) -> bytes:
    pieces: list[bytes] = []
    for number, part in enumerate(parts, start=1):
        lines = [
            f"--{_BOUNDARY}",
            "Content-Type: application/http",
            "Content-Transfer-Encoding: binary",
            f"Content-ID: {number}",
            "",
            f"{part.method} {part.path} HTTP/1.1",
            "Accept: application/json",
            *(f"{name}: {value}" for name, value in part.headers.items()),
            *([f"Content-Length: {len(part.body)}"] if part.body else []),
            "",
            "",
        ]
        pieces += ["\r\n".join(lines).encode(), part.body, b"\r\n"]
    return b"".join([*pieces, f"--{_BOUNDARY}--\r\n".encode()])


def parse_batch(content_type: str, body: bytes) -> list[PartAnswer]:
    """The answers in the order of the requests.

    Raises:
        CutShortError: the closing boundary or a part's own message is missing.
    """
    found = _BOUNDARY_PARAMETER.search(content_type)
    if not content_type.lower().startswith("multipart/mixed") or found is None:
        raise CutShortError("no multipart answer")
    line = re.escape(found[1].strip().encode())
    pieces = re.split(rb"(?:^|\r?\n)--" + line + rb"(--)?[ \t]*(?=\r?\n|$)", body)
    # Split with one group: text, mark, text, mark ... The first text is the preamble, the last the epilogue.
    if len(pieces) < 3 or pieces[-2] != b"--":
        raise CutShortError("no closing boundary")
    return [_parse_part(piece) for piece in pieces[2:-2:2]]


def _parse_part(piece: bytes) -> PartAnswer:
    envelope = _BLANK_LINE.split(piece, maxsplit=1)
    message = _BLANK_LINE.split(envelope[-1].lstrip(b"\r\n"), maxsplit=1)
    status = _STATUS_LINE.match(message[0])
    if len(envelope) < 2 or status is None:
        raise CutShortError("a part without a status line")
    pairs = (line.partition(":") for line in message[0].decode("latin-1").splitlines()[1:])
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    return PartAnswer(int(status[1]), headers, message[1].strip(b"\r\n") if len(message) > 1 else b"")
