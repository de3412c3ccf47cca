"""multipart/form-data, as far as an upload of one file with a few parameters needs it (6.1)."""

import re
from dataclasses import dataclass

from tandem_emulators.marketo.errors import ApiError

_BOUNDARY = re.compile(r'boundary=(?:"([^"]{1,200})"|([^\s;,"]{1,200}))', re.IGNORECASE)
_NAME = re.compile(rb'[;\s]name="([^"]*)"|[;\s]name=([^\s;"]+)', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    name: str
    content: bytes


def parse_parts(content_type: str, body: bytes) -> dict[str, Part]:
    """The parts by their names; of two with one name, the last.

    Raises:
        ApiError: 612 for another content type, 613 for a body that is not what its header says.
    """
    if not content_type.lower().startswith("multipart/form-data"):
        raise ApiError("612", "Invalid Content Type")
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise malformed()
    boundary = (found.group(1) or found.group(2)).encode("latin-1", "replace")
    _, *pieces = (b"\r\n" + body).split(b"\r\n--" + boundary)
    if not pieces or not pieces[-1].startswith(b"--"):
        raise malformed()
    parts = map(_part, pieces[:-1])
    return {part.name: part for part in parts}


def _part(piece: bytes) -> Part:
    head, separator, content = piece.partition(b"\r\n\r\n")
    name = _NAME.search(head)
    if not separator or name is None:
        raise malformed()
    return Part((name.group(1) or name.group(2) or b"").decode("utf-8", "replace"), content)


def malformed() -> ApiError:
    return ApiError("613", "Invalid Multipart Request")
