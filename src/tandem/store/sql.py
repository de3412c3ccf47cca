"""The store on a database: each method is one transaction, which checks the lease's fence before it writes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, and_, or_, select
from sqlalchemy.exc import IntegrityError, OperationalError

from tandem.core.backfill import Backfill
from tandem.core.errors import LeaseLostError, StoreError
from tandem.core.plan import Action, Plan
from tandem.core.record import (
    ChangeRecord,
    Cursor,
    Entity,
    Lane,
    Link,
    LinkNumber,
    ReadNumber,
    RecordId,
    RecordKey,
    Side,
    State,
    Value,
)
from tandem.core.requests import Ask, Request
from tandem.core.settled import Settled
from tandem.ports import (
    BacklogRow,
    Claim,
    ConflictRow,
    EntityStatus,
    HoldRow,
    JournalRow,
    Lease,
    MatchGroup,
    MatchRow,
    Outcome,
    RunSummary,
    SyncedRow,
)
from tandem.store import (
    backfills,
    backlog,
    claims,
    feeds,
    history,
    holds,
    journal,
    leases,
    matches,
    plans,
    reports,
    requests,
    scope,
    settlements,
)
from tandem.store import links as link_queries
from tandem.store.outcomes import record
from tandem.store.tables import leases as leases_table
from tandem.store.tables import settings, syncs
from tandem.store.transaction import Insert, Shapes, Transaction


class SqlStore:
    """The state of one sync in a database that is at this version's schema (``open_store`` sees to it)."""

    def __init__(self, engine: Engine, insert: Insert, sync_name: str) -> None:
        self._engine = engine
        self._writer = engine.execution_options(writes=True)
        self._insert = insert
        self._shapes = Shapes()
        self._fence: int | None = None
        with _store_errors():
            self._sync = self._ensure_sync(sync_name)

    def close(self) -> None:
        self._engine.dispose()

    def _ensure_sync(self, name: str) -> int:
        with self._writer.begin() as connection:
            row = {"name": name, "read_number": 0}
            connection.execute(self._insert(syncs).on_conflict_do_nothing(), row)
            sync = int(connection.execute(select(syncs.c.id).where(syncs.c.name == name)).scalar_one())
            connection.execute(self._insert(leases_table).on_conflict_do_nothing(), {"sync_id": sync, "fence": 0})
            return sync

    @contextmanager
    def _reading(self) -> Iterator[Transaction]:
        with _store_errors(), self._engine.begin() as connection:
            yield Transaction(connection, self._sync, self._shapes, self._insert)

    @contextmanager
    def _writing(self) -> Iterator[Transaction]:
        with _store_errors(), self._writer.begin() as connection:
            tx = Transaction(connection, self._sync, self._shapes, self._insert)
            if self._fence is not None:
                leases.check_fence(tx, self._fence)
            yield tx

    # lease

    def acquire_lease(self, holder: str, ttl_s: float, now: datetime) -> Lease | None:
        with _store_errors(), self._writer.begin() as connection:
            tx = Transaction(connection, self._sync, self._shapes, self._insert)
            lease = leases.acquire(tx, holder, ttl_s, now)
        if lease is not None:
            self._fence = lease.fence
        return lease

    def renew_lease(self, ttl_s: float, now: datetime) -> Lease:
        if self._fence is None:
            raise LeaseLostError("There is no lease to renew: acquire one first.")
        with self._writing() as tx:
            return leases.renew(tx, ttl_s, now)

    def release_lease(self) -> None:
        if self._fence is not None:
            with _store_errors(), self._writer.begin() as connection:
                tx = Transaction(connection, self._sync, self._shapes, self._insert)
                leases.release(tx, self._fence)

    def load_lease(self) -> Lease | None:
        with self._reading() as tx:
            return leases.load(tx)

    # settings and shapes

    def load_setting(self, name: str) -> str | None:
        with self._reading() as tx:
            is_it = and_(settings.c.sync_id == tx.sync, settings.c.name == name)
            return tx.connection.execute(select(settings.c.value).where(is_it)).scalar_one_or_none()

    def save_setting(self, name: str, value: str) -> None:
        with self._writing() as tx:
            statement = self._insert(settings).values(sync_id=tx.sync, name=name, value=value)
            key = [settings.c.sync_id, settings.c.name]
            tx.connection.execute(statement.on_conflict_do_update(index_elements=key, set_={"value": value}))

    def use_mappings(
        self, pairs: Mapping[Entity, Sequence[str]], fields: Mapping[tuple[Side, Entity], Sequence[str]]
    ) -> None:
        with self._writing() as tx:
            pair_shapes = {entity: tx.ensure_shape(tuple(names)) for entity, names in pairs.items()}
            field_shapes = {feed: tx.ensure_shape(tuple(names)) for feed, names in fields.items()}
        self._shapes.pairs |= pair_shapes
        self._shapes.fields |= field_shapes

    # extract

    def next_read_number(self) -> ReadNumber:
        with self._writing() as tx:
            return tx.next_read_number()

    def load_cursor(self, side: Side, entity: Entity) -> Cursor | None:
        with self._reading() as tx:
            return feeds.load_cursor(tx, side, entity)[0]

    def load_watermark(self, side: Side, entity: Entity) -> datetime | None:
        with self._reading() as tx:
            return feeds.load_cursor(tx, side, entity)[1]

    def known_guids(self, guids: Iterable[str]) -> set[str]:
        with self._reading() as tx:
            return feeds.known_guids(tx, guids)

    def save_page(
        self,
        side: Side,
        entity: Entity,
        states: Sequence[State],
        records: Sequence[ChangeRecord],
        cursor: Cursor | None,
        *,
        complete_until: datetime | None,
        search: Mapping[RecordId, tuple[str | None, str | None]],
        lane: Lane = Lane.NORMAL,
    ) -> int:
        with self._writing() as tx:
            known_until = feeds.load_cursor(tx, side, entity)[1]
            saved = feeds.save_states(tx, states, search, lane, known_until)
            feeds.save_records(tx, records)
            feeds.save_cursor(tx, side, entity, cursor, complete_until)
            feeds.note_ids(tx, [state.key for state in states])
            return saved

    def load_known_until(self, keys: Iterable[RecordKey]) -> Mapping[RecordKey, datetime]:
        with self._reading() as tx:
            return scope.load_known_until(tx, keys)

    def count_inbox(self, side: Side, entity: Entity) -> int:
        with self._reading() as tx:
            return scope.count_inbox(tx, side, entity)

    def wake_inbox(self) -> None:
        with self._writing() as tx:
            scope.wake_inbox(tx)

    def count_made(self, side: Side, entity: Entity, after: int) -> int:
        with self._reading() as tx:
            return scope.count_made(tx, side, entity, after)

    def last_journal_number(self) -> int:
        with self._reading() as tx:
            return scope.last_journal_number(tx)

    def find_awaited(self, keys: Iterable[RecordKey]) -> set[RecordKey]:
        with self._reading() as tx:
            return scope.find_awaited(tx, keys)

    def settle_conflict(self, number: int, side: Side, now: datetime) -> bool:
        with self._writing() as tx:
            return settlements.settle(tx, number, side, now)

    def load_settled(self, since: datetime) -> Mapping[LinkNumber, Sequence[Settled]]:
        with self._reading() as tx:
            return settlements.load(tx, since)

    def load_paused(self, limit: int) -> Sequence[HoldRow]:
        with self._reading() as tx:
            return scope.load_paused(tx, limit)

    def count_paused(self) -> int:
        with self._reading() as tx:
            return scope.count_paused(tx)

    def reset_cursor(self, side: Side, entity: Entity) -> None:
        with self._writing() as tx:
            feeds.reset_cursor(tx, side, entity)

    def save_backfill(self, backfill: Backfill) -> int:
        with self._writing() as tx:
            return backfills.save(tx, backfill)

    def load_backfills(self, limit: int, *, only_open: bool = False) -> Sequence[Backfill]:
        with self._reading() as tx:
            return backfills.load(tx, limit, only_open=only_open)

    def count_waiting(self, side: Side, entity: Entity, lane: Lane) -> int:
        with self._reading() as tx:
            return feeds.count_waiting(tx, side, entity, lane)

    def find_unseen(self, side: Side, entity: Entity, since: ReadNumber) -> Sequence[RecordId]:
        with self._reading() as tx:
            return link_queries.find_unseen(tx, side, entity, since)

    def drop_records_before(self, at: datetime) -> None:
        with self._writing() as tx:
            feeds.drop_records_before(tx, at)

    # claim

    def claim(
        self,
        marketing_entity: Entity,
        crm_entities: Sequence[Entity],
        limit: int,
        now: datetime,
        *,
        slowest: Lane = Lane.SLOW,
    ) -> Sequence[Claim]:
        with self._reading() as tx:
            return claims.collect(_SqlWork(tx), marketing_entity, crm_entities, limit, now, slowest)

    def find_links(self, side: Side, entity: Entity, ids: Iterable[RecordId]) -> Mapping[RecordId, Link]:
        with self._reading() as tx:
            return link_queries.find_links(tx, side, entity, ids)

    def find_inbox(
        self, entity: Entity, by: str, values: Iterable[str], side: Side = Side.MARKETING
    ) -> Sequence[State]:
        with self._reading() as tx:
            return feeds.find_inbox(tx, entity, by, values, side)

    def find_losers(self, survivors: Iterable[RecordKey]) -> Sequence[State]:
        with self._reading() as tx:
            return feeds.find_losers(tx, survivors)

    def load_links(self, numbers: Iterable[LinkNumber]) -> Mapping[LinkNumber, Link]:
        with self._reading() as tx:
            return link_queries.load_links(tx, numbers)

    # plan and apply

    def commit_plan(self, plan: Plan, run_id: str, now: datetime) -> Sequence[JournalRow]:
        with self._writing() as tx:
            return plans.commit(tx, plan, run_id, now)

    def mark_sent(self, numbers: Sequence[int], now: datetime) -> None:
        with self._writing() as tx:
            journal.mark_sent(tx, numbers, now)

    def record_outcomes(self, outcomes: Sequence[Outcome], now: datetime) -> None:
        with self._writing() as tx:
            record(tx, outcomes, now)

    def load_open_rows(self) -> Sequence[JournalRow]:
        with self._reading() as tx:
            return journal.load_open(tx)

    def load_done_actions(self, links: Iterable[LinkNumber], since: datetime) -> Mapping[LinkNumber, Sequence[Action]]:
        with self._reading() as tx:
            return journal.load_done_actions(tx, links, since)

    def load_records(self, keys: Iterable[RecordKey], since: datetime) -> Sequence[ChangeRecord]:
        with self._reading() as tx:
            return feeds.load_records(tx, keys, since)

    def make_due(self, links: Iterable[LinkNumber], *, lane: Lane = Lane.NORMAL) -> None:
        with self._writing() as tx:
            link_queries.make_due(tx, links, lane)

    # requests from outside

    def take_request(self, ask: Ask, now: datetime) -> Request:
        with _store_errors(), self._writer.begin() as connection:
            return requests.take(Transaction(connection, self._sync, self._shapes, self._insert), ask, now)

    def save_request(self, request: Request) -> None:
        with self._writing() as tx:
            requests.save(tx, request)

    def load_open_requests(self) -> Sequence[Request]:
        with self._reading() as tx:
            return requests.load_open(tx)

    def load_requests(self, limit: int) -> Sequence[Request]:
        with self._reading() as tx:
            return requests.load(tx, limit)

    def drop_requests_before(self, at: datetime) -> None:
        with self._writing() as tx:
            requests.drop_before(tx, at)

    def drop_history_before(self, at: datetime) -> None:
        with self._writing() as tx:
            history.drop_before(tx, at)

    def count_linked(self, marketing_entities: Sequence[Entity]) -> int:
        with self._reading() as tx:
            return link_queries.count_linked(tx, marketing_entities)

    # matches that wait for a person

    def load_decisions(self, numbers: Iterable[LinkNumber]) -> Mapping[LinkNumber, str]:
        with self._reading() as tx:
            return matches.load_decisions(tx, numbers)

    def decide_matches(self, decisions: Mapping[LinkNumber, str | None], now: datetime) -> None:
        with self._writing() as tx:
            matches.decide(tx, decisions, now)

    def load_matches(
        self,
        limit: int,
        *,
        cause: str | None = None,
        size: int | None = None,
        only_open: bool = False,
        after: LinkNumber | None = None,
    ) -> Sequence[MatchRow]:
        with self._reading() as tx:
            return matches.load_matches(tx, limit, cause=cause, size=size, only_open=only_open, after=after)

    def count_matches(self) -> Sequence[MatchGroup]:
        with self._reading() as tx:
            return matches.count_matches(tx)

    def forget_base(self, pairs: Mapping[LinkNumber, Sequence[str]]) -> None:
        with self._writing() as tx:
            link_queries.forget_base(tx, pairs)

    # runs and what people see

    def save_run(self, run: RunSummary) -> None:
        with self._writing() as tx:
            reports.save_run(tx, run)

    def load_runs(self, limit: int) -> Sequence[RunSummary]:
        with self._reading() as tx:
            return reports.load_runs(tx, limit)

    def load_status(self) -> Sequence[EntityStatus]:
        with self._reading() as tx:
            return reports.load_status(tx, self._shapes.pairs)

    def load_conflicts(self, limit: int, *, only_open: bool = False) -> Sequence[ConflictRow]:
        with self._reading() as tx:
            return reports.load_conflicts(tx, limit, only_open=only_open)

    def load_holds(self, limit: int) -> Sequence[HoldRow]:
        with self._reading() as tx:
            return reports.load_holds(tx, limit)

    def load_rejected(self, limit: int) -> Sequence[JournalRow]:
        with self._reading() as tx:
            return journal.load_rejected(tx, limit)

    def retry_rejected(self, links: Iterable[LinkNumber]) -> int:
        with self._writing() as tx:
            again = holds.forget_rejections(tx, links)
            link_queries.make_due(tx, again)
            return len(again)

    def load_backlog(self) -> Sequence[BacklogRow]:
        with self._reading() as tx:
            return backlog.load_backlog(tx)

    def load_synced(self, since: datetime, until: datetime) -> Sequence[SyncedRow]:
        with self._reading() as tx:
            return backlog.load_synced(tx, since, until)

    def iter_links(self, crm_entity: Entity) -> Iterable[Link]:
        """A page a transaction: a link that changes meanwhile may come in its old or its new state."""
        after = LinkNumber(0)
        while page := self._load_page(crm_entity, after):
            yield from page
            after = page[-1].number

    def _load_page(self, crm_entity: Entity, after: LinkNumber) -> Sequence[Link]:
        with self._reading() as tx:
            return link_queries.load_page(tx, crm_entity, after)

    def highest_marketing_id(self, entity: Entity) -> int:
        with self._reading() as tx:
            return feeds.highest_id(tx, entity)


@dataclass(frozen=True, slots=True)
class _SqlWork:
    """A claim's look-ups, all in one transaction."""

    tx: Transaction

    def find_lanes(self, marketing_entity: Entity, crm_entities: Sequence[Entity]) -> Sequence[Lane]:
        """One query for all lanes."""
        waits = [
            or_(
                feeds.has_rows(self.tx, Side.CRM, crm_entities, lane),
                feeds.has_rows(self.tx, Side.MARKETING, [marketing_entity], lane),
                link_queries.has_due(self.tx, crm_entities, lane),
            )
            for lane in Lane
        ]
        row = self.tx.connection.execute(select(*(there.label(f"lane_{place}") for place, there in enumerate(waits))))
        return [lane for lane, is_waiting in zip(Lane, row.one(), strict=True) if is_waiting]

    def load_waiting(self, side: Side, entity: Entity, lane: Lane, limit: int, now: datetime) -> Sequence[State]:
        return feeds.load_waiting(self.tx, side, entity, lane, limit, now)

    def load_due(self, crm_entities: Sequence[Entity], lane: Lane, limit: int) -> Sequence[Link]:
        return link_queries.load_due(self.tx, crm_entities, lane, limit)

    def load_states(self, keys: Iterable[RecordKey]) -> Mapping[RecordKey, State]:
        return feeds.load_states(self.tx, keys)

    def find_links(self, side: Side, entity: Entity, ids: Iterable[RecordId]) -> Mapping[RecordId, Link]:
        return link_queries.find_links(self.tx, side, entity, ids)

    def load_unconfirmed(self, numbers: Sequence[LinkNumber]) -> Mapping[LinkNumber, Sequence[JournalRow]]:
        return journal.load_unconfirmed(self.tx, numbers)

    def load_rejected_values(self, numbers: Sequence[LinkNumber]) -> Mapping[LinkNumber, Mapping[str, Value]]:
        return holds.load_rejected_values(self.tx, numbers)

    def load_records(self, keys: Iterable[RecordKey], since: datetime) -> Sequence[ChangeRecord]:
        return feeds.load_records(self.tx, keys, since)


@contextmanager
def _store_errors() -> Iterator[None]:
    """The database's errors as ours. Its own text is shown only where it tells of the database and not of a row."""
    try:
        yield
    except IntegrityError as error:
        if "uq_links_live" not in str(error.orig) and "links." not in str(error.orig):
            raise StoreError("The state store refused a write that breaks a rule of its schema.") from error
        raise StoreError("A record would be part of two links; nothing of this was stored.") from error
    except OperationalError as error:
        raise StoreError(f"The state store does not answer as it should: {error.orig}") from error
