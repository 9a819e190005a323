"""The attempt: one execution of a ticket, the context that every step takes first.

It holds the lease, is watched, hears the stop token, and ends its ticket whatever happens: this is the run boundary.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import IO, TypeVar
from uuid import UUID

from prefect import runtime
from prefect.context import FlowRunContext
from prefect.exceptions import TerminationSignal
from prefect.logging import get_run_logger

from blocks import liveness
from blocks.builder import Job
from blocks.catalog import Lease
from blocks.configured import configured
from blocks.errors import NotFound, Occupied, ReforgeError, Refused, Stopped, Superseded, Unavailable
from blocks.model import State, Ticket
from blocks.model.request import Regeneration, Request
from blocks.ports import Ports
from blocks.release import release
from blocks.stop import StopToken
from tasks.patience import OUTAGE, patiently
from tasks.watch import cancelling, watched

_LINES_PER_SECOND = 20
_RELEASE = 20.0
Asked = TypeVar("Asked", bound=Request)


class Attempt:
    """The ports, the lease, the stop token, and where lines and progress go.

    `released` collects what was given back, for the receipt; `progress` is the run's progress artifact.
    """

    def __init__(self, ports: Ports, lease: Lease, stop: StopToken) -> None:
        self.ports = ports
        self.lease = lease
        self.stop = stop
        self.released: list[str] = []
        self.progress: UUID | None = None

    @property
    def ticket(self) -> int:
        """The ticket's id."""
        return self.lease.ticket

    @property
    def name(self) -> str:
        """A name of its own for folders and keys: ticket and number."""
        return f"{self.lease.ticket}-{self.lease.number}"

    def advance(self, state: State, percent: int, stage: str, message: str) -> None:
        """Tell the ticket's user how far it is; raises Stopped."""
        self.stop.check()
        self.ports.catalog.attempts.advance(self.lease, state, percent, stage, message)

    @contextlib.contextmanager
    def at(self, stage: str) -> Iterator[Callable[[], None]]:
        """Be at a stage; gives what checks the stop token at each piece of its work.

        Whoever observes the process (`sys.addaudithook`) hears the event `reforge.stage` with ticket, attempt, stage
        and point: `begin`, `working` at each piece, and `end` unless it failed.
        """

        def working() -> None:
            self.stop.check()
            sys.audit("reforge.stage", self.ticket, self.lease.number, stage, "working")

        sys.audit("reforge.stage", self.ticket, self.lease.number, stage, "begin")
        yield working
        sys.audit("reforge.stage", self.ticket, self.lease.number, stage, "end")

    @contextlib.contextmanager
    def logged(self, stage: str) -> Iterator[Job]:
        """A job whose lines go to the run's log, throttled, and whole into the store when the stage ends."""
        with tempfile.TemporaryFile("w+", encoding="utf-8") as whole:
            reporter = _Reporter(get_run_logger(), whole)
            try:
                yield Job(self.stop, reporter.report, self.released.append)
            finally:
                whole.seek(0)
                self.ports.store.put_log(self.ticket, self.lease.number, stage, whole)


class Elsewhere(Exception):
    """Signal: another run works on the ticket, will, or has; whoever wanted to waits for its end instead."""

    def __init__(self, ticket: int) -> None:
        super().__init__(ticket)
        self.ticket = ticket


class _Reporter:
    """Takes a stage's lines: each into the whole log, at most so many a second into the run's log."""

    def __init__(self, logger: logging.Logger | logging.LoggerAdapter[logging.Logger], whole: IO[str]) -> None:
        self._logger = logger
        self._whole = whole
        self._second = 0
        self._shown = 0
        self._hidden = 0

    def report(self, line: str) -> None:
        """Take one line."""
        self._whole.write(f"{line}\n")
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._shown = second, 0
            self._tell_hidden()
        if self._shown < _LINES_PER_SECOND:
            self._shown += 1
            self._logger.info(line)
        else:
            self._hidden += 1

    def _tell_hidden(self) -> None:
        if self._hidden:
            self._logger.info("… %d lines more in the stage's log", self._hidden)
            self._hidden = 0


@contextlib.contextmanager
def attempting(ports: Ports, ticket: Ticket) -> Iterator[Attempt]:
    """Work on the ticket as its newest attempt; on any end but completion the ticket ends in error or cancelled.

    It doesn't end if its run can be started again and the process was told to end. Raises Elsewhere.
    """
    lease = _begin(ports, ticket)
    attempt = Attempt(ports, lease, StopToken())
    with liveness.holding(ports.home, lease):
        try:
            with contextlib.suppress(Unavailable):  # what others left can wait
                sweep(ports)
            with watched(ports, lease, attempt.stop, lease.flow_run):
                yield attempt
        except Stopped:
            _receipt(attempt, _RELEASE)
            raise
        except ReforgeError as error:
            _fail(attempt, str(error))
            raise
        except (TerminationSignal, KeyboardInterrupt):
            _terminated(attempt)
            raise
        except BaseException as error:  # the run boundary: whatever it was, the ticket must not stay open
            _fail(attempt, f"The run broke off: {error!r}. Run it again; finished stages are reused")
            raise
        finally:
            with contextlib.suppress(Unavailable):  # then it is over soon
                ports.catalog.attempts.release(lease)


def deployed() -> bool:
    """Whether this run is a deployment's own, which can be started again: a run within another one can't."""
    context = FlowRunContext.get()
    return context is not None and context.flow_run is not None and context.flow_run.deployment_id is not None


def opened(catalog: str | None, store: str | None, builder: str | None) -> Ports:
    """The ports of this run by the names of its blocks; a deployment's run waits for servers that are away.

    Raises what `configured` and `Ports.open` raise.
    """
    return patiently(lambda: Ports.open(configured(catalog, store, builder)), _patience())


def _patience() -> float:
    return OUTAGE if deployed() else 0  # who runs it in a process of their own is told at once


def _begin(ports: Ports, ticket: Ticket) -> Lease:
    if ticket.terminal:
        raise Elsewhere(ticket.id)
    run, count = runtime.flow_run.get_id(), runtime.flow_run.get_run_count()
    attempts, there = ports.catalog.attempts, deployed()
    try:
        return patiently(
            lambda: attempts.begin(ticket.id, ports.home_id, run, in_process=not there, run_count=count), _patience()
        )
    except (Occupied, Stopped):
        raise Elsewhere(ticket.id) from None


@contextlib.contextmanager
def answerable(ports: Ports, request: Asked) -> Iterator[Asked]:
    """If the request is refused before its attempt begins, the ticket that it was handed ends in error."""
    try:
        yield request
    except Stopped:
        raise
    except ReforgeError as error:
        with contextlib.suppress(Stopped, Refused, NotFound):
            _refuse(ports, request, str(error))
        raise


def _refuse(ports: Ports, request: Request, error: str) -> None:
    if request.ticket is None:
        return
    image = request.image if isinstance(request, Regeneration) else None
    ports.catalog.tickets.accept(request.ticket, request.user, request.appliance, image, request.token or "")
    ports.catalog.orders.end(request.ticket, error)


def sweep(ports: Ports) -> tuple[str, ...]:
    """End and give back what attempts that died on this machine left; tells what that was."""
    swept = ports.builder.sweep(lambda name: _dead(ports, name), Job())
    liveness.sweep(ports.home, lambda ticket, number: _bury(ports, ticket, number, swept))
    return swept


def _bury(ports: Ports, ticket: int, number: int, swept: tuple[str, ...]) -> None:
    with contextlib.suppress(NotFound):  # a ticket of another catalog
        ports.catalog.attempts.settle(ticket, liveness.judge(ports.home, ports.home_id))
        if ports.catalog.attempts.current(ticket) is not None:
            released = [left for left in swept if left == f"work folder {ticket}-{number}"]
            release(ports, ticket, number, released)


def _dead(ports: Ports, name: str) -> bool:
    ticket, _, number = name.partition("-")
    return ticket.isdigit() and number.isdigit() and not liveness.lives(ports.home, int(ticket), int(number))


def _terminated(attempt: Attempt) -> None:
    """The process was told to end: by a cancel in Prefect, or because whatever runs it ends.

    What can be started again is handed back then, and raises Superseded.
    """
    if cancelling(attempt.lease.flow_run):
        attempt.ports.catalog.tickets.cancel(attempt.ticket, "cancelled in Prefect")
        _receipt(attempt, _RELEASE)
    elif attempt.lease.restarts:
        attempt.ports.catalog.attempts.hand_back(attempt.lease)
        _receipt(attempt)
        raise Superseded(f"Attempt {attempt.lease.number} was handed back: its process was told to end")
    else:
        _fail(attempt, "The run broke off: its process was told to end. Run it again; finished stages are reused")


def _fail(attempt: Attempt, error: str) -> None:
    """End the ticket in error; if the catalog can't be told, whoever reads it later finds the attempt lost."""
    with contextlib.suppress(Unavailable):
        with contextlib.suppress(Stopped):
            attempt.ports.catalog.attempts.fail(attempt.lease, error)
        _receipt(attempt)


def _receipt(attempt: Attempt, seconds: float = 0) -> None:
    """Give back what it held outside; what catalog and store don't take in so many seconds is left to housekeeping."""
    with contextlib.suppress(Unavailable):
        patiently(lambda: release(attempt.ports, attempt.ticket, attempt.lease.number, attempt.released), seconds)
