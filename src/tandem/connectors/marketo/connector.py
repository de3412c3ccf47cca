"""The Marketo side as the runtime sees it: ``ports.Connector`` over the REST API. Facts of the API are in README.md."""

import re
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from tandem.connectors.marketo import reader
from tandem.connectors.marketo.budget import DayLedger
from tandem.connectors.marketo.check import check_access
from tandem.connectors.marketo.client import TIMEOUT_S, TIMEOUTS_S, WINDOW_S, MarketoClient
from tandem.connectors.marketo.costs import BATCH_MAX, FILE_ROWS_MIN, ImportEstimate, Prices, rows_at_once
from tandem.connectors.marketo.custom_objects import ensure_fields, ensure_object
from tandem.connectors.marketo.deletes import delete
from tandem.connectors.marketo.errors import unreadable
from tandem.connectors.marketo.feed import FeedCadence, PersonFeed
from tandem.connectors.marketo.full_read import FullRead, Way
from tandem.connectors.marketo.imports import NOT_OUR_KEYS, Importer
from tandem.connectors.marketo.members import iter_members
from tandem.connectors.marketo.merges import OPERATION as MERGE
from tandem.connectors.marketo.merges import merge
from tandem.connectors.marketo.objects import object_of
from tandem.connectors.marketo.partitions import check_partitions
from tandem.connectors.marketo.schema import create_person_fields, fetch_schema, has_entity
from tandem.connectors.marketo.wire import RowReader, UnreadableError
from tandem.connectors.marketo.writer import KeysInFlight, Writer
from tandem.core.backfill import Span
from tandem.core.errors import RejectedError
from tandem.core.memberships import Member, Roster
from tandem.core.permissions import Feature
from tandem.core.plan import ActionKind
from tandem.core.record import PERSON, Cursor, Entity, RecordId, Side, Value
from tandem.core.schema import EntitySchema, NewField, NewObject
from tandem.ports import Access, Budget, Clock, Page, Reading, Sweep, Write, WriteResult

SCHEMA_KEPT: Final = timedelta(days=1)
"""A description is good for a day; Adobe asks not to fetch it more often."""

EXTRACT_BYTES_A_DAY: Final = 250_000_000
"""Half of what a subscription may extract a day, all programs together."""

_MUNCHKIN_ID = re.compile(r"^(\d{3}-\w{3}-\d{3})\.mktorest\.com$", re.IGNORECASE)


@contextmanager
def readable(work: str, *, is_write: bool = False) -> Iterator[None]:
    """Answers that are nothing we know end as errors that say what to do next."""
    try:
        yield
    except UnreadableError as error:
        raise unreadable(work, is_write=is_write) from error


class MarketoConnector:
    side: Side = Side.MARKETING

    def __init__(
        self,
        *,
        url: str,
        client_id: str,
        client_secret: str,
        clock: Clock,
        daily_share: int,
        daily_calls: int | None = None,
        reserve: int = 0,
        munchkin_id: str | None = None,
        calls_per_20_s: int = 50,
        max_concurrent: int = 5,
        ca_file: str | None = None,
        cadence: FeedCadence | None = None,
        settle_s: float = 90,
        import_settle_s: float = 3600,
        import_rows_min: int = FILE_ROWS_MIN,
        full_read: Way = Way.CHEAPEST,
        extract_bytes_a_day: int = EXTRACT_BYTES_A_DAY,
        extract_part_bytes: int = 4_000_000,
        changes_horizon_days: float = 85,
        deletions_horizon_days: float = 13,
        partitions: Sequence[str] = (),
    ) -> None:
        self._ledger = DayLedger(clock, share=daily_share, daily_calls=daily_calls, reserve=reserve)
        self._client = MarketoClient(
            url=url,
            client_id=client_id,
            client_secret=client_secret,
            clock=clock,
            ledger=self._ledger,
            calls_per_20_s=calls_per_20_s,
            max_concurrent=max_concurrent,
            ca_file=ca_file,
        )
        self._feed = PersonFeed(
            self._client,
            clock,
            cadence or FeedCadence(),
            FullRead(
                self._client,
                clock,
                self._ledger,
                way=full_read,
                ranges_at_once=max_concurrent,
                calls_per_s=calls_per_20_s / WINDOW_S,
                bytes_a_day=extract_bytes_a_day,
                part_bytes=extract_part_bytes,
            ),
            self._ledger,
            changes_horizon_days=changes_horizon_days,
            deletions_horizon_days=deletions_horizon_days,
        )
        self._estimate = ImportEstimate()
        keys = KeysInFlight()
        self._writer = Writer(self._client, self._estimate, keys)
        self._importer = Importer(
            self._client,
            clock,
            self._writer,
            self._estimate,
            keys,
            rows_min=import_rows_min,
            patience_s=import_settle_s / 2,
        )
        self._import_rows_min = import_rows_min
        self._import_settle_s = import_settle_s
        self._calls_per_s = calls_per_20_s / WINDOW_S
        self._url = url
        self._munchkin_id = munchkin_id
        self._clock = clock
        self._settle_s = settle_s
        self._partitions = partitions
        self._schemas: dict[Entity, tuple[datetime, EntitySchema]] = {}
        self._readers: dict[tuple[Entity, tuple[str, ...]], RowReader] = {}

    @property
    def calls(self) -> int:
        return self._client.calls

    @property
    def budget(self) -> Budget:
        """How the subscription's day stands; what others use is known from the first call on."""
        return self._ledger.budget

    async def close(self) -> None:
        await self._client.close()

    async def fetch_identity(self) -> Mapping[str, str]:
        return {
            "munchkin_id": self._munchkin_id or munchkin_id_of(self._url),
            "scope": await self._client.tokens.scope(),
        }

    async def check_access(self, entities: Sequence[Entity], features: Sequence[Feature] = ()) -> Sequence[Access]:
        with readable("check"):
            found = await check_access(self._client, entities, features)
            return [*found, *await check_partitions(self._client, self._partitions)]

    # --- shape

    async def fetch_schema(self, entity: Entity, paths: Collection[str] = ()) -> EntitySchema:
        kept = self._schemas.get(entity)
        if kept is not None and self._clock.now() - kept[0] < SCHEMA_KEPT:
            return kept[1]
        with readable("describe"):
            schema = await fetch_schema(self._client, entity)
        self._schemas[entity] = (self._clock.now(), schema)
        self._forget_readers(entity)
        return schema

    async def has_entity(self, entity: Entity) -> bool:
        with readable("customobjects.list"):
            return await has_entity(self._client, entity)

    async def create_object(self, new: NewObject) -> None:
        people = await self.fetch_schema(PERSON)
        with readable("create object"):
            await ensure_object(self._client, self._clock, new, people)
        self._schemas.pop(new.name, None)

    async def create_fields(self, entity: Entity, fields: Sequence[NewField]) -> None:
        if not fields:
            return
        people = await self.fetch_schema(PERSON)
        if entity != PERSON and not object_of(entity).is_custom:
            text = f"Marketo's API makes no fields of {entity}; create them under Admin → Field Management."
            raise RejectedError(text, side=Side.MARKETING, operation="fields.create")
        with readable("create fields"):
            if entity == PERSON:
                await create_person_fields(self._client, fields)
            else:
                await ensure_fields(self._client, self._clock, entity, fields, people)
        self._schemas.pop(entity, None)

    async def track_changes(self, entity: Entity) -> None:
        text = f"Marketo tells of changes of people only, and nobody can make it tell those of {entity}."
        raise RejectedError(text, side=Side.MARKETING, operation="track changes", code="schema")

    # --- reading

    async def sweep_of(self, entity: Entity) -> Sweep:
        """A log of people tells all there is, and of no other object does Marketo list the records."""
        return Sweep.NOTHING

    async def fetch_ids(self, entity: Entity) -> AsyncIterator[Sequence[RecordId]]:
        raise AssertionError(f"Marketo lists no ids of {entity}")
        yield  # an iterator, as the port wants it

    def has_feed(self, entity: Entity) -> bool:
        return entity == PERSON

    async def fetch_changes(self, entity: Entity, cursor: Cursor | None, fields: Sequence[str]) -> AsyncIterator[Page]:
        assert self.has_feed(entity), f"Marketo tells of no changes of {entity}"
        rows = await self._rows(entity, fields)
        with readable("changes"):
            async for page in self._feed.pages(cursor, rows):
                yield page

    async def fetch_live_cursor(self, entity: Entity, fields: Sequence[str], since: datetime | None) -> Cursor:
        with readable("changes"):
            return (await self._feed.begin(since)).as_cursor()

    def fetch_span(
        self, entity: Entity, cursor: Cursor | None, fields: Sequence[str], span: Span
    ) -> AsyncIterator[Page]:
        text = "Marketo lists nobody by date over its API; name the span in Dynamics."
        raise RejectedError(text, side=Side.MARKETING, operation="span")

    async def fetch_records(self, entity: Entity, fields: Sequence[str], ids: Sequence[RecordId]) -> Sequence[Reading]:
        rows = await self._rows(entity, fields)
        with readable("fetch records"):
            return await reader.fetch_records(self._client, entity, rows, ids)

    async def iter_members(self, roster: Roster) -> AsyncIterator[Sequence[Member]]:
        with readable("read members"):
            async for page in iter_members(self._client, roster):
                yield page

    async def find_records(
        self, entity: Entity, fields: Sequence[str], by: str, values: Sequence[Value]
    ) -> Sequence[Reading]:
        rows = await self._rows(entity, fields)
        with readable("find records"):
            return await reader.find_records(self._client, entity, rows, by, values)

    async def _rows(self, entity: Entity, fields: Sequence[str]) -> RowReader:
        """Made once for each shape: it generates a class."""
        schema = await self.fetch_schema(entity)
        shape = (entity, tuple(fields))
        if shape not in self._readers:
            self._readers[shape] = RowReader(
                fields, {name: info.kind for name, info in schema.fields.items()}, object_of(entity).id_field
            )
        return self._readers[shape]

    def _forget_readers(self, entity: Entity) -> None:
        self._readers = {shape: rows for shape, rows in self._readers.items() if shape[0] != entity}

    # --- writing

    def batch_size(self, entity: Entity, kind: ActionKind, waiting: int = 0, lookup: str | None = None) -> int:
        if kind is ActionKind.MERGE:
            return 1
        never_in_bulk = entity != PERSON or kind is ActionKind.DELETE
        if never_in_bulk or (kind is ActionKind.CREATE and lookup in NOT_OUR_KEYS):
            return BATCH_MAX
        return rows_at_once(
            waiting, self._estimate, self._prices(), is_create=kind is ActionKind.CREATE, rows_min=self._import_rows_min
        )

    def settle_s(self, entity: Entity, together: int = 1, kind: ActionKind = ActionKind.UPDATE) -> float:
        if entity == PERSON and together > BATCH_MAX:
            return self._import_settle_s
        slower = TIMEOUTS_S.get(_operation(entity, kind), TIMEOUT_S) / TIMEOUTS_S["leads.sync"]
        return self._settle_s * max(1.0, slower)

    async def write(self, entity: Entity, writes: Sequence[Write]) -> Sequence[WriteResult]:
        people = await self.fetch_schema(PERSON) if len(writes) > BATCH_MAX else None
        with readable("write", is_write=True):
            if writes and writes[0].kind is ActionKind.DELETE:
                return await delete(self._client, entity, writes)
            if writes and writes[0].kind is ActionKind.MERGE:
                return [await merge(self._client, self._writer, write) for write in writes]
            if people is None:
                return await self._writer.write(entity, writes)
            labels = {info.label: name for name, info in people.fields.items()}
            return await self._importer.write(writes, labels)

    def _prices(self) -> Prices:
        ledger = self._ledger
        return Prices(calls_per_s=self._calls_per_s, calls_left=ledger.left, day_left_s=ledger.resets_in_s)


def _operation(entity: Entity, kind: ActionKind) -> str:
    match kind:
        case ActionKind.MERGE:
            return MERGE
        case ActionKind.DELETE:
            return f"{object_of(entity).operation}.delete"
        case _:
            return f"{object_of(entity).operation}.sync"


def munchkin_id_of(url: str) -> str:
    """The account id that a Marketo host begins with; another host (a proxy, an emulator) stands for itself."""
    host = urlsplit(url).hostname or ""
    found = _MUNCHKIN_ID.match(host)
    return found.group(1).upper() if found else host
