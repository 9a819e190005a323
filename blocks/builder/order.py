"""What a stage works from and where: the order of one generation, and the workshop of one machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from blocks.builder.checkpoints import Checkpoints
from blocks.builder.job import Job
from blocks.builder.pool import Fetcher, Keeper, Pool
from blocks.builder.toolbox import Toolbox
from blocks.model import Lock, Recipe


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
