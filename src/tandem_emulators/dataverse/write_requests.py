"""Requests that write: one row by its URL, one part of a row, a collection, a message.

Each is one transaction. The headers decide between updating and creating (sheet sections 5.1 to 5.5).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.call import Call, applied, json_reply, no_content
from tandem_emulators.dataverse.keys import RowKey, resolve_key
from tandem_emulators.dataverse.message import Message, MessageCall
from tandem_emulators.dataverse.navigation import Navigation, Through, ToOne, find_navigation
from tandem_emulators.dataverse.options import Preferences
from tandem_emulators.dataverse.payload import decode_body
from tandem_emulators.dataverse.reading import Reader
from tandem_emulators.dataverse.schema import Column, Schema, Table
from tandem_emulators.dataverse.writing import Writer, etag_version
from tandem_emulators.kit.counters import Counters
from tandem_emulators.kit.http import Reply


@dataclass
class WriteRequests:
    schema: Schema
    reader: Reader
    writer: Writer
    counters: Counters

    def create(self, call: Call, table: Table) -> Reply:
        preferences = call.preferences
        body = decode_body(table.set_name, call.request.body)
        self.counters.written(_count_rows(body))
        with self.writer.store.transaction():
            record_id = self.writer.create(call.caller, table, body, terms=call.terms)
            return self._written(call, table, RowKey(record_id), record_id, preferences, created=True)

    def create_in(self, call: Call, table: Table, record_id: str, name: str) -> Reply:
        """A row that is created in a collection of another one."""
        navigation = find_navigation(self.schema, table, name)
        if navigation is None:
            raise errors.segment_not_found(name)
        if isinstance(navigation, ToOne):
            raise errors.method_not_allowed(call.request.method)
        call.allow("GET", "POST")
        self.counters.written(1)
        preferences, target = call.preferences, navigation.target
        body = decode_body(target.set_name, call.request.body)
        with self.writer.store.transaction():
            self._require_row(table, record_id)
            terms = replace(call.terms, preset=self.writer.deep_insert.link_of(table, record_id, navigation))
            new_id = self.writer.create(call.caller, target, body, terms=terms)
            if isinstance(navigation, Through):
                self.writer.associations.link(call.caller, table, record_id, navigation, new_id)
            return self._written(call, target, RowKey(new_id), new_id, preferences, created=True)

    def _require_row(self, table: Table, record_id: str) -> None:
        if not self.writer.store.exists(table, record_id):
            raise errors.does_not_exist(table.name, record_id)

    def patch(self, call: Call, table: Table, key_text: str) -> Reply:
        """Update, or create under the given key where the conditions in the headers allow it."""
        self.counters.written(1)
        preferences = call.preferences
        body = decode_body(table.set_name, call.request.body)
        with self.writer.store.transaction():
            key = resolve_key(self.writer.store, table, key_text)
            terms = replace(call.terms, key_columns=key.values)
            record_id = key.record_id
            creating = self._check_conditions(call, table, key)
            if creating or record_id is None:
                rest = {name: value for name, value in body.items() if name != table.key or key.values}
                record_id = self.writer.create(call.caller, table, rest, record_id=record_id, terms=terms)
            else:
                self.writer.update(call.caller, table, record_id, body, terms=terms)
            return self._written(call, table, key, record_id, preferences, created=creating, key_text=key_text)

    def _check_conditions(self, call: Call, table: Table, key: RowKey) -> bool:
        """Whether the row must be created. Raises where `If-Match` or `If-None-Match` forbids to go on."""
        version = self.writer.store.version_of(table, key.record_id) if key.record_id is not None else None
        must_match, must_not_match = call.conditions
        if version is None:
            if must_match is not None:
                self.writer.security.require(call.caller, table, "Write")
                raise errors.does_not_exist(table.name, key.require(table))
            return True
        if must_not_match == "*":
            raise errors.already_exists()
        self._require_version(table, must_match, version)
        return False

    def _require_version(self, table: Table, must_match: str | None, version: int) -> None:
        if must_match is None or must_match == "*":
            return
        if not table.metadata.get("IsOptimisticConcurrencyEnabled", False):
            raise errors.no_concurrency(table.name)
        if etag_version(unquote(must_match), strong=self.writer.settings.strong_etags) != version:
            raise errors.version_mismatch()

    def _written(
        self,
        call: Call,
        table: Table,
        key: RowKey,
        record_id: str,
        preferences: Preferences,
        *,
        created: bool,
        key_text: str = "",
    ) -> Reply:
        """An alternate key is echoed as it was sent, so that only a representation tells the id."""
        shown = key_text.strip() if key.values else record_id
        url = f"{call.root}{table.set_name}({shown})"
        headers = {"odata-version": "4.0", "odata-entityid": url, **applied(preferences)}
        if created:
            headers["location"] = url
        if preferences.return_representation:
            row = self.reader.row(call.caller, table, record_id, call.options, preferences, call.root)
            reply = json_reply(row, 201 if created else 200, {**headers, "etag": row["@odata.etag"]})
        else:
            reply = no_content(headers)
        self._raise_version(table, record_id)
        return reply

    def _raise_version(self, table: Table, record_id: str) -> None:
        """What asynchronous logic does after the answer: the row is written once more, with nothing new in it."""
        if table.name in self.writer.settings.version_raised_after_write.split(","):
            row = self.writer.store.find(table, record_id)
            if row is not None:
                self.writer.write(self.writer.system(), table, row, {})

    def delete(self, call: Call, table: Table, key_text: str) -> Reply:
        self.counters.written(1)
        with self.writer.store.transaction():
            record_id = resolve_key(self.writer.store, table, key_text).require(table)
            version = self.writer.store.version_of(table, record_id)
            if version is not None:
                self._require_version(table, call.conditions[0], version)
            self.writer.delete(call.caller, table, record_id)
        return no_content()

    # Parts of a row: one property, the reference of a lookup, a member of a collection.

    def put_property(self, call: Call, table: Table, record_id: str, column: Column) -> Reply:
        value = None
        if call.request.method == "PUT":
            body = decode_body(table.set_name, call.request.body)
            if "value" not in body:
                raise errors.payload_error(table.set_name, "The 'value' property is missing from the payload.")
            value = body["value"]
        return self._write_part(call, table, record_id, {column.property_name: value})

    def reference(self, call: Call, table: Table, record_id: str, segment: str) -> Reply:
        """`…/navigation/$ref` and, for a member of a collection, `…/navigation(id)/$ref`."""
        name, _, inner = segment.partition("(")
        navigation = find_navigation(self.schema, table, name)
        if navigation is None:
            raise errors.segment_not_found(name)
        if isinstance(navigation, ToOne):
            call.allow("PUT", "DELETE")
            value = self._given_reference(call, table) if call.request.method == "PUT" else None
            return self._write_part(call, table, record_id, {f"{name}@odata.bind": value})
        call.allow("POST", "DELETE")
        self.counters.written(1)
        with self.writer.store.transaction():
            self._link(call, table, record_id, navigation, inner.removesuffix(")"))
        return no_content()

    def _link(self, call: Call, table: Table, record_id: str, navigation: Navigation, inner: str) -> None:
        self._require_row(table, record_id)
        associations = self.writer.associations
        if call.request.method == "POST":
            other_id = self._resolve(call, table, navigation, self._given_reference(call, table))
            associations.link(call.caller, table, record_id, navigation, other_id)
            return
        if inner:
            other_id = resolve_key(self.writer.store, navigation.target, inner).require(navigation.target)
        else:
            given = dict(call.request.query()).get("$id")
            other_id = self._resolve(call, table, navigation, given)
        associations.unlink(call.caller, table, record_id, navigation, other_id)

    def _given_reference(self, call: Call, table: Table) -> str:
        """Absolute, or relative with an `@odata.context`; inside a batch also relative (sheet section 5.5)."""
        body = decode_body(table.set_name, call.request.body)
        value = body.get("@odata.id")
        if not isinstance(value, str):
            raise errors.payload_error(table.set_name, "The '@odata.id' annotation is missing from the payload.")
        is_absolute = value.startswith(("http://", "https://", "$"))
        if not is_absolute and not call.in_batch and "@odata.context" not in body:
            text = f"Invalid URI: the '@odata.id' must be an absolute URI, not '{value[:200]}'."
            raise errors.payload_error(table.set_name, text)
        if self.writer.settings.on_premises and value.startswith("http") and not value.startswith(call.root):
            text = f"The URI '{value[:200]}' is not valid because it is not based on '{call.root}'."
            raise errors.payload_error(table.set_name, text)
        return value

    def _resolve(self, call: Call, table: Table, navigation: Navigation, value: str | None) -> str:
        if value is None:
            raise errors.payload_error(table.set_name, "The '$id' of the reference to remove is missing.")
        target, other_id = self.writer.payload(call.references).resolve(table.set_name, value)
        if target.name != navigation.target.name:
            raise errors.wrong_target(table.set_name, navigation.name, [navigation.target.name], target.name)
        return other_id

    def _write_part(self, call: Call, table: Table, record_id: str, body: Mapping[str, Any]) -> Reply:
        self.counters.written(1)
        with self.writer.store.transaction():
            version = self.writer.store.version_of(table, record_id)
            if version is not None:
                self._require_version(table, call.conditions[0], version)
            self.writer.update(call.caller, table, record_id, body, terms=call.terms)
        return no_content()

    # Messages.

    def message(self, call: Call, message: Message, table: Table | None = None, record_id: str = "") -> Reply:
        call.allow("POST")
        body = decode_body(table.set_name if table is not None else "", call.request.body)
        self.counters.written(message.records(body))
        with self.writer.store.transaction():
            outcome = message.run(MessageCall(call.caller, call.root, body, call.terms, table, record_id))
        self.counters.written(outcome.created)
        return no_content() if outcome.body is None else json_reply(outcome.body)


def _count_rows(body: Mapping[str, Any]) -> int:
    """The row and those nested in it."""
    waiting: list[Any] = [body]
    count = 0
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            count += 1
            waiting += [value for value in found.values() if isinstance(value, dict | list)]
        elif isinstance(found, list):
            waiting += found
    return count
