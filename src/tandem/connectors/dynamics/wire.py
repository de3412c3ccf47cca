"""Rows between Dataverse's JSON and canonical values: nothing past this module knows a JSON key.

Reading is compiled once for each list of fields (``RowShape``): a Struct with exactly the selected columns, and a
function from that Struct to the tuple of values. Empty texts are None, times are whole seconds in UTC.
"""

import gc
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, Final
from urllib.parse import quote, urlsplit

import msgspec

from tandem.connectors.dynamics.client import decode
from tandem.connectors.dynamics.schema import VIRTUAL_FIELDS, Table
from tandem.core.errors import RejectedError
from tandem.core.record import Presence, RecordId, Side, Value
from tandem.core.schema import FieldKind
from tandem.ports import Reading

_TYPES: Final[Mapping[FieldKind, Any]] = {
    FieldKind.INTEGER: int | None,
    FieldKind.CHOICE: int | None,
    FieldKind.NUMBER: float | None,
    FieldKind.BOOLEAN: bool | None,
}
"""Everything else is text on the wire."""

_GUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Rows:
    """One page of an answer; links are paths from the host's root."""

    readings: Sequence[Reading]
    next_path: str | None
    delta_path: str | None
    raw: Sequence[Any]


@contextmanager
def collection_paused() -> Iterator[None]:
    """A page is thousands of new objects without a cycle among them: looking for one, seven times a page and now and
    then through everything there is, takes longer than decoding."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class RowShape:
    """How rows of one table are asked for and read, for one list of fields.

    ``extra`` are columns that the connector itself needs beside the fields; they are found on ``Rows.raw``.
    """

    def __init__(self, table: Table, fields: Sequence[str], extra: Sequence[str] = ()) -> None:
        self.table = table
        self.fields = tuple(fields)
        names = {f: table.read_name(f) for f in (*fields, *extra) if f not in VIRTUAL_FIELDS}
        columns = sorted({*names.values()} - {table.primary_id})
        self.select = ",".join(columns) or table.primary_id
        self.place = {name: f"c{i}" for i, name in enumerate(columns)} | {table.primary_id: "id"}
        kinds = {names[f]: table.column(f).kind for f in names}
        row = _row_type(table, columns, kinds, is_whole=False)
        self._whole_page = msgspec.json.Decoder(_page_type(_row_type(table, columns, kinds, is_whole=True)))
        self._page = msgspec.json.Decoder(_page_type(row))
        self._row = msgspec.json.Decoder(row)
        self._raw = attrgetter(*(self.place[c] for c in columns), "id") if columns else lambda row: (row.id,)
        self._readings = _compile_readings(table, self.fields, names, self.place)

    def parse_page(self, body: bytes, operation: str) -> Rows:
        """Nearly every page holds whole rows only, which takes half the time of asking each row what it lacks."""
        try:
            with collection_paused():
                page: Any = self._whole_page.decode(body)
                readings = self._readings(page.value)
        except (msgspec.DecodeError, ValueError, OverflowError):
            page = decode(self._page, body, operation)
            readings = [self._reading(row, operation) for row in page.value]
        return Rows(readings, path_of(page.next_link), path_of(page.delta_link), page.value)

    def parse_links(self, body: bytes, operation: str) -> Rows:
        """The page without its rows."""
        page = decode(_LINKS, body, operation)
        return Rows((), path_of(page.next_link), path_of(page.delta_link), ())

    def parse_row(self, body: bytes, operation: str) -> Reading:
        """One record's own answer; every selected column must be in it."""
        reading = self._reading(decode(self._row, body, operation), operation)
        if reading.presence is not Presence.PRESENT:
            text = f"Dynamics, {operation}: the answer lacks a column that was selected."
            raise RejectedError(text, side=Side.CRM, operation=operation, code="shape")
        return reading

    def _reading(self, row: Any, operation: str) -> Reading:
        """A row that lacks a selected column is not read as empty: it is a suspicion, to be read by id."""
        if row.deleted_id is not msgspec.UNSET:
            return Reading(RecordId(row.deleted_id.lower()), presence=Presence.SUSPECT)
        if msgspec.UNSET in self._raw(row):
            return Reading(RecordId(row.id), presence=Presence.SUSPECT)
        try:
            return self._readings([row])[0]
        except (ValueError, OverflowError):
            text = f"Dynamics, {operation}: the answer holds a time that is none."
            raise RejectedError(text, side=Side.CRM, operation=operation, code="shape") from None


def _row_type(table: Table, columns: Sequence[str], kinds: Mapping[str, FieldKind], *, is_whole: bool) -> Any:
    """`is_whole`: with every column, and no deletion; else whatever lacks is unset."""
    unset, types = msgspec.UnsetType, {f"c{i}": _TYPES.get(kinds[c], str | None) for i, c in enumerate(columns)}
    fields: list[tuple[str, Any, Any]]
    if is_whole:
        fields = [("id", str, msgspec.NODEFAULT), ("etag", str | None, None)]
        fields += [(place, kind, msgspec.NODEFAULT) for place, kind in types.items()]
    else:
        fields = [("id", str, ""), ("etag", str | None, None), ("deleted_id", str | unset, msgspec.UNSET)]
        fields += [(place, kind | unset, msgspec.UNSET) for place, kind in types.items()]
    rename = {"id": table.primary_id, "etag": "@odata.etag", "deleted_id": "id"}
    rename |= {f"c{i}": column for i, column in enumerate(columns)}
    return msgspec.defstruct(f"{table.entity}_row", fields, rename=rename, gc=False, kw_only=True)


class _Links(msgspec.Struct):
    next_link: str | None = msgspec.field(name="@odata.nextLink", default=None)
    delta_link: str | None = msgspec.field(name="@odata.deltaLink", default=None)


_LINKS: Final = msgspec.json.Decoder(_Links)


def _page_type(row: Any) -> Any:
    return msgspec.defstruct("page", [("value", list[row])], bases=(_Links,), kw_only=True)


MASTER: Final = "masterid"
"""The column in which the loser of a merge names the survivor (dataverse-web-api 5.8)."""


def _compile_readings(
    table: Table, fields: Sequence[str], names: Mapping[str, str], place: Mapping[str, str]
) -> Callable[[Sequence[Any]], list[Reading]]:
    """A function of a page's whole rows. Its source holds only places (``r.c0``) and names of this module, no text from
    outside."""
    parts = []
    for name in fields:
        if name in VIRTUAL_FIELDS:
            parts.append({"@id": "r.id", "@type": "type_name", "@deleted": "False", "@paused": "False"}[name])
            continue
        kind, at = table.column(name).kind, f"r.{place[names[name]]}"
        if kind is FieldKind.DATETIME:
            parts.append(f'(t if (t := {at}) is None or len(t) == 20 and t[19] == "Z" else whole_seconds(t))')
        elif kind is FieldKind.DATE:
            parts.append(f"{at} and {at}[:10]")
        else:
            parts.append(at if kind in _TYPES else f"({at} or None)")
    values = "".join(f"{part}," for part in parts)
    merged = f", PRESENT, r.{place[names[MASTER]]} or None" if MASTER in fields else ""
    source = f"lambda rows: [Reading(r.id, ({values}), r.etag or None{merged}) for r in rows]"
    known: dict[str, Any] = {"whole_seconds": whole_seconds, "type_name": table.type_name, "Reading": Reading}
    known |= {"len": len, "PRESENT": Presence.PRESENT}
    readings: Callable[[Sequence[Any]], list[Reading]] = eval(source, {**known, "__builtins__": {}})
    return readings


def whole_seconds(text: str | None) -> str | None:
    """``YYYY-MM-DDThh:mm:ssZ``; what has that shape already, as nearly everything has, is never handed in."""
    if not text:
        return None
    at = datetime.fromisoformat(text)
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def is_guid(text: str) -> bool:
    return _GUID.fullmatch(text) is not None


def path_of(link: str | None) -> str | None:
    """A link without its origin, otherwise untouched: the service may answer under another name tomorrow."""
    if link is None or link.startswith("/"):
        return link
    origin = urlsplit(link)
    return link[len(f"{origin.scheme}://{origin.netloc}") :]


# --- what is sent ------------------------------------------------------------------------------------------------


def render_record(
    table: Table, values: Mapping[str, Value], set_names: Mapping[str, str], also: Mapping[str, str] | None = None
) -> bytes:
    """The body of a create or update, behind what `also` says. `set_names` gives the entity set of each table that a
    lookup points to."""
    body: dict[str, Value] = {**(also or {})}
    for name, value in values.items():
        column = table.column(name)
        if column.kind is not FieldKind.REFERENCE:
            body[name] = value
            continue
        navigation = column.navigation.get(column.target)
        if navigation is None:
            text = f"The lookup {name} of {table.entity} cannot be written: no relationship to a table it points to."
            raise RejectedError(text, side=Side.CRM, operation=f"write {table.entity}", code="lookup")
        bound = None if value is None else f"/{set_names[column.target]}({value})"
        body[f"{navigation}@odata.bind"] = bound
    return msgspec.json.encode(body)


def render_equals(table: Table, name: str, value: Value) -> str:
    """One comparison of a ``$filter``, not yet percent-encoded."""
    if name == "@id":
        return f"{table.primary_id} eq {value}"
    column = table.column(name)
    is_bare = not isinstance(value, str) or column.kind in (FieldKind.REFERENCE, FieldKind.DATE, FieldKind.DATETIME)
    return f"{table.filter_name(name)} eq {_literal(value) if is_bare else _text_literal(str(value))}"


def _literal(value: Value) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _text_literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def filter_chunks(comparisons: Iterable[str], *, count_max: int, length_max: int) -> list[str]:
    """Percent-encoded ``or`` chains, each within `count_max` comparisons and `length_max` characters."""
    chunks: list[str] = []
    chain: list[str] = []
    joint, length = quote(" or ", safe=""), 0
    for comparison in comparisons:
        encoded = quote(comparison, safe="()',")
        if chain and (len(chain) == count_max or length + len(encoded) > length_max):
            chunks.append(joint.join(chain))
            chain, length = [], 0
        chain.append(encoded)
        length += len(encoded) + len(joint)
    return [*chunks, joint.join(chain)] if chain else chunks
