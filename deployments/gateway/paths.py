"""Requests as routes expect them: without doubled slashes, and HEAD as the GET whose body is kept back."""

from __future__ import annotations

import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEAD = "reforge.head"
_SLASHES = re.compile("//+")


class Paths:
    """Changes what is routed by, and leaves alone what was signed."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        head = scope["method"] == "HEAD"
        changes = {"path": _SLASHES.sub("/", scope["path"]), HEAD: head, "method": "GET" if head else scope["method"]}
        await self._app({**scope, **changes}, receive, _bodiless(send) if head else send)


def _bodiless(send: Send) -> Send:
    async def head(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return head
