"""Organisations, roles, quotas, and what counts against them."""

from __future__ import annotations

import json
import time

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Every user belongs to the organisation `default`; what was made before counts."""
    organizations = op.create_table(
        "organizations",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_organizations"),
    )
    op.bulk_insert(organizations, [{"name": "default", "created": time.time()}])
    op.add_column("users", sa.Column("organization", sa.String(length=100), nullable=False, server_default="default"))
    op.add_column("users", sa.Column("roles", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("records", sa.Column("file", sa.String(length=64), nullable=True))
    op.create_table(
        "quotas",
        sa.Column("user", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("limit", sa.BigInteger(), nullable=False),
        sa.Column("frequency", sa.String(length=20), nullable=False),
        sa.ForeignKeyConstraint(["user"], ["users.name"], name="fk_quotas_user"),
        sa.PrimaryKeyConstraint("user", "kind", name="pk_quotas"),
    )
    op.create_table(
        "generations",
        sa.Column("ticket", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("user", sa.String(length=100), nullable=False),
        sa.Column("finished", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["user"], ["users.name"], name="fk_generations_user"),
        sa.PrimaryKeyConstraint("ticket", name="pk_generations"),
    )
    op.create_index("ix_generations_user_finished", "generations", ["user", "finished"])
    _count(op.get_bind())


def downgrade() -> None:
    """Drop them."""
    op.drop_table("generations")
    op.drop_table("quotas")
    op.drop_column("records", "file")
    op.drop_column("users", "roles")
    op.drop_column("users", "organization")
    op.drop_table("organizations")


def _count(connection: sa.Connection) -> None:
    """Note the file of each record, and each generation that succeeded; an imported record had no attempt here."""
    for number in connection.scalars(sa.text("SELECT ticket FROM records ORDER BY ticket")).all():
        row = connection.execute(_RECORD, {"ticket": number}).one()
        generation = json.loads(row.document)["generation"]
        if row.has_file and generation.get("file"):
            connection.execute(_FILE, {"ticket": number, "file": generation["file"]["sha256"]})
        if row.attempts and generation.get("outcome") != "unchanged":
            connection.execute(_GENERATION, {"ticket": number})


_RECORD = sa.text(
    "SELECT document, has_file, (SELECT count(*) FROM attempts WHERE attempts.ticket = records.ticket) AS attempts "
    "FROM records WHERE ticket = :ticket"
)
_FILE = sa.text("UPDATE records SET file = :file WHERE ticket = :ticket")
_GENERATION = sa.text(
    'INSERT INTO generations (ticket, "user", finished) SELECT id, "user", finished FROM tickets WHERE id = :ticket'
)
