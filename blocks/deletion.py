"""Deleting: an image is out of its user's sight at once; what the store has of it goes then, or is finished later.

The record goes first and the references after it, so a catalog that is made anew from the store doesn't bring it back.
An image that goes with its appliance loses its file only: record and package files stay, from which an operator can
have it made again exactly.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from blocks import liveness
from blocks.cancellation import Tell, cancel, silent
from blocks.deed import Deed
from blocks.errors import MachineUnfit, Refused, StoreRefused, Unavailable
from blocks.model import Ticket
from blocks.ports import Ports

GRACE = timedelta(minutes=1)
"""So long whoever worked on an image that was cancelled may take to let go."""


def delete(ports: Ports, number: int, reason: str, tell: Tell = silent) -> bool:
    """Delete an image, cancelled before if it is being made; True only for the call that did it; raises NotFound.

    What the store has of it goes as well; while it can't be reached that is left to housekeeping.
    """
    done = _hide(ports, number, reason, tell)
    with contextlib.suppress(Unavailable, StoreRefused, MachineUnfit):
        _finish(ports, number)
    return done


def delete_all(ports: Ports, numbers: Iterable[int], reason: str, tell: Tell = silent) -> tuple[int, ...]:
    """Delete images likewise, all of them from sight before the store is asked; returns those that it deleted."""
    gone = tuple(number for number in numbers if _hide(ports, number, reason, tell))
    with contextlib.suppress(Unavailable, StoreRefused, MachineUnfit):
        for number in gone:
            _finish(ports, number)
    return gone


def delete_appliance(ports: Ports, appliance: int, *, force: bool = False, tell: Tell = silent) -> tuple[int, ...]:
    """Delete an appliance with its images, and tell which those were; raises NotFound.

    Raises Refused while an image of it is being made; with `force` that is cancelled.
    """
    stored = ports.catalog.appliances.get(appliance)
    live = _live(ports, appliance)
    if live and not force:
        raise Refused(
            f"Image {live[0].id} of appliance {appliance} is still being made", "Wait for it, or use force to cancel it"
        )
    reason = f"its appliance {stored.appliance.name} {stored.appliance.version} was deleted"
    gone = _hide_all(ports, appliance, reason, tell)
    ports.catalog.appliances.delete(appliance)
    return (*gone, *_hide_all(ports, appliance, reason, tell))  # what was asked for meanwhile


def unfinished(ports: Ports) -> Iterator[Deed]:
    """The deleted images of which the store may still have something, once nobody works on them any more."""
    for number, _ in ports.catalog.tickets.remains():
        if _quiet(ports.catalog.tickets.get(number)):
            act = functools.partial(_finish, ports, number)
            yield Deed(f"record, files and logs of image {number}", "the image was deleted", act)


def _live(ports: Ports, appliance: int) -> list[Ticket]:
    """The images of the appliance that are being made: not those whose process is gone."""
    alive = liveness.judge(ports.home, ports.home_id)
    live = ports.catalog.tickets.list(appliance=appliance, live=True)
    return [
        ticket for ticket in ports.catalog.attempts.settle_all((each.id for each in live), alive) if not ticket.terminal
    ]


def _hide_all(ports: Ports, appliance: int, reason: str, tell: Tell) -> tuple[int, ...]:
    found = [ticket.id for ticket in ports.catalog.tickets.list(appliance=appliance)]
    return tuple(number for number in found if _hide(ports, number, reason, tell, keep=True))


def _hide(ports: Ports, number: int, reason: str, tell: Tell, *, keep: bool = False) -> bool:
    cancel(ports, number, reason, tell)
    return ports.catalog.tickets.delete(number, reason, keep=keep)


def _finish(ports: Ports, number: int) -> bool:
    """Remove what the store has of a deleted image, with that of all its attempts; its last one may still let go."""
    ticket = ports.catalog.tickets.get(number)
    attempts = range(ticket.attempt + 1)
    for attempt in attempts:
        ports.store.remove_record(number, attempt)
    ports.catalog.blobs.drop(number)
    for attempt in attempts:
        ports.store.remove_logs(number, attempt)
    if _quiet(ticket):
        ports.catalog.tickets.cleared(number)
    return True


def _quiet(ticket: Ticket) -> bool:
    """Whether nobody may still put something into the store for it."""
    return not ticket.attempt or (ticket.finished is not None and datetime.now(UTC) - ticket.finished > GRACE)
