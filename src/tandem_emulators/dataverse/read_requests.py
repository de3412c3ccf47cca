"""GET requests for rows: a set, a row, a part of a row, and what hangs on a row by a navigation property."""

import re
from dataclasses import dataclass

import msgspec

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.call import Call, applied, json_reply
from tandem_emulators.dataverse.keys import resolve_key
from tandem_emulators.dataverse.metadata_levels import level_of, leveled
from tandem_emulators.dataverse.navigation import ToOne, find_navigation
from tandem_emulators.dataverse.options import Preferences, QueryOptions
from tandem_emulators.dataverse.reading import Reader, Related
from tandem_emulators.dataverse.schema import Column, Table
from tandem_emulators.dataverse.store import Row
from tandem_emulators.kit.counters import Counters
from tandem_emulators.kit.http import Reply

_KEYED = re.compile(r"(\w+)\((.*)\)")
_CAST = "Microsoft.Dynamics.CRM."
_TEXT = {"content-type": "text/plain", "odata-version": "4.0"}
_MARK = b"\xef\xbb\xbf"


@dataclass(slots=True)
class ReadRequests:
    reader: Reader
    counters: Counters

    # Sets of rows.

    def collection(self, call: Call, table: Table, related: Related | None = None) -> Reply:
        preferences = call.preferences
        page = self.reader.page(call.caller, table, call.options, preferences, call.root, related)
        self.counters.read(len(page.rows))
        return self._json(call, table, page.as_dict(), applied(preferences))

    def count(self, call: Call, table: Table, related: Related | None = None) -> Reply:
        """Text, behind a byte-order mark."""
        number = self.reader.count(call.caller, table, call.options, related)
        return Reply(200, _MARK + str(number).encode(), dict(_TEXT))

    def _references(self, call: Call, table: Table, related: Related) -> Reply:
        options = QueryOptions(
            select=(table.key,), filter=call.options.filter, top=call.options.top, aliases=call.options.aliases
        )
        page = self.reader.page(call.caller, table, options, Preferences(), call.root, related)
        self.counters.read(len(page.rows))
        ids = [row[table.key] for row in msgspec.to_builtins(page.rows)]
        found = [{"@odata.id": f"{call.root}{table.set_name}({record_id})"} for record_id in ids]
        return json_reply({"@odata.context": f"{call.root}$metadata#Collection($ref)", "value": found})

    # One row.

    def row(self, call: Call, table: Table, record_id: str) -> Reply:
        preferences, options = call.preferences, call.options
        row = self.reader.row(call.caller, table, record_id, options, preferences, call.root)
        self.counters.read(1)
        etag = str(row["@odata.etag"])
        plain = preferences.annotations is None and not options.expands
        watched = plain and table.metadata.get("IsOptimisticConcurrencyEnabled", False)
        if watched and call.request.headers.get("if-none-match", "").strip() == etag:
            return Reply(304, headers={"etag": etag, "odata-version": "4.0"})
        return self._json(call, table, row, {"etag": etag, **applied(preferences)})

    def _json(self, call: Call, table: Table, body: Row, headers: dict[str, str]) -> Reply:
        level = level_of(call)
        if level == "minimal":
            return json_reply(body, headers=headers)
        headers["content-type"] = f"application/json; odata.metadata={level}"
        return json_reply(leveled(level, table, call.root, msgspec.to_builtins(body)), headers=headers)

    def part(self, call: Call, table: Table, record_id: str, rest: tuple[str, ...]) -> Reply:
        """Follows the segments behind a row, one at a time."""
        call.allow("GET")
        if not rest or rest == (f"{_CAST}{table.name}",):
            return self.row(call, table, record_id)
        head, rest = rest[0], rest[1:]
        if head == "$ref" and not rest:
            return self._reference(call, table, record_id)
        if head == f"{_CAST}{table.name}":
            return self.part(call, table, record_id, rest)
        column = table.properties.get(head)
        if column is not None and rest in ((), ("$value",)):
            return self._property(call, table, record_id, column, is_raw=bool(rest))
        return self._through(call, table, record_id, head, rest)

    def _property(self, call: Call, table: Table, record_id: str, column: Column, *, is_raw: bool) -> Reply:
        options = QueryOptions(select=(column.property_name,))
        row = self.reader.row(call.caller, table, record_id, options, Preferences(), call.root)
        self.counters.read(1)
        value = row[column.property_name]
        if value is None:
            return Reply(204, headers={"odata-version": "4.0"})
        if is_raw:
            return Reply(200, (str(value).lower() if isinstance(value, bool) else str(value)).encode(), dict(_TEXT))
        context = f"{call.root}$metadata#{table.set_name}({record_id})/{column.property_name}"
        return json_reply({"@odata.context": context, "value": value})

    def _reference(self, call: Call, table: Table, record_id: str) -> Reply:
        if not self.reader.store.exists(table, record_id):
            raise errors.does_not_exist(table.name, record_id)
        url = f"{call.root}{table.set_name}({record_id})"
        return json_reply({"@odata.context": f"{call.root}$metadata#$ref", "@odata.id": url})

    # Navigation.

    def _through(self, call: Call, table: Table, record_id: str, head: str, rest: tuple[str, ...]) -> Reply:
        keyed = _KEYED.fullmatch(head)
        navigation = find_navigation(self.reader.schema, table, keyed[1] if keyed else head)
        if navigation is None:
            raise errors.segment_not_found(head)
        if isinstance(navigation, ToOne):
            return self._to_one(call, table, record_id, navigation, rest)
        target = navigation.target
        related = Related(f"{table.set_name}({record_id})/{navigation.name}", navigation, record_id)
        if keyed is not None:
            inner_id = resolve_key(self.reader.store, target, keyed[2]).require(target)
            if not self.reader.belongs(call.caller, target, inner_id, related):
                raise errors.does_not_exist(target.name, inner_id)
            return self.part(call, target, inner_id, rest)
        if not self.reader.store.exists(table, record_id):
            raise errors.does_not_exist(table.name, record_id)
        match rest:
            case ():
                return self.collection(call, target, related)
            case ("$count",):
                return self.count(call, target, related)
            case ("$ref",):
                return self._references(call, target, related)
        raise errors.segment_not_found(rest[0])

    def _to_one(self, call: Call, table: Table, record_id: str, navigation: ToOne, rest: tuple[str, ...]) -> Reply:
        """An owner is a principal: which kind it is, its type says."""
        options = QueryOptions(select=(navigation.column.property_name,))
        row = self.reader.row(call.caller, table, record_id, options, Preferences(), call.root)
        pointed = row[navigation.column.property_name]
        target = next((t for t in navigation.targets if pointed and self.reader.store.exists(t, pointed)), None)
        if target is None:
            return Reply(204, headers={"odata-version": "4.0"})
        return self.part(call, target, pointed, rest)
