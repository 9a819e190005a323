"""What a path names, if it is the path's user's; else it isn't there."""

from __future__ import annotations

from blocks import liveness
from blocks.catalog import StoredAppliance
from blocks.catalog.images import ImageRow
from blocks.errors import NotFound
from deployments.gateway.authorisation import Visit


def appliance(visit: Visit, number: int) -> StoredAppliance:
    """The user's appliance; raises NotFound."""
    stored = visit.ports.catalog.appliances.get(number)
    if stored.user != visit.uid:
        raise NotFound(f"{visit.uid} has no appliance {number}", "Name one of the user's own")
    return stored


def image(visit: Visit, appliance: int, number: int) -> ImageRow:
    """The image as it is now: one whose attempt is dead is settled first; raises NotFound."""
    ports = visit.ports
    row = ports.catalog.images.get(visit.uid, appliance, number)
    if row.ticket.terminal or not row.ticket.attempt:
        return row
    settled = ports.catalog.attempts.settle(number, liveness.judge(ports.home, ports.home_id))
    return row if settled == row.ticket else ports.catalog.images.get(visit.uid, appliance, number)
