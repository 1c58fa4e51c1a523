"""Opinions of members, disputes of own listings, and how long corrections took."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0018"
down_revision = "r0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables, all empty: no opinion was merged before."""
    op.create_table(
        "opinion",
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("member", sa.String(), nullable=False),
        sa.Column("log_name", sa.String(), nullable=False),
        sa.Column("listing", sa.LargeBinary(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("about_position", sa.BigInteger(), nullable=True),
        sa.Column("log", sa.Integer(), nullable=False),
        sa.Column("about_log", sa.Integer(), nullable=True),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", "member", "log_name", "listing", name="pk_opinion"),
    )
    op.create_index("ix_opinion_member_log_name_listing", "opinion", ["member", "log_name", "listing"])
    op.create_index("ix_opinion_about_log_about_position", "opinion", ["about_log", "about_position"])
    op.create_table(
        "dispute",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("log", sa.Integer(), nullable=False),
        sa.Column("member", sa.String(), nullable=False),
        sa.Column("log_name", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("answer", sa.String(), nullable=True),
        sa.Column("answered_by", sa.String(), nullable=True),
        sa.Column("note", sa.String(), nullable=True),
        sa.Column("listing", sa.LargeBinary(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_dispute"),
    )
    op.create_index("ix_dispute_log_name_listing", "dispute", ["log_name", "listing"])
    op.create_table(
        "correction_delay",
        sa.Column("peer", sa.Integer(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("total_seconds", sa.BigInteger(), nullable=False),
        sa.Column("longest_seconds", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("within_minute", sa.Integer(), nullable=False),
        sa.Column("within_hour", sa.Integer(), nullable=False),
        sa.Column("within_day", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("peer", "day", name="pk_correction_delay"),
    )


def downgrade() -> None:
    """Refuse: a database only ever moves forward."""
    raise NotImplementedError("restore a backup from before the upgrade instead")
