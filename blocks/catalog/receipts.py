"""The receipts: what a cancel or a failure released, written once for each ticket."""

from __future__ import annotations

import json
from datetime import datetime

from sqlalchemy import Row, Select, and_, exists, select

from blocks.catalog.clock import Now
from blocks.catalog.database import Database, insert_missing
from blocks.catalog.states import row
from blocks.catalog.tables import RECEIPTS, TICKETS
from blocks.model import Receipt, canonical


class Receipts:
    """At most one receipt for each ticket."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, ticket: int, released: tuple[str, ...]) -> Receipt:
        """Write the ticket's receipt unless it has one; returns the one it has; raises NotFound."""
        values = {"ticket": ticket, "time": Now(), "released": canonical(list(released)).decode()}
        with self._database.writing() as connection:
            row(connection, ticket)
            connection.execute(insert_missing(connection, RECEIPTS).values(values))
            return _receipt(connection.execute(_of(ticket)).one())

    def get(self, ticket: int) -> Receipt | None:
        """The ticket's receipt, None while nothing was released."""
        with self._database.reading() as connection:
            found = connection.execute(_of(ticket)).first()
        return None if found is None else _receipt(found)

    def missing(self, seconds: float) -> tuple[tuple[int, int], ...]:
        """The tickets that ended without an image longer ago than that, and have none, each with its last attempt."""
        ended = and_(TICKETS.c.state.in_(("cancelled", "error")), TICKETS.c.finished < Now() - seconds)
        without = ~exists().where(RECEIPTS.c.ticket == TICKETS.c.id)
        query = select(TICKETS.c.id, TICKETS.c.attempt).where(ended, TICKETS.c.attempt > 0, without)
        with self._database.reading() as connection:
            return tuple((row.id, row.attempt) for row in connection.execute(query.order_by(TICKETS.c.id)))


def _of(ticket: int) -> Select[tuple[datetime, str]]:
    return select(RECEIPTS.c.time, RECEIPTS.c.released).where(RECEIPTS.c.ticket == ticket)


def _receipt(row: Row[tuple[datetime, str]]) -> Receipt:
    return Receipt(time=row.time, released=tuple(json.loads(row.released)))
