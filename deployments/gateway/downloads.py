"""Downloads: a stored file, or a span of it, as it lies in the store; never encoded, always of a known length.

Each transfer holds one chunk in memory and no thread while it waits for its client. Chunks are read by threads of
their own, so that downloads hold up nobody else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import BinaryIO, TypeVar

from anyio import CancelScope, CapacityLimiter, create_task_group, to_thread
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from blocks.errors import Contradiction
from blocks.store import Store
from deployments.gateway import conditions
from deployments.gateway.paths import HEAD
from deployments.gateway.ranges import Span, wanted

_CHUNK = 256 * 1024
_READS_AT_ONCE = 32
_LIMITER = CapacityLimiter(_READS_AT_ONCE)
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Download:
    """A file of the store under its name, and since when it is there; `delivered` is called with its last byte."""

    store: Store
    sha256: str
    size: int
    name: str
    since: datetime
    delivered: Callable[[], object]

    @property
    def tag(self) -> str:
        """The ETag: these bytes, wherever they are from."""
        return conditions.quoted(self.sha256)

    def headers(self) -> dict[str, str]:
        """What is told of the whole file."""
        return {
            "Content-Type": "application/octet-stream",
            "Content-Disposition": f'attachment; filename="{self.name}"',
            "Accept-Ranges": "bytes",
            "ETag": self.tag,
            "Last-Modified": conditions.stamped(self.since),
            "Cache-Control": "private, no-cache",
        }


def transfer(download: Download, headers: Headers) -> Response:
    """The answer to a GET with these headers; raises Rejected (416), NotFound if the store lacks the file."""
    if conditions.unchanged(headers, download.tag, download.since):
        return Response(status_code=304, headers=_without_content(download))
    condition = headers.get("if-range")
    whole = condition is not None and not conditions.same(condition, download.tag, download.since)
    span = wanted(None if whole else headers.get("range"), download.size)
    return Transfer(download, span, download.store.open(download.sha256))


class Transfer(Response):
    """Sends the span of an open file, and closes it."""

    def __init__(self, download: Download, span: Span | None, file: BinaryIO) -> None:
        self._download = download
        self._span = span or Span(0, download.size, download.size)
        self._file = file
        headers = download.headers() | {"Content-Length": str(self._span.length)}
        if span is not None:
            headers["Content-Range"] = span.content_range
        super().__init__(status_code=200 if span is None else 206, headers=headers)
        self.raw_headers = [(name, value) for name, value in self.raw_headers if name != b"content-length"] + [
            (b"content-length", str(self._span.length).encode())
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; a client that went away ends it, and has had nothing delivered."""
        async with self._closing(), create_task_group() as tasks:
            tasks.start_soon(_until_gone, receive, tasks.cancel_scope.cancel)
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            if not scope.get(HEAD):
                await self._send(send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            tasks.cancel_scope.cancel()

    async def _send(self, send: Send) -> None:
        """All but the last byte first: a key that is good for one transfer ends before the client has the whole."""
        await _read(partial(self._file.seek, self._span.start))
        left = self._span.length
        while left > 1:
            part = await _read(partial(self._file.read, min(_CHUNK, left - 1)))
            if not part:
                raise Contradiction(f"The stored file {self._download.sha256} is shorter than recorded")
            left -= len(part)
            await send({"type": "http.response.body", "body": part, "more_body": True})
        last = await _read(partial(self._file.read, left))
        if self._span.end == self._span.size:
            await to_thread.run_sync(self._download.delivered)
        await send({"type": "http.response.body", "body": last, "more_body": True})

    @asynccontextmanager
    async def _closing(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            with CancelScope(shield=True):
                await _read(self._file.close)


async def _read(act: Callable[[], _Result]) -> _Result:
    return await to_thread.run_sync(act, limiter=_LIMITER)


async def _until_gone(receive: Receive, end: Callable[[], Awaitable[None] | None]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    end()


def _without_content(download: Download) -> dict[str, str]:
    return {name: value for name, value in download.headers().items() if not name.startswith("Content-")}
