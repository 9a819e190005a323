"""Revive: the run of a ticket whose attempt was lost is started again, as the same run in Prefect.

The catalog has decided by then: the ticket waits for its run, requested. Here Prefect's side of it is set right, from
what its run says. A process that was taken for dead can't do harm when it comes back, so a restart too many is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.exceptions import ObjectNotFound
from prefect.states import AwaitingRetry, Cancelled

from blocks.catalog import Lease
from blocks.deed import Deed, Done, carried_out
from blocks.model import Ticket
from blocks.ports import Ports
from tasks.dispatch import asking

_START = timedelta(minutes=2)
_MISSING = timedelta(hours=1)
_RESTARTS = 6  # Prefect's own worker may report one crash twice
_SHOWN = 1000
_AGAIN = "Ticket {ticket} waits for its run after attempt {attempt}"


def revive(ports: Ports, *, dry: bool = False) -> tuple[Done, ...]:
    """Start the runs that waiting tickets need, and end the tickets whose run will never work on them.

    A dry run tells it and does nothing. Raises CatalogUnavailable, PrefectUnavailable, Refused.
    """
    waiting = ports.catalog.orders.waiting()
    if not waiting:
        return ()
    with asking() as client:
        return carried_out((deed for ticket in waiting for deed in _deeds(ports, client, ticket)), dry=dry)


def start_again(client: SyncPrefectClient, run: UUID, message: str) -> bool:
    """Have the run taken up once more, whatever state it is in."""
    client.set_flow_run_state(run, AwaitingRetry(scheduled_time=datetime.now(UTC), message=message), force=True)
    return True


def _deeds(ports: Ports, client: SyncPrefectClient, ticket: Ticket) -> Iterator[Deed]:
    """What is to be done about one ticket: one deed or none."""
    try:
        run = client.read_flow_run(UUID(ticket.flow_run))
    except ObjectNotFound:
        yield from _missing(ports, ticket)
        return
    lost = ports.catalog.attempts.current(ticket.id)
    if run.state is None or run.state.is_scheduled():
        return
    if run.state.is_cancelled() or run.state.is_cancelling():
        yield _cancelled(ports, client, ticket, run)
    elif (ending := _ending(client, ticket, run, run.state, lost)) is not None:
        yield Deed(f"ticket {ticket.id}: error", ending, lambda: ports.catalog.orders.end(ticket.id, ending))
    elif (why := _idle(run, run.state, lost)) is not None:
        what = f"ticket {ticket.id}: run {run.id} starts again"
        message = f"{_again(ticket)}: {why}"
        yield Deed(
            what, why, lambda: _waits(ports, ticket) and _stands(client, run) and start_again(client, run.id, message)
        )


def _missing(ports: Ports, ticket: Ticket) -> Iterator[Deed]:
    """Another Prefect may have the run, so its absence counts only after a while."""
    since = max((event.time for event in ports.catalog.events.list(ticket.id)), default=ticket.created)
    if datetime.now(UTC) - since > _MISSING:
        why = "Its run was deleted in Prefect. Run it again; finished stages are reused"
        yield Deed(f"ticket {ticket.id}: error", why, lambda: ports.catalog.orders.end(ticket.id, why))


def _cancelled(ports: Ports, client: SyncPrefectClient, ticket: Ticket, run: FlowRun) -> Deed:
    """Nobody works on it, so what is being cancelled is cancelled."""
    why = "its run was cancelled in Prefect before it began" + (" again" if ticket.attempt else "")

    def cancel() -> bool:
        cancelled = ports.catalog.tickets.cancel(ticket.id, why)
        if ticket.attempt and run.state is not None and run.state.is_cancelling():
            client.set_flow_run_state(run.id, Cancelled(message=why), force=True)
        return cancelled

    return Deed(f"ticket {ticket.id}: cancelled", why, cancel)


def _ending(client: SyncPrefectClient, ticket: Ticket, run: FlowRun, state: State, lost: Lease | None) -> str | None:
    """Why the run will never work on the ticket; None if it may, or may once it is started again."""
    if lost is None and state.is_final() and not state.is_crashed():
        return f"The run ended before it worked on the ticket ({_told(state)})"
    if _idle(run, state, lost) is None or _restarts(client, ticket, run) < _RESTARTS:
        return None
    return f"The run was started again {_RESTARTS} times and never worked on the ticket ({_told(state)})"


def _idle(run: FlowRun, state: State, lost: Lease | None) -> str | None:
    """Why nobody works on the run although its state isn't waiting; None if somebody may."""
    if state.is_final():
        return f"its run has ended ({state.name})"
    if lost is not None and state.is_running() and lost.run_count == run.run_count:
        return "its process is gone"
    if (state.is_pending() or state.is_running()) and datetime.now(UTC) - state.timestamp > _START:
        return f"its run was taken up at {state.timestamp:%Y-%m-%d %H:%M} UTC and never began"
    return None


def _restarts(client: SyncPrefectClient, ticket: Ticket, run: FlowRun) -> int:
    """How often the run was started again since the ticket's newest attempt."""
    again = _again(ticket)
    return sum((state.message or "").startswith(again) for state in client.read_flow_run_states(run.id))


def _again(ticket: Ticket) -> str:
    return _AGAIN.format(ticket=ticket.id, attempt=ticket.attempt)


def _waits(ports: Ports, ticket: Ticket) -> bool:
    """Whether it still waits: its run may have begun since it was looked at."""
    now = ports.catalog.tickets.get(ticket.id)
    return (now.state, now.attempt) == (ticket.state, ticket.attempt)


def _stands(client: SyncPrefectClient, run: FlowRun) -> bool:
    """Whether the run is in the state it was seen in: another machine may have started it again, and begun it."""
    return client.read_flow_run(run.id).state_id == run.state_id


def _told(state: State) -> str:
    return f"{state.name}: {(state.message or '')[:_SHOWN]}"
