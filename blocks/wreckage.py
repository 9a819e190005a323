"""Wreckage: what processes of this machine that died have left below the home."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
from collections.abc import Iterable
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from blocks import liveness


def found(home: Path) -> dict[Path, str]:
    """Each thing that is left, in words; what a living process holds is not among them."""
    halves = (*home.glob("cache/checkpoints/partial-*"), *home.glob("cache/pool/partial-*"))
    return {
        **{path: f"work folder {path.name}" for path in home.glob("work/*-*") if _dead(home, path.name)},
        **{path: f"half-made entry {path.name}" for path in halves if _deserted(path.name.split("-")[1])},
        **{path: f"reservation {path.stem}" for path in home.glob("reservations/*.reservation") if _free(path)},
        **{path: f"attempt {path.stem}" for path in home.glob("attempts/*-*.lock") if _dead(home, path.stem)},
    }


def stale(home: Path) -> dict[Path, str]:
    """Likewise what no attempt tells of: tools and index objects that dead processes had in work, unfinished locks."""
    halves = (*home.glob("cache/tools/partial-*"), *home.glob("cache/index/partial-*"))
    locks = (path for path in home.glob("attempts/*-*.*") if path.suffix != ".lock")
    return {
        **{path: f"half-made entry {path.name}" for path in halves if _deserted(path.name.split("-")[1])},
        **{path: f"unfinished lock {path.name}" for path in locks if _deserted(path.suffix[1:])},
    }


def remove(path: Path) -> None:
    """Remove a stale thing; none is no error."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def locks(home: Path) -> list[Path]:
    """The files by which builds waited for each other, and which nobody holds now."""
    return [path for path in home.glob("cache/checkpoints/locks/*.lock") if _free(path)]


def remove_locks(paths: Iterable[Path]) -> int:
    """Remove those that still nobody holds; returns how many. Whoever waits for one makes a new one and looks again."""
    removed = 0
    for path in paths:
        with contextlib.suppress(Timeout), FileLock(path, timeout=0):
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def _dead(home: Path, name: str) -> bool:
    ticket, _, number = name.partition("-")
    return ticket.isdigit() and number.isdigit() and not liveness.lives(home, int(ticket), int(number))


def _deserted(process: str) -> bool:
    return process.isdigit() and not psutil.pid_exists(int(process))


def _free(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
