"""How many builds a machine takes side by side: by its cores, its memory and the disk space that is free."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import psutil

from blocks.builder import space

_MEMORY = 10**9
"""The bytes that one build takes: measured 0.65 GB for a small server, its tree in memory and its flow included."""
_GROUP = Path("/sys/fs/cgroup")


def runs(folder: Path) -> int:
    """How many builds below `folder`, which is there, go well at the same time; at least one."""
    free = shutil.disk_usage(folder).free
    return max(1, min(_cores(), _memory() // _MEMORY, free // space.USUAL))


def _cores() -> int:
    """The cores that this process may use, by its affinity and by its container's limit."""
    own = len(os.sched_getaffinity(0))
    limit, period = [*_limits("cpu.max"), "max", ""][:2]
    return own if limit == "max" else min(own, max(1, int(limit) // int(period)))


def _memory() -> int:
    """The bytes of memory that are free for this process, by the machine and by its container's limit."""
    free = psutil.virtual_memory().available
    limit, used = [*_limits("memory.max"), "max"][0], [*_limits("memory.current"), "0"][0]
    return free if limit == "max" else min(free, int(limit) - int(used))


def _limits(name: str) -> list[str]:
    """The words of a file of this process's control group; none where there is no such file."""
    try:
        return (_GROUP / name).read_text("utf-8").split()
    except OSError:
        return []
