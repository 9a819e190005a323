"""`reforge gateway` as a process of its own, at a free port of the loopback."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.waiting import wait_until

_PROGRAM = str(Path(sys.executable).parent / "reforge")
_FOREIGN = ("PREFECT_", "REFORGE_", "AWS_")
_TIED = ("setpriv", "--pdeathsig=KILL", "--")


@dataclass(frozen=True)
class Gateway:
    """The process that began it, the URL of the API, and the file with all that was said."""

    process: subprocess.Popen[bytes]
    address: str
    log: Path

    def said(self) -> str:
        """The log up to now."""
        return self.log.read_text("utf-8")

    def processes(self) -> list[psutil.Process]:
        """Those that answer."""
        return psutil.Process(self.process.pid).children()

    def end(self, ending: signal.Signals = signal.SIGTERM) -> int:
        """Tell it to end; the code that it ends with."""
        self.process.send_signal(ending)
        return self.process.wait(30)


@contextmanager
def gateway(
    home: Path, log: Path, *arguments: str, processes: int = 1, settings: Mapping[str, str] | None = None
) -> Iterator[Gateway]:
    """A gateway of the home; it must end in good order, if it hasn't before."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    environment = {**inherited, "REFORGE_HOME": str(home), **(settings or {})}
    argv = [*_TIED, _PROGRAM, "gateway", "--port", "0", "--processes", str(processes), *arguments]
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, cwd=log.parent
        )
    try:
        wait_until(lambda: process.poll() is not None or "Serving " in log.read_text("utf-8"), "it serves", 60)
        assert process.poll() is None, log.read_text("utf-8")
        found = re.search("^Serving (http[^ ]+)", log.read_text("utf-8"), re.MULTILINE)
        assert found is not None
        made = Gateway(process, found[1], log)
        yield made
        assert process.poll() is not None or made.end() == 0, made.said()
    finally:
        process.kill()
        process.wait()
