"""The attempts: each execution of a ticket holds a lease, and only the newest may move the ticket.

Every call of an attempt is fenced: once the ticket has ended, a newer attempt began or the lease was released,
handed back or lost, it raises Stopped with the reason and changes nothing; Superseded while the ticket goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from sqlalchemy import ColumnElement, Connection, RowMapping, delete, exists, func, insert, select, update

from blocks.catalog import leases, usage
from blocks.catalog.clock import Now
from blocks.catalog.database import Database, insert_missing
from blocks.catalog.leases import LAPSED, LEASE_COLUMNS, LEASE_SECONDS, OPEN, Lease, fenced, mine, stopped
from blocks.catalog.quotas import check_file
from blocks.catalog.states import UNFINISHED, at_least, move, row, tell, ticket
from blocks.catalog.tables import ATTEMPTS, CLAIMS, LOCKS, RECORDS, TICKETS
from blocks.catalog.tickets import find_lock, write_record
from blocks.catalog.users import require
from blocks.errors import Contradiction, Occupied
from blocks.model import TERMINAL, Evidence, Lock, Record, State, Ticket, canonical
from blocks.model.ticket import ORDER

RESTARTS = 2
PATIENCE = 3.0
_DAY = 86_400.0


class Attempts:
    """Who works on which ticket, and what they may still write."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(
        self, number: int, home: str, flow_run: str | None = None, *, in_process: bool, run_count: int | None = None
    ) -> Lease:
        """Begin a new attempt at planning, which fences every older one; raises NotFound, Stopped if it has ended.

        Raises Occupied while an attempt of another run lives, or the ticket waits for another run to begin.
        """
        with self._database.writing() as connection:
            found = row(connection, number)
            if found["state"] in TERMINAL:
                raise stopped(found, None)
            _check_free(connection, found, flow_run)
            lease = Lease(
                ticket=number,
                number=found["attempt"] + 1,
                home=home,
                flow_run=flow_run,
                in_process=in_process,
                run_count=run_count,
            )
            leases.end(connection, ATTEMPTS.c.ticket == number, OPEN, lost=True)
            values = lease.model_dump() | {"begun": Now(), "expires": Now() + LEASE_SECONDS}
            connection.execute(insert(ATTEMPTS).values(values))
            changes = {"attempt": lease.number, "stage": "", "message": "", "flow_run": flow_run or found["flow_run"]}
            move(connection, number, "planning", f"attempt {lease.number} begins", **changes)
        return lease

    def current(self, number: int) -> Lease | None:
        """The lease of the ticket's newest attempt, None before the first."""
        with self._database.reading() as connection:
            return leases.current(connection, number)

    def living(self, home: str) -> list[Lease]:
        """The leases of that home that have not ended, of tickets that haven't either, oldest ticket first."""
        newest = exists().where(TICKETS.c.id == ATTEMPTS.c.ticket, TICKETS.c.attempt == ATTEMPTS.c.number, UNFINISHED)
        return self._list(ATTEMPTS.c.home == home, OPEN, newest)

    def lost(self, home: str, within: float = _DAY) -> list[Lease]:
        """The leases of that home that were given up as lost in the last so many seconds, oldest ticket first."""
        return self._list(ATTEMPTS.c.home == home, ATTEMPTS.c.lost, ATTEMPTS.c.ended > Now() - within)

    def renew(self, lease: Lease) -> None:
        """Hold the lease for another 30 s from now; raises Stopped."""
        valid = exists().where(TICKETS.c.id == lease.ticket, TICKETS.c.attempt == lease.number, UNFINISHED)
        change = update(ATTEMPTS).where(mine(lease), OPEN, valid)
        with self._database.writing() as connection:
            renewed = connection.execute(change.values(expires=Now() + LEASE_SECONDS).returning(ATTEMPTS.c.number))
            if renewed.first() is None:
                raise stopped(row(connection, lease.ticket), lease)

    def release(self, lease: Lease) -> None:
        """End the lease with all that it claims: from now on the attempt counts as dead; releasing twice is fine."""
        own = (CLAIMS.c.ticket == lease.ticket, CLAIMS.c.attempt == lease.number)
        with self._database.writing() as connection:
            row(connection, lease.ticket)
            leases.end(connection, mine(lease), OPEN)
            connection.execute(delete(CLAIMS).where(*own))

    def hand_back(self, lease: Lease) -> bool:
        """End the lease of a run that can start again: its ticket waits for that, and the attempt isn't counted.

        True only for the call that did it; False if the attempt has ended, or nobody could start it again.
        """
        if not lease.restarts:
            return False
        with self._database.writing() as connection:
            found = row(connection, lease.ticket)
            if found["attempt"] != lease.number or not leases.end(connection, mine(lease), OPEN, handed_back=True):
                return False
            reason = f"Attempt {lease.number} was handed back: what runs it was told to end; its run starts again"
            return move(connection, lease.ticket, "requested", reason, stage="", message=reason)

    def advance(self, lease: Lease, state: State, percent: int, stage: str, message: str) -> Ticket:
        """Report progress; the state only goes forward. Raises Stopped, Contradiction for a step back or an end."""
        with self._database.writing() as connection:
            found = fenced(connection, lease)
            values = {"percent": at_least(percent), "stage": stage, "message": message}
            if found["state"] == state:
                tell(connection, lease.ticket, **values)
            else:
                _check_forward(lease, found["state"], state)
                move(connection, lease.ticket, state, message or stage, **values)
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
                fenced(connection, lease)
                check_file(connection, record.user, record.generation.file)
                move(connection, lease.ticket, "complete", message, percent=100, message=message)
                write_record(connection, record, has_file=record.generation.file is not None)
                if usage.counts(record.generation):
                    usage.count_generation(connection, lease.ticket, record.user)
            return ticket(connection, lease.ticket)

    def fail(self, lease: Lease, error: str) -> Ticket:
        """End the ticket in error, if it hasn't ended; raises Stopped."""
        with self._database.writing() as connection:
            fenced(connection, lease)
            move(connection, lease.ticket, "error", error, error=error)
            return ticket(connection, lease.ticket)

    def write_lock(self, lease: Lease, lock: Lock, evidence: Evidence) -> tuple[Lock, Evidence]:
        """Write the ticket's lock, once; returns the one that counts: the first. Raises Stopped."""
        documents = {"lock": canonical(lock.document()).decode(), "evidence": canonical(evidence.document()).decode()}
        with self._database.writing() as connection:
            fenced(connection, lease)
            connection.execute(insert_missing(connection, LOCKS).values(ticket=lease.ticket, **documents))
            return find_lock(connection, lease.ticket) or (lock, evidence)

    def settle(self, number: int, alive: Callable[[Lease], bool | None], *, patience: float = PATIENCE) -> Ticket:
        """The ticket, its attempt given up as lost if that is dead; raises NotFound.

        `alive` tells whether the attempt lives: True, False, or None when it can't know; then the lease decides,
        by the database's clock, when it has still run out `patience` seconds later: after an outage of the database
        the living renew first. A ticket that no attempt works on at present is left alone.

        The run of a deployment starts again, so its ticket is `requested` again, twice; any other ends in error.
        """
        return self.settle_all((number,), alive, patience=patience)[0]

    def settle_all(
        self, numbers: Iterable[int], alive: Callable[[Lease], bool | None], *, patience: float = PATIENCE
    ) -> list[Ticket]:
        """Likewise for many tickets, with one wait for them all."""
        wanted = list(numbers)
        found = [self._working(number) for number in wanted]
        judged = [(lease, alive(lease)) for lease in found if lease is not None]
        doubtful = [lease for lease, verdict in judged if verdict is None and self._lapsed(lease)]
        if any(self._lapsed(lease, OPEN) for lease in doubtful):
            time.sleep(patience)
        for lease in (lease for lease, verdict in judged if verdict is False):
            self._bury(lease)
        for lease in doubtful:
            self._bury(lease, LAPSED)
        with self._database.reading() as connection:
            return [ticket(connection, number) for number in wanted]

    def dead(self, numbers: Iterable[int], alive: Callable[[Lease], bool | None]) -> list[Lease]:
        """The leases of those tickets that look dead at present; `settle_all` is what decides."""
        found = [lease for lease in map(self._working, numbers) if lease is not None]
        judged = [(lease, alive(lease)) for lease in found]
        return [lease for lease, verdict in judged if verdict is False or (verdict is None and self._lapsed(lease))]

    def _working(self, number: int) -> Lease | None:
        """The lease that may have to be given up: that of a ticket that somebody works on."""
        with self._database.reading() as connection:
            idle = row(connection, number)["state"] in (*TERMINAL, "requested")
            return None if idle else leases.current(connection, number)

    def _lapsed(self, lease: Lease, *conditions: ColumnElement[bool]) -> bool:
        with self._database.reading() as connection:
            return bool(connection.scalar(select(exists().where(mine(lease), LAPSED, *conditions))))

    def _bury(self, lease: Lease, *conditions: ColumnElement[bool]) -> None:
        with self._database.writing() as connection:
            found = row(connection, lease.ticket)
            idle = found["state"] in (*TERMINAL, "requested")
            if idle or found["attempt"] != lease.number:
                return
            if leases.end(connection, mine(lease), *conditions, lost=True):
                state, reason = _ending(connection, lease)
                told = {"error": reason} if state == "error" else {"stage": "", "message": reason}
                move(connection, lease.ticket, state, reason, **told)

    def _list(self, *conditions: ColumnElement[bool]) -> list[Lease]:
        query = select(*LEASE_COLUMNS).where(*conditions).order_by(ATTEMPTS.c.ticket, ATTEMPTS.c.number)
        with self._database.reading() as connection:
            return [Lease.model_validate(dict(each)) for each in connection.execute(query).mappings()]


def _check_free(connection: Connection, found: RowMapping, flow_run: str | None) -> None:
    """Raise Occupied if the ticket is another run's."""
    if flow_run is not None and flow_run == found["flow_run"]:
        return
    number = found["id"]
    if found["state"] == "requested" and found["flow_run"] is not None:
        raise Occupied(f"Ticket {number} waits for its run {found['flow_run']} to begin", "Wait for that one")
    if leases.lives(connection, number, found["attempt"]):
        raise Occupied(f"Attempt {found['attempt']} works on ticket {number}", "Wait for its end, or cancel the ticket")


def _check_forward(lease: Lease, before: State, after: State) -> None:
    if after not in ORDER[1:-1] or ORDER.index(after) < ORDER.index(before):
        raise Contradiction(f"Ticket {lease.ticket} can't go from {before} to {after} within an attempt")


def _recorded(connection: Connection, record: Record) -> bool:
    document = connection.scalar(select(RECORDS.c.document).where(RECORDS.c.ticket == record.ticket))
    return document is not None and document == canonical(record.document()).decode()


def _ending(connection: Connection, lease: Lease) -> tuple[State, str]:
    """What becomes of a ticket whose attempt is lost."""
    where = "the run of its deployment" if lease.restarts else "its process"
    told = f"Attempt {lease.number} was lost: {where} is gone"
    earlier = (ATTEMPTS.c.ticket == lease.ticket, ATTEMPTS.c.number < lease.number, ATTEMPTS.c.lost)
    before = connection.scalar(select(func.count()).where(*earlier)) or 0
    if lease.restarts and before < RESTARTS:
        return "requested", f"{told}; its run starts again (restart {before + 1} of {RESTARTS})"
    tried = f", after {before} restarts" if lease.restarts else ""
    return "error", f"{told}{tried}. Run it again; finished stages are reused"
