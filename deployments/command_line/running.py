"""A generation in this process: admitted first, then run by Prefect, told from the catalog."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from blocks.errors import Occupied, PrefectUnavailable, ReforgeError, Stopped
from blocks.model import Ticket
from blocks.model.request import Request
from blocks.model.summary import Summary
from deployments.command_line.home import settled
from deployments.command_line.interruption import REASON, Interruption
from deployments.command_line.output import tell
from deployments.command_line.progress import followed

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State

    from blocks.ports import Ports

Story = Callable[[Ticket, str, Callable[..., None]], "State[Any]"]
"""Runs a flow with a ticket, its token and what to call once it is running; gives its final state."""

_POLL = 1.0
_ENDED_BY_ITSELF = "The run ended before it worked on the ticket"


class Generation:
    """One ticket, from the request to its end."""

    def __init__(self, ports: Ports, request: Request) -> None:
        from blocks import admission  # noqa: PLC0415 - heavy

        self._ports = ports
        self._ticket, self._token = admission.admit(ports, request)
        self._number = self._ticket.id
        self._failure: ReforgeError | None = None
        self._interruption = Interruption()
        self._announce(self._ticket)

    def run(self, story: Story, *, verbose: bool) -> Ticket:
        """The ended ticket; it is run here unless it has ended or somebody works on it already."""
        ticket = settled(self._ports, self._number)
        if ticket.terminal:
            return ticket
        with self._interruption.heard(), followed(self._ports, self._number, self._interruption):
            try:
                if not self._is_taken(ticket):
                    self._failure = self._run(story, verbose=verbose)
            except KeyboardInterrupt:
                self._ports.catalog.tickets.cancel(self._number, REASON)
            finally:
                ended = self._end()
        return ended

    def summary(self, ticket: Ticket) -> Summary:
        """What came of it."""
        from blocks.outcome import outcome  # noqa: PLC0415 - heavy

        return outcome(self._ports, ticket)

    def failure(self, ticket: Ticket) -> ReforgeError | None:
        """Why the ticket isn't complete."""
        if ticket.state == "complete":
            return None
        if ticket.state == "cancelled":
            return Stopped(f"Ticket {ticket.id} was cancelled: {ticket.message}")
        told = self._failure
        return told if told and not isinstance(told, Stopped) else ReforgeError(ticket.error)

    def _announce(self, ticket: Ticket) -> None:
        command = f"{ticket.user} {ticket.appliance} {ticket.id}"
        tell(f"Ticket {ticket.id}: {ticket.state}")
        if not ticket.terminal:
            tell(f"Watch it with `reforge status {command}`, cancel it with `reforge cancel {command}`")

    def _run(self, story: Story, *, verbose: bool) -> ReforgeError | None:
        import httpx  # noqa: PLC0415 - heavy

        os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "INFO" if verbose else "WARNING")
        from deployments import embedded  # noqa: PLC0415 - heavy

        try:
            with embedded.server(self._ports.home, tell), self._interruption.gently():
                return self._tell_story(story, verbose=verbose)
        except httpx.HTTPError as error:
            return PrefectUnavailable(f"The Prefect API stopped answering: {error}", "Run it again")
        except ReforgeError as error:
            return error

    def _tell_story(self, story: Story, *, verbose: bool) -> ReforgeError | None:
        """Run the flow; nothing that it prints reaches standard output."""
        from prefect.exceptions import TerminationSignal  # noqa: PLC0415 - heavy

        _quieten(verbose=verbose)
        try:
            with contextlib.redirect_stdout(sys.stderr):
                return _failure(story(self._ticket, self._token, self._interruption.hear))
        except TerminationSignal:
            raise KeyboardInterrupt from None

    def _end(self) -> Ticket:
        """The ended ticket: awaited while somebody else works on it or will, in error if nobody ever did."""
        while not (ticket := settled(self._ports, self._number)).terminal:
            if not self._is_taken(ticket):
                self._fail(str(self._failure or _ENDED_BY_ITSELF))
            else:
                time.sleep(_POLL)
        return ticket

    def _is_taken(self, ticket: Ticket) -> bool:
        """Whether a run works on the ticket, or was handed it."""
        return ticket.flow_run is not None or self._ports.catalog.attempts.current(self._number) is not None

    def _fail(self, reason: str) -> None:
        attempts = self._ports.catalog.attempts
        with contextlib.suppress(Stopped, Occupied):
            lease = attempts.begin(self._number, self._ports.home_id, in_process=True)
            attempts.fail(lease, reason)
            attempts.release(lease)


def _quieten(*, verbose: bool) -> None:
    """Runs tell their log to Prefect; on the terminal we tell what they fail of, once."""
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(name).propagate = verbose


def _failure(state: State[Any]) -> ReforgeError | None:
    """The error that the run ended in, as far as it is one of ours."""
    failure = state.result(raise_on_failure=False) if state.is_failed() else None
    return failure if isinstance(failure, ReforgeError) else None
