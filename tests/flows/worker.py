"""A machine of an installation: `reforge worker` with a home of its own, told what the unit's settings tell it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.servers.manifests import variables
from tests.waiting import wait_until

BIN = Path(sys.executable).parent
_FOREIGN = ("PREFECT_", "REFORGE_", "AWS_")


@dataclass(frozen=True)
class Worker:
    """The process, its home, and all that it said and that its runs said."""

    process: subprocess.Popen[bytes]
    home: Path
    log: Path

    def await_readiness(self) -> None:
        """Wait until it asks for runs."""
        wait_until(lambda: not self.lives() or "started!" in self.said(), f"the worker is ready, see {self.log}", 150)
        assert self.lives(), self.said()

    def said(self) -> str:
        """Its log up to now."""
        return self.log.read_text("utf-8")

    def lives(self) -> bool:
        """Whether it runs."""
        return self.process.poll() is None

    def tree(self) -> list[psutil.Process]:
        """The worker and all that it started."""
        leader = psutil.Process(self.process.pid)
        return [leader, *leader.children(recursive=True)]

    def kill(self) -> None:
        """End it and all that it started at once, as a power failure would."""
        if not self.lives():
            return
        doomed = self.tree()
        for process in doomed:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()
        psutil.wait_procs(doomed, 10)

    def stop(self) -> int:
        """End it as systemd does, and give its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@contextmanager
def working(folder: Path, api: str, settings: Mapping[str, str] | None = None) -> Iterator[Worker]:
    """A worker that talks to the API, with a home below the folder; it is killed if it still runs at the end."""
    folder.mkdir(parents=True)
    home, log = folder / "home", folder / "worker.log"
    own = {"PREFECT_API_URL": api, "PREFECT_HOME": str(folder / "prefect"), "REFORGE_HOME": str(home)}
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(_FOREIGN)}
    environment = {**inherited, **variables("worker.env"), **own, **(settings or {})}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [BIN / "reforge", "worker", "--name", folder.name],
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    worker = Worker(process, home, log)
    try:
        yield worker
    finally:
        worker.kill()
