"""Paging cookies and delta tokens: what a next link and a delta link carry.

A paging cookie holds the ordered columns of the last and first row of the page, as the service's does; the next
page starts behind that row. While changes are tracked it also carries the span of row versions being read, so that
a read of many pages ends with a token from before its first page and misses nothing that moved meanwhile.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.query import Order
from tandem_emulators.dataverse.values import parse_guid

_WHOLE = frozenset({"Integer", "BigInt", "Picklist", "State", "Status", "Boolean"})
_FRACTIONAL = frozenset({"Decimal", "Double", "Money"})


@dataclass(frozen=True, slots=True)
class DeltaToken:
    """A row version and the time at which it was given out: `919042!08/22/2017 08:10:44`."""

    version: int
    issued_at: datetime

    def render(self) -> str:
        return f"{self.version}!{self.issued_at:%m/%d/%Y %H:%M:%S}"


def parse_token(text: str) -> DeltaToken:
    version, _, moment = text.partition("!")
    try:
        issued_at = datetime.strptime(moment, "%m/%d/%Y %H:%M:%S").replace(tzinfo=UTC)
        return DeltaToken(parse_version(version), issued_at)
    except (ValueError, OverflowError) as error:
        raise errors.query_error(f"The delta token '{text[:60]}' is not valid.") from error


def parse_version(text: str) -> int:
    """A row version is a signed 64-bit number; anything else is a ValueError."""
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise ValueError("not a row version")
    return int(text)


@dataclass(frozen=True, slots=True)
class Cookie:
    """`last` and `first` are the ordered columns with their values in the last and first row of the page before.

    `delta_to` is there while changes are tracked; `delta_from` only in a read of changes, and `in_deletes` once
    that read has come to the deleted rows.
    """

    page: int
    last: tuple[tuple[str, str | None], ...]
    first: tuple[tuple[str, str | None], ...]
    delta_to: DeltaToken | None = None
    delta_from: int | None = None
    in_deletes: bool = False
    record_count: int | None = None

    def inner(self) -> str:
        """The cookie proper, as FetchXML takes it in its `paging-cookie`."""
        columns = "".join(
            f"<{name} {_bound('last', value)} {_bound('first', dict(self.first).get(name))} />"
            for name, value in self.last
        )
        counted = "" if self.record_count is None else f' countOfRecords="{self.record_count}"'
        return f'<cookie page="{self.page - 1}"{counted}>{columns}</cookie>'

    def annotation(self) -> str:
        """As the answer to FetchXML carries it: the inner cookie is encoded twice."""
        return f'<cookie pagenumber="{self.page}" pagingcookie="{_encode(_encode(self.inner()))}" istracking="False" />'

    def render(self) -> str:
        """The value of `$skiptoken` in a link: with the link's own encoding the inner cookie is encoded twice."""
        tracking = "False"
        extra = ""
        if self.delta_to is not None:
            tracking = "True"
            extra = f' deltato="{self.delta_to.render()}"'
            if self.delta_from is not None:
                extra += f' deltafrom="{self.delta_from}" deletes="{self.in_deletes}"'
        encoded = _encode(self.inner())
        outer = f'<cookie pagenumber="{self.page}" pagingcookie="{encoded}" istracking="{tracking}"{extra} />'
        return quote(outer, safe="=/")


def _encode(text: str) -> str:
    """Lower-case digits, as .NET writes them, but for the braces of a GUID, as the service's links show them."""
    encoded = re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), quote(text, safe=""))
    return encoded.replace("%7b", "%7B").replace("%7d", "%7D")


def _bound(side: str, value: str | None) -> str:
    if value is None:
        return f'{side}null="1"'
    guid = parse_guid(value)
    return f"{side}={quoteattr('{' + guid.upper() + '}' if guid else value)}"


def parse_cookie(text: str) -> Cookie:
    try:
        outer = _parse_xml(text)
        inner = _parse_xml(unquote(outer.attrib["pagingcookie"]))
        to = outer.get("deltato")
        since = outer.get("deltafrom")
        return Cookie(
            page=parse_version(outer.attrib["pagenumber"]),
            last=_read_bounds(inner, "last"),
            first=_read_bounds(inner, "first"),
            delta_to=parse_token(to) if to else None,
            delta_from=parse_version(since) if since else None,
            in_deletes=outer.get("deletes") == "True",
        )
    except (KeyError, ValueError, ElementTree.ParseError) as error:
        raise errors.query_error("Malformed XML in the Paging Cookie") from error


def parse_inner_cookie(text: str) -> Cookie:
    """The cookie of a FetchXML query; its page is the one that it stands behind."""
    try:
        inner = _parse_xml(text)
        page = parse_version(inner.attrib["page"]) + 1
        return Cookie(page, _read_bounds(inner, "last"), _read_bounds(inner, "first"))
    except (KeyError, ValueError, ElementTree.ParseError) as error:
        raise errors.query_error("Malformed XML in the Paging Cookie") from error


def order_values(cookie: Cookie, order: Sequence[Order]) -> tuple[Any, ...]:
    """What the last row had in the columns of the order, in the store's form."""
    if tuple(name for name, _ in cookie.last) != tuple(term.name for term in order):
        raise errors.cookie_order_mismatch()
    return tuple(_typed(term, text) for term, (_, text) in zip(order, cookie.last, strict=True))


def _typed(term: Order, text: str | None) -> Any:
    if text is None:
        return None
    try:
        if term.by_label:
            return text
        if term.column.type in _WHOLE:
            return parse_version(text)
        return float(text) if term.column.type in _FRACTIONAL else text
    except ValueError as error:
        raise errors.cookie_order_mismatch() from error


def _read_bounds(cookie: ElementTree.Element, side: str) -> tuple[tuple[str, str | None], ...]:
    return tuple((element.tag, _read_bound(element, side)) for element in cookie)


def _parse_xml(text: str) -> ElementTree.Element:
    """A cookie never needs a document type, so one that declares it is refused before the parser sees it."""
    if "<!" in text:
        raise ValueError("no declarations in a cookie")
    return ElementTree.fromstring(text)


def _read_bound(element: ElementTree.Element, side: str) -> str | None:
    if element.get(f"{side}null") == "1":
        return None
    value = element.attrib[side]
    return parse_guid(value) if re.fullmatch(r"\{[0-9A-Fa-f-]{36}\}", value) else value
