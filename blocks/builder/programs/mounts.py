"""Device nodes and /proc for programs that run inside the tree; gone before it is packed, and so are the programs."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from blocks.builder.programs import command

_FOLDERS = ("dev", "proc")
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_INIT = 1
_TRIES = 250
_TICK = 0.02


def protect_devices() -> None:
    """Make the sandbox's device nodes immutable: they are the host's, so they may be used and nothing else."""
    for name in _DEVICES:
        command.run(["mount", "-o", "remount,bind,ro,nosuid", f"/dev/{name}"])


@contextlib.contextmanager
def kernel_files(root: Path) -> Iterator[None]:
    """Have the sandbox's own /dev and /proc in the tree."""
    for name in _FOLDERS:
        command.run(["mount", "--rbind", f"/{name}", str(root / name)])
    try:
        yield
    finally:
        _end_others()
        for name in reversed(_FOLDERS):
            command.run(["umount", "--recursive", str(root / name)])


def _end_others() -> None:
    """End what a program of the tree left running, which would keep files open and change them while they are read."""
    for _ in range(_TRIES):
        others = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
        left = [process for process in others if process not in (_INIT, os.getpid())]
        if not left:
            return
        for process in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        time.sleep(_TICK)
