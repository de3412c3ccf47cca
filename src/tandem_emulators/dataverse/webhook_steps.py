"""Which webhooks are registered: the rows of the registration tables, read into steps (sheet section 8)."""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from html import unescape
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.events import RowEvent
from tandem_emulators.dataverse.organization import Organization
from tandem_emulators.dataverse.store import Row, Store

REGISTRATION_TABLES = frozenset({"serviceendpoint", "sdkmessageprocessingstep", "sdkmessageprocessingstepimage"})
MESSAGES = ("Create", "Update", "Delete")
# What can be called for every table, but not be listened to: its rows have events of their own.
_BULK_MESSAGES = ("CreateMultiple", "UpdateMultiple", "UpsertMultiple")
_WEBHOOK = 8
_ACS = 1
_POST_OPERATION = 40
_KEY, _HEADER, _QUERY = 4, 5, 6
_PRE, _POST, _BOTH = 0, 1, 2
_SETTING = re.compile(r"""<setting\s+name=(["'])(?P<name>.*?)\1\s+value=(["'])(?P<value>.*?)\3\s*/>""")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


@dataclass(frozen=True, slots=True)
class Endpoint:
    url: str
    auth_type: int
    auth_value: str

    def target(self) -> tuple[str, dict[str, str]]:
        """The URL to post to and the headers that authenticate there. Raises if `authvalue` cannot be read."""
        if self.auth_type == _KEY:
            return _with_query(self.url, {"code": self.auth_value}), {}
        if self.auth_type not in (_HEADER, _QUERY):
            return self.url, {}
        found = {unescape(m["name"]): unescape(m["value"]) for m in _SETTING.finditer(self.auth_value)}
        if self.auth_type == _QUERY:
            if not found:
                raise errors.webhook_query_invalid()
            return _with_query(self.url, found), {}
        if not found or not all(_HEADER_NAME.fullmatch(name) and value.isprintable() for name, value in found.items()):
            raise errors.webhook_headers_invalid()
        return self.url, found


@dataclass(frozen=True, slots=True)
class Image:
    """What of the row before or after the change goes along. No attributes means all of them."""

    name: str
    before: bool
    after: bool
    attributes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Step:
    """`table` is None for a step on every table. `filtering` empty means every update."""

    id: str
    name: str
    message: str
    table: str | None
    stage: int
    is_async: bool
    rank: int
    filtering: frozenset[str]
    deletes_its_job: bool
    runs_as: str | None
    endpoint: Endpoint
    images: tuple[Image, ...]


Steps = Mapping[tuple[str, str | None], list[Step]]


def load_steps(store: Store) -> Steps:
    """The enabled steps that end at a webhook, by message and table, each list in the order of rank."""
    endpoints = {row["serviceendpointid"]: row for row in _rows(store, "serviceendpoint")}
    messages = {row["sdkmessageid"]: row["name"] for row in _rows(store, "sdkmessage")}
    filters = {row["sdkmessagefilterid"]: row["primaryobjecttypecode"] for row in _rows(store, "sdkmessagefilter")}
    images = defaultdict(list)
    for row in _rows(store, "sdkmessageprocessingstepimage"):
        images[row["sdkmessageprocessingstepid"]].append(_image(row))
    found: dict[tuple[str, str | None], list[Step]] = defaultdict(list)
    for row in _rows(store, "sdkmessageprocessingstep"):
        endpoint = endpoints.get(row["eventhandler"])
        message = messages.get(row["sdkmessageid"])
        if endpoint and message and endpoint["contract"] == _WEBHOOK and not row["statecode"]:
            step_images = tuple(images[row["sdkmessageprocessingstepid"]])
            step = _step(row, message, filters.get(row["sdkmessagefilterid"]), endpoint, step_images)
            found[step.message, step.table].append(step)
    for steps in found.values():
        steps.sort(key=lambda step: (step.rank, step.id))
    return found


def check_registration(store: Store, event: RowEvent) -> None:
    """Refuse what cannot be registered: an endpoint of the retired kind, the row after a step that comes before it.

    And a step on a message whose filter allows none.
    """
    row = {**event.before, **event.changes}
    if event.table.name == "sdkmessageprocessingstep" and row.get("sdkmessagefilterid"):
        found = store.find(store.schema.tables["sdkmessagefilter"], row["sdkmessagefilterid"])
        if found is not None and not found["iscustomprocessingstepallowed"]:
            raise errors.step_not_allowed()
    if event.table.name == "serviceendpoint" and row.get("authtype") == _ACS:
        raise errors.acs_not_supported()
    if event.table.name == "sdkmessageprocessingstepimage" and row.get("imagetype") in (_POST, _BOTH):
        step_id = row.get("sdkmessageprocessingstepid")
        step = store.find(store.schema.tables["sdkmessageprocessingstep"], step_id) if step_id else None
        if step is not None and step["stage"] != _POST_OPERATION:
            raise errors.no_post_image()


def ensure_registry(store: Store, organization: Organization) -> None:
    """The messages, and a filter for each message and table; tables may have come since the last time."""
    message_table, filter_table = store.schema.tables["sdkmessage"], store.schema.tables["sdkmessagefilter"]
    with store.transaction():
        for message in (*MESSAGES, *_BULK_MESSAGES):
            message_id = organization.id_of(f"sdkmessage/{message}")
            if not store.exists(message_table, message_id):
                store.insert(message_table, {**message_table.defaults, "sdkmessageid": message_id, "name": message})
            for table in store.schema.tables:
                filter_id = organization.id_of(f"sdkmessagefilter/{message}/{table}")
                if not store.exists(filter_table, filter_id):
                    about = {"primaryobjecttypecode": table, "secondaryobjecttypecode": "none"}
                    ids = {"sdkmessagefilterid": filter_id, "sdkmessageid": message_id}
                    allowed = {"iscustomprocessingstepallowed": message in MESSAGES}
                    store.insert(filter_table, {**filter_table.defaults, **ids, **about, **allowed})


def _rows(store: Store, table_name: str) -> list[Row]:
    table = store.schema.tables[table_name]
    cursor = store.connection.execute(f'SELECT * FROM "{table.name}"')
    names = [description[0] for description in cursor.description]
    return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]


def _step(row: Row, message: str, table: str | None, endpoint: Row, images: tuple[Image, ...]) -> Step:
    return Step(
        id=row["sdkmessageprocessingstepid"],
        name=row["name"] or "",
        message=message,
        table=table,
        stage=row["stage"],
        is_async=bool(row["mode"]),
        rank=row["rank"] or 0,
        filtering=_names(row["filteringattributes"]),
        deletes_its_job=bool(row["asyncautodelete"]),
        runs_as=row["impersonatinguserid"],
        endpoint=Endpoint(endpoint["url"] or "", endpoint["authtype"] or 0, endpoint["authvalue"] or ""),
        images=images,
    )


def _image(row: Row) -> Image:
    kind = row["imagetype"]
    name = row["entityalias"] or row["name"] or ""
    return Image(name, kind in (_PRE, _BOTH), kind in (_POST, _BOTH), _names(row["attributes"]))


def _names(text: Any) -> frozenset[str]:
    return frozenset(name.strip() for name in str(text or "").split(",") if name.strip())


def _with_query(url: str, parameters: Mapping[str, str]) -> str:
    """A URL that is none stays as it is: the call to it will fail, and say so."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    query = "&".join(text for text in (parts.query, urlencode(parameters)) if text)
    return urlunsplit(parts._replace(query=query))
