"""Lanes, requests from outside, matches that wait for a person, fields that are filled up or set aside."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

IS_DUE = sa.text("due_number IS NOT NULL")


def upgrade() -> None:
    op.add_column("inbox", sa.Column("lane", sa.Integer(), nullable=False, server_default="1"))
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
