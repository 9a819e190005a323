"""Admission: who asks, for what, and the ticket that comes of it. One way for the flows and for every way in."""

from __future__ import annotations

from blocks.catalog.tickets import TicketRequest
from blocks.model import Ticket
from blocks.model.request import FirstGeneration, Regeneration, Request
from blocks.planning import Prior, first, prior
from blocks.ports import Ports


def admit(ports: Ports, request: Request) -> tuple[Ticket, str]:
    """Authorise, load and create at once: the ticket and the token of its dispatch. Raises what those raise."""
    authorise(ports, request)
    ticket = create(ports, request, load(ports, request))
    return ticket, ports.catalog.tickets.token(ticket.id)


def authorise(ports: Ports, request: Request) -> None:
    """Raise UnknownUser, InactiveUser, MissingEntitlement, ForeignAppliance or NotFound unless the user may."""
    ports.catalog.users.authorise(request.user, "image_generate", request.appliance)


def load(ports: Ports, request: Request) -> Prior:
    """What the generation starts from: its parent, or its appliance as it is now."""
    if isinstance(request, Regeneration):
        return prior(ports, request)
    if isinstance(request, FirstGeneration):
        return first(ports, request)
    raise TypeError(f"No generation is made from a {type(request).__name__}")


def create(ports: Ports, request: Request, start: Prior) -> Ticket:
    """The ticket of the request: the one it was handed, or a new one."""
    if request.ticket is not None:
        accept = ports.catalog.tickets.accept
        return accept(request.ticket, request.user, request.appliance, start.parent, request.token or "")
    wanted = TicketRequest(
        user=request.user,
        appliance=request.appliance,
        parent=start.parent,
        policy=start.policy,
        rebuild=isinstance(request, Regeneration) and request.rebuild,
        force=request.force,
        plan=request.plan if isinstance(request, Regeneration) else None,
        recipe=start.recipe,
    )
    return ports.catalog.tickets.create(wanted, request.key)
