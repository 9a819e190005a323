"""The lease: the right of one attempt to work on its ticket, and the fence before everything that it writes."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, exists, select, update

from blocks.catalog.clock import Now
from blocks.catalog.states import UNFINISHED, row
from blocks.catalog.tables import ATTEMPTS, TICKETS
from blocks.errors import Stopped, Superseded
from blocks.model import TERMINAL, Words

LEASE_SECONDS = 30.0


class Lease(Words):
    """The right of one attempt to work on its ticket; `home` and `flow_run` tell where it runs.

    `run_count` is how often Prefect had begun that run, this time included.
    """

    ticket: int
    number: int
    home: str
    flow_run: str | None
    in_process: bool
    run_count: int | None = None

    @property
    def restarts(self) -> bool:
        """Whether its run can be started again by others than the one who asked for it."""
        return not self.in_process and self.flow_run is not None


LEASE_COLUMNS = [ATTEMPTS.c[name] for name in Lease.model_fields]


def fenced(connection: Connection, lease: Lease) -> RowMapping:
    """The ticket's row, locked, if the attempt may still write; raises Stopped, NotFound."""
    found = row(connection, lease.ticket)
    ended = connection.execute(select(ATTEMPTS.c.ended).where(mine(lease))).scalar_one_or_none()
    if found["state"] in TERMINAL or found["attempt"] != lease.number or ended is not None:
        raise stopped(found, lease)
    return found


def stopped(found: RowMapping, lease: Lease | None) -> Stopped:
    """Why nobody, or not this attempt, may work on the ticket any more."""
    name = f"Ticket {found['id']}"
    if lease is not None and found["attempt"] != lease.number:
        number = found["attempt"]
        return Superseded(f"Attempt {lease.number} of ticket {found['id']} is superseded by attempt {number}")
    if found["state"] == "cancelled":
        return Stopped(f"{name} was cancelled: {found['message']}", "Ask for a new one to go on")
    if found["state"] in TERMINAL:
        return Stopped(f"{name} has ended: {found['state']}", "Ask for a new one")
    return Superseded(f"The attempt's lease on ticket {found['id']} has ended: it was released, handed back or lost")


def current(connection: Connection, number: int) -> Lease | None:
    """The lease of the ticket's newest attempt."""
    query = select(*LEASE_COLUMNS).where(ATTEMPTS.c.ticket == number).order_by(ATTEMPTS.c.number.desc()).limit(1)
    found = connection.execute(query).mappings().first()
    return None if found is None else Lease.model_validate(dict(found))


def end(connection: Connection, *conditions: ColumnElement[bool], **values: Any) -> bool:
    """End the leases that meet the conditions, within a transaction that has locked their ticket; tells if any did."""
    change = update(ATTEMPTS).where(*conditions).values(ended=Now(), expires=Now(), **values)
    return connection.execute(change.returning(ATTEMPTS.c.number)).first() is not None


def lives(connection: Connection, ticket: int, number: int) -> bool:
    """Whether this attempt may still write and its lease isn't over."""
    newest = exists().where(TICKETS.c.id == ticket, TICKETS.c.attempt == number, UNFINISHED)
    held = (ATTEMPTS.c.ticket == ticket, ATTEMPTS.c.number == number, OPEN, ATTEMPTS.c.expires > Now())
    return bool(connection.scalar(select(exists().where(*held, newest))))


def mine(lease: Lease) -> ColumnElement[bool]:
    """The attempt's own row."""
    return and_(ATTEMPTS.c.ticket == lease.ticket, ATTEMPTS.c.number == lease.number)


def newest(lease: Lease) -> ColumnElement[bool]:
    """That no newer attempt of its ticket has begun."""
    return TICKETS.c.attempt == lease.number


OPEN = ATTEMPTS.c.ended.is_(None)
LAPSED = ATTEMPTS.c.expires <= Now()
