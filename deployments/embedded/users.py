"""Who uses the server: each user holds a lock on a file of its own, so that even a killed one is known to be gone."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

_FOLDER = "server-users"


def enter(home: Path) -> IO[bytes]:
    """A place among the users of the home's server; closing it leaves. Call it under the home's lock."""
    folder = home / _FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    place = NamedTemporaryFile(dir=folder, prefix=f"{os.getpid()}-")  # noqa: SIM115 - held until the user leaves
    fcntl.flock(place, fcntl.LOCK_EX)
    return place


def remain(home: Path) -> bool:
    """Whether anybody uses the server; files that dead users left are removed. Call it under the home's lock."""
    held = [_held(path) for path in (home / _FOLDER).iterdir()]
    return any(held)


def _held(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        path.unlink()
        return False
