"""Related rows inside the body of a row that is created: one transaction, parents first (sheet section 5.1)."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.navigation import Navigation, Through, ToMany, ToOne
from tandem_emulators.dataverse.payload import Nested, Payload
from tandem_emulators.dataverse.schema import Table
from tandem_emulators.dataverse.security import Caller
from tandem_emulators.dataverse.terms import NESTED_MAX, Terms

if TYPE_CHECKING:
    from tandem_emulators.dataverse.writing import Writer


class DeepInsert:
    def __init__(self, writer: "Writer") -> None:
        self._writer = writer

    def make_parents(self, caller: Caller, table: Table, payload: Payload, terms: Terms) -> None:
        """Rows that this one points to; the body's columns then name them."""
        for nested in payload.parents:
            if isinstance(nested.navigation, ToOne):
                parent_id = self._create(caller, table, nested, replace(terms, key_columns={}, preset={}))
                column = nested.navigation.column
                self._writer.payload().point(table, column, nested.table.name, parent_id, payload.columns)

    def make_children(self, caller: Caller, table: Table, record_id: str, payload: Payload, terms: Terms) -> None:
        """Rows that point to this one or are paired with it, new ones and those that exist."""
        for nested in payload.children:
            preset = self.link_of(table, record_id, nested.navigation)
            child_id = self._create(caller, table, nested, replace(terms, preset=preset))
            if isinstance(nested.navigation, Through):
                self._writer.associations.link(caller, table, record_id, nested.navigation, child_id)
        for link in payload.links:
            self._writer.associations.link(caller, table, record_id, link.navigation, link.record_id)

    def link_of(self, table: Table, record_id: str, navigation: Navigation) -> dict[str, Any]:
        """The columns of a row in a collection of this one that put it there; none where a pair does it."""
        preset: dict[str, Any] = {}
        if isinstance(navigation, ToMany):
            self._writer.payload().point(navigation.target, navigation.column, table.name, record_id, preset)
        return preset

    def _create(self, caller: Caller, table: Table, nested: Nested, terms: Terms) -> str:
        if terms.depth >= NESTED_MAX:
            raise errors.nested_too_deep(table.set_name, NESTED_MAX)
        return self._writer.create(caller, nested.table, nested.body, terms=replace(terms, depth=terms.depth + 1))
