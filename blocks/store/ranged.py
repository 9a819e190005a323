"""A stored object as a readable, seekable file, of which only the ranges that are read are fetched."""

from __future__ import annotations

import io
from collections.abc import Callable

_BUFFER = 4 * 1024 * 1024


def ranged(size: int, fetch: Callable[[int, int], bytes]) -> io.BufferedReader:
    """A file of `size` bytes; `fetch` gives those from a start to an end (both inclusive)."""
    return io.BufferedReader(_Ranged(size, fetch), max(1, min(size, _BUFFER)))


class _Ranged(io.RawIOBase):
    def __init__(self, size: int, fetch: Callable[[int, int], bytes]) -> None:
        super().__init__()
        self._size = size
        self._fetch = fetch
        self._position = 0

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

    def readall(self) -> bytes:
        data = self._fetch(self._position, self._size - 1) if self._position < self._size else b""
        self._position += len(data)
        return data

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # typeshed's WriteableBuffer is private
        end = min(self._position + len(buffer), self._size)
        if end <= self._position:
            return 0
        data = self._fetch(self._position, end - 1)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)
