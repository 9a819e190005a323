"""All images of a user, whichever appliance they are of."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from blocks.errors import NotFound
from deployments.gateway import wire
from deployments.gateway.answering import read
from deployments.gateway.answers.images import image
from deployments.gateway.answers.lists import listed
from deployments.gateway.answers.statuses import status
from deployments.gateway.authorisation import Generator, User
from deployments.gateway.listing import images
from deployments.gateway.operations import operation

router = APIRouter(tags=["images of a user"])


@router.get("/users/{uid}/images", **operation("userMachineImage_getAll", "images", "img"))
def get_all(visit: Generator) -> Response:
    """The user's images."""
    page = visit.ports.catalog.images.list(visit.uid, numbers=images(visit.request))
    rows = tuple(image(row, visit.account.organization) for row in page.rows)
    return read(visit.request, listed(wire.Images, rows, page.total))


@router.get("/users/{uid}/images/status", **operation("userMachineImageStatus_get", "statuses", "img"))
def get_statuses(visit: Generator) -> Response:
    """Their statuses."""
    page = visit.ports.catalog.images.list(visit.uid, numbers=images(visit.request))
    return read(visit.request, listed(wire.OpStatuses, tuple(map(status, page.rows)), page.total))


@router.get("/users/{uid}/pimages", **operation("userMachineImagePublished_getAll", "publishImages", "img"))
def get_published(visit: Generator) -> Response:
    """The user's publications: none."""
    return read(visit.request, listed(wire.PublishImages, ()))


@router.get("/users/{uid}/pimages/status", **operation("userMachineImagePublishedStatus_getAll", "statuses", "img"))
def get_published_statuses(visit: Generator) -> Response:
    """Their statuses: none."""
    return read(visit.request, listed(wire.OpStatuses, ()))


@router.get("/users/{uid}/pxe", **operation("pxeBootScript_download", "bytes"))
def get_pxe(visit: User) -> Response:
    """The script by which the user's images boot from the network: no image does."""
    raise NotFound(f"{visit.uid} has no image that boots from the network", "There is no such target format")
