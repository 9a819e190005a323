"""Admission: who asks, for what, and the ticket that comes of it. One way for the flows and for every way in."""

from __future__ import annotations

from dataclasses import replace

from blocks import liveness
from blocks.catalog.tickets import TicketRequest
from blocks.errors import QuotaExceeded
from blocks.model import Ticket, digest
from blocks.model.request import FirstGeneration, Regeneration, Request
from blocks.planning import Prior, first, prior
from blocks.ports import Ports


def admit(ports: Ports, request: Request) -> tuple[Ticket, str]:
    """Authorise, load and create at once: the ticket and the token of its dispatch. Raises what those raise."""
    authorise(ports, request)
    ticket = create(ports, request, load(ports, request))
    return ticket, ports.catalog.tickets.token(ticket.id)


def authorise(ports: Ports, request: Request) -> None:
    """Raise UnknownUser, InactiveUser, MissingEntitlement, ForeignAppliance, NotFound or QuotaExceeded unless it may.

    A key that gave a ticket before asks for nothing new, so it is refused by no quota; nor is what is simulated.
    """
    ports.catalog.users.authorise(request.user, "image_generate", request.appliance)
    new = request.ticket is not None or ports.catalog.tickets.keyed(request.key) is None
    if new and not _simulated(ports, request):
        ports.catalog.quotas.check(request.user, request.ticket)


def _simulated(ports: Ports, request: Request) -> bool:
    """Whether no image will be made: so says the ticket, else the image that is made again, else the request."""
    known = request.ticket or (request.image if isinstance(request, Regeneration) else None)
    if known is not None:
        return ports.catalog.tickets.recipe(known).simulated
    return isinstance(request, FirstGeneration) and request.simulated


def load(ports: Ports, request: Request) -> Prior:
    """What the generation starts from: its parent, or its appliance as it is now; or all that its ticket froze."""
    known = _known(ports, request)
    if isinstance(request, Regeneration):
        return prior(ports, request) if known is None else prior(ports, _frozen(request, known), admitted=True)
    if isinstance(request, FirstGeneration):
        start = first(ports, request)
        return start if known is None else replace(start, recipe=ports.catalog.tickets.recipe(known.id))
    raise TypeError(f"No generation is made from a {type(request).__name__}")


def _known(ports: Ports, request: Request) -> Ticket | None:
    """The ticket that the request was handed, or that its key gave; whether it may have it is asked later."""
    number = request.ticket or ports.catalog.tickets.keyed(request.key)
    ticket = None if number is None else ports.catalog.tickets.get(number)
    return ticket if ticket and (ticket.user, ticket.appliance) == (request.user, request.appliance) else None


def _frozen(request: Regeneration, ticket: Ticket) -> Regeneration:
    """The request with what was settled when its ticket was made; a handed one names its image itself."""
    settled: dict[str, object] = {"policy": ticket.policy}
    if request.ticket is None and ticket.parent is not None:
        settled |= {"image": ticket.parent, "newest": False}
    return request.model_copy(update=settled)


def create(ports: Ports, request: Request, start: Prior) -> Ticket:
    """The ticket of the request: the one it was handed, or a new one; raises QuotaExceeded."""
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
        asked=digest(request.model_copy(update={"ticket": None, "token": None, "key": None}).document()),
    )
    try:
        return ports.catalog.tickets.create(wanted, request.key)
    except QuotaExceeded:
        _end_lost(ports, request.user)
        return ports.catalog.tickets.create(wanted, request.key)


def _end_lost(ports: Ports, user: str) -> None:
    """End the user's tickets whose attempt is dead, so that they hold no place in its quota."""
    alive = liveness.judge(ports.home, ports.home_id)
    for ticket in ports.catalog.tickets.list(user, live=True):
        ports.catalog.attempts.settle(ticket.id, alive)
