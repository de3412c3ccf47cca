"""Alembic's entry: runs on the connection and in the transaction that ``tandem.store.schema`` hands over."""

from alembic import context

from tandem.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
