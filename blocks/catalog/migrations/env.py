"""Alembic's entry: migrates over the connection that `upgrade.run` hands in."""

from __future__ import annotations

from alembic import context

from blocks.catalog.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
