"""Steps of housekeeping: each settles or gives back one kind of what was lost, and tells what and why."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import State
from prefect.exceptions import ObjectNotFound

from blocks import liveness
from blocks.errors import NotFound, Refused
from blocks.model import Ticket, Words
from blocks.ports import Ports
from tasks.attempt import sweep
from tasks.dispatch import asking, dispatch
from tasks.step import step

_UNDISPATCHED_SECONDS = 180.0
_START = timedelta(minutes=30)
_SHOWN = 1000


class Done(Words):
    """One thing that housekeeping did, and why."""

    what: str
    why: str


@step("settle lost tickets", minutes=5, tag="catalog")
def settle_lost(ports: Ports) -> tuple[Done, ...]:
    """End the tickets whose attempt is dead."""
    alive = liveness.judge(ports.home, ports.home_id)
    live = ports.catalog.tickets.list(live=True)
    ended = [ports.catalog.attempts.settle(ticket.id, alive) for ticket in live]
    return tuple(Done(what=f"ticket {each.id}: {each.state}", why=each.error) for each in ended if each.terminal)


@step("settle queued tickets", minutes=5, tag="prefect")
def settle_queued(ports: Ports) -> tuple[Done, ...]:
    """End the tickets whose run was cancelled in Prefect, failed or died before it worked on them."""
    waiting = ports.catalog.orders.waiting()
    if not waiting:
        return ()
    with asking() as client:
        runs = [(ticket.id, _run(client, ticket)) for ticket in waiting]
    ended = (_settled(ports, number, run) for number, run in runs if run is not None)
    return tuple(done for done in ended if done is not None)


@step("dispatch requested tickets", minutes=5, tag="prefect")
def dispatch_requested(ports: Ports, blocks: Mapping[str, str | None]) -> tuple[Done, ...]:
    """Hand over the tickets that were asked for while Prefect was down."""
    done = []
    for number in ports.catalog.orders.undispatched(_UNDISPATCHED_SECONDS):
        with contextlib.suppress(NotFound, Refused):  # not deployed here, or by another version
            ticket = dispatch(ports, number, blocks)
            done.append(Done(what=f"ticket {number}: handed to run {ticket.flow_run}", why="no run worked on it"))
    return tuple(done)


@step("sweep this machine", minutes=5, tag="build")
def sweep_machine(ports: Ports) -> tuple[Done, ...]:
    """Give back what dead attempts hold on this machine."""
    return tuple(Done(what=left, why="its attempt is dead") for left in sweep(ports))


@step("abort uploads", minutes=5, tag="store")
def abort_uploads(ports: Ports) -> tuple[Done, ...]:
    """Abort what tickets that have ended were uploading."""
    done = []
    for intent in ports.catalog.intents.pending():
        ticket = ports.catalog.tickets.get(intent.ticket)
        if ticket.terminal:
            ports.store.abort(intent.key)
            ports.catalog.intents.close(intent.key)
            done.append(Done(what=f"unfinished upload {intent.key}", why=f"its ticket is {ticket.state}"))
    return tuple(done)


def _run(client: SyncPrefectClient, ticket: Ticket) -> State | None:
    """The state of the ticket's run; None if this Prefect has none: another one may."""
    try:
        return client.read_flow_run(UUID(ticket.flow_run)).state
    except ObjectNotFound:
        return None


def _settled(ports: Ports, number: int, run: State) -> Done | None:
    if run.is_cancelled():
        why = "its run was cancelled in Prefect before it began"
        return Done(what=f"ticket {number}: cancelled", why=why) if ports.catalog.tickets.cancel(number, why) else None
    failure = _failure(run)
    ended = failure is not None and ports.catalog.orders.end(number, failure)
    return Done(what=f"ticket {number}: error", why=failure) if failure and ended else None


def _failure(run: State) -> str | None:
    """Why a run will never work on its ticket; None if it may."""
    if run.is_final():
        return f"The run ended before it worked on the ticket ({run.name}): {(run.message or '')[:_SHOWN]}"
    if (run.is_pending() or run.is_running()) and datetime.now(UTC) - run.timestamp > _START:
        return f"The run was taken up at {run.timestamp:%Y-%m-%d %H:%M} UTC and never began. Run it again"
    return None
