"""The database: its settings on every connection, and errors that can be read."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text

from blocks.catalog import Catalog
from blocks.catalog.clock import Now
from blocks.catalog.database import Database
from blocks.errors import CatalogUnavailable, InvalidInput
from blocks.model import Ticket


@pytest.fixture
def sqlite_database(tmp_path: Path) -> Database:
    """A database on a SQLite file."""
    return Database(f"sqlite:///{tmp_path}/catalog.sqlite")


@pytest.mark.parametrize(("pragma", "value"), [("journal_mode", "wal"), ("busy_timeout", 30_000), ("foreign_keys", 1)])
def test_sqlite_connections_are_configured(sqlite_database: Database, pragma: str, value: object) -> None:
    """Every SQLite connection uses WAL, waits 30 s for others and checks foreign keys."""
    with sqlite_database.reading() as connection:
        assert connection.scalar(text(f"PRAGMA {pragma}")) == value
    sqlite_database.close()


def test_a_write_transaction_begins_as_a_writer(sqlite_database: Database) -> None:
    """From its first moment a write transaction keeps other writers out, before it has read anything."""
    with sqlite_database.writing():
        other = sqlite3.connect(str(sqlite_database.file), timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()
    sqlite_database.close()


def test_a_read_transaction_keeps_nobody_out(sqlite_database: Database) -> None:
    """Reading goes on beside a writer."""
    with sqlite_database.reading() as reader:
        reader.execute(text("SELECT * FROM sqlite_master")).all()
        with sqlite_database.writing() as writer:
            writer.execute(text("CREATE TABLE beside (id INTEGER)"))
    sqlite_database.close()


def test_an_error_rolls_everything_back(catalog: Catalog, ticket: Ticket) -> None:
    """A write transaction that fails leaves no trace."""
    with pytest.raises(ZeroDivisionError):
        _write_and_fail(catalog)
    assert catalog.tickets.get(ticket.id).percent == 0


def _write_and_fail(catalog: Catalog) -> float:
    with catalog.database.writing() as connection:
        return 1 / (connection.execute(text("UPDATE tickets SET percent = 50")).rowcount - 1)


def test_an_unreachable_database_is_told_with_a_hint(tmp_path: Path) -> None:
    """A folder in the place of the file can't be opened, and the error says where and what to do."""
    database = Database(f"sqlite:///{tmp_path}")
    with pytest.raises(CatalogUnavailable, match="can't be used") as refusal, database.reading():
        pass
    assert str(tmp_path) in refusal.value.what
    assert refusal.value.hint
    assert refusal.value.transient


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    """Another kind of file is refused, and stays as it is."""
    file = tmp_path / "catalog.sqlite"
    file.write_text("a letter to a friend, long enough not to be taken for an empty database" * 20)
    with pytest.raises(CatalogUnavailable, match="not a database"):
        Catalog.prepare(f"sqlite:///{file}")
    assert file.read_text().startswith("a letter")


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "postgresql://alice:secret@host:port/name",
        "mysql://alice:secret@host/name",
        "postgresql+asyncpg://alice:secret@host/name",
        "sqlite://",
        "sqlite:///:memory:",
    ],
)
def test_a_url_that_cannot_be_used_is_refused(url: str) -> None:
    """A malformed or unshareable URL is refused without showing its password."""
    with pytest.raises(InvalidInput) as refusal:
        Database(url)
    assert refusal.value.hint
    assert "secret" not in str(refusal.value)


def test_the_shown_url_hides_the_password() -> None:
    """What errors show of a URL has no password in it, wherever in it one stands."""
    database = Database("postgresql://alice:secret@host/catalog?password=secret")
    assert database.name == "postgresql+psycopg://alice:***@host/catalog"
    database.close()


def test_the_clock_is_the_database_s_and_finer_than_a_second(catalog: Catalog) -> None:
    """The database's time is near ours and has a fraction of a second."""
    with catalog.database.reading() as connection:
        moments = [connection.scalars(select(Now())).one() for _ in range(20)]
    assert abs(datetime.now(UTC) - datetime.fromtimestamp(moments[-1], UTC)) < timedelta(seconds=60)
    assert any(moment % 1 for moment in moments)


def test_times_are_aware_and_in_utc(ticket: Ticket) -> None:
    """A time that comes out of the catalog says that it is UTC."""
    assert ticket.created.tzinfo is UTC
    assert abs(datetime.now(UTC) - ticket.created) < timedelta(seconds=60)
