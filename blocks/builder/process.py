"""One way to run a program: an argv list, a fixed environment, its output line by line, ended when told to stop.

Every program is tied to us: the parent-death signal of `setpriv` ends it when we are killed. The signal follows the
thread that spawned the program, so `run` spawns and waits in one thread. Input is a file in memory and output a pipe
of our own, never inherited: neither a program that reads nothing nor a descendant that stays behind holds us up.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import BinaryIO

import psutil

from blocks.builder import space
from blocks.builder.job import Job
from blocks.errors import NoProgram, ReforgeError

ENVIRONMENT: Mapping[str, str] = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
}
_TICK = 0.2
_TAIL = 40
_LINES = 20_000
_LENGTH = 16_384
_KEPT = 2_000
_END = 10
_GRAIN = 0.01
_CONTROLS = {code: "\ufffd" for code in (*range(32), *range(127, 160)) if code != ord("\t")}
_PACKAGES = {
    "bwrap": "bubblewrap",
    "newuidmap": "uidmap",
    "setpriv": "util-linux",
    "unshare": "util-linux",
    "apt-get": "apt",
    "apt-config": "apt",
    "/usr/lib/apt/apt-helper": "apt",
    "dpkg-deb": "dpkg",
}


class ProgramFailed(ReforgeError):
    """A program ended with a status other than 0; `tail` is the end of what it printed."""

    def __init__(self, program: str, status: int, tail: Sequence[str]) -> None:
        super().__init__(f"{program} ended with status {status}: {' | '.join(tail[-6:])}")
        self.program = program
        self.status = status
        self.tail = tuple(tail)

    def __reduce__(self) -> tuple[type[ProgramFailed], tuple[str, int, tuple[str, ...]]]:
        return type(self), (self.program, self.status, self.tail)


def find(program: str) -> str:
    """The path of an installed program; raises NoProgram that names the Debian package to install."""
    path = shutil.which(program, path=ENVIRONMENT["PATH"])
    if path is None:
        package = _PACKAGES.get(program, program)
        raise NoProgram(f"The program {program} is not installed", f"Install it: apt-get install {package}")
    return path


def tied(argv: Sequence[str]) -> list[str]:
    """The argv that runs a program which ends when the thread that spawned it does."""
    return [find("setpriv"), "--pdeathsig", "KILL", find(argv[0]), *argv[1:]]


def run(
    argv: Sequence[str], job: Job, *, data: bytes = b"", environment: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """Run `argv` to its end and return its lines of output; raises ProgramFailed, NoSpace or Stopped."""
    job.stop.check()
    with _memory(data) as source:
        process = subprocess.Popen(
            tied(argv),
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**ENVIRONMENT, **(environment or {})},
            process_group=0,
            umask=0o022,
        )
    try:
        lines = _listen(process, job)
        status = process.wait()
    finally:
        _end(process)
    if status != 0:
        tail = tuple(lines)[-_TAIL:]
        space.check(argv[0], tail)
        raise ProgramFailed(argv[0], status, tail)
    return tuple(lines)


def _memory(data: bytes) -> BinaryIO:
    """A file in memory that holds `data`, to be read from its beginning."""
    file = os.fdopen(os.memfd_create("input"), "w+b")
    file.write(data)
    file.seek(0)
    return file


def _listen(process: subprocess.Popen[bytes], job: Job) -> deque[str]:
    """Take lines until the output ends, or until the program has ended and nothing more is there to read.

    What a program prints may come from a recipe: a line without an end is cut, and what is kept
    of all lines is bounded.
    """
    if process.stdout is None:
        raise ReforgeError("A program was started without a pipe")
    lines: deque[str] = deque(maxlen=_LINES)
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            job.stop.check()
            ended = process.poll() is not None
            if not selector.select(_TICK) and not ended:
                continue
            chunk = os.read(process.stdout.fileno(), 65536) if selector.select(0) else b""
            *whole, rest = (rest + chunk).split(b"\n") if chunk else (rest, b"")
            if len(rest) > _LENGTH:
                whole, rest = [*whole, rest], b""
            for line in whole:
                _take(line, lines, job)
            if not chunk:
                return lines


def _take(line: bytes, lines: deque[str], job: Job) -> None:
    text = line.decode("utf-8", "replace").rstrip("\r").rsplit("\r", 1)[-1].translate(_CONTROLS)
    if text:
        lines.append(text[:_KEPT])
        job.report(text)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the program with its whole tree, and what it left behind in its process group; wait until they are gone."""
    tree = _descendants(process) if process.poll() is None else []
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    for descendant in tree:
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            descendant.kill()
    process.wait()
    _await(tree)
    if process.stdout is not None:
        process.stdout.close()


def _await(tree: Sequence[psutil.Process]) -> None:
    """Wait until none of them runs any more; one that only waits to be collected by its parent doesn't run."""
    deadline = time.monotonic() + _END
    while not all(map(ended, tree)) and time.monotonic() < deadline:
        time.sleep(_GRAIN)


def ended(process: psutil.Process) -> bool:
    """Whether a process runs no more."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _descendants(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(process.pid).children(recursive=True)
    return []
