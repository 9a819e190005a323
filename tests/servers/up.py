"""`reforge up` as a process of its own, with a home of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.waiting import wait_until

_PROGRAM = str(Path(sys.executable).parent / "reforge")
_FOREIGN = ("PREFECT_", "REFORGE_", "AWS_")


@contextmanager
def up(home: Path, log: Path, *arguments: str) -> Iterator[Path]:
    """The log of what serves the home by now; it must end in good order."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    environment = {**inherited, "REFORGE_HOME": str(home)}
    with log.open("wb") as output:
        argv = [_PROGRAM, "up", *arguments]
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment)
    try:
        wait_until(lambda: process.poll() is not None or "Serving " in log.read_text("utf-8"), "it serves", 300)
        assert process.poll() is None, log.read_text("utf-8")
        yield log
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, log.read_text("utf-8")
    finally:
        process.kill()
        process.wait()
