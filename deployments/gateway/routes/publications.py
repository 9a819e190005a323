"""Publications: none are made yet, so that lists are empty and none is there."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from blocks.errors import NotFound
from deployments.gateway import wire
from deployments.gateway.answering import done, read
from deployments.gateway.answers.lists import listed
from deployments.gateway.authorisation import Owner, Publisher, User
from deployments.gateway.operations import APPLIANCE, IMAGE, Number, operation
from deployments.gateway.refusals import Rejected
from deployments.gateway.routes import owned

_ONE = IMAGE + "/pimages/{pitid:number}"
router = APIRouter(tags=["publications"])


@router.get(APPLIANCE + "/pimages", **operation("machineImagePublished_getAll", "publishImages"))
def get_all(visit: Owner, aid: Number) -> Response:
    """The publications of the appliance's images."""
    owned.appliance(visit, aid)
    return read(visit.request, listed(wire.PublishImages, ()))


@router.get(APPLIANCE + "/pimages/statuses", **operation("machineImagePublishedStatus_getAll", "statuses"))
def get_statuses(visit: Owner, aid: Number) -> Response:
    """Their statuses."""
    owned.appliance(visit, aid)
    return read(visit.request, listed(wire.OpStatuses, ()))


@router.delete(APPLIANCE + "/pimages", **operation("machineImagePublished_deleteAll", None))
def delete_all(visit: Owner, aid: Number) -> Response:
    """Delete all of them."""
    owned.appliance(visit, aid)
    return done()


@router.post(APPLIANCE + "/pimages", **operation("machineImage_publish", None, status=501, body="publishImage"))
def publish(visit: Publisher, aid: Number) -> Response:
    """Publish an image on a cloud."""
    owned.appliance(visit, aid)
    raise _unable()


@router.post(IMAGE + "/pimages", **operation("applianceImage_publish", None, status=501, body="publishImage"))
def publish_one(visit: Publisher, aid: Number, itid: Number) -> Response:
    """Publish the image on a cloud."""
    owned.image(visit, aid, itid)
    raise _unable()


@router.get(
    APPLIANCE + "/pimages/{pitid:number}/downloads",
    **operation("machineImagePublished_download", "bytes", "id", "downloadId"),
)
def download(visit: User, aid: Number, pitid: Number) -> Response:
    """The file of a publication."""
    owned.appliance(visit, aid)
    raise _missing(pitid)


@router.get(_ONE, **operation("machineImagePublished_get", "publishImage"))
def get(visit: User, aid: Number, itid: Number, pitid: Number) -> Response:
    """One publication."""
    owned.image(visit, aid, itid)
    raise _missing(pitid)


@router.delete(_ONE, **operation("machineImagePublished_delete", None))
def delete(visit: Publisher, aid: Number, itid: Number, pitid: Number) -> Response:
    """Delete it."""
    owned.image(visit, aid, itid)
    raise _missing(pitid)


@router.get(_ONE + "/status", **operation("machineImagePublishedStatus_get", "status"))
def get_status(visit: Publisher, aid: Number, itid: Number, pitid: Number) -> Response:
    """How far it is."""
    owned.image(visit, aid, itid)
    raise _missing(pitid)


@router.delete(_ONE + "/cancel", **operation("machineImagePublish_cancel", None))
def cancel(visit: Publisher, aid: Number, itid: Number, pitid: Number) -> Response:
    """Cancel it."""
    owned.image(visit, aid, itid)
    raise _missing(pitid)


def _missing(number: int) -> NotFound:
    return NotFound(f"There is no publication {number}", "None are made yet")


def _unable() -> Rejected:
    return Rejected("Images can't be published from here yet", "Download the image and upload it there", status=501)
