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
    if request.key is not None or request.ticket is not None or run is None:
        return admission.create(ports, request, start)
    ticket = _keyed(ports, request, start, f"run/{run}")
    while ticket.terminal:
        ticket = _keyed(ports, request, start, f"run/{run}/{ticket.id}")
    return ticket


def _keyed(ports: Ports, request: Request, start: Prior, key: str) -> Ticket:
    return admission.create(ports, request.model_copy(update={"key": key}), start)
