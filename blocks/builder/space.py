"""Disk space on this machine: checked and reserved before a build, given back after it, whatever ends the process.

A reservation is a file below the home, locked by the process that holds it; an unlocked one is a dead one.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import shutil
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

from filelock import FileLock

from blocks.errors import MachineUnfit, NoSpace

USUAL = 4 * 10**9
"""The bytes that a small image's build reserves."""
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_SAID = ("No space left on device", "Disk quota exceeded", ": Wrote only ")
_NO_DISK = ("unshare failed", "namespace")
"""The kernel says the same of a machine that gives no more namespaces."""
_HINT = "Free some space, or raise the quota; the build goes on then"


@contextlib.contextmanager
def translated(doing: str) -> Iterator[None]:
    """Raise NoSpace for a file system that is full while `doing` something."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        where = f" ({error.filename})" if error.filename else ""
        raise NoSpace(f"{doing} failed: {error.strerror}{where}", _HINT) from error


def check(program: str, lines: Iterable[str]) -> None:
    """Raise NoSpace if a program that failed says that a file system is full."""
    for line in lines:
        if any(words in line for words in _SAID) and not any(words in line for words in _NO_DISK):
            raise NoSpace(f"{program} failed: {line}", _HINT)


class Space:
    """The reservations below `folder`, which lies on the file system that is built on."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    @contextlib.contextmanager
    def reserved(self, need: int) -> Iterator[None]:
        """Hold `need` bytes; raises NoSpace with the figures, MachineUnfit if there will never be as much."""
        path = self._folder / f"{uuid.uuid4().hex}.reservation"
        with contextlib.ExitStack() as stack:
            with FileLock(self._folder / "lock"):
                self._check(need)
                file = stack.enter_context(path.open("w", encoding="utf-8"))
                fcntl.flock(file, fcntl.LOCK_EX)
                file.write(str(need))
                file.flush()
            try:
                yield
            finally:
                path.unlink(missing_ok=True)

    def held(self) -> dict[str, int]:
        """The living reservations, in bytes by file name; dead ones are removed on the way."""
        with FileLock(self._folder / "lock"):
            return self._living()

    def _living(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for path in self._folder.glob("*.reservation"):
            with contextlib.suppress(FileNotFoundError), path.open("r", encoding="utf-8") as file:
                if _locked_by_other(file.fileno()):
                    found[path.name] = int(file.read() or 0)
                else:
                    path.unlink()
        return found

    def _check(self, need: int) -> None:
        total, _, free = shutil.disk_usage(self._folder)
        if total < need:
            raise MachineUnfit(
                f"The build needs {need / 1e9:.1f} GB, and the file system of {self._folder} has {total / 1e9:.1f} GB",
                "Set REFORGE_HOME to a larger file system",
            )
        others = sum(self._living().values())
        if free - others < need:
            raise NoSpace(
                f"The build needs {need / 1e9:.1f} GB on the file system of {self._folder}; "
                f"{free / 1e9:.1f} GB are free, {others / 1e9:.1f} GB of them reserved by running builds",
                "Free some space, set REFORGE_HOME to a larger file system, or wait for the other builds",
            )


def _locked_by_other(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    return False
