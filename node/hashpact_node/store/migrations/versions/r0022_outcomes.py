"""How often something matched, and what became of it, counted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0022"
down_revision = "r0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of counts, empty."""
    op.create_table(
        "match_count",
        sa.Column("day", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("surface", sa.String(), nullable=False),
        sa.Column("lookups", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "action", "type", "surface", name="pk_match_count"),
    )
    op.create_table(
        "outcome",
        sa.Column("day", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("matched", sa.BigInteger(), nullable=False),
        sa.Column("removed", sa.BigInteger(), nullable=False),
        sa.Column("appealed", sa.BigInteger(), nullable=False),
        sa.Column("reinstated", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "key", "source", name="pk_outcome"),
    )
    op.create_index("ix_outcome_key", "outcome", ["key"])


def downgrade() -> None:
    """Refuse: a database only ever moves forward."""
    raise NotImplementedError("restore a backup from before the upgrade instead")
