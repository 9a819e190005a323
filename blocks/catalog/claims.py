"""The claims: who builds what is behind a digest, so that nobody else builds the same at the same time.

A claim dies with its attempt: whoever finds it held by one that no longer works on its ticket takes it over.
"""

from __future__ import annotations

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from blocks.catalog.database import Database
from blocks.catalog.leases import Lease, fenced, lives
from blocks.catalog.tables import CLAIMS


class Claims:
    """At most one attempt for each digest."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, digest: str, lease: Lease) -> int | None:
        """Claim a digest: None when it is the attempt's own now, else the ticket that holds it; raises Stopped."""
        own = {"ticket": lease.ticket, "attempt": lease.number}
        with self._database.writing() as connection:
            fenced(connection, lease)
            make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
            new = make(CLAIMS).values(digest=digest, **own)
            lock = new.on_conflict_do_update(index_elements=[CLAIMS.c.digest], set_={"digest": digest})
            holder = connection.execute(lock.returning(CLAIMS.c.ticket, CLAIMS.c.attempt)).one()
            if tuple(holder) == (lease.ticket, lease.number):
                return None
            if lives(connection, holder.ticket, holder.attempt):
                return int(holder.ticket)
            connection.execute(update(CLAIMS).where(CLAIMS.c.digest == digest).values(own))
        return None

    def release(self, digest: str, lease: Lease) -> None:
        """Let go of a digest; of one that isn't the attempt's own, and twice, is fine."""
        own = (CLAIMS.c.ticket == lease.ticket, CLAIMS.c.attempt == lease.number)
        with self._database.writing() as connection:
            connection.execute(delete(CLAIMS).where(CLAIMS.c.digest == digest, *own))

    def list(self) -> dict[str, int]:
        """Every claimed digest with the ticket that claimed it last."""
        with self._database.reading() as connection:
            rows = connection.execute(select(CLAIMS.c.digest, CLAIMS.c.ticket).order_by(CLAIMS.c.digest)).all()
        return {row.digest: row.ticket for row in rows}
