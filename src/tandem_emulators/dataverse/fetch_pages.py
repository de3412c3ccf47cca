"""Pages of FetchXML, of SQL, and of saved queries, which are FetchXML kept in a row.

Where a row can say what comes after it, a page goes on from the cookie of the one before; else pages are counted,
up to 50,000 rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.annotations import Shown
from tandem_emulators.dataverse.apply import shown_output
from tandem_emulators.dataverse.contexts import context
from tandem_emulators.dataverse.fetchxml import Fetch, read_fetch
from tandem_emulators.dataverse.options import PAGE_SIZE_MAX, Preferences, QueryOptions
from tandem_emulators.dataverse.page import COUNT_MAX, Page, link
from tandem_emulators.dataverse.paging import Cookie, order_values, parse_inner_cookie
from tandem_emulators.dataverse.query import Behind, Query
from tandem_emulators.dataverse.query_faults import query_fault
from tandem_emulators.dataverse.rows import Rows
from tandem_emulators.dataverse.schema import Table
from tandem_emulators.dataverse.security import Caller
from tandem_emulators.dataverse.sql import read_sql
from tandem_emulators.dataverse.store import Row
from tandem_emulators.dataverse.values import parse_guid

_COUNTED_MAX = 50_000
_KINDS = {"savedQuery": "savedquery", "userQuery": "userquery"}


@dataclass(slots=True)
class FetchPages:
    rows: Rows

    def page(
        self,
        caller: Caller,
        table: Table,
        options: QueryOptions,
        preferences: Preferences,
        root: str,
        cookie: Cookie | None,
    ) -> Page:
        kind, text = options.whole_query or ("", "")
        fetch = self._read(caller, table, kind, text)
        if fetch.cookie is not None:
            cookie = parse_inner_cookie(fetch.cookie)
        elif cookie is not None:
            fetch.page = cookie.page
        return self._page(caller, table, fetch, options, preferences, root, cookie)

    def _read(self, caller: Caller, table: Table, kind: str, text: str) -> Fetch:
        if kind == "sql":
            return read_sql(self.rows.schema, table, text)
        if kind in _KINDS:
            text = self._saved(caller, _KINDS[kind], text)
        return read_fetch(self.rows.schema, table, text)

    def _saved(self, caller: Caller, name: str, text: str) -> str:
        saved = self.rows.schema.tables[name]
        self.rows.security.require(caller, saved, "Read")
        record_id = parse_guid(text.strip())
        row = self.rows.store.find(saved, record_id) if record_id else None
        if row is None:
            raise errors.does_not_exist(name, text[:60])
        return str(row.get("fetchxml") or "")

    def _page(
        self,
        caller: Caller,
        table: Table,
        fetch: Fetch,
        options: QueryOptions,
        preferences: Preferences,
        root: str,
        cookie: Cookie | None,
    ) -> Page:
        query = fetch.query
        if query.is_aggregate:
            self.rows.require_few_enough(caller, query)
        total = self.rows.count(caller, query, COUNT_MAX + 1) if fetch.wants_total else None
        size = fetch.count or preferences.page_size or PAGE_SIZE_MAX
        limit = size + 1 if fetch.top is None else min(fetch.top, PAGE_SIZE_MAX)
        offset = self._skip(fetch, size, cookie) + (fetch.offset if cookie is None or not cookie.last else 0)
        rows = self.rows.fetch(caller, query, limit, offset)
        more = fetch.top is None and len(rows) > size
        shown = _shown(query)
        page = Page(
            self._annotated(query, rows[:size] if more else rows, shown, preferences), _context(root, table, query)
        )
        page.annotate_count(total, preferences)
        if more:
            following = Cookie(fetch.page + 1, (), ())
            if fetch.takes_cookies:
                following = self.rows.cookie(caller, query, rows[:size], fetch.page)
            self._link(page, table, following, options, preferences, root, has_cookie=fetch.takes_cookies)
        return page

    def _skip(self, fetch: Fetch, size: int, cookie: Cookie | None) -> int:
        """How many rows to leave out; behind a cookie, only those of pages between it and the one asked for."""
        if cookie is None or not cookie.last or not fetch.takes_cookies:
            if (fetch.page - 1) * size >= _COUNTED_MAX:
                raise query_fault("0x8004430a")
            return (fetch.page - 1) * size
        if fetch.page < cookie.page:
            raise query_fault("0x8004112a")
        order = tuple(fetch.query.order)
        fetch.query.conditions.append(Behind(order, order_values(cookie, order)))
        return min((fetch.page - cookie.page) * size, _COUNTED_MAX)

    def _annotated(
        self, query: Query, rows: list[Row], shown: Mapping[str, Shown], preferences: Preferences
    ) -> list[Row]:
        """An empty column of a linked table, or of a row that is not there, is left out."""
        foreign = {o.name for o in query.outputs if o.field is not None and o.field.source is not query.root}
        if foreign or query.is_distinct:
            rows = [{n: v for n, v in row.items() if v is not None or n not in foreign} for row in rows]
        return self.rows.annotated(rows, shown, preferences)

    def _link(
        self,
        page: Page,
        table: Table,
        following: Cookie,
        options: QueryOptions,
        preferences: Preferences,
        root: str,
        *,
        has_cookie: bool,
    ) -> None:
        """FetchXML is asked again by the client; the other kinds get a link."""
        kind, _ = options.whole_query or ("", "")
        if kind != "fetchXml":
            page.next_link = link(f"{root}{table.set_name}", options, "$skiptoken", following.render())
            return
        page.annotate("morerecords", True, preferences)
        if has_cookie:
            page.annotate("fetchxmlpagingcookie", following.annotation(), preferences)


def _shown(query: Query) -> dict[str, Shown]:
    return {output.name: shown_output(output) for output in query.outputs if output.field is not None}


def _context(root: str, table: Table, query: Query) -> str:
    is_whole = len(query.outputs) >= len(table.properties)
    own = [o.name for o in query.outputs if query.is_aggregate or (o.field and o.field.source is query.root)]
    return context(root, table.set_name, None if is_whole else own)
