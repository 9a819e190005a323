"""Answering: documents in the form that is asked for, with what a client needs to know whether they changed."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from deployments.gateway import conditions
from deployments.gateway.answers.sealing import digest
from deployments.gateway.negotiation import TYPES, asked
from deployments.gateway.wire import UForgeObject
from deployments.gateway.wire.documents import Media, render
from deployments.gateway.wire.elements import Document

_VARY = {"Vary": "Accept, Authorization", "Cache-Control": "private, no-cache"}
_ONCE = {"Cache-Control": "no-store"}


def read(request: Request, document: Document, changed: datetime | None = None) -> Response:
    """The answer to a GET: the document, or 304 for one that the client has already; raises Rejected (406)."""
    media = asked(request.headers.get("accept"))
    content = render(document, media)
    own = document.digest if isinstance(document, UForgeObject) else None
    tag = conditions.quoted(own or digest(content))
    headers = {**_VARY, "ETag": tag}
    changed = changed or (document.last_modified if isinstance(document, UForgeObject) else None)
    if changed is not None:
        headers["Last-Modified"] = conditions.stamped(changed)
    if conditions.unchanged(request.headers, tag, changed):
        return Response(status_code=304, headers=headers)
    return Response(content, headers={**headers, "Content-Type": TYPES[media]})


def _asked(request: Request) -> Media:
    return asked(request.headers.get("accept"))


Asked = Annotated[Media, Depends(_asked)]
"""The form of the answer, known before anything is done; raises Rejected (406)."""


def told(media: Media, document: Document) -> Response:
    """The answer to what changed something, 200."""
    return Response(render(document, media), headers={**_ONCE, "Content-Type": TYPES[media]})


def made(media: Media, document: Document, uri: str) -> Response:
    """The answer to what made something, 201 with where that is."""
    return Response(render(document, media), 201, {**_ONCE, "Content-Type": TYPES[media], "Location": f"/api/{uri}"})


def done() -> Response:
    """There is nothing to tell, 204."""
    return Response(status_code=204)
