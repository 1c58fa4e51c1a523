"""Drafts that somebody else approves, who said yes to what waits, and how much had its place lately."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0014"
down_revision = "r0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables, empty; what waits already was approved by nobody, and its kinds are not known."""
    op.add_column("queue", sa.Column("confirmed_at", sa.BigInteger(), nullable=True))
    op.add_column("queue", sa.Column("draft", sa.Integer(), nullable=True))
    op.add_column("queue", sa.Column("kind", sa.SmallInteger(), nullable=True))
    op.create_table(
        "draft",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("proposed_at", sa.BigInteger(), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("listings", sa.BigInteger(), nullable=False),
        sa.Column("withdrawals", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("log", sa.Integer(), nullable=True),
        sa.Column("erase", sa.Boolean(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("log_name", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("proposer_kind", sa.String(), nullable=False),
        sa.Column("proposer_name", sa.String(), nullable=False),
        sa.Column("decider_kind", sa.String(), nullable=True),
        sa.Column("decider_name", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("listing", sa.String(), nullable=True),
        sa.Column("source", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("number", name="pk_draft"),
        sa.UniqueConstraint("id", name="uq_draft_id"),
    )
    op.create_index("ix_draft_state_number", "draft", ["state", "number"])
    op.create_table(
        "draft_entry",
        sa.Column("draft", sa.Integer(), nullable=False),
        sa.Column("place", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("log_name", sa.String(), nullable=False),
        sa.Column("entry", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["draft"], ["draft.number"], name="fk_draft_entry_draft"),
        sa.PrimaryKeyConstraint("draft", "place", name="pk_draft_entry"),
    )
    op.create_table(
        "placed_count",
        sa.Column("log", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("minute", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("listings", sa.BigInteger(), nullable=False),
        sa.Column("withdrawals", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("log", "minute", name="pk_placed_count"),
    )


def downgrade() -> None:
    """Refuse: a database only ever moves forward."""
    raise NotImplementedError("restore a backup from before the upgrade instead")
