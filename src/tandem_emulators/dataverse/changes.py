"""Change tracking: what was written since a token was given out, by row version, and then what was deleted.

A read of changes covers the row versions from its token up to the version at which it began, however many pages it
takes; the link at its end goes on from there, so nothing that moves meanwhile is lost.
"""

import re
from dataclasses import dataclass, replace
from datetime import timedelta
from urllib.parse import quote

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.contexts import context
from tandem_emulators.dataverse.options import PAGE_SIZE_MAX, Preferences, QueryOptions
from tandem_emulators.dataverse.page import Page, link
from tandem_emulators.dataverse.paging import Cookie, DeltaToken, parse_token
from tandem_emulators.dataverse.query import Order, Test
from tandem_emulators.dataverse.rows import Rows, shown_columns
from tandem_emulators.dataverse.schema import Table
from tandem_emulators.dataverse.security import Caller
from tandem_emulators.dataverse.statement import ETAG
from tandem_emulators.dataverse.store import Row

_REFUSED = ("$filter", "$orderby", "$expand", "$top", "$apply", "fetchXml", "savedQuery", "userQuery", "sql")
_KEPT_DAYS = 30


@dataclass(frozen=True, slots=True)
class _Span:
    """The row versions that a read of changes covers, and how far it has come: first the rows, then the deletions."""

    since: int
    upto: DeltaToken
    position: int
    in_deletes: bool

    def cookie_after(self, cookie: Cookie | None) -> Cookie:
        bound = (("versionnumber", str(self.position)),)
        page = (cookie.page if cookie else 1) + 1
        return Cookie(page, bound, bound, delta_to=self.upto, delta_from=self.since, in_deletes=self.in_deletes)


@dataclass(slots=True)
class Changes:
    rows: Rows

    # The tracked read that gives out the first token.

    def token_at_start(self, table: Table, options: QueryOptions, cookie: Cookie | None) -> DeltaToken:
        """What the delta link at the end of a tracked read will say: the version from before its first page."""
        self._require_tracked(table)
        _refuse_options(options)
        return cookie.delta_to if cookie and cookie.delta_to else self._token_now()

    def delta_link(self, table: Table, options: QueryOptions, token: DeltaToken, root: str) -> str:
        encoded = re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), quote(token.render(), safe=""))
        return link(f"{root}{table.set_name}", options, "$deltatoken", encoded)

    # Changes.

    def count(self, caller: Caller, table: Table, options: QueryOptions) -> int:
        self.rows.security.require(caller, table, "Read")
        token = self._live_token(table, options.deltatoken or "")
        _refuse_options(options)
        changed = self.rows.query(table, ())
        changed.conditions.append(Test(changed.root.field(table.columns["versionnumber"]), "gt", (token.version,)))
        store = self.rows.store
        gone = store.deleted_between(table, token.version, store.version, -1)
        return self.rows.count(caller, changed, -1) + len(gone)

    def page(
        self,
        caller: Caller,
        table: Table,
        options: QueryOptions,
        preferences: Preferences,
        root: str,
        cookie: Cookie | None,
    ) -> Page:
        self.rows.security.require(caller, table, "Read")
        self.rows.security.require_organisation_wide(caller, table)
        span = self._span(table, options, cookie)
        size = preferences.page_size or PAGE_SIZE_MAX
        page = Page([], f"{context(root, table.set_name, options.select)}/$delta")
        base = f"{root}{table.set_name}"
        if not span.in_deletes:
            rows = self._changed_rows(caller, table, options, span, size + 1)
            page.rows = self.rows.annotated(rows[:size], shown_columns(table), preferences)
            if len(rows) > size:
                reached = replace(span, position=int(rows[size - 1][ETAG][3:-1]))
                page.next_link = link(base, options, "$skiptoken", reached.cookie_after(cookie).render())
                return page
            span = replace(span, position=span.since, in_deletes=True)
        room = size - len(page.rows)
        gone = self.rows.store.deleted_between(table, span.position, span.upto.version, room + 1)
        item_context = f"{root}$metadata#{table.set_name}/$deletedEntity"
        page.rows += [{"@odata.context": item_context, "id": key, "reason": "deleted"} for key, _ in gone[:room]]
        if len(gone) > room:
            reached = replace(span, position=gone[room - 1][1] if room else span.position)
            page.next_link = link(base, options, "$skiptoken", reached.cookie_after(cookie).render())
        else:
            page.delta_link = self.delta_link(table, options, span.upto, root)
        return page

    def _changed_rows(self, caller: Caller, table: Table, options: QueryOptions, span: _Span, limit: int) -> list[Row]:
        query = self.rows.query(table, options.select)
        version = query.root.field(table.columns["versionnumber"])
        query.conditions += [Test(version, "gt", (span.position,)), Test(version, "le", (span.upto.version,))]
        query.order = [Order("versionnumber", (version,))]
        return self.rows.fetch(caller, query, limit)

    def _span(self, table: Table, options: QueryOptions, cookie: Cookie | None) -> _Span:
        """Where a read of changes goes on: from its cookie, or from the start of its token."""
        _refuse_options(options)
        if cookie is None or cookie.delta_to is None or cookie.delta_from is None:
            since = self._live_token(table, options.deltatoken or "").version
            return _Span(since, self._token_now(), since, in_deletes=False)
        self._require_tracked(table)
        bound = cookie.last[0][1] if cookie.last else None
        if bound is None or not re.fullmatch(r"[0-9]{1,18}", bound):
            raise errors.cookie_order_mismatch()
        return _Span(cookie.delta_from, cookie.delta_to, int(bound), in_deletes=cookie.in_deletes)

    # Tokens.

    def _token_now(self) -> DeltaToken:
        return DeltaToken(self.rows.store.version, self.rows.clock.now().replace(microsecond=0))

    def _require_tracked(self, table: Table) -> None:
        """Pairs are tracked where both tables of each of their associations are."""
        if table.is_intersect:
            there = self.rows.schema.associations.items()
            ends = {name for name, found in there for pairs in found.values() if pairs.intersect == table.name}
            if not all(
                self._is_tracked(self.rows.schema.tables[name]) for name in ends if name in self.rows.schema.tables
            ):
                raise errors.pairs_not_tracked(table.name)
        elif not self._is_tracked(table):
            raise errors.not_tracked(table.name)

    def _is_tracked(self, table: Table) -> bool:
        return table.is_tracked and table.name not in self.rows.settings.untracked_tables.split(",")

    def _live_token(self, table: Table, text: str) -> DeltaToken:
        """Refuses a token that is older than the memory of deletions, or than the table's present shape."""
        self._require_tracked(table)
        token = parse_token(text)
        too_old = self.rows.clock.now() - token.issued_at > timedelta(days=self.expire_after_days())
        settings, reshaped_at = self.rows.settings, int(self.rows.store.meta(f"schema/{table.name}") or 0)
        if too_old or (settings.schema_ends_delta_tokens and token.version < reshaped_at):
            raise errors.version_stamp_expired(settings.expired_token_status)
        return token

    def expire_after_days(self) -> int:
        run = self.rows.store.connection.execute
        found = run('SELECT "expirechangetrackingindays" FROM "organization" LIMIT 1').fetchone()
        return int(found[0]) if found and found[0] is not None else _KEPT_DAYS


def _refuse_options(options: QueryOptions) -> None:
    for option in _REFUSED:
        if option in options.given:
            raise errors.not_with_tracking(option)
