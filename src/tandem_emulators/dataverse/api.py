"""The Web API: a URL is read into a target, a target and a method into one of the readers and writers.

`dispatch` is used alike for a request of its own and for a part of a batch; it raises ODataError for a refusal.
"""

import re
from collections.abc import Mapping
from urllib.parse import unquote_plus

from tandem_emulators.dataverse import about, errors, initialize_from, own_rights, record_counts
from tandem_emulators.dataverse.call import JSON, Call, json_reply
from tandem_emulators.dataverse.deployment import Deployment
from tandem_emulators.dataverse.file_columns import FileColumns
from tandem_emulators.dataverse.keys import resolve_key
from tandem_emulators.dataverse.message import OF_ROW, OF_SET, UNBOUND
from tandem_emulators.dataverse.messages import Messages
from tandem_emulators.dataverse.metadata_api import METADATA_NAMES, MetadataApi
from tandem_emulators.dataverse.organization import Organization
from tandem_emulators.dataverse.read_requests import ReadRequests
from tandem_emulators.dataverse.reading import Reader
from tandem_emulators.dataverse.record_counts import RecordCounts
from tandem_emulators.dataverse.schema import Schema, Table
from tandem_emulators.dataverse.security import Caller
from tandem_emulators.dataverse.write_requests import WriteRequests
from tandem_emulators.dataverse.writing import Writer
from tandem_emulators.kit.counters import Counters
from tandem_emulators.kit.http import Reply, Request

__all__ = ["JSON", "ROOT", "Call", "WebApi", "split_path"]

ROOT = re.compile(r"(?:/\w+)?/api/data/v9\.[012]/")
"""Of any deployment: which of these paths are served is decided before."""
_SEGMENT = re.compile(r"((?:[^/(']|'(?:[^']|'')*'|\((?:[^()']|'(?:[^']|'')*')*\))+)(?:/|$)")
_KEYED = re.compile(r"(\w+)\((.*)\)")
_URL_MAX = 32_768
_BATCH_URL_MAX = 65_536
_FUNCTIONS = {
    "WhoAmI": "whoami",
    "RetrieveVersion": "version",
    "RetrieveCurrentOrganization": "organization",
    "RetrieveOrganizationInfo": "organization",
    record_counts.NAME: "record_counts",
    initialize_from.NAME: "initialize_from",
}


def split_path(path: str) -> tuple[str, ...]:
    """Segments behind the service root; a slash inside quotes or parentheses does not separate."""
    found = ROOT.match(path)
    rest = path[found.end() :] if found else ""
    return tuple(_SEGMENT.findall(rest)) if "".join(_SEGMENT.findall(rest)) == rest.replace("/", "") else (rest,)


class WebApi:
    def __init__(
        self,
        schema: Schema,
        organization: Organization,
        deployment: Deployment,
        reader: Reader,
        writer: Writer,
        counters: Counters,
        definitions: MetadataApi,
    ) -> None:
        self._schema = schema
        self._organization = organization
        self._deployment = deployment
        self._reader = reader
        self._writer = writer
        self._counters = counters
        self.messages = Messages(reader, writer)
        self._initialize_from = initialize_from.InitializeFrom(writer)
        self._reads = ReadRequests(reader, counters)
        self._record_counts = RecordCounts(reader)
        self._writes = WriteRequests(schema, reader, writer, counters)
        self._definitions = definitions
        self._files = FileColumns(writer)

    @property
    def routes(self) -> frozenset[str]:
        """What a URL can begin or end with besides the sets of the tables."""
        return self.messages.names | METADATA_NAMES | {*_FUNCTIONS, "$batch"}

    def operation(self, request: Request) -> str:
        """The name under which faults, latency and counters know a request."""
        segments = split_path(request.path)
        if not segments:
            return "service_document"
        head = segments[0].partition("(")[0]
        if head in _FUNCTIONS:
            return _FUNCTIONS[head]
        if head == "$batch":
            return "batch"
        message = self.messages.find(UNBOUND, head)
        if message is not None:
            return message.operation
        if head in METADATA_NAMES:
            return "metadata" if request.method == "GET" else "metadata.change"
        table = self._schema.by_set.get(head)
        return self._table_operation(table, segments, request) if table else "other"

    def _table_operation(self, table: Table, segments: tuple[str, ...], request: Request) -> str:
        binding = OF_ROW if "(" in segments[0] else OF_SET
        message = self.messages.find(binding, segments[1], table) if len(segments) == 2 else None
        return f"{table.set_name}.{message.operation if message else _row_verb(segments, request)}"

    def dispatch(
        self, request: Request, caller: Caller, references: Mapping[str, str] | None = None, *, in_batch: bool = False
    ) -> Reply:
        found = ROOT.match(request.path)
        if found is None:
            raise errors.segment_not_found(request.path.strip("/").partition("/")[0])
        self._check_size(request, in_batch)
        self._definitions.keys.advance()
        root = f"{request.base_url}{found[0]}"
        call = Call(request, caller, root, split_path(request.path), references or {}, in_batch)
        if not call.segments:
            return self._service_document(call)
        head, keyed = call.segments[0], _KEYED.fullmatch(call.segments[0])
        name = keyed[1] if keyed else head
        if name in METADATA_NAMES:
            return self._definitions.handle(call.request, call.caller, call.segments, call.root)
        if name in _FUNCTIONS:
            return self._function(call, name)
        message = self.messages.find(UNBOUND, name)
        if message is not None:
            return self._writes.message(call, message)
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
        call.allow("GET")
        sets = [{"name": name, "kind": "EntitySet", "url": name} for name in self._schema.by_set]
        return json_reply({"@odata.context": f"{call.root}$metadata", "value": sets})

    def _function(self, call: Call, name: str) -> Reply:
        call.allow("GET")
        if name == record_counts.NAME:
            return self._record_counts.serve(call)
        if name == initialize_from.NAME:
            return self._initialize_from.serve(call)
        if len(call.segments) > 1:
            raise errors.segment_not_found(call.segments[1])
        if name == "WhoAmI":
            return json_reply(about.who_am_i(self._organization, call.caller, call.root))
        if name == "RetrieveVersion":
            return json_reply(about.version(self._deployment, call.root))
        if name == "RetrieveOrganizationInfo":
            solutions = self._writer.settings.solutions
            return json_reply(about.organization_info(self._organization, solutions, call.root))
        is_newer = self._writer.settings.newer_organization_detail
        detail = about.current_organization(
            self._organization, self._deployment, call.request.base_url, call.root, is_newer=is_newer
        )
        return json_reply(detail)

    # Entity sets.

    def _of_set(self, call: Call, table: Table) -> Reply:
        rest = call.segments[1:]
        if rest == ("$count",):
            call.allow("GET")
            return self._reads.count(call, table)
        if rest:
            return self._writes.message(call, self.messages.get(OF_SET, rest[0], table), table)
        if call.request.method == "POST":
            return self._writes.create(call, table)
        call.allow("GET", "POST")
        return self._reads.collection(call, table)

    # One row.

    def _of_row(self, call: Call, table: Table, key: str) -> Reply:
        rest = call.segments[1:]
        if own_rights.is_asked(table, rest):
            return own_rights.serve(call, self._organization, self._reader, self._id(table, key), rest[0])
        if rest:
            return self._part_of_row(call, table, self._id(table, key), rest)
        call.allow("GET", "PATCH", "DELETE")
        if call.request.method == "PATCH":
            return self._writes.patch(call, table, key)
        if call.request.method == "DELETE":
            return self._writes.delete(call, table, key)
        return self._reads.row(call, table, self._id(table, key))

    def _id(self, table: Table, key: str) -> str:
        return resolve_key(self._writer.store, table, key).require(table)

    # Parts of a row: a message bound to it, one property, the reference of a lookup.

    def _part_of_row(self, call: Call, table: Table, record_id: str, rest: tuple[str, ...]) -> Reply:
        message = self.messages.find(OF_ROW, rest[0], table)
        if message is not None and len(rest) == 1:
            return self._writes.message(call, message, table, record_id)
        column = table.properties.get(rest[0])
        if column is not None and column.type == "File":
            return self._files.handle(call, table, record_id, column, rest[1:])
        if call.request.method == "GET":
            return self._reads.part(call, table, record_id, rest)
        if len(rest) == 2 and rest[1] == "$ref":
            return self._writes.reference(call, table, record_id, rest[0])
        if column is None and len(rest) == 1:
            return self._writes.create_in(call, table, record_id, rest[0])
        if column is None or len(rest) > 1:
            raise errors.segment_not_found(rest[-1])
        call.allow("GET", "PUT", "DELETE")
        return self._writes.put_property(call, table, record_id, column)


def _row_verb(segments: tuple[str, ...], request: Request) -> str:
    is_row, rest = "(" in segments[0], segments[1:]
    if not is_row and rest == ("$count",):
        return "count"
    if request.method == "GET":
        reads_changes = "deltatoken=" in request.query_string or "deltafrom" in unquote_plus(request.query_string)
        return "read" if is_row else "changes" if reads_changes else "list"
    if rest:
        return "update"
    return {"POST": "create", "PATCH": "update", "PUT": "update", "DELETE": "delete"}.get(request.method, "other")
