"""The Web API: a URL is read into a target, a target and a method into one of the readers and writers.

`dispatch` is used alike for a request of its own and for a part of a batch; it raises ODataError for a refusal.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, unquote_plus

import msgspec

from tandem_emulators.dataverse import errors, messages
from tandem_emulators.dataverse.messages import Messages
from tandem_emulators.dataverse.metadata import Metadata
from tandem_emulators.dataverse.options import Preferences, QueryOptions, parse_options, parse_preferences
from tandem_emulators.dataverse.organization import Organization
from tandem_emulators.dataverse.payload import decode_body
from tandem_emulators.dataverse.reading import Reader, conditional_read_matches
from tandem_emulators.dataverse.schema import Column, Schema, Table
from tandem_emulators.dataverse.security import Caller
from tandem_emulators.dataverse.terms import Terms
from tandem_emulators.dataverse.values import parse_guid
from tandem_emulators.dataverse.writing import Writer, etag_version
from tandem_emulators.kit.counters import Counters
from tandem_emulators.kit.http import Reply, Request

ROOT = re.compile(r"/api/data/v9\.[012]/")
JSON = {"content-type": "application/json; odata.metadata=minimal", "odata-version": "4.0"}
_SEGMENT = re.compile(r"((?:[^/(']|'(?:[^']|'')*'|\((?:[^()']|'(?:[^']|'')*')*\))+)(?:/|$)")
_KEYED = re.compile(r"(\w+)\((.*)\)")
_URL_MAX = 32_768
_BATCH_URL_MAX = 65_536
_ACTION = "Microsoft.Dynamics.CRM."
_FUNCTIONS = {
    "WhoAmI": "whoami",
    "RetrieveVersion": "version",
    "RetrieveCurrentOrganization": "organization",
}


@dataclass(frozen=True, slots=True)
class Call:
    """One request with what has been found out about it. `root` is the service root as the client sees it."""

    request: Request
    caller: Caller
    root: str
    segments: tuple[str, ...]
    references: Mapping[str, str]
    in_batch: bool

    @property
    def preferences(self) -> Preferences:
        return parse_preferences(self.request.headers.get("prefer"))

    @property
    def options(self) -> QueryOptions:
        return parse_options(self.request)

    @property
    def terms(self) -> Terms:
        suppressed = self.request.headers.get("mscrm.suppressduplicatedetection", "true").strip().lower()
        return Terms(self.references, detects_duplicates=suppressed == "false")


def split_path(path: str) -> tuple[str, ...]:
    """Segments behind the service root; a slash inside quotes or parentheses does not separate."""
    found = ROOT.match(path)
    rest = path[found.end() :] if found else ""
    return tuple(_SEGMENT.findall(rest)) if "".join(_SEGMENT.findall(rest)) == rest.replace("/", "") else (rest,)


class WebApi:
    def __init__(
        self, schema: Schema, organization: Organization, reader: Reader, writer: Writer, counters: Counters
    ) -> None:
        self._schema = schema
        self._organization = organization
        self._reader = reader
        self._writer = writer
        self._counters = counters
        self._messages = Messages(reader, writer)
        self._metadata = Metadata(schema, writer.security.is_secured)

    def operation(self, request: Request) -> str:
        """The name under which faults, latency and counters know a request."""
        segments = split_path(request.path)
        if not segments:
            return "service_document"
        head = segments[0].partition("(")[0]
        if head in _FUNCTIONS:
            return _FUNCTIONS[head]
        if head in ("Merge", "$batch"):
            return {"Merge": "merge", "$batch": "batch"}[head]
        if head == "EntityDefinitions":
            return "metadata"
        table = self._schema.by_set.get(head)
        return _row_operation(table, segments, request) if table else "other"

    def dispatch(
        self, request: Request, caller: Caller, references: Mapping[str, str] | None = None, *, in_batch: bool = False
    ) -> Reply:
        found = ROOT.match(request.path)
        if found is None:
            raise errors.segment_not_found(request.path.strip("/").partition("/")[0])
        self._check_size(request, in_batch)
        root = f"{request.base_url}{found[0]}"
        call = Call(request, caller, root, split_path(request.path), references or {}, in_batch)
        if not call.segments:
            return self._service_document(call)
        head, keyed = call.segments[0], _KEYED.fullmatch(call.segments[0])
        name = keyed[1] if keyed else head
        if name == "EntityDefinitions":
            return self._describe(call)
        if name in _FUNCTIONS:
            return self._function(call, name)
        if name == "Merge":
            return self._merge(call)
        table = self._schema.by_set.get(name)
        if table is None:
            raise errors.segment_not_found(name)
        return self._of_set(call, table) if keyed is None else self._of_row(call, table, keyed[2])

    def _check_size(self, request: Request, in_batch: bool) -> None:
        length = len(request.raw_path) + len(request.query_string) + 1
        if length > (_BATCH_URL_MAX if in_batch else _URL_MAX):
            raise errors.ODataError(414, "0x80060888", "The request URI is too long.")

    # The service itself.

    def _service_document(self, call: Call) -> Reply:
        _allow(call, "GET")
        sets = [{"name": name, "kind": "EntitySet", "url": name} for name in self._schema.by_set]
        return _json({"@odata.context": f"{call.root}$metadata", "value": sets})

    def _function(self, call: Call, name: str) -> Reply:
        _allow(call, "GET")
        if len(call.segments) > 1:
            raise errors.segment_not_found(call.segments[1])
        if name == "WhoAmI":
            return _json(messages.who_am_i(self._organization, call.caller, call.root))
        if name == "RetrieveVersion":
            return _json(messages.version(call.root))
        return _json(messages.current_organization(self._organization, call.request.base_url, call.root))

    def _describe(self, call: Call) -> Reply:
        _allow(call, "GET")
        return _json(self._metadata.serve(call.segments, dict(call.request.query()), call.root))

    def _merge(self, call: Call) -> Reply:
        _allow(call, "POST")
        self._counters.written(2)
        body = decode_body("", call.request.body)
        with self._writer.store.transaction():
            self._messages.merge(call.caller, body)
        return Reply(204, headers={"odata-version": "4.0"})

    # Entity sets.

    def _of_set(self, call: Call, table: Table) -> Reply:
        rest = call.segments[1:]
        if rest == ("$count",):
            _allow(call, "GET")
            number = self._reader.count(call.caller, table, call.options)
            return Reply(
                200, b"\xef\xbb\xbf" + str(number).encode(), {"content-type": "text/plain", "odata-version": "4.0"}
            )
        if rest:
            if rest[0].startswith(_ACTION):
                raise errors.not_covered(f"The message {rest[0].removeprefix(_ACTION)}")
            raise errors.segment_not_found(rest[0])
        if call.request.method == "POST":
            return self._create(call, table)
        _allow(call, "GET", "POST")
        preferences = call.preferences
        page = self._reader.page(call.caller, table, call.options, preferences, call.root)
        self._counters.read(len(page.rows))
        return _json(page.as_dict(), headers=_applied(preferences))

    def _create(self, call: Call, table: Table) -> Reply:
        self._counters.written(1)
        preferences = call.preferences
        body = decode_body(table.set_name, call.request.body)
        with self._writer.store.transaction():
            record_id = self._writer.create(call.caller, table, body, terms=call.terms)
            return self._written(call, table, record_id, preferences, created=True)

    def _written(self, call: Call, table: Table, record_id: str, preferences: Preferences, *, created: bool) -> Reply:
        url = f"{call.root}{table.set_name}({record_id})"
        headers = {"odata-version": "4.0", "odata-entityid": url, **_applied(preferences)}
        if created:
            headers["location"] = url
        if not preferences.return_representation:
            return Reply(204, headers=headers)
        row = self._reader.row(call.caller, table, record_id, call.options, preferences, call.root)
        return _json(row, 201 if created else 200, {**headers, "etag": row["@odata.etag"]})

    # One row.

    def _of_row(self, call: Call, table: Table, key: str) -> Reply:
        record_id = self._key(table, key)
        rest = call.segments[1:]
        if rest:
            return self._part_of_row(call, table, record_id, rest)
        handlers: dict[str, Callable[[Call, Table, str], Reply]] = {
            "GET": self._read,
            "PATCH": self._patch,
            "DELETE": self._delete,
        }
        _allow(call, *handlers)
        return handlers[call.request.method](call, table, record_id)

    def _key(self, table: Table, key: str) -> str:
        text = key.strip()
        if text.startswith(f"{table.key}="):
            text = text.partition("=")[2]
        record_id = parse_guid(text)
        if record_id is None:
            raise errors.key_not_valid(table.edm_name)
        return record_id

    def _read(self, call: Call, table: Table, record_id: str) -> Reply:
        preferences = call.preferences
        row = self._reader.row(call.caller, table, record_id, call.options, preferences, call.root)
        self._counters.read(1)
        etag = str(row["@odata.etag"])
        if preferences.annotations is None and conditional_read_matches(call.request.headers, etag):
            return Reply(304, headers={"etag": etag, "odata-version": "4.0"})
        return _json(row, headers={"etag": etag, **_applied(preferences)})

    def _patch(self, call: Call, table: Table, record_id: str) -> Reply:
        """Update, or create under the given id where the conditions in the headers allow it."""
        self._counters.written(1)
        preferences = call.preferences
        body = decode_body(table.set_name, call.request.body)
        with self._writer.store.transaction():
            creating = self._check_conditions(call, table, record_id)
            if creating:
                rest = {name: value for name, value in body.items() if name != table.key}
                self._writer.create(call.caller, table, rest, record_id=record_id, terms=call.terms)
            else:
                self._writer.update(call.caller, table, record_id, body, terms=call.terms)
            return self._written(call, table, record_id, preferences, created=creating)

    def _check_conditions(self, call: Call, table: Table, record_id: str) -> bool:
        """Whether the row must be created. Raises where `If-Match` or `If-None-Match` forbids to go on."""
        version = self._writer.store.version_of(table, record_id)
        must_match, must_not_match = _conditions(call.request)
        if version is None:
            if must_match is not None:
                self._writer.security.require(call.caller, table, "Write")
                raise errors.does_not_exist(table.name, record_id)
            return True
        if must_not_match == "*":
            raise errors.already_exists()
        _require_version(must_match, version)
        return False

    def _delete(self, call: Call, table: Table, record_id: str) -> Reply:
        self._counters.written(1)
        with self._writer.store.transaction():
            version = self._writer.store.version_of(table, record_id)
            if version is not None:
                _require_version(_conditions(call.request)[0], version)
            self._writer.delete(call.caller, table, record_id)
        return Reply(204, headers={"odata-version": "4.0"})

    # Parts of a row: a message bound to it, one property, the reference of a lookup.

    def _part_of_row(self, call: Call, table: Table, record_id: str, rest: tuple[str, ...]) -> Reply:
        if rest[0].startswith(_ACTION):
            return self._bound_message(call, table, record_id, rest[0].removeprefix(_ACTION))
        if len(rest) == 2 and rest[1] == "$ref" and rest[0] in table.navigation:
            return self._reference(call, table, record_id, rest[0])
        column = table.properties.get(rest[0])
        if column is None or len(rest) > 1:
            if rest[0] in table.navigation:
                raise errors.not_covered("Reading through a navigation property")
            raise errors.segment_not_found(rest[-1])
        return self._property(call, table, record_id, column)

    def _bound_message(self, call: Call, table: Table, record_id: str, name: str) -> Reply:
        if name != "QualifyLead" or table.name != "lead":
            raise errors.segment_not_found(f"{_ACTION}{name}")
        _allow(call, "POST")
        self._counters.written(1)
        body = decode_body(table.set_name, call.request.body)
        with self._writer.store.transaction():
            answer = self._messages.qualify(call.caller, table, record_id, body, call.root)
        self._counters.written(len(answer["value"]))
        return _json(answer)

    def _reference(self, call: Call, table: Table, record_id: str, navigation: str) -> Reply:
        _allow(call, "PUT", "DELETE")
        value = None
        if call.request.method == "PUT":
            value = decode_body(table.set_name, call.request.body).get("@odata.id")
            if value is None:
                raise errors.payload_error(table.set_name, "The '@odata.id' annotation is missing from the payload.")
        return self._write_part(call, table, record_id, {f"{navigation}@odata.bind": value})

    def _property(self, call: Call, table: Table, record_id: str, column: Column) -> Reply:
        _allow(call, "GET", "PUT", "DELETE")
        if call.request.method == "GET":
            row = self._reader.row(call.caller, table, record_id, call.options, Preferences(), call.root)
            self._counters.read(1)
            value = row[column.property_name]
            context = f"{call.root}$metadata#{table.set_name}({record_id})/{column.property_name}"
            return Reply(204) if value is None else _json({"@odata.context": context, "value": value})
        value = None
        if call.request.method == "PUT":
            body = decode_body(table.set_name, call.request.body)
            if "value" not in body:
                raise errors.payload_error(table.set_name, "The 'value' property is missing from the payload.")
            value = body["value"]
        return self._write_part(call, table, record_id, {column.property_name: value})

    def _write_part(self, call: Call, table: Table, record_id: str, body: Mapping[str, Any]) -> Reply:
        self._counters.written(1)
        with self._writer.store.transaction():
            self._writer.update(call.caller, table, record_id, body, terms=call.terms)
        return Reply(204, headers={"odata-version": "4.0"})


def _row_operation(table: Table, segments: tuple[str, ...], request: Request) -> str:
    is_row, rest = "(" in segments[0], segments[1:]
    if not is_row and rest == ("$count",):
        verb = "count"
    elif rest and rest[0].endswith("QualifyLead"):
        verb = "qualify"
    elif request.method == "GET":
        reads_changes = "deltatoken=" in request.query_string or "deltafrom" in unquote_plus(request.query_string)
        verb = "read" if is_row else "changes" if reads_changes else "list"
    elif rest:
        verb = "update"
    else:
        verb = {"POST": "create", "PATCH": "update", "PUT": "update", "DELETE": "delete"}.get(request.method, "other")
    return f"{table.set_name}.{verb}"


def _allow(call: Call, *methods: str) -> None:
    if call.request.method not in methods:
        raise errors.method_not_allowed(call.request.method)


def _conditions(request: Request) -> tuple[str | None, str | None]:
    """`If-Match` and `If-None-Match`; the word null, which clients send to keep caches out, is no condition."""
    values = (request.headers.get(name, "").strip() for name in ("if-match", "if-none-match"))
    must_match, must_not_match = (value if value and value != "null" else None for value in values)
    return must_match, must_not_match


def _require_version(must_match: str | None, version: int) -> None:
    if must_match is not None and must_match != "*" and etag_version(unquote(must_match)) != version:
        raise errors.version_mismatch()


def _applied(preferences: Preferences) -> dict[str, str]:
    return {"preference-applied": preferences.applied} if preferences.applied else {}


def _json(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    return Reply(status, msgspec.json.encode(body), {**JSON, **(headers or {})})
