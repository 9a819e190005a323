"""How a ticket's state moves: by compare-and-set, each move with its event in the same transaction."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, case, delete, select, update

from blocks.catalog.clock import Now
from blocks.catalog.events import append
from blocks.catalog.tables import CLAIMS, TICKETS
from blocks.errors import NotFound
from blocks.model import TERMINAL, State, Ticket

TICKET_COLUMNS = [TICKETS.c[name] for name in Ticket.model_fields]
_WORKING: tuple[State, ...] = ("building", "storing", "verifying")
UNFINISHED = TICKETS.c.state.not_in(sorted(TERMINAL))


def move(
    connection: Connection, ticket: int, state: State, reason: str, *conditions: ColumnElement[bool], **values: Any
) -> bool:
    """Set the state of an unfinished ticket that meets the conditions; tells whether it was this call that did.

    With the end of an attempt and with the next one's begin the ticket gives up what it claimed.
    """
    if state in TERMINAL:
        values["finished"] = Now()
    change = update(TICKETS).where(TICKETS.c.id == ticket, UNFINISHED, *conditions).values(state=state, **values)
    if connection.execute(change.returning(TICKETS.c.id)).first() is None:
        return False
    if state not in _WORKING:
        connection.execute(delete(CLAIMS).where(CLAIMS.c.ticket == ticket))
    append(connection, ticket, state, reason)
    return True


def row(connection: Connection, ticket: int) -> RowMapping:
    """The ticket's row, locked until the transaction's end if it writes; raises NotFound."""
    query = select(*TICKET_COLUMNS).where(TICKETS.c.id == ticket)
    if connection.get_execution_options().get("writing"):
        query = query.with_for_update()
    found = connection.execute(query).mappings().first()
    if found is None:
        raise NotFound(f"There is no ticket {ticket}", "`reforge images` lists those that exist")
    return found


def ticket(connection: Connection, number: int) -> Ticket:
    """The ticket as its user sees it; raises NotFound."""
    return Ticket.model_validate(dict(row(connection, number)))


def at_least(percent: int) -> ColumnElement[int]:
    """The greatest percent seen, with this one."""
    bounded = max(0, min(100, percent))
    return case((TICKETS.c.percent < bounded, bounded), else_=TICKETS.c.percent)
