"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create every table."""
    _owners()
    _tickets()
    _work()
    _traces()
    _blobs()


def downgrade() -> None:
    """Drop every table."""
    for table in (
        "blob_references",
        "blobs",
        "outputs",
        "intents",
        "receipts",
        "records",
        "locks",
        "events",
        "attempts",
        "tickets",
        "appliances",
        "users",
    ):
        op.drop_table(table)


def _owners() -> None:
    op.create_table(
        "users",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("entitlements", sa.Text(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_users"),
    )
    op.create_table(
        "appliances",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("version", sa.String(length=50), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["user"], ["users.name"], name="fk_appliances_user"),
        sa.PrimaryKeyConstraint("id", name="pk_appliances"),
        sa.UniqueConstraint("user", "name", "version", name="uq_appliances_user_name_version"),
        sqlite_autoincrement=True,
    )


def _tickets() -> None:
    op.create_table(
        "tickets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user", sa.String(length=100), nullable=False),
        sa.Column("appliance", sa.Integer(), nullable=False),
        sa.Column("parent", sa.Integer(), nullable=True),
        sa.Column("policy", sa.String(length=20), nullable=False),
        sa.Column("rebuild", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("percent", sa.Integer(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("flow_run", sa.String(length=100), nullable=True),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("finished", sa.Double(), nullable=True),
        sa.Column("key", sa.String(length=200), nullable=True),
        sa.Column("parameters", sa.String(length=64), nullable=False),
        sa.Column("token", sa.String(length=100), nullable=False),
        sa.Column("recipe", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["user"], ["users.name"], name="fk_tickets_user"),
        sa.PrimaryKeyConstraint("id", name="pk_tickets"),
        sa.UniqueConstraint("key", name="uq_tickets_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_tickets_appliance", "tickets", ["appliance"])
    op.create_index("ix_tickets_parent", "tickets", ["parent"])
    op.create_index("ix_tickets_state", "tickets", ["state"])
    op.create_index("ix_tickets_user", "tickets", ["user"])


def _work() -> None:
    op.create_table(
        "attempts",
        sa.Column("ticket", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("home", sa.Text(), nullable=False),
        sa.Column("flow_run", sa.String(length=100), nullable=True),
        sa.Column("in_process", sa.Boolean(), nullable=False),
        sa.Column("begun", sa.Double(), nullable=False),
        sa.Column("expires", sa.Double(), nullable=False),
        sa.Column("ended", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["ticket"], ["tickets.id"], name="fk_attempts_ticket"),
        sa.PrimaryKeyConstraint("ticket", "number", name="pk_attempts"),
    )
    op.create_table(
        "events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ticket", sa.Integer(), nullable=False),
        sa.Column("time", sa.Double(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["ticket"], ["tickets.id"], name="fk_events_ticket"),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_events_ticket", "events", ["ticket"])
    op.create_table(
        "locks",
        sa.Column("ticket", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("lock", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["ticket"], ["tickets.id"], name="fk_locks_ticket"),
        sa.PrimaryKeyConstraint("ticket", name="pk_locks"),
    )
    op.create_table(
        "records",
        sa.Column("ticket", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("has_file", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["ticket"], ["tickets.id"], name="fk_records_ticket"),
        sa.PrimaryKeyConstraint("ticket", name="pk_records"),
    )


def _traces() -> None:
    op.create_table(
        "receipts",
        sa.Column("ticket", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("time", sa.Double(), nullable=False),
        sa.Column("released", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["ticket"], ["tickets.id"], name="fk_receipts_ticket"),
        sa.PrimaryKeyConstraint("ticket", name="pk_receipts"),
    )
    op.create_table(
        "intents",
        sa.Column("key", sa.String(length=400), nullable=False),
        sa.Column("kind", sa.String(length=50), nullable=False),
        sa.Column("ticket", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("opened", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["ticket"], ["tickets.id"], name="fk_intents_ticket"),
        sa.PrimaryKeyConstraint("key", name="pk_intents"),
    )
    op.create_index("ix_intents_ticket", "intents", ["ticket"])
    op.create_table(
        "outputs",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("stage", sa.String(length=20), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("ticket", sa.Integer(), nullable=False),
        sa.Column("recorded", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["ticket"], ["tickets.id"], name="fk_outputs_ticket"),
        sa.PrimaryKeyConstraint("digest", name="pk_outputs"),
    )
    op.create_index("ix_outputs_stage_recorded", "outputs", ["stage", "recorded"])


def _blobs() -> None:
    op.create_table(
        "blobs",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("doomed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_blobs"),
    )
    op.create_table(
        "blob_references",
        sa.Column("ticket", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["sha256"], ["blobs.sha256"], name="fk_blob_references_sha256"),
        sa.ForeignKeyConstraint(["ticket"], ["tickets.id"], name="fk_blob_references_ticket"),
        sa.PrimaryKeyConstraint("ticket", "sha256", name="pk_blob_references"),
    )
    op.create_index("ix_blob_references_sha256", "blob_references", ["sha256"])
