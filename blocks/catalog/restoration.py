"""Records from elsewhere become complete tickets: with a new id when imported, with their own when restored."""

from __future__ import annotations

import secrets
from typing import Any

from sqlalchemy import Connection, Table, func, insert, select, text

from blocks.catalog.clock import Now
from blocks.catalog.database import insert_missing
from blocks.catalog.descriptions import described
from blocks.catalog.tables import APPLIANCES, TICKETS
from blocks.errors import Contradiction
from blocks.model import Record, digest

LEAP = 1000


def adopt(connection: Connection, record: Record) -> int:
    """A new ticket for an imported record; gives its id. The parent is kept if it is of the same appliance and user."""
    generation = record.generation
    parent = None if generation.parent is None else _owner(connection, generation.parent)
    related = parent == (record.appliance, record.user)
    values = _values(record) | {"parent": generation.parent if related else None, "finished": Now(), "changed": Now()}
    return int(connection.execute(insert(TICKETS).values(values).returning(TICKETS.c.id)).scalar_one())


def restore(connection: Connection, record: Record) -> None:
    """The ticket that the record was written for, as it was; raises Contradiction if its id is taken."""
    generation = record.generation
    own = {"id": record.ticket, "parent": generation.parent, "finished": generation.created}
    new = insert_missing(connection, TICKETS).values(_values(record) | own).returning(TICKETS.c.id)
    if connection.execute(new).first() is None:
        raise Contradiction(f"There is a ticket {record.ticket} already", "Restore into an empty catalog")


def leap(connection: Connection, beyond: int = 0) -> None:
    """Let new tickets and appliances have ids 1000 above the greatest that ever was (of a ticket: or `beyond`)."""
    for table, least in ((TICKETS, beyond), (APPLIANCES, 0)):
        _continue(connection, table.name, max(_greatest(connection, table), least) + LEAP)


def _values(record: Record) -> dict[str, Any]:
    generation = record.generation
    return {
        "user": record.user,
        "appliance": record.appliance,
        "policy": generation.policy,
        "rebuild": False,
        "state": "complete",
        "percent": 100,
        "attempt": record.attempt,
        "created": generation.created,
        "parameters": digest(record.document()),
        "token": secrets.token_urlsafe(),
        **described(record.user, record.appliance, generation.recipe),
        "changed": generation.created,
    }


def _owner(connection: Connection, number: int) -> tuple[int, str] | None:
    query = select(TICKETS.c.appliance, TICKETS.c.user).where(TICKETS.c.id == number).with_for_update()
    found = connection.execute(query).first()
    return None if found is None else (found.appliance, found.user)


def _greatest(connection: Connection, table: Table) -> int:
    """The greatest id that a row has, or that was given out."""
    given = {
        "sqlite": "SELECT seq FROM sqlite_sequence WHERE name = :table",
        "postgresql": "SELECT last_value FROM pg_sequences WHERE schemaname || '.' || sequencename"
        " = pg_get_serial_sequence(:table, 'id')",
    }[connection.dialect.name]
    stored = connection.scalar(select(func.max(table.c.id)))
    return max(int(connection.scalar(text(given), {"table": table.name}) or 0), int(stored or 0))


def _continue(connection: Connection, table: str, number: int) -> None:
    """Let the next row have this id."""
    if connection.dialect.name == "postgresql":
        given = {"table": table, "number": number}
        connection.execute(text("SELECT setval(pg_get_serial_sequence(:table, 'id'), :number, false)"), given)
        return
    connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :table"), {"table": table})
    given = {"table": table, "number": number - 1}
    connection.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES (:table, :number)"), given)
