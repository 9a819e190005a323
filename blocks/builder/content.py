"""Digests of files: of a plain file, and of a sparse one without reading its holes."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

CHUNK = 4 * 1024 * 1024
_BLOCK = 64 * 1024
_ZEROS = bytes(_BLOCK)


def sha256(path: Path, check: Callable[[], None]) -> str:
    """The sha256 of a file's bytes, in hex; `check` is called at each chunk."""
    total = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            check()
            total.update(chunk)
    return total.hexdigest()


def sparse_sha256(path: Path, check: Callable[[], None]) -> str:
    """One digest for all files of equal bytes, however their holes lie: over each block that isn't all zeros."""
    total = hashlib.sha256(path.stat().st_size.to_bytes(8, "big"))
    with path.open("rb") as file:
        for offset, chunk in _chunks(file):
            check()
            for start, block in _blocks(chunk):
                total.update((offset + start).to_bytes(8, "big"))
                total.update(block)
    return total.hexdigest()


def _blocks(chunk: bytes) -> Iterator[tuple[int, bytes]]:
    for start in range(0, len(chunk), _BLOCK):
        block = chunk[start : start + _BLOCK]
        if block != _ZEROS[: len(block)]:
            yield start, block


def _chunks(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    size = os.fstat(file.fileno()).st_size
    end = 0
    while (start := _data(file, end)) < size:
        end = min(size, (start // _BLOCK) * _BLOCK + CHUNK)
        begin = (start // _BLOCK) * _BLOCK
        yield begin, os.pread(file.fileno(), end - begin, begin)


def _data(file: BinaryIO, offset: int) -> int:
    try:
        return os.lseek(file.fileno(), offset, os.SEEK_DATA)
    except OSError as error:
        if error.errno != errno.ENXIO:  # nothing but holes from here on
            raise
        return os.fstat(file.fileno()).st_size
