"""The checkpoints that machines share: the output of a stage as a blob of the store, found by the stage's digest.

Each needs its blob as a record does: as long as the checkpoint is known, nobody dooms it.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Select, delete, func, select, update

from blocks.catalog.blobs import doom, lock, note
from blocks.catalog.clock import Now
from blocks.catalog.database import Database, insert_missing
from blocks.catalog.leases import Lease, fenced
from blocks.catalog.tables import CHECKPOINTS
from blocks.model import StageName, Words, canonical, grammar


class SharedCheckpoint(Words):
    """A stage's output in the store: the blob's `sha256` and `size` in bytes, and those of its content unpacked.

    `facts` are the numbers that the next stages need of it.
    """

    digest: grammar.SHA256
    stage: StageName
    sha256: grammar.SHA256
    size: grammar.Size
    content: grammar.SHA256
    content_size: grammar.Size
    facts: dict[str, int]


_COLUMNS = [CHECKPOINTS.c[name] for name in SharedCheckpoint.model_fields]


class Checkpoints:
    """At most one for each digest: the first."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, shared: SharedCheckpoint, lease: Lease) -> bool:
        """Share a checkpoint whose blob is stored; one that is shared already stays, and this one's blob is doomed.

        False if the blob is doomed already: once it is forgotten, store it again. Raises Stopped, and Contradiction
        for a blob of another size.
        """
        values = shared.model_dump() | {"facts": canonical(shared.facts).decode(), "used": Now()}
        with self._database.writing() as connection:
            fenced(connection, lease)
            if note(connection, {shared.sha256: shared.size}):
                return False
            new = insert_missing(connection, CHECKPOINTS).values(values).returning(CHECKPOINTS.c.digest)
            if connection.execute(new).first() is None:
                doom(connection, (shared.sha256,))
        return True

    def get(self, digest: str) -> SharedCheckpoint | None:
        """The checkpoint, used just now; None if nobody shared it. Its blob may be gone before it is fetched."""
        change = update(CHECKPOINTS).where(CHECKPOINTS.c.digest == digest).values(used=Now()).returning(*_COLUMNS)
        with self._database.writing() as connection:
            found = connection.execute(change).mappings().first()
        if found is None:
            return None
        return SharedCheckpoint.model_validate(dict(found) | {"facts": json.loads(found["facts"])})

    def drop(self, digest: str) -> tuple[str, ...]:
        """Forget a checkpoint; returns the blobs that nobody needs any more, now doomed."""
        with self._database.writing() as connection:
            held = connection.scalars(_blob(digest)).all()
            lock(connection, held)
            connection.execute(delete(CHECKPOINTS).where(CHECKPOINTS.c.digest == digest))
            return doom(connection, held)

    def excess(self, limit: int) -> tuple[str, ...]:
        """The digests to drop so that the others' blobs occupy at most so many bytes: those used longest ago first."""
        newer = func.sum(CHECKPOINTS.c.size).over(order_by=(CHECKPOINTS.c.used.desc(), CHECKPOINTS.c.digest))
        ranked = select(CHECKPOINTS.c.digest, CHECKPOINTS.c.used, newer.label("total")).subquery()
        query = select(ranked.c.digest).where(ranked.c.total > limit).order_by(ranked.c.used, ranked.c.digest.desc())
        with self._database.reading() as connection:
            return tuple(connection.scalars(query))


def _blob(digest: str) -> Select[Any]:
    return select(CHECKPOINTS.c.sha256).where(CHECKPOINTS.c.digest == digest)
