"""Whether an attempt lives: on its own machine a held file lock tells at once, elsewhere only the lease does."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from blocks.catalog.attempts import Lease


@contextlib.contextmanager
def holding(home: Path, lease: Lease) -> Iterator[None]:
    """Be visibly alive as this attempt until the end of the context or of the process."""
    path = _path(home, lease.ticket, lease.number)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}")
    with partial.open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        partial.rename(path)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def judge(home: Path, home_id: str) -> Callable[[Lease], bool | None]:
    """What tells of a lease whether its attempt lives.

    None, so that the lease decides, for one of another machine and for one that has just begun or just ended.
    """

    def alive(lease: Lease) -> bool | None:
        if lease.home != home_id or not _path(home, lease.ticket, lease.number).exists():
            return None
        return lives(home, lease.ticket, lease.number)

    return alive


def lives(home: Path, ticket: int, number: int) -> bool:
    """Whether a process of this machine holds the attempt."""
    try:
        with _path(home, ticket, number).open("r", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def sweep(home: Path, bury: Callable[[int, int], None]) -> None:
    """Have each attempt that died on this machine buried (ticket and number), and forget it."""
    for path in sorted((home / "attempts").glob("*-*.lock")):
        ticket, _, number = path.stem.partition("-")
        if ticket.isdigit() and number.isdigit() and not lives(home, int(ticket), int(number)):
            bury(int(ticket), int(number))
            path.unlink(missing_ok=True)


def _path(home: Path, ticket: int, number: int) -> Path:
    return home / "attempts" / f"{ticket}-{number}.lock"
