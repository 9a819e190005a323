"""How a ticket's state moves: by compare-and-set, each move with its event in the same transaction."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, case, delete, select, update

from blocks.catalog.clock import Now
from blocks.catalog.database import whole
from blocks.catalog.events import append
from blocks.catalog.tables import CLAIMS, TICKETS
from blocks.errors import NotFound
from blocks.model import TERMINAL, State, Ticket

TICKET_COLUMNS = [TICKETS.c[name] for name in Ticket.model_fields]
_WORKING: tuple[State, ...] = ("building", "storing", "verifying")
UNFINISHED = TICKETS.c.state.not_in(sorted(TERMINAL))
SHOWN = TICKETS.c.deleted.is_(None)
"""That the image was not deleted: those that were keep their row, which no user sees."""


def move(
    connection: Connection, ticket: int, state: State, reason: str, *conditions: ColumnElement[bool], **values: Any
) -> bool:
    """Set the state of an unfinished ticket that meets the conditions; tells whether it was this call that did.

    With the end of an attempt and with the next one's begin the ticket gives up what it claimed.
    """
    if state in TERMINAL:
        values["finished"] = Now()
    if not tell(connection, ticket, UNFINISHED, *conditions, state=state, **values):
        return False
    if state not in _WORKING:
        connection.execute(delete(CLAIMS).where(CLAIMS.c.ticket == ticket))
    append(connection, ticket, state, reason)
    return True


def tell(connection: Connection, ticket: int, *conditions: ColumnElement[bool], **values: Any) -> bool:
    """Set what users see of a ticket that meets the conditions, and that it changed; tells whether it did."""
    change = update(TICKETS).where(TICKETS.c.id == ticket, *conditions).values(changed=Now(), **values)
    return connection.execute(change.returning(TICKETS.c.id)).first() is not None


def row(connection: Connection, ticket: int, *conditions: ColumnElement[bool]) -> RowMapping:
    """The row of a ticket that meets the conditions, locked until the transaction's end if it writes; or NotFound."""
    query = select(*TICKET_COLUMNS).where(TICKETS.c.id == whole(ticket), *conditions)
    if connection.get_execution_options().get("writing"):
        query = query.with_for_update()
    found = connection.execute(query).mappings().first()
    if found is None:
        raise NotFound(f"There is no ticket {ticket}", "`reforge images` lists those that exist")
    return found


def ticket(connection: Connection, number: int, *conditions: ColumnElement[bool]) -> Ticket:
    """The ticket as its user sees it, if it meets the conditions; raises NotFound."""
    return Ticket.model_validate(dict(row(connection, number, *conditions)))


def at_least(percent: int) -> ColumnElement[int]:
    """The greatest percent seen, with this one."""
    bounded = max(0, min(100, percent))
    return case((TICKETS.c.percent < bounded, bounded), else_=TICKETS.c.percent)
