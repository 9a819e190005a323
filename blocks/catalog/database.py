"""The database behind the catalog: short transactions, and errors that say what to do.

SQLite is shared by several processes: WAL, a busy timeout, and write transactions that begin as writers
(`BEGIN IMMEDIATE`), for a reader that turns writer would lose updates or fail. On PostgreSQL whoever reads before
writing locks the rows (`FOR UPDATE`, which SQLite does not need), a connection that the server dropped is replaced
before it is used, and nothing waits for ever: neither for the server, nor for a lock, nor for a lost peer.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock
from filelock import Timeout as FileLockTimeout
from sqlalchemy import (
    URL,
    BigInteger,
    ColumnElement,
    Connection,
    Engine,
    Table,
    create_engine,
    event,
    func,
    literal,
    make_url,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from blocks.catalog import faults
from blocks.errors import CatalogUnavailable, InvalidInput

BUSY_SECONDS = 30
IDLE_SECONDS = 5
_ALONE = 0x5EF0464
_IDLE = "idle_in_transaction_session_timeout"
_LONGER = "120s"
_ROWS = 1000
_GREATEST = 2**63 - 1
_SQLITE = {"timeout": BUSY_SECONDS, "isolation_level": None}
_POSTGRESQL = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
    "fallback_application_name": "reforge",
    "options": (
        f"-c lock_timeout={BUSY_SECONDS}s -c statement_timeout=120s"
        # A process that stands still in the middle of a transaction must not hold up the others for as long.
        f" -c {_IDLE}={IDLE_SECONDS}s"
    ),
}
_DRIVERS = ("sqlite", "sqlite+pysqlite", "postgresql", "postgresql+psycopg")
_URLS = "sqlite:////folder/catalog.sqlite or postgresql+psycopg://user:password@host/database"


class Database:
    """An engine with `reading()` and `writing()` transactions."""

    def __init__(self, url: str) -> None:
        self.url = _parsed(url)
        self._reader = _engine(self.url)
        self._writer = self._reader.execution_options(writing=True)

    @property
    def file(self) -> Path | None:
        """The SQLite file, None for any other database."""
        return Path(self.url.database or "") if self.url.get_backend_name() == "sqlite" else None

    @property
    def name(self) -> str:
        """The URL as it may be shown: without its password."""
        return faults.shown(self.url)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads; raises CatalogUnavailable."""
        with self._transaction(self._reader) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that may write, committed at the end, rolled back on any error; raises CatalogUnavailable."""
        with self._transaction(self._writer) as connection:
            yield connection

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Be the only one at what is named so, of all who use this database, and keep nobody from using it.

        Raises CatalogUnavailable if somebody else is at it for too long.
        """
        if self.file is None:
            with self.reading() as connection:
                connection.execute(select(func.set_config(_IDLE, _LONGER, True)))
                connection.execute(select(func.pg_advisory_xact_lock(_ALONE, func.hashtext(name))))
                yield
            return
        try:
            with FileLock(f"{self.file}.alone.lock", timeout=BUSY_SECONDS):
                yield
        except FileLockTimeout:
            raise CatalogUnavailable(f"Another process holds {self.file}.alone.lock", "Try again later") from None

    def close(self) -> None:
        """Close every connection."""
        self._reader.dispose()

    @contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Connection]:
        try:
            with engine.begin() as connection:
                yield connection
        except DBAPIError as error:
            if faults.mistaken(error):
                raise
            raise faults.explained(self.url, error) from None
        except PoolTimeoutError as error:
            raise faults.explained(self.url, error) from None


def insert_missing(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An insert that leaves a row alone that is there already: the first one wins, also at the same time."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing()
    return postgresql.insert(table).on_conflict_do_nothing()


def insert_missing_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
    """Insert, in their order, the rows that aren't there already.

    In statements of many rows: many statements of one row each would be sent as a pipeline, and in the middle of that
    PostgreSQL waits without any limit for a client that stands still, with all that it has locked.
    """
    for start in range(0, len(rows), _ROWS):
        connection.execute(insert_missing(connection, table).values(list(rows[start : start + _ROWS])))


def whole(number: int) -> ColumnElement[int]:
    """A number that any column of numbers can be compared with, also one that is too great for the column."""
    return literal(bounded(number), BigInteger)


def bounded(number: int) -> int:
    """The number, or the nearest one that a database can be asked for: no row has either."""
    return max(-_GREATEST, min(number, _GREATEST))


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise InvalidInput("The catalog's URL can't be read", f"Give an SQLAlchemy URL: {_URLS}") from None
    if parsed.drivername not in _DRIVERS:
        raise InvalidInput(f"The catalog can't be reached by {parsed.drivername}", f"Use one of these: {_URLS}")
    if parsed.get_backend_name() == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise InvalidInput(
            "A catalog in memory can't be shared by processes", "Name a file: sqlite:////folder/catalog.sqlite"
        )
    # A URL without a driver means the one that is installed.
    return parsed.set(drivername="postgresql+psycopg") if parsed.drivername == "postgresql" else parsed


def _engine(url: URL) -> Engine:
    is_sqlite = url.get_backend_name() == "sqlite"
    options = {"connect_args": _SQLITE} if is_sqlite else _options(url)
    engine = create_engine(url, hide_parameters=True, **options)
    if is_sqlite:
        event.listen(engine, "connect", _configure)
        event.listen(engine, "begin", _begin)
    return engine


def _options(url: URL) -> dict[str, Any]:
    """What holds for PostgreSQL unless the URL says otherwise."""
    arguments = {name: value for name, value in _POSTGRESQL.items() if name not in url.query}
    return {"connect_args": arguments, "pool_pre_ping": True, "isolation_level": "READ COMMITTED"}


def _configure(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA journal_mode=WAL").close()
    connection.execute("PRAGMA foreign_keys=ON").close()


def _begin(connection: Connection) -> None:
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
