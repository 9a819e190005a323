"""The installation that a command works on: its ports, and the images in it by the three arguments that name one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number as Limits

from blocks.errors import MachineUnfit, NotFound
from blocks.model import Lock, Ticket

if TYPE_CHECKING:
    from blocks.ports import Ports

Number = Annotated[int, Parameter(validator=Limits(gte=1, lt=2**31))]
"""The number of an appliance or an image."""


@contextmanager
def opened() -> Iterator[Ports]:
    """The ports of this installation, its catalog created or migrated when needed."""
    from blocks.ports import Ports  # noqa: PLC0415 - heavy

    try:
        ports = Ports.open(prepare=True)
    except OSError as error:
        raise MachineUnfit(
            f"The home folder can't be used: {error}", "Name one that you may write to in REFORGE_HOME"
        ) from error
    with ports:
        yield ports


def settled(ports: Ports, number: int) -> Ticket:
    """The ticket, ended if whoever worked on it is gone; raises NotFound."""
    from blocks import liveness  # noqa: PLC0415 - heavy

    return ports.catalog.attempts.settle(number, liveness.judge(ports.home, ports.home_id))


def find(ports: Ports, user: str, appliance: int, number: int) -> Ticket:
    """The user's image of the appliance; raises UnknownUser, NotFound."""
    ports.catalog.users.get(user)
    ticket = ports.catalog.tickets.visible(number)
    if (ticket.user, ticket.appliance) != (user, appliance):
        raise NotFound(
            f"Appliance {appliance} of {user} has no image {number}", f"`reforge images {user}` lists what there is"
        )
    return settled(ports, number)


def lock(ports: Ports, number: int) -> Lock:
    """The packages of an image, known as soon as they are resolved; raises NotFound."""
    record = ports.catalog.tickets.record(number)
    if record is not None:
        return record.generation.lock
    known = ports.catalog.tickets.lock(number)
    if known is None:
        raise NotFound(f"Image {number} has no packages: they were never resolved", "Choose another image")
    return known[0]
