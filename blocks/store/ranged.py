"""A stored object as a readable, seekable file: one request as long as it is read on, another after each leap."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import AbstractContextManager

from botocore.exceptions import BotoCoreError
from botocore.response import StreamingBody
from urllib3.exceptions import HTTPError

_BUFFER = 4 * 1024 * 1024


def ranged(
    size: int, fetch: Callable[[int], StreamingBody], reading: Callable[[], AbstractContextManager[object]]
) -> io.BufferedReader:
    """A file of `size` bytes; `fetch` begins to get those from a position on, `reading` surrounds whatever is got.

    A connection that breaks is made anew from where it was, as long as each brings 4 MiB.
    """
    return io.BufferedReader(_Ranged(size, fetch, reading), max(1, min(size, _BUFFER)))


class _Ranged(io.RawIOBase):
    def __init__(
        self, size: int, fetch: Callable[[int], StreamingBody], reading: Callable[[], AbstractContextManager[object]]
    ) -> None:
        super().__init__()
        self._size = size
        self._fetch = fetch
        self._reading = reading
        self._position = self._reached = 0
        self._stream: StreamingBody | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError(f"negative position {base + offset}")
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # typeshed's WriteableBuffer is private
        length = min(len(buffer), self._size - self._position)
        if length <= 0:
            return 0
        with self._reading():
            data = self._read(length)
        buffer[: len(data)] = data
        self._position = self._reached = self._position + len(data)
        return len(data)

    def close(self) -> None:
        self._drop()
        super().close()

    def _read(self, length: int) -> bytes:
        if self._stream is not None and self._reached == self._position:
            try:
                return self._stream.read(length)
            except (BotoCoreError, HTTPError):  # it broke, perhaps while nobody was reading: go on with another
                pass
        self._drop()
        self._stream = self._fetch(self._position)
        return self._stream.read(length)

    def _drop(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None
