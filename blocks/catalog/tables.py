"""The catalog's tables. A change here needs a revision in `migrations/versions` and a new `REVISION`."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from blocks.catalog.clock import Moment

REVISION = "0005"

METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

_SHOWN = text("deleted IS NULL")

ORGANIZATIONS = Table(
    "organizations",
    METADATA,
    Column("name", String(100), primary_key=True),
    Column("created", Moment, nullable=False),
)

USERS = Table(
    "users",
    METADATA,
    Column("name", String(100), primary_key=True),
    Column("password_hash", Text),
    Column("active", Boolean, nullable=False),
    Column("entitlements", Text, nullable=False),
    Column("created", Moment, nullable=False),
    Column("organization", String(100), nullable=False),
    Column("roles", Text, nullable=False),
)

QUOTAS = Table(
    "quotas",
    METADATA,
    Column("user", ForeignKey("users.name"), primary_key=True),
    Column("kind", String(20), primary_key=True),
    Column("limit", BigInteger, nullable=False),
    Column("frequency", String(20), nullable=False),
)

APPLIANCES = Table(
    "appliances",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("user", ForeignKey("users.name"), nullable=False),
    Column("name", String(100), nullable=False),
    Column("version", String(50), nullable=False),
    Column("document", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("architecture", String(30)),
    Column("distribution", String(120)),
    Column("created", Moment, nullable=False),
    Column("changed", Moment, nullable=False),
    UniqueConstraint("user", "name", "version"),
    sqlite_autoincrement=True,
)

TICKETS = Table(
    "tickets",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("user", ForeignKey("users.name"), nullable=False),
    Column("appliance", Integer, nullable=False),
    Column("parent", Integer),
    Column("policy", String(20), nullable=False),
    Column("rebuild", Boolean, nullable=False),
    Column("state", String(20), nullable=False),
    Column("percent", Integer, nullable=False, default=0),
    Column("stage", Text, nullable=False, default=""),
    Column("message", Text, nullable=False, default=""),
    Column("error", Text, nullable=False, default=""),
    Column("attempt", Integer, nullable=False, default=0),
    Column("flow_run", String(100)),
    Column("created", Moment, nullable=False),
    Column("finished", Moment),
    Column("key", String(200), unique=True),
    Column("parameters", String(64), nullable=False),
    Column("token", String(100), nullable=False),
    Column("plan", String(16)),
    Column("recipe", Text, nullable=False),
    Column("blocks", Text),
    Column("owner", String(100), nullable=False),
    Column("changed", Moment, nullable=False),
    Column("deleted", Moment),
    Column("cleared", Moment),
    Column("download_key", String(100), nullable=False),
    Column("name", String(100), nullable=False),
    Column("version", String(50), nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("target", String(50), nullable=False),
    Column("format", String(20), nullable=False),
    Column("compress", Boolean, nullable=False),
    Column("simulated", Boolean, nullable=False),
    Column("digest", String(64)),
    Column("file", String(64)),
    Column("file_name", String(255)),
    Column("file_size", BigInteger),
    Index(None, "user"),
    Index(None, "owner", "id", sqlite_where=_SHOWN, postgresql_where=_SHOWN),
    Index(None, "owner", "appliance", "id", sqlite_where=_SHOWN, postgresql_where=_SHOWN),
    Index(None, "appliance"),
    Index(None, "parent"),
    Index(None, "state"),
    sqlite_autoincrement=True,
)

ATTEMPTS = Table(
    "attempts",
    METADATA,
    Column("ticket", ForeignKey("tickets.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("home", Text, nullable=False),
    Column("flow_run", String(100)),
    Column("in_process", Boolean, nullable=False),
    Column("begun", Moment, nullable=False),
    Column("expires", Moment, nullable=False),
    Column("ended", Moment),
    Column("run_count", Integer),
    Column("handed_back", Boolean, nullable=False, default=False),
    Column("lost", Boolean, nullable=False, default=False),
)

CLAIMS = Table(
    "claims",
    METADATA,
    Column("digest", String(64), primary_key=True),
    Column("ticket", ForeignKey("tickets.id"), nullable=False),
    Column("attempt", Integer, nullable=False),
    Index(None, "ticket"),
)

EVENTS = Table(
    "events",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("ticket", ForeignKey("tickets.id"), nullable=False),
    Column("time", Moment, nullable=False),
    Column("state", String(20), nullable=False),
    Column("reason", Text, nullable=False),
    Index(None, "ticket"),
    sqlite_autoincrement=True,
)

LOCKS = Table(
    "locks",
    METADATA,
    Column("ticket", ForeignKey("tickets.id"), primary_key=True, autoincrement=False),
    Column("lock", Text, nullable=False),
    Column("evidence", Text, nullable=False),
)

RECORDS = Table(
    "records",
    METADATA,
    Column("ticket", ForeignKey("tickets.id"), primary_key=True, autoincrement=False),
    Column("document", Text, nullable=False),
)

GENERATIONS = Table(
    "generations",
    METADATA,
    Column("ticket", Integer, primary_key=True, autoincrement=False),
    Column("user", ForeignKey("users.name"), nullable=False),
    Column("finished", Moment, nullable=False),
    Index(None, "user", "finished"),
)

RECEIPTS = Table(
    "receipts",
    METADATA,
    Column("ticket", ForeignKey("tickets.id"), primary_key=True, autoincrement=False),
    Column("time", Moment, nullable=False),
    Column("released", Text, nullable=False),
)

BLOBS = Table(
    "blobs",
    METADATA,
    Column("sha256", String(64), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("doomed", Boolean, nullable=False, default=False),
)

BLOB_REFERENCES = Table(
    "blob_references",
    METADATA,
    Column("ticket", ForeignKey("tickets.id"), primary_key=True),
    Column("sha256", ForeignKey("blobs.sha256"), primary_key=True),
    Index(None, "sha256"),
)

CHECKPOINTS = Table(
    "checkpoints",
    METADATA,
    Column("digest", String(64), primary_key=True),
    Column("stage", String(20), nullable=False),
    Column("sha256", ForeignKey("blobs.sha256"), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("content", String(64), nullable=False),
    Column("content_size", BigInteger, nullable=False),
    Column("facts", Text, nullable=False),
    Column("used", Moment, nullable=False),
    Index(None, "sha256"),
)

OUTPUTS = Table(
    "outputs",
    METADATA,
    Column("digest", String(64), primary_key=True),
    Column("stage", String(20), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("ticket", ForeignKey("tickets.id"), nullable=False),
    Column("recorded", Moment, nullable=False),
    Index(None, "stage", "recorded"),
)

BUILDS = Table(
    "builds",
    METADATA,
    Column("ticket", ForeignKey("tickets.id"), primary_key=True),
    Column("digest", String(64), primary_key=True),
)

INTENTS = Table(
    "intents",
    METADATA,
    Column("key", String(400), primary_key=True),
    Column("kind", String(50), nullable=False),
    Column("ticket", ForeignKey("tickets.id"), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("opened", Moment, nullable=False),
    Index(None, "ticket"),
)

API_KEYS = Table(
    "api_keys",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("user", ForeignKey("users.name"), nullable=False),
    Column("name", String(100), nullable=False),
    Column("description", Text, nullable=False),
    Column("public", String(100), nullable=False, unique=True),
    Column("secret", Text, nullable=False),
    Column("created", Moment, nullable=False),
    Column("changed", Moment, nullable=False),
    Index(None, "user"),
    sqlite_autoincrement=True,
)

FAILURES = Table(
    "failures",
    METADATA,
    Column("subject", String(64), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("last", Moment, nullable=False),
    Index(None, "last"),
)
