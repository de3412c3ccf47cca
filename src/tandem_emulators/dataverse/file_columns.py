"""File columns: their content, sent whole or in blocks, and read back whole or by range.

The column itself holds the id of its file, and a text column beside it the file's name; both change with the content.
"""

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.call import Call, json_reply, no_content
from tandem_emulators.dataverse.errors import ODataError
from tandem_emulators.dataverse.schema import Column, Table
from tandem_emulators.dataverse.writing import Writer
from tandem_emulators.kit.http import Reply

BLOCK_SIZE = 4 * 1024 * 1024
_BLOCK = re.compile(r"bytes (\d{1,12})-(\d{1,12})/(\d{1,12})")
_RANGE = re.compile(r"bytes=(\d{1,12})-(\d{0,12})")
_OCTETS = "application/octet-stream"


@dataclass
class _Upload:
    """A file on its way: blocks in the order in which they came."""

    table: str
    record_id: str
    column: str
    name: str
    content: bytearray = field(default_factory=bytearray)


class FileColumns:
    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._uploads: dict[str, _Upload] = {}
        writer.store.connection.execute(
            "CREATE TABLE IF NOT EXISTS files (id TEXT PRIMARY KEY, name TEXT NOT NULL, content BLOB NOT NULL)"
        )

    def handle(self, call: Call, table: Table, record_id: str, column: Column, rest: tuple[str, ...]) -> Reply:
        if rest not in ((), ("$value",)):
            raise errors.segment_not_found(rest[0])
        call.allow("GET", *(() if rest else ("PATCH", "PUT", "DELETE")))
        if call.request.method == "GET":
            return self._download(call, table, record_id, column, as_json=not rest)
        if call.request.method == "DELETE":
            self._store(call, table, record_id, column, None, b"")
            return no_content()
        query = dict(call.request.query())
        if "sessiontoken" in query:
            return self._block(call, table, record_id, column, query["sessiontoken"])
        if call.request.headers.get("x-ms-transfer-mode", "").lower() == "chunked":
            return self._begin(call, table, record_id, column)
        self._store(call, table, record_id, column, self._name(call), call.request.body)
        return no_content()

    def _name(self, call: Call) -> str:
        name = call.request.headers.get("x-ms-file-name") or dict(call.request.query()).get("x-ms-file-name")
        if not name:
            raise errors.invalid_argument("The header 'x-ms-file-name' is missing.")
        return unquote(name)[:512]

    # In blocks.

    def _begin(self, call: Call, table: Table, record_id: str, column: Column) -> Reply:
        """The answer says where the blocks go and how large they may be."""
        self._require_row(table, record_id)
        token = self._writer.new_id()
        self._uploads[token] = _Upload(table.name, record_id, column.name, self._name(call))
        location = f"{call.root}{table.set_name}({record_id})/{column.name}?sessiontoken={token}"
        headers = {"location": location, "x-ms-chunk-size": str(BLOCK_SIZE), "accept-ranges": "bytes"}
        return Reply(200, b"", {**headers, "odata-version": "4.0", "access-control-expose-headers": "x-ms-chunk-size"})

    def _block(self, call: Call, table: Table, record_id: str, column: Column, token: str) -> Reply:
        upload = self._uploads.get(token)
        if upload is None or (upload.table, upload.record_id, upload.column) != (table.name, record_id, column.name):
            raise errors.invalid_argument("The session token is not valid for this file.")
        first, last, total = self._span(call)
        body = call.request.body
        if first != len(upload.content) or last - first + 1 != len(body) or last >= total or len(body) > BLOCK_SIZE:
            raise errors.invalid_argument("The block does not fit the range that its header names.")
        upload.content += body
        if len(upload.content) < total:
            return Reply(206, b"", {"odata-version": "4.0"})
        del self._uploads[token]
        self._store(call, table, record_id, column, upload.name, bytes(upload.content))
        return no_content()

    def _span(self, call: Call) -> tuple[int, int, int]:
        found = _BLOCK.fullmatch(call.request.headers.get("content-range", ""))
        if found is None:
            raise errors.invalid_argument("The header 'Content-Range' is missing or not valid.")
        return int(found[1]), int(found[2]), int(found[3])

    # Whole.

    def _require_row(self, table: Table, record_id: str) -> Mapping[str, Any]:
        row = self._writer.store.find(table, record_id)
        if row is None:
            raise errors.does_not_exist(table.name, record_id)
        return row

    def _store(
        self, call: Call, table: Table, record_id: str, column: Column, name: str | None, content: bytes
    ) -> None:
        """Put the file, or take away the one that is there when no name is given."""
        limit_kb = int(column.metadata.get("MaxSizeInKB", 32768))
        if len(content) > limit_kb * 1024:
            raise errors.request_too_large()
        store = self._writer.store
        self._writer.security.require(call.caller, table, "Write")
        with store.transaction():
            row = dict(self._require_row(table, record_id))
            store.connection.execute("DELETE FROM files WHERE id = ?", (row.get(column.name),))
            file_id = self._writer.new_id() if name is not None else None
            if name is not None:
                store.connection.execute("INSERT INTO files VALUES (?, ?, ?)", (file_id, name, content))
            self._writer.change(call.caller, table, row, {column.name: file_id, f"{column.name}_name": name})

    def _download(self, call: Call, table: Table, record_id: str, column: Column, *, as_json: bool) -> Reply:
        """All of it, or the range asked for; as it is under `$value`, else in base 64 with a link that goes on."""
        self._writer.security.require(call.caller, table, "Read")
        file_id = self._require_row(table, record_id).get(column.name)
        sql = "SELECT name, content FROM files WHERE id = ?"
        found = self._writer.store.connection.execute(sql, (file_id,)).fetchone()
        if found is None:
            raise ODataError(404, "0x80048d19", f"No file attachment found for attribute: {column.name}.")
        name, content = found
        status, part, headers = _part(content, call.request.headers.get("range"))
        headers |= {
            "odata-version": "4.0",
            "x-ms-file-name": quote(name, safe=" "),
            "x-ms-file-size": str(len(content)),
            "content-disposition": f"attachment; filename*=UTF-8''{quote(name)}",
        }
        if not as_json:
            return Reply(status, part, {"content-type": _OCTETS, **headers})
        url = f"{call.root}{table.set_name}({record_id})/{column.name}"
        context = f"{call.root}$metadata#{table.set_name}({record_id})/{column.name}"
        body = {"@odata.context": context, "value": b64encode(part).decode()}
        return json_reply(body, status, {"location": url, **headers})


def _part(content: bytes, wanted: str | None) -> tuple[int, bytes, dict[str, str]]:
    """Status, bytes and the header that says which ones they are."""
    found = _RANGE.fullmatch(wanted or "")
    if found is None or int(found[1]) >= len(content):
        return 200, content, {}
    first = int(found[1])
    last = min(int(found[2] or len(content) - 1), len(content) - 1)
    return 206, content[first : last + 1], {"content-range": f"bytes {first}-{last}/{len(content)}"}
