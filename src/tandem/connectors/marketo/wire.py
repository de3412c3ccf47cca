"""Marketo's JSON, and nothing of it past this module: envelopes, rows, activities and write results as they travel.

Decoding a page is a struct made once per shape, so that a row costs one pass over its bytes and one tuple.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec

from tandem.core.record import RecordId, Value, Values
from tandem.core.schema import FieldKind

FORM_HEADERS: Mapping[str, str] = {"Content-Type": "application/x-www-form-urlencoded"}
JSON_HEADERS: Mapping[str, str] = {"Content-Type": "application/json"}

T = TypeVar("T")


class UnreadableError(Exception):
    """An answer is an envelope, but what is in it is nothing we know."""


class WireReason(msgspec.Struct):
    code: str | int = ""
    message: str = ""


class Envelope(msgspec.Struct, rename="camel"):
    """What every answer of the Lead Database API wears; ``result`` stays undecoded until its shape is known."""

    success: bool
    request_id: str = ""
    result: msgspec.Raw = msgspec.Raw(b"[]")
    errors: list[WireReason] = []
    next_page_token: str | None = None
    more_result: bool = False

    def rows(self, kind: type[T]) -> list[T]:
        """Raises UnreadableError."""
        try:
            return msgspec.json.decode(self.result, type=list[kind] | None) or []  # type: ignore[valid-type]
        except msgspec.DecodeError as error:
            raise UnreadableError from error

    def only(self, kind: type[T]) -> T:
        """The one row of an answer that has one.

        Raises:
            UnreadableError: it has another number of them.
        """
        rows = self.rows(kind)
        if len(rows) != 1:
            raise UnreadableError
        return rows[0]


class WireToken(msgspec.Struct):
    """An identity answer, good or bad."""

    access_token: str = ""
    expires_in: float = 0
    scope: str = ""
    error: str = ""


class WireUser(msgspec.Struct, rename="camel"):
    user_id: str = ""
    count: int = 0


class WireUsage(msgspec.Struct):
    """Calls of one day, by API-only user."""

    users: list[WireUser] = []


class WireAttribute(msgspec.Struct, gc=False):
    name: str = ""
    value: Any = None


class WireChange(msgspec.Struct, rename="camel", gc=False):
    name: str = ""
    new_value: Any = None
    old_value: Any = None


class WireActivity(msgspec.Struct, rename="camel"):
    lead_id: int
    activity_date: str
    activity_type_id: int
    primary_attribute_value_id: int | None = None
    marketo_guid: str | int = msgspec.field(default="", name="marketoGUID")
    id: int | None = None
    fields: list[WireChange] = []
    attributes: list[WireAttribute] = []

    @property
    def guid(self) -> str:
        return str(self.marketo_guid or self.id or "")

    def attribute(self, name: str) -> Any:
        for item in self.attributes:
            if item.name == name:
                return item.value
        return None


class WireCreated(msgspec.Struct, rename="camel"):
    created_at: str | None = None


class WireExport(msgspec.Struct, rename="camel"):
    """A bulk extract's job. `number_of_records` is -1 where it is not told."""

    export_id: str = ""
    status: str = ""
    file_size: int = 0
    number_of_records: int = -1


class WireImport(msgspec.Struct):
    """A bulk import's job."""

    batch_id: int = msgspec.field(name="batchId")
    status: str = ""
    processed: int = msgspec.field(default=0, name="numOfLeadsProcessed")
    failed: int = msgspec.field(default=0, name="numOfRowsFailed")


class WireResult(msgspec.Struct, gc=False):
    """One record's fate in a sync call."""

    status: str = ""
    id: int | str | None = None
    marketo_guid: str | None = msgspec.field(default=None, name="marketoGUID")
    reasons: tuple[WireReason, ...] = ()


class WireRest(msgspec.Struct, rename="camel"):
    name: str = ""
    read_only: bool = False


class WireLeadField(msgspec.Struct):
    """A field of ``leads/describe.json``; one without ``rest`` cannot be used over REST."""

    rest: WireRest | None = None


class WireField(msgspec.Struct, rename="camel"):
    name: str
    display_name: str = ""
    data_type: str = "string"
    length: int | None = None
    updateable: bool = True
    crm_managed: bool = False


class WireObject(msgspec.Struct, rename="camel"):
    """What ``describe2`` and the describe calls of the other objects answer."""

    fields: list[WireField] = []
    searchable_fields: list[list[str]] = []


class WireTarget(msgspec.Struct):
    name: str = ""


class WireRelation(msgspec.Struct):
    """A link of a custom object; older answers call the target ``object`` (marketo-rest 4.3)."""

    field: str = ""
    related_to: WireTarget | None = msgspec.field(default=None, name="relatedTo")
    object: WireTarget | None = None

    @property
    def target(self) -> str:
        found = self.related_to or self.object
        return found.name if found is not None else ""


class WireLinks(msgspec.Struct):
    """What the describe call of a custom object says of its links."""

    relationships: list[WireRelation] = []


class WireName(msgspec.Struct):
    name: str = ""


class WireLabelled(msgspec.Struct, rename="camel"):
    name: str = ""
    display_name: str = ""


class WireLinkable(msgspec.Struct, rename="camel"):
    """An object that a custom object's link field may point to; a person's fields go by their labels here."""

    name: str = ""
    fields: list[WireLabelled] = []


class WireType(msgspec.Struct, rename="camel"):
    """A custom object type in the schema API, in one of its versions."""

    state: str = ""
    api_name: str = ""
    fields: list[WireName] = []


_decode_envelope = msgspec.json.Decoder(Envelope).decode
_encode = msgspec.json.Encoder().encode


def parse_envelope(body: bytes) -> Envelope:
    """Raises msgspec.DecodeError (ValidationError is one): what answered is not Marketo, or the body was cut."""
    return _decode_envelope(body)


def parse_token(body: bytes) -> WireToken:
    return msgspec.json.decode(body, type=WireToken)


def render_multipart(name: str, content: bytes) -> tuple[str, bytes]:
    """The content type and the body of a form whose only part is the `file`."""
    boundary = next(text for number in count() if (text := b"tandem-%d" % number) not in content)
    head = b'Content-Disposition: form-data; name="file"; filename="%s"\r\nContent-Type: text/csv' % name.encode()
    body = b"".join((b"--", boundary, b"\r\n", head, b"\r\n\r\n", content, b"\r\n--", boundary, b"--\r\n"))
    return f"multipart/form-data; boundary={boundary.decode()}", body


def render_json(body: Mapping[str, Any]) -> bytes:
    return _encode(body)


def render_form(parameters: Mapping[str, str]) -> bytes:
    return urlencode(parameters).encode()


def parse_time(text: str) -> datetime:
    """``2023-01-16T23:32:19Z``, in old answers with ``+0000``; without a zone it is UTC.

    Raises:
        UnreadableError: it is no time.
    """
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo is not None else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise UnreadableError from error


def render_time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_ids(value: Any) -> list[RecordId]:
    """The lead ids in a ``Merge IDs`` attribute, which comes as an array or as its text."""
    return [RecordId(digits) for digits in re.findall(r"\d+", str(value))]


def goes_on(answer: Envelope, token: str) -> tuple[bool, str]:
    """Whether more is to be read now, and from where. A server that says so without moving is not asked for ever."""
    behind = answer.next_page_token or token
    return answer.more_result and behind != token, behind


def parse_text(value: Any) -> str | None:
    """A display string of a change record; nothing and an empty one are the same."""
    return None if value is None or value == "" else str(value)


# --- rows --------------------------------------------------------------------------------------------------------


def _as_boolean(value: Any) -> Value:
    """An unset boolean reads as false (marketo-rest 3.2); one that the side names otherwise is its text's meaning."""
    return value.lower() in ("true", "1") if isinstance(value, str) else bool(value)


def as_datetime(value: Any) -> Value:
    if not isinstance(value, str) or value == "":
        return None
    return value if len(value) == 20 and value[19] == "Z" else render_time(parse_time(value))


def _as_text(value: Any) -> Value:
    return value if isinstance(value, str) and value != "" else _as_it_is(value)


def _as_integer(value: Any) -> Value:
    """Custom objects answer some numbers as their text (marketo-rest 4.3)."""
    return int(value) if isinstance(value, str) and _INTEGER.fullmatch(value) else _as_it_is(value)


def _as_it_is(value: Any) -> Value:
    return None if value == "" else value if isinstance(value, str | int | float | bool) else None


_INTEGER = re.compile(r"-?\d{1,18}")

_READERS: Mapping[FieldKind, Callable[[Any], Value]] = {
    FieldKind.BOOLEAN: _as_boolean,
    FieldKind.DATETIME: as_datetime,
    FieldKind.TEXT: _as_text,
    FieldKind.INTEGER: _as_integer,
}


class RowReader:
    """Reads rows of one shape: ``fields`` in their order, absent and empty ones as None (false for a boolean).

    ``id_field`` is the one that names the record: ``id`` (a number) or ``marketoGUID``.
    """

    def __init__(self, fields: Sequence[str], kinds: Mapping[str, FieldKind], id_field: str = "id") -> None:
        self.fields = tuple(fields)
        self.kinds = tuple(kinds.get(name, FieldKind.OTHER) for name in fields)
        self._readers = [_READERS.get(kind, _as_it_is) for kind in self.kinds]
        places = {name: f"f{place}" for place, name in enumerate(fields)}
        row = msgspec.defstruct(
            "Row",
            [("id_", int | str), *((place, Any, None) for place in places.values())],
            rename={"id_": id_field} | {place: name for name, place in places.items() if name != id_field},
        )
        self._id_place = self.fields.index(id_field) if id_field in places else None
        self._as_id: Callable[[Any], Value] = int if id_field == "id" else str
        self._decode = msgspec.json.Decoder(list[row] | None).decode  # type: ignore[valid-type]

    def read(self, result: msgspec.Raw) -> list[tuple[RecordId, Values]]:
        """Raises UnreadableError."""
        try:
            return self._read(result)
        except (msgspec.DecodeError, ValueError) as error:
            raise UnreadableError from error

    def _read(self, result: msgspec.Raw) -> list[tuple[RecordId, Values]]:
        rows: list[tuple[RecordId, Values]] = []
        for raw in self._decode(result) or []:
            stated, *found = msgspec.structs.astuple(raw)
            key = self._as_id(stated)
            if self._id_place is not None:
                found[self._id_place] = key
            values = tuple([read(value) for read, value in zip(self._readers, found, strict=True)])
            rows.append((RecordId(str(key)), values))
        return rows
