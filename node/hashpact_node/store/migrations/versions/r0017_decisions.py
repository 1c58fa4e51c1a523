"""Decisions of this company about signals and listings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0017"
down_revision = "r0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of decisions, all empty."""
    op.create_table(
        "decision",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("about_position", sa.BigInteger(), nullable=True),
        sa.Column("about_log", sa.Integer(), nullable=True),
        sa.Column("near", sa.Integer(), nullable=True),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=True),
        sa.Column("member", sa.String(), nullable=True),
        sa.Column("log_name", sa.String(), nullable=True),
        sa.Column("ended_by", sa.String(), nullable=True),
        sa.Column("ended_why", sa.String(), nullable=True),
        sa.Column("listing", sa.LargeBinary(), nullable=True),
        sa.Column("key", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("number", name="pk_decision"),
    )
    op.create_index("ix_decision_ended_at", "decision", ["ended_at"])
    op.create_index("ix_decision_about_log_about_position", "decision", ["about_log", "about_position"])
    op.create_table(
        "decision_signal",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("decision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["decision"], ["decision.number"], name="fk_decision_signal_decision"),
        sa.PrimaryKeyConstraint("key", "decision", name="pk_decision_signal"),
    )


def downgrade() -> None:
    """Refuse: a database only ever moves forward."""
    raise NotImplementedError("restore a backup from before the upgrade instead")
