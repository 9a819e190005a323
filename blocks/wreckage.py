"""Wreckage: what processes of this machine that died have left below the home."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from blocks import liveness

_LOCKS = Path("cache/checkpoints/locks")


def found(home: Path) -> dict[Path, str]:
    """Each thing that is left, in words; what a living process holds is not among them."""
    return {
        **{path: f"work folder {path.name}" for path in _below(home, "work/*-*") if _dead(home, path.name)},
        **{path: f"half-made entry {path.name}" for path in _below(home, "cache/*/partial-*-*") if _deserted(path)},
        **{path: f"reservation {path.stem}" for path in _below(home, "reservations/*.reservation") if _free(path)},
        **{path: f"attempt {path.stem}" for path in _below(home, "attempts/*-*.lock") if _dead(home, path.stem)},
    }


def locks(home: Path) -> list[Path]:
    """The files by which builds waited for each other, and which nobody holds now."""
    return [path for path in _below(home, f"{_LOCKS}/*.lock") if _free(path)]


def remove_locks(paths: Iterable[Path]) -> int:
    """Remove those that still nobody holds; returns how many. Whoever waits for one makes a new one and looks again."""
    removed = 0
    for path in paths:
        with contextlib.suppress(Timeout), FileLock(path, timeout=0):
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def _below(home: Path, pattern: str) -> Iterator[Path]:
    yield from sorted(home.glob(pattern))


def _dead(home: Path, name: str) -> bool:
    ticket, _, number = name.partition("-")
    return ticket.isdigit() and number.isdigit() and not liveness.lives(home, int(ticket), int(number))


def _deserted(path: Path) -> bool:
    process = path.name.split("-")[1]
    return process.isdigit() and not psutil.pid_exists(int(process))


def _free(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
