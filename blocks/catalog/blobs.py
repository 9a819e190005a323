"""References of records and shared checkpoints to blobs in the store.

Taking a reference and deleting a blob exclude each other: whoever drops the last reference dooms the blob in
the same transaction, and a doomed blob can't be taken until the store has removed it and it is forgotten here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from sqlalchemy import ColumnElement, Connection, Row, delete, exists, or_, select, update

from blocks.catalog.database import Database, insert_missing_rows
from blocks.catalog.leases import Lease, fenced
from blocks.catalog.states import row as ticket_row
from blocks.catalog.tables import BLOB_REFERENCES, BLOBS, CHECKPOINTS
from blocks.errors import Contradiction

_TRIES = 3


class Blobs:
    """Which blobs are needed, and by which records."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, ticket: int, blobs: Mapping[str, int], lease: Lease | None = None) -> tuple[str, ...]:
        """Reference blobs (sha256 to size in bytes) for a ticket's record; taking twice is fine.

        Returns those that are doomed and were therefore not taken: once they are forgotten, take and upload
        them again. Raises NotFound for the ticket, Contradiction for a size other than the known one, and for
        an attempt that takes them by its lease Stopped.
        """
        with self._database.writing() as connection:
            if lease is None:
                ticket_row(connection, ticket)
            else:
                fenced(connection, lease)
            doomed = note(connection, blobs)
            kept = [{"ticket": ticket, "sha256": sha256} for sha256 in sorted(blobs) if sha256 not in doomed]
            insert_missing_rows(connection, BLOB_REFERENCES, kept)
        return tuple(doomed)

    def claim(self, blobs: Mapping[str, int], lease: Lease, remove: Callable[[str], object]) -> None:
        """Take references for an attempt, and have what is doomed removed from the store first, to be stored anew.

        Raises Contradiction if others doom it as often, and Stopped.
        """
        for _ in range(_TRIES):
            doomed = self.take(lease.ticket, blobs, lease)
            for sha256 in doomed:
                self.remove(sha256, remove)
            if not doomed:
                return
        raise Contradiction("Files in the store are removed as often as they are stored", "Run it again")

    def drop(self, ticket: int) -> tuple[str, ...]:
        """Give up every reference of the ticket; returns the blobs that nobody needs any more, now doomed."""
        with self._database.writing() as connection:
            return give_up(connection, ticket)

    def release(self, blobs: Collection[str], lease: Lease) -> None:
        """Give up an attempt's references to these blobs, which the store doesn't have; raises Stopped."""
        with self._database.writing() as connection:
            fenced(connection, lease)
            give_up(connection, lease.ticket, BLOB_REFERENCES.c.sha256.in_(blobs))

    def doomed(self) -> tuple[str, ...]:
        """The blobs that the store still has to remove, for whoever finishes what a crash left."""
        with self._database.reading() as connection:
            return tuple(connection.scalars(select(BLOBS.c.sha256).where(BLOBS.c.doomed).order_by(BLOBS.c.sha256)))

    def remove(self, sha256: str, remove: Callable[[str], object]) -> bool:
        """Have a doomed blob removed from the store and forget it; False if it isn't doomed (any more).

        One at a time does that with a blob, so nobody removes what was stored and taken again meanwhile.
        """
        doomed = select(BLOBS.c.sha256).where(BLOBS.c.sha256 == sha256, BLOBS.c.doomed)
        with self._database.alone(sha256):
            with self._database.reading() as connection:
                if connection.scalar(doomed) is None:
                    return False
            remove(sha256)
            self.forget(sha256)
        return True

    def forget(self, sha256: str) -> None:
        """Remove a doomed blob from the books after the store removed it; any other stays."""
        with self._database.writing() as connection:
            connection.execute(delete(BLOBS).where(BLOBS.c.sha256 == sha256, BLOBS.c.doomed))


def give_up(connection: Connection, ticket: int, *conditions: ColumnElement[bool]) -> tuple[str, ...]:
    """Drop those references of the ticket; returns the blobs that nobody needs any more, now doomed."""
    mine = (BLOB_REFERENCES.c.ticket == ticket, *conditions)
    held = connection.scalars(select(BLOB_REFERENCES.c.sha256).where(*mine)).all()
    lock(connection, held)
    connection.execute(delete(BLOB_REFERENCES).where(*mine))
    return doom(connection, held)


def note(connection: Connection, blobs: Mapping[str, int]) -> list[str]:
    """Know these blobs (sha256 to size in bytes), lock them, and tell which are doomed; raises Contradiction.

    One that was removed while this waited for it counts as doomed.
    """
    new = [{"sha256": sha256, "size": size, "doomed": False} for sha256, size in sorted(blobs.items())]
    insert_missing_rows(connection, BLOBS, new)
    rows = lock(connection, blobs)
    _check_sizes(rows, blobs)
    return sorted(blobs.keys() - {row.sha256 for row in rows if not row.doomed})


def doom(connection: Connection, blobs: Iterable[str]) -> tuple[str, ...]:
    """Doom those of the locked blobs that nobody needs any more; returns them."""
    record = exists().where(BLOB_REFERENCES.c.sha256 == BLOBS.c.sha256)
    checkpoint = exists().where(CHECKPOINTS.c.sha256 == BLOBS.c.sha256)
    change = update(BLOBS).where(BLOBS.c.sha256.in_(list(blobs)), ~or_(record, checkpoint)).values(doomed=True)
    return tuple(sorted(connection.scalars(change.returning(BLOBS.c.sha256))))


def lock(connection: Connection, blobs: Iterable[str]) -> list[Row[tuple[str, int, bool]]]:
    """The blobs' rows, locked in one order, so that two who want the same ones wait instead of dying."""
    query = select(BLOBS).where(BLOBS.c.sha256.in_(list(blobs))).order_by(BLOBS.c.sha256)
    return list(connection.execute(query.with_for_update()).all())


def _check_sizes(rows: Iterable[Row[tuple[str, int, bool]]], sizes: Mapping[str, int]) -> None:
    for row in rows:
        if row.size != sizes[row.sha256]:
            raise Contradiction(f"The blob {row.sha256} has {row.size} bytes, not {sizes[row.sha256]}")
