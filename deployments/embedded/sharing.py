"""One server per home: the first command starts it, others join, the last one ends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from filelock import FileLock, Timeout

from blocks.errors import PrefectUnavailable
from deployments.embedded import entry as entries
from deployments.embedded import process, users
from deployments.embedded.client import pointed
from deployments.embedded.entry import Entry
from deployments.embedded.named import check, named_address

# Longer than a start and an end together may take.
_WAITS = 36
_WAIT = 5.0


@contextmanager
def server(home: Path, report: Callable[[str], None], *, port: int | None = None) -> Iterator[str]:
    """The URL of the Prefect API that flows of this process use inside the block (to be entered by ordinary code).

    An API that environment or profile name wins and must answer. Else the home's own server is joined, or started if
    there is none (at `port`); when its last user leaves, it ends. `report` is told in a line what is waited for.
    Raises PrefectUnavailable.
    """
    if address := named_address():
        check(address)
        yield address
        return
    with _shared(home.absolute(), report, port) as address, pointed(address, home.absolute()):
        yield address


def address(home: Path) -> str | None:
    """The URL of the Prefect API that environment or profile name, or that serves this home now; None if none does."""
    if named := named_address():
        return named
    entry = entries.read(home.absolute())
    return None if entry is None or entry.process() is None else entry.address


def mend(home: Path, report: Callable[[str], None]) -> None:
    """Start the home's server again, at its port, if it died although it is in use; raises PrefectUnavailable."""
    home = home.absolute()
    if not _died(home):
        return
    with _alone(home, report):
        if (entry := _died(home)) is not None:
            report("The Prefect server has died")
            process.start(home, report, entry.port)


def _died(home: Path) -> Entry | None:
    entry = entries.read(home)
    return entry if entry is not None and entry.process() is None else None


@contextmanager
def _shared(home: Path, report: Callable[[str], None], port: int | None) -> Iterator[str]:
    home.mkdir(parents=True, exist_ok=True)
    with ExitStack() as leaving:
        with _alone(home, report):
            leaving.callback(_leave, home, users.enter(home), report)
            entry = _joined(home, report) or process.start(home, report, port)
            if port is not None and entry.port != port:
                report(f"The Prefect server of this home runs already, at port {entry.port}, not {port}")
        yield entry.address


def _joined(home: Path, report: Callable[[str], None]) -> Entry | None:
    entry = entries.read(home)
    if entry is None or entry.process() is None:
        return None
    try:
        process.await_health(home, entry, report)
    except PrefectUnavailable:
        if entry.process() is None:
            return None
        raise
    return entry


def _leave(home: Path, place: IO[bytes], report: Callable[[str], None]) -> None:
    with _alone(home, report):
        place.close()
        entry = entries.read(home)
        if entry is None or users.remain(home):
            return
        process.end(entry)
        entries.remove(home)


@contextmanager
def _alone(home: Path, report: Callable[[str], None]) -> Iterator[None]:
    """Nobody else starts, joins, leaves or ends the home's server meanwhile."""
    lock = FileLock(home / "server.lock")
    _acquire(lock, report)
    try:
        yield
    finally:
        lock.release()


def _acquire(lock: FileLock, report: Callable[[str], None]) -> None:
    for _ in range(_WAITS):
        try:
            lock.acquire(timeout=_WAIT)
        except Timeout:
            report("Waiting for another command that starts or ends the Prefect server …")
        else:
            return
    raise PrefectUnavailable(
        f"Another command holds {lock.lock_file} and doesn't come to an end",
        "Look for a hanging reforge process, end it and try again",
    )
