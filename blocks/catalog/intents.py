"""Intents: what is about to be created outside, committed first, so that a sweeper finds it after any crash."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select

from blocks.catalog.clock import Now
from blocks.catalog.database import Database, insert_missing
from blocks.catalog.leases import Lease, fenced
from blocks.catalog.tables import INTENTS
from blocks.errors import Contradiction
from blocks.model import Words


class Intent(Words):
    """Something that may exist outside; `key` finds it again, `kind` says what it is."""

    key: str
    kind: str
    ticket: int
    attempt: int
    opened: datetime


class Intents:
    """What was begun outside and isn't known to be settled."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, key: str, kind: str, ticket: int, attempt: int, lease: Lease | None = None) -> Intent:
        """Commit an intent, once; raises Contradiction if the key stands for something else.

        Raises Stopped for an attempt that opens it by its lease and may not write any more.
        """
        values = {"key": key, "kind": kind, "ticket": ticket, "attempt": attempt}
        with self._database.writing() as connection:
            if lease is not None:
                fenced(connection, lease)
            connection.execute(insert_missing(connection, INTENTS).values(values | {"opened": Now()}))
            row = connection.execute(select(INTENTS).where(INTENTS.c.key == key)).mappings().one()
        intent = Intent.model_validate(dict(row))
        if intent.model_dump(exclude={"opened"}) != values:
            raise Contradiction(f"The intent {key} belongs to ticket {intent.ticket}, attempt {intent.attempt}")
        return intent

    def close(self, key: str) -> bool:
        """Forget an intent whose effect is settled; True only for the call that did it."""
        closing = delete(INTENTS).where(INTENTS.c.key == key).returning(INTENTS.c.key)
        with self._database.writing() as connection:
            return connection.execute(closing).first() is not None

    def pending(self, ticket: int | None = None) -> list[Intent]:
        """The intents that are open (of the ticket), oldest first."""
        query = select(INTENTS).order_by(INTENTS.c.opened, INTENTS.c.key)
        if ticket is not None:
            query = query.where(INTENTS.c.ticket == ticket)
        with self._database.reading() as connection:
            rows = connection.execute(query).mappings().all()
        return [Intent.model_validate(dict(row)) for row in rows]
