"""A request as the operations see it: parameters from query and form alike, a JSON body, and who is calling.

`_method` may stand in the query or in a form body, arrays come comma-separated or repeated, booleans come as
`True` from Python clients (2.5).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from tandem_emulators.kit.http import Request
from tandem_emulators.marketo.catalogue import load_json
from tandem_emulators.marketo.errors import ApiError, invalid, missing_parameter, not_a_number

BATCH_MAX = 300
FORM = "application/x-www-form-urlencoded"
ASSETS = "/rest/asset/"  # these calls dropped `_method` in 2020 (2.5)


class Operation(msgspec.Struct, frozen=True):
    """One documented call: `permissions` lists what any one of which is enough; empty means none is needed."""

    name: str
    method: str
    path: str
    permissions: list[str]
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Match:
    operation: Operation
    path: dict[str, str]


class Routes:
    """Finds the operation of a method and path."""

    def __init__(self) -> None:
        operations = msgspec.json.decode(load_json("operations.json"), type=dict[str, list[Operation]])["operations"]
        self.operations = operations
        self._exact: dict[str, dict[str, Operation]] = {}
        self._patterns: dict[int, list[tuple[re.Pattern[str], Operation]]] = {}  # by the number of slashes
        for operation in operations:
            if "{" in operation.path:
                alike = self._patterns.setdefault(operation.path.count("/"), [])
                alike.append((_pattern(operation.path), operation))
            else:
                self._exact.setdefault(operation.path, {})[operation.method] = operation

    def find(self, method: str, path: str) -> Match | None:
        """None where the path is known but not with this method (605).

        Raises:
            ApiError: 610, no such path.
        """
        exact = self._exact.get(path)
        if exact is not None:
            return Match(exact[method], {}) if method in exact else None
        known = False
        for pattern, operation in self._patterns.get(path.count("/"), []):
            found = pattern.fullmatch(path)
            if found and operation.method == method:
                return Match(operation, found.groupdict())
            known = known or found is not None
        if known:
            return None
        raise ApiError("610", "Requested resource not found")


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+?)", re.escape(path)))


def without_dots(path: str) -> str:
    """A path with its `..` taken, as every web server takes them."""
    if "/../" not in path:
        return path
    kept: list[str] = []
    for segment in path.split("/"):
        if segment != "..":
            kept.append(segment)
        elif len(kept) > 1:
            kept.pop()
    return "/".join(kept)


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a request asks for before anyone looks at its JSON."""

    method: str
    values: Mapping[str, list[str]]
    is_form: bool


def read_parameters(request: Request) -> Parameters:
    pairs = request.query()
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_form = content_type == FORM
    if is_form:
        pairs += parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True)
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    override = values.get("_method", [""])[0].upper()
    overridden = request.method == "POST" and override in ("GET", "DELETE") and not request.path.startswith(ASSETS)
    return Parameters(override if overridden else request.method, values, is_form)


@dataclass(frozen=True, slots=True)
class Call:
    operation: Operation
    path: Mapping[str, str]
    parameters: Parameters
    raw_body: bytes
    headers: Mapping[str, str]
    user: str
    request_id: str
    now_s: float

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "").strip()

    def text(self, name: str) -> str | None:
        values = self.parameters.values.get(name)
        return values[0] if values and values[0] != "" else None

    def required(self, name: str) -> str:
        value = self.text(name)
        if value is None:
            raise missing_parameter(name)
        return value

    def texts(self, name: str) -> list[str]:
        """An array, comma-separated or repeated."""
        found = [part for value in self.parameters.values.get(name, []) for part in value.split(",")]
        return [part.strip() for part in found if part.strip()]

    def integers(self, name: str) -> list[int]:
        return [as_integer(text) for text in self.texts(name)]

    def integer(self, name: str) -> int | None:
        value = self.text(name)
        return None if value is None else as_integer(value)

    def path_integer(self, name: str) -> int:
        return as_integer(self.path[name])

    def batch_size(self, stated: Any = None) -> int:
        """At most 300; what asks for more, or for none, gets 300."""
        asked = as_integer(str(stated)) if stated is not None else self.integer("batchSize")
        return asked if asked is not None and 0 < asked <= BATCH_MAX else BATCH_MAX

    def has_body(self) -> bool:
        return bool(self.raw_body.strip()) and not self.parameters.is_form

    def body(self) -> dict[str, Any]:
        """The JSON object in the body.

        Raises:
            ApiError: 612 without a JSON content type, 609 when it is not a JSON object.
        """
        if not self.content_type.lower().startswith("application/json"):
            raise ApiError("612", "Invalid Content Type")
        try:
            return msgspec.json.decode(self.raw_body, type=dict[str, Any])
        except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError) as error:
            raise ApiError("609", "Invalid JSON") from error

    def input(self, body: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The records of a batch: 1 to 300 objects."""
        records = body.get("input")
        if records is None or records == []:
            raise missing_parameter("input")
        if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
            raise invalid("Invalid value for field 'input'")
        if len(records) > BATCH_MAX:
            raise invalid(f"The number of records in the input, {len(records)}, exceeds the maximum of {BATCH_MAX}")
        return records


def as_integer(text: str) -> int:
    cleaned = text.strip()
    if not re.fullmatch(r"[+-]?\d{1,18}", cleaned):
        raise not_a_number(text)
    return int(cleaned)


def choice(body: Mapping[str, Any], name: str, allowed: Sequence[str], default: str) -> str:
    value = body.get(name)
    if value is None or value == "":
        return default
    if value not in allowed:
        raise invalid(f"Invalid value '{value}' for '{name}'")
    return str(value)
