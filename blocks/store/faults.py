"""What the file system's errors mean for whoever uses the store."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from blocks.errors import MachineUnfit, NoSpace, ReforgeError, StoreUnavailable

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_POINTLESS = {
    errno.EACCES: "Give the user that runs this the right to read and write there",
    errno.EPERM: "Give the user that runs this the right to read and write there",
    errno.EROFS: "Mount its file system for writing",
    errno.EFBIG: "Raise the limit of the size of files, or use another file system",
    errno.ENOTDIR: "Something that isn't a folder is in the way: move it, or choose another place",
    errno.EISDIR: "A folder is in the way: move it, or choose another place",
    errno.ENAMETOOLONG: "Choose a place with a shorter path",
    errno.ELOOP: "Mend the symbolic links on that path",
}


@contextmanager
def translated(doing: str, place: Path) -> Iterator[None]:
    """Raise what an OSError while `doing` something with `place` means: NoSpace, MachineUnfit or StoreUnavailable."""
    try:
        yield
    except OSError as error:
        raise _meaning(error, doing, place) from error


def _meaning(error: OSError, doing: str, place: Path) -> ReforgeError:
    what = f"{doing} failed: {error.strerror or error} ({error.filename or place})"
    if error.errno in _FULL:
        return NoSpace(what, f"Free disk space or raise the quota on the file system of {place}, and try again")
    if error.errno in _POINTLESS:
        return MachineUnfit(what, _POINTLESS[error.errno])
    return StoreUnavailable(what, f"See that {place} is there and that its disk or server works, and try again")
