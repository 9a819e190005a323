"""Downloads of an image's file: by anybody with its one-time key, or by who may act for its owner."""

from __future__ import annotations

from functools import partial

from anyio import to_thread
from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from blocks.catalog.images import ImageRow
from blocks.errors import NotFound
from deployments.gateway.answers.images import file_name
from deployments.gateway.authentication import is_name
from deployments.gateway.authorisation import User, house, user
from deployments.gateway.downloads import Download, transfer
from deployments.gateway.house import House
from deployments.gateway.operations import IMAGE, Number, operation
from deployments.gateway.paths import HEAD
from deployments.gateway.refusals import Rejected
from deployments.gateway.routes import owned

_LINK_SECONDS = 600
_ERRORS = (400, 416)
router = APIRouter(tags=["downloads"])


@router.get(
    IMAGE + "/downloads",
    **operation("machineImage_download", "bytes", "downloadId", errors=_ERRORS, anybody=True),
)
async def download(request: Request, uid: str, aid: Number, itid: Number) -> Response:
    """The image's file."""
    found, key = house(request), request.query_params.get("downloadId", "")
    row = await to_thread.run_sync(_opened, found, uid, aid, itid, key) if key else None
    if row is not None:
        return await to_thread.run_sync(_answer, found, request, row, key)
    visit = await user(request, uid)
    row = await to_thread.run_sync(owned.image, visit, aid, itid)
    return await to_thread.run_sync(_answer, found, request, row, None)


@router.get(
    IMAGE + "/downloads/{file_name}",
    **operation("machineImage_downloadFile", "bytes", "downloadId", errors=_ERRORS, anybody=True),
)
async def download_file(request: Request, uid: str, aid: Number, itid: Number, file_name: str) -> Response:
    """The same, whatever name the client gives it."""
    del file_name
    return await download(request, uid, aid, itid)


@router.get(IMAGE + "/files/{filepath:path}", **operation("machineImageFile_download", "bytes", errors=_ERRORS))
def get_file(visit: User, aid: Number, itid: Number, filepath: str) -> Response:
    """A file of the image, of which each has one."""
    row = owned.image(visit, aid, itid)
    if row.file is None or filepath != file_name(row):
        raise NotFound(f"Image {itid} has no file {filepath}", "See its fileName")
    return _answer(visit.house, visit.request, row, None)


def _opened(found: House, uid: str, aid: int, itid: int, key: str) -> ImageRow | None:
    """The image, if the key opens it."""
    if not is_name(uid):
        return None
    try:
        row = found.ports.catalog.images.get(uid, aid, itid)
    except NotFound:
        return None
    return row if found.ports.catalog.images.by_key(itid, key) else None


def _answer(found: House, request: Request, row: ImageRow, key: str | None) -> Response:
    file, number = row.file, row.ticket.id
    if row.ticket.state != "complete":
        raise Rejected(f"Image {number} is not complete ({row.ticket.state})", "Try again when it is")
    if file is None or not row.recipe.compress:
        raise Rejected(f"Image {number} has no file to download", "Ask for a compressed image that isn't simulated")
    spend = partial(found.ports.catalog.images.spend, number, key) if key else _nothing
    if found.redirects and (link := found.ports.store.link(file.sha256, file.name, _LINK_SECONDS)):
        if not request.scope.get(HEAD):
            spend()
        return RedirectResponse(link, 307, {"Cache-Control": "no-store"})
    since = row.ticket.finished or row.changed
    return transfer(Download(found.ports.store, file.sha256, file.size, file.name, since, spend), request.headers)


def _nothing() -> None:
    pass
