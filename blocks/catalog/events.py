"""The events of a ticket: every transition with its time and reason, only ever appended."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select

from blocks.catalog.clock import Now
from blocks.catalog.database import Database
from blocks.catalog.tables import EVENTS
from blocks.model import Event, State


class Events:
    """What happened to tickets."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self, ticket: int) -> list[Event]:
        """The ticket's transitions, oldest first."""
        query = select(EVENTS.c.time, EVENTS.c.state, EVENTS.c.reason).where(EVENTS.c.ticket == ticket)
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(EVENTS.c.id)).mappings().all()
        return [Event.model_validate(dict(row)) for row in rows]


def append(connection: Connection, ticket: int, state: State, reason: str) -> None:
    """Append a transition within the transaction that makes it."""
    connection.execute(insert(EVENTS).values(ticket=ticket, time=Now(), state=state, reason=reason))
