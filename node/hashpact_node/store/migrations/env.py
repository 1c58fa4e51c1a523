"""What Alembic runs: the revisions, on the connection and in the transaction that ``migrate`` opened."""

from __future__ import annotations

from alembic import context

from hashpact_node.store import (  # noqa: F401  # theirs belong, too
    tables_audiences,
    tables_audit,
    tables_backups,
    tables_blobs,
    tables_decisions,
    tables_directory,
    tables_drafts,
    tables_evidence,
    tables_holds,
    tables_incidents,
    tables_judging,
    tables_keys,
    tables_opinions,
    tables_outcomes,
    tables_requests,
    tables_rotation,
    tables_shown,
    tables_succession,
    tables_tokens,
    tables_webhooks,
    tables_witnesses,
)
from hashpact_node.store.tables import Table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
)
context.run_migrations()
