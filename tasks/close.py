"""Close: the runs in Prefect that outlived their tickets, for their worker died and nobody else will end them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId, FlowRunFilterState, FlowRunFilterStateType
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.states import Cancelled, Completed, Failed

from blocks import liveness
from blocks.deed import Deed
from blocks.model import Ticket
from blocks.ports import Ports

WITHIN = timedelta(hours=1)
"""Runs are looked at for so long after their ticket's end."""
GRACE = timedelta(minutes=1)
"""So long a run may take to tell its end itself."""
ANEW = timedelta(minutes=10)
"""So long one that was taken up after that may take to ask for a ticket of its own."""
_PAGE = 100
_OPEN = [StateType.RUNNING, StateType.PENDING, StateType.SCHEDULED, StateType.CANCELLING]


def deserted(ports: Ports, client: SyncPrefectClient, home: str | None = None) -> Iterator[Deed]:
    """The open runs of tickets that ended within the last hour and more than a minute ago.

    One that has another ticket since, that was started again, or whose process lives here, is not among them. With a
    home only those that ran there, and at once: whoever would have told their ends has ended itself.
    """
    now = datetime.now(UTC)
    ended = {ticket.flow_run: ticket for ticket in ports.catalog.tickets.ended(WITHIN.total_seconds())}
    for ticket in ports.catalog.tickets.list(live=True):
        ended.pop(ticket.flow_run, None)
    silent = {run: ticket for run, ticket in ended.items() if _silent(ports, ticket, now, home)}
    wanted = {UUID(run): ticket for run, ticket in silent.items() if run is not None}
    for run in _open(client, list(wanted)):
        ticket = wanted[run.id]
        if run.state is not None and not _begun_anew(run.state, ticket, now):
            what = f"run {run.id}: {ticket.state}"
            why = f"its ticket {ticket.id} is {ticket.state}, and nobody works on it ({run.state.name})"
            yield Deed(what, why, partial(_end, client, run.id, ticket))


def _silent(ports: Ports, ticket: Ticket, now: datetime, home: str | None) -> bool:
    """Whether the run has had its time, or ran at that home, and isn't seen alive."""
    if home is None:
        over = ticket.finished is not None and now - ticket.finished > GRACE
    else:
        lease = ports.catalog.attempts.current(ticket.id)
        over = lease is not None and lease.home == home
    return over and not liveness.lives(ports.home, ticket.id, ticket.attempt)


def _open(client: SyncPrefectClient, runs: Sequence[UUID]) -> Iterator[FlowRun]:
    state = FlowRunFilterState(type=FlowRunFilterStateType(any_=_OPEN))
    for start in range(0, len(runs), _PAGE):
        wanted = FlowRunFilter(id=FlowRunFilterId(any_=list(runs[start : start + _PAGE])), state=state)
        yield from client.read_flow_runs(flow_run_filter=wanted, limit=_PAGE)


def _begun_anew(state: State, ticket: Ticket, now: datetime) -> bool:
    """Whether somebody started the run again after the ticket's end: it will ask for another ticket."""
    if state.is_cancelling() or ticket.finished is None or state.timestamp < ticket.finished:
        return False
    return state.is_scheduled() or now - state.timestamp < ANEW


def _end(client: SyncPrefectClient, run: UUID, ticket: Ticket) -> bool:
    message = f"Ended by housekeeping: its ticket {ticket.id} is {ticket.state}"
    state: State = {"complete": Completed, "cancelled": Cancelled}.get(ticket.state, Failed)(message=message)
    found = client.read_flow_run(run).state
    if found is not None and found.is_final():
        return False
    client.set_flow_run_state(run, state, force=True)
    return True
