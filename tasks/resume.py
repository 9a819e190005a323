"""Step resume: what an earlier process of this run had begun, and didn't bring to its end."""

from __future__ import annotations

from prefect import runtime

from blocks.ports import Ports
from tasks.attempt import Asked
from tasks.step import step


@step("resume", minutes=1, tag="catalog")
def resume(ports: Ports, request: Asked) -> Asked:
    """The request with the ticket that this run made for itself and worked on until it was lost, if it did."""
    run = runtime.flow_run.get_id()
    if run is None or request.ticket is not None or request.key is not None:
        return request
    number = _last(ports, f"run/{run}")
    if number is None or (ticket := ports.catalog.tickets.get(number)).terminal or not ticket.attempt:
        return request
    return request.model_copy(update={"ticket": number, "token": ports.catalog.tickets.token(number)})


def _last(ports: Ports, key: str) -> int | None:
    """The newest of the tickets that a run made, one after the other, beginning with this key."""
    number = ports.catalog.tickets.keyed(key)
    while number is not None and (later := ports.catalog.tickets.keyed(f"{key}/{number}")) is not None:
        number = later
    return number
