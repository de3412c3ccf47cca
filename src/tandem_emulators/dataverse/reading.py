"""Rows and pages, for a caller who asked with query options and preferences.

A page is read behind the last row of the one before (never by counting), so rows that come or go while a client
pages do not shift the rest.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.apply import read_apply
from tandem_emulators.dataverse.changes import Changes
from tandem_emulators.dataverse.contexts import context
from tandem_emulators.dataverse.expand import Expander, check_expands
from tandem_emulators.dataverse.fetch_pages import FetchPages
from tandem_emulators.dataverse.navigation import Through, ToMany
from tandem_emulators.dataverse.options import PAGE_SIZE_MAX, Preferences, QueryOptions
from tandem_emulators.dataverse.page import COUNT_MAX, Page, link
from tandem_emulators.dataverse.paging import Cookie, order_values, parse_cookie
from tandem_emulators.dataverse.query import Behind, Exists, Link, Query, Source, Test
from tandem_emulators.dataverse.rows import Rows, shown_columns
from tandem_emulators.dataverse.schema import Schema, Table
from tandem_emulators.dataverse.security import Caller, Security
from tandem_emulators.dataverse.settings import Settings
from tandem_emulators.dataverse.store import Row, Store
from tandem_emulators.kit.clock import Clock


@dataclass(frozen=True, slots=True)
class Related:
    """The rows that belong to one row, instead of a whole table; `path` is how the URL names them."""

    path: str
    navigation: ToMany | Through
    record_id: str

    def narrow(self, query: Query) -> None:
        """Leaves only the rows that belong there."""
        if isinstance(self.navigation, ToMany):
            query.conditions.append(Test(query.root.field(self.navigation.column), "eq", (self.record_id,)))
            return
        pairs = Source(self.navigation.pairs, "pairs")
        near = pairs.field(self.navigation.pairs.columns[self.navigation.near])
        own = Link(pairs, self.navigation.far, query.root.table.key, conditions=[Test(near, "eq", (self.record_id,))])
        query.conditions.append(Exists(query.root, own))


@dataclass
class Reader:
    schema: Schema
    store: Store
    clock: Clock
    security: Security
    settings: Settings
    rows: Rows = field(init=False)
    changes: Changes = field(init=False)

    def __post_init__(self) -> None:
        self.rows = Rows(self.schema, self.store, self.clock, self.security, self.settings)
        self.changes = Changes(self.rows)
        self._fetch_pages = FetchPages(self.rows)

    # One row.

    def row(
        self, caller: Caller, table: Table, record_id: str, options: QueryOptions, preferences: Preferences, root: str
    ) -> Row:
        """The row with its context and etag first, as a single-row GET and a representation show it."""
        self.security.require(caller, table, "Read")
        check_expands(self.schema, table, options.expands)
        query = self.rows.query(table, options.select)
        query.conditions.append(Test(query.root.field(table.columns[table.key]), "eq", (record_id,)))
        rows = self.rows.fetch(caller, query, 1)
        if not rows:
            raise errors.does_not_exist(table.name, record_id)
        finished = self._finished(caller, table, rows, options, preferences, root)[0]
        where = context(root, table.set_name, options.select, options.expands)
        return {"@odata.context": f"{where}/$entity", **finished}

    def _finished(
        self,
        caller: Caller,
        table: Table,
        rows: list[Row],
        options: QueryOptions,
        preferences: Preferences,
        root: str,
    ) -> list[Row]:
        if preferences.annotations is not None:
            rows = self.rows.annotated(rows, shown_columns(table), preferences)
        if options.expands:
            Expander(self.rows, caller, preferences, root).expand(table, rows, options.expands)
        return rows

    # Collections.

    def page(
        self,
        caller: Caller,
        table: Table,
        options: QueryOptions,
        preferences: Preferences,
        root: str,
        related: Related | None = None,
    ) -> Page:
        self.security.require(caller, table, "Read")
        cookie = parse_cookie(options.skiptoken) if options.skiptoken is not None else None
        if options.deltatoken is not None or (cookie and cookie.delta_from is not None):
            return self.changes.page(caller, table, options, preferences, root, cookie)
        if options.whole_query is not None and not preferences.track_changes:
            return self._fetch_pages.page(caller, table, options, preferences, root, cookie)
        if options.apply is not None and not preferences.track_changes:
            return self._applied(caller, table, options, preferences, root)
        return self._collection(caller, table, options, preferences, root, cookie, related)

    def count(self, caller: Caller, table: Table, options: QueryOptions, related: Related | None = None) -> int:
        self.security.require(caller, table, "Read")
        if options.deltatoken is not None:
            return self.changes.count(caller, table, options)
        query = self._query(table, options, related)
        return min(self.rows.count(caller, query, COUNT_MAX), COUNT_MAX)

    def belongs(self, caller: Caller, table: Table, record_id: str, related: Related) -> bool:
        query = self._query(table, QueryOptions(select=()), related)
        query.conditions.append(Test(query.root.field(table.columns[table.key]), "eq", (record_id,)))
        return self.rows.count(caller, query, 1) == 1

    def _query(self, table: Table, options: QueryOptions, related: Related | None) -> Query:
        query = self.rows.query(
            table, options.select, filter=options.filter, orderby=options.orderby, aliases=options.aliases
        )
        if related is not None:
            related.narrow(query)
        return query

    def _collection(
        self,
        caller: Caller,
        table: Table,
        options: QueryOptions,
        preferences: Preferences,
        root: str,
        cookie: Cookie | None,
        related: Related | None,
    ) -> Page:
        tracking = preferences.track_changes or (cookie is not None and cookie.delta_to is not None)
        if tracking:
            self.security.require_organisation_wide(caller, table)
        upto = self.changes.token_at_start(table, options, cookie) if tracking else None
        check_expands(self.schema, table, options.expands)
        query = self._query(table, options, related)
        found = self.rows.count(caller, query, COUNT_MAX + 1) if options.count else None
        if cookie is not None:
            query.conditions.append(Behind(tuple(query.order), order_values(cookie, query.order)))
        paged = preferences.page_size is not None or options.top is None
        size = (preferences.page_size or PAGE_SIZE_MAX) if paged else options.top or 0
        is_plain = preferences.annotations is None and not options.expands
        fetch: Callable[[Caller, Query, int], list[Any]] = self.rows.fetch_sealed if is_plain else self.rows.fetch
        rows = fetch(caller, query, size + 1 if paged else size)
        page = Page(rows[:size], context(root, table.set_name, options.select, options.expands))
        self._annotate(page, found, preferences)
        if len(rows) > size:
            following = self.rows.cookie(caller, query, page.rows, cookie.page if cookie else 1)
            base = f"{root}{related.path if related else table.set_name}"
            page.next_link = link(base, options, "$skiptoken", replace(following, delta_to=upto).render())
        elif upto is not None:
            page.delta_link = self.changes.delta_link(table, options, upto, root)
        if not is_plain:
            page.rows = self._finished(caller, table, page.rows, options, preferences, root)
        return page

    def _annotate(self, page: Page, found: int | None, preferences: Preferences) -> None:
        if found is not None:
            page.count = min(found, COUNT_MAX)
        if preferences.annotations is not None:
            page.annotate_count(found, preferences)
            page.annotate("globalmetadataversion", self.rows.metadata_version(), preferences)

    # Sums and groups.

    def _applied(
        self, caller: Caller, table: Table, options: QueryOptions, preferences: Preferences, root: str
    ) -> Page:
        query, shown = read_apply(self.schema, table, options)
        self.rows.require_few_enough(caller, query)
        rows = self.rows.fetch(caller, query, PAGE_SIZE_MAX if options.top is None else options.top)
        annotated = self.rows.annotated(rows, shown, preferences)
        return Page(annotated, context(root, table.set_name, [output.name for output in query.outputs]))
