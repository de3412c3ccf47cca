"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

IS_TOMBSTONE = sa.text("status = 'tombstone'")
IS_NOT_TOMBSTONE = sa.text("status != 'tombstone'")
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "syncs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("read_number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_syncs"),
        sa.UniqueConstraint("name", name="uq_syncs_name"),
    )
    op.create_table(
        "change_records",
        sa.Column("sync_id", sa.Integer(), nullable=False),
        sa.Column("guid", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("field", sa.Text(), nullable=True),
        sa.Column("old", sa.Text(), nullable=True),
        sa.Column("new", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["sync_id"], ["syncs.id"], name="fk_change_records_sync_id"),
        sa.PrimaryKeyConstraint("sync_id", "guid", name="pk_change_records"),
    )
    op.create_index("ix_change_records_sync_id_at", "change_records", ["sync_id", "at"])
    op.create_index(
        "ix_change_records_sync_id_side_entity_record_id_at",
        "change_records",
        ["sync_id", "side", "entity", "record_id", "at"],
    )
    op.create_table(
        "cursors",
        sa.Column("sync_id", sa.Integer(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("complete_until", sa.BigInteger(), nullable=True),
        sa.Column("highest_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["sync_id"], ["syncs.id"], name="fk_cursors_sync_id"),
        sa.PrimaryKeyConstraint("sync_id", "side", "entity", name="pk_cursors"),
    )
    op.create_table(
        "leases",
        sa.Column("sync_id", sa.Integer(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["sync_id"], ["syncs.id"], name="fk_leases_sync_id"),
        sa.PrimaryKeyConstraint("sync_id", name="pk_leases"),
    )
    op.create_table(
        "runs",
        sa.Column("sync_id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["sync_id"], ["syncs.id"], name="fk_runs_sync_id"),
        sa.PrimaryKeyConstraint("sync_id", "run_id", name="pk_runs"),
    )
    op.create_index("ix_runs_sync_id_started_at", "runs", ["sync_id", "started_at"])
    op.create_table(
        "settings",
        sa.Column("sync_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["sync_id"], ["syncs.id"], name="fk_settings_sync_id"),
        sa.PrimaryKeyConstraint("sync_id", "name", name="pk_settings"),
    )
    op.create_table(
        "shapes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sync_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("names", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["sync_id"], ["syncs.id"], name="fk_shapes_sync_id"),
        sa.PrimaryKeyConstraint("id", name="pk_shapes"),
        sa.UniqueConstraint("sync_id", "digest", name="uq_shapes_sync_id_digest"),
    )
    op.create_table(
        "inbox",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("sync_id", sa.Integer(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("read_number", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Text(), nullable=True),
        sa.Column("shape_id", sa.Integer(), nullable=True),
        sa.Column("values", sa.LargeBinary(), nullable=False),
        sa.Column("presence", sa.Text(), nullable=False),
        sa.Column("merged_into", sa.Text(), nullable=True),
        sa.Column("crm_key", sa.Text(), nullable=True),
        sa.Column("dedupe_key", sa.Text(), nullable=True),
        sa.Column("not_before", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["shape_id"], ["shapes.id"], name="fk_inbox_shape_id"),
        sa.ForeignKeyConstraint(["sync_id"], ["syncs.id"], name="fk_inbox_sync_id"),
        sa.PrimaryKeyConstraint("number", name="pk_inbox"),
        sa.UniqueConstraint("sync_id", "side", "entity", "record_id", name="uq_inbox_sync_id_side_entity_record_id"),
    )
    op.create_index("ix_inbox_arrival", "inbox", ["sync_id", "side", "entity", "number"])
    op.create_index(
        "ix_inbox_crm_key",
        "inbox",
        ["sync_id", "crm_key"],
        sqlite_where=sa.text("crm_key IS NOT NULL"),
        postgresql_where=sa.text("crm_key IS NOT NULL"),
    )
    op.create_index(
        "ix_inbox_dedupe_key",
        "inbox",
        ["sync_id", "dedupe_key"],
        sqlite_where=sa.text("dedupe_key IS NOT NULL"),
        postgresql_where=sa.text("dedupe_key IS NOT NULL"),
    )
    op.create_table(
        "links",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("sync_id", sa.Integer(), nullable=False),
        sa.Column("crm_entity", sa.Text(), nullable=False),
        sa.Column("crm_id", sa.Text(), nullable=True),
        sa.Column("marketing_entity", sa.Text(), nullable=True),
        sa.Column("marketing_id", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("shape_id", sa.Integer(), nullable=False),
        sa.Column("base", sa.LargeBinary(), nullable=False),
        sa.Column("crm_version", sa.Text(), nullable=True),
        sa.Column("crm_written", sa.BigInteger(), nullable=False),
        sa.Column("marketing_written", sa.BigInteger(), nullable=False),
        sa.Column("due_number", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["shape_id"], ["shapes.id"], name="fk_links_shape_id"),
        sa.ForeignKeyConstraint(["sync_id"], ["syncs.id"], name="fk_links_sync_id"),
        sa.PrimaryKeyConstraint("number", name="pk_links"),
    )
    op.create_index(
        "ix_links_due",
        "links",
        ["sync_id", "due_number"],
        sqlite_where=sa.text("due_number IS NOT NULL"),
        postgresql_where=sa.text("due_number IS NOT NULL"),
    )
    op.create_index(
        "ix_links_tombstone_crm_id",
        "links",
        ["sync_id", "crm_entity", "crm_id"],
        sqlite_where=IS_TOMBSTONE,
        postgresql_where=IS_TOMBSTONE,
    )
    op.create_index(
        "ix_links_tombstone_marketing_id",
        "links",
        ["sync_id", "marketing_entity", "marketing_id"],
        sqlite_where=IS_TOMBSTONE,
        postgresql_where=IS_TOMBSTONE,
    )
    op.create_index(
        "uq_links_live_crm_id",
        "links",
        ["sync_id", "crm_entity", "crm_id"],
        unique=True,
        sqlite_where=IS_NOT_TOMBSTONE,
        postgresql_where=IS_NOT_TOMBSTONE,
    )
    op.create_index(
        "uq_links_live_marketing_id",
        "links",
        ["sync_id", "marketing_entity", "marketing_id"],
        unique=True,
        sqlite_where=IS_NOT_TOMBSTONE,
        postgresql_where=IS_NOT_TOMBSTONE,
    )
    op.create_table(
        "aliases",
        sa.Column("sync_id", sa.Integer(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("link", NUMBER, nullable=False),
        sa.ForeignKeyConstraint(["link"], ["links.number"], name="fk_aliases_link"),
        sa.ForeignKeyConstraint(["sync_id"], ["syncs.id"], name="fk_aliases_sync_id"),
        sa.PrimaryKeyConstraint("sync_id", "side", "entity", "record_id", name="pk_aliases"),
    )
    op.create_index("ix_aliases_link", "aliases", ["link"])
    op.create_table(
        "conflicts",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("sync_id", sa.Integer(), nullable=False),
        sa.Column("link", NUMBER, nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("values", sa.LargeBinary(), nullable=False),
        sa.Column("winner", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["link"], ["links.number"], name="fk_conflicts_link"),
        sa.ForeignKeyConstraint(["sync_id"], ["syncs.id"], name="fk_conflicts_sync_id"),
        sa.PrimaryKeyConstraint("number", name="pk_conflicts"),
    )
    op.create_index("ix_conflicts_sync_id_link", "conflicts", ["sync_id", "link"])
    op.create_table(
        "journal",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("sync_id", sa.Integer(), nullable=False),
        sa.Column("link", NUMBER, nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("crm_entity", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=True),
        sa.Column("version", sa.Text(), nullable=True),
        sa.Column("lookup", sa.Text(), nullable=True),
        sa.Column("writes", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("confirmed_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["link"], ["links.number"], name="fk_journal_link"),
        sa.ForeignKeyConstraint(["sync_id"], ["syncs.id"], name="fk_journal_sync_id"),
        sa.PrimaryKeyConstraint("number", name="pk_journal"),
    )
    op.create_index(
        "ix_journal_open",
        "journal",
        ["sync_id", "link"],
        sqlite_where=sa.text("finished_at IS NULL"),
        postgresql_where=sa.text("finished_at IS NULL"),
    )
    op.create_index("ix_journal_sync_id_link", "journal", ["sync_id", "link"])
    op.create_index(
        "ix_journal_unconfirmed",
        "journal",
        ["sync_id", "link"],
        sqlite_where=sa.text("state = 'done' AND confirmed_at IS NULL"),
        postgresql_where=sa.text("state = 'done' AND confirmed_at IS NULL"),
    )
    op.create_table(
        "waits",
        sa.Column("link", NUMBER, nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("sync_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["link"], ["links.number"], name="fk_waits_link"),
        sa.ForeignKeyConstraint(["sync_id"], ["syncs.id"], name="fk_waits_sync_id"),
        sa.PrimaryKeyConstraint("link", "side", "entity", "record_id", name="pk_waits"),
    )
    op.create_index("ix_waits_sync_id_side_entity_record_id", "waits", ["sync_id", "side", "entity", "record_id"])
    op.create_table(
        "holds",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("sync_id", sa.Integer(), nullable=False),
        sa.Column("link", NUMBER, nullable=False),
        sa.Column("field", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("rejected", sa.LargeBinary(), nullable=True),
        sa.Column("journal", NUMBER, nullable=True),
        sa.ForeignKeyConstraint(["journal"], ["journal.number"], name="fk_holds_journal"),
        sa.ForeignKeyConstraint(["link"], ["links.number"], name="fk_holds_link"),
        sa.ForeignKeyConstraint(["sync_id"], ["syncs.id"], name="fk_holds_sync_id"),
        sa.PrimaryKeyConstraint("number", name="pk_holds"),
    )
    op.create_index("ix_holds_sync_id_link", "holds", ["sync_id", "link"])


def downgrade() -> None:
    op.drop_table("holds")
    op.drop_table("waits")
    op.drop_table("journal")
    op.drop_table("conflicts")
    op.drop_table("aliases")
    op.drop_table("links")
    op.drop_table("inbox")
    op.drop_table("shapes")
    op.drop_table("settings")
    op.drop_table("runs")
    op.drop_table("leases")
    op.drop_table("cursors")
    op.drop_table("change_records")
    op.drop_table("syncs")
