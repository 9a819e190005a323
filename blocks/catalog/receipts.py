"""The receipts: what a cancel or a failure released, written once for each ticket."""

from __future__ import annotations

import json

from sqlalchemy import Connection, select

from blocks.catalog.clock import Now
from blocks.catalog.database import Database, insert_missing
from blocks.catalog.states import row
from blocks.catalog.tables import RECEIPTS
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
            receipt = _find(connection, ticket)
        assert receipt is not None  # noqa: S101 - written a line above, in the same transaction
        return receipt

    def get(self, ticket: int) -> Receipt | None:
        """The ticket's receipt, None while nothing was released."""
        with self._database.reading() as connection:
            return _find(connection, ticket)


def _find(connection: Connection, ticket: int) -> Receipt | None:
    found = connection.execute(select(RECEIPTS).where(RECEIPTS.c.ticket == ticket)).first()
    return None if found is None else Receipt(time=found.time, released=tuple(json.loads(found.released)))
