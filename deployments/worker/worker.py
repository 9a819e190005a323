"""Prefect's own process worker with what it lacks: lost runs go on, and a stop gives back what it works on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from blocks.builder import capacity
from blocks.configured import configured
from blocks.errors import NotFound, PrefectUnavailable
from blocks.ports import Ports
from blocks.settings import Settings
from deployments import embedded
from deployments.command_line.output import tell

_BLOCKS = "main"
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# The worker ends by the interrupt, also where whoever started us ignores it; and with us, if we are killed.
_TIED = ("/usr/bin/setpriv", "--pdeathsig", "TERM", "/usr/bin/env", "--default-signal=INT,TERM,HUP,QUIT")
_QUERY_SECONDS = "2"
_MOMENT = 0.2
_PATIENCE = 30.0


def work(pool: str, name: str | None, limit: int | None, blocks: str | None) -> None:
    """Run what the pool's deployments ask for until SIGINT or SIGTERM, `limit` runs at a time.

    Catalog and store are those of the blocks of that name; unless one is named, of the blocks `main` as far as there
    are any, else of the environment. Raises PrefectUnavailable, also if the worker ends by itself; NotFound.
    """
    told = threading.Event()
    before = {each: signal.signal(each, lambda *_: told.set()) for each in _SIGNALS}
    try:
        with embedded.server(Settings.told().home, tell), _opened(blocks) as ports:
            _work(ports, _command(pool, name, limit or capacity.runs(ports.home) + 1), told)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _work(ports: Ports, command: list[str], told: threading.Event) -> None:
    from deployments.keeping import kept, underway  # noqa: PLC0415 - Prefect is imported after its server is named

    with _started(command) as process:
        runs = underway(ports, process.pid)
        with kept(ports, tell):
            while not told.wait(_MOMENT) and process.poll() is None:
                pass
        if told.is_set():
            tell("Ending …")
            runs.give_back()
    runs.start_again()
    if not told.is_set():
        raise PrefectUnavailable(
            f"Prefect's worker ended by itself (exit code {process.returncode})", "See its log, and start again"
        )


@contextmanager
def _started(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """The worker, in a process group of its own: the terminal's interrupt is for us."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, process_group=0)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _command(pool: str, name: str | None, limit: int) -> list[str]:
    os.environ.setdefault("PREFECT_WORKER_QUERY_SECONDS", _QUERY_SECONDS)
    return [*_TIED, sys.executable, "-u", "-m", "deployments.worker.process", pool, str(limit), name or ""]


@contextmanager
def _opened(blocks: str | None) -> Iterator[Ports]:
    names = dict.fromkeys(("catalog", "store", "builder"), blocks or _BLOCKS)
    if blocks is None:
        names = {kind: name for kind, name in names.items() if _is_there(kind, name)}
    with Ports.open(configured(**names)) as ports:
        yield ports


def _is_there(kind: str, name: str) -> bool:
    try:
        configured(**{kind: name})
    except NotFound:
        return False
    return True
