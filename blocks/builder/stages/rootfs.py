"""Stage rootfs: from the lock's package files and the install profile to the tar of the root file system."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

from blocks.builder import content, sandbox
from blocks.builder.job import Job
from blocks.builder.order import Order, Workshop
from blocks.errors import CorruptFile, NoSpace, NotFound, PackagesGone, StageFailed
from blocks.model import Lock, Recipe, digest

FORMAT = 1
_NOT_HERE = {"disk_size", "memory_size", "swap_size", "kernel_command_line"}
_ROOM = 8
_LEAST = 1024**3


def identity(recipe: Recipe, lock: Lock) -> str:
    """The digest that names this stage's output."""
    return digest(
        {
            "stage": "rootfs",
            "format": FORMAT,
            "suite": recipe.os_profile.suite,
            "architecture": recipe.os_profile.architecture,
            "profile": recipe.install_profile.model_dump(mode="json", exclude=_NOT_HERE),
            "content": lock.content(),
            "tools": lock.toolset(),
        }
    )


def build(order: Order, workshop: Workshop, output: Path, job: Job) -> Mapping[str, int]:
    """Write the tar to `output`/data; the facts are the build's clock (`epoch`, Unix seconds) and the tar's bytes."""
    lock, pool = order.lock, workshop.pool
    workshop.have(lock.packages, job)
    epoch = max(clock(pool.path(package)) for package in lock.packages)
    room = _ROOM * sum(package.size for package in lock.packages) + _LEAST
    layout = sandbox.Layout(
        tools=workshop.tools(lock, job),
        output=output,
        work=room if _fits(room, workshop) else _folder(workshop, order),
        pool=pool.folder,
        inputs={"index": _index(order, workshop, job)},
    )
    with _told(room, layout):
        sandbox.execute("rootfs", _specification(order, epoch, workshop), layout, job)
    (output / "rootfs.tar").rename(output / "data")
    return {"epoch": epoch, "content": (output / "data").stat().st_size}


@contextlib.contextmanager
def _told(room: int, layout: sandbox.Layout) -> Iterator[None]:
    """Tell a tree that outgrows its place in memory, which no waiting mends, from a full disk."""
    try:
        yield
    except NoSpace as error:
        if isinstance(layout.work, Path) or shutil.disk_usage(layout.output).free < room:
            raise
        raise StageFailed(
            f"The packages and scripts take more than the {room / 1e9:.1f} GB that they have: {error.what}",
            "See what the recipe's build scripts write",
        ) from error


def clock(package: Path) -> int:
    """The newest member time of a `.deb` file (an ar archive), in Unix seconds."""
    newest = 0
    with package.open("rb") as file:
        if file.read(8) != b"!<arch>\n":
            raise CorruptFile(f"{package} is not a Debian package file", "Remove it and run again")
        while len(header := file.read(60)) == 60:
            newest = max(newest, int(header[16:28]))
            size = int(header[48:58])
            file.seek(size + size % 2, os.SEEK_CUR)
    return newest


def _specification(order: Order, epoch: int, workshop: Workshop) -> dict[str, Any]:
    profile = order.recipe.os_profile
    return {
        "suite": profile.suite,
        "architecture": profile.architecture,
        "epoch": epoch,
        "packages": [{**package.identity(), "file": workshop.pool.name(package)} for package in order.lock.packages],
        "profile": order.recipe.install_profile.model_dump(mode="json", exclude=_NOT_HERE),
    }


def _index(order: Order, workshop: Workshop, job: Job) -> Path:
    lock = order.lock
    path = workshop.index / lock.index
    if path.exists() and content.sha256(path, job.stop.check) == lock.index:
        return path
    if workshop.keeper is not None and workshop.keeper.has(lock.index):
        with contextlib.suppress(NotFound, CorruptFile):
            workshop.keeper.fetch(lock.index, path, job.stop.check)
            return path
    stanzas = workshop.stanzas(job)
    if stanzas is None or hashlib.sha256(stanzas).hexdigest() != lock.index:
        raise PackagesGone(
            f"The archive stanzas of the lock (sha256 {lock.index}) are kept nowhere any more",
            "Regenerate with the policy refresh, or import a record that was exported with its packages",
        )
    partial = path.with_suffix(f".{order.name}")
    partial.write_bytes(stanzas)
    return partial.rename(path)


def _fits(room: int, workshop: Workshop) -> bool:
    return workshop.tmpfs and psutil.virtual_memory().available > 2 * room


def _folder(workshop: Workshop, order: Order) -> Path:
    folder = workshop.work / order.name / "rootfs"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
