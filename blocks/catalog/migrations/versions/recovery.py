"""Runs that start again, claims on stages that are being built, which ticket built which, and shared checkpoints."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Nothing that was before is changed: no attempt counts as lost, no ticket has names of blocks."""
    op.add_column("tickets", sa.Column("blocks", sa.Text(), nullable=True))
    op.add_column("attempts", sa.Column("run_count", sa.Integer(), nullable=True))
    for name in ("handed_back", "lost"):
        op.add_column("attempts", sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "claims",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("ticket", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["ticket"], ["tickets.id"], name="fk_claims_ticket"),
        sa.PrimaryKeyConstraint("digest", name="pk_claims"),
    )
    op.create_index("ix_claims_ticket", "claims", ["ticket"])
    op.create_table(
        "checkpoints",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("stage", sa.String(length=20), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.String(length=64), nullable=False),
        sa.Column("content_size", sa.BigInteger(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("used", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["sha256"], ["blobs.sha256"], name="fk_checkpoints_sha256"),
        sa.PrimaryKeyConstraint("digest", name="pk_checkpoints"),
    )
    op.create_index("ix_checkpoints_sha256", "checkpoints", ["sha256"])
    op.create_table(
        "builds",
        sa.Column("ticket", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["ticket"], ["tickets.id"], name="fk_builds_ticket"),
        sa.PrimaryKeyConstraint("ticket", "digest", name="pk_builds"),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("builds")
    op.drop_table("checkpoints")
    op.drop_table("claims")
    for name in ("lost", "handed_back", "run_count"):
        op.drop_column("attempts", name)
    op.drop_column("tickets", "blocks")
