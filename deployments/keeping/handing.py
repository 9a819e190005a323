"""Handing back: what runs below a process that is told to end is given back, so that it starts again elsewhere."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

import psutil
from prefect.client.schemas.objects import State

from blocks.catalog import Lease
from blocks.deed import carried_out
from blocks.errors import ReforgeError, Unavailable
from blocks.model import Ticket
from blocks.ports import Ports

_PATIENCE = 20.0
_KILL = 5.0
_VARIABLE = "PREFECT__FLOW_RUN_ID"
_MESSAGE = "Handed back: what ran it was told to end"


class Underway:
    """The flow runs whose processes descend from one process, and what is to be done when that ends."""

    def __init__(self, ports: Ports, leader: int) -> None:
        self._ports = ports
        self._leader = leader
        self._runs: dict[str, psutil.Process] = {}
        self._told = datetime.now(UTC)

    def give_back(self) -> None:
        """Hand back their attempts, so that their processes clean up and end; wait for that, but not for ever."""
        self._told = datetime.now(UTC)
        self._runs |= _below(self._leader)
        begun = [self._runs[run] for run in self._hand_back()]
        psutil.wait_procs(begun, _PATIENCE)
        self._runs |= _below(self._leader)

    def end(self) -> None:
        """Hand them back, and end what goes on all the same: it hasn't begun with a ticket, or doesn't end in time."""
        self.give_back()
        for process in self._runs.values():
            with suppress(psutil.NoSuchProcess):
                process.terminate()
        _, stubborn = psutil.wait_procs(self._runs.values(), _KILL)
        for process in stubborn:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(stubborn, _KILL)

    def start_again(self) -> None:
        """Have the runs taken up by whoever serves them next; as far as catalog and Prefect answer.

        Those whose tickets have ended here, which nobody will tell Prefect any more, are ended there.
        What can't be told now is found by whoever keeps the installation.
        """
        self._hand_back()
        with suppress(ReforgeError):
            _start_again(self._ports, set(self._runs), self._told)

    def _hand_back(self) -> list[str]:
        """Give back every attempt of these runs that still counts as living; the runs that it did so for."""
        with suppress(Unavailable):
            attempts = self._ports.catalog.attempts
            ours: list[Lease] = [each for each in attempts.living(self._ports.home_id) if each.flow_run in self._runs]
            return [str(lease.flow_run) for lease in ours if attempts.hand_back(lease)]
        return []


def underway(ports: Ports, leader: int) -> Underway:
    """What runs below a process of this machine."""
    return Underway(ports, leader)


def _below(leader: int) -> dict[str, psutil.Process]:
    """The flow runs' own processes: of what they started, which inherits the run's id, none."""
    found: dict[str, psutil.Process] = {}
    try:
        descendants = psutil.Process(leader).children(recursive=True)
    except psutil.NoSuchProcess:
        return found
    for process in descendants:
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if run := process.environ().get(_VARIABLE):
                found.setdefault(run, process)
    return found


def _start_again(ports: Ports, runs: set[str], told: datetime) -> None:
    from tasks.close import deserted  # noqa: PLC0415
    from tasks.dispatch import asking  # noqa: PLC0415 - Prefect is imported after its server is named
    from tasks.revive import revive, start_again  # noqa: PLC0415

    revive(ports)
    newest = {ticket.flow_run: ticket for ticket in ports.catalog.tickets.list(deleted=True)}
    with asking() as client:
        for run in runs:
            state = client.read_flow_run(UUID(run)).state
            if state is not None and _unbegun(newest.get(run), state, told):
                start_again(client, UUID(run), _MESSAGE)
        carried_out(deserted(ports, client, ports.home_id), dry=False)


def _unbegun(ticket: Ticket | None, state: State, told: datetime) -> bool:
    """Whether its process has ended before it worked on the ticket, the first time or after an attempt was lost.

    In the second case another machine may have taken it up since.
    """
    if ticket is None or (not ticket.attempt and not ticket.terminal):
        return state.is_running() or state.is_pending() or state.is_crashed()
    return ticket.state == "requested" and state.is_pending() and state.timestamp < told
