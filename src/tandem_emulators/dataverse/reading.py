"""Rows, pages and changes.

A page is read behind the last row of the one before (never by counting), so rows that come or go while a client
pages do not shift the rest. Changes are read by row version up to the version at which the read began.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.annotations import Annotator
from tandem_emulators.dataverse.filters import Filter, order_terms
from tandem_emulators.dataverse.options import PAGE_SIZE_MAX, Preferences, QueryOptions
from tandem_emulators.dataverse.paging import Cookie, DeltaToken, parse_cookie, parse_token, parse_version
from tandem_emulators.dataverse.schema import Column, Schema, Table
from tandem_emulators.dataverse.security import Caller, Security
from tandem_emulators.dataverse.settings import Settings
from tandem_emulators.dataverse.store import Row, Store
from tandem_emulators.kit.clock import Clock

COUNT_MAX = 5000
_TRACKING_REFUSES = ("$filter", "$orderby", "$expand", "$top")
_NUMERIC = frozenset({"Integer", "BigInt", "Picklist", "State", "Status", "Boolean"})
_FRACTIONAL = frozenset({"Decimal", "Double", "Money"})
_ADDRESS_PART = re.compile(r"(address\d)_(line\d|city|stateorprovince|postalcode|country|county|postofficebox)")


@dataclass(slots=True)
class Page:
    """`rows` as JSON wants them, and the link that goes on from here, if any."""

    rows: list[Row]
    context: str
    count: int | None = None
    next_link: str | None = None
    delta_link: str | None = None

    def as_dict(self) -> Row:
        body: Row = {"@odata.context": self.context}
        if self.count is not None:
            body["@odata.count"] = self.count
        if self.delta_link is not None:
            body["@odata.deltaLink"] = self.delta_link
        body["value"] = self.rows
        if self.next_link is not None:
            body["@odata.nextLink"] = self.next_link
        return body


@dataclass(frozen=True, slots=True)
class _Condition:
    sql: str
    arguments: tuple[Any, ...]


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


@dataclass
class Reader:
    schema: Schema
    store: Store
    clock: Clock
    security: Security
    settings: Settings

    # One row.

    def row(
        self, caller: Caller, table: Table, record_id: str, options: QueryOptions, preferences: Preferences, root: str
    ) -> Row:
        """The row with its context and etag first, as a single-row GET and a representation show it."""
        self.security.require(caller, table, "Read")
        options.require_covered()
        columns = self._columns(caller, table, options.select)
        rows = self.store.select(table, columns, f'WHERE "{table.key}" = ?', (record_id,))
        if not rows:
            raise errors.does_not_exist(table.name, record_id)
        annotated = Annotator(self.schema, self.store, table, preferences).annotate(rows)[0]
        return {"@odata.context": f"{_context(root, table, options)}/$entity", **annotated}

    # Collections.

    def page(self, caller: Caller, table: Table, options: QueryOptions, preferences: Preferences, root: str) -> Page:
        self.security.require(caller, table, "Read")
        cookie = parse_cookie(options.skiptoken) if options.skiptoken is not None else None
        if options.deltatoken is not None or (cookie and cookie.delta_from is not None):
            return self._changes(caller, table, options, preferences, root, cookie)
        return self._collection(caller, table, options, preferences, root, cookie)

    def count(self, caller: Caller, table: Table, options: QueryOptions) -> int:
        self.security.require(caller, table, "Read")
        if options.deltatoken is not None:
            token = self._live_token(table, options.deltatoken)
            return self._count_changes(table, token.version)
        options.require_covered()
        condition = self._filter(caller, table, options.filter)
        return min(self.store.count(table, f"WHERE {condition.sql}", condition.arguments), COUNT_MAX)

    def _collection(
        self,
        caller: Caller,
        table: Table,
        options: QueryOptions,
        preferences: Preferences,
        root: str,
        cookie: Cookie | None,
    ) -> Page:
        tracking = preferences.track_changes or (cookie is not None and cookie.delta_to is not None)
        upto = self._tracking_token(table, options, cookie) if tracking else None
        options.require_covered()
        terms = order_terms(table, options.orderby)
        condition = self._filter(caller, table, options.filter)
        count = None
        if options.count:
            count = min(self.store.count(table, f"WHERE {condition.sql}", condition.arguments), COUNT_MAX)
        if cookie is not None:
            condition = _and(condition, _behind(table, terms, cookie))
        paged = preferences.page_size is not None or options.top is None
        size = (preferences.page_size or PAGE_SIZE_MAX) if paged else options.top or 0
        columns = self._columns(caller, table, options.select)
        tail = f"WHERE {condition.sql} ORDER BY {_order_sql(table, terms)} LIMIT ?"
        rows = self.store.select(table, columns, tail, (*condition.arguments, size + 1 if paged else size))
        more = paged and len(rows) > size
        rows = rows[:size]
        page = Page(self._annotated(table, rows, preferences), _context(root, table, options), count)
        if more:
            following = self._cookie_after(table, terms, rows, cookie)
            page.next_link = _link(root, table, options, "$skiptoken", replace(following, delta_to=upto).render())
        elif upto is not None:
            page.delta_link = _delta_link(root, table, options, upto)
        return page

    def _annotated(self, table: Table, rows: list[Row], preferences: Preferences) -> list[Row]:
        if preferences.annotations is None:
            return rows
        return Annotator(self.schema, self.store, table, preferences).annotate(rows)

    def _filter(self, caller: Caller, table: Table, text: str | None) -> _Condition:
        if text is None:
            return _Condition("1", ())
        compiled = Filter(self.schema, table, self.security.hidden(caller, table))
        return _Condition(compiled.compile(text), tuple(compiled.arguments))

    def _columns(self, caller: Caller, table: Table, select: Sequence[str] | None) -> dict[str, Column | None]:
        hidden = self.security.hidden(caller, table)
        chosen = [*_selected(table, select)] if select is not None else list(table.properties)
        if table.key not in chosen:
            chosen.append(table.key)
        properties = table.properties
        return {name: None if properties[name].name in hidden else properties[name] for name in chosen}

    def _cookie_after(
        self, table: Table, terms: Sequence[tuple[Column, bool]], rows: Sequence[Row], cookie: Cookie | None
    ) -> Cookie:
        page = (cookie.page if cookie else 1) + 1
        bounds = [self._bounds(table, terms, rows[position][table.key]) for position in (-1, 0)]
        return Cookie(page=page, last=bounds[0], first=bounds[1])

    def _bounds(
        self, table: Table, terms: Sequence[tuple[Column, bool]], record_id: str
    ) -> tuple[tuple[str, str | None], ...]:
        row = self.store.find(table, record_id) or {}
        values = [(column.name, row.get(column.name)) for column, _ in terms]
        return tuple((name, None if value is None else str(value)) for name, value in values)

    # Changes.

    def _tracking_token(self, table: Table, options: QueryOptions, cookie: Cookie | None) -> DeltaToken:
        """What the delta link at the end of this read will say: the version from before its first page."""
        self._require_tracked(table)
        for option in _TRACKING_REFUSES:
            if option in options.given:
                raise errors.not_with_tracking(option)
        return cookie.delta_to if cookie and cookie.delta_to else self._token_now()

    def _token_now(self) -> DeltaToken:
        return DeltaToken(self.store.version, self.clock.now().replace(microsecond=0))

    def _require_tracked(self, table: Table) -> None:
        if not table.is_tracked or table.name in self.settings.untracked_tables.split(","):
            raise errors.not_tracked(table.name)

    def _live_token(self, table: Table, text: str) -> DeltaToken:
        """Refuses a token that is older than the memory of deletions, or than the table's present shape."""
        self._require_tracked(table)
        token = parse_token(text)
        kept_days = self.expire_after_days()
        too_old = self.clock.now() - token.issued_at > timedelta(days=kept_days)
        if too_old or token.version < int(self.store.meta(f"schema/{table.name}") or 0):
            raise errors.version_stamp_expired()
        return token

    def expire_after_days(self) -> int:
        organization = self.schema.tables["organization"]
        found = self.store.connection.execute(
            f'SELECT "expirechangetrackingindays" FROM "{organization.name}" LIMIT 1'
        ).fetchone()
        return int(found[0]) if found and found[0] is not None else 30

    def _count_changes(self, table: Table, after: int) -> int:
        changed = self.store.count(table, 'WHERE "versionnumber" > ?', (after,))
        return changed + len(self.store.deleted_between(table, after, self.store.version, -1))

    def _changes(
        self,
        caller: Caller,
        table: Table,
        options: QueryOptions,
        preferences: Preferences,
        root: str,
        cookie: Cookie | None,
    ) -> Page:
        span = self._span(table, options, cookie)
        size = preferences.page_size or PAGE_SIZE_MAX
        page = Page([], f"{_context(root, table, options)}/$delta")
        if not span.in_deletes:
            rows = self._changed_rows(caller, table, options, span, size + 1)
            page.rows = self._annotated(table, rows[:size], preferences)
            if len(rows) > size:
                reached = replace(span, position=int(rows[size - 1]["@odata.etag"][3:-1]))
                page.next_link = _link(root, table, options, "$skiptoken", reached.cookie_after(cookie).render())
                return page
            span = replace(span, position=span.since, in_deletes=True)
        room = size - len(page.rows)
        gone = self.store.deleted_between(table, span.position, span.upto.version, room + 1)
        item_context = f"{root}$metadata#{table.set_name}/$deletedEntity"
        page.rows += [{"@odata.context": item_context, "id": key, "reason": "deleted"} for key, _ in gone[:room]]
        if len(gone) > room:
            reached = replace(span, position=gone[room - 1][1] if room else span.position)
            page.next_link = _link(root, table, options, "$skiptoken", reached.cookie_after(cookie).render())
        else:
            page.delta_link = _delta_link(root, table, options, span.upto)
        return page

    def _span(self, table: Table, options: QueryOptions, cookie: Cookie | None) -> _Span:
        """Where a read of changes goes on: from its cookie, or from the start of its token."""
        for option in _TRACKING_REFUSES:
            if option in options.given:
                raise errors.not_with_tracking(option)
        if cookie is None or cookie.delta_to is None or cookie.delta_from is None:
            since = self._live_token(table, options.deltatoken or "").version
            return _Span(since, self._token_now(), since, in_deletes=False)
        self._require_tracked(table)
        bound = cookie.last[0][1] if cookie.last else None
        if bound is None or not re.fullmatch(r"\d{1,18}", bound):
            raise errors.cookie_order_mismatch()
        return _Span(cookie.delta_from, cookie.delta_to, int(bound), in_deletes=cookie.in_deletes)

    def _changed_rows(self, caller: Caller, table: Table, options: QueryOptions, span: _Span, limit: int) -> list[Row]:
        columns = self._columns(caller, table, options.select)
        tail = 'WHERE "versionnumber" > ? AND "versionnumber" <= ? ORDER BY "versionnumber" LIMIT ?'
        return self.store.select(table, columns, tail, (span.position, span.upto.version, limit))


def _selected(table: Table, select: Sequence[str]) -> list[str]:
    """The chosen properties, with what the service adds: the currency of an amount, the address of a part of it."""
    chosen: dict[str, None] = {}
    for name in select:
        column = table.properties.get(name)
        if column is None:
            raise errors.no_property(name, table.edm_name)
        chosen[name] = None
        part = _ADDRESS_PART.fullmatch(name)
        extra = "_transactioncurrencyid_value" if column.type == "Money" else f"{part[1]}_composite" if part else ""
        if extra in table.properties:
            chosen.setdefault(extra)
    return list(chosen)


def _context(root: str, table: Table, options: QueryOptions) -> str:
    narrowed = f"({','.join(options.select)})" if options.select else ""
    return f"{root}$metadata#{table.set_name}{narrowed}"


def _link(root: str, table: Table, options: QueryOptions, name: str, value: str) -> str:
    kept = f"{options.kept}&" if options.kept else ""
    return f"{root}{table.set_name}?{kept}{name}={value}"


def _delta_link(root: str, table: Table, options: QueryOptions, token: DeltaToken) -> str:
    encoded = re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), quote(token.render(), safe=""))
    return _link(root, table, options, "$deltatoken", encoded)


def _order_sql(table: Table, terms: Sequence[tuple[Column, bool]]) -> str:
    return ", ".join(f"{_sortable(table, column)} {'DESC' if down else 'ASC'}" for column, down in terms)


def _sortable(table: Table, column: Column) -> str:
    collation = " COLLATE NOCASE" if column.edm_type == "Edm.String" else ""
    return f'"{table.name}"."{column.name}"{collation}'


def _behind(table: Table, terms: Sequence[tuple[Column, bool]], cookie: Cookie) -> _Condition:
    """Rows after the last row of the page before, by the same columns; empty values sort first."""
    if tuple(name for name, _ in cookie.last) != tuple(column.name for column, _ in terms):
        raise errors.cookie_order_mismatch()
    alternatives: list[str] = []
    arguments: list[Any] = []
    equal: list[tuple[str, Any]] = []
    for (column, descending), (_, text) in zip(terms, cookie.last, strict=True):
        value, sql = _typed(column, text), _sortable(table, column)
        arguments += [bound for _, bound in equal]
        if value is None:
            beyond = "0" if descending else f"{sql} IS NOT NULL"
        else:
            beyond = f"({sql} < ? OR {sql} IS NULL)" if descending else f"{sql} > ?"
            arguments.append(value)
        alternatives.append(" AND ".join([*(f"{name} IS ?" for name, _ in equal), beyond]))
        equal.append((sql, value))
    return _Condition("(" + " OR ".join(f"({one})" for one in alternatives) + ")", tuple(arguments))


def _typed(column: Column, text: str | None) -> Any:
    if text is None:
        return None
    try:
        if column.type in _NUMERIC:
            return parse_version(text)
        return float(text) if column.type in _FRACTIONAL else text
    except ValueError as error:
        raise errors.cookie_order_mismatch() from error


def _and(left: _Condition, right: _Condition) -> _Condition:
    return _Condition(f"({left.sql}) AND {right.sql}", left.arguments + right.arguments)


def conditional_read_matches(headers: Mapping[str, str], etag: str) -> bool:
    """Whether `If-None-Match` names the version that the row still has; the word null means no condition."""
    return headers.get("if-none-match", "").strip() == etag
