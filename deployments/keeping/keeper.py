"""The keeper: every few seconds it settles the tickets whose attempt is lost and has their runs started again.

Several keepers, of one machine or of many, do no harm to each other: the catalog decides.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil

from blocks import liveness
from blocks.catalog import Lease
from blocks.errors import ReforgeError
from blocks.ports import Ports

_SECONDS = 5.0
_MOMENT = 3.0  # a machine that goes on after a pause doesn't let all its processes go on at once
_FRUITLESS = 60.0


@contextmanager
def kept(ports: Ports, report: Callable[[str], None]) -> Iterator[None]:
    """Have the installation kept for the length of the context: at once, and then every few seconds."""
    keeper = Keeper(ports, report)
    thread = threading.Thread(target=keeper.keep, name="keeper", daemon=True)
    thread.start()
    try:
        yield
    finally:
        keeper.end()
        thread.join(_FRUITLESS)


class Keeper:
    """Looks until told to end; what it does, and once what keeps it from it, it reports."""

    def __init__(self, ports: Ports, report: Callable[[str], None]) -> None:
        self._ports = ports
        self._report = report
        self._ended = threading.Event()
        self._trouble = ""
        self._undead: dict[str, float] = {}

    def keep(self) -> None:
        """Look, wait and look again; a server that doesn't answer is asked again the next time."""
        while not self._ended.is_set():
            try:
                self.look()
            except ReforgeError as error:
                self._complain(str(error))
            else:
                self._complain("")
            self._ended.wait(_SECONDS)

    def end(self) -> None:
        """Look no more."""
        self._ended.set()

    def look(self) -> None:
        """Settle what is lost, give back what it left on this machine, and start its runs again."""
        from tasks.attempt import sweep  # noqa: PLC0415 - Prefect is imported after its server is named
        from tasks.revive import revive  # noqa: PLC0415

        attempts, home = self._ports.catalog.attempts, self._ports.home_id
        live = [ticket.id for ticket in self._ports.catalog.tickets.list(live=True)]
        attempts.settle_all(live, liveness.judge(self._ports.home, home))
        for lease in attempts.lost(home):
            self._bury(lease)
        sweep(self._ports)
        for done in revive(self._ports):
            self._report(f"{done.what}: {done.why}")

    def _bury(self, lease: Lease) -> None:
        """Kill the process of a lost attempt if it stays stopped, or doesn't see by itself that it was given up."""
        pid = liveness.holder(self._ports.home, lease) if lease.restarts else None
        if pid is None:
            return
        now = time.monotonic()
        age = now - self._undead.setdefault(f"{lease.ticket}-{lease.number}", now)
        if age > _FRUITLESS or (age > _MOMENT and _is_stopped(pid)):
            liveness.end(self._ports.home, lease)

    def _complain(self, trouble: str) -> None:
        if trouble and trouble != self._trouble:
            self._report(f"Lost runs can't be looked after just now: {trouble}")
        self._trouble = trouble


def _is_stopped(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_STOPPED
    except psutil.NoSuchProcess:
        return False
