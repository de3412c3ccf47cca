"""CreateMultiple, UpdateMultiple, UpsertMultiple: many rows of one table in one request, all of them or none.

Each item fires the events of its single row. Which item failed is not told (sheet section 5.7).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.keys import RowKey, resolve_key
from tandem_emulators.dataverse.message import NAMESPACE, MessageCall, Outcome
from tandem_emulators.dataverse.payload import REFERENCE
from tandem_emulators.dataverse.schema import Table
from tandem_emulators.dataverse.values import parse_guid
from tandem_emulators.dataverse.writing import Writer


def count_targets(body: Mapping[str, Any]) -> int:
    targets = body.get("Targets")
    return len(targets) if isinstance(targets, list) else 1


@dataclass(frozen=True, slots=True)
class Bulk:
    writer: Writer

    def create(self, call: MessageCall) -> Outcome:
        table = call.bound_table
        ids = [
            self.writer.create(call.caller, table, _columns(target), terms=call.terms)
            for target in _targets(table, call.body)
        ]
        return Outcome({"@odata.context": f"{call.root}$metadata#{NAMESPACE}CreateMultipleResponse", "Ids": ids})

    def update(self, call: MessageCall) -> Outcome:
        table = call.bound_table
        for target in _targets(table, call.body):
            key = self._key(table, target)
            if key is None:
                raise errors.required_missing(table.key)
            self._update(call, table, key.require(table), target, key)
        return Outcome()

    def upsert(self, call: MessageCall) -> Outcome:
        table = call.bound_table
        for target in _targets(table, call.body):
            key = self._key(table, target)
            if key is not None and key.record_id is not None and self.writer.store.exists(table, key.record_id):
                self._update(call, table, key.record_id, target, key)
            else:
                self._create(call, table, target, key)
        return Outcome()

    def delete(self, call: MessageCall) -> Outcome:
        """For elastic tables only, and there are none here."""
        raise errors.not_implemented("DeleteMultiple")

    def _create(self, call: MessageCall, table: Table, target: Mapping[str, Any], key: RowKey | None) -> None:
        columns = _columns(target)
        values = key.values if key is not None else {}
        if not values.keys().isdisjoint(columns):
            # A key column both in `@odata.id` and in the body ends like this, but only when the row is new.
            raise errors.unexpected()
        record_id = key.record_id if key is not None else None
        terms = replace(call.terms, key_columns=values)
        self.writer.create(call.caller, table, columns, record_id=record_id, terms=terms)

    def _update(self, call: MessageCall, table: Table, record_id: str, target: Mapping[str, Any], key: RowKey) -> None:
        columns = {name: value for name, value in _columns(target).items() if name != table.key}
        terms = replace(call.terms, key_columns=key.values)
        self.writer.update(call.caller, table, record_id, columns, terms=terms)

    def _key(self, table: Table, target: Mapping[str, Any]) -> RowKey | None:
        """By `@odata.id`, where the values may hold what a URL cannot, or by the primary key in the body."""
        reference = target.get("@odata.id")
        if reference is not None:
            found = REFERENCE.search(reference) if isinstance(reference, str) else None
            if found is None or found[1] != table.set_name:
                raise errors.payload_error(table.set_name, f"The '@odata.id' is not a {table.name}.")
            return resolve_key(self.writer.store, table, found[2], is_in_path=False)
        given = target.get(table.key)
        if given is None:
            return None
        record_id = parse_guid(given) if isinstance(given, str) else None
        if record_id is None:
            raise errors.cannot_convert(table.set_name, str(given)[:100], "Edm.Guid")
        return RowKey(record_id)


def _targets(table: Table, body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    targets = body.get("Targets")
    if not isinstance(targets, list) or not targets:
        raise errors.invalid_argument("Required parameter 'Targets' is missing or empty.")
    for target in targets:
        if not isinstance(target, dict):
            raise errors.payload_error(table.set_name, "Each of the 'Targets' must be an object.")
        type_name = str(target.get("@odata.type", table.edm_name)).lstrip("#")
        if type_name != table.edm_name:
            raise errors.payload_error(table.set_name, f"A target of type '{type_name}' is not a {table.edm_name}.")
        yield target


def _columns(target: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in target.items() if not name.startswith("@")}
