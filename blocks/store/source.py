"""What is to be stored: opened as the regular file that it must be, and compared with what it should be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from blocks.errors import CorruptFile, InvalidInput, NotFound
from blocks.store.store import Blob

MEND = "Make the file anew, or restore it from a copy"


def go_on() -> None:
    """Never stop."""


def same(place: object, found: Blob, expected: str) -> Blob:
    """What was found, if it has the expected sha256; raises CorruptFile."""
    if found.sha256 != expected:
        raise CorruptFile(f"{place} is damaged: its sha256 is {found.sha256}, expected {expected}", MEND)
    return found


@contextmanager
def opened(source: Path) -> Iterator[FileIO]:
    """The file to store; raises NotFound, InvalidInput for anything but a regular file."""
    if not source.exists():
        raise NotFound(f"There is no file {source} to store", "Make it first")
    if not source.is_file():
        raise InvalidInput(f"{source} is no regular file", "Name a regular file")
    with FileIO(source) as file:
        yield file
