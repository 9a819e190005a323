"""Waiting for a lock of this machine without turning deaf to the stop token."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from blocks.builder.job import Job

_TICK = 0.2


@contextlib.contextmanager
def exclusive(path: Path, job: Job) -> Iterator[None]:
    """Be the only holder of the lock file on this machine; raises Stopped while waiting for it."""
    lock = FileLock(path)
    while True:
        job.stop.check()
        with contextlib.suppress(Timeout):
            lock.acquire(timeout=_TICK)
            break
    try:
        yield
    finally:
        lock.release()
