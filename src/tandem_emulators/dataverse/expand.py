"""`$expand`: the rows that others point to, or that point to them, inside of those.

One query fetches what belongs to all rows of a page. A collection on its own holds up to 5,000 rows and takes
`$top` and `$orderby`; one with a further level above or below comes in pages and refuses both.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.navigation import Navigation, Through, ToMany, ToOne, get_navigation
from tandem_emulators.dataverse.options import PAGE_SIZE_MAX, Expand, Preferences
from tandem_emulators.dataverse.query import Test
from tandem_emulators.dataverse.query_faults import query_fault
from tandem_emulators.dataverse.rows import Rows, shown_columns
from tandem_emulators.dataverse.schema import Column, Schema, Table
from tandem_emulators.dataverse.security import Caller
from tandem_emulators.dataverse.statement import LINKS_MAX, fetch
from tandem_emulators.dataverse.store import Row


def check_expands(schema: Schema, table: Table, expands: Sequence[Expand]) -> None:
    """Refuses what the service refuses, before anything is read."""
    if sum(item.size for item in expands) > LINKS_MAX:
        raise query_fault("0x8004430d")
    _check_level(schema, table, expands, is_nested=False)


def _check_level(schema: Schema, table: Table, expands: Sequence[Expand], *, is_nested: bool) -> None:
    for item in expands:
        navigation = get_navigation(schema, table, item.name)
        if item.is_ref and not isinstance(navigation, ToOne):
            raise errors.query_error("Expand with $ref is only supported on lookup type navigation property.")
        is_deep = is_nested or bool(item.expands)
        if isinstance(navigation, Through) and (is_deep or len(expands) > 1):
            raise errors.query_error("Expanding a many-to-many relationship with other relationships is not supported.")
        if (item.orderby is not None or item.top is not None) and (isinstance(navigation, ToOne) or is_deep):
            raise errors.query_error(
                "Only $select and $filter clause can be provided while doing $expand on many-to-one relationship or "
                "nested one-to-many relationship."
            )
        _check_level(schema, navigation.target, item.expands, is_nested=True)


@dataclass(slots=True)
class Expander:
    """For one request. `page_size` is that of nested collections."""

    rows: Rows
    caller: Caller
    preferences: Preferences
    root: str

    def expand(self, table: Table, rows: Sequence[Row], expands: Sequence[Expand], *, is_nested: bool = False) -> None:
        """Adds to each row what it asks for; the rows must hold their key."""
        for item in expands:
            navigation = get_navigation(self.rows.schema, table, item.name)
            if isinstance(navigation, ToOne):
                self._add_one(table, navigation, rows, item)
            else:
                self._add_many(table, navigation, rows, item, is_deep=is_nested or bool(item.expands))

    # Lookups.

    def _add_one(self, table: Table, navigation: ToOne, rows: Sequence[Row], item: Expand) -> None:
        targets = self._pairs(table.name, table.key, navigation.column.name, [row[table.key] for row in rows])
        pointed = {near: far for near, far in targets if far is not None}
        found: dict[str, Row] = {}
        for target in navigation.targets:
            found |= self._rows_by_id(target, set(pointed.values()), item, is_typed=len(navigation.targets) > 1)
        for row in rows:
            row[item.name] = found.get(pointed.get(row[table.key], ""))

    def _rows_by_id(self, target: Table, ids: set[str], item: Expand, *, is_typed: bool) -> dict[str, Row]:
        select = item.select
        if is_typed and select is not None:
            select = tuple(name for name in select if name in target.properties)
        query = self.rows.query(target, select, filter=item.filter)
        query.conditions.append(Test(query.root.field(target.columns[target.key]), "in", tuple(sorted(ids))))
        found = self.rows.fetch(self.caller, query, len(ids))
        if item.is_ref:
            return {row[target.key]: {"@odata.id": f"{self.root}{target.set_name}({row[target.key]})"} for row in found}
        finished = self._finished(target, found, item)
        if is_typed:
            finished = [{"@odata.type": f"#{target.edm_name}", **row, "ownerid": row[target.key]} for row in finished]
        return {row[target.key]: row for row in finished}

    def _finished(self, target: Table, found: list[Row], item: Expand) -> list[Row]:
        annotated = self.rows.annotated(found, shown_columns(target), self.preferences)
        self.expand(target, annotated, item.expands, is_nested=True)
        return annotated

    # Collections.

    def _add_many(
        self, table: Table, navigation: ToMany | Through, rows: Sequence[Row], item: Expand, *, is_deep: bool
    ) -> None:
        ids = [row[table.key] for row in rows]
        size = (self.preferences.page_size or PAGE_SIZE_MAX) if is_deep else PAGE_SIZE_MAX
        size = size if item.top is None else min(size, item.top)
        collected = self._collected(navigation, ids, item)
        for row in rows:
            there = collected.get(row[table.key], [])
            row[item.name] = there[:size]
            if not is_deep or len(there) > size:
                row[f"{item.name}@odata.nextLink"] = self._next_link(
                    table, navigation, row, item, there[:size], is_deep
                )

    def _next_link(
        self, table: Table, navigation: Navigation, row: Row, item: Expand, there: Sequence[Row], is_deep: bool
    ) -> str:
        link = f"{self.root}{table.set_name}({row[table.key]})/{item.name}"
        options = _encoded(item.text)
        if is_deep and there:
            target = navigation.target
            query = self.rows.query(target, (), orderby=None)
            cookie = replace(self.rows.cookie(self.caller, query, there, 1), record_count=len(there))
            options = "&".join([*([options] if options else []), f"$skiptoken={cookie.render()}"])
        return f"{link}?{options}" if options else link

    def _collected(self, navigation: ToMany | Through, ids: Sequence[str], item: Expand) -> Mapping[str, list[Row]]:
        target = navigation.target
        if isinstance(navigation, ToMany):
            return self._by_lookup(target, navigation.column, ids, item)
        pairs = self._pairs(navigation.pairs.name, navigation.near, navigation.far, ids)
        query = self.rows.query(target, item.select, filter=item.filter, orderby=item.orderby)
        wanted = tuple(sorted({far for _, far in pairs}))
        query.conditions.append(Test(query.root.field(target.columns[target.key]), "in", wanted))
        found = self._finished(target, self.rows.fetch(self.caller, query, len(wanted)), item)
        places = {row[target.key]: place for place, row in enumerate(found)}
        collected: dict[str, list[int]] = {}
        for near, far in pairs:
            if far in places:
                collected.setdefault(near, []).append(places[far])
        return {near: [found[place] for place in sorted(those)] for near, those in collected.items()}

    def _by_lookup(self, target: Table, column: Column, ids: Sequence[str], item: Expand) -> dict[str, list[Row]]:
        """The rows come with the lookup by which they belong here, asked for or not."""
        select = item.select
        if select is not None and column.property_name not in select and column.property_name in target.properties:
            select = (*select, column.property_name)
        query = self.rows.query(target, select, filter=item.filter, orderby=item.orderby)
        query.conditions.append(Test(query.root.field(column), "in", tuple(ids)))
        found = self.rows.fetch(self.caller, query, PAGE_SIZE_MAX * max(1, len(ids)))
        collected: dict[str, list[Row]] = {}
        for row in self._finished(target, found, item):
            collected.setdefault(row[column.property_name], []).append(row)
        return collected

    def _pairs(self, table: str, near: str, far: str, ids: Sequence[str]) -> list[tuple[str, str]]:
        sql = f'SELECT "{near}", "{far}" FROM "{table}" WHERE "{near}" IN (SELECT value FROM json_each(?))'
        return [(pair[0], pair[1]) for pair in fetch(self.rows.store.connection, sql, (json.dumps(ids),))]


def _encoded(options: str) -> str:
    return options.replace(" ", "%20")
