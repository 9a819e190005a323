"""The toolbox: the lock's tools, unpacked once into a tree that every sandbox has as its root, read-only.

Tools are only unpacked, never configured; nothing of the host's own tools shapes the bytes of an image.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from blocks.builder import locks, space
from blocks.builder.job import Job
from blocks.builder.pool import Pool
from blocks.builder.process import ENVIRONMENT, tied
from blocks.errors import CorruptFile
from blocks.model import Lock, Package

_LINKS = ("bin", "sbin", "lib", "lib64")
_POINTS = ("proc", "dev", "tmp", "build", "pool", "input", "output", "reforge", "root", "run")
_KEPT = 3
_IN_USE = 6 * 3600


class Toolbox:
    """A folder of unpacked tool trees, each named by its toolset's digest."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def has(self, lock: Lock) -> bool:
        """Whether the lock's tools are unpacked already."""
        return (self._folder / lock.toolset()).exists()

    def ensure(self, lock: Lock, pool: Pool, job: Job) -> Path:
        """The tree of the lock's tools, unpacked from the pool if need be; raises CorruptFile, NoSpace or Stopped."""
        tree = self._folder / lock.toolset()
        with locks.exclusive(self._folder / "lock", job):
            if not tree.exists():
                job.report(f"Unpacking {len(lock.tools)} tool packages")
                self._unpack(lock.tools, tree, pool, job)
            os.utime(tree)
            self._trim()
        return tree

    def _unpack(self, tools: Sequence[Package], tree: Path, pool: Pool, job: Job) -> None:
        partial = self._folder / f"partial-{os.getpid()}-{uuid.uuid4().hex}"
        for name in _LINKS:
            (partial / "usr" / name).mkdir(parents=True)
            (partial / name).symlink_to(f"usr/{name}")
        for path in (partial, partial / "usr", *(partial / "usr" / name for name in _LINKS)):
            path.chmod(0o755)
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as threads:
            for _ in threads.map(lambda tool: _extract(pool.path(tool), partial, job), tools):
                pass
        for name in _POINTS:
            (partial / name).mkdir(exist_ok=True)
            (partial / name).chmod(0o755)
        partial.rename(tree)

    def _trim(self) -> None:
        for path in self._folder.glob("partial-*"):
            shutil.rmtree(path)
        trees = sorted(
            (path for path in self._folder.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime
        )
        for path in trees[:-_KEPT]:
            if path.stat().st_mtime < time.time() - _IN_USE:
                shutil.rmtree(path)


def _extract(package: Path, tree: Path, job: Job) -> None:
    job.stop.check()
    listing = subprocess.Popen(
        tied(["dpkg-deb", "--fsys-tarfile", str(package)]), stdout=subprocess.PIPE, env=ENVIRONMENT
    )
    flags = ["--keep-directory-symlink", "--no-same-owner", "--no-overwrite-dir", "--delay-directory-restore"]
    unpacked = subprocess.run(
        tied(["tar", "--extract", f"--directory={tree}", *flags]),
        stdin=listing.stdout,
        env=ENVIRONMENT,
        check=False,
        capture_output=True,
        umask=0o022,
    )
    if listing.stdout is not None:
        listing.stdout.close()
    if listing.wait() != 0 or unpacked.returncode != 0:
        told = unpacked.stderr.decode("utf-8", "replace")
        space.check("tar", told.splitlines())
        raise CorruptFile(f"The package file {package} can't be unpacked: {told[-300:]}", "Remove it and run again")
