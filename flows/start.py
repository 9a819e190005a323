"""Start: have images made by the deployments, from other flows and programs, and wait for them."""

import time
from collections.abc import Mapping
from types import MappingProxyType

from blocks import liveness
from blocks.admission import admit
from blocks.configured import configured
from blocks.errors import NotFinished, NotFound, PrefectUnavailable, ReforgeError, Refused, Stopped
from blocks.model import Format, Policy, Ticket
from blocks.model.request import FirstGeneration, Regeneration, Request
from blocks.model.summary import Summary
from blocks.model.target import TargetName
from blocks.outcome import outcome
from blocks.ports import Ports
from tasks.dispatch import dispatch
from tasks.patience import OUTAGE, patiently

_POLL = 1.0


def regenerate(
    user: str,
    appliance: int,
    image: int,
    *,
    policy: Policy | None = None,
    rebuild: bool = False,
    newest: bool = False,
    force: bool = False,
    plan: str | None = None,
    key: str | None = None,
    catalog: str | None = None,
    store: str | None = None,
    builder: str | None = None,
) -> Ticket:
    """Hand the regeneration of an image to `regenerate-image/on-demand`; returns its ticket at once.

    The parameters are those of the flow. The same `key` gives the same ticket and run, however often it is asked for.
    While Prefect is down the ticket stays `requested`, and is handed over by housekeeping once Prefect is back.
    Raises InvalidInput, a Denied error, NotFound (also if nothing is deployed), ParentRunning, KeyReused.
    """
    values = {"user": user, "appliance": appliance, "image": image, "policy": policy, "rebuild": rebuild}
    request = Regeneration.parse(values | {"newest": newest, "force": force, "plan": plan, "key": key}, "the request")
    return hand_over(request, {"catalog": catalog, "store": store, "builder": builder})


def generate(
    user: str,
    appliance: int,
    *,
    format: Format | None = None,  # noqa: A002 (the word of the field, and of Prefect's form)
    compress: bool = True,
    target: TargetName | None = None,
    simulated: bool = False,
    check_dependencies: bool = False,
    disk_size: int | None = None,
    memory_size: int | None = None,
    swap_size: int | None = None,
    key: str | None = None,
    catalog: str | None = None,
    store: str | None = None,
    builder: str | None = None,
) -> Ticket:
    """Hand an appliance's first image to `generate-image/on-demand`, likewise."""
    values = {"user": user, "appliance": appliance, "format": format, "compress": compress, "target": target}
    values |= {"simulated": simulated, "check_dependencies": check_dependencies, "key": key}
    values |= {"disk_size": disk_size, "memory_size": memory_size, "swap_size": swap_size}
    request = FirstGeneration.parse(values, "the request")
    return hand_over(request, {"catalog": catalog, "store": store, "builder": builder})


def wait(
    ticket: Ticket | int,
    *,
    seconds: float | None = None,
    catalog: str | None = None,
    store: str | None = None,
    builder: str | None = None,
) -> Summary:
    """Wait for the ticket's end in the catalog, at most so many seconds; returns what has come of it.

    A server that doesn't answer is waited for, ten minutes at most. Raises Stopped if the ticket was cancelled,
    ReforgeError with its reason if it ended in error, NotFinished, NotFound, Unavailable.
    """
    number = ticket.id if isinstance(ticket, Ticket) else ticket
    end = None if seconds is None else time.monotonic() + seconds
    patience = OUTAGE if seconds is None else min(seconds, OUTAGE)
    with patiently(lambda: Ports.open(configured(catalog, store, builder)), patience) as ports:
        alive = liveness.judge(ports.home, ports.home_id)
        while not (found := patiently(lambda: ports.catalog.attempts.settle(number, alive), patience)).terminal:
            if end is not None and time.monotonic() >= end:
                raise NotFinished(f"Ticket {number} is {found.state} after {seconds:g} s", "Wait for it again")
            time.sleep(_POLL)
        return _ended(ports, found)


def ask(ports: Ports, request: Request, blocks: Mapping[str, str | None] = MappingProxyType({})) -> Ticket:
    """Admit a request that is valid, without Prefect: its ticket stays `requested` until it is dispatched.

    `blocks` are the names that its run opens its ports by. Raises what `blocks.admission.admit` raises.
    """
    ticket, _ = admit(ports, request)
    if not ticket.terminal and ticket.flow_run is None:
        ports.catalog.orders.ask_with(ticket.id, blocks)
    return ticket


def hand_over(request: Request, blocks: Mapping[str, str | None] = MappingProxyType({})) -> Ticket:
    """Ask for a ticket and dispatch it, as `regenerate` and `generate` do."""
    with Ports.open(configured(**blocks)) as ports:
        ticket = ask(ports, request, blocks)
        try:
            return dispatch(ports, ticket.id, blocks)
        except (NotFound, Refused) as error:
            ports.catalog.tickets.cancel(ticket.id, error.what)
            raise
        except PrefectUnavailable:  # it is handed over by housekeeping
            return ticket


def _ended(ports: Ports, ticket: Ticket) -> Summary:
    if ticket.state == "cancelled":
        raise Stopped(f"Ticket {ticket.id} was cancelled: {ticket.message}")
    if ticket.state == "error":
        raise ReforgeError(f"Ticket {ticket.id} ended in error: {ticket.error}")
    return outcome(ports, ticket)
