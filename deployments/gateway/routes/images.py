"""Images of an appliance: had made, looked at, made again, deleted."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from blocks import deletion
from deployments.gateway import asking, wire
from deployments.gateway.answering import Asked, done, made, read
from deployments.gateway.answers import uris
from deployments.gateway.answers.images import image as answer
from deployments.gateway.answers.lists import listed
from deployments.gateway.authorisation import Generator, Owner, Visit
from deployments.gateway.bodies import Body, document
from deployments.gateway.listing import search
from deployments.gateway.operations import APPLIANCE, IMAGE, Number, operation
from deployments.gateway.routes import owned
from deployments.gateway.wire.documents import Media

_WHY = "deleted by {}"
router = APIRouter(tags=["images"])


@router.post(
    APPLIANCE + "/images",
    **operation("machineImage_generate", "image", status=201, body="image", errors=(400, 409)),
)
def generate(visit: Generator, media: Asked, body: Body, aid: Number) -> Response:
    """Have an image made of the appliance as it is; answers at once with its ticket."""
    sent = document(wire.Image, visit.request, body)
    owned.appliance(visit, aid)
    ticket = visit.house.starter.ask(asking.first(visit.request, visit.uid, aid, sent))
    return _made(visit, media, aid, ticket.id)


@router.get(APPLIANCE + "/images", **operation("machineImage_getAll", "images", "page", errors=(400,)))
def get_all(visit: Owner, aid: Number) -> Response:
    """The appliance's images."""
    owned.appliance(visit, aid)
    page = visit.ports.catalog.images.list(visit.uid, aid, search=search(visit.request))
    rows = tuple(answer(row, visit.account.organization) for row in page.rows)
    return read(visit.request, listed(wire.Images, rows, page.total))


@router.delete(APPLIANCE + "/images", **operation("machineImage_deleteAll", None))
def delete_all(visit: Owner, aid: Number) -> Response:
    """Delete every image of the appliance, those that are being made, too."""
    owned.appliance(visit, aid)
    numbers = visit.ports.catalog.images.numbers(visit.uid, aid)
    deletion.delete_all(visit.ports, numbers, _WHY.format(visit.uid))
    return done()


@router.get(IMAGE, **operation("machineImage_get", "image"))
def get(visit: Owner, aid: Number, itid: Number) -> Response:
    """One image."""
    return read(visit.request, answer(owned.image(visit, aid, itid), visit.account.organization))


@router.post(IMAGE, **operation("machineImage_regenerate", "image", "force", status=201, errors=(400, 409)))
def regenerate(visit: Generator, media: Asked, aid: Number, itid: Number) -> Response:
    """Make the image again from its own request; with `force` one that is still being made is cancelled first."""
    owned.image(visit, aid, itid)
    ticket = visit.house.starter.ask(asking.again(visit.request, visit.uid, aid, itid))
    return _made(visit, media, aid, ticket.id)


@router.delete(IMAGE, **operation("machineImage_delete", None))
def delete(visit: Owner, aid: Number, itid: Number) -> Response:
    """Delete the image; one that is being made is cancelled first."""
    owned.image(visit, aid, itid)
    deletion.delete(visit.ports, itid, _WHY.format(visit.uid))
    return done()


def _made(visit: Visit, media: Media, aid: int, ticket: int) -> Response:
    row = visit.ports.catalog.images.get(visit.uid, aid, ticket)
    return made(media, answer(row, visit.account.organization), uris.image(visit.uid, aid, ticket))
