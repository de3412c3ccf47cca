"""The schema, once for both databases. Every table carries its sync's id, so that one database can hold many syncs.

Links have an integer key; their ends are found through unique indexes over *live* links (tombstones stay, and may share
an id with a later link). Moments are microseconds since 1970, so that they sort and compare alike everywhere. A change
here needs a migration beside it: a test compares the two.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    literal_column,
)

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Moment(TypeDecorator[datetime]):
    """An aware time, exact to the microsecond."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else (value - EPOCH) // MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else EPOCH + value * MICROSECOND


# SQLite numbers rows by itself only in a column of exactly this type.
Number = BigInteger().with_variant(Integer, "sqlite")


def sync_column(**options: Any) -> Column[int]:
    return Column("sync_id", Integer, ForeignKey("syncs.id"), nullable=False, **options)


def link_column(**options: Any) -> Column[int]:
    return Column("link", Number, ForeignKey("links.number"), nullable=False, **options)


def text(name: str, **options: Any) -> Column[str]:
    return Column(name, Text, **({"nullable": False} | options))


def lane_column(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default="1")


syncs = Table(
    "syncs",
    metadata,
    Column("id", Integer, primary_key=True),
    text("name", unique=True),
    Column("read_number", BigInteger, nullable=False),
)

# The fence only ever grows; an ended lease keeps its row, with an expiry in the past.
leases = Table(
    "leases",
    metadata,
    sync_column(primary_key=True),
    text("holder", nullable=True),
    Column("fence", BigInteger, nullable=False),
    Column("expires_at", Moment),
)

settings = Table("settings", metadata, sync_column(primary_key=True), text("name", primary_key=True), text("value"))

# A shape is a list of names: the places of encoded values. `digest` makes it findable, `names` is JSON.
shapes = Table(
    "shapes",
    metadata,
    Column("id", Integer, primary_key=True),
    sync_column(),
    text("digest"),
    text("names"),
    UniqueConstraint("sync_id", "digest"),
)

cursors = Table(
    "cursors",
    metadata,
    sync_column(primary_key=True),
    text("side", primary_key=True),
    text("entity", primary_key=True),
    text("cursor", nullable=True),
    Column("complete_until", Moment),
    Column("highest_id", BigInteger, nullable=False),
)

# `number` is the order of arrival in the row's `lane`; `first_read` the number of the reading that brought it first.
inbox = Table(
    "inbox",
    metadata,
    Column("number", Number, primary_key=True),
    sync_column(),
    text("side"),
    text("entity"),
    text("record_id"),
    Column("read_number", BigInteger, nullable=False),
    text("version", nullable=True),
    Column("shape_id", Integer, ForeignKey("shapes.id")),
    Column("values", LargeBinary, nullable=False),
    text("presence"),
    text("merged_into", nullable=True),
    text("crm_key", nullable=True),
    text("dedupe_key", nullable=True),
    Column("not_before", Moment),
    lane_column("lane"),
    Column("first_read", BigInteger, nullable=False, server_default="0"),
    Column("known_until", Moment),
    UniqueConstraint("sync_id", "side", "entity", "record_id"),
)
Index("ix_inbox_arrival", inbox.c.sync_id, inbox.c.side, inbox.c.entity, inbox.c.lane, inbox.c.number)
for _key in (inbox.c.crm_key, inbox.c.dedupe_key, inbox.c.merged_into):
    _is_set = _key.is_not(None)
    Index(f"ix_inbox_{_key.name}", inbox.c.sync_id, _key, sqlite_where=_is_set, postgresql_where=_is_set)

change_records = Table(
    "change_records",
    metadata,
    sync_column(primary_key=True),
    text("guid", primary_key=True),
    text("side"),
    text("entity"),
    text("record_id"),
    Column("at", Moment, nullable=False),
    text("field", nullable=True),
    text("old", nullable=True),
    text("new", nullable=True),
    text("source", nullable=True),
    Index(None, "sync_id", "side", "entity", "record_id", "at"),
    Index(None, "sync_id", "at"),
)

# `due_number` is a read number: the order in which links became due, in their `due_lane`; none while a link is not due.
links = Table(
    "links",
    metadata,
    Column("number", Number, primary_key=True),
    sync_column(),
    text("crm_entity"),
    text("crm_id", nullable=True),
    text("marketing_entity", nullable=True),
    text("marketing_id", nullable=True),
    text("status"),
    Column("shape_id", Integer, ForeignKey("shapes.id"), nullable=False),
    Column("base", LargeBinary, nullable=False),
    text("crm_version", nullable=True),
    Column("crm_written", BigInteger, nullable=False),
    Column("marketing_written", BigInteger, nullable=False),
    Column("due_number", BigInteger),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    lane_column("due_lane"),
)
# The literal is part of the indexes' condition: with a bound parameter in its place no query could use them.
IS_TOMBSTONE: Final = links.c.status == literal_column("'tombstone'")
IS_NOT_TOMBSTONE: Final = links.c.status != literal_column("'tombstone'")
IS_DUE: Final = links.c.due_number.is_not(None)
for _entity, _id in ((links.c.crm_entity, links.c.crm_id), (links.c.marketing_entity, links.c.marketing_id)):
    Index(
        f"uq_links_live_{_id.name}",
        links.c.sync_id,
        _entity,
        _id,
        unique=True,
        sqlite_where=IS_NOT_TOMBSTONE,
        postgresql_where=IS_NOT_TOMBSTONE,
    )
    Index(
        f"ix_links_tombstone_{_id.name}",
        links.c.sync_id,
        _entity,
        _id,
        sqlite_where=IS_TOMBSTONE,
        postgresql_where=IS_TOMBSTONE,
    )
_due = (links.c.sync_id, links.c.due_lane, links.c.due_number)
Index("ix_links_due", *_due, sqlite_where=IS_DUE, postgresql_where=IS_DUE)

aliases = Table(
    "aliases",
    metadata,
    sync_column(primary_key=True),
    text("side", primary_key=True),
    text("entity", primary_key=True),
    text("record_id", primary_key=True),
    link_column(index=True),
)

waits = Table(
    "waits",
    metadata,
    link_column(primary_key=True),
    text("side", primary_key=True),
    text("entity", primary_key=True),
    text("record_id", primary_key=True),
    sync_column(),
    Index(None, "sync_id", "side", "entity", "record_id"),
)

# What a link shows of a crm record: one of its pairs by name, or its place in marketing (an empty name).
follows = Table(
    "follows",
    metadata,
    link_column(primary_key=True),
    text("entity", primary_key=True),
    text("record_id", primary_key=True),
    text("pair", primary_key=True),
    sync_column(),
    Index(None, "sync_id", "entity", "record_id"),
)

# A record whose counterpart a person has to choose, or has chosen: `candidates` is JSON, `decision` the choice.
matches = Table(
    "matches",
    metadata,
    link_column(primary_key=True),
    sync_column(),
    text("cause"),
    Column("size", Integer, nullable=False),
    text("candidates"),
    Column("since", Moment, nullable=False),
    text("decision", nullable=True),
    Column("decided_at", Moment),
    Index(None, "sync_id", "cause", "size", "link"),
)

# A row is open until `finished_at` is set; a finished marketing write is unconfirmed until `confirmed_at` is.
journal = Table(
    "journal",
    metadata,
    Column("number", Number, primary_key=True),
    sync_column(),
    link_column(),
    text("run_id"),
    text("crm_entity"),
    text("side"),
    text("entity"),
    text("kind"),
    text("record_id", nullable=True),
    text("version", nullable=True),
    text("lookup", nullable=True),
    text("survivor", nullable=True),
    Column("writes", LargeBinary, nullable=False),
    text("state"),
    text("error", nullable=True),
    Column("created_at", Moment, nullable=False),
    Column("sent_at", Moment),
    Column("finished_at", Moment),
    Column("confirmed_at", Moment),
    Index(None, "sync_id", "link"),
)
IS_OPEN: Final = journal.c.finished_at.is_(None)
IS_DONE: Final = journal.c.state == literal_column("'done'")
Index("ix_journal_finished", journal.c.sync_id, journal.c.finished_at)
IS_UNCONFIRMED: Final = IS_DONE & journal.c.confirmed_at.is_(None)
Index("ix_journal_open", journal.c.sync_id, journal.c.link, sqlite_where=IS_OPEN, postgresql_where=IS_OPEN)
Index(
    "ix_journal_unconfirmed",
    journal.c.sync_id,
    journal.c.link,
    sqlite_where=IS_UNCONFIRMED,
    postgresql_where=IS_UNCONFIRMED,
)

# `rejected` and `journal` are set where the hold came of a rejection.
holds = Table(
    "holds",
    metadata,
    Column("number", Number, primary_key=True),
    sync_column(),
    link_column(),
    text("field", nullable=True),
    text("reason"),
    Column("since", Moment, nullable=False),
    Column("rejected", LargeBinary),
    Column("journal", Number, ForeignKey("journal.number")),
    Index(None, "sync_id", "link"),
)

conflicts = Table(
    "conflicts",
    metadata,
    Column("number", Number, primary_key=True),
    sync_column(),
    link_column(),
    text("run_id"),
    Column("at", Moment, nullable=False),
    text("kind"),
    text("field"),
    Column("values", LargeBinary, nullable=False),
    text("winner"),
    text("reason"),
    Column("is_open", Boolean, nullable=False),
    text("settled", nullable=True),
    Column("settled_at", Moment),
    Index(None, "sync_id", "link"),
)
IS_SETTLED: Final = conflicts.c.settled.is_not(None)
Index("ix_conflicts_settled", conflicts.c.sync_id, sqlite_where=IS_SETTLED, postgresql_where=IS_SETTLED)

# `pairs` and `span` are JSON.
backfills = Table(
    "backfills",
    metadata,
    Column("number", Number, primary_key=True),
    sync_column(),
    text("side"),
    text("entity"),
    text("reason"),
    Column("asked_at", Moment, nullable=False),
    text("pairs"),
    text("giver", nullable=True),
    text("span", nullable=True),
    Column("began", BigInteger),
    text("cursor", nullable=True),
    Column("read_count", BigInteger, nullable=False),
    Column("expected", BigInteger),
    Column("is_read", Boolean, nullable=False),
    Column("finished_at", Moment),
    Index(None, "sync_id", "finished_at"),
)

runs = Table(
    "runs",
    metadata,
    sync_column(primary_key=True),
    text("run_id", primary_key=True),
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment),
    text("counts"),
    text("error", nullable=True),
    Index(None, "sync_id", "started_at"),
)

# What somebody asked for at once; `before` and `after` are what its deed found and left.
requests = Table(
    "requests",
    metadata,
    Column("number", Number, primary_key=True),
    sync_column(),
    text("key"),
    text("deed"),
    text("person"),
    text("arguments"),
    text("origin"),
    Column("asked_at", Moment, nullable=False),
    text("state"),
    Column("sent_at", Moment),
    Column("finished_at", Moment),
    text("said", nullable=True),
    text("before", nullable=True),
    text("after", nullable=True),
    Index(None, "sync_id", "key"),
)
IS_REQUEST_OPEN: Final = requests.c.finished_at.is_(None)
Index("ix_requests_open", requests.c.sync_id, sqlite_where=IS_REQUEST_OPEN, postgresql_where=IS_REQUEST_OPEN)
