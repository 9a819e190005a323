"""A stage's output as one file to be shared: compressed, its holes kept, and back again with the same holes.

A parcel is a zstd stream: a skippable frame that tells the size and the pieces between the holes, and one frame of
their bytes. What is compressed already is a parcel as it is.
"""

from __future__ import annotations

import errno
import json
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import zstandard

from blocks.builder.content import CHUNK
from blocks.errors import CorruptFile

_MAGIC = 0x184D2A57
_FRAME = struct.Struct("<II")
_LEVEL = 1
_THREADS = 4
_WINDOW = 8 * 1024 * 1024
_HINT = "It is made again instead"

Check = Callable[[], None]
Piece = tuple[int, int]
"""Where a piece of a file begins, and its length in bytes."""


def pack(source: Path, target: Path, check: Check) -> None:
    """Write the parcel of `source` to `target`; `check` is called at each chunk of 4 MiB."""
    threads = min(_THREADS, os.cpu_count() or 1)
    with source.open("rb") as file, target.open("xb") as parcel:
        size = os.fstat(file.fileno()).st_size
        pieces = list(_pieces(file, size))
        told = json.dumps({"size": size, "pieces": pieces}).encode()
        parcel.write(_FRAME.pack(_MAGIC, len(told)) + told)
        compressor = zstandard.ZstdCompressor(level=_LEVEL, threads=threads, write_checksum=True)
        with compressor.stream_writer(parcel, closefd=False) as stream:
            for offset, length in _chunks(pieces):
                check()
                stream.write(_read(file, offset, length))


def unpack(parcel: Path, target: Path, check: Check) -> None:
    """Write what the parcel was made of to `target`; raises CorruptFile for what is no parcel."""
    with parcel.open("rb") as file:
        if (told := _told(file)) is None:
            file.close()
            parcel.rename(target)
            return
        size, pieces = told
        with target.open("xb") as output:
            output.truncate(size)
            _fill(file, output, pieces, check)


def _fill(parcel: BinaryIO, output: BinaryIO, pieces: list[Piece], check: Check) -> None:
    reader = zstandard.ZstdDecompressor(max_window_size=_WINDOW).stream_reader(parcel, closefd=False)
    try:
        for offset, length in _chunks(pieces):
            check()
            data = reader.read(length)
            if len(data) != length:
                raise CorruptFile(f"{parcel.name} ends before its time", _HINT)
            output.seek(offset)
            output.write(data)
    except zstandard.ZstdError as error:
        raise CorruptFile(f"{parcel.name} can't be unpacked: {error}", _HINT) from error


def _told(parcel: BinaryIO) -> tuple[int, list[Piece]] | None:
    """The size and the pieces that a parcel's head tells; None, at its beginning again, without a head."""
    head = parcel.read(_FRAME.size)
    magic, length = _FRAME.unpack(head) if len(head) == _FRAME.size else (0, 0)
    if magic != _MAGIC:
        return None
    try:
        told = json.loads(parcel.read(length))
        return int(told["size"]), [(int(offset), int(extent)) for offset, extent in told["pieces"]]
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptFile(f"{parcel.name} has a head that can't be read", _HINT) from error


def _chunks(pieces: list[Piece]) -> Iterator[Piece]:
    for offset, length in pieces:
        for start in range(0, length, CHUNK):
            yield offset + start, min(CHUNK, length - start)


def _read(file: BinaryIO, offset: int, length: int) -> bytes:
    data = os.pread(file.fileno(), length, offset)
    if len(data) != length:
        raise CorruptFile(f"{file.name} ends earlier than when its reading began", _HINT)
    return data


def _pieces(file: BinaryIO, size: int) -> Iterator[Piece]:
    """What lies between the holes."""
    end = 0
    while (start := _data(file, end, size)) < size:
        end = min(size, os.lseek(file.fileno(), start, os.SEEK_HOLE))
        yield start, end - start


def _data(file: BinaryIO, offset: int, size: int) -> int:
    try:
        return os.lseek(file.fileno(), offset, os.SEEK_DATA)
    except OSError as error:
        if error.errno != errno.ENXIO:  # nothing but a hole from here on
            raise
        return size
