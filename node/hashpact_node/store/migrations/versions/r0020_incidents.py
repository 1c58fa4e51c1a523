"""Incidents: what members say of them, and when listings that belong to them arrived."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0020"
down_revision = "r0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables, empty; a rebuild fills them from what was merged before."""
    op.create_table(
        "incident_step",
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("place", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=True),
        sa.Column("log", sa.Integer(), nullable=False),
        sa.Column("incident", sa.LargeBinary(), nullable=False),
        sa.Column("said", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["sequence"], ["sequence.number"], name="fk_incident_step_sequence"),
        sa.PrimaryKeyConstraint("sequence", "place", name="pk_incident_step"),
    )
    op.create_index("ix_incident_step_incident", "incident_step", ["incident"])
    op.create_table(
        "incident_arrival",
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("listing", sa.LargeBinary(), nullable=False),
        sa.Column("said_at", sa.BigInteger(), nullable=False),
        sa.Column("merged_at", sa.BigInteger(), nullable=True),
        sa.Column("incident", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["sequence"], ["sequence.number"], name="fk_incident_arrival_sequence"),
        sa.PrimaryKeyConstraint("sequence", "listing", name="pk_incident_arrival"),
    )
    op.create_index("ix_incident_arrival_incident", "incident_arrival", ["incident"])


def downgrade() -> None:
    """Refuse: a database only ever moves forward."""
    raise NotImplementedError("restore a backup from before the upgrade instead")
