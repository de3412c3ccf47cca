"""Lanes, requests from outside, matches that wait for a person, fields that are filled up or set aside."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
IS_DUE = sa.text("due_number IS NOT NULL")


def upgrade() -> None:
    op.add_column("inbox", sa.Column("lane", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("inbox", sa.Column("first_read", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("inbox", sa.Column("known_until", sa.BigInteger(), nullable=True))
    op.add_column("conflicts", sa.Column("settled", sa.Text(), nullable=True))
    op.add_column("conflicts", sa.Column("settled_at", sa.BigInteger(), nullable=True))
    is_settled = sa.text("settled IS NOT NULL")
    op.create_index(
        "ix_conflicts_settled", "conflicts", ["sync_id"], sqlite_where=is_settled, postgresql_where=is_settled
    )
    op.create_index("ix_journal_finished", "journal", ["sync_id", "finished_at"])
    op.drop_index("ix_inbox_arrival", "inbox")
    op.create_index("ix_inbox_arrival", "inbox", ["sync_id", "side", "entity", "lane", "number"])
    op.add_column("links", sa.Column("due_lane", sa.Integer(), nullable=False, server_default="1"))
    op.drop_index("ix_links_due", "links")
    op.create_index(
        "ix_links_due",
        "links",
        ["sync_id", "due_lane", "due_number"],
        sqlite_where=IS_DUE,
        postgresql_where=IS_DUE,
    )
    op.create_table(
        "backfills",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("sync_id", sa.Integer(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("pairs", sa.Text(), nullable=False),
        sa.Column("giver", sa.Text(), nullable=True),
        sa.Column("span", sa.Text(), nullable=True),
        sa.Column("began", sa.BigInteger(), nullable=True),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("read_count", sa.BigInteger(), nullable=False),
        sa.Column("expected", sa.BigInteger(), nullable=True),
        sa.Column("is_read", sa.Boolean(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["sync_id"], ["syncs.id"], name="fk_backfills_sync_id"),
        sa.PrimaryKeyConstraint("number", name="pk_backfills"),
    )
    op.create_index("ix_backfills_sync_id_finished_at", "backfills", ["sync_id", "finished_at"])
    op.create_table(
        "requests",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("sync_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("deed", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("arguments", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("said", sa.Text(), nullable=True),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("after", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["sync_id"], ["syncs.id"], name="fk_requests_sync_id"),
        sa.PrimaryKeyConstraint("number", name="pk_requests"),
    )
    op.create_index("ix_requests_sync_id_key", "requests", ["sync_id", "key"])
    is_open = sa.text("finished_at IS NULL")
    op.create_index("ix_requests_open", "requests", ["sync_id"], sqlite_where=is_open, postgresql_where=is_open)
    op.create_table(
        "follows",
        sa.Column("link", NUMBER, nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("pair", sa.Text(), nullable=False),
        sa.Column("sync_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["link"], ["links.number"], name="fk_follows_link"),
        sa.ForeignKeyConstraint(["sync_id"], ["syncs.id"], name="fk_follows_sync_id"),
        sa.PrimaryKeyConstraint("link", "entity", "record_id", "pair", name="pk_follows"),
    )
    op.create_index("ix_follows_sync_id_entity_record_id", "follows", ["sync_id", "entity", "record_id"])
    op.add_column("journal", sa.Column("survivor", sa.Text(), nullable=True))
    is_merged = sa.text("merged_into IS NOT NULL")
    op.create_index(
        "ix_inbox_merged_into",
        "inbox",
        ["sync_id", "merged_into"],
        sqlite_where=is_merged,
        postgresql_where=is_merged,
    )
    op.create_table(
        "matches",
        sa.Column("link", NUMBER, nullable=False),
        sa.Column("sync_id", sa.Integer(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("candidates", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["link"], ["links.number"], name="fk_matches_link"),
        sa.ForeignKeyConstraint(["sync_id"], ["syncs.id"], name="fk_matches_sync_id"),
        sa.PrimaryKeyConstraint("link", name="pk_matches"),
    )
    op.create_index("ix_matches_sync_id_cause_size_link", "matches", ["sync_id", "cause", "size", "link"])
