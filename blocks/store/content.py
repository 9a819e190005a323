"""Copying and hashing in one pass, with bounded memory; holes are hashed as zeros, never read and never written."""

from __future__ import annotations

import base64
import errno
import hashlib
import os
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import BinaryIO

from blocks.errors import CorruptFile
from blocks.store.store import Blob, Stop

CHUNK = 4 * 1024 * 1024
_ZEROS = bytes(CHUNK)


def transfer(source: FileIO, target: BinaryIO | None, stop: Stop) -> Blob:
    """Copy `source` to `target` (or nowhere), holes kept; tells sha256 and size of what was read.

    Calls `stop` at each chunk. Raises CorruptFile if the source gets shorter meanwhile.
    """
    size = os.fstat(source.fileno()).st_size
    total = hashlib.sha256()
    for position, piece, hole in _pieces(source, size):
        stop()
        total.update(piece)
        if target is not None and not hole:
            target.seek(position)
            target.write(piece)
    if target is not None:
        target.truncate(size)
    return Blob(total.hexdigest(), size)


def write_sparse(target: BinaryIO, piece: bytes) -> None:
    """Write the piece at the target's position; zeros become a hole."""
    if piece == _ZEROS[: len(piece)]:
        target.truncate(target.seek(len(piece), os.SEEK_CUR))
    else:
        target.write(piece)


def settle(file: BinaryIO) -> None:
    """Bring a file's bytes to the medium."""
    file.flush()
    os.fsync(file.fileno())


def settle_folder(folder: Path) -> None:
    """Bring a folder's names to the medium."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def md5(data: bytes) -> str:
    """What an S3 server compares with what it received."""
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


def extents(file: FileIO, size: int) -> Iterator[tuple[int, int, bool]]:
    """Start, end and whether it is a hole, from 0 to `size` without a gap."""
    position = 0
    while position < size:
        data = min(_next_data(file, position, size), size)
        if data > position:
            yield position, data, True
        position = data
        if position < size:
            position = min(os.lseek(file.fileno(), data, os.SEEK_HOLE), size)
            yield data, position, False


def _next_data(file: FileIO, position: int, size: int) -> int:
    try:
        return os.lseek(file.fileno(), position, os.SEEK_DATA)
    except OSError as error:
        if error.errno == errno.ENXIO:  # nothing but a hole up to the end
            return size
        raise


def _pieces(file: FileIO, size: int) -> Iterator[tuple[int, memoryview, bool]]:
    zeros = memoryview(_ZEROS)
    buffer = memoryview(bytearray(min(CHUNK, size)))
    for start, end, hole in extents(file, size):
        for position in range(start, end, CHUNK):
            length = min(CHUNK, end - position)
            if not hole:
                fill(file, buffer[:length], position)
            yield position, (zeros if hole else buffer)[:length], hole


def fill(file: FileIO, buffer: memoryview, position: int) -> None:
    """Read as much as the buffer takes; raises CorruptFile if the file ends earlier."""
    done = 0
    while done < len(buffer):
        count = os.preadv(file.fileno(), [buffer[done:]], position + done)
        if count == 0:
            raise CorruptFile(
                f"{file.name} ends at byte {position + done}, earlier than when its reading began",
                "Something changes the file: find out what, and try again",
            )
        done += count
