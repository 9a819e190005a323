"""Step create: the image ticket, new or the one that the run was handed."""

from __future__ import annotations

from prefect import runtime

from blocks import admission
from blocks.model import Ticket
from blocks.model.request import Request
from blocks.planning import Prior
from blocks.ports import Ports
from tasks.step import step


@step("create ticket", minutes=1, tag="catalog")
def create(ports: Ports, request: Request, start: Prior) -> Ticket:
    """The ticket. A run that was handed none makes one, keyed by its own id, so that a restart finds it again.

    A run that is retried although its ticket has ended makes a new one with the same parent.
    """
    run = runtime.flow_run.get_id()
    if run is None or request.key is not None or (request.ticket is not None and not _retried(ports, request.ticket)):
        return admission.create(ports, request, start)
    request = request.model_copy(update={"ticket": None, "token": None})
    ticket = _keyed(ports, request, start, f"run/{run}")
    while ticket.terminal or _outdated(ports, ticket, start):
        ticket = _keyed(ports, request, start, f"run/{run}/{ticket.id}")
    return ticket


def _retried(ports: Ports, number: int) -> bool:
    """Whether this is another try of the run that worked on the ticket until it ended."""
    ticket = ports.catalog.tickets.get(number)
    begun = ticket.attempt > 0 or ticket.state == "error"
    return ticket.terminal and begun and ticket.flow_run == runtime.flow_run.get_id()


def _outdated(ports: Ports, ticket: Ticket, start: Prior) -> bool:
    """Whether an earlier try of the run was about another image or recipe; then its ticket is cancelled."""
    before = (ticket.parent, ticket.policy, ports.catalog.tickets.recipe(ticket.id))
    if before == (start.parent, start.policy, start.recipe):
        return False
    ports.catalog.tickets.cancel(ticket.id, "its run was started again, and works from a newer image or recipe now")
    return True


def _keyed(ports: Ports, request: Request, start: Prior, key: str) -> Ticket:
    return admission.create(ports, request.model_copy(update={"key": key}), start)
