"""The schema's revision: compared at every start, moved forward under a lock when someone asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock
from sqlalchemy import Connection, func, inspect, select, text

from blocks.catalog.database import Database
from blocks.catalog.tables import REVISION
from blocks.errors import CatalogUnavailable

_ADVISORY_LOCK = 0x5EF0463
_LIMITS = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")


def check(database: Database) -> None:
    """Raise CatalogUnavailable, with what to do, unless the schema is the one this program knows."""
    found = _revision(database)
    if found is None:
        raise CatalogUnavailable(
            f"The catalog {database.name} is not prepared",
            "Run any `reforge` command or `reforge up` once to prepare it",
        )
    if found != REVISION:
        raise CatalogUnavailable(
            f"The catalog {database.name} has schema {found}, this program needs {REVISION}",
            "Use one version of Reforge everywhere and let its command line prepare the catalog",
        )


def prepare(database: Database) -> None:
    """Create or migrate the schema unless it is current; several processes may do so at the same time."""
    if database.file is not None:
        _make_folder(database.file.parent)
    if _revision(database) != REVISION:
        _migrate(database)
    check(database)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CatalogUnavailable(
            f"The catalog's folder {folder} can't be made: {error.strerror}", "Choose another home folder"
        ) from error


def _migrate(database: Database) -> None:
    from blocks.catalog.migrations import upgrade  # noqa: PLC0415 - Alembic is heavy and seldom needed

    with _locked(database), database.writing() as connection:
        if connection.dialect.name == "postgresql":
            for name in _LIMITS:  # whoever migrates takes as long as it takes
                connection.execute(select(func.set_config(name, "0", True)))
            connection.execute(select(func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
        if _stored(connection) in (None, *upgrade.known()):
            upgrade.run(connection)


@contextmanager
def _locked(database: Database) -> Iterator[None]:
    if database.file is None:
        yield
        return
    with FileLock(f"{database.file}.lock"):
        database.file.touch(mode=0o600)  # password hashes, and records as confidential as their images
        yield


def _revision(database: Database) -> str | None:
    if database.file is not None and not database.file.exists():
        return None
    with database.reading() as connection:
        return _stored(connection)


def _stored(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return None if found is None else str(found)
