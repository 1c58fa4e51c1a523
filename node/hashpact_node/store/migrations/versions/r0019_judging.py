"""The policy in force, and which rule gave a signal its action."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0019"
down_revision = "r0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of judging, empty: the default policy holds, and 0 stands for what it says of a signal."""
    op.add_column("signal", sa.Column("rule", sa.SmallInteger(), nullable=False, server_default="0"))
    op.create_table(
        "policy",
        sa.Column("number", sa.SmallInteger(), nullable=False, autoincrement=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("judged_at", sa.BigInteger(), nullable=False),
        sa.Column("swept", sa.BigInteger(), nullable=True),
        sa.Column("sweep_to", sa.BigInteger(), nullable=True),
        sa.Column("text", sa.String(), nullable=True),
        sa.Column("incidents", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_policy"),
    )
    op.create_table(
        "rule",
        sa.Column("number", sa.SmallInteger(), nullable=False, autoincrement=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_rule"),
        sa.UniqueConstraint("name", name="uq_rule_name"),
    )


def downgrade() -> None:
    """Refuse: a database only ever moves forward."""
    raise NotImplementedError("restore a backup from before the upgrade instead")
