"""The attempts: each execution of a ticket holds a lease, and only the newest may move the ticket.

Every call of an attempt is fenced: once the ticket has ended, a newer attempt began or the lease was released,
it raises Stopped with the reason and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, exists, insert, select, update

from blocks.catalog import usage
from blocks.catalog.clock import Now
from blocks.catalog.database import Database, insert_missing
from blocks.catalog.quotas import check_file
from blocks.catalog.states import UNFINISHED, at_least, move, row, ticket
from blocks.catalog.tables import ATTEMPTS, LOCKS, RECORDS, TICKETS
from blocks.catalog.tickets import find_lock, write_record
from blocks.catalog.users import require
from blocks.errors import Contradiction, Stopped
from blocks.model import TERMINAL, Evidence, Lock, Record, State, Ticket, Words, canonical
from blocks.model.ticket import ORDER

LEASE_SECONDS = 30.0


class Lease(Words):
    """The right of one attempt to work on its ticket; `home` and `flow_run` tell where it runs."""

    ticket: int
    number: int
    home: str
    flow_run: str | None
    in_process: bool


class Attempts:
    """Who works on which ticket, and what they may still write."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, number: int, home: str, flow_run: str | None = None, *, in_process: bool) -> Lease:
        """Begin a new attempt at planning, which fences every older one; raises NotFound, Stopped if it has ended."""
        with self._database.writing() as connection:
            found = row(connection, number)
            if found["state"] in TERMINAL:
                raise _stopped(found, None)
            lease = Lease(
                ticket=number, number=found["attempt"] + 1, home=home, flow_run=flow_run, in_process=in_process
            )
            values = lease.model_dump() | {"begun": Now(), "expires": Now() + LEASE_SECONDS}
            connection.execute(insert(ATTEMPTS).values(values))
            changes = {"attempt": lease.number, "stage": "", "message": "", "flow_run": flow_run or found["flow_run"]}
            move(connection, number, "planning", f"attempt {lease.number} begins", **changes)
        return lease

    def current(self, number: int) -> Lease | None:
        """The lease of the ticket's newest attempt, None before the first."""
        with self._database.reading() as connection:
            return _current(connection, number)

    def renew(self, lease: Lease) -> None:
        """Hold the lease for another 30 s from now; raises Stopped."""
        valid = exists().where(TICKETS.c.id == lease.ticket, TICKETS.c.attempt == lease.number, UNFINISHED)
        change = update(ATTEMPTS).where(_mine(lease), ATTEMPTS.c.ended.is_(None), valid)
        with self._database.writing() as connection:
            renewed = connection.execute(change.values(expires=Now() + LEASE_SECONDS).returning(ATTEMPTS.c.number))
            if renewed.first() is None:
                raise _stopped(row(connection, lease.ticket), lease)

    def release(self, lease: Lease) -> None:
        """End the lease: from now on the attempt counts as dead; releasing twice is fine."""
        change = update(ATTEMPTS).where(_mine(lease), ATTEMPTS.c.ended.is_(None))
        with self._database.writing() as connection:
            connection.execute(change.values(ended=Now(), expires=Now()))

    def advance(self, lease: Lease, state: State, percent: int, stage: str, message: str) -> Ticket:
        """Report progress; the state only goes forward. Raises Stopped, Contradiction for a step back or an end."""
        with self._database.writing() as connection:
            found = _fenced(connection, lease)
            values = {"percent": at_least(percent), "stage": stage, "message": message}
            if found["state"] == state:
                connection.execute(update(TICKETS).where(TICKETS.c.id == lease.ticket).values(**values))
            else:
                _check_forward(lease, found["state"], state)
                move(connection, lease.ticket, state, message or stage, _newest(lease), **values)
            return ticket(connection, lease.ticket)

    def complete(self, lease: Lease, record: Record, message: str) -> Ticket:
        """End the ticket as complete with its record, if it hasn't ended; raises Stopped, QuotaExceeded.

        Asking again with the same record, after an answer was lost, gives the same ticket.
        """
        if (record.ticket, record.attempt) != (lease.ticket, lease.number):
            raise Contradiction(f"The record of ticket {record.ticket} can't complete ticket {lease.ticket}")
        with self._database.writing() as connection:
            if not _recorded(connection, record):
                require(connection, record.user)  # before the ticket, as whoever asks for one does
                _fenced(connection, lease)
                check_file(connection, record.user, record.generation.file)
                move(connection, lease.ticket, "complete", message, _newest(lease), percent=100, message=message)
                write_record(connection, record, has_file=record.generation.file is not None)
                if record.generation.outcome != "unchanged":
                    usage.count_generation(connection, lease.ticket, record.user)
            return ticket(connection, lease.ticket)

    def fail(self, lease: Lease, error: str) -> Ticket:
        """End the ticket in error, if it hasn't ended; raises Stopped."""
        with self._database.writing() as connection:
            _fenced(connection, lease)
            move(connection, lease.ticket, "error", error, _newest(lease), error=error)
            return ticket(connection, lease.ticket)

    def write_lock(self, lease: Lease, lock: Lock, evidence: Evidence) -> tuple[Lock, Evidence]:
        """Write the ticket's lock, once; returns the one that counts: the first. Raises Stopped."""
        documents = {"lock": canonical(lock.document()).decode(), "evidence": canonical(evidence.document()).decode()}
        with self._database.writing() as connection:
            _fenced(connection, lease)
            connection.execute(insert_missing(connection, LOCKS).values(ticket=lease.ticket, **documents))
            return find_lock(connection, lease.ticket) or (lock, evidence)

    def settle(self, number: int, alive: Callable[[Lease], bool | None]) -> Ticket:
        """The ticket, ended if its attempt is dead; raises NotFound.

        `alive` tells whether the attempt lives: True, False, or None when it can't know; then the lease decides,
        by the database's clock. A ticket that no attempt has begun is left alone.
        """
        lease = self._unfinished(number)
        verdict = True if lease is None else alive(lease)
        if lease is not None and (verdict is False or (verdict is None and self._expired(lease))):
            with self._database.writing() as connection:
                _bury(connection, lease, certain=verdict is False)
        with self._database.reading() as connection:
            return ticket(connection, number)

    def _unfinished(self, number: int) -> Lease | None:
        with self._database.reading() as connection:
            return None if row(connection, number)["state"] in TERMINAL else _current(connection, number)

    def _expired(self, lease: Lease) -> bool:
        with self._database.reading() as connection:
            return bool(connection.scalar(select(_lapsed(lease))))


def _current(connection: Connection, number: int) -> Lease | None:
    columns = [ATTEMPTS.c[name] for name in Lease.model_fields]
    query = select(*columns).where(ATTEMPTS.c.ticket == number).order_by(ATTEMPTS.c.number.desc()).limit(1)
    found = connection.execute(query).mappings().first()
    return None if found is None else Lease.model_validate(dict(found))


def _mine(lease: Lease) -> ColumnElement[bool]:
    return and_(ATTEMPTS.c.ticket == lease.ticket, ATTEMPTS.c.number == lease.number)


def _newest(lease: Lease) -> ColumnElement[bool]:
    return TICKETS.c.attempt == lease.number


def _lapsed(lease: Lease) -> ColumnElement[bool]:
    return exists().where(_mine(lease), ATTEMPTS.c.expires <= Now())


def _fenced(connection: Connection, lease: Lease) -> RowMapping:
    found = row(connection, lease.ticket)
    ended = connection.execute(select(ATTEMPTS.c.ended).where(_mine(lease))).scalar_one_or_none()
    if found["state"] in TERMINAL or found["attempt"] != lease.number or ended is not None:
        raise _stopped(found, lease)
    return found


def _stopped(found: RowMapping, lease: Lease | None) -> Stopped:
    name = f"Ticket {found['id']}"
    if found["state"] == "cancelled":
        return Stopped(f"{name} was cancelled: {found['message']}", "Ask for a new one to go on")
    if found["state"] in TERMINAL:
        return Stopped(f"{name} has ended: {found['state']}", "Ask for a new one")
    if lease is not None and found["attempt"] != lease.number:
        return Stopped(f"Attempt {lease.number} of ticket {found['id']} is superseded by attempt {found['attempt']}")
    return Stopped(f"The attempt's lease on ticket {found['id']} has ended: it was released")


def _check_forward(lease: Lease, before: State, after: State) -> None:
    if after not in ORDER[1:-1] or ORDER.index(after) < ORDER.index(before):
        raise Contradiction(f"Ticket {lease.ticket} can't go from {before} to {after} within an attempt")


def _recorded(connection: Connection, record: Record) -> bool:
    document = connection.scalar(select(RECORDS.c.document).where(RECORDS.c.ticket == record.ticket))
    return document is not None and document == canonical(record.document()).decode()


def _bury(connection: Connection, lease: Lease, *, certain: bool) -> None:
    conditions = [_newest(lease)] if certain else [_newest(lease), _lapsed(lease)]
    state, reason = _ending(lease)
    move(connection, lease.ticket, state, reason, *conditions, error=reason)


def _ending(lease: Lease) -> tuple[State, str]:
    """What becomes of a ticket whose attempt is dead."""
    where = "its process" if lease.in_process else "the run of its deployment"
    return "error", f"Attempt {lease.number} was lost: {where} is gone. Run it again; finished stages are reused"
