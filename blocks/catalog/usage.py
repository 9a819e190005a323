"""Usage: what counts against a user's quotas.

Each number is one statement, so that it sees one state of the catalog; whoever decides by it has locked the user.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, Select, and_, func, insert, select

from blocks.catalog.clock import Now
from blocks.catalog.states import SHOWN, UNFINISHED
from blocks.catalog.tables import APPLIANCES, BLOB_REFERENCES, BLOBS, GENERATIONS, TICKETS
from blocks.model import Generation


def appliances(connection: Connection, user: str) -> int:
    """How many appliances the user owns."""
    return _number(connection, select(func.count()).where(APPLIANCES.c.user == user))


def generations(
    connection: Connection, user: str, since: datetime | None, before: int | None = None
) -> tuple[int, int]:
    """How many of the user's generations succeeded since then, and how many haven't ended and will make an image.

    With `before`, of the latter only those that were asked for earlier than that ticket.
    """
    made = select(func.count()).where(GENERATIONS.c.user == user)
    live = select(func.count()).where(TICKETS.c.user == user, UNFINISHED, ~TICKETS.c.simulated)
    if since is not None:
        made = made.where(GENERATIONS.c.finished >= since)
    if before is not None:
        live = live.where(TICKETS.c.id < before)
    row = connection.execute(select(made.scalar_subquery(), live.scalar_subquery())).one()
    return int(row[0]), int(row[1])


def stored(connection: Connection, user: str) -> int:
    """The bytes of the image files that are stored for the user's complete tickets, each file once."""
    return _number(connection, select(func.sum(BLOBS.c.size)).where(BLOBS.c.sha256.in_(_files(user))))


def keeps(connection: Connection, user: str, sha256: str) -> bool:
    """Whether this file is among those."""
    return connection.execute(_files(user).where(TICKETS.c.file == sha256)).first() is not None


def counts(generation: Generation) -> bool:
    """Whether a generation that is complete counts: it made an image."""
    return generation.outcome != "unchanged" and not generation.recipe.simulated


def count_generation(connection: Connection, ticket: int, user: str, finished: datetime | None = None) -> None:
    """Count a generation that succeeded, now unless told when; that stays when its image is deleted."""
    connection.execute(insert(GENERATIONS).values(ticket=ticket, user=user, finished=finished or Now()))


def _files(user: str) -> Select[tuple[str]]:
    """The user's files. A ticket keeps one as long as it references the blob: deleting or dropping gives it back."""
    kept = and_(BLOB_REFERENCES.c.ticket == TICKETS.c.id, BLOB_REFERENCES.c.sha256 == TICKETS.c.file)
    joined = TICKETS.join(BLOB_REFERENCES, kept)
    return select(TICKETS.c.file).select_from(joined).where(TICKETS.c.user == user, SHOWN)


def _number(connection: Connection, query: Select[tuple[int]]) -> int:
    return int(connection.scalar(query) or 0)
