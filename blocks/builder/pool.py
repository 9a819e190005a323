"""The package pool: `.deb` files by sha256, verified on entry, bounded, least recently used goes first.

A file becomes visible by a rename, so a crash leaves no half-written one. What the pool lacks comes from the store
(package files of earlier generations) and then from the archive; both are verified by size and sha256.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from blocks.builder import content
from blocks.builder.job import Job
from blocks.errors import CorruptFile, NotFound, PackagesGone
from blocks.model import Package

_PART = 24


class Keeper(Protocol):
    """Whoever may have package files of earlier generations: the store."""

    def has(self, sha256: str) -> bool:
        """Whether the file is there."""

    def fetch(self, sha256: str, target: Path, stop: Callable[[], None]) -> None:
        """Copy the file, verified; raises NotFound or CorruptFile."""


Fetcher = Callable[[Sequence[tuple[Package, Path]], Job], None]
"""Brings package files from the archive to paths, as far as it can."""


class Pool:
    """A folder of package files, `ab/<sha256>.deb`; `limit` in bytes."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder = folder
        self._limit = limit
        folder.mkdir(parents=True, exist_ok=True)

    @staticmethod
    def name(package: Package) -> str:
        """The file's path below the pool's folder."""
        return f"{package.sha256[:2]}/{package.sha256}.deb"

    def path(self, package: Package) -> Path:
        """Where the file is or would be."""
        return self.folder / self.name(package)

    def has(self, package: Package) -> bool:
        """Whether a file of the right size is there."""
        path = self.path(package)
        return path.exists() and path.stat().st_size == package.size

    def ensure(self, packages: Sequence[Package], job: Job, fetch: Fetcher, keeper: Keeper | None = None) -> None:
        """Have every package file in the pool; raises PackagesGone, CorruptFile, or what the archive raises."""
        missing = [package for package in packages if not self.has(package)]
        partial = self.folder / f"partial-{os.getpid()}-{uuid.uuid4().hex}"
        partial.mkdir()
        try:
            self._bring(missing, partial, job, fetch, keeper)
        finally:
            shutil.rmtree(partial)
        for package in packages:
            os.utime(self.path(package))

    def verify(self, packages: Sequence[Package], job: Job) -> tuple[Package, ...]:
        """Read every file and throw out those whose bytes are wrong; they are returned."""
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as threads:
            right = list(threads.map(lambda package: self._right(self.path(package), package, job), packages))
        wrong = tuple(package for package, good in zip(packages, right, strict=True) if not good)
        for package in wrong:
            self.path(package).unlink(missing_ok=True)
        return wrong

    def _bring(
        self, missing: Sequence[Package], partial: Path, job: Job, fetch: Fetcher, keeper: Keeper | None
    ) -> None:
        targets = [(package, partial / f"{package.sha256}.deb") for package in missing]
        left = [(package, path) for package, path in targets if not _kept(keeper, package, path, job)]
        self._accept(targets, job)
        size = sum(package.size for package, _ in left) / 1e6
        if left:
            job.report(f"Fetching {len(left)} package files, {size:.1f} MB")
        for start in range(0, len(left), _PART):
            fetch(left[start : start + _PART], job)
            self._accept(left[start : start + _PART], job)
            job.report(f"Fetched {min(start + _PART, len(left))} of {len(left)} package files")
        if absent := [package for package in missing if not self.has(package)]:
            raise _gone(absent)

    def _accept(self, targets: Sequence[tuple[Package, Path]], job: Job) -> None:
        for package, path in targets:
            if not path.exists():
                continue
            if not self._right(path, package, job):
                raise CorruptFile(
                    f"The file of {package.name} {package.version} is not the one that was promised: "
                    f"expected {package.size} bytes with sha256 {package.sha256}",
                    "The archive or a proxy on the way serves wrong bytes: try again, then check the proxy",
                )
            self.path(package).parent.mkdir(exist_ok=True)
            path.rename(self.path(package))

    @staticmethod
    def _right(path: Path, package: Package, job: Job) -> bool:
        try:
            return path.stat().st_size == package.size and content.sha256(path, job.stop.check) == package.sha256
        except FileNotFoundError:
            return False

    @contextlib.contextmanager
    def used(self) -> Iterator[None]:
        """Keep every file from being trimmed while a build reads the pool."""
        with (self.folder / "used").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            yield

    def sweep(self, alive: Callable[[int], bool]) -> tuple[str, ...]:
        """Remove what crashed processes left half fetched; returns the names of the folders removed."""
        dead = [path for path in self.folder.glob("partial-*") if not alive(int(path.name.split("-")[1]))]
        for path in dead:
            shutil.rmtree(path, ignore_errors=True)
        return tuple(path.name for path in dead)

    def trim(self, keep: Iterable[Package]) -> int:
        """Remove the files used longest ago until the pool is within its limit; returns the bytes removed.

        While a build reads the pool nothing is removed: the next trim does it.
        """
        with (self.folder / "used").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return 0
            return self._trim(keep)

    def _trim(self, keep: Iterable[Package]) -> int:
        kept = {self.path(package) for package in keep}
        files = sorted((path for path in self.folder.glob("??/*.deb")), key=lambda path: path.stat().st_mtime)
        excess = sum(path.stat().st_size for path in files) - self._limit
        removed = 0
        for path in files:
            if removed >= excess:
                break
            if path not in kept:
                removed += path.stat().st_size
                path.unlink()
        return removed


def _kept(keeper: Keeper | None, package: Package, path: Path, job: Job) -> bool:
    if keeper is None or not keeper.has(package.sha256):
        return False
    try:
        keeper.fetch(package.sha256, path, job.stop.check)
    except (NotFound, CorruptFile) as error:
        job.report(f"The store's copy of {package.name} {package.version} can't be used: {error.what}")
        return False
    return True


def _gone(absent: Sequence[Package]) -> PackagesGone:
    names = ", ".join(f"{package.name} {package.version}" for package in absent)
    return PackagesGone(
        f"{len(absent)} package files are kept by neither pool, store nor archive any more: {names}",
        "Regenerate with the policy refresh, which takes the newest packages, "
        "or import a record that was exported with its packages",
    )
