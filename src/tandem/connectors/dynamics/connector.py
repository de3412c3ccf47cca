"""The crm side: Dynamics 365 over the Dataverse Web API, as the ``Connector`` port wants it.

This module only puts the parts together: sign-in, pacing, table metadata kept from the first use, and one part each
for the feed, for reading by id or value, and for writing. What Dataverse is like is told in the README beside it.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final

from tandem.connectors.dynamics import check, reader, sweep
from tandem.connectors.dynamics.address import CLOUD_VERSION, parse_address
from tandem.connectors.dynamics.auth import AuthMode, Credentials, TokenSource
from tandem.connectors.dynamics.client import DynamicsClient
from tandem.connectors.dynamics.columns import create_columns
from tandem.connectors.dynamics.desk import DynamicsDesk
from tandem.connectors.dynamics.errors import classify_response
from tandem.connectors.dynamics.feed import ChangeFeed
from tandem.connectors.dynamics.opportunities import ACCOUNTS, CONNECTION_ROLE, ROLE_NAMES, view_of
from tandem.connectors.dynamics.pace import ServicePace, first_rule
from tandem.connectors.dynamics.paths import LookupEnds, paths_in
from tandem.connectors.dynamics.role_names import RoleNames
from tandem.connectors.dynamics.schema import Table, load_set_name, load_table
from tandem.connectors.dynamics.side_effects import USUAL, SideEffects
from tandem.connectors.dynamics.tracking import track_changes
from tandem.connectors.dynamics.views import Facts, FindFacts, Lens
from tandem.connectors.dynamics.wire import RowShape
from tandem.connectors.dynamics.writer import Writer, batch_size
from tandem.connectors.http import HttpClient
from tandem.connectors.pacing import Pacer
from tandem.core.backfill import Span
from tandem.core.errors import CursorExpiredError, RejectedError
from tandem.core.permissions import Feature
from tandem.core.plan import ActionKind
from tandem.core.record import CONNECTION, CONTACT, Cursor, Entity, Presence, RecordId, Side, Value
from tandem.core.schema import EntitySchema, NewField, NewObject
from tandem.ports import Access, Clock, Page, Reading, Sweep, Write, WriteResult

_RECENT: Final = timedelta(minutes=10)
"""At the start every table is described once, however many others show columns of it."""
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


class DynamicsConnector:
    """``at_once_max`` bounds the parallelism that the service recommends. ``own_columns`` are columns that nobody but
    Tandem writes: updates of these alone need no version. ``settle_s`` is how long a lost write may still land: the
    service's own limit of two minutes. ``certificate_file`` takes the place of a client secret. ``auth = "adfs"`` is
    for a server on premises: ``authority`` is its AD FS then, and there is no tenant."""

    side = Side.CRM

    def __init__(
        self,
        *,
        url: str,
        client_id: str,
        clock: Clock,
        tenant_id: str | None = None,
        client_secret: str | None = None,
        username: str | None = None,
        password: str | None = None,
        certificate_file: str | None = None,
        auth: AuthMode = "client_credentials",
        authority: str | None = None,
        api_version: str = CLOUD_VERSION,
        ca_file: str | None = None,
        at_once_max: int = 16,
        page_size: int = 5000,
        settle_s: float = 120.0,
        own_columns: Mapping[Entity, Collection[str]] = MappingProxyType({}),
        side_effects: SideEffects = USUAL,
    ) -> None:
        """Raises: ConfigError, before anything is sent."""
        address = parse_address(url, is_on_premises=auth == "adfs", api_version=api_version)
        tokens = TokenSource(
            Credentials(tenant_id, client_id, auth, client_secret, username, password, certificate_file),
            resource=address.origin,
            authority=authority,
            clock=clock,
            ca_file=ca_file,
            on_call=self._count_sign_in,
        )
        self._pacer = pacer = Pacer(clock, rules=[first_rule()], concurrent_max=at_once_max)
        pace = ServicePace(pacer, at_once_max=at_once_max)
        self._http = HttpClient(
            Side.CRM, address.origin, tokens, pacer, clock, ca_file=ca_file, classify=classify_response, watch=pace.note
        )
        self._client = DynamicsClient(self._http, address.root)
        self._writer = Writer(
            self._client,
            self._set_name,
            pacer.pause,
            own_columns=own_columns,
            timeout_s=settle_s,
            side_effects=side_effects,
        )
        self._side_effects = side_effects
        self.desk = DynamicsDesk(self._client, self._table, side_effects, settle_s, address.origin)
        self._organization = check.SameOrganization(self._client, clock)
        self._clock = clock
        self._role_names = RoleNames(self._client, clock)
        self._ends = LookupEnds(self._client, self._table, self._recent_table)
        self._page_size = page_size
        self._settle_s = settle_s
        self._sign_in_calls = 0
        self._tables: dict[Entity, Table] = {}
        self._read_at: dict[Entity, datetime] = {}
        self._set_names: dict[str, str] = {}
        self._loading: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @property
    def calls(self) -> int:
        return self._http.calls + self._sign_in_calls

    @property
    def items_sent(self) -> int:
        """What was used of the daily entitlement: a batch counts by its parts, a bulk message by its records."""
        return self._client.items_sent

    @property
    def budget(self) -> None:
        """Dynamics counts five minutes, and its daily entitlement over all users and programs together."""
        return None

    async def close(self) -> None:
        await self._http.close()

    async def fetch_identity(self) -> Mapping[str, str]:
        return await self._organization.fetch()

    async def fetch_schema(self, entity: Entity, paths: Collection[str] = ()) -> EntitySchema:
        """Read anew each time, and kept for the other methods."""
        view = view_of(entity)
        async with self._loading[view.table]:
            self._tables.pop(view.table, None)
        table = await self._table(entity)
        schema = view.schema(entity, table.schema())
        return replace(schema, fields={**schema.fields, **await self._ends.describe(table, paths)})

    async def check_access(self, entities: Sequence[Entity], features: Sequence[Feature] = ()) -> Sequence[Access]:
        return await check.check_access(self._client, self._table, entities, features, self._side_effects)

    async def has_entity(self, entity: Entity) -> bool:
        try:
            await self._set_name(view_of(entity).table)
        except RejectedError:
            return False
        return True

    async def create_object(self, new: NewObject) -> None:
        text = f"Tandem makes no tables in Dynamics. Add {new.name} in Power Apps, or take it out of the mapping."
        raise RejectedError(text, side=Side.CRM, operation=f"create {new.name}", code="schema")

    async def create_fields(self, entity: Entity, fields: Sequence[NewField]) -> None:
        async with self._loading[entity]:
            await create_columns(self._client, self._clock, entity, fields)
            self._tables.pop(entity, None)

    async def track_changes(self, entity: Entity) -> None:
        async with self._loading[entity]:
            await track_changes(self._client, entity)
            self._tables.pop(entity, None)

    def has_feed(self, entity: Entity) -> bool:
        """Every table has one: by change tracking, else by modification time."""
        return True

    async def fetch_changes(self, entity: Entity, cursor: Cursor | None, fields: Sequence[str]) -> AsyncIterator[Page]:
        await self._organization.ensure()
        lens = self._lens(entity, fields)
        feed = await self._feed(entity, lens.columns)
        try:
            async for page in feed.pages(cursor):
                self._tables[feed.table.entity] = feed.table
                yield await lens.page(page)
        except CursorExpiredError:
            # A delta link also dies when the table's columns change: what we know of them is read again.
            self._tables.pop(feed.table.entity, None)
            raise

    async def sweep_of(self, entity: Entity) -> Sweep:
        return sweep.sweep_of(await self._table(entity))

    async def fetch_ids(self, entity: Entity) -> AsyncIterator[Sequence[RecordId]]:
        await self._organization.ensure()
        async for ids in sweep.fetch_ids(self._client, await self._table(entity), page_size=self._page_size):
            yield ids

    async def fetch_live_cursor(self, entity: Entity, fields: Sequence[str], since: datetime | None) -> Cursor:
        return await (await self._feed(entity, self._lens(entity, fields).columns)).live_cursor(since)

    async def fetch_span(
        self, entity: Entity, cursor: Cursor | None, fields: Sequence[str], span: Span
    ) -> AsyncIterator[Page]:
        lens = self._lens(entity, fields)
        async for page in (await self._feed(entity, lens.columns)).span_pages(cursor, span):
            yield await lens.page(page)

    async def _feed(self, entity: Entity, columns: Sequence[str]) -> ChangeFeed:
        table = await self._table(entity)
        salt = await self._role_names.digest(await self._table(CONNECTION_ROLE)) if entity == CONNECTION else ""
        return ChangeFeed(self._client, self._clock, table, columns, page_size=self._page_size, salt=salt)

    def _lens(self, entity: Entity, fields: Sequence[str]) -> Lens:
        paths = paths_in(fields)
        facts: dict[str, FindFacts] = {ACCOUNTS: self._find_accounts, ROLE_NAMES: self._find_role_names}
        facts |= self._ends.finders(entity, paths.values())
        return Lens(view_of(entity), fields, facts, {name: path.derived() for name, path in paths.items()})

    async def _find_accounts(self, ids: Sequence[str]) -> Facts:
        """The companies of contacts, by the contacts' ids."""
        found = await self.find_records(CONTACT, ("parentcustomerid",), "@id", ids)
        return {reading.id: reading.values[0] for reading in found}

    async def _find_role_names(self, ids: Sequence[str]) -> Facts:
        return await self._role_names.find(await self._table(CONNECTION_ROLE), ids)

    async def fetch_records(self, entity: Entity, fields: Sequence[str], ids: Sequence[RecordId]) -> Sequence[Reading]:
        lens = self._lens(entity, fields)
        shape = RowShape(await self._table(entity), lens.columns)
        if shape.table.is_intersect:
            return await reader.fetch_pairs(self._client, shape, ids, page_size=self._page_size)
        return await lens.readings(await reader.fetch_records(self._client, shape, ids))

    async def find_records(
        self, entity: Entity, fields: Sequence[str], by: str, values: Sequence[Value]
    ) -> Sequence[Reading]:
        lens = self._lens(entity, fields)
        shape = RowShape(await self._table(entity), lens.columns)
        found = await reader.find_records(self._client, shape, by, values, page_size=self._page_size)
        return [reading for reading in await lens.readings(found) if reading.presence is Presence.PRESENT]

    def batch_size(self, entity: Entity, kind: ActionKind, waiting: int = 0, lookup: str | None = None) -> int:
        return batch_size(kind)

    def settle_s(self, entity: Entity, together: int = 1, kind: ActionKind = ActionKind.UPDATE) -> float:
        return self._settle_s

    async def write(self, entity: Entity, writes: Sequence[Write]) -> Sequence[WriteResult]:
        await self._organization.ensure()
        return await self._writer.write(await self._table(entity), writes)

    async def _table(self, entity: Entity) -> Table:
        """The table that is read for `entity`."""
        name = view_of(entity).table
        async with self._loading[name]:
            if name not in self._tables:
                self._tables[name] = await load_table(self._client, name)
                self._read_at[name] = self._clock.now()
                self._set_names[name] = self._tables[name].set_name
            return self._tables[name]

    async def _recent_table(self, entity: Entity) -> Table:
        """The table as it is now: what is known for long is read again."""
        name = view_of(entity).table
        async with self._loading[name]:
            if self._clock.now() - self._read_at.get(name, _LONG_AGO) > _RECENT:
                self._tables.pop(name, None)
        return await self._table(entity)

    async def _set_name(self, entity: str) -> str:
        async with self._loading[entity]:
            if entity not in self._set_names:
                self._set_names[entity] = await load_set_name(self._client, entity)
            return self._set_names[entity]

    def _count_sign_in(self) -> None:
        self._sign_in_calls += 1
