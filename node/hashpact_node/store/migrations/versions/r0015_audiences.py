"""Audiences: logs with readers of their own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0015"
down_revision = "r0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables, empty."""
    op.create_table(
        "audience",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("log_name", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_audience"),
        sa.UniqueConstraint("log_name", name="uq_audience_log_name"),
    )
    op.create_table(
        "audience_reader",
        sa.Column("audience", sa.Integer(), nullable=False),
        sa.Column("member", sa.String(), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["audience"], ["audience.number"], name="fk_audience_reader_audience"),
        sa.PrimaryKeyConstraint("audience", "member", name="pk_audience_reader"),
    )
    op.create_table(
        "not_for_us",
        sa.Column("log", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("log", name="pk_not_for_us"),
    )


def downgrade() -> None:
    """Refuse: a database only ever moves forward."""
    raise NotImplementedError("restore a backup from before the upgrade instead")
