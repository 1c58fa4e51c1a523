"""What Alembic runs: the revisions, on the connection and in the transaction that ``migrate`` opened."""

from __future__ import annotations

from alembic import context

from hashpact_node.store import tables_blobs, tables_succession  # noqa: F401  # their tables belong to the metadata
from hashpact_node.store.tables import Table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
)
context.run_migrations()
