"""Statuses of an appliance's images: polled, listed, and deleted to cancel."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from blocks.cancellation import cancel as cancelled
from deployments.gateway import wire
from deployments.gateway.answering import Asked, read, told
from deployments.gateway.answers.lists import listed
from deployments.gateway.answers.statuses import status as answer
from deployments.gateway.authorisation import Generator, Owner
from deployments.gateway.operations import APPLIANCE, IMAGE, Number, operation
from deployments.gateway.refusals import Rejected
from deployments.gateway.routes import owned

router = APIRouter(tags=["images"])


@router.get(APPLIANCE + "/images/statuses", **operation("machineImageStatus_getAll", "statuses"))
def get_all(visit: Owner, aid: Number) -> Response:
    """The statuses of all images of the appliance."""
    owned.appliance(visit, aid)
    page = visit.ports.catalog.images.list(visit.uid, aid)
    return read(visit.request, listed(wire.OpStatuses, tuple(answer(row) for row in page.rows), page.total))


@router.get(IMAGE + "/status", **operation("machineImageStatus_get", "status"))
def get(visit: Owner, aid: Number, itid: Number) -> Response:
    """How far the generation is."""
    return read(visit.request, answer(owned.image(visit, aid, itid)))


@router.delete(IMAGE + "/status", **operation("machineImageGeneration_cancel", "status", errors=(409,)))
def cancel(visit: Generator, media: Asked, aid: Number, itid: Number) -> Response:
    """Cancel the generation; one that doesn't run is left as it is."""
    row = owned.image(visit, aid, itid)
    if row.ticket.terminal or not cancelled(visit.ports, itid, f"cancelled by {visit.uid}"):
        raise Rejected(f"Image {itid} is not being made", "There is nothing to cancel", status=409)
    return told(media, answer(visit.ports.catalog.images.get(visit.uid, aid, itid)))
