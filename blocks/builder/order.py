"""What a stage works from and where: the order of one generation, and the workshop of one machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from blocks.builder.checkpoints import Checkpoints
from blocks.builder.job import Job
from blocks.builder.pool import Fetcher, Keeper, Pool
from blocks.builder.toolbox import Toolbox
from blocks.model import Lock, Package, Recipe


@dataclass(frozen=True)
class Order:
    """One generation to build; `name` is a folder name of its own, such as `17-1` for ticket and attempt."""

    recipe: Recipe
    lock: Lock
    name: str
    rebuild: bool = False


@dataclass(frozen=True)
class Workshop:
    """The folders and collaborators that stages build with.

    `index` keeps index objects by sha256, `stanzas` asks the archive for the order's index object.
    """

    work: Path
    index: Path
    pool: Pool
    toolbox: Toolbox
    checkpoints: Checkpoints
    keeper: Keeper | None
    fetch: Fetcher
    stanzas: Callable[[Job], bytes | None]
    tmpfs: bool = True

    def tools(self, lock: Lock, job: Job) -> Path:
        """The tree of the lock's tools; their package files are fetched and verified if it must be unpacked."""
        if not self.toolbox.has(lock):
            self.have(lock.tools, job)
        return self.toolbox.ensure(lock, self.pool, job)

    def have(self, packages: Sequence[Package], job: Job) -> None:
        """Have every package file in the pool with the right bytes, damaged ones fetched again."""
        self.pool.ensure(packages, job, self.fetch, self.keeper)
        if wrong := self.pool.verify(packages, job):
            for package in wrong:
                job.report(f"The pool's file of {package.name} {package.version} is damaged: it is fetched again")
            self.pool.ensure(wrong, job, self.fetch, self.keeper)
