"""Run by Alembic for every command; the connection always comes from ``indexer.store.migrate``."""

from alembic import context

from indexer.store import schema

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=schema.metadata,
    render_as_batch=True,  # SQLite changes a table by copying it
    on_version_apply=context.config.attributes["on_revision"],
)
with context.begin_transaction():
    context.run_migrations()
