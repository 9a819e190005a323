"""One way to run a program: an argv list, a fixed environment, its output line by line, ended when told to stop.

The parent-death signal of `setpriv` follows the thread that spawned the program, so `run` spawns and waits in one
thread. Output is read from a pipe of our own, never inherited: a leaked descendant can hold nobody up.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from blocks.builder.job import Job
from blocks.errors import NoProgram, ReforgeError

ENVIRONMENT: Mapping[str, str] = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
}
_TICK = 0.2
_TAIL = 40


@dataclass
class ProgramFailed(ReforgeError):
    """A program ended with a status other than 0; `tail` is the end of what it printed."""

    program: str
    status: int
    tail: tuple[str, ...]

    def __post_init__(self) -> None:
        super().__init__(f"{self.program} ended with status {self.status}: {' | '.join(self.tail[-6:])}")


def find(program: str) -> str:
    """The path of an installed program; raises NoProgram that names the Debian package to install."""
    path = shutil.which(program, path=ENVIRONMENT["PATH"])
    if path is None:
        package = {"bwrap": "bubblewrap", "newuidmap": "uidmap", "unshare": "util-linux"}.get(program, program)
        raise NoProgram(f"The program {program} is not installed", f"Install it: apt-get install {package}")
    return path


def run(
    argv: Sequence[str], job: Job, *, data: bytes = b"", environment: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """Run `argv` to its end and return its lines of output; raises ProgramFailed or Stopped."""
    process = subprocess.Popen(
        [find(argv[0]), *argv[1:]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**ENVIRONMENT, **(environment or {})},
        process_group=0,
        umask=0o022,
    )
    try:
        lines = _converse(process, data, job)
        status = process.wait()
    finally:
        _end(process)
    if status != 0:
        raise ProgramFailed(argv[0], status, tuple(lines)[-_TAIL:])
    return tuple(lines)


def _converse(process: subprocess.Popen[bytes], data: bytes, job: Job) -> deque[str]:
    if process.stdin is None or process.stdout is None:
        raise ReforgeError("A program was started without pipes")
    with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
        pipe.write(data)
    lines: deque[str] = deque(maxlen=200_000)
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            job.stop.check()
            if not selector.select(_TICK):
                continue
            chunk = os.read(process.stdout.fileno(), 65536)
            *whole, rest = (rest + chunk).split(b"\n") if chunk else (rest, b"")
            for line in whole:
                _take(line, lines, job)
            if not chunk:
                return lines


def _take(line: bytes, lines: deque[str], job: Job) -> None:
    text = line.decode("utf-8", "replace").rstrip("\r").rsplit("\r", 1)[-1]
    if text:
        lines.append(text)
        job.report(text)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
