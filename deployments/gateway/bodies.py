"""The bodies of requests: read whole, up to a limit, by the form that Content-Type names."""

from __future__ import annotations

from typing import Annotated, TypeVar

from fastapi import Depends, Request

from deployments.gateway.negotiation import sent
from deployments.gateway.refusals import Rejected
from deployments.gateway.wire.documents import parse
from deployments.gateway.wire.elements import Document
from deployments.gateway.wire.unfit import LIMIT

_Document = TypeVar("_Document", bound=Document)


async def _read(request: Request) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        parts.append(part)
        size += len(part)
        if size > LIMIT:
            raise Rejected(
                f"The body has more than {LIMIT} bytes", "Send less", status=413, headers={"Connection": "close"}
            )
    return b"".join(parts)


Body = Annotated[bytes, Depends(_read)]


def document(kind: type[_Document], request: Request, body: bytes) -> _Document:
    """The document that was sent; raises InvalidInput if it can't be read, Rejected for another form."""
    return parse(kind, body, sent(request.headers.get("content-type")))
