"""The gateway's processes: they share one socket, one that dies is replaced, and all of them end with us."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory
from typing import IO, cast

from blocks.errors import MachineUnfit
from deployments.gateway.listening import Listening
from deployments.gateway.share import Share

# They end with us, however we end; and by the signals, also where whoever started us ignores them.
_TIED = ("/usr/bin/setpriv", "--pdeathsig", "TERM", "/usr/bin/env", "--default-signal=INT,TERM,HUP,QUIT")
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_COUNTERS = "PROMETHEUS_MULTIPROC_DIR"
_MOST = 4
_PAUSE = 1.0
_PATIENCE = 10.0

Report = Callable[[str], None]


def usual_processes() -> int:
    """How many processes serve unless told: one for each core, two at least, since one may wait for a slow answer."""
    return max(2, min(_MOST, os.cpu_count() or 1))


@dataclass(frozen=True)
class Serving:
    """Where it listens, in how many processes, whose word on addresses it takes, and if downloads are redirected."""

    listening: Listening = field(default_factory=Listening)
    processes: int = field(default_factory=usual_processes)
    proxy: str | None = None
    redirects: bool = False


def serve(serving: Serving, report: Report) -> None:
    """Serve until SIGINT or SIGTERM; raises InvalidInput, MachineUnfit."""
    told = threading.Event()
    before = {each: signal.signal(each, lambda *_: told.set()) for each in _SIGNALS}
    try:
        with served(serving, report) as address:
            report(f"Serving {address} (Ctrl-C ends it)")
            told.wait()
            report("Ending …")
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@contextmanager
def served(serving: Serving, report: Report) -> Iterator[str]:
    """The URL of the API, which answers for the length of the context; raises InvalidInput, MachineUnfit."""
    with ExitStack() as ending, serving.listening.bound() as listener, _counting() as counters:
        crew = _Crew(serving, listener, {**os.environ, **counters}, report)
        ending.callback(crew.end)
        crew.begin()
        yield serving.listening.address(listener)


@contextmanager
def _counting() -> Iterator[dict[str, str]]:
    """What makes the processes count requests together; whoever named a folder for it keeps it."""
    if os.environ.get(_COUNTERS):
        yield {}
        return
    with TemporaryDirectory(prefix="reforge-gateway-") as folder:
        yield {_COUNTERS: folder}


class _Crew:
    """The processes of one socket, and the thread that replaces those that died."""

    def __init__(self, serving: Serving, listener: socket.socket, environment: dict[str, str], report: Report) -> None:
        self._serving = serving
        self._listener = listener
        self._environment = environment
        self._report = report
        self._processes: list[subprocess.Popen[bytes]] = []
        self._ended = threading.Event()
        self._minder = threading.Thread(target=self._mind, name="mind the gateway", daemon=True)

    def begin(self) -> None:
        """Start all and wait until each answers; raises MachineUnfit if one ends meanwhile."""
        self._processes += [self._started(subprocess.PIPE) for _ in range(self._serving.processes)]
        for process in self._processes:
            with cast("IO[bytes]", process.stdout) as words:
                if not words.readline():
                    raise MachineUnfit("The gateway ended while it started", "See what it said before")
        self._minder.start()

    def end(self) -> None:
        """Tell all to end, and end by force what doesn't."""
        self._ended.set()
        if self._minder.is_alive():
            self._minder.join()
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            _end(process)

    def _mind(self) -> None:
        while not self._ended.wait(_PAUSE):
            for place, process in enumerate(self._processes):
                if process.poll() is not None:
                    self._report(f"A process of the gateway ended (exit code {process.returncode}): another one starts")
                    self._processes[place] = self._started(subprocess.DEVNULL)

    def _started(self, output: int) -> subprocess.Popen[bytes]:
        """A process in a group of its own, for the terminal's interrupt is for us."""
        serving, listener = self._serving, self._listener
        share = Share(
            socket=listener.fileno(),
            certificate=serving.listening.certificate,
            key=serving.listening.key,
            proxy=serving.proxy,
            redirects=serving.redirects,
        )
        return subprocess.Popen(
            [*_TIED, sys.executable, "-m", "deployments.gateway.process", share.model_dump_json()],
            stdin=subprocess.DEVNULL,
            stdout=output,
            env=self._environment,
            pass_fds=[listener.fileno()],
            process_group=0,
        )


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
