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
    """The ticket; a run that was handed none makes one, keyed by its own id, so that a retry finds it again."""
    run = runtime.flow_run.get_id()
    if request.key is None and request.ticket is None and run is not None:
        request = request.model_copy(update={"key": f"run/{run}"})
    return admission.create(ports, request, start)
