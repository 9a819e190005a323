"""Whether an attempt lives: a file lock that is free tells at once that it is dead; else only the lease does.

A process that was stopped holds its lock and renews nothing: it is dead when its lease is over, and is ended.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

from blocks.catalog import Lease


@contextlib.contextmanager
def holding(home: Path, lease: Lease) -> Iterator[None]:
    """Be visibly alive as this attempt until the end of the context or of the process."""
    path = _path(home, lease.ticket, lease.number)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}")
    with partial.open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(f"{os.getpid()}\n")
        file.flush()
        partial.rename(path)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def judge(home: Path, home_id: str) -> Callable[[Lease], bool | None]:
    """What tells of a lease that its attempt is dead: False for one of this machine whose lock is free.

    None, so that the lease decides, for any other: held, of another machine, just begun or just ended.
    """

    def alive(lease: Lease) -> bool | None:
        if lease.home != home_id or not _path(home, lease.ticket, lease.number).exists():
            return None
        return None if lives(home, lease.ticket, lease.number) else False

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


def holder(home: Path, lease: Lease) -> int | None:
    """The process of this machine that holds the attempt, also while it is stopped."""
    if not lives(home, lease.ticket, lease.number):
        return None
    try:
        told = _path(home, lease.ticket, lease.number).read_text("utf-8").strip()
    except FileNotFoundError:
        return None
    return int(told) if told.isdigit() else None


def end(home: Path, lease: Lease) -> int | None:
    """Kill the process that still holds an attempt that was given up; tells which, None if there was none.

    It is pinned first and then seen to hold the lock, so that no other process of the same id is hit.
    """
    pid = holder(home, lease)
    if pid is None or pid == os.getpid():
        return None
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    try:
        if holder(home, lease) != pid or not _opened(pid, _path(home, lease.ticket, lease.number)):
            return None
        signal.pidfd_send_signal(process, signal.SIGKILL)
    except ProcessLookupError:
        return None
    finally:
        os.close(process)
    return pid


def sweep(home: Path, bury: Callable[[int, int], None]) -> None:
    """Have each attempt that died on this machine buried (ticket and number), and forget it."""
    for path in sorted((home / "attempts").glob("*-*.lock")):
        ticket, _, number = path.stem.partition("-")
        if ticket.isdigit() and number.isdigit() and not lives(home, int(ticket), int(number)):
            bury(int(ticket), int(number))
            path.unlink(missing_ok=True)


def _opened(pid: int, path: Path) -> bool:
    """Whether the process has this very file open."""
    with contextlib.suppress(OSError):
        return any(_same(each, path) for each in Path(f"/proc/{pid}/fd").iterdir())
    return False


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _path(home: Path, ticket: int, number: int) -> Path:
    return home / "attempts" / f"{ticket}-{number}.lock"
