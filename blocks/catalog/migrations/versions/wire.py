"""What lists of images and appliances are searched by, deleted images, keys to downloads and the API, failed logins."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from itertools import islice
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_ROWS = 500
_LABELS = {"raw": "RAW", "qcow2": "QCOW2"}
_SHOWN: dict[str, Any] = {"sqlite_where": sa.text("deleted IS NULL"), "postgresql_where": sa.text("deleted IS NULL")}
_INDICES = {
    "ix_tickets_owner_id": ["owner", "id"],
    "ix_tickets_owner_appliance_id": ["owner", "appliance", "id"],
}


def upgrade() -> None:
    """Each image belongs to the owner of its appliance, or if that is gone to whom it was made for; each has a key.

    An image last changed when it ended. An appliance is as old as its first image, or else as its owner.
    """
    for table, columns in _columns().items():
        for column in columns:
            op.add_column(table, column)
    _make_tables()
    connection = op.get_bind()
    connection.execute(_OWNED)
    connection.execute(_AGED)
    _fill(connection, "tickets", ("tickets", "id", "recipe"), _of_recipe)
    _fill(connection, "appliances", ("appliances", "id", "document"), _of_appliance)
    _fill(connection, "tickets", ("records", "ticket", "document"), _of_record)
    connection.execute(_WITHOUT_FILE)
    for name in ("file", "has_file"):
        op.drop_column("records", name)
    for name, parts in _INDICES.items():
        op.create_index(name, "tickets", parts, **_SHOWN)


def downgrade() -> None:
    """Drop them; deleted images are there again."""
    for name in _INDICES:
        op.drop_index(name, "tickets")
    op.drop_table("failures")
    op.drop_table("api_keys")
    op.add_column("records", sa.Column("has_file", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("records", sa.Column("file", sa.String(length=64), nullable=True))
    op.execute(_WITH_FILE)
    for table, columns in _columns().items():
        for column in columns:
            op.drop_column(table, column.name)


def _columns() -> dict[str, list[sa.Column[Any]]]:
    return {
        "tickets": [
            sa.Column("owner", sa.String(length=100), nullable=False, server_default=""),
            sa.Column("changed", sa.Double(), nullable=False, server_default="0"),
            sa.Column("deleted", sa.Double(), nullable=True),
            sa.Column("cleared", sa.Double(), nullable=True),
            sa.Column("download_key", sa.String(length=100), nullable=False, server_default=""),
            sa.Column("name", sa.String(length=100), nullable=False, server_default=""),
            sa.Column("version", sa.String(length=50), nullable=False, server_default=""),
            sa.Column("revision", sa.BigInteger(), nullable=False, server_default="1"),
            sa.Column("target", sa.String(length=50), nullable=False, server_default=""),
            sa.Column("format", sa.String(length=20), nullable=False, server_default=""),
            sa.Column("compress", sa.Boolean(), nullable=False, server_default=sa.true()),
            sa.Column("simulated", sa.Boolean(), nullable=False, server_default=sa.false()),
            sa.Column("digest", sa.String(length=64), nullable=True),
            sa.Column("file", sa.String(length=64), nullable=True),
            sa.Column("file_name", sa.String(length=255), nullable=True),
            sa.Column("file_size", sa.BigInteger(), nullable=True),
        ],
        "appliances": [
            sa.Column("revision", sa.BigInteger(), nullable=False, server_default="1"),
            sa.Column("architecture", sa.String(length=30), nullable=True),
            sa.Column("distribution", sa.String(length=120), nullable=True),
            sa.Column("created", sa.Double(), nullable=False, server_default="0"),
            sa.Column("changed", sa.Double(), nullable=False, server_default="0"),
        ],
    }


def _make_tables() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("public", sa.String(length=100), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("changed", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["user"], ["users.name"], name="fk_api_keys_user"),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("public", name="uq_api_keys_public"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_api_keys_user", "api_keys", ["user"])
    op.create_table(
        "failures",
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("last", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name="pk_failures"),
    )
    op.create_index("ix_failures_last", "failures", ["last"])


def _fill(
    connection: sa.Connection, filled: str, source: tuple[str, str, str], values: Callable[[Any], dict[str, Any]]
) -> None:
    """Fill columns with what a document says of the row of that number, some at a time, for documents can be long."""
    table, number, document = sa.table(source[0]), sa.column(source[1], sa.Integer), sa.column(source[2], sa.Text)
    target = sa.Table(filled, sa.MetaData(), sa.Column("id", sa.Integer), *_columns()[filled])
    change = sa.update(target).where(target.c.id == sa.bindparam("row"))
    numbers = iter(connection.scalars(sa.select(number).select_from(table)).all())
    while some := list(islice(numbers, _ROWS)):
        rows = connection.execute(sa.select(number, document).select_from(table).where(number.in_(some)))
        connection.execute(change, [{"row": row[0], **values(json.loads(row[1]))} for row in rows])


def _of_recipe(recipe: dict[str, Any]) -> dict[str, Any]:
    told = {name: recipe[name] for name in ("name", "version", "revision", "format", "compress")}
    return told | {"target": _LABELS[recipe["format"]], "download_key": secrets.token_urlsafe()}


def _of_appliance(appliance: dict[str, Any]) -> dict[str, Any]:
    profile = appliance.get("os_profile")
    return {
        "revision": appliance["revision"],
        "architecture": profile["architecture"] if profile else None,
        "distribution": f"{profile['distribution']} {profile['suite']}" if profile else None,
    }


def _of_record(record: dict[str, Any]) -> dict[str, Any]:
    file, stages = record["generation"].get("file") or {}, record["generation"].get("stages") or [{}]
    told = {"file": file.get("sha256"), "file_name": file.get("name"), "file_size": file.get("size")}
    return told | {"digest": stages[-1].get("digest")}


_OWNED = sa.text(
    'UPDATE tickets SET owner = coalesce((SELECT a."user" FROM appliances a WHERE a.id = tickets.appliance), "user"), '
    "changed = coalesce(finished, created)"
)
_AGED = sa.text(
    "UPDATE appliances SET created = coalesce((SELECT min(t.created) FROM tickets t WHERE t.appliance = appliances.id),"
    ' (SELECT u.created FROM users u WHERE u.name = appliances."user")),'
    " changed = coalesce((SELECT min(t.created) FROM tickets t WHERE t.appliance = appliances.id),"
    ' (SELECT u.created FROM users u WHERE u.name = appliances."user"))'
)
_WITHOUT_FILE = sa.text(
    "UPDATE tickets SET file = NULL, file_name = NULL, file_size = NULL"
    " WHERE id IN (SELECT ticket FROM records WHERE NOT has_file)"
)
_WITH_FILE = sa.text(
    "UPDATE records SET file = (SELECT t.file FROM tickets t WHERE t.id = ticket),"
    " has_file = (SELECT t.file IS NOT NULL FROM tickets t WHERE t.id = ticket)"
)
